/* One histogram, in the profile that it is compiled with: bounds of every bucket, the pool, the
 * change from kept values to buckets, full counters, merging. test_histogram_oracle.py replays long
 * streams. */
#include "check.h"
#include "metrics/histogram.h"
#include "metrics/histogram_profile.h"

#include <stdlib.h>

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L
#define BOUND 0.0079
#define RANGE_NS_FIRST 0
#define RANGE_NS_END (INT64_C(1) << 37)
#define RANGE_BYTES_END (INT64_C(1) << 37)
#define UNIT_NS 1
#elif LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_M1
#define BOUND 0.0483
#define RANGE_NS_FIRST 1024
#define RANGE_NS_END (INT64_C(1) << 36)
#define RANGE_BYTES_END (INT64_C(1) << 29)
#define UNIT_NS 16
#else
#define BOUND 0.03031 /* 1/33 */
#define RANGE_NS_FIRST 1024
#define RANGE_NS_END (INT64_C(1) << 36)
#define RANGE_BYTES_END (INT64_C(1) << 30)
#define UNIT_NS 16
#endif

#define SLOTS 4

struct bench {
    struct histogram_pool pool;
    struct histogram_slot slots[SLOTS];
    struct histogram h;
    struct histogram_frozen frozen;
    struct metrics_summary summary;
};

static struct bench *new_bench(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    histogram_pool_init(&b->pool, b->slots, SLOTS);
    return b;
}

static const struct metrics_summary *running(struct bench *b, enum histogram_unit unit)
{
    histogram_summarize(&b->h, unit, &b->summary);
    return &b->summary;
}

/* ---- Buckets --------------------------------------------------------------------------------- */

/* What a value is shown as, once it is counted in a bucket. */
static double shown(int64_t value, enum histogram_unit unit)
{
    histogram_value v = histogram_value_of(value, unit);
    return histogram_bucket_value(histogram_bucket_of(v, unit), unit, 0, INT64_MAX / 2);
}

static void check_bound(int64_t value, enum histogram_unit unit, double bound)
{
    double error = shown(value, unit) - (double)value;
    error = error < 0 ? -error : error;
    if (!(error <= bound * (double)value)) {
        CHECK(false);
        fprintf(stderr, "    %lld is shown as %.17g\n", (long long)value, shown(value, unit));
    }
}

/* All small values, and both ends of every bucket above. */
static void test_bounds(enum histogram_unit unit, int64_t first, int64_t end)
{
    for (int64_t v = first; v < 100000; v++) {
        check_bound(v, unit, BOUND);
    }
    unsigned last = 0;
    for (int64_t v = 1; v < end;) {
        unsigned bucket = histogram_bucket_of(histogram_value_of(v, unit), unit);
        CHECK(bucket == last || bucket == last + 1);
        last = bucket;
        int64_t low = v;
        int64_t high = end;
        while (low + 1 < high) { /* the last value of this bucket */
            int64_t middle = low + (high - low) / 2;
            unsigned there = histogram_bucket_of(histogram_value_of(middle, unit), unit);
            *(there == bucket ? &low : &high) = middle;
        }
        if (v >= first) {
            check_bound(v, unit, BOUND);
            check_bound(low, unit, BOUND);
        }
        v = low + 1;
    }
    CHECK_EQ_UINT(last,
                  end == RANGE_NS_END || end == RANGE_BYTES_END ? HISTOGRAM_REGULAR - 1 : last);
}

static void test_below_range(void)
{
    for (int64_t v = 0; v < RANGE_NS_FIRST; v++) {
        double error = shown(v, HISTOGRAM_NS) - (double)v;
        CHECK(error <= 128 && error >= -128);
    }
    for (int64_t v = 0; v < 8; v++) {
        CHECK(shown(v, HISTOGRAM_BYTES) == (double)v);
    }
}

/* ---- Few values ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The reference's percentile of sorted values. */
static double reference(const int64_t *sorted, size_t n, double p)
{
    double position = p * ((double)n + 1);
    if (position < 1) {
        return (double)sorted[0];
    }
    if (position >= (double)n) {
        return (double)sorted[n - 1];
    }
    double lower = (double)sorted[(size_t)position - 1];
    double upper = (double)sorted[(size_t)position];
    double step = upper - lower;
    double part = (position - (double)(size_t)position) * step;
    return lower + part;
}

