/* Good configurations: every field, defaults, older names, comments; full tables; cut texts. */
#include "check.h"
#include "config/config.h"

#include <stdlib.h>

static struct config config;
static char scratch[4u << 20];
static char text_buf[1u << 20];

struct seen {
    unsigned by_kind[3];
    char first[256];
};

static void keep(void *ctx, const struct config_finding *finding)
{
    struct seen *seen = ctx;
    if (seen->by_kind[0] + seen->by_kind[1] + seen->by_kind[2] == 0) {
        snprintf(seen->first, sizeof(seen->first), "%u:%u: %.*s: %.*s", finding->line,
                 finding->column, (int)finding->path.len, finding->path.ptr,
                 (int)finding->message.len, finding->message.ptr);
    }
    seen->by_kind[finding->kind]++;
}

static int load_slice(struct slice text, size_t scratch_len, struct seen *seen)
{
    *seen = (struct seen){{0}, ""};
    return config_load(&config, text, scratch, scratch_len, keep, seen);
}

/* Loads a text in which ' stands for "; it stays in text_buf. No error is expected. */
static void load_warned(const char *text, unsigned warnings)
{
    struct seen seen;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        text_buf[i] = text[i] == '\'' ? '"' : text[i];
    }
    memset(scratch, 0, sizeof(scratch));
    CHECK_EQ_INT(load_slice(slice_of(text_buf, len), sizeof(scratch), &seen), LIMPET_OK);
    bool clean = true;
    for (size_t i = 0; i < sizeof(scratch); i++) {
        clean = clean && scratch[i] == 0;
    }
    CHECK(clean);
    memset(scratch, 0xAA, sizeof(scratch)); /* nothing of it may be needed any more */
    CHECK_EQ_UINT(seen.by_kind[CONFIG_ERROR], 0);
    if (!CHECK_EQ_UINT(seen.by_kind[CONFIG_WARNING], warnings)) {
        fprintf(stderr, "  %s\n", seen.first);
    }
}

static void load(const char *text)
{
    load_warned(text, 0);
}

#define CHECK_SLICE(got, want) CHECK_EQ_TEXT((got).ptr, (got).len, want)

static const char full[] =
    "{ '$schema': 'https://www.krakend.io/schema/krakend.json', 'version': 3, 'name': 'all keys',\n"
    "  'port': 9080, 'listen_ip': '127.0.0.1', 'timeout': '1500ms', 'cache_ttl': '300s',\n"
    "  'output_encoding': 'json', 'echo_endpoint': true, 'debug_endpoint': true,\n"
    "  'host': ['http://127.0.0.1:9099', 'backend.example.org:8000/'],\n"
    "  'extra_config': {\n"
    "    'telemetry/metrics': { 'collection_time': '30s', 'listen_address': 'localhost:9090',\n"
    "      'proxy_disabled': true, 'router_disabled': true, 'backend_disabled': true,\n"
    "      'endpoint_disabled': true },\n"
    "    'telemetry/influx': { 'address': 'http://[::1]:8086/base/', 'ttl': '25s', 'db': 'edge',\n"
    "      'username': 'u', 'password': 'p\\u00e4ss', 'buffer_size': 1000 },\n"
    "    'telemetry/logging': { 'level': 'WARNING', 'prefix': '[X]' } },\n"
    "  'endpoints': [\n"
    "    { 'endpoint': '/p/{id}/{name}', 'method': 'POST', 'timeout': '250ms', 'cache_ttl': "
    "'10s',\n"
    "      'output_encoding': 'no-op', 'concurrent_calls': 1, 'input_headers': [],\n"
    "      'backend': [ { 'url_pattern': '/echo/{name}/x?id={id}&y={name}', 'method': 'PUT',\n"
    "        'encoding': 'no-op', 'sd': 'static', 'is_collection': false, 'group': '',\n"
    "        'host': ['http://localhost', 'http://127.0.0.1:9099'] } ] },\n"
    "    { 'endpoint': 'plain', 'backend': [ { 'url_pattern': 'a\\/b' } ] } ] }";

