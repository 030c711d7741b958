#include "gateway/uri.h"

#include "base/byte.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

enum byte_place { PLACE_SEGMENT, PLACE_QUERY_VALUE, PLACE_PATH, PLACE_TARGET };

/* ---- Escapes ----------------------------------------------------------------------------------
 */

static int hex_value(char digit)
{
    return byte_is(digit, BYTE_DIGIT) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static char lower_ascii(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool uri_escapes_valid(struct slice raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] != '%') {
            continue;
        }
        bool hex = raw.len - i >= 3 && byte_is(raw.ptr[i + 1], BYTE_HEX) &&
                   byte_is(raw.ptr[i + 2], BYTE_HEX);
        if (!hex) {
            return false;
        }
        i += 2;
    }
    return true;
}

int uri_next_byte(struct slice *raw)
{
    if (raw->len == 0) {
        return -1;
    }
    if (raw->ptr[0] != '%') {
        int byte = (unsigned char)raw->ptr[0];
        *raw = slice_skip(*raw, 1);
        return byte;
    }
    assert(raw->len >= 3);
    int byte = hex_value(raw->ptr[1]) * 16 + hex_value(raw->ptr[2]);
    *raw = slice_skip(*raw, 3);
    return byte;
}

bool uri_equals(struct slice raw, struct slice plain, bool fold)
{
    for (size_t i = 0; i < plain.len; i++) {
        int byte = uri_next_byte(&raw);
        if (byte < 0) {
            return false;
        }
        char c = (char)byte;
        bool same = fold ? lower_ascii(c) == lower_ascii(plain.ptr[i]) : c == plain.ptr[i];
        if (!same) {
            return false;
        }
    }
    return raw.len == 0;
}

bool uri_contains(struct slice raw, char byte)
{
    for (;;) {
        int next = uri_next_byte(&raw);
        if (next < 0 || (char)next == byte) {
            return next >= 0;
        }
    }
}

static bool is_unreserved(int byte)
{
    char lower = (char)(byte | 0x20);
    return (byte >= '0' && byte <= '9') || (byte < 0x80 && lower >= 'a' && lower <= 'z') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* The sets of RFC 3986: pchar = unreserved, sub-delims, ':' and '@'. A target only escapes what
 * cannot stand in a request line; its '%' and delimiters have their meaning already. */
static bool stands_for_itself(int byte, enum byte_place place)
{
    if (place == PLACE_TARGET) {
        return byte > 0x20 && byte < 0x7F;
    }
    if (is_unreserved(byte)) {
        return true;
    }
    const char *others = place == PLACE_SEGMENT       ? "!$&'()*+,;=:@"
                         : place == PLACE_QUERY_VALUE ? "!$'()*,:@/?"
                                                      : "!$&'()*+,;=:@/";
    return byte != 0 && byte < 0x80 && strchr(others, byte) != NULL;
}

static void write_escaped(struct out *out, int byte)
{
    static const char digits[] = "0123456789ABCDEF";
    out_char(out, '%');
    out_char(out, digits[byte >> 4]);
    out_char(out, digits[byte & 15]);
}

static void write_byte(struct out *out, int byte, enum byte_place place)
{
    if (stands_for_itself(byte, place)) {
        out_char(out, (char)byte);
    } else {
        write_escaped(out, byte);
    }
}

static void write_raw(struct out *out, struct slice raw, enum byte_place place)
{
    for (;;) {
        int byte = uri_next_byte(&raw);
        if (byte < 0) {
            return;
        }
        write_byte(out, byte, place);
    }
}

static void write_plain(struct out *out, struct slice plain, enum byte_place place)
{
    for (size_t i = 0; i < plain.len; i++) {
        write_byte(out, (unsigned char)plain.ptr[i], place);
    }
}

void uri_write_segment(struct out *out, struct slice raw)
{
    write_raw(out, raw, PLACE_SEGMENT);
}

void uri_write_query_value(struct out *out, struct slice raw)
{
    write_raw(out, raw, PLACE_QUERY_VALUE);
}

void uri_write_plain_value(struct out *out, struct slice plain)
{
    write_plain(out, plain, PLACE_QUERY_VALUE);
}

void uri_write_plain_query(struct out *out, struct slice plain)
{
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.ptr[i];
        if (is_unreserved((unsigned char)c)) {
            out_char(out, c);
        } else if (c == ' ') {
            out_char(out, '+');
        } else {
            write_escaped(out, (unsigned char)c);
        }
    }
}

void uri_write_text(struct out *out, struct slice text)
{
    write_plain(out, text, PLACE_TARGET);
}

void uri_write_plain_path(struct out *out, struct slice plain)
{
    write_plain(out, plain, PLACE_PATH);
}

/* ---- Location ---------------------------------------------------------------------------------
 */

