#include "app_plan.h"

#include "app_metrics.h"

#include <assert.h>

/* What a busy window holds for each series: enough for numbers of the usual length. */
#define RECORDS_PER_SERIES 16u
#define STATUS_OK 200u
#define STATUS_FAILED 500u
#define LATENCY_NS INT64_C(12345678)
#define SIZE_BYTES INT64_C(4321)

static int open_tables(struct app *app, const struct app_options *options);
static size_t count_series(const struct metrics *metrics);
static void fill_tables(const struct app *app, struct app_plan *plan);
static void play_window(struct app *app);
static void measure_buffer(struct app *app, struct app_plan *plan);

int app_plan(struct app *app, const struct app_options *options, struct app_plan *plan)
{
    *plan = (struct app_plan){.app_bytes = sizeof(*app)};
    int err = open_tables(app, options);
    plan->endpoint_series = app->metrics.endpoint_count;
    plan->proxy_series = app->metrics.proxy_count;
    plan->series = count_series(&app->metrics);
    if (err == LIMPET_OK && app->config.influx.enabled) {
        play_window(app);
        measure_buffer(app, plan);
    }
    fill_tables(app, plan);
    return err;
}

static int open_tables(struct app *app, const struct app_options *options)
{
    log_init(&app->log, port_log_sink, NULL, LOG_ERROR);
    timers_init(&app->timers, app->timer_heap, LIMPET_TIMERS);
    int err = app_metrics_open(app, options, 0);
    int room_err = app_service_check_room(app);
    return err != LIMPET_OK ? err : room_err;
}

/* An index may be a status code that nothing has answered yet. */
static size_t count_series(const struct metrics *metrics)
{
    size_t count = 0;
    for (size_t i = 0; i < metrics_series_count(metrics); i++) {
        struct metrics_view view;
        count += metrics_series(metrics, i, &view);
    }
    return count;
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void fill_tables(const struct app *app, struct app_plan *plan)
{
    const struct config *c = &app->config;
    const struct metrics *m = &app->metrics;
#define TABLE(name, used, limit, memory) {name, #limit, false, used, limit, sizeof(memory)}
#define POOL(name, limit, memory) {name, #limit, true, 0, limit, sizeof(memory)}
    const struct app_plan_table tables[] = {
        {"text", "LIMPET_CONFIG_TEXT_LEN_MAX", false, c->text.len, LIMPET_CONFIG_TEXT_LEN_MAX,
         LIMPET_CONFIG_TEXT_LEN_MAX},
        TABLE("strings", out_slice(&c->strings_out).len, LIMPET_CONFIG_STRINGS_LEN_MAX, c->strings),
        TABLE("endpoints", c->endpoint_count, LIMPET_ENDPOINTS_MAX, c->endpoints),
        TABLE("backends", c->backend_count, LIMPET_BACKENDS_MAX, c->backends),
        TABLE("hosts", c->host_count, LIMPET_HOSTS_MAX, c->hosts),
        TABLE("host list entries", c->host_ref_count, LIMPET_HOST_REFS_MAX, c->host_refs),
        TABLE("path pieces", c->segment_count, LIMPET_SEGMENTS_MAX, c->segments),
        TABLE("list entries", c->name_count, LIMPET_NAMES_MAX, c->names),
        TABLE("filter keys", c->node_count > 0 ? c->node_count - 1u : 0u, LIMPET_FILTER_NODES_MAX,
              c->nodes),
        TABLE("rate limits", c->rate_count, LIMPET_RATES_MAX, c->rates),
        TABLE("circuit breakers", c->breaker_count, LIMPET_BREAKERS_MAX, c->breakers),
        TABLE("endpoint series", m->endpoints_needed, LIMPET_ENDPOINT_SERIES_MAX, m->endpoints),
        TABLE("proxy series", m->proxies_needed, LIMPET_PROXY_SERIES_MAX, m->proxies),
        TABLE("limpet values", m->values_needed, LIMPET_METRICS_VALUES, m->sampled),
        POOL("histograms", LIMPET_HISTOGRAMS, m->slots),
        POOL("client connections", LIMPET_GATEWAY_CONNS, app->gateway_conns),
        POOL("stats connections", LIMPET_STATS_CONNS, app->stats_conns),
        POOL("backend connections", LIMPET_BACKEND_CONNS, app->backend_conns),
        POOL("exchanges", LIMPET_EXCHANGES, app->gateway.exchanges),
        POOL("bodies", LIMPET_BODIES, app->gateway.bodies),
        POOL("limited clients", LIMPET_LIMIT_CLIENTS, app->gateway.limits.clients.clients),
        POOL("stats answers", LIMPET_STATS_BUFFERS, app->report),
        POOL("influx buffer bytes", LIMPET_SPOOL_LEN, app->writer.store.spool.ring),
    };
#undef TABLE
#undef POOL
    _Static_assert(sizeof(tables) / sizeof(tables[0]) == APP_PLAN_TABLES, "one place for each");
    for (size_t i = 0; i < APP_PLAN_TABLES; i++) {
        plan->tables[i] = tables[i];
    }
}

/* ---- The buffer ----------------------------------------------------------------------------- */

static void play_window(struct app *app)
{
    struct metrics *m = &app->metrics;
    const struct gateway *g = &app->gateway;
    for (uint32_t n = 0; n < RECORDS_PER_SERIES; n++) {
        bool good = n % 2 == 0;
        int64_t ns = LATENCY_NS * (int64_t)(n + 1);
        for (size_t i = 0; i < app->config.endpoint_count; i++) {
            metrics_connected(m);
            metrics_disconnected(m);
            metrics_record_response(m, g->endpoint_series[i], good ? STATUS_OK : STATUS_FAILED,
                                    SIZE_BYTES * (int64_t)(n + 1), ns);
            metrics_record_proxy(m, g->pipe_series[i], good, !good, ns);
        }
        for (size_t i = 0; i < app->config.backend_count; i++) {
            metrics_record_proxy(m, g->backend_series[i], good, !good, ns);
        }
    }
    metrics_close_window(m, app->config.metrics.collection_time_ns);
}

/* The first record shows what one costs in the ring, its head and padding included. */
static void measure_buffer(struct app *app, struct app_plan *plan)
{
    const struct record_info info = {.seq = 1u << 20, .boot = 1u << 14};
    struct spool *spool = &app->writer.store.spool;
    struct out out;
    out_init_count(&out);
    record_encode(&out, &app->metrics, &info);
    size_t len = (size_t)out.total;
    size_t dropped = 0;
    spool_init(spool);
    char *place = spool_reserve(spool, len, &dropped);
    if (place == NULL) {
        plan->record_bytes = len;
        return;
    }
    out_init(&out, place, len);
    record_encode(&out, &app->metrics, &info);
    assert(out_err(&out) == LIMPET_OK);
    struct lines lines;
    uint64_t text_len = 0;
    lines_init(&lines, &app->metrics, SLICE_LIT("host"), slice_of(place, len));
    plan->record_points = lines_measure(&lines, &text_len);
    spool_commit(spool, len, (uint32_t)plan->record_points);
    plan->record_bytes = spool_used_bytes(spool);
    plan->windows = sizeof(spool->ring) / plan->record_bytes;
    /* As spool_limit_failed: above 0 the newest stays, however long. */
    uint64_t points = app->config.influx.buffer_size;
    uint64_t failed = points / plan->record_points;
    plan->windows_failed = points == 0 ? 0 : failed == 0 ? 1 : failed;
    if (plan->windows_failed > plan->windows) {
        plan->windows_failed = plan->windows;
    }
}
