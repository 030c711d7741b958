/* krakend.json -> struct config: all that the daemon is told, checked and with defaults filled in.
 *
 * The text must stay in place and unchanged as long as the config is used: slices point into it, or
 * into `strings` for what does not stand verbatim in it. Nothing of cJSON's tree survives
 * config_load(). */
#ifndef LIMPET_CONFIG_CONFIG_H
#define LIMPET_CONFIG_CONFIG_H

#include "app_config.h"
#include "base/err.h"
#include "base/log.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_HEAD,
              METHOD_OPTIONS, METHOD_CONNECT, METHOD_TRACE, METHOD_OTHER };

/* Of a backend: JSON, NO_OP, STRING, SAFE_JSON. Of an endpoint: all but SAFE_JSON. */
enum encoding { ENCODING_JSON, ENCODING_NO_OP, ENCODING_STRING, ENCODING_SAFE_JSON,
                ENCODING_JSON_COLLECTION };

/* Where a listener is reachable. ip4 0 = all addresses. Host byte order. */
struct config_listen {
    uint32_t ip4;
    uint16_t port;
};

/* One place to send requests to: scheme, name or IPv4 literal, port. */
struct config_host {
    struct slice name;      /* without brackets, port and scheme */
    struct slice authority; /* for the Host header: name, and :port unless it is the default */
    uint16_t port;
    bool tls;
};

/* One piece of a url_pattern or of an endpoint path. The pieces in their order are the whole text:
 * "/p/{id}/x" is TEXT "/p/", PARAM "id", TEXT "/x". A param of an endpoint fills the segment
 * between two slashes. In a url_pattern a piece ends before the first '?', the first byte of the
 * next. {resp0_a.b} of a sequential endpoint is RESPONSE: the value at "a.b" in the answer of
 * backend 0. */
enum segment_kind { SEGMENT_TEXT, SEGMENT_PARAM, SEGMENT_RESPONSE };
struct config_segment {
    enum segment_kind kind;
    struct slice text;  /* literal bytes, the parameter's name, or the path in a response */
    uint8_t param;      /* index into the endpoint's params; RESPONSE: the backend's number */
    bool in_query;      /* url_pattern: from the '?' on */
};

/* A run of config.names. */
struct config_names {
    uint16_t first;
    uint16_t count;
};

/* Which header fields or query parameters of a request go on. Query names are in order of bytes. */
struct config_pass {
    bool given; /* there is a list, and it is not empty */
    bool all;   /* it holds "*" */
    struct config_names names;
};

/* Dotted paths of `allow` or `deny` as a tree. */
struct config_node {
    struct slice name;
    uint16_t child; /* into config.nodes, of the first key below; 0 = the path ends here */
    uint16_t next;  /* of the next key of this level; 0 = none */
};

/* What is done with a backend's body, in this order. */
struct config_shape {
    bool is_collection;         /* the body is a list: {"collection": [...]} */
    bool allows;                /* the filter keeps what it names, else it removes that */
    uint16_t filter;            /* into config.nodes; 0 = none */
    struct config_names target; /* keys from the top on */
    struct config_names mapping; /* pairs: key, its new name */
    struct slice group;          /* empty = none */
};

/* A token bucket that never rounds: how long a token takes to come, and all but one of them, in ns
 * and `parts` of one. spare + token <= 2^61 ns. */
struct config_rate {
    uint64_t token_ns;
    uint64_t spare_ns;
    uint64_t token_part; /* < parts */
    uint64_t spare_part; /* < parts */
    uint64_t parts;      /* 1..2^60 */
    uint32_t capacity;   /* tokens; >= 1 */
};

/* Who counts as one client of an endpoint, and what each of them may ask for. */
enum client_strategy { CLIENT_IP, CLIENT_HEADER, CLIENT_PARAM };
struct config_client {
    uint16_t rate; /* as config_endpoint.rate */
    uint8_t param; /* PARAM: which one */
    enum client_strategy strategy;
    struct slice key; /* HEADER: the field's name; IP: of a field with an address, or empty */
};

struct config_breaker {
    struct slice name;
    uint64_t interval_ns; /* failures count anew after it; 0 = never */
    uint64_t timeout_ns;  /* > 0 */
    uint32_t errors_max;  /* in a row; one more opens */
    bool log_change;
};

struct config_backend {
    struct slice url_pattern;  /* as written, with one leading '/' */
    struct slice metric_name;  /* {x} turned into {{.X}} */
    enum method method;
    enum encoding encoding;
    uint16_t host_first; /* into config.host_refs */
    uint16_t host_count; /* >= 1 */
    uint16_t segment_first; /* into config.segments */
    uint16_t segment_count;
    struct config_shape shape;
    struct config_pass headers; /* of those that the endpoint lets through */
    struct config_pass query;
    struct slice error_details; /* return_error_details; empty = no */
    bool error_code;            /* return_error_code; never beside the other key */
    uint16_t rate;    /* of calls; as config_endpoint.rate */
    uint16_t breaker; /* into config.breakers, counted from 1; 0 = none */
};

