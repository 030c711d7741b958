/* The table: its start, opening, recording and the closing of windows, within these bounds (the
 * sizes of its tables are those of tests/eva/run):
 *
 *   options  all layers, or none; any collection time up to a day
 *   names    empty, one byte, three, four, one too long; opened until each table is full, and found
 *   records  any number, of any status, size, time and labels, of each series or of none
 *   ticks    one at any time up to 2^62 ns; in time, late and very late ones behind each other;
 * with a reader or without
 *
 * Histograms and sampled values are stood in for by what they may change (the other drivers show
 * histograms). */
#include "eva.h"

#include "metrics/registry.h"

#include <string.h>

/*@ assigns h->count \from h->count, bytes; assigns pool->used, pool->saturated \from pool->used; */
void histogram_record_bytes(struct histogram_pool *pool, struct histogram *h, int64_t bytes);
/*@ assigns h->count \from h->count, ns; assigns pool->used, pool->saturated \from pool->used; */
void histogram_record_ns(struct histogram_pool *pool, struct histogram *h, int64_t ns);
/*@ assigns h->count, frozen->count, pool->used \from h->count, pool->used, unit; */
void histogram_close(struct histogram_pool *pool, struct histogram *h,
                     struct histogram_frozen *frozen, enum histogram_unit unit);
/*@ assigns *total \from *total, h->count; */
void histogram_total_add(histogram_total *total, const struct histogram *h);
/*@ assigns pool->free, pool->used \from slots, count; */
void histogram_pool_init(struct histogram_pool *pool, struct histogram_slot *slots, size_t count);
/*@ assigns m->values_needed, m->generation \from count; */
void metrics_add_values(struct metrics *m, const struct metrics_value *values, size_t count,
                        const void *base);
/*@ assigns m->generation \from m->generation; */
void metrics_sample(struct metrics *m);
/*@ assigns m->service.collections \from window_ns; */
void metrics_service_tick(struct metrics *m, uint64_t window_ns);

/* The library's contract says nothing about the result: with bytes that are known it is known. */
static int eva_memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    for (size_t i = 0; i < len; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
#define memcmp eva_memcmp

#include "base/slice.c"
#include "metrics/registry.c"
#include "metrics/window.c"

const struct metrics_value metrics_own_values[1];
const size_t metrics_own_values_len = 1;

#define NAMES 5
static struct metrics m;
static struct endpoint_series *endpoints[NAMES];
static struct proxy_series *pipes[NAMES];
static struct proxy_series *backends[NAMES];

static void open_all(void)
{
    static const char long_name[NAME_LEN_MAX + 1];
    const struct slice names[NAMES] = {{long_name, sizeof(long_name)},
                                       SLICE_EMPTY,
                                       SLICE_LIT("/"),
                                       SLICE_LIT("/ab"),
                                       SLICE_LIT("/abc")};
    for (unsigned i = 0; i < NAMES; i++) {
        endpoints[i] = metrics_open_endpoint(&m, names[i]);
        pipes[i] = metrics_open_proxy(&m, METRICS_PIPE, names[i]);
        backends[i] = metrics_open_proxy(&m, METRICS_BACKEND, names[i]);
        assert(metrics_open_endpoint(&m, names[i]) == endpoints[i]);
        assert(metrics_open_proxy(&m, METRICS_BACKEND, names[i]) == backends[i]);
    }
    for (unsigned i = 0; i < METRICS_ROOMS; i++) {
        assert(metrics_room(&m, i).limit > 0);
    }
}

static void record_some(void)
{
    /*@ loop widen_hints "all", 0, 1, 2, 4294967295; */
    while (any_bool()) {
        metrics_connected(&m);
        for (unsigned i = 0; i < NAMES; i++) {
            metrics_record_response(&m, endpoints[i], any_u32(0, UINT32_MAX), any_i64(), any_i64());
            metrics_record_proxy(&m, pipes[i], any_bool(), any_bool(), any_i64());
            metrics_record_proxy(&m, backends[i], any_bool(), any_bool(), any_i64());
        }
        metrics_disconnected(&m);
    }
}

static void tick(uint64_t now_ns)
{
    if (any_bool()) {
        metrics_hold_begin(&m);
        (void)metrics_tick(&m, now_ns);
        metrics_hold_end(&m);
    } else {
        (void)metrics_tick(&m, now_ns);
    }
    assert(metrics_window(&m) == &m.window);
}

static void begin(bool disabled, uint64_t collection_time_ns)
{
    const struct metrics_options options = {.router_disabled = disabled,
                                            .proxy_disabled = disabled,
                                            .backend_disabled = disabled,
                                            .collection_time_ns = collection_time_ns};
    metrics_init(&m, &options, 0);
    open_all();
    record_some();
}

static void one_window(bool disabled)
{
    begin(disabled, Frama_C_unsigned_long_long_interval(1, UINT64_C(86400000000000)));
    tick(Frama_C_unsigned_long_long_interval(0, UINT64_C(1) << 62));
    record_some();
    (void)metrics_generation(&m);
}

static void three_windows(void)
{
    static const uint64_t at_s[3] = {60, 121, 500};
    begin(false, LIMPET_S_TO_NS(60));
    for (unsigned i = 0; i < 3; i++) {
        metrics_tick(&m, LIMPET_S_TO_NS(at_s[i]) - 1u);
        tick(LIMPET_S_TO_NS(at_s[i]));
        record_some();
    }
    metrics_close_window(&m, LIMPET_S_TO_NS(501));
}

int main(void)
{
    one_window(false);
    one_window(true);
    three_windows();
    return 0;
}
