/* The one file that knows all rooms: wires them, gives them their turn, stops them in order. */
#include "app.h"

#include "app_metrics.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static int init_tls(struct app *app);
static void set_tls_time(struct app *app, const struct port_time *now);
static void init_servers(struct app *app);
static int start_listeners(struct app *app);
static struct port_time believable(const struct port_time *now);
static void set_time(struct app *app, const struct port_time *now);
static void close_due_window(struct app *app, uint64_t now_ns);
static void stop_step(struct app *app, uint64_t now_ns);
static void stop_deadline(struct timer *timer, void *ctx, uint64_t now_ns);
static bool servers_empty(const struct app *app);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

/* Everything behind `config` is used only after loading, so the tree of the configuration may lie
 * there. */
int app_load(struct app *app, struct slice text, config_report_fn report, void *report_ctx)
{
    size_t scratch_at = offsetof(struct app, log);
    return config_load(&app->config, text, (char *)app + scratch_at,
                       sizeof(struct app) - scratch_at, report, report_ctx);
}

int app_init(struct app *app, const struct app_options *options, const struct port_time *now)
{
    const struct config *config = &app->config;
    assert(config->endpoint_count <= LIMPET_ENDPOINTS_MAX);
    log_init(&app->log, port_log_sink, NULL, config->log_level);
    timers_init(&app->timers, app->timer_heap, LIMPET_TIMERS);
    net_init(&app->net, &app->log, options->loopback_ip4);
    client_init(&app->client, &app->net, &app->timers, &app->log, app->backend_conns,
                LIMPET_BACKEND_CONNS);
    int err = app_metrics_open(app, options, now->mono_ns);
    if (err == LIMPET_OK) {
        err = init_tls(app);
    }
    if (err != LIMPET_OK) {
        return err;
    }
    app_service_init(app, options, now->mono_ns);
    err = app_service_check_room(app);
    if (err != LIMPET_OK) {
        return err;
    }
    writer_init(&app->writer, &config->influx, &app->metrics, &app->client, &app->timers, &app->log,
                options->host_name);
    writer_use_storage(&app->writer, options->storage);
    init_servers(app);
    const struct port_time believed = believable(now);
    set_time(app, &believed);
    app->last_poll_ns = now->mono_ns;
    err = start_listeners(app);
    if (err == LIMPET_OK) {
        writer_start(&app->writer);
        metrics_sample(&app->metrics); /* with what the writer found in storage */
    }
    return err;
}

#if LIMPET_TLS
static int init_tls(struct app *app)
{
    return app_tls_init(&app->secure, &app->config, &app->net, &app->client, &app->log);
}

static void set_tls_time(struct app *app, const struct port_time *now)
{
    app_tls_set_time(&app->secure, now->mono_ns, now->unix_ns);
}
#else
static int init_tls(struct app *app)
{
    (void)app;
    return LIMPET_OK;
}

static void set_tls_time(struct app *app, const struct port_time *now)
{
    (void)app;
    (void)now;
}
#endif

static void init_servers(struct app *app)
{
    const struct config_server *config = &app->config.server;
    uint64_t body_len_max = app->config.router.body_len_max;
    const struct server_options options = {
        .header_timeout_ms = config->read_header_timeout_ms,
        .stall_timeout_ms = LIMPET_STALL_TIMEOUT_MS,
        .idle_timeout_ms = config->idle_timeout_ms,
        .read_timeout_ms = config->read_timeout_ms,
        .write_timeout_ms = config->write_timeout_ms,
        .head_len_max = config->head_len_max,
        .body_len_max = body_len_max > 0 ? body_len_max : UINT64_MAX,
        .log_prefix = "[SERVICE: Gateway]",
    };
    struct server_handler handler = gateway_handler(&app->gateway);
    server_init(&app->gateway_server, &app->net, &app->timers, &app->log, app->gateway_conns,
                LIMPET_GATEWAY_CONNS, &handler, &options);
    const struct server_options stats_options = {
        .header_timeout_ms = LIMPET_HEADER_TIMEOUT_MS,
        .stall_timeout_ms = LIMPET_STALL_TIMEOUT_MS,
        .idle_timeout_ms = LIMPET_IDLE_TIMEOUT_MS,
        .body_len_max = LIMPET_DRAIN_LEN_MAX, /* nobody reads it; the method is answered */
        .log_prefix = "[SERVICE: Stats]",
    };
    handler = report_handler(&app->report);
    server_init(&app->stats_server, &app->net, &app->timers, &app->log, app->stats_conns,
                LIMPET_STATS_CONNS, &handler, &stats_options);
}

/* A netif of our own has no loopback: what listens there only is closed. Where a host publishes our
 * ports, the address is its affair. */
