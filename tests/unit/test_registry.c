/* Series: sharing, switches, full tables, status slots, what a reader sees. */
#include "check.h"
#include "metrics/registry.h"

#include <stdlib.h>

#define WINDOW_NS LIMPET_S_TO_NS(60)

static const struct metrics_options defaults = {.collection_time_ns = WINDOW_NS};

static struct metrics *new_table(const struct metrics_options *options)
{
    struct metrics *m = calloc(1, sizeof(*m));
    metrics_init(m, options, 1000);
    return m;
}

/* The first series of this kind with this name; false when there is none. */
static bool find(const struct metrics *m, enum metrics_family family, const char *name,
                 struct metrics_view *view)
{
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        if (metrics_series(m, i, view) && view->family == family &&
            slice_equal(view->name, slice_from_cstr(name))) {
            return true;
        }
    }
    return false;
}

static size_t count_family(const struct metrics *m, enum metrics_family family)
{
    size_t count = 0;
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        count += metrics_series(m, i, &view) && view.family == family;
    }
    return count;
}

static void test_sharing(void)
{
    struct metrics *m = new_table(&defaults);
    struct endpoint_series *a = metrics_open_endpoint(m, SLICE_LIT("/dup"));
    CHECK(a != NULL && a == metrics_open_endpoint(m, SLICE_LIT("/dup")));
    CHECK(a != metrics_open_endpoint(m, SLICE_LIT("/du")));
    struct proxy_series *pipe = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/dup"));
    struct proxy_series *backend = metrics_open_proxy(m, METRICS_BACKEND, SLICE_LIT("/dup"));
    CHECK(pipe != NULL && backend != NULL && pipe != backend);
    CHECK(pipe == metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/dup")));
    CHECK_EQ_UINT(count_family(m, METRICS_RESPONSE_STATUS), 2);
    CHECK_EQ_UINT(count_family(m, METRICS_PROXY_REQUESTS), 8);
    CHECK_EQ_UINT(count_family(m, METRICS_PROXY_LATENCY), 8);
    CHECK_EQ_UINT(count_family(m, METRICS_SERVICE), 36);
    free(m);
}

static void test_switches(void)
{
    struct metrics_options options = defaults;
    options.router_disabled = true;
    options.proxy_disabled = true;
    struct metrics *m = new_table(&options);
    struct endpoint_series *endpoint = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct proxy_series *pipe = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    CHECK(endpoint == NULL && pipe == NULL);
    CHECK(metrics_open_proxy(m, METRICS_BACKEND, SLICE_LIT("/a")) != NULL);
    metrics_connected(m);
    metrics_record_response(m, endpoint, 200, 1, 1);
    metrics_record_proxy(m, pipe, true, false, 1);
    metrics_disconnected(m);
    struct metrics_view view;
    CHECK(find(m, METRICS_ROUTER_CONNECTED, "connected", &view) && view.value == 0);
    CHECK(find(m, METRICS_ROUTER_DISCONNECTED, "disconnected", &view) && view.value == 0);
    CHECK_EQ_UINT(count_family(m, METRICS_RESPONSE_STATUS), 0);
    CHECK_EQ_UINT(count_family(m, METRICS_PROXY_REQUESTS), 4);
    for (size_t i = 0; i < METRICS_ROOMS; i++) {
        CHECK(metrics_room(m, i).needed <= metrics_room(m, i).limit);
    }
    free(m);
    options = defaults;
    options.backend_disabled = true;
    m = new_table(&options);
    CHECK(metrics_open_proxy(m, METRICS_BACKEND, SLICE_LIT("/a")) == NULL);
    CHECK(metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a")) != NULL);
    free(m);
}

static void test_full_table(void)
{
    struct metrics *m = new_table(&defaults);
    static char names[LIMPET_PROXY_SERIES_MAX + 2][16];
    for (unsigned i = 0; i < LIMPET_PROXY_SERIES_MAX + 2; i++) {
        snprintf(names[i], sizeof(names[i]), "/n%u", i);
        struct slice name = slice_from_cstr(names[i]);
        CHECK((metrics_open_proxy(m, METRICS_PIPE, name) != NULL) == (i < LIMPET_PROXY_SERIES_MAX));
        CHECK((metrics_open_endpoint(m, name) != NULL) == (i < LIMPET_ENDPOINT_SERIES_MAX));
    }
    CHECK_EQ_UINT(metrics_room(m, 0).needed, LIMPET_PROXY_SERIES_MAX + 2);
    CHECK_EQ_UINT(metrics_room(m, 0).limit, LIMPET_ENDPOINT_SERIES_MAX);
    CHECK_EQ_UINT(metrics_room(m, 1).needed, LIMPET_PROXY_SERIES_MAX + 2);
    CHECK_EQ_UINT(metrics_room(m, 1).limit, LIMPET_PROXY_SERIES_MAX);
    CHECK_EQ_STR(metrics_room(m, 1).table, "proxy series");
    CHECK(metrics_open_endpoint(m, SLICE_LIT("/n0")) != NULL);
    free(m);
}

static void test_live_counters(void)
{
    struct metrics *m = new_table(&defaults);
    struct endpoint_series *endpoint = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct proxy_series *pipe = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    metrics_connected(m);
    metrics_connected(m);
    metrics_disconnected(m);
    metrics_record_response(m, endpoint, 200, 12, 3000);
    metrics_record_proxy(m, pipe, true, false, 2000);
    metrics_record_proxy(m, pipe, true, false, 4000);
    metrics_record_proxy(m, pipe, false, true, 7000);
    struct metrics_view view;
    CHECK(find(m, METRICS_ROUTER_CONNECTED, "connected", &view) && view.value == 2);
    CHECK(find(m, METRICS_ROUTER_DISCONNECTED, "disconnected", &view) && view.value == 1);
    CHECK(find(m, METRICS_ROUTER_CONNECTED_TOTAL, "connected-total", &view) && view.value == 0);
    CHECK(find(m, METRICS_RESPONSE_STATUS, "/a", &view) && view.value == 0);
    CHECK(find(m, METRICS_RESPONSE_STATUS_CODE, "/a", &view) && view.value == 1);
    CHECK_EQ_UINT(view.status, 200);
    CHECK(find(m, METRICS_RESPONSE_SIZE, "/a", &view) && view.summary->count == 1);
    CHECK(view.summary->max == 12 && view.window_summary == NULL);
    uint64_t sum = 0;
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        if (metrics_series(m, i, &view) && view.family == METRICS_PROXY_REQUESTS) {
            CHECK_EQ_INT(view.value, view.complete && !view.error   ? 2
                                     : !view.complete && view.error ? 1
                                                                    : 0);
            sum += (uint64_t)view.value;
        }
    }
    CHECK_EQ_UINT(sum, 3);
    free(m);
}

static void test_complete_and_error(void)
{
    struct metrics *m = new_table(&defaults);
    struct proxy_series *pipe = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    metrics_record_proxy(m, pipe, true, true, 5);
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        if (metrics_series(m, i, &view) && view.family == METRICS_PROXY_LATENCY) {
            CHECK_EQ_UINT(view.summary->count, !view.complete && view.error ? 1 : 0);
        }
    }
    free(m);
}