static void test_service(void)
{
    CHECK_EQ_UINT(config.listen.port, 9080);
    CHECK_EQ_UINT(config.listen.ip4, 0x7f000001);
    CHECK_EQ_UINT(config.timeout_ms, 1500);
    CHECK_EQ_UINT(config.cache_ttl_s, 300);
    CHECK(config.echo_endpoint);
    CHECK(config.debug_endpoint);
    CHECK_EQ_INT(config.log_level, LOG_WARN);

    CHECK(config.metrics.enabled);
    CHECK(config.metrics.proxy_disabled);
    CHECK(config.metrics.router_disabled);
    CHECK(config.metrics.backend_disabled);
    CHECK(config.metrics.endpoint_disabled);
    CHECK_EQ_UINT(config.metrics.collection_time_ns, UINT64_C(30000000000));
    CHECK_EQ_UINT(config.metrics.listen.ip4, 0x7f000001);
    CHECK_EQ_UINT(config.metrics.listen.port, 9090);

    CHECK(config.influx.enabled);
    CHECK_SLICE(config.influx.host.name, "::1");
    CHECK_SLICE(config.influx.host.authority, "[::1]:8086");
    CHECK_EQ_UINT(config.influx.host.port, 8086);
    CHECK(!config.influx.host.tls);
    CHECK_SLICE(config.influx.base_path, "/base");
    CHECK_EQ_UINT(config.influx.ttl_ns, UINT64_C(25000000000));
    CHECK_SLICE(config.influx.db, "edge");
    CHECK_SLICE(config.influx.username, "u");
    CHECK_SLICE(config.influx.password, "p\xc3\xa4ss");
    CHECK_EQ_UINT(config.influx.buffer_size, 1000);
}

static void check_segment(uint16_t index, enum segment_kind kind, const char *text, uint8_t param,
                          bool in_query)
{
    const struct config_segment *segment = &config.segments[index];
    CHECK_EQ_INT(segment->kind, kind);
    CHECK_SLICE(segment->text, text);
    CHECK_EQ_INT(segment->in_query, in_query);
    if (kind == SEGMENT_PARAM) {
        CHECK_EQ_UINT(segment->param, param);
    }
}

static void test_endpoints(void)
{
    CHECK_EQ_UINT(config.endpoint_count, 2);
    const struct config_endpoint *e = &config.endpoints[0];
    CHECK(e->declared);
    CHECK_SLICE(e->path, "/p/{id}/{name}");
    CHECK_SLICE(e->metric_name, "/p/:id/:name");
    CHECK_EQ_INT(e->method, METHOD_POST);
    CHECK_EQ_INT(e->output_encoding, ENCODING_NO_OP);
    CHECK_EQ_UINT(e->timeout_ms, 250);
    CHECK_EQ_UINT(e->cache_ttl_s, 10);
    CHECK_EQ_UINT(e->param_count, 2);
    CHECK_EQ_UINT(e->backend_first, 0);
    CHECK_EQ_UINT(e->backend_count, 1);
    CHECK_EQ_UINT(e->segment_count, 4);
    check_segment(e->segment_first, SEGMENT_TEXT, "/p/", 0, false);
    check_segment((uint16_t)(e->segment_first + 1), SEGMENT_PARAM, "id", 0, false);
    check_segment((uint16_t)(e->segment_first + 2), SEGMENT_TEXT, "/", 0, false);
    check_segment((uint16_t)(e->segment_first + 3), SEGMENT_PARAM, "name", 1, false);

    e = &config.endpoints[1];
    CHECK_SLICE(e->path, "/plain");
    CHECK_SLICE(e->metric_name, "/plain");
    CHECK_EQ_INT(e->method, METHOD_GET);
    CHECK_EQ_INT(e->output_encoding, ENCODING_JSON);
    CHECK_EQ_UINT(e->timeout_ms, 1500);
    CHECK_EQ_UINT(e->cache_ttl_s, 300);
    CHECK_EQ_UINT(e->param_count, 0);
    CHECK_EQ_UINT(e->backend_first, 1);
    CHECK_EQ_UINT(e->backend_count, 1);
}

