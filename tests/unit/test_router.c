#include "check.h"

#include "gateway/router.h"

static struct config config;
static struct router router;

static void add(enum method method, const char *path)
{
    struct config_endpoint *endpoint = &config.endpoints[config.endpoint_count++];
    *endpoint = (struct config_endpoint){.path = slice_from_cstr(path), .method = method};
}

/* More general paths first, so that the order of the configuration does not help. */
static void build(void)
{
    memset(&config, 0, sizeof(config));
    add(METHOD_GET, "/p/{id}/{name}");
    add(METHOD_GET, "/p/{id}/{name}/x");
    add(METHOD_GET, "/p/{id}/me");
    add(METHOD_GET, "/p/all/{name}");
    add(METHOD_GET, "/u/{id}");
    add(METHOD_GET, "/u/me");
    add(METHOD_GET, "/ok");
    add(METHOD_POST, "/post");
    add(METHOD_GET, "/dup");
    add(METHOD_POST, "/dup");
    add(METHOD_GET, "/slash/");
    add(METHOD_GET, "/Camel/{Id}/Case");
    add(METHOD_GET, "/a b/{x}");
    add(METHOD_GET, "/");
    CHECK_EQ_INT(router_init(&router, &config), LIMPET_OK);
}

static const char *kind_name(enum route_kind kind)
{
    static const char *const names[] = {"endpoint", "health",     "echo",
                                        "debug",    "redirect",   "bad param",
                                        "bad path", "options",    "bad method", "not found"};
    return names[kind];
}