/* When the fixed data of an endpoint is merged into its answer. */
enum static_strategy {
    STATIC_NEVER,
    STATIC_ALWAYS,
    STATIC_SUCCESS,
    STATIC_ERRORED,
    STATIC_COMPLETE,
    STATIC_INCOMPLETE,
};

struct config_endpoint {
    struct slice path;        /* as written, cleaned: one leading '/' */
    struct slice metric_name; /* {x} turned into :x */
    enum method method;
    enum encoding output_encoding;
    uint32_t timeout_ms;   /* of the whole exchange; > 0 */
    uint32_t cache_ttl_s;  /* 0 = no Cache-Control */
    uint16_t backend_first; /* into config.backends */
    uint16_t backend_count; /* >= 1 */
    uint16_t segment_first; /* into config.segments */
    uint16_t segment_count;
    uint8_t param_count;
    uint8_t concurrent_calls; /* of each backend; >= 1 */
    bool sequential;
    enum static_strategy static_strategy;
    struct slice static_data; /* an object without white space and equal keys */
    struct config_pass headers; /* not given: Content-Type only */
    struct config_pass query;   /* not given: none */
    uint16_t rate; /* of all clients together; into config.rates, counted from 1; 0 = no limit */
    struct config_client client;
    bool declared; /* false: the built-in default configuration made it */
};

/* Whom to trust and who we are, where connections are encrypted: paths of PEM files. */
struct config_tls {
    struct slice ca_files[LIMPET_TLS_FILES];
    uint8_t ca_file_count;
    bool system_disabled;   /* the system's authorities are not trusted */
    struct slice cert_file; /* client certificate and its chain; empty = none */
    struct slice key_file;
};

/* How long clients of the gateway may take, and how much they may say: what holds, defaults filled
 * in. */
struct config_server {
    uint32_t read_header_timeout_ms; /* > 0 */
    uint32_t read_timeout_ms;        /* head and body; 0 = as long as bytes come */
    uint32_t write_timeout_ms;       /* 0 = as long as bytes go */
    uint32_t idle_timeout_ms;        /* > 0 */
    uint32_t head_len_max;           /* bytes, at most LIMPET_HEAD_LEN_MAX */
};

/* Addresses that begin alike. Both families in 16 bytes: IPv4 stands behind ::ffff:0:0/96. */
struct config_network {
    uint8_t address[16];
    uint8_t bits; /* that count; 96..128 for IPv4 */
};

/* `router` of the service's extra_config. Zeroed = nothing given. */
struct config_router {
    bool return_error_msg; /* an error's text is its answer's body */
    bool auto_options;     /* OPTIONS of an endpoint's path is answered with its methods */
    bool version_hidden;   /* X-Krakend: Version undefined */
    bool health_disabled;
    bool access_log_disabled;
    bool slash_redirects_disabled;
    bool path_redirects_disabled;
    bool method_check_disabled;   /* 404 instead of 405 */
    bool path_decoding_disabled;  /* params that are escaped twice go on */
    bool extra_slashes_removed;   /* a path is cleaned before it is looked up */
    bool forwarded_by_client_ip;  /* see gateway/client_ip.h */
    uint8_t trusted_count;
    uint16_t timeout_status;      /* of an answer that came too late; 0 = 500 */
    uint16_t bad_gateway_status;  /* where no backend gave an answer at all; 0 = 500 */
    struct slice health_path;     /* empty = /__health */
    struct slice body_404;        /* JSON; empty = the plain text */
    struct slice body_405;
    uint64_t body_len_max;        /* of requests; 0 = unlimited */
    struct config_names ip_headers; /* none = X-Forwarded-For, X-Real-IP */
    struct config_names skip_paths; /* of the access log */
    struct config_network trusted[LIMPET_TRUSTED_PROXIES]; /* none = every peer */
};

/* security/cors of the service's extra_config. Zeroed = off. */
struct config_cors {
    bool enabled;    /* the namespace is there */
    bool any_origin; /* no list, or "*" in it */
    bool any_header; /* the same */
    bool credentials;
    bool private_network;
    bool passthrough; /* preflights go on to the router */
    bool debug;
    uint16_t methods;        /* bits of enum method; OPTIONS always */
    uint16_t success_status; /* of a preflight's answer; default 204 */
    uint32_t max_age_s;      /* 0 = no field */
    struct config_names origins; /* each with one '*' at most */
    struct config_names headers;
    struct slice exposed; /* "A, B"; empty = no field */
};

