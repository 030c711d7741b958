#include "web/message_rules.h"

#include "base/byte.h"
#include "base/num.h"

#include <string.h>

static bool is_port(struct slice s);
static bool is_ip6(struct slice s);
static size_t suspicious(size_t word);

/* clang-format off */
const unsigned char message_byte_rules[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  4,  0,  0,  0,  0,  0,  0, /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10 */
    12, 31, 14, 13, 31, 15, 31, 31, 30, 30, 31, 31, 14, 31, 31, 14, /* 20 */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 30, 14, 30, 14, 14, /* 30 */
    14, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, /* 40 */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 14, 14, 15, 31, /* 50 */
    15, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, /* 60 */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 15, 14, 31,  0, /* 70 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* 80 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* 90 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* A0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* B0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* C0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* D0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* E0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* F0 */
};
/* clang-format on */

size_t rule_run(struct slice s, unsigned rule)
{
    size_t n = 0;
    while (n < s.len && rule_holds(s.ptr[n], rule)) {
        n++;
    }
    return n;
}

bool rule_is_value(struct slice s)
{
    size_t at = 0;
    while (s.len - at >= sizeof(size_t)) {
        size_t word;
        memcpy(&word, s.ptr + at, sizeof(word));
        if (suspicious(word) != 0 &&
            rule_run(slice_of(s.ptr + at, sizeof(word)), RULE_VALUE) != sizeof(word)) {
            return false;
        }
        at += sizeof(word);
    }
    return rule_run(slice_skip(s, at), RULE_VALUE) == s.len - at;
}

/* Not 0 when one of the bytes is below 0x20 or is 0x7F (a tab counts: the caller looks again). */
static size_t suspicious(size_t word)
{
    const size_t ones = (size_t)-1 / 0xFFu;
    size_t control = (word - ones * 0x20u) & ~word;
    size_t xored = word ^ (ones * 0x7Fu);
    size_t delete = (xored - ones) & ~xored;
    return (control | delete) & (ones * 0x80u);
}

int rule_content_length(struct slice value, uint64_t *length)
{
    return num_parse_u64(value, INT64_MAX, length);
}

bool rule_is_host(struct slice value)
{
    size_t name_len;
    if (value.len > 0 && value.ptr[0] == '[') {
        name_len = slice_find(value, ']');
        if (name_len == value.len || !is_ip6(slice_of(value.ptr + 1, name_len - 1))) {
            return false;
        }
        name_len++;
    } else {
        name_len = rule_run(value, RULE_HOST);
    }
    return name_len > 0 && is_port(slice_skip(value, name_len));
}

/* Nothing, or ':' and at most 65535 (the digits may be missing, RFC 3986 section 3.2.3). */
static bool is_port(struct slice s)
{
    uint64_t port;
    if (s.len == 0) {
        return true;
    }
    return s.ptr[0] == ':' &&
           (s.len == 1 || num_parse_u64(slice_skip(s, 1), UINT16_MAX, &port) == LIMPET_OK);
}

/* Not the whole grammar: the bytes it is made of, and a colon at least. Nobody connects to it. */
static bool is_ip6(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!byte_is(s.ptr[i], BYTE_HEX) && s.ptr[i] != ':' && s.ptr[i] != '.') {
            return false;
        }
    }
    return slice_find(s, ':') < s.len;
}

bool rule_is_origin_form(struct slice target)
{
    if (target.len == 0 || target.ptr[0] != '/') {
        return false;
    }
    struct slice path = slice_take(target, slice_find(target, '?'));
    for (size_t at = slice_find(path, '%'); at < path.len;) {
        if (path.len - at < 3 || !byte_is(path.ptr[at + 1], BYTE_HEX) ||
            !byte_is(path.ptr[at + 2], BYTE_HEX)) {
            return false;
        }
        at += 3;
        at += slice_find(slice_skip(path, at), '%');
    }
    return true;
}

bool rule_list_next(struct slice *list, struct slice *element)
{
    if (list->ptr == NULL) {
        return false;
    }
    size_t comma = slice_find(*list, ',');
    *element = slice_trim(slice_take(*list, comma));
    *list =
        comma == list->len ? SLICE_EMPTY : slice_of(list->ptr + comma + 1, list->len - comma - 1);
    return true;
}

enum rule_coding rule_coding_of(struct slice element)
{
    struct slice name = slice_take(element, rule_run(element, RULE_TOKEN));
    struct slice rest = slice_trim(slice_skip(element, name.len));
    if (name.len == 0 || (rest.len > 0 && rest.ptr[0] != ';')) {
        return CODING_BAD;
    }
    if (!slice_equal_nocase(name, SLICE_LIT("chunked"))) {
        return CODING_OTHER;
    }
    return rest.len == 0 ? CODING_CHUNKED : CODING_BAD;
}
