/* Profiles M1 and M2: see histogram.h. */
#include "metrics/histogram_profile.h"

#if LIMPET_HISTOGRAM_PROFILE != LIMPET_HISTOGRAM_L

#include "metrics/moments.h"

#include <string.h>

static uint16_t *low_word(struct histogram_slot *slot, unsigned bucket);
static uint64_t bucket_low(unsigned bucket, enum histogram_unit unit);
static uint64_t part_low(unsigned part, unsigned e);

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_M1
/* Where the parts of an octave begin, as fractions of 2^15: the least m of each
 * histogram_part_of(). */
static const uint16_t part_begins[8] = {0, 3054, 6381, 9906, 13671, 17731, 22170, 27118};
#endif

/* ---- Counts ---------------------------------------------------------------------------------- */

void histogram_clear_counts(struct histogram_slot *slot)
{
    memset(slot->counts, 0, sizeof(slot->counts));
    slot->negatives = 0;
    slot->carries = 0;
}

static uint16_t *low_word(struct histogram_slot *slot, unsigned bucket)
{
    return bucket == HISTOGRAM_NEGATIVE ? &slot->negatives : &slot->counts[bucket];
}

uint32_t histogram_count_of(const struct histogram_slot *slot, unsigned bucket)
{
    uint32_t count = bucket == HISTOGRAM_NEGATIVE ? slot->negatives : slot->counts[bucket];
    for (unsigned i = 0; i < slot->carries; i++) {
        if (slot->carry[i].bucket == bucket) {
            count += (uint32_t)slot->carry[i].high << 16;
        }
    }
    return count;
}

/* The count of a bucket cannot pass 2^32 - 1: the histogram's own count ends first. */
static bool add_high(struct histogram_slot *slot, unsigned bucket, uint16_t high)
{
    unsigned i = 0;
    while (i < slot->carries && slot->carry[i].bucket != bucket) {
        i++;
    }
    if (i == HISTOGRAM_CARRIES) {
        return false;
    }
    if (i == slot->carries) {
        slot->carry[i].bucket = (uint16_t)bucket;
        slot->carry[i].high = 0;
        slot->carries++;
    }
    slot->carry[i].high = (uint16_t)(slot->carry[i].high + high);
    return true;
}

void histogram_carry_up(struct histogram_pool *pool, struct histogram_slot *slot, unsigned bucket)
{
    if (!add_high(slot, bucket, 1)) {
        *low_word(slot, bucket) = UINT16_MAX;
        pool->saturated++;
    }
}

void histogram_count_add(struct histogram_pool *pool, struct histogram_slot *slot, unsigned bucket,
                         uint32_t count)
{
    uint16_t *low = low_word(slot, bucket);
    uint32_t sum = (count & UINT16_MAX) + *low;
    uint32_t high = (count >> 16) + (sum >> 16);
    *low = (uint16_t)sum;
    if (high > 0 && !add_high(slot, bucket, (uint16_t)high)) {
        *low = UINT16_MAX;
        pool->saturated++;
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

int64_t histogram_shown(histogram_value v, enum histogram_unit unit)
{
    int64_t one = (int64_t)1 << unit;
    return ((int64_t)v - 1) * one;
}

/* 2 low high / (low + high) errs by the same share at both ends of the bucket, which makes the
 * largest error the smallest possible one. The last bucket has no upper end but the maximum. */
double histogram_bucket_value(unsigned bucket, enum histogram_unit unit, int64_t min, int64_t max)
{
    if (bucket == HISTOGRAM_NEGATIVE) {
        return (double)min;
    }
    uint64_t low = bucket_low(bucket, unit) << unit;
    uint64_t high = (bucket_low(bucket + 1u, unit) << unit) - 1u;
    double value = (double)high;
    if (low > 0) {
        value = 2.0 * (double)low / ((double)low + (double)high) * (double)high;
    }
    bool open_end = bucket == HISTOGRAM_REGULAR - 1u && max > (int64_t)high;
    if (open_end || value > (double)max) {
        return (double)max;
    }
    return value < (double)min ? (double)min : value;
}

/* The least number of units that falls into the bucket; that of the one behind the last is its end.
 */
static uint64_t bucket_low(unsigned bucket, enum histogram_unit unit)
{
    unsigned first = histogram_first_exponent(unit);
    unsigned part = bucket & ((1u << HISTOGRAM_OCTAVE_BITS) - 1u);
    unsigned octave = bucket >> HISTOGRAM_OCTAVE_BITS;
    if (octave == 0) {
        return (uint64_t)part << (first - HISTOGRAM_OCTAVE_BITS);
    }
    unsigned e = first + octave - 1u;
    return ((uint64_t)1 << e) + part_low(part, e);
}

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_M1
static uint64_t part_low(unsigned part, unsigned e)
{
    uint64_t begin = part_begins[part];
    return e >= 15u ? begin << (e - 15u) : (begin + ((1u << (15u - e)) - 1u)) >> (15u - e);
}
#else
static uint64_t part_low(unsigned part, unsigned e)
{
    return (uint64_t)part << (e - HISTOGRAM_OCTAVE_BITS);
}
#endif

/* ---- Moments --------------------------------------------------------------------------------- */

static uint64_t sum_of(const uint32_t sum[2])
{
    return (uint64_t)sum[1] << 32 | sum[0];
}

void histogram_merge_moments(struct histogram *into, const struct histogram *from)
{
    uint64_t sum = sum_of(into->sum) + sum_of(from->sum);
    into->sum[0] = (uint32_t)sum;
    into->sum[1] = (uint32_t)(sum >> 32);
    uint64_t square = sum_of(from->squares);
    uint64_t low = sum_of(into->squares) + square;
    into->squares[0] = (uint32_t)low;
    into->squares[1] = (uint32_t)(low >> 32);
    into->squares[2] += from->squares[2] + (low < square);
}

void histogram_freeze_moments(const struct histogram *h, struct histogram_frozen *frozen)
{
    struct wide sum = {.lo = sum_of(h->sum)};
    struct wide squares = {.lo = sum_of(h->squares), .hi = h->squares[2]};
    *frozen = (struct histogram_frozen){
        .count = h->count,
        .min = h->min,
        .max = h->max,
        .sum = {h->sum[0], h->sum[1]},
        .variance = (float)moments_variance(&sum, &squares, h->count),
    };
}

void histogram_show_moments(const struct histogram_frozen *frozen, enum histogram_unit unit,
                            struct metrics_summary *summary)
{
    double one = (double)(1u << unit);
    struct wide sum = {.lo = sum_of(frozen->sum)};
    summary->count = frozen->count;
    summary->min = histogram_shown(frozen->min, unit);
    summary->max = histogram_shown(frozen->max, unit);
    summary->mean = (moments_mean(&sum, frozen->count) - 1.0) * one;
    summary->variance = (double)frozen->variance * one * one;
}

#endif