struct config_metrics {
    bool enabled; /* the namespace is there */
    bool proxy_disabled;
    bool router_disabled;
    bool backend_disabled;
    bool endpoint_disabled; /* closes the metrics listener, nothing else */
    uint64_t collection_time_ns; /* >= 1 s; default 60 s */
    struct config_listen listen; /* default :8090 */
};

struct config_influx {
    bool enabled;
    struct config_host host;
    struct slice base_path; /* of `address`, without a slash at the end; usually empty */
    uint64_t ttl_ns;        /* >= 1 s; default 60 s */
    struct slice db;        /* default "krakend" */
    struct slice username;  /* empty = no authentication */
    struct slice password;
    struct slice token;     /* not empty: /api/v2/write, and no db, username, password */
    struct slice org;       /* may be empty: InfluxDB 3 has none */
    struct slice bucket;    /* not empty with a token */
    uint32_t buffer_size;   /* datapoints */
    bool drop_estimated;    /* windows whose date could only be estimated are not sent */
    struct slice host_tag;  /* empty = the host's name */
    struct config_tls tls;
};

/* For static placement; read what you need, change nothing. */
struct config {
    struct slice text;
    struct config_listen listen; /* gateway: listen_ip and port; default :8080 */
    uint32_t timeout_ms;  /* default 2000 */
    uint32_t cache_ttl_s;
    bool echo_endpoint;  /* /__echo/ */
    bool debug_endpoint; /* /__debug/ */
    struct config_server server;
    struct config_router router;
    struct config_cors cors;
    enum log_level log_level;
    struct config_metrics metrics;
    struct config_influx influx;
    struct slice time_server; /* "name" or "name:port"; empty = none */
    struct config_tls client_tls; /* of connections to backends */
    uint16_t endpoint_count;
    uint16_t backend_count;
    uint16_t host_count;
    uint16_t host_ref_count;
    uint16_t segment_count;
    uint16_t name_count;
    uint16_t node_count; /* the first one is not used */
    uint16_t rate_count;
    uint16_t breaker_count;
    struct config_endpoint endpoints[LIMPET_ENDPOINTS_MAX];
    struct config_backend backends[LIMPET_BACKENDS_MAX];
    struct config_host hosts[LIMPET_HOSTS_MAX];
    uint16_t host_refs[LIMPET_HOST_REFS_MAX];
    struct config_segment segments[LIMPET_SEGMENTS_MAX];
    struct slice names[LIMPET_NAMES_MAX];
    struct config_node nodes[LIMPET_FILTER_NODES_MAX];
    struct config_rate rates[LIMPET_RATES_MAX];
    struct config_breaker breakers[LIMPET_BREAKERS_MAX];
    struct out strings_out;
    char strings[LIMPET_CONFIG_STRINGS_LEN_MAX];
};

/* One thing that is wrong (or only worth a word), in the order of the text. Slices live during the
 * call. */
enum config_finding_kind {
    CONFIG_ERROR,   /* the configuration is refused */
    CONFIG_WARNING, /* accepted, but the user should know */
    CONFIG_NO_EFFECT, /* an accepted key that changes nothing here (shown by `check`) */
};
struct config_finding {
    enum config_finding_kind kind;
    uint32_t line;   /* 1-based; 0 = the file as a whole */
    uint32_t column; /* 1-based, in characters */
    struct slice path;    /* "endpoints[0].backend[0].url_pattern"; empty = the file as a whole */
    struct slice message; /* "expected a string, got 7" */
};
typedef void (*config_report_fn)(void *ctx, const struct config_finding *finding);

/* Loads and checks. `scratch` (findings and cJSON's tree, any alignment) is free again on return,
 * and what was used of it is zero: it may overlay memory that the application finds zeroed.
 * Every error is reported, in the order of the text; of more than LIMPET_FINDINGS_MAX findings the
 * rest is counted ("and 3 more errors"). Returns LIMPET_OK, or LIMPET_ERR_SYNTAX (no JSON),
 * LIMPET_ERR_RANGE (at least one error was reported), LIMPET_ERR_FULL (scratch too small, or the
 * text longer than LIMPET_CONFIG_TEXT_LEN_MAX; reported too). After an error the config is not
 * usable. */
LIMPET_WARN_UNUSED
int config_load(struct config *config, struct slice text, void *scratch, size_t scratch_len,
                config_report_fn report, void *report_ctx);

/* `-p PORT` and `-d` of the command line win over the file. */
void config_override_port(struct config *config, uint16_t port);

struct slice method_name(enum method method);
enum method method_from_name(struct slice name); /* METHOD_OTHER when unknown; case-sensitive */

#endif
