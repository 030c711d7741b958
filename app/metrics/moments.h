/* Mean and variance of integers from exact integer sums, without a 128-bit type of the compiler.
 *
 * A sum lives in two 64-bit words. With at most 2^32 - 1 values below 2^47 no sum ever overflows:
 * the sum of squares stays below 2^126. */
#ifndef LIMPET_METRICS_MOMENTS_H
#define LIMPET_METRICS_MOMENTS_H

#include <stdint.h>

/* hi x 2^64 + lo; a negative number is its two's complement. */
struct wide {
    uint64_t lo;
    uint64_t hi;
};

static inline void wide_add(struct wide *w, uint64_t hi, uint64_t lo)
{
    w->lo += lo;
    w->hi += hi + (w->lo < lo);
}

/* Adds a signed number. */
static inline void wide_add_signed(struct wide *w, int64_t v)
{
    wide_add(w, 0 - (uint64_t)(v < 0), (uint64_t)v);
}

/* Adds the square of a number up to 2^47: (a x 2^32 + b)^2 in three products, none above 64 bits.
 */
static inline void wide_add_square(struct wide *w, uint64_t v)
{
    uint64_t a = v >> 32;
    uint64_t b = v & UINT32_MAX;
    uint64_t middle = (a * b) << 1;
    wide_add(w, a * a, b * b);
    wide_add(w, middle >> 32, middle << 32);
}

/* The number as a double, of its sign. */
double wide_to_double(const struct wide *w);

/* sum / count as the reference computes it: exact integer sum, one conversion, one division. count
 * > 0. */
double moments_mean(const struct wide *sum, uint32_t count);

/* Population variance. Exact in integers up to the last division, so data with a mean far from 0
 * lose nothing. Relative error below 1e-15. count > 0. */
double moments_variance(const struct wide *sum, const struct wide *squares, uint32_t count);

/* Square root, relative error below 1e-15; 0 for v <= 0. */
double moments_sqrt(double v);

#endif
