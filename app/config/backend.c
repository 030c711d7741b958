/* endpoints[].backend[]: url_pattern, hosts, encoding. */
#include "config/address.h"
#include "config/loader.h"

#define NO_OP_IDLE "has no effect: the endpoint's output_encoding is \"no-op\""

static void backend_read(struct loader *l, struct node node, const struct config_endpoint *endpoint,
                         const struct path_params *params);
static void backend_count_check(struct loader *l, struct node list,
                                const struct config_endpoint *endpoint);
static void bodies_check(struct loader *l, const char *at, const struct config_endpoint *endpoint);
static void backend_encoding_read(struct loader *l, struct node node,
                                  const struct config_endpoint *endpoint,
                                  struct config_backend *backend);
static void url_pattern_read(struct loader *l, struct node node, struct config_backend *backend,
                             const struct path_params *params);
static bool url_pieces_check(struct loader *l, const char *at, struct slice url,
                             const struct path_params *params, size_t *param_count);
static bool url_param_check(struct loader *l, const char *at, struct slice name,
                            const struct path_params *params);
static void extra_read(struct loader *l, struct node extra_config, struct config_backend *backend);
static void idle_check(struct loader *l);
static void host_read(struct loader *l, struct node node);

void loader_read_backends(struct loader *l, struct node list, struct config_endpoint *endpoint,
                          const struct path_params *params)
{
    if (!node_ok(list)) {
        return;
    }
    backend_count_check(l, list, endpoint);
    endpoint->backend_first = l->config->backend_count;
    l->responses = 0;
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (cJSON_IsObject(member.node.item)) {
            backend_read(l, member.node, endpoint, params);
            l->responses += endpoint->sequential;
        }
    }
    endpoint->backend_count = (uint16_t)(l->config->backend_count - endpoint->backend_first);
    bodies_check(l, list.raw.ptr, endpoint);
}

static void backend_count_check(struct loader *l, struct node list,
                                const struct config_endpoint *endpoint)
{
    size_t count = node_count(list);
    bool no_op = endpoint->output_encoding == ENCODING_NO_OP;
    if (count > 0 && count <= (no_op ? 1 : LIMPET_MERGE_MAX)) {
        return;
    }
    struct out *out = loader_error_begin(l, list.raw.ptr);
    if (count == 0) {
        out_text(out, "expected a backend at least, got an empty list");
    } else if (no_op) {
        out_text(out, "no-op takes one backend, got ");
        out_u64(out, count);
    } else {
        out_text(out, "too many backends of one endpoint: ");
        out_u64(out, count);
        out_text(out, " needed, ");
        out_u64(out, LIMPET_MERGE_MAX);
        out_text(out, " available (LIMPET_MERGE_MAX)");
    }
    finding_end(l->findings);
}

/* A merged answer holds the bodies of all backends, the fixed data, and the request's body. */
static void bodies_check(struct loader *l, const char *at, const struct config_endpoint *endpoint)
{
    bool several = endpoint->backend_count > 1;
    size_t needed = endpoint->backend_count;
    needed += endpoint->static_strategy != STATIC_NEVER;
    needed += several && endpoint->method != METHOD_GET;
    if (endpoint->output_encoding == ENCODING_NO_OP || needed <= LIMPET_BODIES) {
        return;
    }
    struct overrun overrun = {"bodies held for one request", "LIMPET_BODIES", needed,
                              LIMPET_BODIES};
    loader_report_overrun(l, at, &overrun);
}

static void backend_read(struct loader *l, struct node node, const struct config_endpoint *endpoint,
                         const struct path_params *params)
{
    struct config *config = l->config;
    struct node *found = l->levels->backend;
    section_read(l, SECTION_BACKEND, node, found, BACKEND_KEYS);

    struct config_backend backend = {.method = endpoint->method};
    value_method(l, found[BACKEND_METHOD], METHOD_OPTIONS, &backend.method);
    backend_encoding_read(l, found[BACKEND_ENCODING], endpoint, &backend);
    if (backend.method == METHOD_HEAD && backend.encoding != ENCODING_NO_OP) {
        loader_warning(l, found[BACKEND_METHOD].raw.ptr,
                       "an answer to HEAD has no body: without \"no-op\" it counts as an error");
    }
    if (!node_given(found[BACKEND_URL_PATTERN])) {
        loader_error(l, node.raw.ptr, "\"url_pattern\" is missing");
    }
    url_pattern_read(l, found[BACKEND_URL_PATTERN], &backend, params);
    loader_read_shaping(l, found, &backend);
    extra_read(l, found[BACKEND_EXTRA_CONFIG], &backend);
    if (endpoint->output_encoding == ENCODING_NO_OP) {
        idle_check(l);
    }

    bool list = node_ok(found[BACKEND_HOST]) && node_count(found[BACKEND_HOST]) > 0;
    backend.host_first = l->host_first;
    backend.host_count = l->host_count;
    if (list) {
        loader_read_hosts(l, found[BACKEND_HOST], &backend.host_first, &backend.host_count);
    } else if (!l->has_host && node_given(found[BACKEND_HOST]) == node_ok(found[BACKEND_HOST])) {
        loader_error(l, node.raw.ptr, "no host: give \"host\" here or at the root");
    }
    if (loader_take(l, TABLE_BACKENDS, 1, node.raw.ptr)) {
        config->backends[config->backend_count++] = backend;
    }
}

