/* States of a histogram for the drivers of this folder: anything that the fields can hold, whether
 * or not some sequence of records leads to it. The code under test is part of it. */
#ifndef LIMPET_TESTS_EVA_STATES_H
#define LIMPET_TESTS_EVA_STATES_H

#include "eva.h"

#include "metrics/histogram.h"
#include "metrics/histogram_profile.h"

/* Proven by eva_bucket.c; in the other drivers they take the functions' place. */
/*@ assigns \result \from v, unit;
    ensures \result <= HISTOGRAM_NEGATIVE; */
static inline unsigned histogram_bucket_of(histogram_value v, enum histogram_unit unit);
/*@ assigns \result \from bucket, unit, min, max;
    ensures \is_finite(\result) && -1e19 <= \result <= 1e19; */
double histogram_bucket_value(unsigned bucket, enum histogram_unit unit, int64_t min, int64_t max);

#if LIMPET_HISTOGRAM_PROFILE != LIMPET_HISTOGRAM_L
/* Shown to hold by eva_halving.c; in eva_merge.c it takes the function's place. */
/*@ assigns slot->counts[0 .. HISTOGRAM_REGULAR - 1], slot->negatives, slot->halvings,
        slot->carries, slot->carry_high[0 .. HISTOGRAM_CARRIES - 1],
        slot->carry_bucket[0 .. HISTOGRAM_CARRIES - 1] \from *slot, bucket, weight;
    ensures slot->halvings <= 17 && slot->carries <= HISTOGRAM_CARRIES; */
void histogram_weight_add(struct histogram_slot *slot, unsigned bucket, uint32_t weight);
#endif

#include "metrics/histogram.c"
#include "metrics/histogram_large.c"
#include "metrics/histogram_small.c"
#include "metrics/moments.c"

static struct histogram_slot slots[2];
static struct histogram_pool pool;

static void fill_pool(void)
{
    histogram_pool_init(&pool, slots, 2);
    pool.used_max = (uint16_t)any_u32(0, UINT16_MAX);
    pool.exhausted = any_u64();
    pool.saturated = any_u64();
}

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L
static histogram_value any_value(void)
{
    return any_i64();
}

static void any_sums(struct histogram *h)
{
    h->sum = (struct wide){any_u64(), any_u64()};
    h->squares = (struct wide){any_u64(), any_u64()};
}

static void any_counts(struct histogram_slot *slot)
{
    (void)slot; /* the kept values are its counts */
}
#else
static histogram_value any_value(void)
{
    return any_u32(0, UINT32_MAX);
}

static void any_sums(struct histogram *h)
{
    for (unsigned i = 0; i < 3; i++) {
        h->squares[i] = any_u32(0, UINT32_MAX);
    }
    h->sum[0] = any_u32(0, UINT32_MAX);
    h->sum[1] = any_u32(0, UINT32_MAX);
}

static void any_counts(struct histogram_slot *slot)
{
    slot->negatives = (uint16_t)any_u32(0, UINT16_MAX);
    slot->halvings = (uint8_t)any_u32(0, 7);
    slot->carries = any_u32(0, HISTOGRAM_CARRIES - 1) & 127u;
    for (unsigned i = 0; i < HISTOGRAM_CARRIES; i++) {
        slot->carry_high[i] = (uint8_t)any_u32(0, 254);
        slot->carry_bucket[i] = (histogram_bucket)any_u32(0, HISTOGRAM_NEGATIVE);
    }
}
#endif

/* Any bits as kept values or counts, and any state of the counts. */
static struct histogram_slot *any_slot(void)
{
    struct histogram h = {.slot = NULL};
    take(&pool, &h);
    for (unsigned i = 0; i < HISTOGRAM_KEPT; i++) {
        h.slot->kept[i] = any_value();
    }
    for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
        h.slot->percentile[i] = Frama_C_float_interval(-1.0f, 1e20f);
    }
    h.slot->has_percentiles = any_bool();
    any_counts(h.slot);
    return h.slot;
}

static struct histogram any_histogram(bool with_slot, uint32_t count_min, uint32_t count_max)
{
    struct histogram h = {
        .slot = with_slot ? any_slot() : NULL,
        .count = any_u32(count_min, count_max),
        .min = any_value(),
        .max = any_value(),
    };
    any_sums(&h);
    return h;
}

#endif
