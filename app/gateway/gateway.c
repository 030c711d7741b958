#include "gateway/gateway.h"

#include "gateway/builtin.h"
#include "gateway/cors.h"
#include "metrics/service.h"
#include "port/port.h"

#include <assert.h>
#include <string.h>

static int open_series(struct gateway *gateway);
static void add_values(struct gateway *gateway);
static void seed_hosts(struct gateway *gateway);
static void on_request(void *ctx, struct server_conn *c);
static void on_progress(void *ctx, struct server_conn *c);
static void on_gone(void *ctx, struct server_conn *c, int err);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

int gateway_init(struct gateway *gateway, const struct config *config, struct metrics *metrics,
                 struct client *client, struct timers *timers, struct log *log)
{
    gateway->config = config;
    gateway->metrics = metrics;
    gateway->client = client;
    gateway->timers = timers;
    gateway->log = log;
    gateway->free_exchange = NULL;
    gateway->exchanges_touched = 0;
    gateway->exchanges_used = 0;
    gateway->exchanges_used_max = 0;
    gateway->exchanges_refused = 0;
    gateway->free_body = NULL;
    gateway->bodies_touched = 0;
    gateway->bodies_used = 0;
    gateway->bodies_used_max = 0;
    gateway->bodies_refused = 0;
    gateway->free_call = NULL;
    gateway->calls_touched = 0;
    gateway->calls_used = 0;
    gateway->calls_used_max = 0;
    gateway->calls_refused = 0;
    gateway->cors_preflights = 0;
    gateway->cors_refused = 0;
    gateway->redirect_host_count = 0;
    gateway->now_ns = 0;
    gateway->unix_ns = 0;
    seed_hosts(gateway);
    limits_init(&gateway->limits, config);
    breakers_init(&gateway->breakers, config, log, 0);
    add_values(gateway);
    int err = router_init(&gateway->router, config);
    if (err != LIMPET_OK) {
        log_line(log, LOG_ERROR, "[SERVICE: Gateway]", "an endpoint's path has too many parts");
        return err;
    }
    err = open_series(gateway);
    if (err != LIMPET_OK) {
        log_line(log, LOG_ERROR, "[SERVICE: Gateway]", "the table of metric series is too small");
    }
    return err;
}