/* A no-op endpoint makes its backend no-op whatever that says (lura, initBackendDefaults). The
 * other way round the reference would drop the body and answer {}. */
static void backend_encoding_read(struct loader *l, struct node node,
                                  const struct config_endpoint *endpoint,
                                  struct config_backend *backend)
{
    bool no_op = endpoint->output_encoding == ENCODING_NO_OP;
    enum encoding encoding = no_op ? ENCODING_NO_OP : ENCODING_JSON;
    value_encoding(l, node, true, &encoding);
    backend->encoding = no_op ? ENCODING_NO_OP : encoding;
    if (no_op == (encoding == ENCODING_NO_OP)) {
        return;
    }
    if (!no_op) {
        loader_error(l, node.raw.ptr,
                     "\"no-op\" needs output_encoding \"no-op\" too: the body would be lost");
    } else {
        loader_warning(l, node.raw.ptr, NO_OP_IDLE);
    }
}

/* A no-op answer is not looked into. */
static void idle_check(struct loader *l)
{
    static const uint8_t keys[] = {BACKEND_TARGET, BACKEND_ALLOW, BACKEND_DENY, BACKEND_GROUP,
                                   BACKEND_MAPPING};
    static const uint8_t http[] = {BACKEND_HTTP_CODE, BACKEND_HTTP_DETAILS};
    section_idle(l, l->levels->backend, keys, sizeof(keys), NO_OP_IDLE);
    section_idle(l, l->levels->backend_http, http, sizeof(http), NO_OP_IDLE);
}

static void extra_read(struct loader *l, struct node extra_config, struct config_backend *backend)
{
    struct node *found = l->levels->backend_extra;
    struct node *http = l->levels->backend_http;
    struct node *proxy = l->levels->backend_proxy;
    section_read(l, SECTION_BACKEND_EXTRA, extra_config, found, BACKEND_EXTRA_KEYS);
    section_read(l, SECTION_BACKEND_HTTP, found[BACKEND_EXTRA_HTTP], http, BACKEND_HTTP_KEYS);
    section_read(l, SECTION_PROXY, found[BACKEND_EXTRA_PROXY], proxy, PROXY_KEYS);
    loader_read_backend_limits(l, found[BACKEND_EXTRA_RATE], found[BACKEND_EXTRA_BREAKER], backend);
    backend->error_code = node_true(http[BACKEND_HTTP_CODE]);
    if (value_text(l, http[BACKEND_HTTP_DETAILS], &backend->error_details)) {
        backend->error_details =
            loader_keep(l, backend->error_details, http[BACKEND_HTTP_DETAILS].raw.ptr);
    }
    if (backend->error_code && node_given(http[BACKEND_HTTP_DETAILS])) {
        /* An empty name, too: the key alone decides in lura, getHTTPStatusHandler. */
        backend->error_code = false;
        loader_warning(l, http[BACKEND_HTTP_CODE].raw.ptr,
                       "has no effect beside \"return_error_details\"");
    }
    for (size_t i = 0; i < PROXY_KEYS; i++) {
        if (node_given(proxy[i]) && (i == PROXY_SEQUENTIAL || i == PROXY_STATIC)) {
            loader_error(l, proxy[i].raw.ptr, "belongs to the endpoint's extra_config");
        }
    }
}

/* ---- url_pattern --------------------------------------------------------------------------- */

