/* Profile L: see histogram.h. */
#include "metrics/histogram_profile.h"

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L

#include <string.h>

static const unsigned octave_bits = 6;

void histogram_clear_counts(struct histogram_slot *slot)
{
    memset(slot->counts, 0, sizeof(slot->counts));
}

uint32_t histogram_weight_of(const struct histogram_slot *slot, unsigned bucket)
{
    return slot->counts[bucket];
}

void histogram_weight_add(struct histogram_slot *slot, unsigned bucket, uint32_t weight)
{
    slot->counts[bucket] += weight;
}

int64_t histogram_shown(histogram_value v, enum histogram_unit unit)
{
    (void)unit;
    return v;
}

/* The middle of the bucket: off by at most half of its width, 1/128 of its lower end. */
double histogram_bucket_value(unsigned bucket, enum histogram_unit unit, int64_t min, int64_t max)
{
    (void)unit;
    if (bucket == HISTOGRAM_NEGATIVE) {
        return (double)min;
    }
    if (bucket == HISTOGRAM_OVERFLOW) {
        return (double)max;
    }
    unsigned shift = bucket < 2u << octave_bits ? 0 : (bucket >> octave_bits) - 1u;
    int64_t low = (int64_t)(bucket - (shift << octave_bits)) << shift;
    int64_t middle = low + (((int64_t)1 << shift) - 1) / 2;
    middle = middle < min ? min : middle;
    return (double)(middle > max ? max : middle);
}

void histogram_merge_moments(struct histogram *into, const struct histogram *from)
{
    wide_add(&into->sum, from->sum.hi, from->sum.lo);
    wide_add(&into->squares, from->squares.hi, from->squares.lo);
}

void histogram_total_add(histogram_total *total, const struct histogram *h)
{
    if (h->count > 0) {
        wide_add(total, h->sum.hi, h->sum.lo);
    }
}

double histogram_total_sum(const histogram_total *total, uint64_t count, enum histogram_unit unit)
{
    (void)count;
    (void)unit;
    return wide_to_double(total);
}

void histogram_freeze_moments(const struct histogram *h, struct histogram_frozen *frozen)
{
    *frozen = (struct histogram_frozen){
        .count = h->count,
        .min = h->min,
        .max = h->max,
        .mean = moments_mean(&h->sum, h->count),
        .variance = moments_variance(&h->sum, &h->squares, h->count),
    };
}

void histogram_show_moments(const struct histogram_frozen *frozen, enum histogram_unit unit,
                            struct metrics_summary *summary)
{
    (void)unit;
    summary->count = frozen->count;
    summary->min = frozen->min;
    summary->max = frozen->max;
    summary->mean = frozen->mean;
    summary->variance = frozen->variance;
}

#endif