static void test_backends(void)
{
    CHECK_EQ_UINT(config.backend_count, 2);
    const struct config_backend *b = &config.backends[0];
    CHECK_SLICE(b->url_pattern, "/echo/{name}/x?id={id}&y={name}");
    CHECK_SLICE(b->metric_name, "/echo/{{.Name}}/x?id={{.Id}}&y={{.Name}}");
    CHECK_EQ_INT(b->method, METHOD_PUT);
    CHECK_EQ_INT(b->encoding, ENCODING_NO_OP);
    CHECK_EQ_UINT(b->segment_count, 7);
    check_segment(b->segment_first, SEGMENT_TEXT, "/echo/", 0, false);
    check_segment((uint16_t)(b->segment_first + 1), SEGMENT_PARAM, "name", 1, false);
    check_segment((uint16_t)(b->segment_first + 2), SEGMENT_TEXT, "/x", 0, false);
    check_segment((uint16_t)(b->segment_first + 3), SEGMENT_TEXT, "?id=", 0, true);
    check_segment((uint16_t)(b->segment_first + 4), SEGMENT_PARAM, "id", 0, true);
    check_segment((uint16_t)(b->segment_first + 5), SEGMENT_TEXT, "&y=", 0, true);
    check_segment((uint16_t)(b->segment_first + 6), SEGMENT_PARAM, "name", 1, true);
    CHECK_EQ_UINT(b->host_count, 2);
    const struct config_host *h = &config.hosts[config.host_refs[b->host_first]];
    CHECK_SLICE(h->name, "localhost");
    CHECK_SLICE(h->authority, "localhost");
    CHECK_EQ_UINT(h->port, 80);

    b = &config.backends[1];
    CHECK_SLICE(b->url_pattern, "/a/b");
    CHECK_SLICE(b->metric_name, "/a/b");
    CHECK_EQ_INT(b->method, METHOD_GET);
    CHECK_EQ_INT(b->encoding, ENCODING_JSON);
    CHECK_EQ_UINT(b->host_count, 2); /* the root's */
    CHECK_EQ_UINT(b->host_first, 0);
    h = &config.hosts[config.host_refs[1]];
    CHECK_SLICE(h->name, "backend.example.org");
    CHECK_SLICE(h->authority, "backend.example.org:8000");
    CHECK_EQ_UINT(h->port, 8000);
    /* Equal ones are stored once: three different hosts in four places. */
    CHECK_EQ_UINT(config.host_count, 3);
    CHECK_EQ_UINT(config.host_ref_count, 4);
    CHECK_EQ_UINT(config.host_refs[config.backends[0].host_first + 1], 0);
}

static void test_defaults(void)
{
    load("{'version': 3, 'endpoints': []}");
    CHECK_EQ_UINT(config.listen.port, 8080);
    CHECK_EQ_UINT(config.listen.ip4, 0);
    CHECK_EQ_UINT(config.timeout_ms, 2000);
    CHECK_EQ_UINT(config.cache_ttl_s, 0);
    CHECK(!config.echo_endpoint && !config.debug_endpoint);
    CHECK_EQ_INT(config.log_level, LOG_INFO);
    CHECK(!config.metrics.enabled && !config.influx.enabled);
    CHECK_EQ_UINT(config.metrics.collection_time_ns, UINT64_C(60000000000));
    CHECK_EQ_UINT(config.metrics.listen.port, 8090);
    CHECK_EQ_UINT(config.metrics.listen.ip4, 0);
    CHECK_EQ_UINT(config.endpoint_count, 0);

    load("{'version': 3, 'endpoints': [], 'timeout': '0s', 'cache_ttl': '0', 'listen_ip': "
         "'0.0.0.0',\n"
         "'extra_config': {'telemetry/metrics': {},\n"
         "'telemetry/influx': {'address': 'http://influx.example.org'}}}");
    CHECK_EQ_UINT(config.timeout_ms, 2000);
    CHECK_EQ_UINT(config.listen.ip4, 0);
    CHECK(config.metrics.enabled && config.influx.enabled);
    CHECK(!config.metrics.endpoint_disabled);
    CHECK_EQ_UINT(config.influx.ttl_ns, UINT64_C(60000000000));
    CHECK_EQ_UINT(config.influx.host.port, 80);
    CHECK_SLICE(config.influx.host.authority, "influx.example.org");
    CHECK_SLICE(config.influx.base_path, "");
    CHECK_SLICE(config.influx.db, "krakend");
    CHECK_SLICE(config.influx.username, "");
    CHECK_EQ_UINT(config.influx.buffer_size, 0);
}

