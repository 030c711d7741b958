/* Numbers in and out of text, without libc and without locale. */
#ifndef LIMPET_BASE_NUM_H
#define LIMPET_BASE_NUM_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* Digits only, whole slice. LIMPET_ERR_SYNTAX (empty, other bytes), LIMPET_ERR_RANGE (above
 * max). */
LIMPET_WARN_UNUSED
int num_parse_u64(struct slice s, uint64_t max, uint64_t *v);
/* Hex digits only (chunk sizes, percent escapes). Same errors. */
LIMPET_WARN_UNUSED
int num_parse_hex(struct slice s, uint64_t max, uint64_t *v);
/* A number as JSON writes it, without sign: value x 10^exponent, without zeros at the end of value.
 * LIMPET_ERR_SYNTAX; LIMPET_ERR_RANGE: more than 18 digits, or an exponent beyond 999. */
LIMPET_WARN_UNUSED
int num_parse_decimal(struct slice s, uint64_t *value, int *exponent);
/* Go's time.ParseDuration without sign: "1h30m", "1.5s", "250ms", units ns us (u+00B5 s, u+03BC
 * s) ms s m h. "0" is allowed as in Go. LIMPET_ERR_SYNTAX (no unit, unknown unit, empty),
 * LIMPET_ERR_RANGE (> int64). */
LIMPET_WARN_UNUSED
int num_parse_duration_ns(struct slice s, uint64_t *ns);

/* The decimal digits of v without leading zeros ("0" for 0). Returns their number (1..20). */
#define NUM_U64_LEN_MAX 20
size_t num_digits(uint64_t v, char digits[NUM_U64_LEN_MAX]);

/* Is v a whole number, 1 <= v < 2^53? Then its value. */
bool num_whole(double v, uint64_t *whole);

/* The shortest decimal digits that read back as v (v finite, > 0), of several the closest to v:
 * digits without zeros at the end, and the decimal exponent so that v = 0.d1d2d3... x 10^point.
 * Returns the number of digits (1..17). */
#define NUM_SHORTEST_LEN_MAX 17
int num_shortest(double v, char digits[NUM_SHORTEST_LEN_MAX], int *point);

#endif
