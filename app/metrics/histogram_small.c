/* Profiles M1 and M2: see histogram.h. */
#include "metrics/histogram_profile.h"

#if LIMPET_HISTOGRAM_PROFILE != LIMPET_HISTOGRAM_L

#include "metrics/moments.h"

#include <string.h>

static uint32_t count_of(const struct histogram_slot *slot, unsigned bucket);
static void set_halved(struct histogram_slot *slot, unsigned bucket, uint32_t count);
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
    slot->halvings = 0;
}

uint32_t histogram_weight_of(const struct histogram_slot *slot, unsigned bucket)
{
    return count_of(slot, bucket) << slot->halvings;
}

static uint16_t *low_word(struct histogram_slot *slot, unsigned bucket)
{
    return bucket == HISTOGRAM_NEGATIVE ? &slot->negatives : &slot->counts[bucket];
}

/* The place of the bucket's second word, or of the next free one. */
static unsigned find_carry(const struct histogram_slot *slot, unsigned bucket)
{
    unsigned i = 0;
    while (i < slot->carries && slot->carry_bucket[i] != bucket) {
        i++;
    }
    return i;
}

static uint32_t count_of(const struct histogram_slot *slot, unsigned bucket)
{
    uint32_t low = bucket == HISTOGRAM_NEGATIVE ? slot->negatives : slot->counts[bucket];
    unsigned i = find_carry(slot, bucket);
    return i < slot->carries ? ((uint32_t)slot->carry_high[i] << 16) + low : low;
}

/* False, and nothing changed: it needs a third byte and there is none left, or more. */
static bool set_count(struct histogram_slot *slot, unsigned bucket, uint32_t count)
{
    unsigned i = find_carry(slot, bucket);
    if (count > HISTOGRAM_COUNT_MAX || (count > UINT16_MAX && i == HISTOGRAM_CARRIES)) {
        return false;
    }
    *low_word(slot, bucket) = (uint16_t)count;
    if (count > UINT16_MAX) {
        slot->carry_bucket[i] = (histogram_bucket)bucket;
        slot->carry_high[i] = (uint8_t)(count >> 16);
        slot->carries = (uint8_t)(i == slot->carries ? i + 1u : slot->carries) & 127u;
    }
    return true;
}

/* The remainder goes on to the next bucket: so the sum of all buckets up to any one is half of what
 * it was, rounded down, and no rank moves by more than half a count. */
static void halve(struct histogram_slot *slot)
{
    uint32_t rest = 0;
    for (unsigned i = 0; i <= HISTOGRAM_ORDERED; i++) {
        unsigned bucket = i == 0 ? HISTOGRAM_NEGATIVE : i - 1u;
        uint32_t count = count_of(slot, bucket) + rest;
        set_halved(slot, bucket, count >> 1);
        rest = count & 1u;
    }
    slot->halvings++;
}

/* A bucket without a third byte needs none now; one that no longer needs it gives it back. */
static void set_halved(struct histogram_slot *slot, unsigned bucket, uint32_t count)
{
    unsigned i = find_carry(slot, bucket);
    *low_word(slot, bucket) = (uint16_t)count;
    if (i >= slot->carries) {
        return;
    }
    slot->carry_high[i] = (uint8_t)(count >> 16);
    if (slot->carry_high[i] == 0) {
        slot->carries = (slot->carries - 1u) & 127u;
        slot->carry_bucket[i] = slot->carry_bucket[slot->carries];
        slot->carry_high[i] = slot->carry_high[slot->carries];
    }
}

void histogram_carry_up(struct histogram_slot *slot, unsigned bucket)
{
    *low_word(slot, bucket) = UINT16_MAX;
    histogram_weight_add(slot, bucket, 1u << slot->halvings);
}

void histogram_weight_add(struct histogram_slot *slot, unsigned bucket, uint32_t weight)
{
    while (!set_count(slot, bucket, count_of(slot, bucket) + (weight >> slot->halvings))) {
        halve(slot);
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

int64_t histogram_shown(histogram_value v, enum histogram_unit unit)
{
    int64_t one = (int64_t)1 << unit;
    return ((int64_t)v - 1) * one;
}

/* 2 low high / (low + high) errs by the same share at both ends of the bucket, which makes the
 * largest error the smallest possible one. The last bucket of sizes has no upper end: what lies
 * beyond its range is shown as if it lay inside, or as the minimum. */
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
    if (value > (double)max) {
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

void histogram_total_add(histogram_total *total, const struct histogram *h)
{
    uint64_t sum = h->count > 0 ? sum_of(h->sum) : 0;
    *total = sum <= UINT64_MAX - *total ? *total + sum : UINT64_MAX;
}

/* Each value was kept as one unit more. */
double histogram_total_sum(const histogram_total *total, uint64_t count, enum histogram_unit unit)
{
    double one = (double)(1u << unit);
    return *total < count ? -(double)(count - *total) * one : (double)(*total - count) * one;
}

static uint32_t pack_sum(uint64_t sum)
{
    unsigned more = sum < UINT64_C(1) << 26 ? 0 : 38u - (unsigned)__builtin_clzll(sum);
    return (uint32_t)(sum >> more) << 6 | more;
}

/* What the sum has lost does not lead out of the values: equal ones have their own mean. */
static double shown_mean(const struct histogram_frozen *frozen, enum histogram_unit unit,
                         const struct metrics_summary *summary)
{
    struct wide sum = {.lo = (uint64_t)(frozen->sum >> 6) << (frozen->sum & 63u)};
    double mean = (moments_mean(&sum, frozen->count) - 1.0) * (double)(1u << unit);
    if (mean < (double)summary->min) {
        return (double)summary->min;
    }
    return mean > (double)summary->max ? (double)summary->max : mean;
}

void histogram_freeze_moments(const struct histogram *h, struct histogram_frozen *frozen)
{
    struct wide sum = {.lo = sum_of(h->sum)};
    struct wide squares = {.lo = sum_of(h->squares), .hi = h->squares[2]};
    *frozen = (struct histogram_frozen){
        .count = h->count,
        .min = h->min,
        .max = h->max,
        .sum = pack_sum(sum.lo),
        .variance = (float)moments_variance(&sum, &squares, h->count),
    };
}

void histogram_show_moments(const struct histogram_frozen *frozen, enum histogram_unit unit,
                            struct metrics_summary *summary)
{
    double one = (double)(1u << unit);
    summary->count = frozen->count;
    summary->min = histogram_shown(frozen->min, unit);
    summary->max = histogram_shown(frozen->max, unit);
    summary->mean = shown_mean(frozen, unit, summary);
    summary->variance = (double)frozen->variance * one * one;
}

#endif
