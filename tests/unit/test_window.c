/* The tick: times, lateness, order, what a window shows, the pool over windows. */
#include "check.h"
#include "metrics/registry.h"

#include <stdlib.h>

#define T LIMPET_S_TO_NS(10)
#define START UINT64_C(5000000000)
#define MS LIMPET_MS_TO_NS(1)

static struct metrics *new_table(void)
{
    const struct metrics_options options = {.collection_time_ns = T};
    struct metrics *m = calloc(1, sizeof(*m));
    metrics_init(m, &options, START);
    return m;
}

/* The latency of the pipe with this name, complete and without error. */
static void latency_of(const struct metrics *m, const char *name, struct metrics_view *view)
{
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        if (metrics_series(m, i, view) && view->family == METRICS_PROXY_LATENCY && view->complete &&
            !view->error && slice_equal(view->name, slice_from_cstr(name))) {
            return;
        }
    }
    CHECK(false);
}

static void test_no_drift(void)
{
    struct metrics *m = new_table();
    CHECK_EQ_UINT(metrics_window(m)->seq, 0);
    for (uint64_t n = 1; n <= 100; n++) {
        uint64_t nominal = START + n * T;
        CHECK_EQ_UINT(metrics_next_tick_ns(m), nominal);
        CHECK(!metrics_tick(m, nominal - 1));
        CHECK(metrics_tick(m, nominal + (n % 7) * 100 * MS));
        CHECK(!metrics_tick(m, nominal + (n % 7) * 100 * MS));
        CHECK_EQ_UINT(metrics_window(m)->seq, n);
        CHECK_EQ_UINT(metrics_window(m)->close_ns, nominal);
        CHECK_EQ_UINT(metrics_window(m)->start_ns, nominal - T);
    }
    CHECK_EQ_UINT(m->windows_late, 0);
    CHECK_EQ_UINT(m->late_ns_max, 600 * MS);
    free(m);
}

static void test_late(void)
{
    struct metrics *m = new_table();
    uint64_t now = START + 3 * T + T / 2;
    CHECK(metrics_tick(m, now));
    CHECK_EQ_UINT(metrics_window(m)->close_ns, now);
    CHECK_EQ_UINT(metrics_window(m)->start_ns, START);
    CHECK_EQ_UINT(metrics_next_tick_ns(m), START + 4 * T);
    CHECK_EQ_UINT(m->windows_late, 1);
    CHECK(!metrics_tick(m, now + 1));
    CHECK(metrics_tick(m, START + 4 * T));
    CHECK_EQ_UINT(metrics_window(m)->seq, 2);
    CHECK_EQ_UINT(metrics_window(m)->start_ns, now);
    free(m);
}

static void test_hold(void)
{
    struct metrics *m = new_table();
    metrics_hold_begin(m);
    metrics_hold_begin(m);
    CHECK(!metrics_tick(m, START + T));
    metrics_hold_end(m);
    CHECK(!metrics_tick(m, START + T + 1));
    CHECK_EQ_UINT(metrics_next_tick_ns(m), START + T + LIMPET_WINDOW_HOLD_MS * MS);
    metrics_hold_end(m);
    CHECK(metrics_tick(m, START + T + 2));
    CHECK_EQ_UINT(metrics_window(m)->close_ns, START + T);
    metrics_hold_begin(m); /* a reader that never ends */
    CHECK(!metrics_tick(m, START + 2 * T + LIMPET_WINDOW_HOLD_MS * MS - 1));
    CHECK(metrics_tick(m, START + 2 * T + LIMPET_WINDOW_HOLD_MS * MS));
    CHECK_EQ_UINT(metrics_next_tick_ns(m), START + 3 * T + LIMPET_WINDOW_HOLD_MS * MS);
    free(m);
}