/* Slots fill up, then "other"; a status that is none goes there at once. Indices and ids hold. */
static void test_status_slots(void)
{
    struct metrics *m = new_table(&defaults);
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/a"));
    (void)metrics_open_endpoint(m, SLICE_LIT("/b"));
    size_t before = metrics_series_count(m);
    metrics_record_response(m, s, 0, 0, 0);
    metrics_record_response(m, s, 1000, 0, 0);
    for (unsigned i = 0; i < LIMPET_STATUS_SLOTS + 3; i++) {
        metrics_record_response(m, s, 200 + i, 0, 0);
        metrics_record_response(m, s, 200, 0, 0);
    }
    CHECK_EQ_UINT(metrics_series_count(m), before);
    CHECK_EQ_UINT(count_family(m, METRICS_RESPONSE_STATUS_CODE), LIMPET_STATUS_SLOTS + 1);
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        if (!metrics_series(m, i, &view) || view.family != METRICS_RESPONSE_STATUS_CODE) {
            continue;
        }
        CHECK_EQ_STR(view.name.ptr, "/a");
        int64_t want = view.status == 0 ? 5 : view.status == 200 ? LIMPET_STATUS_SLOTS + 4 : 1;
        CHECK_EQ_INT(view.value, want);
    }
    free(m);
}

