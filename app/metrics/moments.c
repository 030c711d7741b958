#include "metrics/moments.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static struct wide magnitude(const struct wide *w);
static uint64_t divide_to_nearest(const struct wide *w, uint32_t divisor, double *rest);
static struct wide product(uint64_t a, uint64_t b);
static struct wide product_wide(const struct wide *a, uint64_t b);
static struct wide difference(const struct wide *a, const struct wide *b);
static double to_double(const struct wide *w);

static bool is_negative(const struct wide *w)
{
    return (w->hi >> 63) != 0;
}

double wide_to_double(const struct wide *w)
{
    struct wide size = magnitude(w);
    double number = to_double(&size);
    return is_negative(w) ? -number : number;
}

double moments_mean(const struct wide *sum, uint32_t count)
{
    assert(count > 0);
    struct wide size = magnitude(sum);
    double mean;
    if (size.hi == 0) {
        mean = (double)size.lo / (double)count;
    } else {
        double rest;
        uint64_t whole = divide_to_nearest(&size, count, &rest);
        mean = (double)whole + rest;
    }
    return is_negative(sum) ? -mean : mean;
}

/* Around q, the integer next to the mean, the squares are small: sum of (v - q)^2 =
 * squares - 2 q sum + n q^2, exact mod 2^128 and never negative. What q is off the mean, at most
 * 1/2, is taken off at the end. The sign of the values does not matter. */
double moments_variance(const struct wide *sum, const struct wide *squares, uint32_t count)
{
    assert(count > 0);
    if (count == 1) {
        return 0;
    }
    struct wide size = magnitude(sum);
    double rest;
    uint64_t q = divide_to_nearest(&size, count, &rest);
    struct wide twice = product_wide(&size, 2 * q);
    struct wide q_squared = product(q, q);
    struct wide constant = product_wide(&q_squared, count);
    struct wide around = difference(squares, &twice);
    wide_add(&around, constant.hi, constant.lo);
    double variance = to_double(&around) / (double)count - rest * rest;
    return variance > 0 ? variance : 0;
}

/* Newton's method. Halving the exponent gives a start within 4 %, four steps give 4 % -> 8e-4 ->
 * 3e-7
 * -> 5e-14 -> below the last bit. No libm on boards. */
double moments_sqrt(double v)
{
    if (!(v > 0)) {
        return 0;
    }
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    bits = (bits >> 1) + (UINT64_C(0x3FF) << 51);
    double root;
    memcpy(&root, &bits, sizeof(root));
    for (int i = 0; i < 5; i++) {
        root = 0.5 * (root + v / root);
    }
    return root;
}

/* ---- 128 bits -------------------------------------------------------------------------------- */

static struct wide magnitude(const struct wide *w)
{
    struct wide size = *w;
    if (is_negative(w)) {
        size.lo = ~w->lo;
        size.hi = ~w->hi;
        wide_add(&size, 0, 1);
    }
    return size;
}

/* Long division in digits of 32 bits. `rest` gets what the quotient lacks, -1/2 .. 1/2. */
static uint64_t divide_to_nearest(const struct wide *w, uint32_t divisor, double *rest)
{
    const uint32_t digits[4] = {(uint32_t)(w->hi >> 32), (uint32_t)w->hi, (uint32_t)(w->lo >> 32),
                                (uint32_t)w->lo};
    uint64_t quotient = 0;
    uint64_t left = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t part = left << 32 | digits[i];
        quotient = quotient << 32 | part / divisor;
        left = part % divisor;
    }
    double part = (double)left;
    if (left > divisor / 2) {
        quotient++;
        part -= (double)divisor;
    }
    *rest = part / (double)divisor;
    return quotient;
}

static struct wide product(uint64_t a, uint64_t b)
{
    uint64_t a_hi = a >> 32;
    uint64_t a_lo = a & UINT32_MAX;
    uint64_t b_hi = b >> 32;
    uint64_t b_lo = b & UINT32_MAX;
    uint64_t cross = a_hi * b_lo + (a_lo * b_lo >> 32);
    uint64_t cross_low = a_lo * b_hi + (cross & UINT32_MAX);
    return (struct wide){
        .lo = a * b,
        .hi = a_hi * b_hi + (cross >> 32) + (cross_low >> 32),
    };
}

/* mod 2^128 */
static struct wide product_wide(const struct wide *a, uint64_t b)
{
    struct wide result = product(a->lo, b);
    result.hi += a->hi * b;
    return result;
}

static struct wide difference(const struct wide *a, const struct wide *b)
{
    return (struct wide){.lo = a->lo - b->lo, .hi = a->hi - b->hi - (a->lo < b->lo)};
}

static double to_double(const struct wide *w)
{
    return (double)w->hi * 18446744073709551616.0 + (double)w->lo;
}
