#include "fakes/gateway_world.h"

#include "port/port.h"

#include <assert.h>
#include <string.h>

struct world world;

/* ---- What the gateway asks of rooms and port that are not linked ------------------------------
 */

bool port_entropy(void *buf, size_t len)
{
    memset(buf, 0, len);
    return true;
}

void net_ip4_text(struct out *out, uint32_t ip4)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        out_u64(out, ip4 >> shift & 255u);
        out_text(out, shift > 0 ? "." : "");
    }
}

static bool keep_line(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    if (line.len + 1 > sizeof(world.log_text) - world.log_len) {
        return false;
    }
    memcpy(world.log_text + world.log_len, line.ptr, line.len);
    world.log_len += line.len;
    world.log_text[world.log_len++] = '\n';
    return true;
}

/* ---- Building ---------------------------------------------------------------------------------
 */

void world_reset(void)
{
    /* Not the gateway: its bodies are large, and gateway_init has to do that itself. */
    memset(&world.config, 0, sizeof(world.config));
    fake_client_reset();
    fake_metrics_forget();
    world.log_len = 0;
    log_init(&world.log, keep_line, NULL, LOG_DEBUG);
    timers_init(&world.timers, world.heap, LIMPET_TIMERS);
    world.now_ns = UINT64_C(1000000000);
    world_host("10.0.0.9", "10.0.0.9:9099", 9099);
}

uint16_t world_host(const char *name, const char *authority, uint16_t port)
{
    struct config *config = &world.config;
    uint16_t index = config->host_count++;
    config->hosts[index] = (struct config_host){
        .name = slice_from_cstr(name), .authority = slice_from_cstr(authority), .port = port};
    config->host_refs[config->host_ref_count++] = index;
    return index;
}

/* Index of {name} among the params of an endpoint's path. */
static uint8_t param_index(struct slice path, struct slice name)
{
    uint8_t index = 0;
    for (;;) {
        size_t brace = slice_find(path, '{');
        assert(brace < path.len);
        path = slice_skip(path, brace + 1);
        if (slice_equal(slice_take(path, slice_find(path, '}')), name)) {
            return index;
        }
        index++;
    }
}

static void add_segments(struct config_backend *backend, struct slice path)
{
    struct config *config = &world.config;
    struct slice rest = backend->url_pattern;
    bool in_query = false;
    backend->segment_first = config->segment_count;
    while (rest.len > 0) {
        struct config_segment *segment = &config->segments[config->segment_count++];
        bool param = rest.ptr[0] == '{';
        struct slice text = param ? slice_skip(slice_take(rest, slice_find(rest, '}')), 1)
                                  : slice_take(rest, slice_find(rest, '{'));
        rest = slice_skip(rest, text.len + (param ? 2 : 0));
        in_query = in_query || slice_find(text, '?') < text.len;
        *segment = (struct config_segment){
            .kind = param ? SEGMENT_PARAM : SEGMENT_TEXT,
            .text = text,
            .param = param ? param_index(path, text) : 0,
            .in_query = in_query,
        };
    }
    backend->segment_count = (uint16_t)(config->segment_count - backend->segment_first);
}

struct config_endpoint *world_endpoint(enum method method, const char *path, enum encoding encoding,
                                       const char *url_pattern, uint16_t host_first,
                                       uint16_t host_count)
{
    struct config *config = &world.config;
    struct config_backend *backend = &config->backends[config->backend_count];
    *backend = (struct config_backend){
        .url_pattern = slice_from_cstr(url_pattern),
        .metric_name = slice_from_cstr(url_pattern),
        .method = method,
        .encoding = encoding,
        .host_first = host_first,
        .host_count = host_count,
    };
    add_segments(backend, slice_from_cstr(path));
    struct config_endpoint *endpoint = &config->endpoints[config->endpoint_count++];
    *endpoint = (struct config_endpoint){
        .path = slice_from_cstr(path),
        .metric_name = slice_from_cstr(path),
        .method = method,
        .output_encoding = encoding,
        .timeout_ms = 1000,
        .backend_first = config->backend_count++,
        .backend_count = 1,
        .concurrent_calls = 1,
    };
    return endpoint;
}

struct config_backend *world_backend(const char *url_pattern, uint16_t host_first)
{
    struct config *config = &world.config;
    struct config_endpoint *endpoint = &config->endpoints[config->endpoint_count - 1];
    struct config_backend *backend = &config->backends[config->backend_count++];
    *backend = (struct config_backend){
        .url_pattern = slice_from_cstr(url_pattern),
        .metric_name = slice_from_cstr(url_pattern),
        .method = endpoint->method,
        .host_first = host_first,
        .host_count = 1,
    };
    add_segments(backend, endpoint->path);
    endpoint->backend_count++;
    return backend;
}

void world_start(void)
{
    int err =
        gateway_init(&world.gateway, &world.config, NULL, &world.client, &world.timers, &world.log);
    assert(err == LIMPET_OK);
    (void)err;
    world.handler = gateway_handler(&world.gateway);
    gateway_set_time(&world.gateway, world.now_ns, 0);
    fake_metrics_reset();
}

/* ---- Running ----------------------------------------------------------------------------------
 */

void world_move_time(uint64_t ms)
{
    world.now_ns += LIMPET_MS_TO_NS(ms);
    gateway_set_time(&world.gateway, world.now_ns, 0);
    timers_expire(&world.timers, world.now_ns, SIZE_MAX);
}

void world_request(struct fake_conn *f)
{
    world.handler.request(world.handler.ctx, &f->conn);
}

bool world_logged(const char *text)
{
    world.log_text[world.log_len < sizeof(world.log_text) ? world.log_len : world.log_len - 1] =
        '\0';
    return strstr(world.log_text, text) != NULL;
}

bool world_is_idle(void)
{
    return world.gateway.exchanges_used == 0 && world.gateway.bodies_used == 0 &&
           world.gateway.calls_used == 0 &&
           timers_next_ns(&world.timers) == TIMER_NEVER;
}
