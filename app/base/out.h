/* The one bounded writer: everything that Limpet composes goes through it.
 *
 * Three forms: into a caller's buffer (`out_init`), through a flush callback with a caller's
 * staging buffer (`out_init_flush`), or counting only (`out_init_count`: same code, no buffer).
 * The error is sticky: after the first failure every call does nothing and `out_err` tells the
 * cause, so that composing code needs one check at its end. No printf: formats are functions. */
#ifndef LIMPET_BASE_OUT_H
#define LIMPET_BASE_OUT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* Takes `len` > 0 bytes (all or nothing; more than the staging buffer holds when one piece is
 * larger). Returns LIMPET_OK or the error that becomes sticky. */
typedef int (*out_flush_fn)(void *ctx, const char *bytes, size_t len);

/* For static placement; do not touch the fields. */
struct out {
    char *buf;
    size_t size;    /* bytes of buf */
    size_t used;    /* bytes waiting in buf */
    uint64_t total; /* bytes accepted since init, flushed ones included */
    out_flush_fn flush;
    void *flush_ctx;
    bool counting; /* nothing is kept */
    int err;
};

void out_init(struct out *out, char *buf, size_t size);
/* `buf` may be NULL when `size` is 0: each piece goes to the callback as it comes. */
void out_init_flush(struct out *out, char *buf, size_t size, out_flush_fn flush, void *ctx);
void out_init_count(struct out *out);

/* What stands in the buffer now (valid until the next write). */
struct slice out_slice(const struct out *out);
/* LIMPET_OK, LIMPET_ERR_FULL (buffer used up, no flush; it then holds the first `size` bytes of all
 * that was written) or the flush callback's error. */
int out_err(const struct out *out);
/* Cut back to `used` bytes (from an earlier out_slice().len) and clear the error. Buffer form
 * only. */
void out_rewind(struct out *out, size_t used);
/* Hand what waits to the callback. Nothing to do in the other forms. */
int out_finish(struct out *out);

void out_bytes(struct out *out, const char *bytes, size_t len);
void out_text(struct out *out, const char *cstr);
void out_put(struct out *out, struct slice s);
void out_char(struct out *out, char c);
void out_u64(struct out *out, uint64_t v);
void out_i64(struct out *out, int64_t v);
void out_u64_pad(struct out *out, uint64_t v, unsigned digits_min); /* zero padded */
void out_hex(struct out *out, uint64_t v, unsigned digits);         /* lower case, zero padded */
/* The shortest digits that read back as the same double, as Go's strconv.FormatFloat(v, 'g', -1,
 * 64): exponent form ("1e+06", at least two exponent digits) when the decimal exponent is < -4
 * or >= exp_min (1..21; 6 in /__stats, as Go's %g; 21 in line protocol and Prometheus). NaN and
 * Inf are written as 0. */
void out_double(struct out *out, double v, int exp_min);
/* The inside of a JSON string (no quotes): escapes " \ and control characters, invalid UTF-8
 * becomes U+FFFD. With `html` also & < > U+2028 U+2029 as \u0026 ... (Go's encoder). */
void out_json_escaped(struct out *out, struct slice s, bool html);
void out_json_string(struct out *out, struct slice s); /* quoted, html escapes off */
/* Duration for people, as Go's Duration.String: "0s", "250ms", "1.5s", "1m30s", "1h0m0s". */
void out_duration_ms(struct out *out, uint64_t ms);

#endif
