#include "base/json.h"

#include "base/byte.h"
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

/* The bytes have passed the scanner: only the ends are looked for. All loops stop at `end` whatever
 * the bytes are. */

enum json_type json_type_of(struct slice value)
{
    if (value.len == 0) {
        return JSON_NONE;
    }
    switch (value.ptr[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* From the opening quote to behind the closing one. */
static const char *string_end(const char *at, const char *end)
{
    at = byte_skip_plain(at + 1, end);
    while (at < end && *at != '"') {
        at += *at == '\\' && end - at > 1 ? 2 : 1;
        at = byte_skip_plain(at, end);
    }
    return at < end ? at + 1 : end;
}

static const char *container_end(const char *at, const char *end)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = string_end(at, end);
            continue;
        }
        depth += byte_is(*at, BYTE_OPEN);
        depth -= byte_is(*at, BYTE_CLOSE);
        at++;
    } while (depth > 0 && at < end);
    return at;
}

static const char *value_end(const char *at, const char *end)
{
    if (*at == '"') {
        return string_end(at, end);
    }
    if (byte_is(*at, BYTE_OPEN)) {
        return container_end(at, end);
    }
    while (at < end && !byte_is(*at, BYTE_END)) {
        at++;
    }
    return at;
}

/* The next byte that is neither white space nor between members. */
static const char *token_after(const char *at, const char *end)
{
    while (at < end && (byte_is(*at, BYTE_SPACE) || *at == ',' || *at == ':')) {
        at++;
    }
    return at;
}

void json_iter_init(struct json_iter *iter, struct slice container)
{
    enum json_type type = json_type_of(container);
    assert(type == JSON_ARRAY || type == JSON_OBJECT);
    iter->at = container.ptr + 1;
    iter->end = container.ptr + container.len;
    iter->object = type == JSON_OBJECT;
}

bool json_iter_next(struct json_iter *iter, struct json_member *member)
{
    const char *at = token_after(iter->at, iter->end);
    iter->at = at;
    if (at == iter->end || byte_is(*at, BYTE_CLOSE)) {
        return false;
    }
    member->key = SLICE_EMPTY;
    if (iter->object) {
        const char *behind = string_end(at, iter->end);
        assert(*at == '"' && behind - at >= 2);
        member->key = slice_of(at + 1, (size_t)(behind - at) - 2);
        at = token_after(behind, iter->end);
    }
    assert(at < iter->end);
    iter->at = value_end(at, iter->end);
    member->value = slice_of(at, (size_t)(iter->at - at));
    return true;
}

/* ---- Strings -------------------------------------------------------------------------------- */

static uint32_t hex_value(char digit)
{
    return byte_is(digit, BYTE_DIGIT) ? (uint32_t)(digit - '0')
                                      : (uint32_t)((digit | 0x20) - 'a' + 10);
}

/* The unit of the "\uXXXX" at `at`; false when there is none. */
static bool hex_unit(const char *at, const char *end, uint32_t *unit)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') {
        return false;
    }
    *unit = 0;
    for (int i = 2; i < 6; i++) {
        if (!byte_is(at[i], BYTE_HEX)) {
            return false;
        }
        *unit = *unit << 4 | hex_value(at[i]);
    }
    return true;
}

/* Decodes the escape at *at into a rune; a surrogate that has no partner comes out as it is. */
static uint32_t take_escape(const char **at, const char *end)
{
    static const char short_forms[] = "\"\"\\\\//b\bf\fn\nr\rt\t"; /* letter, its byte */
    uint32_t high;
    uint32_t low;
    if (hex_unit(*at, end, &high)) {
        *at += 6;
        bool pair =
            high >> 10 == 0xD800u >> 10 && hex_unit(*at, end, &low) && low >> 10 == 0xDC00u >> 10;
        if (!pair) {
            return high;
        }
        *at += 6;
        return 0x10000u + ((high & 0x3FFu) << 10) + (low & 0x3FFu);
    }
    for (size_t i = 0; end - *at > 1 && i < sizeof(short_forms) - 1; i += 2) {
        if (short_forms[i] == (*at)[1]) {
            *at += 2;
            return (unsigned char)short_forms[i + 1];
        }
    }
    assert(false); /* the scanner lets no other escape through */
    *at = end;
    return 0xFFFD;
}

/* One character of a raw string, as UTF-8; returns its length and moves *at on. */
static size_t take_char(const char **at, const char *end, char bytes[UTF8_LEN_MAX])
{
    if (**at == '\\') {
        return utf8_encode(take_escape(at, end), bytes);
    }
    int len = utf8_len(*at, end);
    if (len <= 0) {
        *at += 1;
        return utf8_encode(0xFFFD, bytes);
    }
    memcpy(bytes, *at, (size_t)len);
    *at += len;
    return (size_t)len;
}

/* How many bytes at the beginning are the same and stand for themselves: most keys end here. */
static size_t same_plain_len(struct slice a, struct slice b)
{
    size_t same = 0;
    while (same < a.len && same < b.len && a.ptr[same] == b.ptr[same] &&
           byte_is(a.ptr[same], BYTE_PLAIN)) {
        same++;
    }
    return same;
}

bool json_string_equals(struct slice raw, struct slice plain)
{
    size_t same = same_plain_len(raw, plain);
    raw = slice_skip(raw, same);
    plain = slice_skip(plain, same);
    if (raw.len == 0 || plain.len == 0) {
        return raw.len == plain.len;
    }
    const char *at = raw.ptr;
    const char *end = at + raw.len;
    while (at < end) {
        char bytes[UTF8_LEN_MAX];
        struct slice decoded = {bytes, take_char(&at, end, bytes)};
        if (!slice_starts_with(plain, decoded)) {
            return false;
        }
        plain = slice_skip(plain, decoded.len);
    }
    return plain.len == 0;
}

int json_string_compare(struct slice a, struct slice b)
{
    size_t same = same_plain_len(a, b);
    a = slice_skip(a, same);
    b = slice_skip(b, same);
    while (a.len > 0 && b.len > 0) {
        char bytes_a[UTF8_LEN_MAX];
        char bytes_b[UTF8_LEN_MAX];
        const char *at_a = a.ptr;
        const char *at_b = b.ptr;
        size_t len_a = take_char(&at_a, a.ptr + a.len, bytes_a);
        size_t len_b = take_char(&at_b, b.ptr + b.len, bytes_b);
        int order = slice_compare(slice_of(bytes_a, len_a), slice_of(bytes_b, len_b));
        if (order != 0) {
            return order;
        }
        a = slice_skip(a, (size_t)(at_a - a.ptr));
        b = slice_skip(b, (size_t)(at_b - b.ptr));
    }
    return (a.len > 0) - (b.len > 0);
}

void json_unescape(struct out *out, struct slice raw)
{
    if (raw.len == 0) {
        return;
    }
    const char *at = raw.ptr;
    const char *end = at + raw.len;
    while (at < end) {
        const char *run = at;
        at = byte_skip_plain(at, end);
        out_bytes(out, run, (size_t)(at - run));
        if (at < end) {
            char bytes[UTF8_LEN_MAX];
            out_bytes(out, bytes, take_char(&at, end, bytes));
        }
    }
}