static void test_router_moves(void)
{
    struct metrics *m = new_table();
    for (int i = 0; i < 5; i++) {
        metrics_connected(m);
    }
    metrics_disconnected(m);
    struct metrics_view view;
    for (size_t window = 1; window <= 2; window++) {
        CHECK(metrics_tick(m, START + window * T));
        for (size_t i = 0; i < 6; i++) {
            static const int64_t after[2][6] = {{0, 0, 5, 1, 5, 1}, {0, 0, 6, 1, 1, 0}};
            CHECK(metrics_series(m, i, &view));
            CHECK_EQ_INT(view.value, after[window - 1][i]);
        }
        metrics_connected(m);
        CHECK(metrics_series(m, METRICS_ROUTER_CONNECTED, &view) && view.value == 1);
    }
    CHECK(metrics_series(m, METRICS_ROUTER_CONNECTED_TOTAL, &view));
    CHECK(view.window_total == 6 && view.window_delta == 1);
    free(m);
}

static void check_counts(const struct metrics *m, enum metrics_family family, int64_t total,
                         int64_t delta, int64_t value)
{
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        if (metrics_series(m, i, &view) && view.family == family &&
            (view.family == METRICS_RESPONSE_STATUS_CODE || (view.complete && !view.error))) {
            CHECK_EQ_INT(view.window_total, total);
            CHECK_EQ_INT(view.window_delta, delta);
            CHECK_EQ_INT(view.value, value);
        }
    }
}

/* `sum` of what test_totals records. */
static void check_totals(const struct metrics *m, uint64_t count, double sum)
{
    size_t distributions = 0;
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        if (!metrics_series(m, i, &view)) {
            continue;
        }
        struct metrics_totals totals = metrics_totals(m, view.id);
        bool recorded = view.family == METRICS_RESPONSE_SIZE ||
                        view.family == METRICS_RESPONSE_TIME ||
                        (view.family == METRICS_PROXY_LATENCY && view.error && !view.complete);
        bool bytes = view.family == METRICS_RESPONSE_SIZE;
        CHECK_EQ_UINT(totals.count, recorded ? count : 0);
        CHECK(totals.sum == (recorded ? bytes ? sum - (double)count : 1000 * sum : 0));
        distributions += recorded;
    }
    CHECK_EQ_UINT(distributions, 3);
}

static void test_deltas(void)
{
    struct metrics *m = new_table();
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct proxy_series *p = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    int64_t total = 0;
    for (unsigned window = 1; window <= 4; window++) {
        int64_t delta = window == 3 ? 0 : (int64_t)window * 10;
        for (int64_t i = 0; i < delta; i++) {
            metrics_record_response(m, s, 200, 1, 1);
            metrics_record_proxy(m, p, true, false, 1);
        }
        total += delta;
        CHECK(metrics_tick(m, START + window * T));
        check_counts(m, METRICS_RESPONSE_STATUS_CODE, total, delta + (window > 1), total);
        check_counts(m, METRICS_PROXY_REQUESTS, total, delta + (window > 1), total);
        metrics_record_response(m, s, 200, 1, 1); /* of the next window */
        metrics_record_proxy(m, p, true, false, 1);
        check_counts(m, METRICS_RESPONSE_STATUS_CODE, total, 0, total + 1);
        check_counts(m, METRICS_PROXY_REQUESTS, total, delta + (window > 1), total + 1);
        total++;
    }
    free(m);
}

/* A code that is not seen in a window has grown by nothing, also behind an empty window. */
static void test_delta_of_other_codes(void)
{
    struct metrics *m = new_table();
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/a"));
    static const int64_t times[] = {3, 0, 0, 2, 1};
    static const int64_t not_found[] = {0, 1, 0, 0, 4};
    int64_t total = 0;
    for (unsigned window = 0; window < 5; window++) {
        for (int64_t i = 0; i < times[window]; i++) {
            metrics_record_response(m, s, 200, 1, 1);
        }
        for (int64_t i = 0; i < not_found[window]; i++) {
            metrics_record_response(m, s, 404, 1, 1);
        }
        total += times[window];
        CHECK(metrics_tick(m, START + (window + 1) * T));
        for (size_t i = 0; i < metrics_series_count(m); i++) {
            struct metrics_view view;
            if (metrics_series(m, i, &view) && view.status == 200) {
                CHECK_EQ_INT(view.window_delta, times[window]);
                CHECK_EQ_INT(view.window_total, total);
            } else if (metrics_series(m, i, &view) && view.status == 404) {
                CHECK_EQ_INT(view.window_delta, not_found[window]);
            }
        }
    }
    free(m);
}

