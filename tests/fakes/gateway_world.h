/* A gateway between a fake client and fake backends: a configuration built by hand, a log that is
 * kept, metrics that are written down, a clock that the test moves. */
#ifndef GATEWAY_WORLD_H
#define GATEWAY_WORLD_H

#include "fakes/fake_client.h"
#include "fakes/fake_metrics.h"
#include "fakes/fake_server.h"

#include "gateway/gateway.h"

struct world {
    struct config config;
    struct gateway gateway;
    struct client client;
    struct timers timers;
    struct timer *heap[LIMPET_TIMERS];
    struct log log;
    struct server_handler handler;
    char log_text[16384];
    size_t log_len;
    uint64_t now_ns;
};

extern struct world world;

/* Nothing in it, one host http://10.0.0.9:9099. */
void world_reset(void);
/* Another host; its index. */
uint16_t world_host(const char *name, const char *authority, uint16_t port);
/* One endpoint with one backend on `host_count` hosts from `host_first` on. Texts must stay. */
struct config_endpoint *world_endpoint(enum method method, const char *path, enum encoding encoding,
                                       const char *url_pattern, uint16_t host_first,
                                       uint16_t host_count);
/* One more backend of the endpoint that was added last. */
struct config_backend *world_backend(const char *url_pattern, uint16_t host_first);
void world_start(void);            /* gateway_init; the metrics log is empty then */
void world_move_time(uint64_t ms); /* and lets timers expire */
/* A request arrives: runs the handler. */
void world_request(struct fake_conn *f);
bool world_logged(const char *text);
/* Exchanges, bodies and timers are all given back. */
bool world_is_idle(void);

#endif
