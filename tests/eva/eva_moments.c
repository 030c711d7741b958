/* Moments: any 128 bits as sum and sum of squares, any count from 1 to 2^32 - 1. Square root: any
 * double up to 2^128, negative ones included. Division by 1, 2, 2^32 - 1 and all between. */
#include "eva.h"
#include "metrics/moments.c"

int main(void)
{
    struct wide sum = {.lo = any_u64(), .hi = any_u64()};
    struct wide squares = {.lo = any_u64(), .hi = any_u64()};
    uint32_t count = any_u32(1, UINT32_MAX);
    double mean = moments_mean(&sum, count);
    double variance = moments_variance(&sum, &squares, count);
    double root = moments_sqrt(variance);
    double none = moments_sqrt(-variance);
    wide_add_signed(&sum, any_i64());
    wide_add_square(&squares, any_u64());
    return mean + wide_to_double(&sum) > root + none;
}