static void url_pattern_read(struct loader *l, struct node node, struct config_backend *backend,
                             const struct path_params *params)
{
    struct slice url;
    size_t param_count;
    const char *at = node.raw.ptr;
    if (!value_text(l, node, &url)) {
        return;
    }
    url = loader_clean_path(l, url, at);
    if (!url_pieces_check(l, at, url, params, &param_count) ||
        !loader_line_fits(l, at, url.len, LIMPET_HEAD_LEN_MAX, "LIMPET_HEAD_LEN_MAX")) {
        return;
    }
    backend->url_pattern = url;
    backend->metric_name = url;
    /* {id} becomes {{.Id}}, three bytes more. */
    struct out *out = NULL;
    size_t len = url.len + 3 * param_count;
    if (param_count > 0 && (out = loader_compose(l, len, at)) != NULL) {
        path_write_backend_name(out, url);
        backend->metric_name = loader_composed(l, len);
    }
    loader_store_segments(l, url, params, at, &backend->segment_first, &backend->segment_count);
}

static bool url_pieces_check(struct loader *l, const char *at, struct slice url,
                             const struct path_params *params, size_t *param_count)
{
    struct path_piece piece;
    bool ok = params != NULL;
    int more;
    *param_count = 0;
    while ((more = path_next(&url, &piece)) == 1) {
        size_t bad = piece.is_param ? piece.text.len : path_find_bad_in_url(piece.text);
        if (bad < piece.text.len) {
            loader_report_byte(l, at, piece.text, bad);
            return false;
        }
        *param_count += piece.is_param;
        if (piece.is_param && params != NULL) {
            ok = url_param_check(l, at, piece.text, params) && ok;
        }
    }
    if (more < 0) {
        loader_error(l, at, "a { or } without its partner, or a {param} without a proper name");
    }
    return ok && more == 0;
}

static bool url_param_check(struct loader *l, const char *at, struct slice name,
                            const struct path_params *params)
{
    uint64_t number = 0;
    struct slice path;
    bool response = loader_response_param(name, &number, &path);
    if (path_param_find(params, name) >= 0 || (response && number < l->responses)) {
        return true;
    }
    struct out *out = loader_error_begin(l, at);
    out_char(out, '{');
    out_put(out, slice_take(name, 48));
    if (response || slice_starts_with(name, SLICE_LIT("JWT."))) {
        out_text(out, response
                          ? "} needs \"sequential\", and a backend of that number before this one"
                          : "} is not supported yet: only the {params} of the endpoint are");
        finding_end(l->findings);
        return false;
    }
    out_text(out, "} is no parameter of the endpoint, which has ");
    for (size_t i = 0; i < params->count; i++) {
        out_text(out, i > 0 ? ", {" : "{");
        out_put(out, params->names[i]);
        out_char(out, '}');
    }
    out_text(out, params->count == 0 ? "none" : "");
    finding_end(l->findings);
    return false;
}

/* ---- host ---------------------------------------------------------------------------------- */

void loader_read_hosts(struct loader *l, struct node list, uint16_t *first, uint16_t *count)
{
    *first = l->config->host_ref_count;
    *count = 0;
    if (!node_ok(list)) {
        return;
    }
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (cJSON_IsString(member.node.item)) {
            host_read(l, member.node);
        }
    }
    *count = (uint16_t)(l->config->host_ref_count - *first);
}

static bool same_host(const struct config_host *a, const struct config_host *b)
{
    return a->port == b->port && a->tls == b->tls && slice_equal(a->name, b->name);
}

/* Index of a host, stored if it is new; -1 when the table is full. */
static int host_store(struct loader *l, struct config_host host, const char *at)
{
    struct config *config = l->config;
    for (int i = 0; i < config->host_count; i++) {
        if (same_host(&config->hosts[i], &host)) {
            return i;
        }
    }
    if (!loader_take(l, TABLE_HOSTS, 1, at)) {
        return -1;
    }
    host.authority = loader_keep(l, host.authority, at);
    host.name = loader_keep(l, host.name, at);
    config->hosts[config->host_count] = host;
    return config->host_count++;
}

static void host_read(struct loader *l, struct node node)
{
    struct slice text;
    struct config_host host;
    const char *at = node.raw.ptr;
    if (!value_text(l, node, &text)) {
        return;
    }
    const char *problem = address_host(text, &host);
    if (problem != NULL) {
        loader_report_address(l, at, text, problem);
        return;
    }
    int index = host_store(l, host, at);
    if (loader_take(l, TABLE_HOST_REFS, 1, at) && index >= 0) {
        l->config->host_refs[l->config->host_ref_count++] = (uint16_t)index;
    }
}
