/* The whole core: what a port includes. One struct, three calls.
 *
 * The port brings up lwIP and a netif, then app_init once, then in its loop: frames in (at most 8 a
 * batch), sys_check_timeouts(), app_poll(), idle until app_poll's deadline or the next frame. */
#ifndef LIMPET_APP_H
#define LIMPET_APP_H

#include "app_config.h"
#include "app_service.h"
#include "app_tls.h"
#include "base/log.h"
#include "base/timer.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "influx/writer.h"
#include "metrics/registry.h"
#include "net/net.h"
#include "port/port.h"
#include "report/listener.h"
#include "web/client.h"
#include "web/server.h"

/* A table of the port's own values (metrics/service.h); all of it must stay. */
struct app_values {
    const struct metrics_value *table;
    size_t count;
    const void *base;
};

struct app_options {
    struct slice host_name; /* InfluxDB's `host` tag */
    uint32_t loopback_ip4;  /* what the host's 127.0.0.1 is called on the netif; 0 = none. Host byte
                               order */
    const char *const *argv; /* for `cmdline`, argc entries; must stay */
    int argc;
    uint32_t boots;               /* of this storage, this one included; 0 = nobody counts */
    enum port_reset reset_reason;
    const struct port_storage *storage; /* for windows that wait; NULL = none */
    const struct app_values *values; /* of the port, below limpet.; NULL = none */
    size_t values_count;
};

/* For static placement by `main`; read what you need, change nothing. Zero-initialised. */
struct app {
    struct config config;
    struct log log;
    struct net net;
    struct timers timers;
    struct timer *timer_heap[LIMPET_TIMERS];
    struct metrics metrics;
    struct server gateway_server;
    struct server_conn gateway_conns[LIMPET_GATEWAY_CONNS];
    struct server stats_server;
    struct server_conn stats_conns[LIMPET_STATS_CONNS];
    struct client client;
    struct client_conn backend_conns[LIMPET_BACKEND_CONNS];
    struct gateway gateway;
    struct report report;
    struct writer writer;
#if LIMPET_TLS
    struct app_tls secure;
#endif
    struct app_service service;
    struct timer stop_timer;
    uint64_t last_poll_ns;
    bool stopping;
    bool last_window_closed;
    bool stopped;
};

/* Before app_init: loads the configuration into app->config. `text` must stay. As config_load. */
LIMPET_WARN_UNUSED
int app_load(struct app *app, struct slice text, config_report_fn report, void *report_ctx);

/* Starts everything with the loaded configuration: listeners, metrics, writer. The netif must have
 * an address. Errors: LIMPET_ERR_BUSY (a port is taken), LIMPET_ERR_FULL (a pool is too small);
 * logged. */
LIMPET_WARN_UNUSED
int app_init(struct app *app, const struct app_options *options, const struct port_time *now);

/* One turn. Returns the monotonic time of the next deadline (now = there is work left). */
uint64_t app_poll(struct app *app, const struct port_time *now);

/* Clean stop: listeners closed, running requests get LIMPET_STOP_TIMEOUT_MS, the last window is
 * closed and pushed, or counted and logged as dropped. Poll until app_stopped(). */
void app_stop(struct app *app, const struct port_time *now);
bool app_stopped(const struct app *app);

#endif
