/* Broken configurations: each is refused with the right place, path and message. In the table '
 * stands for " and ` for ' to keep the texts readable. */
#include "check.h"
#include "config/config.h"

#include <stdlib.h>

#define SCRATCH_LEN (1u << 20)
#define TEXT_LEN_MAX 4096

static struct config config;
static char scratch[SCRATCH_LEN];

struct told {
    unsigned errors;
    unsigned warnings;
    uint32_t line;
    uint32_t column;
    uint32_t last_line;
    uint32_t last_column;
    bool in_order;
    char path[256];
    char message[256];
};

/* Keeps the first error. */
static void keep_first(void *ctx, const struct config_finding *finding)
{
    struct told *told = ctx;
    bool later = finding->line > told->last_line ||
                 (finding->line == told->last_line && finding->column >= told->last_column);
    told->in_order = told->in_order && (later || finding->line == 0);
    told->last_line = finding->line;
    told->last_column = finding->column;
    told->warnings += finding->kind == CONFIG_WARNING;
    if (finding->kind != CONFIG_ERROR) {
        return;
    }
    if (told->errors == 0) {
        told->line = finding->line;
        told->column = finding->column;
        snprintf(told->path, sizeof(told->path), "%.*s", (int)finding->path.len, finding->path.ptr);
        snprintf(told->message, sizeof(told->message), "%.*s", (int)finding->message.len,
                 finding->message.ptr);
    }
    told->errors++;
}

static int load(const char *template, struct told *told)
{
    /* On the heap and of the exact length: a sanitizer sees any read behind the end. */
    size_t len = strlen(template);
    char *text = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        text[i] = template[i] == '\'' ? '"' : template[i];
    }
    *told = (struct told){.in_order = true};
    int err = config_load(&config, slice_of(text, len), scratch, sizeof(scratch), keep_first, told);
    free(text);
    return err;
}

/* Frames that put the broken part on its own line. */
#define ROOT(part) "{'version': 3, 'host': ['http://h'],\n" part "\n}"
#define EXTRA(part) ROOT("'extra_config': {\n" part "\n}")
#define METRICS(part) EXTRA("'telemetry/metrics': {" part "}")
#define INFLUX(part) EXTRA("'telemetry/metrics': {}, 'telemetry/influx': {\n" part "}")
#define ROUTER(part) EXTRA("'router': {\n" part "}")
#define R "extra_config.router"
#define CORS(part) EXTRA("'security/cors': {\n" part "}")
#define C "extra_config.security/cors"
#define ENDPOINT(part) ROOT("'endpoints': [{'backend': [{'url_pattern': '/'}],\n" part "}]")
#define PATH(path) ENDPOINT("'endpoint': '" path "'")
#define BACKEND(part) ROOT("'endpoints': [{'endpoint': '/a/{x}', 'backend': [{\n" part "}]}]")
#define URL(url) BACKEND("'url_pattern': '" url "'")
#define HOST(host) BACKEND("'url_pattern': '/', 'host': ['" host "']")

