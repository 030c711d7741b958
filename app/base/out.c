#include "base/out.h"

#include "base/byte.h"
#include "base/num.h"
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

/* The longest text of a double without its sign: 17 digits, point and "e-308", or "0.0001" and 16
 * digits more, or 21 digits before the point. */
#define DOUBLE_LEN_MAX 24
#define DOUBLE_EXP_MIN_MAX 21

static void put_into_buffer(struct out *out, const char *bytes, size_t len);
static void put_through(struct out *out, const char *bytes, size_t len);
static void flush_piece(struct out *out, const char *bytes, size_t len);
static size_t format_exponent(char *text, size_t count, int exponent);
static size_t format_plain(char *text, size_t count, int point);
static size_t escape_sequence(char text[6], unsigned char byte);
static size_t escape_rune(struct out *out, const char *at, const char *end);

/* ---- Life cycle ----------------------------------------------------------------------------- */

void out_init(struct out *out, char *buf, size_t size)
{
    assert(buf != NULL || size == 0);
    *out = (struct out){.buf = buf, .size = size};
}

void out_init_flush(struct out *out, char *buf, size_t size, out_flush_fn flush, void *ctx)
{
    assert(flush != NULL);
    assert(buf != NULL || size == 0);
    *out = (struct out){.buf = buf, .size = size, .flush = flush, .flush_ctx = ctx};
}

void out_init_count(struct out *out)
{
    *out = (struct out){.counting = true};
}

struct slice out_slice(const struct out *out)
{
    return (struct slice){out->buf, out->used};
}

int out_err(const struct out *out)
{
    return out->err;
}

void out_rewind(struct out *out, size_t used)
{
    assert(!out->counting && out->flush == NULL);
    assert(used <= out->used);
    out->used = used;
    out->total = used;
    out->err = LIMPET_OK;
}

