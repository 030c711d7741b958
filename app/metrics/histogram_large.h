/* Profile L of the histogram: its memory, and what recording does to it. Included by histogram.h
 * only. */
#ifndef LIMPET_METRICS_HISTOGRAM_LARGE_H
#define LIMPET_METRICS_HISTOGRAM_LARGE_H

#include "metrics/moments.h"

/* The reference's sample (krakend-metrics: NewUniformSample(1028)). */
#define HISTOGRAM_KEPT 1028u
#define HISTOGRAM_VALUE_MAX INT64_MAX

/* 64 buckets an octave: values below 128 have one each, 2047 ends at 2^37 - 1. */
#define HISTOGRAM_REGULAR 2048u
#define HISTOGRAM_OVERFLOW HISTOGRAM_REGULAR /* 2^37 and above */
#define HISTOGRAM_ORDERED                                                                          \
    (HISTOGRAM_REGULAR + 1u) /* buckets from 0 on, in the order of their values */
#define HISTOGRAM_NEGATIVE (HISTOGRAM_REGULAR + 1u) /* below 0 */

/* Values beyond it are added to the sums as this bound: see moments.h. */
#define HISTOGRAM_SUM_BOUND ((int64_t)1 << 47)

typedef int64_t histogram_value; /* as kept and as recorded */
typedef double histogram_percentile;

struct histogram_slot {
    union {
        histogram_value kept[HISTOGRAM_KEPT];
        uint32_t counts[2 * HISTOGRAM_KEPT];
        struct histogram_slot *next_free;
    };
    histogram_percentile percentile[METRICS_PERCENTILES]; /* of the frozen summary */
    bool has_percentiles;
};

struct histogram {
    struct histogram_slot *slot;
    uint32_t count;
    histogram_value min;
    histogram_value max;
    struct wide sum;
    struct wide squares;
};

/* A sum since the start: 2^64 windows do not overflow it. */
typedef struct wide histogram_total;

struct histogram_frozen {
    uint32_t count;
    histogram_value min;
    histogram_value max;
    double mean;
    double variance;
};

static inline histogram_value histogram_value_of(int64_t value, enum histogram_unit unit)
{
    (void)unit;
    return value;
}

static inline void histogram_add_moments(struct histogram *h, histogram_value v)
{
    if (v > HISTOGRAM_SUM_BOUND) {
        v = HISTOGRAM_SUM_BOUND;
    } else if (v < -HISTOGRAM_SUM_BOUND) {
        v = -HISTOGRAM_SUM_BOUND;
    }
    wide_add_signed(&h->sum, v);
    wide_add_square(&h->squares, (uint64_t)(v < 0 ? -v : v));
}

static inline unsigned histogram_bucket_of(histogram_value v, enum histogram_unit unit)
{
    (void)unit; /* the same buckets for all */
    if (v >= (int64_t)1 << 37) {
        return HISTOGRAM_OVERFLOW;
    }
    if (v < 0) {
        return HISTOGRAM_NEGATIVE;
    }
    unsigned shift = 63u - 6u - (unsigned)__builtin_clzll((uint64_t)v | 64u);
    return (shift << 6) + (unsigned)((uint64_t)v >> shift);
}

/* 32 bits never run over, since the histogram's own count ends first. */
static inline void histogram_count_up(struct histogram_slot *slot, unsigned bucket, uint32_t serial)
{
    (void)serial;
    slot->counts[bucket]++;
}

#endif
