#include "base/slice.h"

#include <assert.h>
#include <string.h>

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return (byte >= 'A' && byte <= 'Z') ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_of(const char *ptr, size_t len)
{
    assert(ptr != NULL || len == 0);
    return (struct slice){ptr, len};
}

struct slice slice_from_cstr(const char *cstr)
{
    return cstr == NULL ? SLICE_EMPTY : (struct slice){cstr, strlen(cstr)};
}

bool slice_equal(struct slice a, struct slice b)
{
    /* memcmp must not see NULL, not even with length 0 (C11 7.24.1). */
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal(slice_take(s, prefix.len), prefix);
}

bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal(slice_skip(s, s.len - suffix.len), suffix);
}

struct slice slice_skip(struct slice s, size_t from)
{
    size_t n = from < s.len ? from : s.len;
    /* NULL + 0 is undefined in C. */
    return n == 0 ? s : (struct slice){s.ptr + n, s.len - n};
}

struct slice slice_take(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

size_t slice_find(struct slice s, char byte)
{
    if (s.len == 0) {
        return 0;
    }
    const char *hit = memchr(s.ptr, (unsigned char)byte, s.len);
    return hit == NULL ? s.len : (size_t)(hit - s.ptr);
}

struct slice slice_trim(struct slice s)
{
    size_t from = 0;
    size_t to = s.len;
    while (from < to && is_blank(s.ptr[from])) {
        from++;
    }
    while (to > from && is_blank(s.ptr[to - 1])) {
        to--;
    }
    return slice_skip(slice_take(s, to), from);
}
