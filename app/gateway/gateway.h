/* The gateway: from a request head to an answer, counted.
 *
 * Handler of the gateway's server. Routes the path (gateway/router), runs one exchange a request
 * (gateway/exchange) through its pipe and backends, and counts router, pipe and backend layers in
 * the same turn in which the last byte of the answer is handed to the server. */
#ifndef LIMPET_GATEWAY_GATEWAY_H
#define LIMPET_GATEWAY_GATEWAY_H

#include "app_config.h"
#include "config/config.h"
#include "gateway/body.h"
#include "gateway/breaker.h"
#include "gateway/exchange.h"
#include "gateway/limits.h"
#include "gateway/router.h"
#include "gateway/shape.h"
#include "metrics/metrics.h"
#include "web/client.h"
#include "web/server.h"

/* A host outside of the configuration that a backend redirected to. Kept for good: idle connections
 * hold its name. */
struct redirect_host {
    struct config_host host;
    char text[LIMPET_REDIRECT_HOST_LEN_MAX];
};

/* For static placement; do not touch the fields. */
struct gateway {
    const struct config *config;
    struct metrics *metrics;
    struct client *client;
    struct timers *timers;
    struct log *log;
    struct router router;
    struct endpoint_series *endpoint_series[LIMPET_ENDPOINTS_MAX];
    struct proxy_series *pipe_series[LIMPET_ENDPOINTS_MAX];
    struct proxy_series *backend_series[LIMPET_BACKENDS_MAX];
    uint16_t host_next[LIMPET_BACKENDS_MAX]; /* round robin over a backend's hosts */
    struct exchange *free_exchange; /* given back; then come those never touched, by index */
    size_t exchanges_touched;
    size_t exchanges_used;
    size_t exchanges_used_max;
    uint64_t exchanges_refused; /* told 503 */
    struct body *free_body;     /* likewise: memory that no request needed is never touched */
    size_t bodies_touched;
    size_t bodies_used;
    size_t bodies_used_max;
    uint64_t bodies_refused; /* each the error of one backend call */
    struct backend *body_line; /* answers that wait for a body, first come, first served */
    size_t body_line_len;
    struct backend *free_call;
    size_t calls_touched;
    size_t calls_used;
    size_t calls_used_max;
    uint64_t calls_refused; /* each the error of one backend call */
    uint64_t cors_preflights;
    uint64_t cors_refused; /* of these */
    size_t redirect_host_count;
    uint64_t now_ns;
    int64_t unix_ns;
    struct limits limits;
    struct breakers breakers;
    struct shape_scratch shape;
    struct redirect_host redirect_hosts[LIMPET_REDIRECT_HOSTS];
    struct exchange exchanges[LIMPET_EXCHANGES];
    struct backend calls[LIMPET_BACKEND_CALLS];
    struct body bodies[LIMPET_BODIES];
};

/* Opens every metric series of the configuration and builds the routes. Takes the start of each
 * round robin from port_entropy. LIMPET_ERR_FULL: the metrics table is too small; LIMPET_ERR_RANGE:
 * a path has too many parts. Both are logged. */
LIMPET_WARN_UNUSED
int gateway_init(struct gateway *gateway, const struct config *config, struct metrics *metrics,
                 struct client *client, struct timers *timers, struct log *log);
/* The handler to give to server_init. */
struct server_handler gateway_handler(struct gateway *gateway);
void gateway_set_time(struct gateway *gateway, uint64_t now_ns, int64_t unix_ns);

/* ---- For the parts of the gateway -------------------------------------------------------------
 */

/* NULL (counted) when all are in use. */
struct body *gateway_take_body(struct gateway *gateway);
void gateway_give_body(struct gateway *gateway, struct body *body);    /* NULL is allowed */
void gateway_give_bodies(struct gateway *gateway, struct body *first); /* and all behind it */
/* True: `b` stands in line for a body, and an event of its call follows once it may try again.
 * False: one is free for it, or the line is full. One backend connection never waits here, so that
 * those who hold bodies get the connections that they need and go on. */
bool gateway_line_up(struct gateway *gateway, struct backend *b);
void gateway_leave_line(struct gateway *gateway, struct backend *b);
/* Zeroed; NULL (counted) when all are in use. */
struct backend *gateway_take_call(struct gateway *gateway);
void gateway_give_call(struct gateway *gateway, struct backend *call);
void gateway_give_exchange(struct gateway *gateway, struct exchange *x);
/* The host that this authority means, known or kept from now on. LIMPET_ERR_FULL: no room in the
 * table; LIMPET_ERR_TOO_LONG: longer than LIMPET_REDIRECT_HOST_LEN_MAX. */
LIMPET_WARN_UNUSED
int gateway_redirect_host(struct gateway *gateway, struct slice authority, struct slice name,
                          uint16_t port, bool tls, const struct config_host **host);
/* Begins a line of an endpoint's log; ends with log_end(gateway->log). */
struct out *gateway_log(struct gateway *gateway, enum log_level level,
                        const struct config_endpoint *endpoint);

#endif