/* An endpoint's 0s means the service's value; parts of a millisecond count as a whole one. */
static void test_inherited(void)
{
    load("{'endpoints': [{'endpoint': '/', 'timeout': '0s', 'cache_ttl': '0s',\n"
         "  'backend': [{'url_pattern': ''}]},\n"
         "  {'endpoint': '/x', 'timeout': '1.5ms', 'method': 'DELETE', 'output_encoding': 'json',\n"
         "  'backend': [{'url_pattern': '/%7b[x]?a[]=1'}]}],\n"
         " 'output_encoding': 'no-op', 'cache_ttl': '1m', 'timeout': '3s', 'host': ['h'],\n"
         " 'version': 3}");
    CHECK_EQ_UINT(config.endpoints[0].timeout_ms, 3000);
    CHECK_EQ_UINT(config.endpoints[0].cache_ttl_s, 60);
    CHECK_EQ_INT(config.endpoints[0].output_encoding, ENCODING_NO_OP);
    CHECK_EQ_INT(config.backends[0].encoding, ENCODING_NO_OP);
    CHECK_SLICE(config.backends[0].url_pattern, "/");
    CHECK_EQ_UINT(config.backends[0].segment_count, 1);
    CHECK_EQ_UINT(config.backends[0].host_count, 1);
    CHECK_EQ_UINT(config.endpoints[1].timeout_ms, 2);
    CHECK_EQ_INT(config.endpoints[1].output_encoding, ENCODING_JSON);
    CHECK_EQ_INT(config.backends[1].method, METHOD_DELETE);
    CHECK_EQ_INT(config.backends[1].encoding, ENCODING_JSON);
    CHECK_SLICE(config.backends[1].metric_name, "/%7b[x]?a[]=1");

    load("{'version': 3, 'endpoints': [], 'timeout': '150us'}");
    CHECK_EQ_UINT(config.timeout_ms, 1);
}

static void test_older_names(void)
{
    load("{'version': 3, 'host': ['http://h:80'], 'endpoints': [{'endpoint': '/',\n"
         " 'extra_config': {'github.com/devopsfaith/krakend/proxy': {'sequential': false}},\n"
         " 'backend': [{'url_pattern': '/', 'extra_config': {\n"
         "   'github.com/devopsfaith/krakend/http': {'return_error_code': false}}}]}],\n"
         " 'extra_config': {\n"
         " 'github_com/devopsfaith/krakend-metrics': {'collection_time': '10s',\n"
         "   'listen_address': '127.0.0.1:8090'},\n"
         " 'github_com/letgoapp/krakend-influx': {'address': 'http://localhost:8086'},\n"
         " 'github_com/luraproject/lura/router/gin': {'return_error_msg': false},\n"
         " 'github_com/devopsfaith/krakend-gologging': {'level': 'DEBUG'}}}");
    CHECK(config.metrics.enabled);
    CHECK_EQ_UINT(config.metrics.collection_time_ns, UINT64_C(10000000000));
    CHECK(config.influx.enabled);
    CHECK_EQ_INT(config.log_level, LOG_DEBUG);
    CHECK_SLICE(config.hosts[0].authority, "h"); /* :80 is the default */
}

/* Comments at every level, of any type, also twice. */
static void test_comments(void)
{
    load(
        "{'version': 3, '#': 1, '#': {'a': [2]}, '@x': null, '_y': 'z', '$schema': 'q', '__z': "
        "{},\n"
        " 'host': ['http://h'], 'extra_config': {'#off': {}, 'telemetry/metrics': {'@why': 'x'}},\n"
        " 'endpoints': [{'_': 0, 'endpoint': '/', 'backend': [{'$': [], 'url_pattern': '/'}]}]}");
    CHECK_EQ_UINT(config.endpoint_count, 1);
}