/* Since the start, the running window included, whatever the windows show. */
static void test_totals(void)
{
    struct metrics *m = new_table();
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct proxy_series *p = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    uint64_t count = 0;
    double sum = 0;
    for (unsigned window = 1; window <= 4; window++) {
        for (unsigned i = 0; window != 3 && i < 2000; i++) {
            metrics_record_response(m, s, i % 2 ? 200 : 500, (int64_t)i - 1, 1000 * (int64_t)i);
            metrics_record_proxy(m, p, false, true, 1000 * (int64_t)i);
            count++;
            sum += i;
            check_totals(m, count, sum);
        }
        CHECK(metrics_tick(m, START + window * T));
        check_totals(m, count, sum);
    }
    free(m);
}

static void test_distributions(void)
{
    struct metrics *m = new_table();
    struct proxy_series *p = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    metrics_record_proxy(m, p, true, false, 100);
    metrics_record_proxy(m, p, true, false, 300);
    struct metrics_view view;
    latency_of(m, "/a", &view); /* the running one */
    CHECK(view.summary->count == 2 && view.window_summary == NULL);
    CHECK(view.summary->mean == 200);
    CHECK(metrics_tick(m, START + T));
    metrics_record_proxy(m, p, true, false, 7000);
    latency_of(m, "/a", &view); /* the closed one, not disturbed */
    CHECK(view.summary->count == 2 && view.window_summary != NULL);
    CHECK(view.summary->max == 300 && view.summary->have_percentiles);
    CHECK(metrics_tick(m, START + 2 * T));
    latency_of(m, "/a", &view);
    CHECK(view.summary->count == 1 && view.summary->min == 7000);
    CHECK(view.summary->percentile[4] == 7000);
    CHECK(metrics_tick(m, START + 3 * T));
    latency_of(m, "/a", &view);
    CHECK(view.summary->count == 0 && view.window_summary == NULL);
    CHECK_EQ_UINT(m->pool.used, 0);
    free(m);
}

/* The pool: taken at the first record, kept while a summary is shown, exact numbers without it. */
static void test_exhausted_pool(void)
{
    static char names[LIMPET_HISTOGRAMS + 2][16];
    struct metrics *m = new_table();
    struct proxy_series *series[LIMPET_HISTOGRAMS / 3 + 2];
    size_t count = LIMPET_HISTOGRAMS / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof(names[i]), "/%zu", i);
        series[i] = metrics_open_proxy(m, METRICS_PIPE, slice_from_cstr(names[i]));
        CHECK(series[i] != NULL);
        metrics_record_proxy(m, series[i], true, false, 10);
        metrics_record_proxy(m, series[i], false, false, 10);
        metrics_record_proxy(m, series[i], false, true, 10);
        metrics_record_proxy(m, series[i], true, false, 30);
    }
    CHECK_EQ_UINT(m->pool.used, LIMPET_HISTOGRAMS);
    CHECK_EQ_UINT(m->pool.exhausted, 3 * count - LIMPET_HISTOGRAMS);
    CHECK(metrics_tick(m, START + T));
    struct metrics_view view;
    latency_of(m, names[count - 1], &view);
    CHECK(view.summary->count == 2 && !view.summary->have_percentiles);
    CHECK(view.summary->min == 10 && view.summary->max == 30);
    CHECK(view.summary->mean == 20 && view.summary->std_dev == 10);
    CHECK(view.summary->percentile[0] == 30);
    latency_of(m, names[0], &view);
    CHECK(view.summary->have_percentiles && view.summary->percentile[0] == 10);
    /* Nothing in this window: summaries are superseded, all slots come back. */
    CHECK(metrics_tick(m, START + 2 * T));
    CHECK_EQ_UINT(m->pool.used, 0);
    metrics_record_proxy(m, series[count - 1], true, false, 50);
    CHECK(metrics_tick(m, START + 3 * T));
    latency_of(m, names[count - 1], &view);
    CHECK(view.summary->have_percentiles && view.summary->percentile[0] == 50);
    CHECK_EQ_UINT(m->pool.used_max, LIMPET_HISTOGRAMS);
    free(m);
}

