/* The inside of config_load: what its parts share. Not for other rooms.
 *
 * cJSON's tree gives types and unescaped strings, the scanner's iterator gives the place of each
 * value in the text. Both keep the order of the members, so they are walked side by side: a node is
 * both. */
#ifndef LIMPET_CONFIG_LOADER_H
#define LIMPET_CONFIG_LOADER_H

#include "base/json.h"
#include "config/config.h"
#include "config/finding.h"
#include "config/keys.h"
#include "config/path.h"

#include <cJSON.h>

/* Zeroed = the key is not there. Given but of a wrong type (reported): raw without item. */
struct node {
    const cJSON *item;
    struct slice raw; /* in the text */
};

/* The tables of struct config that a configuration can overrun. */
enum table {
    TABLE_ENDPOINTS,
    TABLE_BACKENDS,
    TABLE_HOSTS,
    TABLE_HOST_REFS,
    TABLE_SEGMENTS,
    TABLE_NAMES,
    TABLE_NODES,
    TABLE_RATES,
    TABLE_BREAKERS,
    TABLE_STRINGS,
    TABLE_COUNT
};

struct table_use {
    size_t needed;
    const char *at; /* the first value that did not fit; NULL = all do */
};

/* The keys of the levels that lie within each other. They are as many as a board's stack has
 * bytes for everything else. */
struct loader_levels {
    struct node root[ROOT_KEYS];
    struct node endpoint[ENDPOINT_KEYS];
    struct node backend[BACKEND_KEYS];
    struct node backend_extra[BACKEND_EXTRA_KEYS];
    struct node backend_http[BACKEND_HTTP_KEYS];
    struct node backend_proxy[PROXY_KEYS];
};

/* At the start of the scratch memory; cJSON's tree stands behind it. */
struct loader_scratch {
    struct findings findings;
    struct loader_levels levels;
};

struct loader {
    struct config *config;
    struct findings *findings;
    struct loader_levels *levels;
    struct table_use use[TABLE_COUNT];
    struct node root;
    enum encoding output_encoding; /* default of the endpoints */
    uint16_t host_first;           /* host_refs of the root's "host" */
    uint16_t host_count;
    bool has_host;          /* the root names one, be it a good one or not */
    uint16_t responses;     /* backends before this one whose answers it may use */
    const char *metrics_at; /* telemetry/metrics or its listen_address */
    const char *health_at;  /* router's health_path; NULL = not given */
};

/* ---- Nodes (section.c) ---- */

/* Members of an object or elements of a list, in order. */
struct node_iter {
    struct json_iter raw;
    const cJSON *next;
};
struct node_member {
    struct slice name;   /* unescaped; lives as long as the tree */
    const char *name_at; /* its quote in the text; NULL in a list */
    struct node node;
};
void node_iter_init(struct node_iter *iter, struct node container);
bool node_iter_next(struct node_iter *iter, struct node_member *member);

/* Usable: given, and of the type that the table asks for. */
bool node_ok(struct node node);
bool node_given(struct node node);
size_t node_count(struct node list);
/* Of a usable string: unescaped. In the text when it has no escape, else in the tree: see
 * loader_keep. */
struct slice node_string(struct node node);
/* Of a usable boolean; false when not usable. */
bool node_true(struct node node);

/* ---- Sections (section.c) ---- */

/* Sorts the members of `object` into found[0..count): checks names, types and what is supported,
 * and reports. `found` is cleared first; nothing is found when the object is not usable. */
void section_read(struct loader *l, enum section section, struct node object, struct node *found,
                  size_t count);

/* Warns of each of these keys that is given and not empty: it has no effect, `text` says why. */
void section_idle(struct loader *l, const struct node *found, const uint8_t *keys, size_t count,
                  const char *text);

/* ---- Values (value.c) ---- */

/* They report what is out of range, and leave *value alone when the node is not usable. */
void value_number(struct loader *l, struct node node, uint64_t min, uint64_t max, uint64_t *value);
/* A duration that must not be 0. */
void value_interval_ns(struct loader *l, struct node node, uint64_t min_ns, uint64_t *value);
/* "timeout" and "cache_ttl": 0s leaves the default. */
void value_timeout_ms(struct loader *l, struct node node, uint32_t *value);
void value_cache_ttl_s(struct loader *l, struct node node, uint32_t *value);
/* One of the encodings of a backend, or of an endpoint. */
void value_encoding(struct loader *l, struct node node, bool backend, enum encoding *value);
/* One of the methods up to `last`. */
void value_method(struct loader *l, struct node node, enum method last, enum method *value);
/* A string without control characters; false when there is none. The slice as node_string. */
bool value_text(struct loader *l, struct node node, struct slice *value);

/* ---- Findings (loader.c) ---- */