/* The names that the reference used for its own recording (/__stats). */
static void test_metric_names(void)
{
    load("{'version': 3, 'host': ['http://127.0.0.1:9099'], 'endpoints': [\n"
         "{'endpoint': '/p/{id}/{name}', 'backend': [{'url_pattern': '/echo/{name}/x?id={id}'}]},\n"
         "{'endpoint': '/b404', 'backend': [{'url_pattern': '/st/404'}]},\n"
         "{'endpoint': '/dup', 'method': 'GET', 'backend': [{'url_pattern': '/ok'}]},\n"
         "{'endpoint': '/dup', 'method': 'POST', 'backend': [{'url_pattern': '/ok'}]}]}");
    CHECK_SLICE(config.endpoints[0].metric_name, "/p/:id/:name");
    CHECK_SLICE(config.backends[0].metric_name, "/echo/{{.Name}}/x?id={{.Id}}");
    CHECK_SLICE(config.endpoints[1].metric_name, "/b404");
    CHECK_SLICE(config.backends[1].metric_name, "/st/404");
    CHECK_SLICE(config.endpoints[3].metric_name, "/dup");
}

/* What is accepted with a word. */
static void test_words(void)
{
    static const struct {
        const char *text;
        unsigned warnings;
        unsigned notes;
        const char *first;
    } cases[] = {
        {"{\"version\": 3}", 1, 0, "1:1: : no \"endpoints\": every request will be answered 404"},
        {"{\"version\": 3, \"endpoints\": [], \"name\": \"x\"}", 0, 1,
         "1:33: name: has no effect here"},
        {"{\"version\": 3, \"endpoints\": [], \"max_idle_connections\": 250}", 0, 1,
         "1:33: max_idle_connections: has no effect here"},
        {"{\"version\": 3, \"endpoints\": [], \"cache_ttl\": \"1500ms\"}", 1, 0,
         "1:46: cache_ttl: only whole seconds count: max-age=1"},
        {"{\"version\": 3, \"endpoints\": [], \"extra_config\": {\"telemetry/influx\": "
         "{\"address\": \"http://h\"}}}",
         1, 0,
         "1:70: extra_config.telemetry/influx: without \"telemetry/metrics\" there is nothing to "
         "push"},
        {"{\"version\": 3, \"endpoints\": [], \"extra_config\": {\"telemetry/metrics\": {}, "
         "\"telemetry/influx\": {\"address\": \"http://h\", \"password\": \"x\"}}}",
         1, 0, "1:131: extra_config.telemetry/influx.password: has no effect without \"username\""},
        {"{\"version\": 3, \"endpoints\": [], \"extra_config\": {\"telemetry/metrics\": {}, "
         "\"telemetry/influx\": {\"address\": \"http://h\", \"bucket\": \"x\", "
         "\"token\": \"y\"}}}",
         1, 0, "1:143: extra_config.telemetry/influx.token: without \"org\": InfluxDB 2 needs it, "
         "InfluxDB 3 does not"},
        {"{\"version\": 3, \"endpoints\": [], \"extra_config\": {\"telemetry/metrics\": {}, "
         "\"telemetry/influx\": {\"address\": \"http://h\", \"bucket\": \"x\", \"org\": \"o\", "
         "\"token\": \"y\", \"db\": \"d\"}}}",
         1, 0, "1:166: extra_config.telemetry/influx.db: has no effect with \"token\""},
        {"{\"version\": 3, \"host\": [\"h\"], \"endpoints\": [{\"endpoint\": \"/\", "
         "\"output_encoding\": "
         "\"no-op\", \"backend\": [{\"url_pattern\": \"/\", \"encoding\": \"json\"}]}]}",
         1, 0,
         "1:136: endpoints[0].backend[0].encoding: has no effect: the endpoint's output_encoding "
         "is "
         "\"no-op\""},
        {"{\"version\": 3, \"host\": [\"h\"], \"endpoints\": [{\"endpoint\": \"/\", "
         "\"backend\": [{\"url_pattern\": \"/\", \"extra_config\": {\"backend/http\": "
         "{\"return_error_code\": true, \"return_error_details\": \"\"}}}]}]}",
         1, 0,
         "1:151: endpoints[0].backend[0].extra_config.backend/http.return_error_code: has no "
         "effect beside \"return_error_details\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen;
        CHECK_EQ_INT(load_slice(slice_from_cstr(cases[i].text), sizeof(scratch), &seen), LIMPET_OK);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_ERROR], 0);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_WARNING], cases[i].warnings);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_NO_EFFECT], cases[i].notes);
        CHECK_EQ_STR(seen.first, cases[i].first);
    }
    CHECK(!config.backends[0].error_code);
}

