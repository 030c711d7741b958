/* A distribution of integers: exact count, minimum, maximum, mean and variance, and percentiles of
 * bounded error, in memory of fixed size. Recording takes constant time without division, floating
 * point or allocation.
 *
 * The first values of a window are kept as they are, so that few values give exact percentiles; one
 * value more turns them into counts of logarithmic buckets in the same bytes. The profile is chosen
 * by LIMPET_HISTOGRAM_PROFILE:
 *
 *            values kept   buckets an octave   percentiles above that        bytes of buckets
 *   L        1028          64                  0.79 % (0 .. 2^37)            8224
 *   M1        108          8, quadratic        4.83 % (8 B .. 512 MB,        448
 *                                                      1.024 us .. 68.7 s)
 *   M2        216          16                  3.03 % (16 B .. 1 GB,         884
 *                                                      1.024 us .. 68.7 s)
 *
 * L keeps nanoseconds and bytes; up to 1028 values it gives the numbers of the reference, whose
 * sample has 1028 places. M1 and M2 count times in units of 16 ns, rounded down, so that 32 bits
 * hold 68.7 s; below the range of their bound they are off by at most 128 ns or by nothing at all
 * (bytes).
 *
 * Outside of the ranges nothing wraps. L: minimum and maximum are exact for every int64; the sums
 * take values beyond +-2^47 (39 h in ns) as that bound; once more than 1028 values came,
 * percentiles beyond 2^37 (137 s, 137 GB) are the maximum, and those below 0 the minimum. M1 and
 * M2: times above 68.7 s and sizes above 4 GB are taken as that, negative values as -1 unit;
 * percentiles of sizes beyond their range are its end, or the minimum where that is larger.
 *
 * M1 and M2 count in 16 bits, four buckets in 24. Where that is not enough, all counts are
 * halved and from then on one value in two is counted: no rank moves by more than a few values,
 * minimum, maximum, mean and variance not at all. Any 327,679 values fit without. Of a closed
 * window they keep the sum with 26 bits and the variance with 24 (3e-8, 6e-8).
 *
 * Buckets come from a pool. Where it is empty a histogram still has everything but percentiles. */
#ifndef LIMPET_METRICS_HISTOGRAM_H
#define LIMPET_METRICS_HISTOGRAM_H

#include "app_config.h"
#include "base/err.h"
#include "metrics/summary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is recorded; the value is the shift to the unit in which M1 and M2 keep it. */
enum histogram_unit { HISTOGRAM_BYTES = 0, HISTOGRAM_NS = 4 };

struct histogram_slot; /* bucket memory of one histogram */

/* For static placement; do not touch the fields. Read used, used_max, exhausted and saturated. */
struct histogram_pool {
    struct histogram_slot *free;
    uint16_t used;
    uint16_t used_max;
    uint64_t exhausted; /* windows of a series that found no slot */
    uint64_t saturated; /* records that a full histogram did not take: 2^32 - 1 in a window */
};

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L
#include "metrics/histogram_large.h"
#else
#include "metrics/histogram_small.h"
#endif

/* `slots` is the memory of the pool; count <= 65535. */
void histogram_pool_init(struct histogram_pool *pool, struct histogram_slot *slots, size_t count);

/* A histogram and the frozen summary of a closed window are zero-initialised. A histogram has
 * the same unit in all calls. */

/* Takes a slot at the first value of a window, when the histogram has none from the window before.
 */
void histogram_record_bytes(struct histogram_pool *pool, struct histogram *h, int64_t bytes);
void histogram_record_ns(struct histogram_pool *pool, struct histogram *h, int64_t ns);

/* Adds all that was recorded to `from` since its window began to `into`. A sum of more than 2^32 -
 * 1 values saturates, as recording does; where one side has no buckets, the result has none. */
void histogram_merge(struct histogram_pool *pool, struct histogram *into,
                     const struct histogram *from, enum histogram_unit unit);

/* Ends the window: what was recorded is frozen, and the next window begins empty. Frozen
 * percentiles lie in the slot, so a histogram keeps it until a window without records. */
void histogram_close(struct histogram_pool *pool, struct histogram *h,
                     struct histogram_frozen *frozen, enum histogram_unit unit);

/* The running window. Sorts the kept values in place, nothing else. */
void histogram_summarize(const struct histogram *h, enum histogram_unit unit,
                         struct metrics_summary *summary);
/* The closed one. */
void histogram_summarize_frozen(const struct histogram *h, const struct histogram_frozen *frozen,
                                enum histogram_unit unit, struct metrics_summary *summary);

/* The sum of all values since the start, over the windows; zero-initialised. Adds those of the
 * running one. */
void histogram_total_add(histogram_total *total, const struct histogram *h);
/* In bytes or ns. count: of the values in it. */
double histogram_total_sum(const histogram_total *total, uint64_t count, enum histogram_unit unit);

static inline bool histogram_frozen_is_empty(const struct histogram_frozen *frozen)
{
    return frozen->count == 0;
}

#endif