/* A series without a slot in one window that gets one in the next must not show old percentiles. */
static void test_slot_after_exhaustion(void)
{
    struct metrics *m = new_table();
    struct proxy_series *p = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    struct histogram_slot *free_slots = m->pool.free;
    m->pool.free = NULL;
    metrics_record_proxy(m, p, true, false, 10);
    metrics_record_proxy(m, p, true, false, 20);
    CHECK(metrics_tick(m, START + T));
    m->pool.free = free_slots;
    free_slots->percentile[0] = 12345;
    free_slots->has_percentiles = true;
    metrics_record_proxy(m, p, true, false, 500);
    struct metrics_view view;
    latency_of(m, "/a", &view);
    CHECK(!view.summary->have_percentiles && view.summary->percentile[0] == 20);
    CHECK(metrics_tick(m, START + 2 * T));
    latency_of(m, "/a", &view);
    CHECK(view.summary->have_percentiles && view.summary->percentile[0] == 500);
    free(m);
}

static void sample(void *ctx, struct metrics *m)
{
    int *calls = ctx;
    (*calls)++;
    CHECK_EQ_INT(m->connected.gauge, 0); /* before anything moves */
    metrics_set_service(m, SERVICE_HEAP_ALLOC, 4096);
}

static void test_service(void)
{
    struct metrics *m = new_table();
    int calls = 0;
    metrics_set_sampler(m, sample, &calls);
    metrics_connected(m);
    CHECK_EQ_INT(metrics_service(m, SERVICE_HEAP_ALLOC), 0);
    CHECK(metrics_tick(m, START + T));
    CHECK_EQ_INT(calls, 1);
    CHECK_EQ_INT(metrics_service(m, SERVICE_HEAP_ALLOC), 4096);
    struct metrics_view view;
    bool seen[3] = {false, false, false};
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        if (!metrics_series(m, i, &view) || view.family != METRICS_SERVICE) {
            continue;
        }
        if (view.kind == METRICS_TIMER) {
            seen[0] = true;
            CHECK_EQ_UINT(view.summary->count, 1);
            CHECK(view.rates.mean == 0.1);
            CHECK(view.rates.one_minute > 0 && view.rates.fifteen_minute > 0);
            CHECK(view.rates.one_minute > view.rates.fifteen_minute);
        } else if (view.kind == METRICS_HISTOGRAM) {
            seen[1] = true;
            CHECK(view.summary->count == 0 && view.window_summary == NULL);
        } else if (slice_ends_with(view.name, SLICE_LIT("HeapAlloc"))) {
            seen[2] = true;
            CHECK_EQ_INT(view.value, 4096);
        }
    }
    CHECK(seen[0] && seen[1] && seen[2]);
    free(m);
}

/* Once a second is a rate of 1, from the first step of 5 s on; once in 10 s stays below 0.2. */
static void test_rates(void)
{
    static const struct {
        uint64_t window_s;
        unsigned ticks;
        double min, max;
    } cases[] = {{1, 4, 0, 0},        {1, 5, 1, 1},        {1, 300, 0.999, 1.001},
                 {2, 1000, 0.49, 0.51}, {5, 1, 0.01, 0.02}, {10, 1000, 0.09, 0.11}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct metrics *m = new_table();
        for (unsigned n = 0; n < cases[i].ticks; n++) {
            metrics_service_tick(m, LIMPET_S_TO_NS(cases[i].window_s));
        }
        struct metrics_rates rates = metrics_service_rates(m);
        CHECK(rates.one_minute >= cases[i].min && rates.one_minute <= cases[i].max);
        free(m);
    }
}

static void test_clean_stop(void)
{
    struct metrics *m = new_table();
    metrics_connected(m);
    metrics_close_window(m, START + T / 4);
    CHECK_EQ_UINT(metrics_window(m)->seq, 1);
    CHECK_EQ_UINT(metrics_window(m)->close_ns, START + T / 4);
    CHECK_EQ_UINT(metrics_next_tick_ns(m), START + T);
    CHECK_EQ_UINT(m->connected.total, 1);
    free(m);
}

int main(void)
{
    test_no_drift();
    test_late();
    test_hold();
    test_router_moves();
    test_deltas();
    test_delta_of_other_codes();
    test_totals();
    test_distributions();
    test_exhausted_pool();
    test_slot_after_exhaustion();
    test_service();
    test_rates();
    test_clean_stop();
    return check_result();
}
