/* The gateway: from a request head to an answer, counted.
 *
 * Handler of the gateway's server. Routes the path (gateway/router), runs one exchange a request
 * (gateway/exchange) through its pipe and backends, and counts router, pipe and backend layers in the same
 * turn in which the last byte of the answer is handed to the server. */
#ifndef LIMPET_GATEWAY_GATEWAY_H
#define LIMPET_GATEWAY_GATEWAY_H

#include "app_config.h"
#include "config/config.h"
#include "gateway/exchange.h"
#include "gateway/router.h"
#include "metrics/metrics.h"
#include "web/client.h"
#include "web/server.h"

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
    struct exchange *free_exchange;
    size_t exchanges_used;
    size_t exchanges_used_max;
    uint64_t exchanges_refused;
    struct body *free_body;
    size_t bodies_used;
    size_t bodies_used_max;
    uint64_t bodies_refused;
    uint64_t now_ns;
    int64_t unix_ns;
    struct exchange exchanges[LIMPET_EXCHANGES];
    struct body bodies[LIMPET_BODIES];
};

/* Opens every metric series of the configuration and builds the routes. LIMPET_ERR_FULL: a table is too
 * small (config_load has checked, so this is said as an error of ours). */
LIMPET_WARN_UNUSED
int gateway_init(struct gateway *gateway, const struct config *config, struct metrics *metrics,
                 struct client *client, struct timers *timers, struct log *log);
/* The handler to give to server_init. */
struct server_handler gateway_handler(struct gateway *gateway);
void gateway_set_time(struct gateway *gateway, uint64_t now_ns, int64_t unix_ns);

#endif