/* The pools below limpet.: what is in use, the most that ever was, what found none. */
static void add_values(struct gateway *gateway)
{
#define GAUGE(name, field) METRICS_FIELD(METRICS_GAUGE, "gateway." name, struct gateway, field)
#define COUNTER(name, field) METRICS_FIELD(METRICS_COUNTER, "gateway." name, struct gateway, field)
#define POOL(name, stem, limit)                                                                    \
    GAUGE(name ".used", stem##_used), GAUGE(name ".used_max", stem##_used_max),                    \
        COUNTER(name ".refused", stem##_refused), METRICS_CONSTANT("gateway." name ".limit", limit)
    static const struct metrics_value values[] = {
        POOL("exchanges", exchanges, LIMPET_EXCHANGES),
        POOL("bodies", bodies, LIMPET_BODIES),
        POOL("calls", calls, LIMPET_BACKEND_CALLS),
        GAUGE("breakers.half_open", breakers.half_open),
        GAUGE("breakers.open", breakers.open),
        COUNTER("breakers.opened", breakers.opened),
        COUNTER("breakers.refused", breakers.refused),
        COUNTER("cors.preflights", cors_preflights),
        COUNTER("cors.refused", cors_refused),
        COUNTER("limits.clients_evicted", limits.clients.evicted),
        METRICS_CONSTANT("gateway.limits.clients_limit", LIMPET_LIMIT_CLIENTS),
        GAUGE("limits.clients_used", limits.clients.used),
        COUNTER("limits.refused_client", limits.refused_client),
        COUNTER("limits.refused_global", limits.refused_global),
        COUNTER("limits.refused_proxy", limits.refused_proxy),
    };
#undef POOL
#undef COUNTER
#undef GAUGE
    metrics_add_values(gateway->metrics, values, sizeof(values) / sizeof(values[0]), gateway);
}

static int open_series(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    struct metrics *metrics = gateway->metrics;
    const struct config_metrics *options = &config->metrics;
    bool full = false;
    for (uint16_t i = 0; i < config->endpoint_count; i++) {
        struct slice name = config->endpoints[i].metric_name;
        gateway->endpoint_series[i] = metrics_open_endpoint(metrics, name);
        gateway->pipe_series[i] = metrics_open_proxy(metrics, METRICS_PIPE, name);
        full = full || (gateway->endpoint_series[i] == NULL && !options->router_disabled);
        full = full || (gateway->pipe_series[i] == NULL && !options->proxy_disabled);
    }
    for (uint16_t i = 0; i < config->backend_count; i++) {
        struct slice name = config->backends[i].metric_name;
        gateway->backend_series[i] = metrics_open_proxy(metrics, METRICS_BACKEND, name);
        full = full || (gateway->backend_series[i] == NULL && !options->backend_disabled);
    }
    return full && options->enabled ? LIMPET_ERR_FULL : LIMPET_OK;
}

/* A random start, so that several gateways do not all begin with the first host of a list. */
static void seed_hosts(struct gateway *gateway)
{
    uint16_t seed;
    if (!port_entropy(&seed, sizeof(seed))) {
        seed = 0;
    }
    for (uint16_t i = 0; i < gateway->config->backend_count; i++) {
        uint32_t start = (uint32_t)seed + i;
        gateway->host_next[i] = (uint16_t)(start % gateway->config->backends[i].host_count);
    }
}

struct server_handler gateway_handler(struct gateway *gateway)
{
    return (struct server_handler){gateway, on_request, on_progress, on_gone};
}

void gateway_set_time(struct gateway *gateway, uint64_t now_ns, int64_t unix_ns)
{
    assert(now_ns >= gateway->now_ns);
    gateway->now_ns = now_ns;
    gateway->unix_ns = unix_ns;
}

/* ---- The server's events ----------------------------------------------------------------------
 */

static struct exchange *take_exchange(struct gateway *gateway, struct server_conn *c)
{
    struct exchange *x = gateway->free_exchange;
    if (x != NULL) {
        gateway->free_exchange = x->next;
    } else if (gateway->exchanges_touched < LIMPET_EXCHANGES) {
        x = &gateway->exchanges[gateway->exchanges_touched++];
    } else {
        gateway->exchanges_refused++;
        return NULL;
    }
    gateway->exchanges_used++;
    if (gateway->exchanges_used > gateway->exchanges_used_max) {
        gateway->exchanges_used_max = gateway->exchanges_used;
    }
    memset(x, 0, sizeof(*x));
    x->gateway = gateway;
    x->origin.conn = c;
    x->start_ns = gateway->now_ns;
    c->user = x;
    return x;
}

static void answer_busy(struct server_conn *c)
{
    server_begin(c, 503, FRAMING_LENGTH, 0);
    server_field(c, SLICE_LIT("Retry-After"), SLICE_LIT("1"));
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    server_end(c);
}

static void on_request(void *ctx, struct server_conn *c)
{
    struct gateway *gateway = ctx;
    const struct message_head *request = server_request(c);
    struct exchange *x = take_exchange(gateway, c);
    if (x == NULL) {
        c->user = NULL;
        answer_busy(c);
        return;
    }
    if (cors_takes(gateway, c)) {
        builtin_answer(x, gateway->config->cors.success_status, false, SLICE_EMPTY, SLICE_EMPTY);
        return;
    }
    struct route route;
    router_match(&gateway->router, method_from_name(request->method), request->path, &route);
    if (route.kind == ROUTE_ENDPOINT) {
        exchange_start(x, &route);
    } else {
        builtin_start(x, &route);
    }
}

static void on_progress(void *ctx, struct server_conn *c)
{
    (void)ctx;
    if (c->user != NULL) {
        exchange_progress(c->user);
    }
}

static void on_gone(void *ctx, struct server_conn *c, int err)
{
    (void)ctx;
    if (c->user != NULL) {
        exchange_gone(c->user, err);
    }
}

/* ---- Pools ------------------------------------------------------------------------------------
 */

void gateway_give_exchange(struct gateway *gateway, struct exchange *x)
{
    assert(x->state != EXCHANGE_FREE && gateway->exchanges_used > 0);
    x->origin.conn->user = NULL;
    x->state = EXCHANGE_FREE;
    x->next = gateway->free_exchange;
    gateway->free_exchange = x;
    gateway->exchanges_used--;
}

static bool has_body(const struct gateway *gateway)
{
    return gateway->free_body != NULL || gateway->bodies_touched < LIMPET_BODIES;
}

/* The first in line tries again. */
static void call_first(struct gateway *gateway)
{
    if (gateway->body_line != NULL && has_body(gateway)) {
        client_again(&gateway->body_line->call);
    }
}

bool gateway_line_up(struct gateway *gateway, struct backend *b)
{
    bool first = gateway->body_line == NULL || gateway->body_line == b;
    if (first && has_body(gateway)) {
        return false;
    }
    if (b->lined_up) {
        return true;
    }
    if (!has_body(gateway) && gateway->body_line_len + 1 >= LIMPET_BACKEND_CONNS) {
        return false;
    }
    struct backend **last = &gateway->body_line;
    while (*last != NULL) {
        last = &(*last)->line_next;
    }
    *last = b;
    b->line_next = NULL;
    b->lined_up = true;
    gateway->body_line_len++;
    return true;
}

void gateway_leave_line(struct gateway *gateway, struct backend *b)
{
    if (!b->lined_up) {
        return;
    }
    struct backend **link = &gateway->body_line;
    while (*link != b) {
        link = &(*link)->line_next;
    }
    *link = b->line_next;
    b->lined_up = false;
    gateway->body_line_len--;
    call_first(gateway);
}

struct body *gateway_take_body(struct gateway *gateway)
{
    struct body *body = gateway->free_body;
    if (body != NULL) {
        gateway->free_body = body->next;
    } else if (gateway->bodies_touched < LIMPET_BODIES) {
        body = &gateway->bodies[gateway->bodies_touched++];
    } else {
        gateway->bodies_refused++;
        return NULL;
    }
    gateway->bodies_used++;
    if (gateway->bodies_used > gateway->bodies_used_max) {
        gateway->bodies_used_max = gateway->bodies_used;
    }
    body->next = NULL;
    body->at = 0;
    body->len = 0;
    body->type_len = 0;
    body->null = false;
    body->text = false;
    return body;
}

void gateway_give_body(struct gateway *gateway, struct body *body)
{
    if (body == NULL) {
        return;
    }
    assert(gateway->bodies_used > 0);
    body->next = gateway->free_body;
    gateway->free_body = body;
    gateway->bodies_used--;
    call_first(gateway);
}

void gateway_give_bodies(struct gateway *gateway, struct body *first)
{
    while (first != NULL) {
        struct body *body = first;
        first = body->next;
        gateway_give_body(gateway, body);
    }
}

struct backend *gateway_take_call(struct gateway *gateway)
{
    struct backend *call = gateway->free_call;
    if (call != NULL) {
        gateway->free_call = call->next;
    } else if (gateway->calls_touched < LIMPET_BACKEND_CALLS) {
        call = &gateway->calls[gateway->calls_touched++];
    } else {
        gateway->calls_refused++;
        return NULL;
    }
    gateway->calls_used++;
    if (gateway->calls_used > gateway->calls_used_max) {
        gateway->calls_used_max = gateway->calls_used;
    }
    memset(call, 0, sizeof(*call));
    return call;
}

void gateway_give_call(struct gateway *gateway, struct backend *call)
{
    assert(call->state == BACKEND_READY && gateway->calls_used > 0);
    call->next = gateway->free_call;
    gateway->free_call = call;
    gateway->calls_used--;
}

static bool is_host(const struct config_host *host, struct slice authority, struct slice name,
                    uint16_t port, bool tls)
{
    return host->port == port && host->tls == tls && slice_equal_nocase(host->name, name) &&
           slice_equal_nocase(host->authority, authority);
}

int gateway_redirect_host(struct gateway *gateway, struct slice authority, struct slice name,
                          uint16_t port, bool tls, const struct config_host **host)
{
    for (uint16_t i = 0; i < gateway->config->host_count; i++) {
        *host = &gateway->config->hosts[i];
        if (is_host(*host, authority, name, port, tls)) {
            return LIMPET_OK;
        }
    }
    for (size_t i = 0; i < gateway->redirect_host_count; i++) {
        *host = &gateway->redirect_hosts[i].host;
        if (is_host(*host, authority, name, port, tls)) {
            return LIMPET_OK;
        }
    }
    if (gateway->redirect_host_count == LIMPET_REDIRECT_HOSTS) {
        return LIMPET_ERR_FULL;
    }
    if (authority.len > LIMPET_REDIRECT_HOST_LEN_MAX) {
        return LIMPET_ERR_TOO_LONG;
    }
    struct redirect_host *kept = &gateway->redirect_hosts[gateway->redirect_host_count++];
    memcpy(kept->text, authority.ptr, authority.len);
    kept->host = (struct config_host){
        .name = slice_of(kept->text, name.len),
        .authority = slice_of(kept->text, authority.len),
        .port = port,
        .tls = tls,
    };
    *host = &kept->host;
    return LIMPET_OK;
}

struct out *gateway_log(struct gateway *gateway, enum log_level level,
                        const struct config_endpoint *endpoint)
{
    struct out *out = log_begin(gateway->log, level, "[ENDPOINT:");
    out_put(out, endpoint->path);
    out_text(out, "] ");
    return out;
}
