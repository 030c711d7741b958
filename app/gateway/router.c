#include "gateway/router.h"

#include "gateway/uri.h"

#include <assert.h>

/* What stands between the slashes; "/a/" has the parts "a" and "". */
struct parts {
    size_t count; /* 0: no path of ours (no slash in front, or too many parts) */
    struct slice part[LIMPET_PATH_PARTS_MAX];
};

/* ---- Parts ------------------------------------------------------------------------------------
 */

/* Length of a slash at the front: 1, or 3 when it is escaped (the reference unescapes before it
 * looks for slashes: recorded, /p/12/b%2Fob is 404); 0 = none. */
static size_t raw_slash_len(struct slice at)
{
    if (at.len > 0 && at.ptr[0] == '/') {
        return 1;
    }
    return slice_equal_nocase(slice_take(at, 3), SLICE_LIT("%2F")) ? 3 : 0;
}

/* The next part of a path whose slash in front was taken; `rest` goes behind the slash that
 * follows. False: this was the last one. */
static bool raw_part(struct slice *rest, struct slice *part)
{
    size_t len = 0;
    size_t slash = 0;
    while (len < rest->len && (slash = raw_slash_len(slice_skip(*rest, len))) == 0) {
        len++;
    }
    *part = slice_take(*rest, len);
    *rest = slice_skip(*rest, len + slash);
    return slash > 0;
}

/* The same of a pattern, where %2F has no meaning. */
static bool pattern_part(struct slice *rest, struct slice *part)
{
    size_t len = slice_find(*rest, '/');
    bool more = len < rest->len;
    *part = slice_take(*rest, len);
    *rest = slice_skip(*rest, len + more);
    return more;
}

static void split(struct slice path, struct parts *parts)
{
    parts->count = 0;
    size_t slash = raw_slash_len(path);
    if (slash == 0) {
        return;
    }
    struct slice rest = slice_skip(path, slash);
    bool more = true;
    while (more) {
        if (parts->count == LIMPET_PATH_PARTS_MAX) {
            parts->count = 0;
            return;
        }
        more = raw_part(&rest, &parts->part[parts->count]);
        parts->count++;
    }
}

/* Dots and empty parts resolved; a slash at the end stays. Works in place, too. */
static void clean(const struct parts *from, struct parts *to)
{
    size_t count = from->count;
    to->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice part = from->part[i];
        bool last = i + 1 == count;
        bool up = uri_equals(part, SLICE_LIT(".."), false);
        if (up && to->count > 0) {
            to->count--;
        }
        if (up || part.len == 0 || uri_equals(part, SLICE_LIT("."), false)) {
            part = SLICE_EMPTY;
        }
        if (part.len > 0 || last) {
            to->part[to->count++] = part;
        }
    }
}

static bool ends_with_slash(const struct parts *parts)
{
    return parts->count > 0 && parts->part[parts->count - 1].len == 0;
}

/* Adds or removes the slash at the end. False where that gives no path. */
static bool toggle_slash(struct parts *parts)
{
    if (ends_with_slash(parts)) {
        parts->count--;
        return parts->count > 0;
    }
    if (parts->count == 0 || parts->count == LIMPET_PATH_PARTS_MAX) {
        return false;
    }
    parts->part[parts->count++] = SLICE_EMPTY;
    return true;
}

/* ---- Patterns ---------------------------------------------------------------------------------
 */

static bool is_param(struct slice part)
{
    return part.len > 2 && part.ptr[0] == '{' && part.ptr[part.len - 1] == '}';
}

static struct slice health_path(const struct config *config)
{
    struct slice path = config->router.health_path;
    return path.len > 0 ? path : SLICE_LIT("/__health");
}

static struct slice pattern_of(const struct router *router, uint16_t index)
{
    const struct config *config = router->config;
    return index == config->endpoint_count ? health_path(config) : config->endpoints[index].path;
}

static enum method method_of(const struct router *router, uint16_t index)
{
    const struct config *config = router->config;
    return index == config->endpoint_count ? METHOD_GET : config->endpoints[index].method;
}

/* A param takes any part but an empty one. (gin takes those in the middle; then "//host" could fit,
 * and a redirect to it would lead to another host.) */
static bool part_fits(struct slice pattern, struct slice part, bool fold)
{
    return is_param(pattern) ? part.len > 0 : uri_equals(part, pattern, fold);
}

