#include "metrics/histogram.h"

#include "metrics/histogram_profile.h"
#include "metrics/moments.h"

#include <assert.h>

static const double shares[METRICS_PERCENTILES] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

/* Steps through the recorded values from the lowest. */
struct walk {
    const struct histogram_slot *slot;
    enum histogram_unit unit;
    int64_t min;
    int64_t max;
    bool kept;       /* the values themselves are there, sorted */
    unsigned next;   /* the bucket after the current one, counted from the negative one */
    uint32_t passed; /* values up to the end of the current bucket */
    double value;    /* of the current bucket */
};

static inline __attribute__((always_inline)) void
record(struct histogram_pool *pool, struct histogram *h, int64_t value, enum histogram_unit unit);
static inline void add_value(struct histogram *h, histogram_value v);
static void record_edge(struct histogram_pool *pool, struct histogram *h, histogram_value v);
static void keep(struct histogram *h, histogram_value v, enum histogram_unit unit);
static void begin(struct histogram_pool *pool, struct histogram *h);
static void take(struct histogram_pool *pool, struct histogram *h);
static void give_back(struct histogram_pool *pool, struct histogram *h);
static void spill(struct histogram_slot *slot, uint32_t count, enum histogram_unit unit);
static void merge_values(struct histogram *into, const struct histogram *from,
                         enum histogram_unit unit);
static void merge_weights(struct histogram_slot *into, const struct histogram_slot *from);
static void show(const struct histogram_frozen *frozen, enum histogram_unit unit,
                 struct metrics_summary *summary);
static void compute_percentiles(const struct histogram *h, enum histogram_unit unit,
                                double percentile[METRICS_PERCENTILES]);
static double walk_to(struct walk *walk, uint32_t rank);
static void sort(histogram_value *values, size_t count);

/* ---- The pool -------------------------------------------------------------------------------- */

void histogram_pool_init(struct histogram_pool *pool, struct histogram_slot *slots, size_t count)
{
    assert(count <= UINT16_MAX);
    *pool = (struct histogram_pool){.free = NULL};
    for (size_t i = count; i > 0; i--) {
        slots[i - 1].next_free = pool->free;
        pool->free = &slots[i - 1];
    }
}

static void give_back(struct histogram_pool *pool, struct histogram *h)
{
    if (h->slot == NULL) {
        return;
    }
    assert(pool->used > 0);
    h->slot->next_free = pool->free;
    pool->free = h->slot;
    pool->used--;
    h->slot = NULL;
}

/* ---- Recording ------------------------------------------------------------------------------- */

void histogram_record_bytes(struct histogram_pool *pool, struct histogram *h, int64_t bytes)
{
    record(pool, h, bytes, HISTOGRAM_BYTES);
}

void histogram_record_ns(struct histogram_pool *pool, struct histogram *h, int64_t ns)
{
    record(pool, h, ns, HISTOGRAM_NS);
}

/* The steady state stands here alone, with a unit that the compiler knows: what is called on its
 * way does not return to it. (Budget: 80 and 72 instructions on a Cortex-M3 in M1 and M2.) */
static inline void record(struct histogram_pool *pool, struct histogram *h, int64_t value,
                          enum histogram_unit unit)
{
    uint32_t before = h->count;
    histogram_value v = histogram_value_of(value, unit);
    if (before + 1u <= 1u) { /* 0 or 2^32 - 1 */
        record_edge(pool, h, v);
        return;
    }
    add_value(h, v);
    if (h->slot == NULL) {
        return;
    }
    if (before <= HISTOGRAM_KEPT) {
        keep(h, v, unit);
        return;
    }
    histogram_count_up(h->slot, histogram_bucket_of(v, unit), before);
}

static inline void add_value(struct histogram *h, histogram_value v)
{
    h->count++;
    h->min = v < h->min ? v : h->min;
    h->max = v > h->max ? v : h->max;
    histogram_add_moments(h, v);
}