static void test_ids(void)
{
    struct metrics *m = new_table(&defaults);
    struct endpoint_series *a = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct endpoint_series *b = metrics_open_endpoint(m, SLICE_LIT("/b"));
    (void)metrics_open_proxy(m, METRICS_BACKEND, SLICE_LIT("/x"));
    metrics_record_response(m, a, 404, 0, 0);
    metrics_record_response(m, b, 200, 0, 0);
    metrics_record_response(m, b, 5000, 0, 0);
    uint32_t last = 0;
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        struct metrics_view same;
        if (!metrics_series(m, i, &view)) {
            continue;
        }
        last = view.id > last ? view.id : last;
        CHECK(metrics_describe(m, view.id, &same));
        CHECK(same.family == view.family && same.kind == view.kind && same.layer == view.layer);
        CHECK(slice_equal(same.name, view.name) && same.id == view.id);
        CHECK(same.complete == view.complete && same.error == view.error);
        CHECK_EQ_UINT(same.status, view.status);
        CHECK(metrics_series_by_id(m, view.id, &same) && same.id == view.id);
        CHECK(same.value == view.value && same.status == view.status);
        CHECK((same.summary == NULL) == (view.summary == NULL));
    }
    struct metrics_view view;
    CHECK(!metrics_describe(m, last + 1, &view));
    CHECK(!metrics_describe(m, UINT32_MAX, &view));
    /* A code that this boot has not seen. */
    CHECK(find(m, METRICS_RESPONSE_STATUS_CODE, "/a", &view));
    uint32_t seen = view.id;
    CHECK(metrics_describe(m, seen + 3, &view));
    CHECK_EQ_UINT(view.status, 407);
    CHECK(metrics_series_by_id(m, seen + 3, &view) && view.value == 0 && view.status == 407);
    CHECK_EQ_UINT(metrics_status_count(m), 3);
    CHECK_EQ_TEXT(view.name.ptr, view.name.len, "/a");
    free(m);
}

struct room {
    uint64_t wide;
    uint32_t word;
    uint16_t half;
    bool flag;
};

static const struct metrics_value room_values[] = {
    METRICS_FIELD(METRICS_COUNTER, "room.wide", struct room, wide),
    METRICS_FIELD(METRICS_GAUGE, "room.word", struct room, word),
    METRICS_FIELD(METRICS_GAUGE, "room.half", struct room, half),
    METRICS_FIELD(METRICS_GAUGE, "room.flag", struct room, flag),
    METRICS_CONSTANT("room.limit", 77),
};

static int64_t value_of(const struct metrics *m, const char *name)
{
    struct metrics_view view;
    return find(m, METRICS_LIMPET, name, &view) ? view.value : -1;
}

static void test_values(void)
{
    struct metrics *m = new_table(&defaults);
    struct room room = {UINT64_C(1) << 40, 1u << 30, 60000, true};
    metrics_add_values(m, room_values, 5, &room);
    CHECK_EQ_INT(value_of(m, "room.wide"), INT64_C(1) << 40);
    CHECK_EQ_INT(value_of(m, "room.word"), 1 << 30);
    CHECK_EQ_INT(value_of(m, "room.half"), 60000);
    CHECK_EQ_INT(value_of(m, "room.flag"), 1);
    CHECK_EQ_INT(value_of(m, "room.limit"), 77);
    CHECK_EQ_INT(value_of(m, "metrics.histograms_limit"), LIMPET_HISTOGRAMS);
    uint64_t generation = metrics_generation(m);
    metrics_sample(m);
    CHECK_EQ_UINT(metrics_generation(m), generation);
    room.half = 1;
    CHECK_EQ_INT(value_of(m, "room.half"), 60000); /* a reader never samples */
    metrics_sample(m);
    CHECK(metrics_generation(m) > generation);
    CHECK_EQ_INT(value_of(m, "room.half"), 1);
    for (unsigned i = 0; metrics_room(m, 2).needed <= metrics_room(m, 2).limit; i++) {
        CHECK(i < LIMPET_METRICS_VALUES);
        metrics_add_values(m, room_values, 5, &room);
    }
    CHECK(metrics_series_count(m) <= LIMPET_FIXED_SERIES + LIMPET_METRICS_VALUES);
    free(m);
}

/* Every change that a reader could see moves the generation, and reading does not. */
static void test_generation(void)
{
    struct metrics *m = new_table(&defaults);
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/a"));
    struct proxy_series *p = metrics_open_proxy(m, METRICS_PIPE, SLICE_LIT("/a"));
    uint64_t last = metrics_generation(m);
    for (int step = 0; step < 6; step++) {
        switch (step) {
        case 0:
            metrics_connected(m);
            break;
        case 1:
            metrics_disconnected(m);
            break;
        case 2:
            metrics_record_response(m, s, 200, 1, 1);
            break;
        case 3:
            metrics_record_proxy(m, p, true, false, 1);
            break;
        case 4:
            metrics_set_service(m, SERVICE_GOROUTINES, 3);
            break;
        default:
            metrics_close_window(m, 2000);
            break;
        }
        CHECK(metrics_generation(m) > last);
        last = metrics_generation(m);
    }
    metrics_set_service(m, SERVICE_GOROUTINES, 3);
    struct metrics_view view;
    CHECK(find(m, METRICS_SERVICE, "runtime.NumGoroutine", &view) && view.value == 3);
    CHECK_EQ_UINT(metrics_generation(m), last);
    free(m);
}

int main(void)
{
    test_sharing();
    test_switches();
    test_full_table();
    test_live_counters();
    test_complete_and_error();
    test_status_slots();
    test_ids();
    test_values();
    test_generation();
    return check_result();
}
