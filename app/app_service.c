#include "app_service.h"

#include "app.h"
#include "metrics/service.h"

#include "lwip/memp.h"
#include "lwip/priv/memp_priv.h"
#include "lwip/stats.h"

#include <stddef.h>

#define PREFIX "[SERVICE: Metrics]"

/* A piece of static memory that is handed out in parts. */
struct memory {
    uint64_t used_bytes;
    uint64_t bytes;
    uint64_t used;       /* parts */
    uint64_t lwip_bytes; /* of `bytes`: not in struct app */
};

static void on_second(struct timer *timer, void *ctx, uint64_t now_ns);
static void on_tick(void *ctx, struct metrics *metrics);
static void add_lwip(struct metrics *metrics);
static void refresh(struct app *app);
static struct memory sum_memory(const struct app *app);
static void add_tls(struct memory *sum, const struct app *app);

/* ---- What is shown ---------------------------------------------------------------------------
 */

#define COUNTER(name, field) METRICS_FIELD(METRICS_COUNTER, name, struct app, field)
#define GAUGE(name, field) METRICS_FIELD(METRICS_GAUGE, name, struct app, field)
#define LIMIT(name, number) METRICS_CONSTANT(name "_limit", number)

static const struct metrics_value app_values[] = {
    GAUGE("app.boots", service.boots),
    GAUGE("app.clock_known", service.clock_known),
    GAUGE("app.reset_reason", service.reset_reason),
    GAUGE("app.turn_late_ns_max", service.turn_late_ns_max),
    GAUGE("app.uptime_s", service.uptime_s),
    COUNTER("backend.calls_waited", client.waited),
    LIMIT("backend.conns", LIMPET_BACKEND_CONNS),
    GAUGE("backend.conns_max", client.used_max),
    COUNTER("backend.conns_opened", client.opened),
    COUNTER("backend.conns_reused", client.reused),
    GAUGE("backend.conns_used", client.used),
    LIMIT("backend.redirect_hosts", LIMPET_REDIRECT_HOSTS),
    GAUGE("backend.redirect_hosts_used", gateway.redirect_host_count),
    LIMIT("config.backends", LIMPET_BACKENDS_MAX),
    GAUGE("config.backends_used", config.backend_count),
    LIMIT("config.breakers", LIMPET_BREAKERS_MAX),
    GAUGE("config.breakers_used", config.breaker_count),
    LIMIT("config.endpoints", LIMPET_ENDPOINTS_MAX),
    GAUGE("config.endpoints_used", config.endpoint_count),
    LIMIT("config.host_refs", LIMPET_HOST_REFS_MAX),
    GAUGE("config.host_refs_used", config.host_ref_count),
    LIMIT("config.hosts", LIMPET_HOSTS_MAX),
    GAUGE("config.hosts_used", config.host_count),
    LIMIT("config.rates", LIMPET_RATES_MAX),
    GAUGE("config.rates_used", config.rate_count),
    LIMIT("config.segments", LIMPET_SEGMENTS_MAX),
    GAUGE("config.segments_used", config.segment_count),
    COUNTER("gateway.conns_accepted", gateway_server.accepted),
    LIMIT("gateway.conns", LIMPET_GATEWAY_CONNS),
    GAUGE("gateway.conns_max", gateway_server.used_max),
    COUNTER("gateway.conns_purged", gateway_server.purged),
    COUNTER("gateway.conns_refused", gateway_server.refused_busy),
    GAUGE("gateway.conns_used", gateway_server.used),
    COUNTER("gateway.requests_refused", gateway_server.refused),
    COUNTER("gateway.write_timeouts", gateway_server.write_timeouts),
    COUNTER("log.lines_dropped", log.lines_dropped),
    LIMIT("net.names", LIMPET_DNS_NAMES),
    GAUGE("net.names_used", service.names_asked),
    LIMIT("net.transports", LIMPET_TRANSPORTS),
    GAUGE("net.transports_max", net.used_max),
    COUNTER("net.transports_refused", net.refused),
    GAUGE("net.transports_used", net.used),
    COUNTER("stats.conns_accepted", stats_server.accepted),
    LIMIT("stats.conns", LIMPET_STATS_CONNS),
    GAUGE("stats.conns_max", stats_server.used_max),
    COUNTER("stats.conns_purged", stats_server.purged),
    COUNTER("stats.conns_refused", stats_server.refused_busy),
    GAUGE("stats.conns_used", stats_server.used),
    COUNTER("stats.requests_refused", stats_server.refused),
    LIMIT("timers", LIMPET_TIMERS),
    GAUGE("timers_max", timers.count_max),
    GAUGE("timers_used", timers.count),
};

