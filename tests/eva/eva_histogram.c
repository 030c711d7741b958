/* Recording into a histogram from every state that its fields can hold within these bounds, whether
 * or not some sequence of records leads to it:
 *
 *   value    any int64, both units
 *   count    0, 1 .. KEPT-1, KEPT, KEPT+1 .. 2^32-2, 2^32-1; the values that are kept: any
 *   sums     any bits; minimum and maximum: any
 *   slot     none, or one of a pool of 2 with 0, 1 or 2 in use
 *   buckets  any counts; M1 and M2: halved 0 to 7 times, 0 to 3 carries, each below 255 x 2^16
 *            (from there a record more can lead to a halving, which is not shown here) */
#include "eva.h"

#include "metrics/histogram.h"
/* Proven by eva_bucket.c; here it takes the function's place. */
/*@ assigns \result \from v, unit;
    ensures \result <= HISTOGRAM_NEGATIVE; */
static inline unsigned histogram_bucket_of(histogram_value v, enum histogram_unit unit);

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

static void record_one(bool with_slot, uint32_t count_min, uint32_t count_max)
{
    fill_pool();
    struct histogram h = any_histogram(with_slot, count_min, count_max);
    if (any_bool()) {
        histogram_record_bytes(&pool, &h, any_i64());
    } else {
        histogram_record_ns(&pool, &h, any_i64());
    }
}

static void recording(void)
{
    record_one(false, 0, 0);
    record_one(false, 1, UINT32_MAX);
    record_one(true, 0, 0);
    record_one(true, 1, HISTOGRAM_KEPT - 1u);
    record_one(true, HISTOGRAM_KEPT, HISTOGRAM_KEPT);
    record_one(true, HISTOGRAM_KEPT + 1u, UINT32_MAX - 1u);
    record_one(true, UINT32_MAX, UINT32_MAX);
    fill_pool(); /* both slots are taken */
    (void)any_slot();
    (void)any_slot();
    struct histogram h = {.slot = NULL};
    histogram_record_ns(&pool, &h, any_i64());
}

int main(void)
{
    recording();
    return 0;
}
