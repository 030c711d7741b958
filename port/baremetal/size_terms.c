/* What struct app consists of, for tools/board-sizes: a table that is in the ELF file but not in
 * the image. The compiler counts, so no number is written twice. */
#include "app.h"

#include <stdint.h>

struct size_term {
    char name[40];
    uint32_t count;
    uint32_t size_bytes; /* of one */
};

#define MEMBER(type, member) sizeof(((const type *)0)->member)
#define ONE(text, member)                                                                          \
    {                                                                                              \
        (text), 1, MEMBER(struct app, member)                                                      \
    }
#define MANY(text, number, size)                                                                   \
    {                                                                                              \
        (text), (number), (size)                                                                   \
    }

/* What a room holds beside the tables that are named by themselves. */
#define CONFIG_REST                                                                                \
    (sizeof(struct config) - MEMBER(struct config, endpoints) - MEMBER(struct config, backends) -  \
     MEMBER(struct config, segments) - MEMBER(struct config, strings))
#define GATEWAY_REST                                                                               \
    (sizeof(struct gateway) - MEMBER(struct gateway, exchanges) - MEMBER(struct gateway, bodies) - \
     MEMBER(struct gateway, shape))
#define CLIENTS (LIMPET_GATEWAY_CONNS + LIMPET_STATS_CONNS)
#define CLIENT_REST                                                                                \
    (sizeof(struct server_conn) - sizeof(struct message_head) - MEMBER(struct server_conn, buf))
#define BACKEND_REST (sizeof(struct client_conn) - sizeof(struct message_head) - CLIENT_BUF_LEN)
#define METRICS_REST                                                                               \
    (sizeof(struct metrics) - MEMBER(struct metrics, endpoints) -                                  \
     MEMBER(struct metrics, proxies) - MEMBER(struct metrics, slots))
#define NET_REST (sizeof(struct net) - MEMBER(struct net, transports))
#define WRITER_REST (sizeof(struct writer) - MEMBER(struct writer, store.spool.ring))

__attribute__((section(".limpet_terms"), used)) static const struct size_term terms[] = {
    ONE("config: endpoints", config.endpoints),
    ONE("config: backends", config.backends),
    ONE("config: pieces of paths", config.segments),
    ONE("config: strings", config.strings),
    MANY("config: hosts, the rest", 1, CONFIG_REST),
    MANY("client connection: buffers for heads", CLIENTS, MEMBER(struct server_conn, buf)),
    MANY("client connection: parsed head", CLIENTS, sizeof(struct message_head)),
    MANY("client connection: the rest", CLIENTS, CLIENT_REST),
    MANY("backend connection: buffer for heads", LIMPET_BACKEND_CONNS, CLIENT_BUF_LEN),
    MANY("backend connection: parsed head", LIMPET_BACKEND_CONNS, sizeof(struct message_head)),
    MANY("backend connection: the rest", LIMPET_BACKEND_CONNS, BACKEND_REST),
    MANY("exchange", LIMPET_EXCHANGES, sizeof(struct exchange)),
    MANY("body", LIMPET_BODIES, sizeof(struct body)),
    MANY("shape: keys of one level", 1, MEMBER(struct gateway, shape)),
    MANY("gateway: routes, series, hosts", 1, GATEWAY_REST),
    MANY("metrics: histogram's buckets", LIMPET_HISTOGRAMS, sizeof(struct histogram_slot)),
    MANY("metrics: series of an endpoint", LIMPET_ENDPOINT_SERIES_MAX,
         sizeof(struct endpoint_series)),
    MANY("metrics: series of a pipe or backend", LIMPET_PROXY_SERIES_MAX,
         sizeof(struct proxy_series)),
    MANY("metrics: limpet.*, service, window", 1, METRICS_REST),
    ONE("report: index of the keys, pieces", report),
    MANY("influx: ring of windows", 1, MEMBER(struct app, writer.store.spool.ring)),
    MANY("influx: writer", 1, WRITER_REST),
    MANY("net: transport", LIMPET_TRANSPORTS, sizeof(struct transport)),
    MANY("net: resolver, lists", 1, NET_REST),
    ONE("timers", timer_heap),
    ONE("log: line", log),
    MANY("struct app", 1, sizeof(struct app)),
};