/* Each key that another one makes idle. */
static void test_idle(void)
{
#define EXTRA(text) "{\"version\":3,\"endpoints\":[],\"extra_config\":{" text "}}"
#define ENDPOINT(text, backend)                                                                    \
    "{\"version\":3,\"host\":[\"h\"],\"endpoints\":[{\"endpoint\":\"/\"," text                     \
    "\"backend\":[{\"url_pattern\":\"/\"" backend "}]}]}"
#define NO_OP "\"output_encoding\":\"no-op\","
    static const struct {
        const char *text;
        unsigned warnings;
        const char *first;
    } cases[] = {
        {EXTRA("\"router\":{\"health_path\":\"/h\",\"disable_health\":true}"), 1,
         "1:69: extra_config.router.health_path: has no effect with \"disable_health\""},
        {EXTRA("\"router\":{\"health_path\":\"\",\"disable_health\":true}"), 0, ""},
        {EXTRA("\"router\":{\"error_body\":{\"405\":{\"a\":1}},"
               "\"disable_handle_method_not_allowed\":true}"),
         1,
         "1:75: extra_config.router.error_body.405: has no effect with "
         "\"disable_handle_method_not_allowed\""},
        {EXTRA("\"router\":{\"logger_skip_paths\":[\"/\"],\"disable_access_log\":true}"), 1,
         "1:75: extra_config.router.logger_skip_paths: has no effect with "
         "\"disable_access_log\""},
        {EXTRA("\"telemetry/metrics\":{\"listen_address\":\":8090\",\"endpoint_disabled\":true}"),
         1,
         "1:83: extra_config.telemetry/metrics.listen_address: has no effect with "
         "\"endpoint_disabled\""},
        {ENDPOINT("\"input_headers\":[\"*\",\"host\",\"Content-Length\"],", ""), 2,
         "1:77: endpoints[0].input_headers[1]: has no effect: the gateway writes this field "
         "itself"},
        {ENDPOINT("\"extra_config\":{\"proxy\":{\"sequential\":true}},", ""), 1,
         "1:94: endpoints[0].extra_config.proxy.sequential: has no effect with one backend"},
        {ENDPOINT("\"extra_config\":{\"proxy\":{\"sequential\":false}},", ""), 0, ""},
        {ENDPOINT(NO_OP "\"cache_ttl\":\"5s\",", ""), 1,
         "1:94: endpoints[0].cache_ttl: has no effect: the output_encoding is \"no-op\""},
        {ENDPOINT(NO_OP, ",\"target\":\"a\",\"allow\":[\"a\"],\"group\":\"g\","
                         "\"mapping\":{\"a\":\"b\"},\"extra_config\":{\"backend/http\":"
                         "{\"return_error_code\":true,\"return_error_details\":\"x\"}}"),
         7,
         "1:121: endpoints[0].backend[0].target: has no effect: the endpoint's output_encoding is "
         "\"no-op\""},
        {ENDPOINT(NO_OP, ",\"target\":\"\",\"deny\":[]"), 0, ""},
    };
#undef NO_OP
#undef ENDPOINT
#undef EXTRA
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen;
        CHECK_EQ_INT(load_slice(slice_from_cstr(cases[i].text), sizeof(scratch), &seen), LIMPET_OK);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_WARNING], cases[i].warnings);
        if (cases[i].warnings > 0) {
            CHECK_EQ_STR(seen.first, cases[i].first);
        }
    }
}

/* ---- Limits -------------------------------------------------------------------------------- */

static size_t append(size_t len, const char *format, unsigned n)
{
    char line[256];
    int added = snprintf(line, sizeof(line), format, n, n, n);
    memcpy(text_buf + len, line, (size_t)added);
    return len + (size_t)added;
}