static const double shares[] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

static void test_kept_values(void)
{
    static int64_t values[HISTOGRAM_KEPT];
    uint64_t seed = 1;
    for (size_t n = 1; n <= HISTOGRAM_KEPT; n += n < 40 ? 1 : 61) {
        struct bench *b = new_bench();
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            values[i] = (int64_t)(seed >> 40) * UNIT_NS - (i % 5 == 0 && UNIT_NS == 1 ? 4000 : 0);
            histogram_record_ns(&b->pool, &b->h, values[i]);
        }
        qsort(values, n, sizeof(values[0]), compare);
        const struct metrics_summary *s = running(b, HISTOGRAM_NS);
        CHECK(s->count == n && s->min == values[0] && s->max == values[n - 1]);
        CHECK(s->have_percentiles);
        for (size_t i = 0; i < METRICS_PERCENTILES; i++) {
            CHECK(s->percentile[i] == reference(values, n, shares[i]));
        }
        free(b);
    }
}

/* The same value over and over is that value, kept or counted. */
static void test_constant(int64_t value, enum histogram_unit unit)
{
    struct bench *b = new_bench();
    for (unsigned i = 0; i < HISTOGRAM_KEPT + 3; i++) {
        if (unit == HISTOGRAM_NS) {
            histogram_record_ns(&b->pool, &b->h, value);
        } else {
            histogram_record_bytes(&b->pool, &b->h, value);
        }
        const struct metrics_summary *s = running(b, unit);
        CHECK(s->count == i + 1 && s->min == value && s->max == value);
        CHECK(s->mean == (double)value && s->variance == 0 && s->std_dev == 0);
        for (size_t p = 0; p < METRICS_PERCENTILES; p++) {
            CHECK(s->percentile[p] == (double)value);
        }
    }
    free(b);
}

static void test_extremes(void)
{
    struct bench *b = new_bench();
    static const int64_t values[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1};
    for (unsigned round = 0; round < 2 * HISTOGRAM_KEPT; round++) {
        for (size_t i = 0; i < 6; i++) {
            histogram_record_bytes(&b->pool, &b->h, values[i]);
            histogram_record_ns(&b->pool, &b->h, values[i]);
        }
        const struct metrics_summary *s = running(b, HISTOGRAM_BYTES);
        CHECK(s->count == 12 * (round + 1));
        CHECK(s->min <= -1 && s->max >= UINT32_MAX - 1u);
        CHECK(s->variance > 0 && s->mean >= (double)s->min && s->mean <= (double)s->max);
        for (size_t p = 0; p < METRICS_PERCENTILES; p++) {
            CHECK(s->percentile[p] >= (double)s->min && s->percentile[p] <= (double)s->max);
            CHECK(p == 0 || s->percentile[p] >= s->percentile[p - 1]);
        }
    }
    if (LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L) {
        CHECK(b->summary.min == INT64_MIN && b->summary.max == INT64_MAX);
    }
    free(b);
}

/* ---- The pool -------------------------------------------------------------------------------- */

static void test_pool(void)
{
    struct bench *b = new_bench();
    struct histogram h[SLOTS + 1];
    struct histogram_frozen frozen[SLOTS + 1];
    memset(h, 0, sizeof(h));
    for (unsigned i = 0; i <= SLOTS; i++) {
        CHECK_EQ_UINT(b->pool.used, i < SLOTS ? i : SLOTS);
        histogram_record_bytes(&b->pool, &h[i], 100);
        histogram_record_bytes(&b->pool, &h[i], 300);
        CHECK((h[i].slot != NULL) == (i < SLOTS));
    }
    CHECK_EQ_UINT(b->pool.exhausted, 1);
    for (unsigned i = 0; i <= SLOTS; i++) {
        histogram_close(&b->pool, &h[i], &frozen[i], HISTOGRAM_BYTES);
        histogram_summarize_frozen(&h[i], &frozen[i], HISTOGRAM_BYTES, &b->summary);
        CHECK(b->summary.count == 2 && b->summary.mean == 200 && b->summary.std_dev == 100);
        CHECK(b->summary.have_percentiles == (i < SLOTS));
        CHECK(b->summary.percentile[2] == (i < SLOTS ? 200 : 300));
    }
    CHECK_EQ_UINT(b->pool.used, SLOTS);
    for (unsigned i = 0; i <= SLOTS; i++) {
        histogram_close(&b->pool, &h[i], &frozen[i], HISTOGRAM_BYTES);
        CHECK(histogram_frozen_is_empty(&frozen[i]) && h[i].slot == NULL);
        histogram_summarize_frozen(&h[i], &frozen[i], HISTOGRAM_BYTES, &b->summary);
        CHECK(b->summary.count == 0 && b->summary.max == 0 && !b->summary.have_percentiles);
    }
    CHECK_EQ_UINT(b->pool.used, 0);
    CHECK_EQ_UINT(b->pool.used_max, SLOTS);
    free(b);
}