static int start_listener(struct app *app, struct server *server,
                          const struct config_listen *listen, const char *prefix)
{
    if (app->net.loopback_ip4 == 0 && listen->ip4 >> 24 == 127u) {
        log_line(&app->log, LOG_WARN, prefix,
                 "its listen address is loopback, which nobody can reach here: closed");
        return LIMPET_OK;
    }
    return server_start(server, listen->port);
}

static int start_listeners(struct app *app)
{
    const struct config *config = &app->config;
    int err = start_listener(app, &app->gateway_server, &config->listen, "[SERVICE: Gateway]");
    const struct config_metrics *metrics = &config->metrics;
    if (err != LIMPET_OK || !metrics->enabled || metrics->endpoint_disabled) {
        return err;
    }
    return start_listener(app, &app->stats_server, &metrics->listen, "[SERVICE: Stats]");
}

/* ---- The turn ---------------------------------------------------------------------------------
 */

/* Timers expire against the time of the turn before: when a deadline passes, peers get one full
 * turn of frames first. A long turn (a step of a TLS handshake takes seconds on a small board)
 * moves all deadlines: nobody could be heard in it. */
uint64_t app_poll(struct app *app, const struct port_time *port_now)
{
    const struct port_time believed = believable(port_now);
    const struct port_time *now = &believed;
    uint64_t before_ns = app->last_poll_ns;
    assert(now->mono_ns >= before_ns);
    uint64_t late_ns = app_service_turn(app, now->mono_ns, now->unix_ns);
    if (late_ns > LIMPET_MS_TO_NS(LIMPET_TURN_LATE_MS)) {
        timers_postpone(&app->timers, late_ns);
    }
    set_time(app, now);
    net_poll(&app->net, LIMPET_WORK_PER_TURN);
    timers_expire(&app->timers, before_ns, LIMPET_WORK_PER_TURN);
    close_due_window(app, now->mono_ns);
    if (app->stopping) {
        stop_step(app, now->mono_ns);
    }
    app->last_poll_ns = now->mono_ns;
    bool more = net_poll(&app->net, 0); /* asks only: timers make transports ready, too */
    uint64_t timer_ns = timers_next_ns(&app->timers);
    uint64_t tick_ns = metrics_next_tick_ns(&app->metrics);
    uint64_t next_ns = timer_ns < tick_ns ? timer_ns : tick_ns;
    next_ns = more ? now->mono_ns : next_ns;
    app_service_due(app, next_ns);
    return next_ns;
}

/* A machine that has lost its clock, or a time server that is wrong: better no time than theirs. */
static struct port_time believable(const struct port_time *now)
{
    bool known = now->unix_ns >= LIMPET_BUILD_UNIX_S * (int64_t)LIMPET_S_TO_NS(1);
    return (struct port_time){.mono_ns = now->mono_ns, .unix_ns = known ? now->unix_ns : 0};
}

static void set_time(struct app *app, const struct port_time *now)
{
    server_set_time(&app->gateway_server, now->mono_ns, now->unix_ns);
    server_set_time(&app->stats_server, now->mono_ns, now->unix_ns);
    client_set_time(&app->client, now->mono_ns);
    gateway_set_time(&app->gateway, now->mono_ns, now->unix_ns);
    writer_set_time(&app->writer, now->mono_ns, now->unix_ns);
    set_tls_time(app, now);
}

static void close_due_window(struct app *app, uint64_t now_ns)
{
    if (metrics_tick(&app->metrics, now_ns)) {
        writer_window(&app->writer);
    }
}

/* ---- The stop ---------------------------------------------------------------------------------
 */

void app_stop(struct app *app, const struct port_time *now)
{
    if (app->stopping) {
        return;
    }
    app->stopping = true;
    server_stop(&app->gateway_server);
    server_stop(&app->stats_server);
    timer_set(&app->timers, &app->stop_timer,
              now->mono_ns + LIMPET_MS_TO_NS(LIMPET_STOP_TIMEOUT_MS), stop_deadline, app);
}

bool app_stopped(const struct app *app)
{
    return app->stopped;
}

/* Running requests end first, so that the last window counts them; then it is closed and pushed. */
static void stop_step(struct app *app, uint64_t now_ns)
{
    if (!app->last_window_closed && servers_empty(app)) {
        app->last_window_closed = true;
        metrics_close_window(&app->metrics, now_ns);
        writer_window(&app->writer);
        writer_stop(&app->writer);
    }
    if (app->last_window_closed && writer_stopped(&app->writer)) {
        timer_cancel(&app->timers, &app->stop_timer);
        client_close_idle(&app->client);
        app->stopped = true;
    }
}

static void stop_deadline(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    struct app *app = ctx;
    if (!app->last_window_closed) {
        app->last_window_closed = true;
        metrics_close_window(&app->metrics, now_ns);
        writer_window(&app->writer);
    }
    writer_give_up(&app->writer);
    app->stopped = true;
}

static bool servers_empty(const struct app *app)
{
    return app->gateway_server.used == 0 && app->stats_server.used == 0;
}