static void check_overrun(const char *head, const char *format, unsigned count, const char *message)
{
    struct seen seen;
    size_t len = append(0, "{\"version\": 3, \"host\": [\"h\"], \"endpoints\": [", 0);
    len = append(len, head, 0);
    for (unsigned i = 0; i < count; i++) {
        len = append(len, i == 0 ? "" : ",", 0);
        len = append(len, format, i);
    }
    len = append(len, head[0] == '\0' ? "]}" : "]}]}]}", 0);
    int err = load_slice(slice_of(text_buf, len), sizeof(scratch), &seen);
    CHECK_EQ_INT(err, message == NULL ? LIMPET_OK : LIMPET_ERR_RANGE);
    if (message != NULL) {
        CHECK(strstr(seen.first, message) != NULL);
    }
}

/* Full is fine; one more is refused with the numbers. */
static void test_full_tables(void)
{
    const char *endpoint = "{\"endpoint\": \"/%u\", \"backend\": [{\"url_pattern\": \"/%u\"}]}";
    check_overrun("", endpoint, LIMPET_ENDPOINTS_MAX, NULL);
    CHECK_EQ_UINT(config.endpoint_count, LIMPET_ENDPOINTS_MAX);
    check_overrun("", endpoint, LIMPET_ENDPOINTS_MAX + 7u,
                  "too many endpoints: 263 needed, 256 available (LIMPET_ENDPOINTS_MAX)");

    const char *host = "\"host%u\"";
    const char *list = "{\"endpoint\": \"/\", \"backend\": [{\"url_pattern\": \"/\", \"host\": [";
    check_overrun(list, host, LIMPET_HOSTS_MAX - 1u, NULL); /* "h" is one too */
    CHECK_EQ_UINT(config.host_count, LIMPET_HOSTS_MAX);
    check_overrun(list, host, LIMPET_HOSTS_MAX,
                  "too many different hosts: 513 needed, 512 available (LIMPET_HOSTS_MAX)");
    check_overrun(list, "\"same\"", LIMPET_HOST_REFS_MAX - 1u, NULL);
    CHECK_EQ_UINT(config.host_count, 2);
    check_overrun(list, "\"same\"", LIMPET_HOST_REFS_MAX + 2u,
                  "too many entries of host lists: 1027");

    const char *pieces = "{\"endpoint\": \"/%u/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}\", \"backend\": ["
                         "{\"url_pattern\": \"/{a}/{b}\"}]}";
    check_overrun("", pieces, LIMPET_ENDPOINTS_MAX, "too many pieces of paths: 5120 needed, 4096 ");

    const char *strings =
        "{\"endpoint\": \"/%u/{p}/12345678901234567890123456789012345678901234567890\", "
        "\"backend\": "
        "[{\"url_pattern\": "
        "\"/12345678901234567890123456789012345678901234567890/12345678901234567890"
        "123456789012345678901234567890/{p}\"}]}";
    check_overrun("", strings, LIMPET_ENDPOINTS_MAX, NULL);
}

/* Every text that ends too early is refused, and nothing is read behind its end. */
static void test_cut_texts(void)
{
    size_t len = sizeof(full) - 1;
    for (size_t cut = 0; cut < len; cut++) {
        struct seen seen;
        char *part = malloc(cut + 1);
        for (size_t i = 0; i < cut; i++) {
            part[i] = full[i] == '\'' ? '"' : full[i];
        }
        /* The allocation ends where the text does. */
        char *exact = realloc(part, cut > 0 ? cut : 1);
        CHECK_EQ_INT(load_slice(slice_of(exact, cut), sizeof(scratch), &seen), LIMPET_ERR_SYNTAX);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_ERROR], 1);
        free(exact);
    }
}

