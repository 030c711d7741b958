/* endpoints[]: path, method, times; their backends are read in backend.c. */
#include "config/loader.h"

static void endpoint_read(struct loader *l, struct node node);
static bool endpoint_path_read(struct loader *l, struct node node, struct config_endpoint *endpoint,
                               struct path_params *params);
static bool params_collect(struct loader *l, const char *at, struct slice path,
                           struct path_params *params);
static void route_check(struct loader *l, const char *at, const struct config_endpoint *endpoint);
static void extra_read(struct loader *l, struct node extra_config, struct config_endpoint *endpoint,
                       const struct path_params *params);

void loader_read_endpoints(struct loader *l, struct node list)
{
    if (!node_ok(list)) {
        return;
    }
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (cJSON_IsObject(member.node.item)) {
            endpoint_read(l, member.node);
        }
    }
}

static void endpoint_read(struct loader *l, struct node node)
{
    struct config *config = l->config;
    struct node *found = l->levels->endpoint;
    struct path_params params;
    section_read(l, SECTION_ENDPOINT, node, found, ENDPOINT_KEYS);

    struct config_endpoint endpoint = {
        .method = METHOD_GET,
        .output_encoding = l->output_encoding,
        .timeout_ms = config->timeout_ms,
        .cache_ttl_s = config->cache_ttl_s,
        .concurrent_calls = 1,
        .declared = true,
    };
    value_method(l, found[ENDPOINT_METHOD], METHOD_DELETE, &endpoint.method);
    value_encoding(l, found[ENDPOINT_OUTPUT_ENCODING], false, &endpoint.output_encoding);
    value_timeout_ms(l, found[ENDPOINT_TIMEOUT], &endpoint.timeout_ms);
    value_cache_ttl_s(l, found[ENDPOINT_CACHE_TTL], &endpoint.cache_ttl_s);
    uint64_t calls = 1;
    value_number(l, found[ENDPOINT_CONCURRENT_CALLS], 1, LIMPET_CONCURRENT_CALLS_MAX, &calls);
    endpoint.concurrent_calls = (uint8_t)calls;
    if (endpoint.output_encoding == ENCODING_NO_OP) {
        section_idle(l, found, (const uint8_t[]){ENDPOINT_CACHE_TTL}, 1,
                     "has no effect: the output_encoding is \"no-op\"");
    }
    loader_read_headers(l, found[ENDPOINT_INPUT_HEADERS], &endpoint.headers);
    loader_read_query(l, found[ENDPOINT_INPUT_QUERY], &endpoint.query);

    const char *path_at =
        node_given(found[ENDPOINT_ENDPOINT]) ? found[ENDPOINT_ENDPOINT].raw.ptr : node.raw.ptr;
    bool path_ok = endpoint_path_read(l, found[ENDPOINT_ENDPOINT], &endpoint, &params);
    extra_read(l, found[ENDPOINT_EXTRA_CONFIG], &endpoint, path_ok ? &params : NULL);
    if (!node_given(found[ENDPOINT_ENDPOINT])) {
        loader_error(l, path_at, "\"endpoint\" is missing");
    }
    if (path_ok && node_given(found[ENDPOINT_METHOD]) == node_ok(found[ENDPOINT_METHOD])) {
        route_check(l, path_at, &endpoint);
    }
    if (!node_given(found[ENDPOINT_BACKEND])) {
        loader_error(l, node.raw.ptr, "\"backend\" is missing");
    }
    loader_read_backends(l, found[ENDPOINT_BACKEND], &endpoint, path_ok ? &params : NULL);
    if (loader_take(l, TABLE_ENDPOINTS, 1, node.raw.ptr)) {
        config->endpoints[config->endpoint_count++] = endpoint;
    }
}

/* The static, sequential and merging options of the reference live in extra_config.proxy. */
static void extra_read(struct loader *l, struct node extra_config, struct config_endpoint *endpoint,
                       const struct path_params *params)
{
    struct node found[ENDPOINT_EXTRA_KEYS];
    struct node proxy[PROXY_KEYS];
    section_read(l, SECTION_ENDPOINT_EXTRA, extra_config, found, ENDPOINT_EXTRA_KEYS);
    section_read(l, SECTION_PROXY, found[ENDPOINT_EXTRA_PROXY], proxy, PROXY_KEYS);
    endpoint->sequential = node_true(proxy[PROXY_SEQUENTIAL]);
    struct node backends = l->levels->endpoint[ENDPOINT_BACKEND];
    if (node_ok(backends) && node_count(backends) == 1) {
        section_idle(l, proxy, (const uint8_t[]){PROXY_SEQUENTIAL}, 1,
                     "has no effect with one backend");
    }
    loader_read_static(l, proxy[PROXY_STATIC], endpoint);
    loader_read_limits(l, found[ENDPOINT_EXTRA_RATE], endpoint, params);
}