/* A window that counted in buckets must leave nothing for the next one. */
static void test_windows_do_not_mix(void)
{
    struct bench *b = new_bench();
    for (unsigned window = 0; window < 6; window++) {
        unsigned n = window % 2 == 0 ? 3 * HISTOGRAM_KEPT : HISTOGRAM_KEPT / 2;
        int64_t value = 1600 * (window + 1);
        for (unsigned i = 0; i < n; i++) {
            histogram_record_ns(&b->pool, &b->h, value);
        }
        histogram_record_ns(&b->pool, &b->h, value + 16 * (window + 1));
        histogram_close(&b->pool, &b->h, &b->frozen, HISTOGRAM_NS);
        CHECK(running(b, HISTOGRAM_NS)->count == 0);
        histogram_summarize_frozen(&b->h, &b->frozen, HISTOGRAM_NS, &b->summary);
        CHECK_EQ_UINT(b->summary.count, n + 1);
        CHECK(b->summary.min == value && b->summary.max == value + 16 * (window + 1));
        CHECK(b->summary.percentile[0] >= (double)value);
        CHECK(b->summary.percentile[2] <= (double)b->summary.max);
    }
    free(b);
}

/* ---- Full counters --------------------------------------------------------------------------- */

static void test_many_equal(void)
{
    struct bench *b = new_bench();
    for (unsigned i = 0; i < 400000; i++) {
        histogram_record_bytes(&b->pool, &b->h, 512);
    }
    histogram_record_bytes(&b->pool, &b->h, 100000);
    unsigned bucket =
        histogram_bucket_of(histogram_value_of(512, HISTOGRAM_BYTES), HISTOGRAM_BYTES);
    CHECK_EQ_UINT(histogram_weight_of(b->h.slot, bucket), 400000);
    CHECK_EQ_UINT(b->pool.saturated, 0);
    free(b);
}

/* Many buckets above 65535: M1 and M2 have second words for four, then they halve. Ranks stay. */
static void test_many_full_buckets(unsigned buckets, unsigned rounds)
{
    struct bench *b = new_bench();
    for (unsigned i = 0; i < buckets * rounds; i++) {
        histogram_record_bytes(&b->pool, &b->h, INT64_C(1) << (i % buckets));
        if (i % 16384 == 0) {
            histogram_record_bytes(&b->pool, &b->h, -1);
        }
    }
    const struct metrics_summary *s = running(b, HISTOGRAM_BYTES);
    CHECK(s->count >= buckets * rounds && s->min == -1 && s->max == INT64_C(1) << (buckets - 1));
    CHECK_EQ_UINT(b->pool.saturated, 0);
    for (size_t i = 0; i < METRICS_PERCENTILES; i++) {
        double want = (double)(INT64_C(1) << (unsigned)(shares[i] * buckets));
        CHECK(s->percentile[i] >= want * (1 - BOUND) && s->percentile[i] <= want * (1 + BOUND));
    }
    uint64_t weight = 0;
    for (unsigned i = 0; i <= HISTOGRAM_NEGATIVE; i++) {
        uint32_t share = histogram_weight_of(b->h.slot, i);
        weight += share;
        CHECK(share < 5000 || (share > rounds - rounds / 50 && share < rounds + rounds / 50));
    }
    CHECK(weight > s->count - s->count / 1000 && weight < s->count + s->count / 1000);
    free(b);
}

