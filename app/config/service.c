/* The root of krakend.json. */
#include "config/address.h"
#include "config/loader.h"

static void listen_read(struct loader *l, struct node port, struct node listen_ip);
static void server_read(struct loader *l, const struct node *found);
static void listeners_check(struct loader *l);

void loader_read_service(struct loader *l)
{
    struct config *config = l->config;
    struct node *found = l->levels->root;
    section_read(l, SECTION_ROOT, l->root, found, ROOT_KEYS);

    uint64_t version;
    value_number(l, found[ROOT_VERSION], 3, 3, &version);
    if (!node_given(found[ROOT_VERSION])) {
        loader_error(l, l->root.raw.ptr, "\"version\" is missing; it must be 3");
    }
    config->timeout_ms = 2000;
    value_timeout_ms(l, found[ROOT_TIMEOUT], &config->timeout_ms);
    value_cache_ttl_s(l, found[ROOT_CACHE_TTL], &config->cache_ttl_s);
    value_encoding(l, found[ROOT_OUTPUT_ENCODING], false, &l->output_encoding);
    config->echo_endpoint = node_true(found[ROOT_ECHO_ENDPOINT]);
    config->debug_endpoint = node_true(found[ROOT_DEBUG_ENDPOINT]);
    listen_read(l, found[ROOT_PORT], found[ROOT_LISTEN_IP]);
    server_read(l, found);
    loader_read_client_tls(l, found[ROOT_CLIENT_TLS]);
    loader_read_telemetry(l, found[ROOT_EXTRA_CONFIG]);
    listeners_check(l);
    /* A list that was refused is not missing. */
    l->has_host = node_given(found[ROOT_HOST]) &&
                  !(node_ok(found[ROOT_HOST]) && node_count(found[ROOT_HOST]) == 0);
    loader_read_hosts(l, found[ROOT_HOST], &l->host_first, &l->host_count);
    loader_read_endpoints(l, found[ROOT_ENDPOINTS]);
    loader_check_health_path(l);
    if (!node_given(found[ROOT_ENDPOINTS])) {
        loader_warning(l, l->root.raw.ptr, "no \"endpoints\": every request will be answered 404");
    }
}

static void listen_read(struct loader *l, struct node port, struct node listen_ip)
{
    struct config_listen *listen = &l->config->listen;
    uint64_t number = 8080;
    struct slice text;
    value_number(l, port, 1, UINT16_MAX, &number);
    listen->port = (uint16_t)number;
    if (!value_text(l, listen_ip, &text)) {
        return;
    }
    const char *problem = address_listen_ip(text, &listen->ip4);
    if (problem != NULL) {
        loader_report_address(l, listen_ip.raw.ptr, text, problem);
    }
}

/* As Go's http.Server: read_timeout stands for those that are not given. */
static void server_read(struct loader *l, const struct node *found)
{
    struct config_server *server = &l->config->server;
    uint64_t len_max = 0;
    value_timeout_ms(l, found[ROOT_READ_TIMEOUT], &server->read_timeout_ms);
    value_timeout_ms(l, found[ROOT_WRITE_TIMEOUT], &server->write_timeout_ms);
    bool bounded = server->read_timeout_ms > 0;
    server->read_header_timeout_ms = bounded ? server->read_timeout_ms : LIMPET_HEADER_TIMEOUT_MS;
    server->idle_timeout_ms = bounded ? server->read_timeout_ms : LIMPET_IDLE_TIMEOUT_MS;
    value_timeout_ms(l, found[ROOT_READ_HEADER_TIMEOUT], &server->read_header_timeout_ms);
    value_timeout_ms(l, found[ROOT_IDLE_TIMEOUT], &server->idle_timeout_ms);
    if (bounded && server->read_timeout_ms < server->read_header_timeout_ms) {
        server->read_header_timeout_ms = server->read_timeout_ms;
    }
    value_number(l, found[ROOT_MAX_HEADER_BYTES], 0, UINT32_MAX, &len_max);
    if (len_max > LIMPET_HEAD_LEN_MAX) {
        struct out *out =
            finding_begin(l->findings, CONFIG_WARNING, found[ROOT_MAX_HEADER_BYTES].raw.ptr);
        out_text(out, "a head has room for ");
        out_u64(out, LIMPET_HEAD_LEN_MAX);
        out_text(out, " bytes only (LIMPET_HEAD_LEN_MAX)");
        finding_end(l->findings);
    }
    bool shorter = len_max > 0 && len_max < LIMPET_HEAD_LEN_MAX;
    server->head_len_max = shorter ? (uint32_t)len_max : LIMPET_HEAD_LEN_MAX;
}

/* Gateway and metrics cannot share a port where their addresses overlap. */
static void listeners_check(struct loader *l)
{
    const struct config_metrics *metrics = &l->config->metrics;
    const struct config_listen *gateway = &l->config->listen;
    bool same_address =
        gateway->ip4 == metrics->listen.ip4 || gateway->ip4 == 0 || metrics->listen.ip4 == 0;
    if (!metrics->enabled || metrics->endpoint_disabled || !same_address ||
        gateway->port != metrics->listen.port) {
        return;
    }
    struct out *out = loader_error_begin(l, l->metrics_at);
    out_text(out, "the gateway and the metrics would both listen on port ");
    out_u64(out, gateway->port);
    finding_end(l->findings);
}