/* ---- Path ---------------------------------------------------------------------------------- */

static bool endpoint_path_read(struct loader *l, struct node node, struct config_endpoint *endpoint,
                               struct path_params *params)
{
    struct slice path;
    const char *at = node.raw.ptr;
    params->count = 0;
    if (!value_text(l, node, &path)) {
        return false;
    }
    if (path.len == 0) {
        loader_error(l, at, "must not be empty");
        return false;
    }
    path = loader_clean_path(l, path, at);
    if (path.len == 0 || !params_collect(l, at, path, params)) {
        return false;
    }
    size_t parts = 0;
    const char *problem = path_check(path, &parts);
    if (problem != NULL) {
        loader_error(l, at, problem);
        return false;
    }
    if (parts > LIMPET_PATH_PARTS_MAX) {
        struct overrun overrun = {"segments", "LIMPET_PATH_PARTS_MAX", parts,
                                  LIMPET_PATH_PARTS_MAX};
        loader_report_overrun(l, at, &overrun);
        return false;
    }
    if (!loader_line_fits(l, at, path.len, LIMPET_REQUEST_LINE_MAX, "LIMPET_REQUEST_LINE_MAX")) {
        return false;
    }
    endpoint->path = path;
    endpoint->param_count = params->count;
    endpoint->metric_name = path;
    /* {id} becomes :id, one byte less. */
    struct out *out = NULL;
    size_t len = path.len - params->count;
    if (params->count > 0 && (out = loader_compose(l, len, at)) != NULL) {
        path_write_endpoint_name(out, path);
        endpoint->metric_name = loader_composed(l, len);
    }
    loader_store_segments(l, path, params, at, &endpoint->segment_first, &endpoint->segment_count);
    return true;
}

/* What an endpoint's param may be called: the reference's pattern is /\{([a-zA-Z\-_0-9]+)\}. */
static bool is_endpoint_param(struct slice name)
{
    return slice_find(name, '.') == name.len && slice_find(name, ':') == name.len &&
           slice_find(name, '/') == name.len;
}

static const char *param_problem(const struct path_params *params, struct slice name)
{
    if (!is_endpoint_param(name)) {
        return "the name of a {param} is made of letters, digits, - and _";
    }
    if (path_param_find(params, name) >= 0) {
        return "holds the same {param} twice";
    }
    return NULL;
}

static bool params_collect(struct loader *l, const char *at, struct slice path,
                           struct path_params *params)
{
    struct path_piece piece;
    size_t needed = 0;
    int more;
    while ((more = path_next(&path, &piece)) == 1) {
        size_t bad = piece.is_param ? piece.text.len : path_find_bad(piece.text);
        if (bad < piece.text.len) {
            loader_report_byte(l, at, piece.text, bad);
            return false;
        }
        if (!piece.is_param) {
            continue;
        }
        const char *problem = param_problem(params, piece.text);
        if (problem != NULL) {
            loader_error(l, at, problem);
            return false;
        }
        needed++;
        if (needed <= LIMPET_PARAMS_MAX) {
            params->names[params->count++] = piece.text;
        }
    }
    if (more < 0) {
        loader_error(l, at, "a { or } without its partner, or a {param} without a proper name");
        return false;
    }
    if (needed > LIMPET_PARAMS_MAX) {
        struct overrun overrun = {"{params}", "LIMPET_PARAMS_MAX", needed, LIMPET_PARAMS_MAX};
        loader_report_overrun(l, at, &overrun);
    }
    return needed <= LIMPET_PARAMS_MAX;
}

/* Two endpoints must not wait for the same requests. */
static void route_check(struct loader *l, const char *at, const struct config_endpoint *endpoint)
{
    for (size_t i = 0; i < l->config->endpoint_count; i++) {
        const struct config_endpoint *other = &l->config->endpoints[i];
        if (other->method != endpoint->method || other->path.len == 0 ||
            !path_same_route(other->path, endpoint->path)) {
            continue;
        }
        struct out *out = loader_error_begin(l, at);
        out_text(out, "the same method and path as an endpoint before: ");
        out_put(out, method_name(other->method));
        out_char(out, ' ');
        finding_quote(out, other->path);
        finding_end(l->findings);
        return;
    }
}