/* The first value of a window, and one too many. */
static void record_edge(struct histogram_pool *pool, struct histogram *h, histogram_value v)
{
    if (h->count != 0) {
        pool->saturated++;
        return;
    }
    begin(pool, h);
    add_value(h, v);
    if (h->slot != NULL) {
        h->slot->kept[0] = v;
    }
}

/* One of the first values, and the one that no longer fits. */
static void keep(struct histogram *h, histogram_value v, enum histogram_unit unit)
{
    if (h->count <= HISTOGRAM_KEPT) {
        h->slot->kept[h->count - 1u] = v;
        return;
    }
    spill(h->slot, HISTOGRAM_KEPT, unit);
    histogram_count_up(h->slot, histogram_bucket_of(v, unit), HISTOGRAM_KEPT);
}

static void begin(struct histogram_pool *pool, struct histogram *h)
{
    struct histogram_slot *slot = h->slot;
    *h = (struct histogram){
        .slot = slot, .min = HISTOGRAM_VALUE_MAX, .max = (histogram_value)~HISTOGRAM_VALUE_MAX};
    if (slot == NULL) {
        take(pool, h);
    }
}

static void take(struct histogram_pool *pool, struct histogram *h)
{
    if (pool->free == NULL) {
        pool->exhausted++;
        return;
    }
    h->slot = pool->free;
    pool->free = h->slot->next_free;
    h->slot->has_percentiles = false;
    pool->used++;
    pool->used_max = pool->used > pool->used_max ? pool->used : pool->used_max;
}

/* The kept values become counts, in the same bytes. */
static void spill(struct histogram_slot *slot, uint32_t count, enum histogram_unit unit)
{
    uint16_t buckets[HISTOGRAM_KEPT];
    for (uint32_t i = 0; i < count; i++) {
        buckets[i] = (uint16_t)histogram_bucket_of(slot->kept[i], unit);
    }
    histogram_clear_counts(slot);
    for (uint32_t i = 0; i < count; i++) {
        histogram_count_up(slot, buckets[i], i);
    }
}

/* ---- Merging --------------------------------------------------------------------------------- */

void histogram_merge(struct histogram_pool *pool, struct histogram *into,
                     const struct histogram *from, enum histogram_unit unit)
{
    if (from->count == 0) {
        return;
    }
    if (from->count > UINT32_MAX - into->count) {
        pool->saturated += from->count;
        return;
    }
    if (into->count == 0) {
        begin(pool, into);
    }
    if (from->slot == NULL) {
        give_back(pool, into);
    }
    if (into->slot != NULL) {
        merge_values(into, from, unit);
    }
    into->count += from->count;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    histogram_merge_moments(into, from);
}

static void merge_values(struct histogram *into, const struct histogram *from,
                         enum histogram_unit unit)
{
    bool from_kept = from->count <= HISTOGRAM_KEPT;
    bool into_kept = into->count <= HISTOGRAM_KEPT;
    bool fits = into_kept && from_kept && into->count + from->count <= HISTOGRAM_KEPT;
    if (into_kept && !fits) {
        spill(into->slot, into->count, unit);
    }
    if (!from_kept) {
        merge_weights(into->slot, from->slot);
        return;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        histogram_value v = from->slot->kept[i];
        if (fits) {
            into->slot->kept[into->count + i] = v;
        } else {
            histogram_count_up(into->slot, histogram_bucket_of(v, unit), into->count + i);
        }
    }
}

static void merge_weights(struct histogram_slot *into, const struct histogram_slot *from)
{
    for (unsigned i = 0; i <= HISTOGRAM_NEGATIVE; i++) {
        uint32_t weight = histogram_weight_of(from, i);
        if (weight > 0) {
            histogram_weight_add(into, i, weight);
        }
    }
}

/* ---- Closing and showing --------------------------------------------------------------------- */

void histogram_close(struct histogram_pool *pool, struct histogram *h,
                     struct histogram_frozen *frozen, enum histogram_unit unit)
{
    if (h->count == 0) {
        *frozen = (struct histogram_frozen){.count = 0};
        give_back(pool, h);
        return;
    }
    histogram_freeze_moments(h, frozen);
    if (h->slot != NULL) {
        double percentile[METRICS_PERCENTILES];
        compute_percentiles(h, unit, percentile);
        for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
            h->slot->percentile[i] = (histogram_percentile)percentile[i];
        }
        h->slot->has_percentiles = true;
    }
    h->count = 0;
}