static const struct {
    enum method method;
    const char *path;
    const char *kind;
    const char *pattern; /* of the endpoint, or the Location */
    const char *params[2];
} routes[] = {
    {METHOD_GET, "/", "endpoint", "/", {NULL, NULL}},
    {METHOD_GET, "/ok", "endpoint", "/ok", {NULL, NULL}},
    {METHOD_GET, "/%6fk", "endpoint", "/ok", {NULL, NULL}},
    {METHOD_GET, "/u/me", "endpoint", "/u/me", {NULL, NULL}},
    {METHOD_GET, "/u/m", "endpoint", "/u/{id}", {"m", NULL}},
    {METHOD_GET, "/u/me2", "endpoint", "/u/{id}", {"me2", NULL}},
    {METHOD_GET, "/u/ME", "endpoint", "/u/{id}", {"ME", NULL}},
    {METHOD_GET, "/p/12/bob", "endpoint", "/p/{id}/{name}", {"12", "bob"}},
    {METHOD_GET, "/p/12/me", "endpoint", "/p/{id}/me", {"12", NULL}},
    {METHOD_GET, "/p/all/me", "endpoint", "/p/all/{name}", {"me", NULL}},
    {METHOD_GET, "/p/all/me/x", "endpoint", "/p/{id}/{name}/x", {"all", "me"}},
    {METHOD_GET, "/p/a%20b/c+d", "endpoint", "/p/{id}/{name}", {"a%20b", "c+d"}},
    {METHOD_GET, "/a%20b/c", "endpoint", "/a b/{x}", {"c", NULL}},
    {METHOD_GET, "/slash/", "endpoint", "/slash/", {NULL, NULL}},
    {METHOD_POST, "/dup", "endpoint", "/dup", {NULL, NULL}},
    {METHOD_GET, "/__health", "health", NULL, {NULL, NULL}},
    {METHOD_HEAD, "/__health", "health", NULL, {NULL, NULL}},
    /* 404 */
    {METHOD_GET, "/unknown", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/p/12", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/p/12/b%2Fob", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/p//bob", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "*", "not found", NULL, {NULL, NULL}},
    {METHOD_POST, "/ok/", "not found", NULL, {NULL, NULL}},
    {METHOD_OTHER, "/unknown", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/__echo/x", "not found", NULL, {NULL, NULL}},
    {METHOD_GET, "/__debug/x", "not found", NULL, {NULL, NULL}},
    /* 405 */
    {METHOD_POST, "/ok", "bad method", NULL, {NULL, NULL}},
    {METHOD_HEAD, "/ok", "bad method", NULL, {NULL, NULL}},
    {METHOD_OPTIONS, "/ok", "bad method", NULL, {NULL, NULL}},
    {METHOD_OTHER, "/ok", "bad method", NULL, {NULL, NULL}},
    {METHOD_PUT, "/dup", "bad method", NULL, {NULL, NULL}},
    {METHOD_POST, "/p/1/2", "bad method", NULL, {NULL, NULL}},
    {METHOD_POST, "/__health", "bad method", NULL, {NULL, NULL}},
    /* 400 */
    {METHOD_GET, "/u/a%3Fb", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/a%23", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/%2541", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/100%25", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/..%252Fbar", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/..", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/%2E", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/p/.%2e/x", "bad param", NULL, {NULL, NULL}},
    {METHOD_GET, "/u/...", "endpoint", "/u/{id}", {"...", NULL}},
    {METHOD_GET, "/u/%4", "bad path", NULL, {NULL, NULL}},
    {METHOD_GET, "/%zz", "bad path", NULL, {NULL, NULL}},
    /* Redirects */
    {METHOD_GET, "/ok/", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/slash", "redirect", "/slash/", {NULL, NULL}},
    {METHOD_GET, "/OK", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/Ok/", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "//ok", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "///ok//", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/./x/../ok", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/%2e%2e/ok", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/../../ok", "redirect", "/ok", {NULL, NULL}},
    {METHOD_GET, "/ok/..", "redirect", "/", {NULL, NULL}},
    {METHOD_GET, "/u/7/", "redirect", "/u/7", {NULL, NULL}},
    {METHOD_GET, "/camel/Ab%20c/CASE/", "redirect", "/Camel/Ab%20c/Case", {NULL, NULL}},
    {METHOD_GET, "/A%20B/y", "redirect", "/a%20b/y", {NULL, NULL}},
    {METHOD_GET, "/__health/", "redirect", "/__health", {NULL, NULL}},
    {METHOD_POST, "/POST/", "redirect", "/post", {NULL, NULL}},
    {METHOD_GET, "//u//evil.example/", "redirect", "/u/evil.example", {NULL, NULL}},
    {METHOD_GET, "//evil.example/", "not found", NULL, {NULL, NULL}},
};

static void test_routes(void)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        struct route route;
        router_match(&router, routes[i].method, slice_from_cstr(routes[i].path), &route);
        if (!CHECK_EQ_STR(kind_name(route.kind), routes[i].kind)) {
            fprintf(stderr, "    %s\n", routes[i].path);
            continue;
        }
        if (route.kind == ROUTE_REDIRECT) {
            char text[256];
            struct out out;
            out_init(&out, text, sizeof(text));
            router_write_location(&out, &route, SLICE_EMPTY);
            CHECK_EQ_TEXT(text, out_slice(&out).len, routes[i].pattern);
        }
        if (route.kind != ROUTE_ENDPOINT) {
            continue;
        }
        struct slice pattern = config.endpoints[route.endpoint].path;
        CHECK_EQ_TEXT(pattern.ptr, pattern.len, routes[i].pattern);
        CHECK(config.endpoints[route.endpoint].method == routes[i].method);
        for (size_t p = 0; p < route.param_count; p++) {
            CHECK_EQ_TEXT(route.params[p].ptr, route.params[p].len, routes[i].params[p]);
        }
        CHECK(route.param_count == 2 || routes[i].params[route.param_count] == NULL);
    }
}

static void test_query_is_kept(void)
{
    struct route route;
    char text[256];
    struct out out;
    router_match(&router, METHOD_GET, SLICE_LIT("/ok/"), &route);
    out_init(&out, text, sizeof(text));
    router_write_location(&out, &route, SLICE_LIT("a=1&b=%20"));
    CHECK_EQ_TEXT(text, out_slice(&out).len, "/ok?a=1&b=%20");
}

static void test_builtins(void)
{
    struct route route;
    config.echo_endpoint = true;
    router_match(&router, METHOD_POST, SLICE_LIT("/__echo/a/b"), &route);
    CHECK(route.kind == ROUTE_ECHO);
    router_match(&router, METHOD_GET, SLICE_LIT("/__debug/a"), &route);
    CHECK(route.kind == ROUTE_NOT_FOUND);
    config.debug_endpoint = true;
    router_match(&router, METHOD_GET, SLICE_LIT("/__debug/"), &route);
    CHECK(route.kind == ROUTE_DEBUG);
    router_match(&router, METHOD_GET, SLICE_LIT("/__echo"), &route);
    CHECK(route.kind == ROUTE_REDIRECT);
    char text[32];
    struct out out;
    out_init(&out, text, sizeof(text));
    router_write_location(&out, &route, SLICE_EMPTY);
    CHECK_EQ_TEXT(text, out_slice(&out).len, "/__echo/");
    router_match(&router, METHOD_GET, SLICE_LIT("/__Echo/a%2Fb/C"), &route);
    CHECK_EQ_INT(route.kind, ROUTE_REDIRECT);
    out_init(&out, text, sizeof(text));
    router_write_location(&out, &route, SLICE_LIT("q=1"));
    CHECK_EQ_TEXT(text, out_slice(&out).len, "/__echo/a%2Fb/C?q=1");
    router_match(&router, METHOD_POST, SLICE_LIT("/__ECHO"), &route);
    CHECK_EQ_INT(route.kind, ROUTE_REDIRECT);
    out_init(&out, text, sizeof(text));
    router_write_location(&out, &route, SLICE_EMPTY);
    CHECK_EQ_TEXT(text, out_slice(&out).len, "/__echo/");
    router_match(&router, METHOD_GET, SLICE_LIT("/__echoes"), &route);
    CHECK(route.kind == ROUTE_NOT_FOUND);
    config.echo_endpoint = config.debug_endpoint = false;
}

static void check_route(enum method method, const char *path, enum route_kind kind)
{
    struct route route;
    router_match(&router, method, slice_from_cstr(path), &route);
    if (!CHECK(route.kind == kind)) {
        fprintf(stderr, "  of: %s\n", path);
    }
}

static unsigned allow_of(enum method method, const char *path)
{
    struct route route;
    router_match(&router, method, slice_from_cstr(path), &route);
    CHECK(route.kind == ROUTE_BAD_METHOD || route.kind == ROUTE_OPTIONS);
    return route.allow;
}

static void test_health_path(void)
{
    config.router.health_path = SLICE_LIT("/up/now");
    CHECK_EQ_INT(router_init(&router, &config), LIMPET_OK);
    check_route(METHOD_GET, "/up/now", ROUTE_HEALTH);
    check_route(METHOD_HEAD, "/up/now", ROUTE_HEALTH);
    check_route(METHOD_GET, "/up/now/", ROUTE_REDIRECT);
    check_route(METHOD_GET, "/__health", ROUTE_NOT_FOUND);
    config.router.health_disabled = true;
    CHECK_EQ_INT(router_init(&router, &config), LIMPET_OK);
    check_route(METHOD_GET, "/up/now", ROUTE_NOT_FOUND);
    check_route(METHOD_HEAD, "/up/now", ROUTE_NOT_FOUND);
    check_route(METHOD_GET, "/ok", ROUTE_ENDPOINT);
    build();
}

static void test_redirect_switches(void)
{
    config.router.slash_redirects_disabled = true;
    check_route(METHOD_GET, "/ok/", ROUTE_NOT_FOUND);
    check_route(METHOD_GET, "/slash", ROUTE_NOT_FOUND);
    check_route(METHOD_GET, "//OK", ROUTE_REDIRECT);
    check_route(METHOD_GET, "//OK/", ROUTE_NOT_FOUND);
    config.router.path_redirects_disabled = true;
    check_route(METHOD_GET, "/OK", ROUTE_NOT_FOUND);
    config.router.slash_redirects_disabled = false;
    check_route(METHOD_GET, "/ok/", ROUTE_REDIRECT);
    check_route(METHOD_GET, "//ok", ROUTE_NOT_FOUND);
    config.router.extra_slashes_removed = true;
    check_route(METHOD_GET, "//ok", ROUTE_ENDPOINT);
    check_route(METHOD_GET, "/x/.././ok", ROUTE_ENDPOINT);
    check_route(METHOD_GET, "//ok/", ROUTE_REDIRECT);
    build();
}

static void test_methods(void)
{
    CHECK_EQ_UINT(allow_of(METHOD_DELETE, "/dup"), 1u << METHOD_GET | 1u << METHOD_POST);
    CHECK_EQ_UINT(allow_of(METHOD_OPTIONS, "/ok"), 1u << METHOD_GET);
    CHECK_EQ_UINT(allow_of(METHOD_POST, "/__health"), 1u << METHOD_GET);
    config.router.auto_options = true;
    check_route(METHOD_OPTIONS, "/dup", ROUTE_OPTIONS);
    check_route(METHOD_OPTIONS, "/none", ROUTE_NOT_FOUND);
    CHECK_EQ_UINT(allow_of(METHOD_OPTIONS, "/dup"), 1u << METHOD_GET | 1u << METHOD_POST);
    CHECK_EQ_UINT(allow_of(METHOD_PUT, "/u/7"), 1u << METHOD_GET);
    check_route(METHOD_OPTIONS, "/dup/", ROUTE_REDIRECT);
    check_route(METHOD_OPTIONS, "/DUP", ROUTE_REDIRECT);
    check_route(METHOD_OPTIONS, "/u/100%25", ROUTE_OPTIONS);
    check_route(METHOD_OPTIONS, "/__health", ROUTE_BAD_METHOD);
    check_route(METHOD_OPTIONS, "/__health/", ROUTE_NOT_FOUND);
    config.router.auto_options = false;
    config.router.method_check_disabled = true;
    check_route(METHOD_POST, "/ok", ROUTE_NOT_FOUND);
    check_route(METHOD_OPTIONS, "/ok", ROUTE_NOT_FOUND);
    build();
}

static void test_path_decoding(void)
{
    check_route(METHOD_GET, "/u/a%2541", ROUTE_BAD_PARAM);
    config.router.path_decoding_disabled = true;
    check_route(METHOD_GET, "/u/a%2541", ROUTE_ENDPOINT);
    check_route(METHOD_GET, "/u/a%3Fb%23", ROUTE_ENDPOINT);
    check_route(METHOD_GET, "/u/%2E%2E", ROUTE_BAD_PARAM);
    build();
}

/* As many parts as there may be, and one more; each split of "/", and every byte as a path. */
static void test_bounds(void)
{
    char path[3 * LIMPET_PATH_PARTS_MAX + 8];
    memset(&config, 0, sizeof(config));
    size_t len = 0;
    for (size_t i = 0; i < LIMPET_PATH_PARTS_MAX; i++) {
        path[len++] = '/';
        path[len++] = 'a';
    }
    path[len] = '\0';
    add(METHOD_GET, path);
    CHECK_EQ_INT(router_init(&router, &config), LIMPET_OK);
    struct route route;
    router_match(&router, METHOD_GET, slice_of(path, len), &route);
    CHECK(route.kind == ROUTE_ENDPOINT);
    for (size_t cut = 0; cut < len; cut++) {
        router_match(&router, METHOD_GET, slice_of(path, cut), &route);
        CHECK(route.kind == ROUTE_NOT_FOUND);
    }
    path[len] = '/';
    router_match(&router, METHOD_GET, slice_of(path, len + 1), &route);
    CHECK(route.kind == ROUTE_NOT_FOUND); /* more parts than a path may have */
    path[len + 1] = 'a';
    config.endpoints[0].path = slice_of(path, len + 2);
    CHECK_EQ_INT(router_init(&router, &config), LIMPET_ERR_RANGE);

    char params[5 * LIMPET_PARAMS_MAX + 16] = "";
    for (size_t i = 0; i <= LIMPET_PARAMS_MAX; i++) {
        strcat(params, "/{x}");
        config.endpoints[0].path = slice_from_cstr(params);
        int want = i < LIMPET_PARAMS_MAX ? LIMPET_OK : LIMPET_ERR_RANGE;
        CHECK_EQ_INT(router_init(&router, &config), want);
    }
    build();
    for (int byte = 0; byte < 256; byte++) {
        char one[4] = {'/', (char)byte, '/', (char)byte};
        for (size_t cut = 0; cut <= sizeof(one); cut++) {
            router_match(&router, METHOD_GET, slice_of(one, cut), &route);
            CHECK(route.kind <= ROUTE_NOT_FOUND);
        }
    }
}

int main(void)
{
    build();
    test_routes();
    test_query_is_kept();
    test_builtins();
    test_health_path();
    test_redirect_switches();
    test_methods();
    test_path_decoding();
    test_bounds();
    return check_result();
}
