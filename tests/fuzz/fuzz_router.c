/* router_match and uri_* on any request path and any Location: nothing is read outside of the
 * bytes, a redirect leads to a path that the router takes and never to another host, and what is
 * written for a backend holds no byte that could end its place in the request line. */
#include "gateway/router.h"
#include "gateway/uri.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct router router;
static char buf[65536];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void build(void)
{
    static const char *const paths[] = {"/",        "/a",           "/a/b/",    "/{x}/b",
                                        "/a/{x}/c", "/{x}/{y}/{z}", "/A/{x}/d", "/p/{x}/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        config.endpoints[config.endpoint_count++] = (struct config_endpoint){
            .path = slice_from_cstr(paths[i]), .method = i % 3 == 2 ? METHOD_POST : METHOD_GET};
    }
    check(router_init(&router, &config) == LIMPET_OK);
}

static struct slice written(struct out *out)
{
    check(out_err(out) == LIMPET_OK);
    struct slice text = out_slice(out);
    for (size_t i = 0; i < text.len; i++) {
        check(text.ptr[i] > 0x20 && text.ptr[i] < 0x7F);
    }
    return text;
}

static void check_redirect(enum method method, const struct route *route)
{
    struct out out;
    out_init(&out, buf, sizeof(buf));
    router_write_location(&out, route, SLICE_EMPTY);
    struct slice location = written(&out);
    check(location.len > 0 && location.ptr[0] == '/');
    check(location.len < 2 || location.ptr[1] != '/');
    struct route next;
    router_match(&router, method, location, &next);
    check(next.kind == ROUTE_ENDPOINT || next.kind == ROUTE_HEALTH || next.kind == ROUTE_BAD_PARAM);
}

static void check_path(enum method method, struct slice path)
{
    struct route route;
    router_match(&router, method, path, &route);
    if (route.kind == ROUTE_REDIRECT) {
        check_redirect(method, &route);
    }
    if (route.kind != ROUTE_ENDPOINT) {
        return;
    }
    for (size_t i = 0; i < route.param_count; i++) {
        struct out out;
        out_init(&out, buf, sizeof(buf));
        uri_write_segment(&out, route.params[i]);
        struct slice segment = written(&out);
        check(segment.len > 0 && slice_find(segment, '/') == segment.len);
        check(slice_find(segment, '?') == segment.len && slice_find(segment, '#') == segment.len);
        out_init(&out, buf, sizeof(buf));
        uri_write_query_value(&out, route.params[i]);
        struct slice value = written(&out);
        check(slice_find(value, '&') == value.len && slice_find(value, '#') == value.len);
    }
}

static void check_location(struct slice value)
{
    struct uri_location location;
    if (uri_parse_location(value, false, &location) != LIMPET_OK) {
        return;
    }
    check(!location.has_host || (location.name.len > 0 && location.port > 0));
    struct out out;
    out_init(&out, buf, sizeof(buf));
    uri_write_target(&out, SLICE_LIT("/base/of/it?q"), &location);
    struct slice target = written(&out);
    check(target.len > 0 && target.ptr[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (config.endpoint_count == 0) {
        build();
    }
    if (size < 1 || size > 4096) {
        return 0;
    }
    char *copy = malloc(size); /* of exactly its size, for the sanitizer */
    check(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    check_path(data[0] % 2 == 0 ? METHOD_GET : METHOD_POST, slice_of(copy, size - 1));
    check_location(slice_of(copy, size - 1));
    free(copy);
    return 0;
}