/* Whatever the scratch is, the answer is FULL with a reason, or OK. */
static void test_small_scratch(void)
{
    struct seen seen;
    bool was_ok = false;
    load_warned(full, 2);
    struct slice text = slice_of(text_buf, strlen(full));
    for (size_t len = 0; len < 64u * 1024u; len += 61) {
        int err = load_slice(text, len, &seen);
        if (err == LIMPET_OK) {
            was_ok = true;
            continue;
        }
        CHECK(!was_ok); /* more memory never makes it worse */
        CHECK_EQ_INT(err, LIMPET_ERR_FULL);
        CHECK_EQ_UINT(seen.by_kind[CONFIG_ERROR], 1);
        CHECK(strstr(seen.first, "scratch memory is too small") != NULL);
    }
    CHECK(was_ok);
    /* Any alignment will do. */
    for (size_t skip = 1; skip < 32; skip++) {
        struct seen odd = {{0}, ""};
        CHECK_EQ_INT(config_load(&config, text, scratch + skip, 1u << 20, keep, &odd), LIMPET_OK);
    }
}

/* The scanner bounds the depth before cJSON meets it: never a matter of memory. */
static void test_depth(void)
{
    for (unsigned depth = 1; depth < LIMPET_JSON_DEPTH_MAX + 8u; depth++) {
        struct seen seen;
        size_t len = append(0, "{\"version\": 3, \"#\": ", 0);
        memset(text_buf + len, '[', depth - 1);
        memset(text_buf + len + depth - 1, ']', depth - 1);
        len += 2u * (depth - 1);
        len = append(len, depth == 1 ? "1}" : "}", 0);
        int want = depth <= LIMPET_JSON_DEPTH_MAX ? LIMPET_OK : LIMPET_ERR_SYNTAX;
        CHECK_EQ_INT(load_slice(slice_of(text_buf, len), sizeof(scratch), &seen), want);
    }
}

static void test_too_long(void)
{
    static char big[LIMPET_CONFIG_TEXT_LEN_MAX + 1];
    struct seen seen;
    memset(big, ' ', sizeof(big));
    CHECK_EQ_INT(load_slice(slice_of(big, sizeof(big)), sizeof(scratch), &seen), LIMPET_ERR_FULL);
    CHECK(strstr(seen.first, "1048577 needed, 1048576 available") != NULL);
    memcpy(big, "{\"version\":3}", 13);
    CHECK_EQ_INT(load_slice(slice_of(big, sizeof(big) - 1), sizeof(scratch), &seen), LIMPET_OK);
}

/* ---- Small things -------------------------------------------------------------------------- */

static void test_methods(void)
{
    for (int m = METHOD_GET; m < METHOD_OTHER; m++) {
        CHECK_EQ_INT(method_from_name(method_name((enum method)m)), m);
    }
    CHECK_EQ_INT(method_from_name(SLICE_LIT("get")), METHOD_OTHER);
    CHECK_EQ_INT(method_from_name(SLICE_LIT("OTHER")), METHOD_OTHER);
    CHECK_EQ_INT(method_from_name(SLICE_EMPTY), METHOD_OTHER);
    CHECK_SLICE(method_name(METHOD_PATCH), "PATCH");
}

static void test_override(void)
{
    load("{'version': 3, 'endpoints': [], 'port': 9000, 'listen_ip': 'localhost'}");
    CHECK_EQ_UINT(config.listen.ip4, 0x7f000001);
    config_override_port(&config, 9001);
    CHECK_EQ_UINT(config.listen.port, 9001);
}

/* Listeners may share a port when their addresses differ, or when one of them is off. */
static void test_listeners(void)
{
    load("{'version': 3, 'endpoints': [], 'port': 8090, 'listen_ip': '192.0.2.1', 'extra_config': "
         "{\n"
         "'telemetry/metrics': {'listen_address': '127.0.0.1:8090'}}}");
    load("{'version': 3, 'endpoints': [], 'port': 8090, 'extra_config': {\n"
         "'telemetry/metrics': {'endpoint_disabled': true}}}");
    load("{'version': 3, 'endpoints': [], 'port': 8090}");
    CHECK_EQ_UINT(config.listen.port, config.metrics.listen.port);
}

int main(void)
{
    load_warned(full, 2);
    test_service();
    test_endpoints();
    test_backends();
    test_defaults();
    test_inherited();
    test_older_names();
    test_comments();
    test_metric_names();
    test_words();
    test_idle();
    test_full_tables();
    test_cut_texts();
    test_small_scratch();
    test_depth();
    test_too_long();
    test_methods();
    test_override();
    test_listeners();
    return check_result();
}
