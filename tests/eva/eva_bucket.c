/* The bucket of every value lies in the table: every unit, each value that a histogram keeps, taken
 * in sixteenths of octaves, the last in 32 parts (M1's buckets follow a curve that ends close to
 * the next bucket). And what stands for the values of each bucket is a number below 1e19, whatever
 * minimum and maximum are. These are the contracts that take the functions' place in the other
 * drivers (states.h). */
#include "eva.h"

#include "metrics/histogram_large.c"
#include "metrics/histogram_small.c"
#include "metrics/moments.c"

#include <assert.h>

static void check_values(int64_t low, int64_t high)
{
    histogram_value v = (histogram_value)Frama_C_long_long_interval(low, high);
    assert(histogram_bucket_of(v, HISTOGRAM_BYTES) <= HISTOGRAM_NEGATIVE);
    assert(histogram_bucket_of(v, HISTOGRAM_NS) <= HISTOGRAM_NEGATIVE);
}

/* The octave that begins at 2^e; M1 and M2 keep one more than the number of units. */
static void check_octave(unsigned e)
{
    int64_t coarse = e > 9 ? (int64_t)1 << (e - 4) : 1;
    int64_t fine = e > 9 ? (int64_t)1 << (e - 9) : 1;
    int64_t at = ((int64_t)1 << e) + (sizeof(histogram_value) == 4u);
    int64_t last = at + (((int64_t)1 << e) - 1);
    last = last < (int64_t)HISTOGRAM_VALUE_MAX ? last : (int64_t)HISTOGRAM_VALUE_MAX;
    /*@ loop unroll 520; */
    while (true) {
        int64_t len = last - at >= 2 * coarse - 1 ? coarse : fine;
        if (last - at < len) {
            check_values(at, last);
            return;
        }
        check_values(at, at + (len - 1));
        at += len;
    }
}

static void check_bucket(unsigned bucket, enum histogram_unit unit)
{
    double value = histogram_bucket_value(bucket, unit, any_i64(), any_i64());
    assert(value >= -1e19 && value <= 1e19);
}

int main(void)
{
    /*@ loop unroll 2100; */
    for (unsigned bucket = 0; bucket <= HISTOGRAM_NEGATIVE; bucket++) {
        check_bucket(bucket, HISTOGRAM_BYTES);
        check_bucket(bucket, HISTOGRAM_NS);
    }
    check_values(0, 0);
    check_values(1, 1);
    /*@ loop unroll 64; */
    for (unsigned e = 0; e < (sizeof(histogram_value) == 8u ? 63u : 32u); e++) {
        check_octave(e);
    }
    if (sizeof(histogram_value) == 8u) {
        check_values(INT64_MIN, -1);
    }
    return 0;
}
