#include "gateway/shape_text.h"

#include "base/byte.h"
#include "base/out.h"
#include "base/utf8.h"
#include "gateway/shape.h"

#include <assert.h>
#include <string.h>

/* ---- White space ------------------------------------------------------------------------------
 */

/* Behind the closing quote of the string that begins at `at`. The value was scanned: there is one.
 */
static const char *string_end(const char *at)
{
    for (at++; *at != '"'; at++) {
        at += *at == '\\';
    }
    return at + 1;
}

static bool ends_run(char byte)
{
    return byte_is(byte, BYTE_SPACE) || byte == ',';
}

size_t shape_text_tidy(char *to, struct slice value)
{
    char *begin = to;
    const char *at = value.ptr;
    const char *end = value.ptr + value.len;
    bool comma = false; /* one was met since the last token */
    while (at < end) {
        if (ends_run(*at)) {
            comma = comma || *at == ',';
            at++;
            continue;
        }
        if (comma && !byte_is(to[-1], BYTE_OPEN) && !byte_is(*at, BYTE_CLOSE)) {
            *to++ = ',';
        }
        comma = false;
        const char *run = at;
        while (at < end && !ends_run(*at)) {
            at = *at == '"' ? string_end(at) : at + 1;
        }
        memmove(to, run, (size_t)(at - run));
        to += at - run;
    }
    return (size_t)(to - begin);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------
 */

/* How many bytes start no well-formed sequence. */
static size_t count_bad_utf8(struct slice text)
{
    size_t bad = 0;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end;) {
        int len = (unsigned char)*at < 0x80 ? 1 : utf8_len(at, end);
        bad += len <= 0;
        at += len > 0 ? len : 1;
    }
    return bad;
}

/* The text moves to the end of its new space first, so that writing never overtakes reading. */
int shape_text_repair_utf8(char *bytes, size_t *len, size_t size)
{
    const size_t growth = sizeof(UTF8_REPLACEMENT) - 2; /* 3 bytes for 1 */
    size_t bad = count_bad_utf8(slice_of(bytes, *len));
    if (bad == 0) {
        return LIMPET_OK;
    }
    if (bad > (size - *len) / growth) {
        return LIMPET_ERR_TOO_LONG;
    }
    const char *at = bytes + bad * growth;
    const char *end = at + *len;
    memmove(bytes + bad * growth, bytes, *len);
    *len += bad * growth;
    while (at < end) {
        int run = utf8_len(at, end);
        const char *from = run > 0 ? at : UTF8_REPLACEMENT;
        size_t run_len = run > 0 ? (size_t)run : sizeof(UTF8_REPLACEMENT) - 1;
        memmove(bytes, from, run_len);
        bytes += run_len;
        at += run > 0 ? run : 1;
    }
    return LIMPET_OK;
}

/* ---- Around and quoted ------------------------------------------------------------------------
 */

int shape_text_wrap(char *bytes, size_t *len, size_t size, struct slice prefix, struct slice suffix)
{
    if (prefix.len + suffix.len > size - *len) {
        return LIMPET_ERR_TOO_LONG;
    }
    memmove(bytes + prefix.len, bytes, *len);
    memcpy(bytes, prefix.ptr, prefix.len);
    memcpy(bytes + prefix.len + *len, suffix.ptr, suffix.len);
    *len += prefix.len + suffix.len;
    return LIMPET_OK;
}

/* The next piece of `text` for the stack, cut between characters. */
static size_t piece_len(struct slice text, size_t max)
{
    if (text.len <= max) {
        return text.len;
    }
    size_t len = max;
    while (len > max - UTF8_LEN_MAX && ((unsigned char)text.ptr[len] & 0xC0u) == 0x80u) {
        len--;
    }
    return len;
}

static void write_quoted(struct out *out, struct slice text)
{
    char piece[64]; /* what is written may reach what was read */
    while (text.len > 0) {
        size_t len = piece_len(text, sizeof(piece));
        memcpy(piece, text.ptr, len);
        out_json_escaped(out, slice_of(piece, len), false);
        text = slice_skip(text, len);
    }
}

/* No character becomes shorter: with the text at the end of the buffer and room for the whole,
 * writing never overtakes reading. */
int shape_quote(char *bytes, size_t *len, size_t size, struct slice prefix, struct slice suffix)
{
    struct out out;
    out_init_count(&out);
    write_quoted(&out, slice_of(bytes, *len));
    if (out.total > size || prefix.len + suffix.len > size - (size_t)out.total) {
        return LIMPET_ERR_TOO_LONG;
    }
    memmove(bytes + (size - *len), bytes, *len);
    out_init(&out, bytes, size);
    out_put(&out, prefix);
    write_quoted(&out, slice_of(bytes + (size - *len), *len));
    out_put(&out, suffix);
    *len = out_slice(&out).len;
    return out_err(&out);
}