static bool pattern_fits(struct slice pattern, const struct parts *parts, bool fold,
                         struct route *route)
{
    struct slice rest = slice_skip(pattern, 1);
    route->param_count = 0;
    bool more = true;
    for (size_t i = 0; i < parts->count; i++) {
        struct slice part;
        if (!more) {
            return false;
        }
        more = pattern_part(&rest, &part);
        if (!part_fits(part, parts->part[i], fold)) {
            return false;
        }
        if (is_param(part)) {
            route->params[route->param_count++] = parts->part[i];
        }
    }
    route->pattern = pattern;
    return !more && parts->count > 0;
}

/* < 0: `a` is to be tried first. Literal text stands before a param, else bytewise. */
static int pattern_compare(struct slice a, struct slice b)
{
    a = slice_skip(a, 1);
    b = slice_skip(b, 1);
    for (;;) {
        struct slice part_a, part_b;
        bool more_a = pattern_part(&a, &part_a);
        bool more_b = pattern_part(&b, &part_b);
        bool param_a = is_param(part_a);
        bool param_b = is_param(part_b);
        int order = param_a || param_b ? param_a - param_b : slice_compare(part_a, part_b);
        if (order != 0) {
            return order;
        }
        if (!more_a || !more_b) {
            return more_a - more_b;
        }
    }
}

static int pattern_check(struct slice pattern)
{
    struct slice rest = slice_skip(pattern, 1);
    size_t parts = 0;
    size_t params = 0;
    bool more = true;
    while (more) {
        struct slice part;
        more = pattern_part(&rest, &part);
        params += is_param(part);
        parts++;
    }
    bool fits = slice_starts_with(pattern, SLICE_LIT("/")) && parts <= LIMPET_PATH_PARTS_MAX &&
                params <= LIMPET_PARAMS_MAX;
    return fits ? LIMPET_OK : LIMPET_ERR_RANGE;
}

int router_init(struct router *router, const struct config *config)
{
    router->config = config;
    router->count = 0;
    size_t count = (size_t)config->endpoint_count + !config->router.health_disabled;
    for (uint16_t i = 0; i < count; i++) {
        int err = pattern_check(pattern_of(router, i));
        if (err != LIMPET_OK) {
            return err;
        }
        size_t at = router->count++;
        while (at > 0 && pattern_compare(pattern_of(router, i),
                                         pattern_of(router, router->order[at - 1])) < 0) {
            router->order[at] = router->order[at - 1];
            at--;
        }
        router->order[at] = i;
    }
    return LIMPET_OK;
}

/* ---- The lookup -------------------------------------------------------------------------------
 */

/* What a path of `index` would be to this method; ROUTE_BAD_METHOD: nothing. */
static enum route_kind kind_of(const struct router *router, uint16_t index, enum method method)
{
    bool health = index == router->config->endpoint_count;
    if (method_of(router, index) == method) {
        return health ? ROUTE_HEALTH : ROUTE_ENDPOINT;
    }
    bool options = method == METHOD_OPTIONS && router->config->router.auto_options && !health;
    return options ? ROUTE_OPTIONS : ROUTE_BAD_METHOD;
}

static bool find(const struct router *router, enum method method, const struct parts *parts,
                 bool fold, struct route *route)
{
    for (size_t i = 0; i < router->count; i++) {
        uint16_t index = router->order[i];
        route->kind = kind_of(router, index, method);
        if (route->kind != ROUTE_BAD_METHOD &&
            pattern_fits(pattern_of(router, index), parts, fold, route)) {
            route->endpoint = index;
            return true;
        }
    }
    return false;
}

/* A value that would change when it is unescaped once more, or that would end the path of the
 * backend's URL (lura's paramChecker). */
static bool is_escaped(struct slice raw)
{
    return uri_contains(raw, '%') || uri_contains(raw, '?') || uri_contains(raw, '#');
}

/* "." and "..", which the reference passes on, are always refused: in a backend's path they would
 * lead to another place than the configuration names. */
static bool params_clean(const struct router *router, const struct route *route)
{
    bool check = !router->config->router.path_decoding_disabled;
    for (size_t i = 0; i < route->param_count; i++) {
        struct slice raw = route->params[i];
        bool dots =
            uri_equals(raw, SLICE_LIT("."), false) || uri_equals(raw, SLICE_LIT(".."), false);
        if (dots || (check && is_escaped(raw))) {
            return false;
        }
    }
    return true;
}

static bool find_redirect(const struct router *router, enum method method, struct parts *parts,
                          struct route *route)
{
    const struct config_router *options = &router->config->router;
    bool slash = !options->slash_redirects_disabled;
    bool root = parts->count == 1 && parts->part[0].len == 0;
    struct parts cleaned;
    clean(parts, &cleaned);
    if (root) {
        return false;
    }
    if (slash && toggle_slash(parts) && find(router, method, parts, false, route)) {
        return true;
    }
    if (options->path_redirects_disabled) {
        return false;
    }
    if (find(router, method, &cleaned, true, route)) {
        return true;
    }
    return slash && toggle_slash(&cleaned) &&
           find(router, method, &cleaned, true, route);
}