#undef COUNTER
#undef GAUGE

/* Frames and datagrams that lwIP did not take or could not send. What it counts of frames stands
 * among its numbers of ARP. */
#define COUNTER(name, field) METRICS_FIELD(METRICS_COUNTER, "lwip." name, struct stats_, field)
#define GAUGE(name, field) METRICS_FIELD(METRICS_GAUGE, "lwip." name, struct stats_, field)

static const struct metrics_value lwip_values[] = {
    GAUGE("heap_bytes_limit", mem.avail),  GAUGE("heap_bytes_max", mem.max),
    COUNTER("heap_refused", mem.err),      GAUGE("heap_bytes_used", mem.used),
    COUNTER("ip.bad", ip.proterr),         COUNTER("ip.bad_checksum", ip.chkerr),
    COUNTER("ip.bad_length", ip.lenerr),   COUNTER("ip.dropped", ip.drop),
    COUNTER("ip.no_route", ip.rterr),      COUNTER("link.bad", etharp.proterr),
    COUNTER("link.dropped", etharp.drop),  COUNTER("link.no_memory", etharp.memerr),
    COUNTER("tcp.bad", tcp.proterr),       COUNTER("tcp.bad_checksum", tcp.chkerr),
    COUNTER("tcp.bad_length", tcp.lenerr), COUNTER("tcp.dropped", tcp.drop),
    COUNTER("tcp.no_memory", tcp.memerr),  COUNTER("tcp.received", tcp.recv),
    COUNTER("tcp.sent", tcp.xmit),
};

#undef COUNTER
#undef GAUGE

/* Of a pool of lwIP. */
#define POOL_VALUES 4u
#define POOL(name)                                                                                 \
    {                                                                                              \
        METRICS_FIELD(METRICS_GAUGE, "lwip." name "_limit", struct stats_mem, avail),              \
            METRICS_FIELD(METRICS_GAUGE, "lwip." name "_max", struct stats_mem, max),              \
            METRICS_FIELD(METRICS_COUNTER, "lwip." name "_refused", struct stats_mem, err),        \
            METRICS_FIELD(METRICS_GAUGE, "lwip." name "_used", struct stats_mem, used),            \
    }

static const struct metrics_value pool_values[][POOL_VALUES] = {
    POOL("frames"), POOL("references"), POOL("tcp_conns"), POOL("tcp_segments")};
static const uint8_t pools[] = {MEMP_PBUF_POOL, MEMP_PBUF, MEMP_TCP_PCB, MEMP_TCP_SEG};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(COUNT_OF(pools) == COUNT_OF(pool_values), "one table for each");

static void add_lwip(struct metrics *metrics)
{
    metrics_add_values(metrics, lwip_values, COUNT_OF(lwip_values), &lwip_stats);
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        metrics_add_values(metrics, pool_values[i], POOL_VALUES, memp_pools[pools[i]]->stats);
    }
}

/* ---- Life cycle ------------------------------------------------------------------------------ */

void app_service_add_values(struct app *app)
{
    metrics_add_values(&app->metrics, app_values, COUNT_OF(app_values), app);
    add_lwip(&app->metrics);
}

void app_service_init(struct app *app, const struct app_options *options, uint64_t now_ns)
{
    app->service = (struct app_service){
        .start_ns = now_ns,
        .now_ns = now_ns,
        .turn_due_ns = TIMER_NEVER,
        .boots = options->boots,
        .reset_reason = (uint8_t)options->reset_reason,
    };
    metrics_set_sampler(&app->metrics, on_tick, app);
    timer_set(&app->timers, &app->service.timer, now_ns + LIMPET_S_TO_NS(1), on_second, app);
}

int app_service_check_room(struct app *app)
{
    int err = LIMPET_OK;
    for (size_t i = 0; i < METRICS_ROOMS; i++) {
        struct metrics_room room = metrics_room(&app->metrics, i);
        if (room.needed <= room.limit) {
            continue;
        }
        err = LIMPET_ERR_FULL;
        struct out *out = log_begin(&app->log, LOG_ERROR, PREFIX);
        out_text(out, room.table);
        out_text(out, ": ");
        out_u64(out, room.needed);
        out_text(out, " needed, ");
        out_u64(out, room.limit);
        out_text(out, " available");
        log_end(&app->log);
    }
    return err;
}

/* ---- Sampling -------------------------------------------------------------------------------- */