static void test_full_count(void)
{
    struct bench *b = new_bench();
    histogram_record_bytes(&b->pool, &b->h, 5);
    b->h.count = UINT32_MAX - 1;
    histogram_record_bytes(&b->pool, &b->h, 6);
    histogram_record_bytes(&b->pool, &b->h, 7000);
    CHECK_EQ_UINT(b->h.count, UINT32_MAX);
    CHECK_EQ_UINT(b->pool.saturated, 1);
    CHECK(histogram_shown(b->h.max, HISTOGRAM_BYTES) == 6);
    free(b);
}

/* ---- Merging --------------------------------------------------------------------------------- */

/* n values, the same ones for the same start. */
static void record_some(struct bench *b, struct histogram *h, unsigned start, unsigned n)
{
    for (unsigned i = start; i < start + n; i++) {
        histogram_record_ns(&b->pool, h, (int64_t)(i * 7919u % 100003u) * 5003);
    }
}

static void test_merge(unsigned left, unsigned right)
{
    struct bench *b = new_bench();
    struct histogram from = {.count = 0};
    struct histogram all = {.count = 0};
    record_some(b, &b->h, 0, left);
    record_some(b, &from, left, right);
    record_some(b, &all, 0, left + right);
    histogram_merge(&b->pool, &b->h, &from, HISTOGRAM_NS);
    struct metrics_summary want;
    histogram_summarize(&all, HISTOGRAM_NS, &want);
    const struct metrics_summary *got = running(b, HISTOGRAM_NS);
    CHECK(got->count == want.count && got->min == want.min && got->max == want.max);
    CHECK(got->mean == want.mean && got->variance == want.variance);
    CHECK(got->have_percentiles == want.have_percentiles);
    for (size_t i = 0; i < METRICS_PERCENTILES; i++) {
        CHECK(got->percentile[i] == want.percentile[i]);
    }
    free(b);
}

static void test_merge_without_buckets(void)
{
    struct bench *b = new_bench();
    struct histogram bare = {.count = 0};
    struct histogram_slot *free_slots = b->pool.free;
    b->pool.free = NULL;
    record_some(b, &bare, 0, 10);
    b->pool.free = free_slots;
    record_some(b, &b->h, 10, 10);
    histogram_merge(&b->pool, &b->h, &bare, HISTOGRAM_NS);
    CHECK(running(b, HISTOGRAM_NS)->count == 20 && !b->summary.have_percentiles);
    CHECK_EQ_UINT(b->pool.used, 0);
    record_some(b, &bare, 10, 10);
    struct metrics_summary want;
    histogram_summarize(&bare, HISTOGRAM_NS, &want);
    CHECK(want.mean == b->summary.mean && want.variance == b->summary.variance);
    b->h.count = UINT32_MAX;
    histogram_merge(&b->pool, &b->h, &bare, HISTOGRAM_NS);
    CHECK(b->h.count == UINT32_MAX && b->pool.saturated == 20);
    free(b);
}

int main(void)
{
    test_bounds(HISTOGRAM_NS, RANGE_NS_FIRST, RANGE_NS_END);
    test_bounds(HISTOGRAM_BYTES, 0, RANGE_BYTES_END);
    test_below_range();
    test_kept_values();
    test_constant(0, HISTOGRAM_BYTES);
    test_constant(-1, HISTOGRAM_BYTES);
    test_constant(1460, HISTOGRAM_BYTES);
    test_constant(0, HISTOGRAM_NS);
    test_constant(INT64_C(60000000000), HISTOGRAM_NS);
    test_extremes();
    test_pool();
    test_windows_do_not_mix();
    test_many_equal();
    test_many_full_buckets(3, 200000);
    test_many_full_buckets(5, 70000);
    test_many_full_buckets(17, 150000);
    test_full_count();
    const unsigned sizes[] = {0, 1, HISTOGRAM_KEPT / 2, HISTOGRAM_KEPT, HISTOGRAM_KEPT + 1, 9999};
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            test_merge(sizes[i], sizes[j]);
        }
    }
    test_merge_without_buckets();
    return check_result();
}