/* The methods under which a path is known. */
static uint16_t allowed_methods(const struct router *router, const struct parts *parts,
                                struct route *route)
{
    unsigned allow = 0;
    for (size_t i = 0; i < router->count; i++) {
        uint16_t index = router->order[i];
        if (pattern_fits(pattern_of(router, index), parts, false, route)) {
            allow |= 1u << method_of(router, index);
        }
    }
    return (uint16_t)allow;
}

/* `root` ends with a slash: everything below it, and a redirect to it from without the slash. */
static bool find_below(struct slice root, enum route_kind kind, struct slice path,
                       struct route *route)
{
    if (slice_starts_with(path, root)) {
        route->kind = kind;
        return true;
    }
    if (slice_equal(path, slice_take(root, root.len - 1))) {
        route->kind = ROUTE_REDIRECT;
        route->pattern = root;
        return true;
    }
    return false;
}

static bool find_builtin(const struct config *config, enum method method, struct slice path,
                         struct route *route)
{
    if (config->echo_endpoint && find_below(SLICE_LIT("/__echo/"), ROUTE_ECHO, path, route)) {
        return true;
    }
    if (config->debug_endpoint && find_below(SLICE_LIT("/__debug/"), ROUTE_DEBUG, path, route)) {
        return true;
    }
    if (method == METHOD_HEAD && !config->router.health_disabled &&
        slice_equal(path, health_path(config))) {
        route->kind = ROUTE_HEALTH;
        return true;
    }
    return false;
}

/* The same roots in other letters: redirected as an endpoint's path is. What is below goes along as
 * it was sent, in params[0], for which the pattern has no place. */
static bool find_builtin_nocase(const struct config *config, struct slice path,
                                struct route *route)
{
    const struct slice roots[] = {SLICE_LIT("/__echo/"), SLICE_LIT("/__debug/")};
    const bool wanted[] = {config->echo_endpoint, config->debug_endpoint};
    for (size_t i = 0; i < 2 && !config->router.path_redirects_disabled; i++) {
        struct slice root = roots[i];
        if (wanted[i] && (slice_equal_nocase(slice_take(path, root.len), root) ||
                          slice_equal_nocase(path, slice_take(root, root.len - 1)))) {
            route->pattern = root;
            route->params[0] = slice_skip(path, root.len);
            route->param_count = 1;
            return true;
        }
    }
    return false;
}

void router_match(const struct router *router, enum method method, struct slice path,
                  struct route *route)
{
    route->param_count = 0;
    route->pattern = SLICE_EMPTY;
    if (!uri_escapes_valid(path)) {
        route->kind = ROUTE_BAD_PATH;
        return;
    }
    if (find_builtin(router->config, method, path, route)) {
        return;
    }
    struct parts parts;
    split(path, &parts);
    if (router->config->router.extra_slashes_removed) {
        clean(&parts, &parts);
    }
    bool found = find(router, method, &parts, false, route);
    if (found && route->kind != ROUTE_OPTIONS) {
        if (!params_clean(router, route)) {
            route->kind = ROUTE_BAD_PARAM;
        }
        return;
    }
    route->allow = allowed_methods(router, &parts, route);
    if (found) {
        return;
    }
    if (find_redirect(router, method, &parts, route) ||
        find_builtin_nocase(router->config, path, route)) {
        route->kind = ROUTE_REDIRECT;
    } else {
        bool unknown = route->allow == 0 || router->config->router.method_check_disabled;
        route->kind = unknown ? ROUTE_NOT_FOUND : ROUTE_BAD_METHOD;
    }
}

void router_write_location(struct out *out, const struct route *route, struct slice query)
{
    assert(route->kind == ROUTE_REDIRECT);
    struct slice rest = slice_skip(route->pattern, 1);
    size_t param = 0;
    bool more = true;
    while (more) {
        struct slice part;
        more = pattern_part(&rest, &part);
        out_char(out, '/');
        if (is_param(part)) {
            uri_write_segment(out, route->params[param++]);
        } else {
            uri_write_plain_path(out, part);
        }
    }
    if (param < route->param_count) {
        out_put(out, route->params[param]);
    }
    if (query.len > 0) {
        out_char(out, '?');
        out_put(out, query);
    }
}