/* Length of "scheme:" at the front, 0 when there is none (RFC 3986 section 3.1). */
static size_t scheme_len(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == ':') {
            return i > 0 ? i + 1 : 0;
        }
        bool first_ok = is_unreserved((unsigned char)c) && c != '_' && c != '~';
        if (!first_ok && c != '+') {
            return 0;
        }
    }
    return 0;
}

static int parse_authority(struct slice authority, struct uri_location *location)
{
    if (slice_find(authority, '@') < authority.len || slice_find(authority, '[') < authority.len) {
        return LIMPET_ERR_UNSUPPORTED;
    }
    size_t colon = slice_find(authority, ':');
    location->authority = authority;
    location->name = slice_take(authority, colon);
    location->port = location->tls ? 443 : 80;
    if (location->name.len == 0) {
        return LIMPET_ERR_SYNTAX;
    }
    for (size_t i = 0; i < location->name.len; i++) {
        int byte = (unsigned char)location->name.ptr[i];
        if (!is_unreserved(byte) || byte == '~') {
            return LIMPET_ERR_SYNTAX;
        }
    }
    if (colon == authority.len) {
        return LIMPET_OK;
    }
    uint64_t port;
    int err = num_parse_u64(slice_skip(authority, colon + 1), UINT16_MAX, &port);
    if (err != LIMPET_OK || port == 0) {
        return LIMPET_ERR_SYNTAX;
    }
    location->port = (uint16_t)port;
    return LIMPET_OK;
}

int uri_parse_location(struct slice value, bool base_tls, struct uri_location *location)
{
    *location = (struct uri_location){.tls = base_tls};
    value = slice_take(value, slice_find(value, '#'));
    size_t scheme = scheme_len(value);
    if (scheme > 0) {
        struct slice name = slice_take(value, scheme);
        location->tls = slice_equal_nocase(name, SLICE_LIT("https:"));
        if (!location->tls && !slice_equal_nocase(name, SLICE_LIT("http:"))) {
            return LIMPET_ERR_UNSUPPORTED;
        }
        value = slice_skip(value, scheme);
        if (!slice_starts_with(value, SLICE_LIT("//"))) {
            return LIMPET_ERR_SYNTAX;
        }
    }
    if (!slice_starts_with(value, SLICE_LIT("//"))) {
        location->rest = value;
        return LIMPET_OK;
    }
    value = slice_skip(value, 2);
    size_t end = 0;
    while (end < value.len && value.ptr[end] != '/' && value.ptr[end] != '?') {
        end++;
    }
    location->has_host = true;
    location->rest = slice_skip(value, end);
    return parse_authority(slice_take(value, end), location);
}

/* Where the last segment of path[0..len) begins: at its slash, or 0. */
static size_t last_segment(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    return len > 0 ? len - 1 : 0;
}

/* Removes "." and ".." segments of the path in `path[0..len)`, in place; returns the new length.
 * The path begins with '/', and so does the result (RFC 3986 section 5.2.4). */
static size_t remove_dot_segments(char *path, size_t len)
{
    size_t to = 0;
    size_t end;
    for (size_t from = 0; from < len; from = end) {
        end = from + 1;
        while (end < len && path[end] != '/') {
            end++;
        }
        struct slice segment = slice_of(path + from, end - from);
        bool up = slice_equal(segment, SLICE_LIT("/.."));
        if (!up && !slice_equal(segment, SLICE_LIT("/."))) {
            memmove(path + to, segment.ptr, segment.len);
            to += segment.len;
            continue;
        }
        to = up ? last_segment(path, to) : to;
        if (end == len) {
            path[to++] = '/';
        }
    }
    return to;
}

void uri_write_target(struct out *out, struct slice base_target,
                      const struct uri_location *location)
{
    struct slice rest = location->rest;
    struct slice base_path = slice_take(base_target, slice_find(base_target, '?'));
    size_t path_len = slice_find(rest, '?');
    if (path_len > 0 && rest.ptr[0] != '/' && !location->has_host) {
        size_t dir = base_path.len;
        while (dir > 0 && base_path.ptr[dir - 1] != '/') {
            dir--;
        }
        out_put(out, slice_take(base_path, dir));
    } else if (path_len == 0 && !location->has_host) {
        out_put(out, rest.len > 0 ? base_path : base_target);
    }
    if (out_slice(out).len == 0 && (path_len == 0 || rest.ptr[0] != '/')) {
        out_char(out, '/');
    }
    write_plain(out, slice_take(rest, path_len), PLACE_TARGET);
    if (out_err(out) != LIMPET_OK) {
        return;
    }
    if (path_len > 0) {
        out_rewind(out, remove_dot_segments(out->buf, out_slice(out).len));
    }
    write_plain(out, slice_skip(rest, path_len), PLACE_TARGET);
}
