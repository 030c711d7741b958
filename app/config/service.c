/* The root of krakend.json. */
#include "config/address.h"
#include "config/loader.h"

static void listen_read(struct loader *l, struct node port, struct node listen_ip);
static void listeners_check(struct loader *l);

void service_read(struct loader *l)
{
    struct config *config = l->config;
    struct node found[ROOT_KEYS];
    section_read(l, SECTION_ROOT, l->root, found, ROOT_KEYS);

    uint64_t version;
    read_number(l, found[ROOT_VERSION], 3, 3, &version);
    if (!node_given(found[ROOT_VERSION])) {
        error_add(l, l->root.raw.ptr, "\"version\" is missing; it must be 3");
    }
    config->timeout_ms = 2000;
    read_timeout_ms(l, found[ROOT_TIMEOUT], &config->timeout_ms);
    read_cache_ttl_s(l, found[ROOT_CACHE_TTL], &config->cache_ttl_s);
    read_encoding(l, found[ROOT_OUTPUT_ENCODING], &l->output_encoding);
    config->echo_endpoint = node_true(found[ROOT_ECHO_ENDPOINT]);
    config->debug_endpoint = node_true(found[ROOT_DEBUG_ENDPOINT]);
    listen_read(l, found[ROOT_PORT], found[ROOT_LISTEN_IP]);
    telemetry_read(l, found[ROOT_EXTRA_CONFIG]);
    listeners_check(l);
    /* A list that was refused is not missing. */
    l->has_host = node_given(found[ROOT_HOST]) &&
                  !(node_ok(found[ROOT_HOST]) && node_count(found[ROOT_HOST]) == 0);
    hosts_read(l, found[ROOT_HOST], &l->host_first, &l->host_count);
    endpoints_read(l, found[ROOT_ENDPOINTS]);
    if (!node_given(found[ROOT_ENDPOINTS])) {
        warning_add(l, l->root.raw.ptr, "no \"endpoints\": every request will be answered 404");
    }
}

static void listen_read(struct loader *l, struct node port, struct node listen_ip)
{
    struct config_listen *listen = &l->config->listen;
    uint64_t number = 8080;
    struct slice text;
    read_number(l, port, 1, UINT16_MAX, &number);
    listen->port = (uint16_t)number;
    if (!read_text(l, listen_ip, &text)) {
        return;
    }
    const char *problem = address_listen_ip(text, &listen->ip4);
    if (problem != NULL) {
        struct out *out = error_begin(l, listen_ip.raw.ptr);
        finding_value(out, listen_ip.raw);
        out_text(out, ": ");
        out_text(out, problem);
        finding_end(l->findings);
    }
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
    struct out *out = error_begin(l, l->metrics_at);
    out_text(out, "the gateway and the metrics would both listen on port ");
    out_u64(out, gateway->port);
    finding_end(l->findings);
}

/* ---- Values that endpoints share ----------------------------------------------------------- */

void read_timeout_ms(struct loader *l, struct node node, uint32_t *value)
{
    uint64_t ns = read_duration_ns(l, node, LIMPET_MS_TO_NS(1));
    if (ns != 0) {
        *value = (uint32_t)((ns + LIMPET_MS_TO_NS(1) - 1) / LIMPET_MS_TO_NS(1));
    }
}

void read_cache_ttl_s(struct loader *l, struct node node, uint32_t *value)
{
    uint64_t ns = read_duration_ns(l, node, LIMPET_S_TO_NS(1));
    if (ns % LIMPET_S_TO_NS(1) != 0) {
        struct out *out = finding_begin(l->findings, CONFIG_WARNING, node.raw.ptr);
        out_text(out, "only whole seconds count: max-age=");
        out_u64(out, ns / LIMPET_S_TO_NS(1));
        finding_end(l->findings);
    }
    if (ns != 0) {
        *value = (uint32_t)(ns / LIMPET_S_TO_NS(1));
    }
}