void histogram_summarize(const struct histogram *h, enum histogram_unit unit,
                         struct metrics_summary *summary)
{
    *summary = (struct metrics_summary){.count = 0};
    if (h->count == 0) {
        return;
    }
    struct histogram_frozen frozen;
    histogram_freeze_moments(h, &frozen);
    show(&frozen, unit, summary);
    if (h->slot != NULL) {
        summary->have_percentiles = true;
        compute_percentiles(h, unit, summary->percentile);
    }
}

void histogram_summarize_frozen(const struct histogram *h, const struct histogram_frozen *frozen,
                                enum histogram_unit unit, struct metrics_summary *summary)
{
    *summary = (struct metrics_summary){.count = 0};
    if (frozen->count == 0) {
        return;
    }
    show(frozen, unit, summary);
    if (h->slot != NULL && h->slot->has_percentiles) {
        summary->have_percentiles = true;
        for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
            summary->percentile[i] = (double)h->slot->percentile[i];
        }
    }
}

/* With the maximum for each percentile. */
static void show(const struct histogram_frozen *frozen, enum histogram_unit unit,
                 struct metrics_summary *summary)
{
    histogram_show_moments(frozen, unit, summary);
    summary->std_dev = moments_sqrt(summary->variance);
    for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
        summary->percentile[i] = (double)summary->max;
    }
}

/* ---- Percentiles ----------------------------------------------------------------------------- */

/* The reference's rank formula (go-metrics, SamplePercentiles): position p (n + 1), counted from 1;
 * below the first and from the last on the extremes, else linear between its two neighbours. */
static void compute_percentiles(const struct histogram *h, enum histogram_unit unit,
                                double percentile[METRICS_PERCENTILES])
{
    struct walk walk = {
        .slot = h->slot,
        .unit = unit,
        .min = histogram_shown(h->min, unit),
        .max = histogram_shown(h->max, unit),
        .kept = h->count <= HISTOGRAM_KEPT,
    };
    if (walk.kept) {
        sort(h->slot->kept, h->count);
    }
    for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
        double position = shares[i] * ((double)h->count + 1.0);
        if (position < 1.0) {
            percentile[i] = walk_to(&walk, 1);
        } else if (position >= (double)h->count) {
            percentile[i] = walk_to(&walk, h->count);
        } else {
            uint32_t rank = (uint32_t)position;
            double lower = walk_to(&walk, rank);
            double step = walk_to(&walk, rank + 1u) - lower;
            double part = (position - (double)rank) * step;
            percentile[i] = lower + part;
        }
    }
}

/* The value of this rank, 1 .. count. Ranks must not fall, but by one within the same bucket. */
static double walk_to(struct walk *walk, uint32_t rank)
{
    if (walk->kept) {
        return (double)histogram_shown(walk->slot->kept[rank - 1u], walk->unit);
    }
    while (walk->passed < rank && walk->next <= HISTOGRAM_ORDERED) {
        unsigned bucket = walk->next == 0 ? HISTOGRAM_NEGATIVE : walk->next - 1u;
        uint32_t count = histogram_weight_of(walk->slot, bucket);
        walk->next++;
        walk->passed += count;
        if (count > 0) {
            walk->value = histogram_bucket_value(bucket, walk->unit, walk->min, walk->max);
        }
    }
    return walk->value;
}

/* Shell's method with Ciura's gaps: in place, without recursion, below 30,000 steps for 1028
 * values. */
static void sort(histogram_value *values, size_t count)
{
    static const uint16_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        size_t gap = gaps[g];
        for (size_t i = gap; i < count; i++) {
            histogram_value v = values[i];
            size_t at = i;
            for (; at >= gap && values[at - gap] > v; at -= gap) {
                values[at] = values[at - gap];
            }
            values[at] = v;
        }
    }
}