int out_finish(struct out *out)
{
    if (out->err == LIMPET_OK && out->flush != NULL && out->used > 0) {
        flush_piece(out, out->buf, out->used);
        out->used = out->err == LIMPET_OK ? 0 : out->used;
    }
    return out->err;
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

void out_bytes(struct out *out, const char *bytes, size_t len)
{
    if (out->err != LIMPET_OK || len == 0) {
        return;
    }
    if (len <= out->size - out->used) {
        memcpy(out->buf + out->used, bytes, len);
        out->used += len;
        out->total += len;
    } else if (out->counting) {
        out->total += len;
    } else if (out->flush != NULL) {
        put_through(out, bytes, len);
    } else {
        put_into_buffer(out, bytes, len);
    }
}

/* More than fits: keeps the beginning, so that a cut text is still of use (a log line). */
static void put_into_buffer(struct out *out, const char *bytes, size_t len)
{
    size_t room = out->size - out->used;
    assert(room < len);
    if (room > 0) {
        memcpy(out->buf + out->used, bytes, room);
    }
    out->used += room;
    out->total += room;
    out->err = LIMPET_ERR_FULL;
}

/* More than fits: first what waits, then the piece, which only waits if it fits then. */
static void put_through(struct out *out, const char *bytes, size_t len)
{
    if (out_finish(out) != LIMPET_OK) {
        return;
    }
    if (len < out->size) {
        memcpy(out->buf, bytes, len);
        out->used = len;
    } else {
        flush_piece(out, bytes, len);
    }
    if (out->err == LIMPET_OK) {
        out->total += len;
    }
}

static void flush_piece(struct out *out, const char *bytes, size_t len)
{
    out->err = out->flush(out->flush_ctx, bytes, len);
    assert(out->err <= LIMPET_OK);
}

void out_text(struct out *out, const char *cstr)
{
    out_bytes(out, cstr, strlen(cstr));
}

void out_put(struct out *out, struct slice s)
{
    out_bytes(out, s.ptr, s.len);
}

void out_char(struct out *out, char c)
{
    out_bytes(out, &c, 1);
}

/* ---- Numbers -------------------------------------------------------------------------------- */

void out_u64(struct out *out, uint64_t v)
{
    char digits[NUM_U64_LEN_MAX];
    out_bytes(out, digits, num_digits(v, digits));
}

void out_i64(struct out *out, int64_t v)
{
    if (v < 0) {
        out_char(out, '-');
    }
    /* Negated as unsigned: -INT64_MIN does not exist. */
    out_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void out_u64_pad(struct out *out, uint64_t v, unsigned digits_min)
{
    char digits[NUM_U64_LEN_MAX];
    size_t count = num_digits(v, digits);
    for (size_t i = count; i < digits_min; i++) {
        out_char(out, '0');
    }
    out_bytes(out, digits, count);
}

void out_hex(struct out *out, uint64_t v, unsigned digits)
{
    char text[16];
    unsigned count = 0;
    do {
        text[sizeof(text) - 1 - count] = "0123456789abcdef"[v & 15u];
        v >>= 4;
        count++;
    } while (v != 0);
    for (unsigned i = count; i < digits; i++) {
        out_char(out, '0');
    }
    out_bytes(out, text + sizeof(text) - count, count);
}

void out_double(struct out *out, double v, int exp_min)
{
    assert(exp_min >= 1 && exp_min <= DOUBLE_EXP_MIN_MAX);
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    uint64_t magnitude = bits & (UINT64_MAX >> 1);
    bool finite = magnitude < UINT64_C(0x7FF) << 52;
    if (finite && bits != magnitude) {
        out_char(out, '-');
    }
    if (!finite || magnitude == 0) {
        out_char(out, '0');
        return;
    }
    memcpy(&v, &magnitude, sizeof(v));
    char text[DOUBLE_LEN_MAX];
    char *digits = text + 1;
    uint64_t whole;
    size_t count;
    int point;
    if (num_whole(v, &whole)) { /* most values */
        count = num_digits(whole, digits);
        if (count <= (size_t)exp_min) {
            out_bytes(out, digits, count);
            return;
        }
        point = (int)count;
        while (digits[count - 1] == '0') {
            count--;
        }
    } else {
        count = (size_t)num_shortest(v, digits, &point);
    }
    bool exponent = point - 1 < -4 || point - 1 >= exp_min;
    out_bytes(out, text,
              exponent ? format_exponent(text, count, point - 1)
                       : format_plain(text, count, point));
}

/* d.ddde+xx, from the digits that stand at text + 1. */
static size_t format_exponent(char *text, size_t count, int exponent)
{
    text[0] = text[1];
    text[1] = '.';
    size_t len = count > 1 ? count + 1 : 1;
    text[len++] = 'e';
    text[len++] = exponent < 0 ? '-' : '+';
    unsigned e = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (e >= 100) {
        text[len++] = (char)('0' + e / 100);
    }
    text[len++] = (char)('0' + e / 10 % 10);
    text[len++] = (char)('0' + e % 10);
    return len;
}

/* 0.000ddd, dd.ddd or ddd000, from the digits that stand at text + 1. */
static size_t format_plain(char *text, size_t count, int point)
{
    if (point <= 0) {
        size_t zeros = (size_t)-point;
        memmove(text + 2 + zeros, text + 1, count);
        memset(text + 2, '0', zeros);
        text[0] = '0';
        text[1] = '.';
        return 2 + zeros + count;
    }
    size_t whole = (size_t)point;
    if (whole >= count) {
        memmove(text, text + 1, count);
        memset(text + count, '0', whole - count);
        return whole;
    }
    for (size_t i = 0; i < whole; i++) {
        text[i] = text[i + 1];
    }
    text[whole] = '.';
    return count + 1;
}

/* Hours and minutes are left out only in front of the first unit that is not 0, as in Go. */
void out_duration_ms(struct out *out, uint64_t ms)
{
    if (ms > 0 && ms < 1000) {
        out_u64(out, ms);
        out_text(out, "ms");
        return;
    }
    uint64_t seconds = ms / 1000;
    unsigned fraction = (unsigned)(ms % 1000);
    if (seconds >= 3600) {
        out_u64(out, seconds / 3600);
        out_char(out, 'h');
    }
    if (seconds >= 60) {
        out_u64(out, seconds / 60 % 60);
        out_char(out, 'm');
    }
    out_u64(out, seconds % 60);
    if (fraction > 0) {
        unsigned digits = fraction % 100 == 0 ? 1 : (fraction % 10 == 0 ? 2 : 3);
        out_char(out, '.');
        out_u64_pad(out, digits == 1 ? fraction / 100 : (digits == 2 ? fraction / 10 : fraction),
                    digits);
    }
    out_char(out, 's');
}

/* ---- JSON strings --------------------------------------------------------------------------- */

/* Of the rune at `at`, which is not plain: its length when it stands for itself all the same. */
static size_t kept_len(const char *at, const char *end, bool html)
{
    int len = (unsigned char)*at < 0x80 ? UTF8_BAD : utf8_len(at, end);
    if (len <= 0) {
        return 0;
    }
    /* U+2028 and U+2029 are E2 80 A8 and E2 80 A9. */
    bool separator = len == 3 && memcmp(at, "\xE2\x80", 2) == 0 && (at[2] | 1) == '\xA9';
    return html && separator ? 0 : (size_t)len;
}

void out_json_escaped(struct out *out, struct slice s, bool html)
{
    if (s.len == 0) {
        return;
    }
    const char *run = s.ptr; /* bytes from here on stand for themselves */
    const char *end = run + s.len;
    const char *at = run;
    for (;;) {
        at = html ? byte_skip(at, end, BYTE_PLAIN_HTML) : byte_skip_plain(at, end);
        if (at == end) {
            break;
        }
        size_t len = kept_len(at, end, html);
        if (len > 0) {
            at += len;
            continue;
        }
        out_bytes(out, run, (size_t)(at - run));
        at += escape_rune(out, at, end);
        run = at;
    }
    out_bytes(out, run, (size_t)(at - run));
}

/* Writes what stands for the bytes at `at`, which cannot stand for themselves; returns their
 * number. */
static size_t escape_rune(struct out *out, const char *at, const char *end)
{
    unsigned char byte = (unsigned char)*at;
    if (byte < 0x80) {
        char text[6];
        out_bytes(out, text, escape_sequence(text, byte));
        return 1;
    }
    if (utf8_len(at, end) == 3) {
        out_text(out, at[2] == '\xA8' ? "\\u2028" : "\\u2029");
        return 3;
    }
    out_text(out, UTF8_REPLACEMENT);
    return 1;
}

static size_t escape_sequence(char text[6], unsigned char byte)
{
    static const char short_forms[] = "\"\"\\\\\nn\rr\tt"; /* byte, its letter */
    text[0] = '\\';
    for (size_t i = 0; i < sizeof(short_forms) - 1; i += 2) {
        if ((unsigned char)short_forms[i] == byte) {
            text[1] = short_forms[i + 1];
            return 2;
        }
    }
    text[1] = 'u';
    text[2] = '0';
    text[3] = '0';
    text[4] = (char)('0' + (byte >> 4));
    text[5] = "0123456789abcdef"[byte & 15u];
    return 6;
}

void out_json_string(struct out *out, struct slice s)
{
    out_char(out, '"');
    out_json_escaped(out, s, false);
    out_char(out, '"');
}