static const struct broken {
    const char *text;
    int err;
    uint32_t line;
    uint32_t column;
    const char *path;
    const char *message; /* a part of it, ' for " */
} broken[] = {
    /* The text */
    {"", LIMPET_ERR_SYNTAX, 1, 1, "", ""},
    {"{'version': 3,}", LIMPET_ERR_SYNTAX, 1, 15, "", ""},
    {"{'version': 03}", LIMPET_ERR_SYNTAX, 1, 14, "", ""},
    {"{'version': 3} x", LIMPET_ERR_SYNTAX, 1, 16, "", ""},
    {"{'version': 3\n 'port': 1}", LIMPET_ERR_SYNTAX, 2, 2, "", ""},
    {"{'version': 3, 'name': 'a\tb'}", LIMPET_ERR_SYNTAX, 1, 26, "", ""},
    {"{'version': 3, 'name': 'a\\qb'}", LIMPET_ERR_SYNTAX, 1, 0, "", ""},
    {"{'version': 3, 'name': '\xff'}", LIMPET_ERR_SYNTAX, 1, 25, "", ""},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", LIMPET_ERR_SYNTAX, 1, 33, "", ""},
    {"\xef\xbb\xbf{}", LIMPET_ERR_SYNTAX, 1, 1, "", ""},
    {"{'version': 3, 'name': 'a\\u0000b'}", LIMPET_ERR_SYNTAX, 1, 26, "name", "\\u0000"},
    {"{'version': 3,\n 'name': '\\ud834x'}", LIMPET_ERR_SYNTAX, 2, 11, "name", "surrogate"},
    {"{'version': 3,\n 'n\\uDC00': 1}", LIMPET_ERR_SYNTAX, 2, 4, "[`n\\uDC00`]", "surrogate"},
    {"[]", LIMPET_ERR_RANGE, 1, 1, "", "expected an object"},
    {" 3", LIMPET_ERR_RANGE, 1, 2, "", "expected an object"},

    /* Root */
    {"\n {}", LIMPET_ERR_RANGE, 2, 2, "", "'version' is missing"},
    {"{'endpoints': [], 'version': 2}", LIMPET_ERR_RANGE, 1, 30, "version", "must be 3, got 2"},
    {"{'endpoints': [], 'version': '3'}", LIMPET_ERR_RANGE, 1, 30, "version",
     "expected a whole number, got '3'"},
    {ROOT("'endpoints': [], 'port': 0"), LIMPET_ERR_RANGE, 2, 26, "port",
     "must be at least 1, got 0"},
    {ROOT("'port': 65536, 'endpoints': []"), LIMPET_ERR_RANGE, 2, 9, "port",
     "must be at most 65535, got 65536"},
    {ROOT("'endpoints': [],\n\n'port': 8080.5"), LIMPET_ERR_RANGE, 4, 9, "port",
     "expected a whole number, got 8080.5"},
    {ROOT("'endpoints': [], 'port': -1"), LIMPET_ERR_RANGE, 2, 26, "port",
     "must be at least 1, got -1"},
    {ROOT("'endpoints': [], 'port': 8e3"), LIMPET_ERR_RANGE, 2, 26, "port", "whole number"},
    {ROOT("'endpoints': [], 'port': 99999999999999999999999"), LIMPET_ERR_RANGE, 2, 26, "port",
     "must be at most 65535"},
    {ROOT("'endpoints': [], 'port': null"), LIMPET_ERR_RANGE, 2, 26, "port", "got null"},
    {ROOT("'endpoints': [], 'port': 1, 'listen_ip': '::1'"), LIMPET_ERR_RANGE, 2, 42, "listen_ip",
     "'::1': IPv6 is not supported"},
    {ROOT("'endpoints': [], 'listen_ip': 'example.org'"), LIMPET_ERR_RANGE, 2, 31, "listen_ip",
     "expected an IPv4 address"},
    {ROOT("'endpoints': [], 'listen_ip': '224.0.0.1'"), LIMPET_ERR_RANGE, 2, 31, "listen_ip",
     "nothing could reach"},
    {ROOT("'endpoints': [], 'timeout': '2'"), LIMPET_ERR_RANGE, 2, 29, "timeout",
     "expected a duration such as '60s' (units ns us ms s m h), got '2'"},
    {ROOT("'endpoints': [], 'timeout': 2000"), LIMPET_ERR_RANGE, 2, 29, "timeout", "duration"},
    {ROOT("'endpoints': [], 'timeout': '-2s'"), LIMPET_ERR_RANGE, 2, 29, "timeout", "duration"},
    {ROOT("'endpoints': [], 'timeout': '2 s'"), LIMPET_ERR_RANGE, 2, 29, "timeout", "duration"},
    {ROOT("'endpoints': [], 'timeout': '1001h'"), LIMPET_ERR_RANGE, 2, 29, "timeout",
     "must be at most 1000h"},
    {ROOT("'endpoints': [], 'timeout': '99999999999999h'"), LIMPET_ERR_RANGE, 2, 29, "timeout",
     "must be at most 1000h"},
    {ROOT("'endpoints': [], 'cache_ttl': '10ms'"), LIMPET_ERR_RANGE, 2, 31, "cache_ttl",
     "must be at least 1s"},
    {ROOT("'endpoints': [], 'host': ['http://a']"), LIMPET_ERR_RANGE, 2, 18, "host",
     "duplicate key 'host'; the first one is in line 1"},
    {"{'version': 3, 'host': 'http://h', 'endpoints': []}", LIMPET_ERR_RANGE, 1, 24, "host",
     "expected a list of strings, got 'http://h'"},
    {"{'version': 3, 'host': ['http://h', 7], 'endpoints': []}", LIMPET_ERR_RANGE, 1, 37, "host[1]",
     "expected a string, got 7"},
    {ROOT("'endpoints': {}"), LIMPET_ERR_RANGE, 2, 14, "endpoints",
     "expected a list of objects, got an object"},
    {ROOT("'endpoints': [7]"), LIMPET_ERR_RANGE, 2, 15, "endpoints[0]",
     "expected an object, got 7"},
    {ROOT("'endpoints': [], 'echo_endpoint': 'true'"), LIMPET_ERR_RANGE, 2, 35, "echo_endpoint",
     "expected true or false, got 'true'"},
    {ROOT("'endpoints': [], 'output_encoding': 'xml'"), LIMPET_ERR_RANGE, 2, 37, "output_encoding",
     "'xml' is not supported yet"},
    {ROOT("'endpoints': [], 'output_encoding': 'jason'"), LIMPET_ERR_RANGE, 2, 37,
     "output_encoding", "expected 'json', 'no-op', 'string' or 'json-collection', got 'jason'"},
    {ROOT("'endpoints': [], 'prot': 8080"), LIMPET_ERR_RANGE, 2, 18, "prot",
     "unknown key 'prot'; did you mean 'port'?"},
    {ROOT("'endpoints': [], 'x y': 1"), LIMPET_ERR_RANGE, 2, 18, "[`x y`]", "unknown key 'x y'"},
    {ROOT("'endpoints': [], 'url_pattern': '/'"), LIMPET_ERR_RANGE, 2, 18, "url_pattern",
     "here; it belongs to: endpoints[].backend[]"},
    {ROOT("'endpoints': [], 'tls': {}"), LIMPET_ERR_RANGE, 2, 25, "tls",
     "'tls' is not supported yet"},
    {ROOT("'endpoints': [], 'plugin': {'pattern': '.so'}"), LIMPET_ERR_RANGE, 2, 28, "plugin",
     "'plugin' is not supported"},
    {ROOT("'endpoints': [], 'disable_rest': true"), LIMPET_ERR_RANGE, 2, 34, "disable_rest",
     "'disable_rest' other than false is not supported yet, got true"},
    {ROOT("'endpoints': [], 'response_header_timeout': '5s'"), LIMPET_ERR_RANGE, 2, 45,
     "response_header_timeout",
     "is not supported yet"},
    {ROOT("'endpoints': [], 'read_header_timeout': 5"), LIMPET_ERR_RANGE, 2, 41,
     "read_header_timeout", "expected a duration"},
    {ROOT("'endpoints': [], 'read_timeout': '5'"), LIMPET_ERR_RANGE, 2, 34, "read_timeout",
     "expected a duration"},
    {ROOT("'endpoints': [], 'write_timeout': '1001h'"), LIMPET_ERR_RANGE, 2, 35, "write_timeout",
     "must be at most 1000h"},
    {ROOT("'endpoints': [], 'idle_timeout': true"), LIMPET_ERR_RANGE, 2, 34, "idle_timeout",
     "expected a duration"},
    {ROOT("'endpoints': [], 'max_header_bytes': -1"), LIMPET_ERR_RANGE, 2, 38, "max_header_bytes",
     "must be at least 0, got -1"},
    {ROOT("'endpoints': [], 'dialer_timeout': '5'"), LIMPET_ERR_RANGE, 2, 36, "dialer_timeout",
     "duration"},

    /* extra_config of the service */
    {EXTRA("'telemetry/metric': {}"), LIMPET_ERR_RANGE, 3, 1, "extra_config.telemetry/metric",
     "did you mean 'telemetry/metrics'?"},
    {METRICS("'colection_time': '60s'"), LIMPET_ERR_RANGE, 3, 23,
     "extra_config.telemetry/metrics.colection_time", "did you mean 'collection_time'?"},
    {METRICS("'collection_time': 60"), LIMPET_ERR_RANGE, 3, 42,
     "extra_config.telemetry/metrics.collection_time", "got 60"},
    {METRICS("'collection_time': '60'"), LIMPET_ERR_RANGE, 3, 42,
     "extra_config.telemetry/metrics.collection_time", "got '60'"},
    {METRICS("'collection_time': '500ms'"), LIMPET_ERR_RANGE, 3, 42,
     "extra_config.telemetry/metrics.collection_time", "must be at least 1s, got '500ms'"},
    {METRICS("'collection_time': '0s'"), LIMPET_ERR_RANGE, 3, 42,
     "extra_config.telemetry/metrics.collection_time", "must be at least 1s, got '0s'"},
    {METRICS("'listen_address': 8090"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "expected a string, got 8090"},
    {METRICS("'listen_address': '8090'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "expected ':port'"},
    {METRICS("'listen_address': ':0'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "from 1 to 65535"},
    {METRICS("'listen_address': '[::1]:8090'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "'[::1]:8090': IPv6 is not supported"},
    {METRICS("'listen_address': 'example.org:8090'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "expected an IPv4 address"},
    {METRICS("'listen_address': '255.255.255.255:1'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "nothing could reach"},
    {METRICS("'listen_address': ':8080'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.listen_address", "both listen on port 8080"},
    {METRICS("'proxy_disabled': 'yes'"), LIMPET_ERR_RANGE, 3, 41,
     "extra_config.telemetry/metrics.proxy_disabled", "expected true or false, got 'yes'"},
    {EXTRA("'telemetry/metrics': {},\n'github_com/devopsfaith/krakend-metrics': {}"),
     LIMPET_ERR_RANGE, 4, 1, "extra_config.github_com/devopsfaith/krakend-metrics",
     "another name of 'telemetry/metrics'; the first one is in line 3"},
    {EXTRA("'telemetry/metrics': []"), LIMPET_ERR_RANGE, 3, 22, "extra_config.telemetry/metrics",
     "expected an object, got an empty list"},
    {INFLUX("'ttl': '1s'"), LIMPET_ERR_RANGE, 3, 46, "extra_config.telemetry/influx",
     "'address' is missing"},
    {INFLUX("'address': 'localhost:8086'"), LIMPET_ERR_RANGE, 4, 12,
     "extra_config.telemetry/influx.address",
     "expected an address such as 'http://localhost:8086'"},
    {INFLUX("'address': 'https://localhost:8086', 'client_cert_file': 'c.pem'"), LIMPET_ERR_RANGE,
     4, 58, "extra_config.telemetry/influx.client_cert_file", "needs its key"},
    {INFLUX("'address': 'http://u:p@h:8086'"), LIMPET_ERR_RANGE, 4, 12,
     "extra_config.telemetry/influx.address", "'...': a user does not belong here"},
    {INFLUX("'address': 'http://h:99999'"), LIMPET_ERR_RANGE, 4, 12,
     "extra_config.telemetry/influx.address", "from 1 to 65535"},
    {INFLUX("'address': 'http://h/x?db=1'"), LIMPET_ERR_RANGE, 4, 12,
     "extra_config.telemetry/influx.address", "expected a plain path"},
    {INFLUX("'address': 'http://h', 'ttl': '25'"), LIMPET_ERR_RANGE, 4, 31,
     "extra_config.telemetry/influx.ttl", "duration"},
    {INFLUX("'address': 'http://h', 'ttl': '10ms'"), LIMPET_ERR_RANGE, 4, 31,
     "extra_config.telemetry/influx.ttl", "must be at least 1s"},
    {INFLUX("'address': 'http://h', 'buffer_size': -1"), LIMPET_ERR_RANGE, 4, 39,
     "extra_config.telemetry/influx.buffer_size", "must be at least 0, got -1"},
    {INFLUX("'address': 'http://h', 'db': ''"), LIMPET_ERR_RANGE, 4, 30,
     "extra_config.telemetry/influx.db", "must not be empty"},
    {INFLUX("'address': 'http://h', 'token': 'a b', 'bucket': 'c', 'org': 'd'"), LIMPET_ERR_RANGE,
     4, 33, "extra_config.telemetry/influx.token", "must be printable ASCII without spaces"},
    {INFLUX("'address': 'http://h', 'token': 'ab'"), LIMPET_ERR_RANGE, 4, 33,
     "extra_config.telemetry/influx.token", "needs 'bucket'"},
    {INFLUX("'address': 'http://h', 'bucket': 'ab'"), LIMPET_ERR_RANGE, 4, 34,
     "extra_config.telemetry/influx.bucket", "needs 'token'"},
    {INFLUX("'address': 'http://h', 'org': 'ab'"), LIMPET_ERR_RANGE, 4, 31,
     "extra_config.telemetry/influx.org", "needs 'token'"},
    {INFLUX("'address': 'http://h', 'password': 12345"), LIMPET_ERR_RANGE, 4, 36,
     "extra_config.telemetry/influx.password", "expected a string"},
    {INFLUX("'address': 'http://h', 'username': 'a\\nb'"), LIMPET_ERR_RANGE, 4, 36,
     "extra_config.telemetry/influx.username", "control characters"},
    {INFLUX("'address': 'http://h', 'username': 'a:b'"), LIMPET_ERR_RANGE, 4, 36,
     "extra_config.telemetry/influx.username", "must not contain"},
    {EXTRA("'telemetry/logging': {'level': 'info'}"), LIMPET_ERR_RANGE, 3, 32,
     "extra_config.telemetry/logging.level", "expected one of DEBUG INFO WARNING ERROR CRITICAL"},
    {EXTRA("'router': {'echo_endpoint': true}"), LIMPET_ERR_RANGE, 3, 12,
     "extra_config.router.echo_endpoint", "here; it belongs to: the root"},
    {ROUTER("'timeout_status': 499"), LIMPET_ERR_RANGE, 4, 19, R ".timeout_status",
     "must be at least 500, got 499"},
    {ROUTER("'bad_gateway_status': 600"), LIMPET_ERR_RANGE, 4, 23, R ".bad_gateway_status",
     "must be at most 599, got 600"},
    {ROUTER("'bad_gateway_status': true"), LIMPET_ERR_RANGE, 4, 23, R ".bad_gateway_status",
     "expected a whole number, got true"},
    {ROUTER("'auto_options': 1"), LIMPET_ERR_RANGE, 4, 17, R ".auto_options",
     "expected true or false, got 1"},
    {ROUTER("'health_path': 'up'"), LIMPET_ERR_RANGE, 4, 16, R ".health_path",
     "must begin with a slash"},
    {ROUTER("'health_path': '/{x}'"), LIMPET_ERR_RANGE, 4, 16, R ".health_path",
     "must not hold '{'"},
    {ROUTER("'health_path': '/a b'"), LIMPET_ERR_RANGE, 4, 16, R ".health_path",
     "must not hold ' '"},
    {ROUTER("'health_path': '/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a'"),
     LIMPET_ERR_RANGE, 4, 16, R ".health_path",
     "too many segments: 33 needed, 32 available (LIMPET_PATH_PARTS_MAX)"},
    {ROUTER("'health_path': '/a'}},'endpoints': [{'endpoint': '/a', 'backend': "
            "[{'url_pattern': '/'}]}], 'extra_config': {'a': {"),
     LIMPET_ERR_RANGE, 4, 16, R ".health_path", "is the path of an endpoint, too"},
    {ROUTER("'error_body': {'404': 1, '500': 2}"), LIMPET_ERR_RANGE, 4, 26, R ".error_body.500",
     "unknown key '500'"},
    {ROUTER("'error_body': [404]"), LIMPET_ERR_RANGE, 4, 15, R ".error_body", "expected an object"},
    {ROUTER("'max_payload': -1"), LIMPET_ERR_RANGE, 4, 16, R ".max_payload",
     "must be at least 0, got -1"},
    {ROUTER("'logger_skip_paths': '/a'"), LIMPET_ERR_RANGE, 4, 22, R ".logger_skip_paths",
     "expected a list of strings, got '/a'"},
    {ROUTER("'remote_ip_headers': ['a', 7]"), LIMPET_ERR_RANGE, 4, 28, R ".remote_ip_headers[1]",
     "expected a string, got 7"},
    {ROUTER("'trusted_proxies': ['::1', '10.0.0.0/33']"), LIMPET_ERR_RANGE, 4, 28,
     R ".trusted_proxies[1]", "'10.0.0.0/33': expected an address, or a network such as"},
    {ROUTER("'app_engine': true"), LIMPET_ERR_RANGE, 4, 15, R ".app_engine",
     "'app_engine' other than false is not supported, got true"},
    {CORS("'allow_origins': ['http://*.a', 'http://*.*']"), LIMPET_ERR_RANGE, 4, 33,
     C ".allow_origins[1]", "one * at most"},
    {CORS("'allow_origins': '*'"), LIMPET_ERR_RANGE, 4, 18, C ".allow_origins",
     "expected a list of strings, got '*'"},
    {CORS("'allow_methods': ['get']"), LIMPET_ERR_RANGE, 4, 19, C ".allow_methods[0]",
     "in capitals, got 'get'"},
    {CORS("'allow_methods': [1]"), LIMPET_ERR_RANGE, 4, 19, C ".allow_methods[0]",
     "expected a string, got 1"},
    {CORS("'allow_headers': ['a', 'b c']"), LIMPET_ERR_RANGE, 4, 24, C ".allow_headers[1]",
     "is not the name of a header field"},
    {CORS("'expose_headers': ['']"), LIMPET_ERR_RANGE, 4, 20, C ".expose_headers[0]",
     "is not the name of a header field"},
    {CORS("'allow_credentials': 'yes'"), LIMPET_ERR_RANGE, 4, 22, C ".allow_credentials",
     "expected true or false"},
    {CORS("'max_age': '500ms'"), LIMPET_ERR_RANGE, 4, 12, C ".max_age", "must be at least 1s"},
    {CORS("'max_age': 3600"), LIMPET_ERR_RANGE, 4, 12, C ".max_age", "expected a duration"},
    {CORS("'options_success_status': 404"), LIMPET_ERR_RANGE, 4, 27, C ".options_success_status",
     "must be at most 299, got 404"},
    {CORS("'allow_private_networks': true"), LIMPET_ERR_RANGE, 4, 1, C ".allow_private_networks",
     "did you mean 'allow_private_network'?"},
    {ENDPOINT("'endpoint': '/', 'extra_config': {'security/cors': {}}"), LIMPET_ERR_RANGE, 3, 52,
     "endpoints[0].extra_config.security/cors", "'security/cors' is not supported"},
    {EXTRA("'telemetry/opencensus': {}"), LIMPET_ERR_RANGE, 3, 25,
     "extra_config.telemetry/opencensus", "'telemetry/opencensus' is not supported"},

    /* Endpoints */
    {ROOT("'endpoints': [{'backend': [{'url_pattern': '/'}]}]"), LIMPET_ERR_RANGE, 2, 15,
     "endpoints[0]", "'endpoint' is missing"},
    {ROOT("'endpoints': [{'endpoint': '/'}]"), LIMPET_ERR_RANGE, 2, 15, "endpoints[0]",
     "'backend' is missing"},
    {ROOT("'endpoints': [{'endpoint': '/', 'backend': []}]"), LIMPET_ERR_RANGE, 2, 44,
     "endpoints[0].backend", "got an empty list"},
    {ROOT("'output_encoding': 'no-op', 'endpoints': [{'endpoint': '/', 'backend': [\n"
          "{'url_pattern': '/'}, {'url_pattern': '/'}]}]"),
     LIMPET_ERR_RANGE, 2, 72, "endpoints[0].backend", "no-op takes one backend, got 2"},
    {PATH(""), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must not be empty"},
    {PATH("/a//b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "empty segment"},
    {PATH("/a/../b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint",
     "must not hold '.' or '..'"},
    {PATH("/a/*"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "wildcards are not supported"},
    {PATH("/a?b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must not hold '?'"},
    {PATH("/a:b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must not hold ':'"},
    {PATH("/a%20b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must not hold '%'"},
    {PATH("/caf\xc3\xa9"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "plain ASCII"},
    {PATH("/a b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must not hold ' '"},
    {PATH("/__health"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "reserved"},
    {PATH("/x/__echo/y"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "reserved"},
    {PATH("/__debug/"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "reserved"},
    {PATH("/f.{ext}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must be a whole segment"},
    {PATH("/{a}b"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must be a whole segment"},
    {PATH("/{a}{b}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "must be a whole segment"},
    {PATH("/{a"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "without its partner"},
    {PATH("/a}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "without its partner"},
    {PATH("/{}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "proper name"},
    {PATH("/{a.b}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "letters, digits, - and _"},
    {PATH("/{a}/{a}"), LIMPET_ERR_RANGE, 3, 13, "endpoints[0].endpoint", "same {param} twice"},
    {PATH("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}"), LIMPET_ERR_RANGE,
     3, 13, "endpoints[0].endpoint",
     "too many {params}: 17 needed, 16 available (LIMPET_PARAMS_MAX)"},
    {PATH("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/0/1/2/3/4/5/6"), LIMPET_ERR_RANGE,
     3, 13, "endpoints[0].endpoint", "too many segments: 33 needed, 32 available"},
    {ENDPOINT("'endpoint': '/', 'method': 'get'"), LIMPET_ERR_RANGE, 3, 28, "endpoints[0].method",
     "expected one of GET POST PUT PATCH DELETE in capitals, got 'get'"},
    {ENDPOINT("'endpoint': '/', 'method': 'HEAD'"), LIMPET_ERR_RANGE, 3, 28, "endpoints[0].method",
     "got 'HEAD'"},
    {ENDPOINT("'endpoint': '/', 'concurrent_calls': 6"), LIMPET_ERR_RANGE, 3, 38,
     "endpoints[0].concurrent_calls", "must be at most 5, got 6"},
    {ENDPOINT("'endpoint': '/', 'output_encoding': 'safejson'"), LIMPET_ERR_RANGE, 3, 37,
     "endpoints[0].output_encoding",
     "expected 'json', 'no-op', 'string' or 'json-collection', got 'safejson'"},
    {ENDPOINT("'endpoint': '/', 'input_headers': ['A', null]"), LIMPET_ERR_RANGE, 3, 41,
     "endpoints[0].input_headers[1]", "expected a string, got null"},
    {ENDPOINT("'endpoint': '/', 'input_query_strings': [7, 'a']"), LIMPET_ERR_RANGE, 3, 42,
     "endpoints[0].input_query_strings[0]", "expected a string, got 7"},
    {ENDPOINT("'endpoint': '/', 'input_headers': ['*', 'X A']"), LIMPET_ERR_RANGE, 3, 41,
     "endpoints[0].input_headers[1]", "no header field can have this name"},
    {ENDPOINT("'endpoint': '/', 'input_headers': ['']"), LIMPET_ERR_RANGE, 3, 36,
     "endpoints[0].input_headers[0]", "no header field can have this name"},
    {ENDPOINT("'endpoint': '/', 'input_headers': ['{X}']"), LIMPET_ERR_RANGE, 3, 36,
     "endpoints[0].input_headers[0]", "no header field can have this name"},
    {ENDPOINT("'endpoint': '/', 'querystring_params': []"), LIMPET_ERR_RANGE, 3, 18,
     "endpoints[0].querystring_params", "is called 'input_query_strings' since version 3"},
    {ENDPOINT("'endpoint': '/', 'extra_config': {'github.com/devopsfaith/krakend/proxy': "
              "{'static': {}}}"),
     LIMPET_ERR_RANGE, 3, 86,
     "endpoints[0].extra_config[`github.com/devopsfaith/krakend/proxy`].static",
     "'data' is missing"},
    {ENDPOINT("'endpoint': '/', 'extra_config': {'proxy': {'static': {'data': {}, "
              "'strategy': 'x'}}}"),
     LIMPET_ERR_RANGE, 3, 80, "endpoints[0].extra_config.proxy.static.strategy",
     "expected always, success, errored, complete or incomplete, got 'x'"},
    {ENDPOINT("'endpoint': '/', 'extra_config': {'proxy': {'static': {'strategy': 'x', 'data': 3}}"
              "}"),
     LIMPET_ERR_RANGE, 3, 68, "endpoints[0].extra_config.proxy.static.strategy",
     "expected always, success, errored, complete or incomplete, got 'x'"},
    {ENDPOINT("'endpoint': '/', 'output_encoding': 'no-op', 'extra_config': {'proxy': "
              "{'static': {'strategy': 'x', 'data': {}}}}"),
     LIMPET_ERR_RANGE, 3, 96, "endpoints[0].extra_config.proxy.static.strategy",
     "expected always, success, errored, complete or incomplete, got 'x'"},
    {ENDPOINT("'endpoint': '/', 'querystring_param': []"), LIMPET_ERR_RANGE, 3, 18,
     "endpoints[0].querystring_param",
     "unknown key 'querystring_param'; did you mean 'input_query_strings'?"},
    {BACKEND("'url_pattern': '/', 'white_list': []"), LIMPET_ERR_RANGE, 3, 21,
     "endpoints[0].backend[0].white_list", "unknown key 'white_list'; did you mean 'allow'?"},
    {ENDPOINT("'endpoint': '/', 'extra_config': {'qos/ratelimit/router': {}}"), LIMPET_ERR_RANGE, 3,
     59, "endpoints[0].extra_config.qos/ratelimit/router", "needs 'max_rate' or"},
    {ROOT("'endpoints': [{'endpoint': '/a/{x}', 'backend': [{'url_pattern': '/'}]},\n"
          "{'endpoint': '/a/{y}', 'backend': [{'url_pattern': '/'}]}]"),
     LIMPET_ERR_RANGE, 3, 14, "endpoints[1].endpoint",
     "the same method and path as an endpoint before: GET '/a/{x}'"},

    /* Backends */
    {BACKEND("'method': 'GET'"), LIMPET_ERR_RANGE, 2, 50, "endpoints[0].backend[0]",
     "'url_pattern' is missing"},
    {BACKEND("'url_pattern': 7"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "expected a string, got 7"},
    {URL("/{y}"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "{y} is no parameter of the endpoint, which has {x}"},
    {URL("/{resp0_id}"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "{resp0_id} needs 'sequential', and a backend of that number before this one"},
    {URL("/{JWT.sub}"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "{JWT.sub} is not supported yet"},
    {URL("/{x"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "without its partner"},
    {URL("/a b"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "must not hold ' '"},
    {URL("/a#b"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "must not hold '#'"},
    {URL("/a%2"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "must not hold '%' without two hex digits"},
    {URL("/\xc3\xa9"), LIMPET_ERR_RANGE, 3, 16, "endpoints[0].backend[0].url_pattern",
     "plain ASCII"},
    {BACKEND("'url_pattern': '/', 'method': 'CONNECT'"), LIMPET_ERR_RANGE, 3, 31,
     "endpoints[0].backend[0].method", "in capitals, got 'CONNECT'"},
    {BACKEND("'url_pattern': '/', 'encoding': 'no-op'"), LIMPET_ERR_RANGE, 3, 33,
     "endpoints[0].backend[0].encoding", "needs output_encoding 'no-op' too"},
    {BACKEND("'url_pattern': '/', 'encoding': 'rss'"), LIMPET_ERR_RANGE, 3, 33,
     "endpoints[0].backend[0].encoding", "'rss' is not supported yet"},
    {BACKEND("'url_pattern': '/', 'allow': ['a', {}]"), LIMPET_ERR_RANGE, 3, 36,
     "endpoints[0].backend[0].allow[1]", "expected a string, got an object"},
    {BACKEND("'url_pattern': '/', 'deny': [true]"), LIMPET_ERR_RANGE, 3, 30,
     "endpoints[0].backend[0].deny[0]", "expected a string, got true"},
    {BACKEND("'url_pattern': '/', 'mapping': {'a': 7}"), LIMPET_ERR_RANGE, 3, 38,
     "endpoints[0].backend[0].mapping.a", "expected a string: the new name"},
    {BACKEND("'url_pattern': '/', 'extra_config': {'proxy': {'sequential': true}}"),
     LIMPET_ERR_RANGE, 3, 62, "endpoints[0].backend[0].extra_config.proxy.sequential",
     "belongs to the endpoint"},
    {BACKEND("'url_pattern': '/', 'sd': 'dns'"), LIMPET_ERR_RANGE, 3, 27,
     "endpoints[0].backend[0].sd", "'sd' other than 'static' is not supported yet, got 'dns'"},
    {BACKEND("'url_pattern': '/', 'whitelist': ['a']"), LIMPET_ERR_RANGE, 3, 21,
     "endpoints[0].backend[0].whitelist", "is called 'allow' since version 3"},
    {BACKEND("'url_pattern': '/', 'extra_config': {'qos/circuit-breaker': {}}"), LIMPET_ERR_RANGE,
     3, 61, "endpoints[0].backend[0].extra_config.qos/circuit-breaker", "needs 'interval'"},
    {HOST(""), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]", "expected a host"},
    {HOST("http://h:8"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "'http://h:8': the port must be a number from 10 to 65535"},
    {HOST("http://h:70000"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]", "65535"},
    {HOST("http://h:080"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]", "65535"},
    {HOST("http://h/path"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "without a path"},
    {HOST("ftp://h"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "expected a host"},
    {HOST("https://h:0443"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]", "65535"},
    {HOST("http://127.0.0.2:80"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "only 127.0.0.1 can be reached"},
    {HOST("http://127.1"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "not an IPv4 address"},
    {HOST("http://0.0.0.0"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "nothing can be sent"},
    {HOST("http://[2001:db8::1]:80"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "'http://[2001:db8::1]:80': IPv6 is not supported"},
    {HOST("http://::1:80"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "IPv6 is not supported"},
    {HOST("http://a..b"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "not a host name"},
    {HOST("http://a b"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "expected a host"},
    {HOST("http://me:secret@h"), LIMPET_ERR_RANGE, 3, 30, "endpoints[0].backend[0].host[0]",
     "'...': a user and a password are not supported here"},
    {"{'version': 3, 'endpoints': [{'endpoint': '/', 'backend': [{'url_pattern': '/'}]}]}",
     LIMPET_ERR_RANGE, 1, 60, "endpoints[0].backend[0]", "no host"},
    {"{'version': 3, 'host': [], 'endpoints': [{'endpoint': '/', 'backend': [{'url_pattern': '/',"
     " 'host': []}]}]}",
     LIMPET_ERR_RANGE, 1, 72, "endpoints[0].backend[0]", "no host"},
};

static void same_quotes(char *text)
{
    for (; *text != '\0'; text++) {
        *text = *text == '"' ? '\'' : *text;
    }
}

static void test_broken(void)
{
    size_t count = sizeof(broken) / sizeof(broken[0]);
    CHECK(count >= 60);
    for (size_t i = 0; i < count; i++) {
        const struct broken *b = &broken[i];
        struct told told;
        char path[256];
        snprintf(path, sizeof(path), "%s", b->path);
        for (char *c = path; *c != '\0'; c++) {
            *c = *c == '`' ? '\'' : *c;
        }
        int err = load(b->text, &told);
        same_quotes(told.path);
        same_quotes(told.message);
        bool ok = CHECK_EQ_INT(err, b->err);
        ok = CHECK_EQ_UINT(told.line, b->line) && ok;
        ok = (b->column == 0 || CHECK_EQ_UINT(told.column, b->column)) && ok;
        ok = CHECK_EQ_STR(told.path, path) && ok;
        ok = CHECK(strstr(told.message, b->message) != NULL) && ok;
        ok = CHECK(told.in_order) && ok;
        ok = CHECK(told.message[0] != '\0') && ok;
        if (!ok) {
            fprintf(stderr, "  of: %s\n  told: %u:%u: %s: %s\n", b->text, told.line, told.column,
                    told.path, told.message);
        }
    }
}

/* All errors are told, in the order of the text, whatever the order of reading is. */
static void test_all_errors(void)
{
    struct told told;
    int err = load("{'extra_config': {'telemetry/metrics': {'collection_time': 1}},\n"
                   " 'endpoints': [{'backend': [{'url_pattern': '/{y}', 'hots': []}],\n"
                   "   'endpoint': '/{x}', 'timeout': '1'}],\n"
                   " 'timeout': 1, 'version': 2}",
                   &told);
    CHECK_EQ_INT(err, LIMPET_ERR_RANGE);
    CHECK_EQ_UINT(told.errors, 7);
    CHECK(told.in_order);
    CHECK_EQ_UINT(told.last_line, 4);
    /* One bad element hides no other. */
    err = load("{'version': 3, 'endpoints': [7, {}, 8], 'host': ['http://h:8', 7, 'ftp://h']}",
               &told);
    CHECK_EQ_INT(err, LIMPET_ERR_RANGE);
    CHECK_EQ_UINT(told.errors, 7);
}

static void never_a_password(void *ctx, const struct config_finding *finding)
{
    unsigned *count = ctx;
    (*count)++;
    for (size_t i = 0; i + 6 <= finding->message.len; i++) {
        CHECK(memcmp(finding->message.ptr + i, "123456", 6) != 0);
        CHECK(memcmp(finding->message.ptr + i, "secret", 6) != 0);
    }
}

static void test_secrets(void)
{
    static const char text[] =
        "{\"version\": 3, \"host\": [\"http://me:secret@h\"], \"extra_config\": {"
        "\"telemetry/influx\": {\"address\": \"http://me:secret@h\", \"password\": 123456}}}";
    unsigned count = 0;
    int err =
        config_load(&config, SLICE_LIT(text), scratch, sizeof(scratch), never_a_password, &count);
    CHECK_EQ_INT(err, LIMPET_ERR_RANGE);
    CHECK(count >= 4);
}

/* ---- More findings than fit ---------------------------------------------------------------- */

struct tally {
    unsigned by_kind[3];
    uint32_t last_line;
    char last[64];
};

static void count_all(void *ctx, const struct config_finding *finding)
{
    struct tally *tally = ctx;
    tally->by_kind[finding->kind]++;
    CHECK(finding->line == 0 || finding->line >= tally->last_line);
    tally->last_line = finding->line == 0 ? UINT32_MAX : finding->line;
    snprintf(tally->last, sizeof(tally->last), "%.*s", (int)finding->message.len,
             finding->message.ptr);
}

static size_t add(char *text, size_t len, const char *line)
{
    return len + (size_t)snprintf(text + len, TEXT_LEN_MAX - len, "%s", line);
}

/* Notes give way to errors, later errors to earlier ones. */
static void test_many_findings(void)
{
    static char text[TEXT_LEN_MAX];
    struct tally tally = {{0}, 0, ""};
    size_t len = add(text, 0, "{\"version\": 3, \"endpoints\": [");
    for (unsigned i = 0; i < 40; i++) {
        len = add(text, len,
                  "\n{\"endpoint\": \"/\", \"extra_config\": {\"documentation/postman\": {}}},");
    }
    len = add(text, len, "\n{}]}");
    int err =
        config_load(&config, slice_of(text, len), scratch, sizeof(scratch), count_all, &tally);
    CHECK_EQ_INT(err, LIMPET_ERR_RANGE);
    /* 40 without backend, 39 duplicates, 2 in the last: 81 errors, of which 64 stay; no note does.
     */
    CHECK_EQ_UINT(tally.by_kind[CONFIG_ERROR], LIMPET_FINDINGS_MAX + 1);
    CHECK_EQ_UINT(tally.by_kind[CONFIG_NO_EFFECT], 1);
    CHECK_EQ_STR(tally.last, "and 40 more notes");
}

/* A path that no request line can hold, one byte beyond it. */
static void test_long_paths(void)
{
    static char text[LIMPET_HEAD_LEN_MAX + 512];
    static char path[LIMPET_HEAD_LEN_MAX];
    const size_t rest = sizeof("DELETE  HTTP/1.1\r\n") - 1;
    struct told told;
    for (int backend = 0; backend < 2; backend++) {
        size_t max = (backend ? LIMPET_HEAD_LEN_MAX : LIMPET_REQUEST_LINE_MAX) - rest;
        for (size_t len = max; len <= max + 1; len++) {
            memset(path, 'a', len);
            int path_len = (int)len;
            snprintf(text, sizeof(text),
                     "{'version': 3, 'host': ['http://h'], 'endpoints': [{'endpoint': '/%.*s',"
                     "\n'backend': [{'url_pattern': '/%.*s'}]}]}",
                     backend ? 1 : path_len - 1, path, backend ? path_len - 1 : 1, path);
            CHECK_EQ_INT(load(text, &told), len == max ? LIMPET_OK : LIMPET_ERR_RANGE);
        }
        CHECK_EQ_UINT(told.line, backend ? 2 : 1);
        CHECK(strstr(told.message, backend ? "LIMPET_HEAD_LEN_MAX" : "LIMPET_REQUEST_LINE_MAX"));
    }
}

int main(void)
{
    test_broken();
    test_long_paths();
    test_all_errors();
    test_secrets();
    test_many_findings();
    return check_result();
}