/* Pairs with finding_end(l->findings). */
struct out *loader_error_begin(struct loader *l, const char *at);
void loader_error(struct loader *l, const char *at, const char *text);
void loader_warning(struct loader *l, const char *at, const char *text);

/* A limit that a configuration goes beyond, and the option that sets it. */
struct overrun {
    const char *what;
    const char *option;
    size_t needed;
    size_t available;
};
/* Does a request line with a path of that length fit into `line_max` bytes? An error if not. */
bool loader_line_fits(struct loader *l, const char *at, size_t path_len, size_t line_max,
                      const char *option);
void loader_report_overrun(struct loader *l, const char *at, const struct overrun *overrun);
/* Of an address, a host: the quoted text and what is wrong with it. */
void loader_report_address(struct loader *l, const char *at, struct slice text,
                           const char *problem);

/* ---- Tables of struct config (loader.c) ---- */

/* Room for `count` more? The need is counted in any case. `at`: who needs it. */
bool loader_take(struct loader *l, enum table table, size_t count, const char *at);
/* An error for each table that was overrun. */
void loader_report_tables(struct loader *l);
/* The same text where it may stay: as it is when it is in the configuration's text, else copied
 * into config->strings. Empty when there is no room (reported by loader_report_tables). */
struct slice loader_keep(struct loader *l, struct slice s, const char *at);
/* A string of `len` bytes that is written piece by piece: NULL when there is no room; else that
 * number of bytes goes into the writer, then loader_composed gives the string. */
struct out *loader_compose(struct loader *l, size_t len, const char *at);
struct slice loader_composed(struct loader *l, size_t len);

/* ---- Paths (segment.c) ---- */

/* One slash in front, kept. Empty when there is no room. */
struct slice loader_clean_path(struct loader *l, struct slice path, const char *at);
/* Reports the byte `bad` of a path, which must not be there. */
void loader_report_byte(struct loader *l, const char *at, struct slice path, size_t bad);
/* The pieces of a path into config->segments; PARAMs take their index from `params`, {respN_...}
 * that is none of them becomes a RESPONSE. */
void loader_store_segments(struct loader *l, struct slice path, const struct path_params *params,
                           const char *at, uint16_t *first, uint16_t *count);

/* ---- Parts of the configuration ---- */

void loader_read_service(struct loader *l);                             /* service.c */
void loader_read_telemetry(struct loader *l, struct node extra_config); /* telemetry.c */
void loader_read_client_tls(struct loader *l, struct node node);        /* client_tls.c */
void loader_read_router(struct loader *l, struct node node);            /* router.c */
void loader_read_cors(struct loader *l, struct node node);              /* cors.c */
/* The router's health path must not be an endpoint's, too: when the endpoints are read. router.c */
void loader_check_health_path(struct loader *l);
/* The keys of telemetry/influx that are about TLS. client_tls.c */
void loader_read_influx_tls(struct loader *l, const struct node *found);
void loader_read_endpoints(struct loader *l, struct node list);         /* endpoint.c */
/* Of one endpoint; `params` is NULL when its path is not usable. backend.c */
void loader_read_backends(struct loader *l, struct node list, struct config_endpoint *endpoint,
                          const struct path_params *params);
/* The keys of a backend about its answer's body and about what is forwarded. shaping.c */
void loader_read_shaping(struct loader *l, const struct node *found,
                         struct config_backend *backend);
/* input_headers, and input_query_strings (sorted). shaping.c */
void loader_read_headers(struct loader *l, struct node list, struct config_pass *pass);
void loader_read_query(struct loader *l, struct node list, struct config_pass *pass);
/* A list of strings into config->names. shaping.c */
void loader_read_names(struct loader *l, struct node list, struct config_names *names);
/* A JSON value without the white space between its tokens, kept. Empty when there is no room.
 * shaping.c */
struct slice loader_squeeze(struct loader *l, struct slice json);
/* static, of an endpoint. shaping.c */
void loader_read_static(struct loader *l, struct node node, struct config_endpoint *endpoint);
/* qos/ratelimit/router of an endpoint (`params` as loader_read_backends), qos/ratelimit/proxy and
 * qos/circuit-breaker of a backend. limits.c */
void loader_read_limits(struct loader *l, struct node node, struct config_endpoint *endpoint,
                        const struct path_params *params);
void loader_read_backend_limits(struct loader *l, struct node rate, struct node breaker,
                                struct config_backend *backend);
/* Is it respN_path? Then N and the path. segment.c */
bool loader_response_param(struct slice name, uint64_t *number, struct slice *path);
/* A "host" list into config->host_refs. backend.c */
void loader_read_hosts(struct loader *l, struct node list, uint16_t *first, uint16_t *count);

#endif