uint64_t app_service_turn(struct app *app, uint64_t now_ns, int64_t unix_ns)
{
    struct app_service *s = &app->service;
    s->now_ns = now_ns;
    uint64_t late_ns = now_ns > s->turn_due_ns ? now_ns - s->turn_due_ns : 0;
    s->turn_late_ns_max = late_ns > s->turn_late_ns_max ? late_ns : s->turn_late_ns_max;
    s->clock_known = unix_ns != 0;
    return late_ns;
}

void app_service_due(struct app *app, uint64_t next_ns)
{
    app->service.turn_due_ns = next_ns;
}

static void on_second(struct timer *timer, void *ctx, uint64_t now_ns)
{
    struct app *app = ctx;
    timer_set(&app->timers, timer, now_ns + LIMPET_S_TO_NS(1), on_second, app);
    refresh(app);
    metrics_sample(&app->metrics);
}

/* The window's values first, limpet. follows by itself. */
static void on_tick(void *ctx, struct metrics *metrics)
{
    struct app *app = ctx;
    refresh(app);
    app->service.uptime_s = (app->service.now_ns - app->service.start_ns) / LIMPET_S_TO_NS(1);
    struct memory memory = sum_memory(app);
    metrics_set_service(metrics, SERVICE_HEAP_ALLOC, (int64_t)memory.used_bytes);
    metrics_set_service(metrics, SERVICE_HEAP_SYS, (int64_t)memory.bytes);
    metrics_set_service(metrics, SERVICE_HEAP_IDLE, (int64_t)(memory.bytes - memory.used_bytes));
    metrics_set_service(metrics, SERVICE_HEAP_OBJECTS, (int64_t)memory.used);
    metrics_set_service(metrics, SERVICE_SYS, (int64_t)(sizeof(*app) + memory.lwip_bytes));
    metrics_set_service(metrics, SERVICE_GOROUTINES,
                        (int64_t)(app->gateway_server.used + app->stats_server.used +
                                  app->client.used + app->gateway.exchanges_used));
    metrics_set_service(metrics, SERVICE_THREADS, 1);
}

static void refresh(struct app *app)
{
    uint32_t asked = 0;
    for (size_t i = 0; i < LIMPET_DNS_NAMES; i++) {
        asked += app->net.lookups[i].state != LOOKUP_FREE;
    }
    app->service.names_asked = asked;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void add(struct memory *sum, uint64_t used, uint64_t limit, uint64_t size)
{
    sum->used += used;
    sum->used_bytes += used * size;
    sum->bytes += limit * size;
}

/* Bytes that are handed out one by one have no parts. */
static struct memory sum_memory(const struct app *app)
{
    const struct gateway *g = &app->gateway;
    struct memory sum = {0};
    for (size_t i = 0; i < MEMP_MAX; i++) {
        const struct stats_mem *pool = lwip_stats.memp[i];
        add(&sum, pool->used, pool->avail, memp_pools[i]->size);
    }
    sum.used_bytes += lwip_stats.mem.used;
    sum.bytes += lwip_stats.mem.avail;
    sum.lwip_bytes = sum.bytes;
    add(&sum, app->gateway_server.used, LIMPET_GATEWAY_CONNS, sizeof(app->gateway_conns[0]));
    add(&sum, app->stats_server.used, LIMPET_STATS_CONNS, sizeof(app->stats_conns[0]));
    add(&sum, app->client.used, LIMPET_BACKEND_CONNS, sizeof(app->backend_conns[0]));
    add(&sum, app->net.used, LIMPET_TRANSPORTS, sizeof(app->net.transports[0]));
    add(&sum, g->exchanges_used, LIMPET_EXCHANGES, sizeof(g->exchanges[0]));
    add(&sum, g->calls_used, LIMPET_BACKEND_CALLS, sizeof(g->calls[0]));
    add(&sum, g->bodies_used, LIMPET_BODIES, sizeof(g->bodies[0]));
    add(&sum, g->limits.clients.used, LIMPET_LIMIT_CLIENTS, sizeof(g->limits.clients.clients[0]));
    add(&sum, app->metrics.pool.used, LIMPET_HISTOGRAMS, sizeof(app->metrics.slots[0]));
    sum.used += app->writer.store.spool.count;
    sum.used_bytes += app->writer.store.spool.used_bytes;
    sum.bytes += sizeof(app->writer.store.spool.ring);
    add_tls(&sum, app);
    return sum;
}

#if LIMPET_TLS
static void add_tls(struct memory *sum, const struct app *app)
{
    sum->used_bytes += app->secure.tls.arena_used;
    sum->bytes += sizeof(app->secure.tls.arena);
}
#else
static void add_tls(struct memory *sum, const struct app *app)
{
    (void)sum;
    (void)app;
}
#endif
