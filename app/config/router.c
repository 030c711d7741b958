/* router, of the service's extra_config. */
#include "config/address.h"
#include "config/loader.h"

static void status_read(struct loader *l, struct node node, uint16_t *status);
static void health_path_read(struct loader *l, struct node node);
static void error_body_read(struct loader *l, struct node node);
static void client_ip_read(struct loader *l, const struct node *found);
static void trusted_read(struct loader *l, struct node list);
static void idle_check(struct loader *l, const struct node *found);

void loader_read_router(struct loader *l, struct node node)
{
    struct config_router *router = &l->config->router;
    struct node found[ROUTER_KEYS];
    section_read(l, SECTION_ROUTER, node, found, ROUTER_KEYS);
    router->return_error_msg = node_true(found[ROUTER_RETURN_ERROR_MSG]);
    router->auto_options = node_true(found[ROUTER_AUTO_OPTIONS]);
    router->version_hidden = node_true(found[ROUTER_HIDE_VERSION]);
    router->health_disabled = node_true(found[ROUTER_NO_HEALTH]);
    router->access_log_disabled = node_true(found[ROUTER_NO_ACCESS_LOG]);
    router->slash_redirects_disabled = node_true(found[ROUTER_NO_SLASH_REDIRECT]);
    router->path_redirects_disabled = node_true(found[ROUTER_NO_PATH_REDIRECT]);
    router->method_check_disabled = node_true(found[ROUTER_NO_METHOD_CHECK]);
    router->path_decoding_disabled = node_true(found[ROUTER_NO_PATH_DECODING]);
    router->extra_slashes_removed = node_true(found[ROUTER_NO_EXTRA_SLASH]);
    status_read(l, found[ROUTER_TIMEOUT_STATUS], &router->timeout_status);
    status_read(l, found[ROUTER_BAD_GATEWAY_STATUS], &router->bad_gateway_status);
    value_number(l, found[ROUTER_MAX_PAYLOAD], 0, INT64_MAX, &router->body_len_max);
    loader_read_names(l, found[ROUTER_SKIP_PATHS], &router->skip_paths);
    health_path_read(l, found[ROUTER_HEALTH_PATH]);
    idle_check(l, found);
    error_body_read(l, found[ROUTER_ERROR_BODY]);
    client_ip_read(l, found);
}

static void status_read(struct loader *l, struct node node, uint16_t *status)
{
    uint64_t number = 0;
    value_number(l, node, 500, 599, &number);
    *status = (uint16_t)number;
}

static void idle_check(struct loader *l, const struct node *found)
{
    if (l->config->router.health_disabled) {
        section_idle(l, found, (const uint8_t[]){ROUTER_HEALTH_PATH}, 1,
                     "has no effect with \"disable_health\"");
    }
    if (l->config->router.access_log_disabled) {
        section_idle(l, found, (const uint8_t[]){ROUTER_SKIP_PATHS}, 1,
                     "has no effect with \"disable_access_log\"");
    }
}

/* ---- The health path ----------------------------------------------------------------------- */

static size_t count_parts(struct slice path)
{
    size_t count = 0;
    for (size_t i = 0; i < path.len; i++) {
        count += path.ptr[i] == '/';
    }
    return count;
}

static void health_path_read(struct loader *l, struct node node)
{
    struct slice path;
    if (!value_text(l, node, &path) || path.len == 0) {
        return;
    }
    if (path.ptr[0] != '/') {
        loader_error(l, node.raw.ptr, "must begin with a slash");
    } else if (path_find_bad(path) < path.len) {
        loader_report_byte(l, node.raw.ptr, path, path_find_bad(path));
    } else if (count_parts(path) > LIMPET_PATH_PARTS_MAX) {
        struct overrun overrun = {"segments", "LIMPET_PATH_PARTS_MAX", count_parts(path),
                                  LIMPET_PATH_PARTS_MAX};
        loader_report_overrun(l, node.raw.ptr, &overrun);
    } else {
        l->config->router.health_path = loader_keep(l, path, node.raw.ptr);
        l->health_at = node.raw.ptr;
    }
}

void loader_check_health_path(struct loader *l)
{
    const struct config *config = l->config;
    bool given = l->health_at != NULL && !config->router.health_disabled;
    for (uint16_t i = 0; given && i < config->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        if (endpoint->method == METHOD_GET &&
            slice_equal(endpoint->path, config->router.health_path)) {
            loader_error(l, l->health_at, "is the path of an endpoint, too");
            return;
        }
    }
}

/* ---- Error bodies -------------------------------------------------------------------------- */

/* null is no body, as in the reference. */
static struct slice json_read(struct loader *l, struct node node)
{
    bool given = node_ok(node) && json_type_of(node.raw) != JSON_NULL;
    return given ? loader_squeeze(l, node.raw) : SLICE_EMPTY;
}

static void error_body_read(struct loader *l, struct node node)
{
    struct node found[ERROR_BODY_KEYS];
    section_read(l, SECTION_ERROR_BODY, node, found, ERROR_BODY_KEYS);
    l->config->router.body_404 = json_read(l, found[ERROR_BODY_404]);
    l->config->router.body_405 = json_read(l, found[ERROR_BODY_405]);
    if (l->config->router.method_check_disabled) {
        section_idle(l, found, (const uint8_t[]){ERROR_BODY_405}, 1,
                     "has no effect with \"disable_handle_method_not_allowed\"");
    }
}

/* ---- Whom to believe the client's address --------------------------------------------------- */

static void client_ip_read(struct loader *l, const struct node *found)
{
    struct config_router *router = &l->config->router;
    router->forwarded_by_client_ip = node_true(found[ROUTER_CLIENT_IP]);
    loader_read_names(l, found[ROUTER_IP_HEADERS], &router->ip_headers);
    trusted_read(l, found[ROUTER_TRUSTED]);
    if (router->forwarded_by_client_ip && router->trusted_count == 0) {
        loader_warning(l, found[ROUTER_CLIENT_IP].raw.ptr,
                       "without \"trusted_proxies\" each client can claim any address");
    }
    static const uint8_t unused[] = {ROUTER_IP_HEADERS, ROUTER_TRUSTED};
    if (!router->forwarded_by_client_ip) {
        section_idle(l, found, unused, sizeof(unused),
                     "has no effect without \"forwarded_by_client_ip\"");
    }
}

static void trusted_read(struct loader *l, struct node list)
{
    struct config_router *router = &l->config->router;
    struct node_iter iter;
    struct node_member member;
    struct slice text;
    if (!node_ok(list)) {
        return;
    }
    struct overrun overrun = {"trusted proxies", "LIMPET_TRUSTED_PROXIES", node_count(list),
                              LIMPET_TRUSTED_PROXIES};
    if (overrun.needed > overrun.available) {
        loader_report_overrun(l, list.raw.ptr, &overrun);
        return;
    }
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (!value_text(l, member.node, &text)) {
            continue;
        }
        if (address_network(text, &router->trusted[router->trusted_count])) {
            router->trusted_count++;
        } else {
            loader_report_address(l, member.node.raw.ptr, text,
                                  "expected an address, or a network such as 10.0.0.0/8");
        }
    }
}
