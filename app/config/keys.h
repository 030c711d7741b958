/* Every key of krakend.json that is known here: the one table behind the checks and docs/CONFIG.md.
 *
 * A section is one kind of JSON object. Its first list names the keys that are obeyed, as
 *     X(id, name, type, default as JSON, range)          an empty default = inherited or required
 * its second list those that are known but not obeyed, as
 *     X(name, type, status, default as JSON)             an empty default = no value is accepted
 * To obey a key: move it to the first list, give it a field in struct config, read it there.
 * The names are those of the schema v2.13; a RENAMED key holds its present name as default.
 */
#ifndef LIMPET_CONFIG_KEYS_H
#define LIMPET_CONFIG_KEYS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum key_type {
    KEY_STRING,
    KEY_SECRET, /* a string that no message repeats */
    KEY_BOOL,
    KEY_NUMBER, /* whole, not negative */
    KEY_REAL,   /* any number */
    KEY_DURATION,
    KEY_STRINGS, /* a list of strings */
    KEY_OBJECT,
    KEY_OBJECTS, /* a list of objects */
    KEY_ANY,
};

enum key_status {
    KEY_USED,      /* obeyed */
    KEY_NO_EFFECT, /* accepted, changes nothing here; reported as CONFIG_NO_EFFECT */
    KEY_LATER,     /* would change an answer or its measuring: only the default is accepted */
    KEY_NEVER,     /* the same, and out of scope */
    KEY_RENAMED,   /* a name of an older syntax */
};

#define KEY_NAME_LEN_MAX 39
struct key {
    const char *name;
    const char *fallback; /* the default as JSON */
    uint8_t type;
    uint8_t status;
};

/* clang-format off */

/* the file itself */
#define KEYS_ROOT(X)                                                                              \
    X(ROOT_VERSION, "version", NUMBER, "", "3, required")                                         \
    X(ROOT_PORT, "port", NUMBER, "8080", "1..65535")                                              \
    X(ROOT_LISTEN_IP, "listen_ip", STRING, "\"\"", "IPv4 address, localhost; empty = all")        \
    X(ROOT_TIMEOUT, "timeout", DURATION, "\"2s\"", "1ns..1000h; 0s = default")                    \
    X(ROOT_CACHE_TTL, "cache_ttl", DURATION, "\"0s\"", "0s, 1s..1000h")                           \
    X(ROOT_HOST, "host", STRINGS, "[]", "hosts")                                                  \
    X(ROOT_OUTPUT_ENCODING, "output_encoding", STRING, "\"json\"",                                 \
      "json, no-op, string, json-collection")                                                     \
    X(ROOT_ENDPOINTS, "endpoints", OBJECTS, "[]", "endpoints")                                    \
    X(ROOT_EXTRA_CONFIG, "extra_config", OBJECT, "{}", "namespaces")                              \
    X(ROOT_ECHO_ENDPOINT, "echo_endpoint", BOOL, "false", "")                                     \
    X(ROOT_DEBUG_ENDPOINT, "debug_endpoint", BOOL, "false", "")                                   \
    X(ROOT_CLIENT_TLS, "client_tls", OBJECT, "{}", "")                                            \
    X(ROOT_READ_HEADER_TIMEOUT, "read_header_timeout", DURATION, "\"0s\"",                        \
      "1ns..1000h; 0s = default")                                                                 \
    X(ROOT_READ_TIMEOUT, "read_timeout", DURATION, "\"0s\"", "1ns..1000h; 0s = none")             \
    X(ROOT_WRITE_TIMEOUT, "write_timeout", DURATION, "\"0s\"", "1ns..1000h; 0s = none")           \
    X(ROOT_IDLE_TIMEOUT, "idle_timeout", DURATION, "\"0s\"", "1ns..1000h; 0s = default")          \
    X(ROOT_MAX_HEADER_BYTES, "max_header_bytes", NUMBER, "0", "bytes; 0 = default")
#define KEYS_ROOT_OTHER(X)                                                                        \
    X("name", STRING, NO_EFFECT, "")                                                              \
    X("async_agent", OBJECTS, NEVER, "[]")                                                        \
    X("dialer_fallback_delay", DURATION, NO_EFFECT, "")                                           \
    X("dialer_keep_alive", DURATION, NO_EFFECT, "")                                               \
    X("dialer_timeout", DURATION, NO_EFFECT, "")                                                  \
    X("disable_compression", BOOL, NO_EFFECT, "")                                                 \
    X("disable_keep_alives", BOOL, LATER, "false")                                                \
    X("disable_rest", BOOL, LATER, "false")                                                       \
    X("dns_cache_ttl", DURATION, NO_EFFECT, "")                                                   \
    X("expect_continue_timeout", DURATION, NO_EFFECT, "")                                         \
    X("idle_connection_timeout", DURATION, NO_EFFECT, "")                                         \
    X("max_idle_connections", NUMBER, NO_EFFECT, "")                                              \
    X("max_idle_connections_per_host", NUMBER, NO_EFFECT, "")                                     \
    X("max_shutdown_wait_time", DURATION, NO_EFFECT, "")                                          \
    X("plugin", OBJECT, NEVER, "")                                                                \
    X("response_header_timeout", DURATION, LATER, "\"0s\"")                                       \
    X("sequential_start", BOOL, NO_EFFECT, "")                                                    \
    X("tls", OBJECT, LATER, "")                                                                   \
    X("use_h2c", BOOL, NEVER, "false")

/* an entry of endpoints[] */
#define KEYS_ENDPOINT(X)                                                                          \
    X(ENDPOINT_ENDPOINT, "endpoint", STRING, "", "path, required")                                \
    X(ENDPOINT_METHOD, "method", STRING, "\"GET\"", "GET, POST, PUT, PATCH, DELETE")              \
    X(ENDPOINT_TIMEOUT, "timeout", DURATION, "", "1ns..1000h; 0s = default")                      \
    X(ENDPOINT_CACHE_TTL, "cache_ttl", DURATION, "", "0s, 1s..1000h; 0s = default")               \
    X(ENDPOINT_OUTPUT_ENCODING, "output_encoding", STRING, "",                                    \
      "json, no-op, string, json-collection")                                                     \
    X(ENDPOINT_BACKEND, "backend", OBJECTS, "", "backends, required")                             \
    X(ENDPOINT_CONCURRENT_CALLS, "concurrent_calls", NUMBER, "1", "1..5")                         \
    X(ENDPOINT_INPUT_HEADERS, "input_headers", STRINGS, "[]", "names, *")                         \
    X(ENDPOINT_INPUT_QUERY, "input_query_strings", STRINGS, "[]", "names, *")                     \
    X(ENDPOINT_EXTRA_CONFIG, "extra_config", OBJECT, "{}", "namespaces")
#define KEYS_ENDPOINT_OTHER(X)                                                                    \
    X("headers_to_pass", STRINGS, RENAMED, "input_headers")                                       \
    X("querystring_params", STRINGS, RENAMED, "input_query_strings")

/* an entry of backend[] */
#define KEYS_BACKEND(X)                                                                           \
    X(BACKEND_URL_PATTERN, "url_pattern", STRING, "", "path and query, required")                 \
    X(BACKEND_HOST, "host", STRINGS, "", "hosts")                                                 \
    X(BACKEND_METHOD, "method", STRING, "", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS")       \
    X(BACKEND_ENCODING, "encoding", STRING, "\"json\"", "json, no-op, string, safejson")          \
    X(BACKEND_ALLOW, "allow", STRINGS, "[]", "dotted paths")                                      \
    X(BACKEND_DENY, "deny", STRINGS, "[]", "dotted paths")                                        \
    X(BACKEND_GROUP, "group", STRING, "\"\"", "")                                                 \
    X(BACKEND_INPUT_HEADERS, "input_headers", STRINGS, "[]", "names, *")                          \
    X(BACKEND_INPUT_QUERY, "input_query_strings", STRINGS, "[]", "names, *")                      \
    X(BACKEND_IS_COLLECTION, "is_collection", BOOL, "false", "")                                  \
    X(BACKEND_MAPPING, "mapping", OBJECT, "{}", "names")                                          \
    X(BACKEND_TARGET, "target", STRING, "\"\"", "dotted path")                                    \
    X(BACKEND_EXTRA_CONFIG, "extra_config", OBJECT, "{}", "namespaces")
#define KEYS_BACKEND_OTHER(X)                                                                     \
    X("disable_host_sanitize", BOOL, LATER, "false")                                              \
    X("sd", STRING, LATER, "\"static\"")                                                          \
    X("sd_scheme", STRING, NO_EFFECT, "")                                                         \
    X("timeout", DURATION, NO_EFFECT, "")                                                         \
    X("blacklist", STRINGS, RENAMED, "deny")                                                      \
    X("whitelist", STRINGS, RENAMED, "allow")

/* extra_config of the file: namespaces */
#define KEYS_SERVICE_EXTRA(X)                                                                     \
    X(SERVICE_EXTRA_METRICS, "telemetry/metrics", OBJECT, "", "")                                 \
    X(SERVICE_EXTRA_INFLUX, "telemetry/influx", OBJECT, "", "")                                   \
    X(SERVICE_EXTRA_LOGGING, "telemetry/logging", OBJECT, "", "")                                 \
    X(SERVICE_EXTRA_ROUTER, "router", OBJECT, "", "")                                             \
    X(SERVICE_EXTRA_CORS, "security/cors", OBJECT, "", "")
#define KEYS_SERVICE_EXTRA_OTHER(X)                                                               \
    X("ai/mcp", OBJECT, NEVER, "")                                                                \
    X("auth/api-keys", OBJECT, LATER, "")                                                         \
    X("auth/basic", OBJECT, LATER, "")                                                            \
    X("auth/revoker", OBJECT, NEVER, "")                                                          \
    X("auth/validator", OBJECT, LATER, "")                                                        \
    X("governance/processors", OBJECT, NEVER, "")                                                 \
    X("governance/quota", OBJECT, NEVER, "")                                                      \
    X("grpc", OBJECT, NEVER, "")                                                                  \
    X("modifier/lua-endpoint", OBJECT, NEVER, "")                                                 \
    X("modifier/request-body-extractor", OBJECT, NEVER, "")                                       \
    X("modifier/response-headers", OBJECT, NEVER, "")                                             \
    X("plugin/http-server", OBJECT, NEVER, "")                                                    \
    X("qos/ratelimit/service", OBJECT, NEVER, "")                                                 \
    X("qos/ratelimit/service/redis", OBJECT, NEVER, "")                                           \
    X("qos/ratelimit/tiered", OBJECT, NEVER, "")                                                  \
    X("redis", OBJECT, NEVER, "")                                                                 \
    X("security/bot-detector", OBJECT, NEVER, "")                                                 \
    X("security/http", OBJECT, LATER, "")                                                         \
    X("server/static-filesystem", OBJECT, NEVER, "")                                              \
    X("server/virtualhost", OBJECT, NEVER, "")                                                    \
    X("telemetry/ganalytics", OBJECT, NEVER, "")                                                  \
    X("telemetry/gelf", OBJECT, NEVER, "")                                                        \
    X("telemetry/instana", OBJECT, NEVER, "")                                                     \
    X("telemetry/logstash", OBJECT, NEVER, "")                                                    \
    X("telemetry/moesif", OBJECT, NEVER, "")                                                      \
    X("telemetry/newrelic", OBJECT, NEVER, "")                                                    \
    X("telemetry/opencensus", OBJECT, NEVER, "")                                                  \
    X("telemetry/opentelemetry", OBJECT, NEVER, "")                                               \
    X("telemetry/opentelemetry-security", OBJECT, NEVER, "")                                      \
    X("documentation/openapi", OBJECT, NO_EFFECT, "")                                             \
    X("documentation/postman", OBJECT, NO_EFFECT, "")

/* extra_config of an endpoint */
#define KEYS_ENDPOINT_EXTRA(X)                                                                    \
    X(ENDPOINT_EXTRA_PROXY, "proxy", OBJECT, "", "")                                              \
    X(ENDPOINT_EXTRA_RATE, "qos/ratelimit/router", OBJECT, "", "")
#define KEYS_ENDPOINT_EXTRA_OTHER(X)                                                              \
    X("ai/mcp", OBJECT, NEVER, "")                                                                \
    X("auth/api-keys", OBJECT, LATER, "")                                                         \
    X("auth/basic", OBJECT, LATER, "")                                                            \
    X("auth/signer", OBJECT, NEVER, "")                                                           \
    X("auth/validator", OBJECT, LATER, "")                                                        \
    X("governance/quota", OBJECT, NEVER, "")                                                      \
    X("modifier/jmespath", OBJECT, NEVER, "")                                                     \
    X("modifier/lua-endpoint", OBJECT, NEVER, "")                                                 \
    X("modifier/lua-proxy", OBJECT, NEVER, "")                                                    \
    X("modifier/request-body-extractor", OBJECT, NEVER, "")                                       \
    X("modifier/request-body-extractor/early", OBJECT, NEVER, "")                                 \
    X("modifier/request-body-generator", OBJECT, NEVER, "")                                       \
    X("modifier/response-body", OBJECT, NEVER, "")                                                \
    X("modifier/response-body-generator", OBJECT, NEVER, "")                                      \
    X("plugin/middleware", OBJECT, NEVER, "")                                                     \
    X("plugin/req-resp-modifier", OBJECT, NEVER, "")                                              \
    X("qos/ratelimit/router/redis", OBJECT, NEVER, "")                                            \
    X("qos/ratelimit/tiered", OBJECT, NEVER, "")                                                  \
    X("security/bot-detector", OBJECT, NEVER, "")                                                 \
    X("security/cors", OBJECT, NEVER, "")                                                         \
    X("security/http", OBJECT, LATER, "")                                                         \
    X("security/policies", OBJECT, NEVER, "")                                                     \
    X("telemetry/opentelemetry", OBJECT, NEVER, "")                                               \
    X("validation/cel", ANY, NEVER, "")                                                           \
    X("validation/json-schema", OBJECT, NEVER, "")                                                \
    X("validation/response-json-schema", OBJECT, NEVER, "")                                       \
    X("websocket", OBJECT, NEVER, "")                                                             \
    X("documentation/openapi", OBJECT, NO_EFFECT, "")                                             \
    X("documentation/postman", OBJECT, NO_EFFECT, "")

/* extra_config of a backend */
#define KEYS_BACKEND_EXTRA(X)                                                                     \
    X(BACKEND_EXTRA_HTTP, "backend/http", OBJECT, "", "")                                         \
    X(BACKEND_EXTRA_PROXY, "proxy", OBJECT, "", "")                                               \
    X(BACKEND_EXTRA_BREAKER, "qos/circuit-breaker", OBJECT, "", "")                               \
    X(BACKEND_EXTRA_RATE, "qos/ratelimit/proxy", OBJECT, "", "")
#define KEYS_BACKEND_EXTRA_OTHER(X)                                                               \
    X("ai/llm", OBJECT, NEVER, "")                                                                \
    X("auth/aws-sigv4", OBJECT, NEVER, "")                                                        \
    X("auth/client-credentials", OBJECT, NEVER, "")                                               \
    X("auth/gcp", OBJECT, NEVER, "")                                                              \
    X("auth/ntlm", OBJECT, NEVER, "")                                                             \
    X("backend/amqp/consumer", OBJECT, NEVER, "")                                                 \
    X("backend/amqp/producer", OBJECT, NEVER, "")                                                 \
    X("backend/conditional", OBJECT, NEVER, "")                                                   \
    X("backend/graphql", OBJECT, NEVER, "")                                                       \
    X("backend/grpc", OBJECT, NEVER, "")                                                          \
    X("backend/http/client", OBJECT, NEVER, "")                                                   \
    X("backend/lambda", OBJECT, NEVER, "")                                                        \
    X("backend/pubsub/publisher", OBJECT, NEVER, "")                                              \
    X("backend/pubsub/publisher/kafka", OBJECT, NEVER, "")                                        \
    X("backend/pubsub/subscriber", OBJECT, NEVER, "")                                             \
    X("backend/pubsub/subscriber/kafka", OBJECT, NEVER, "")                                       \
    X("backend/soap", OBJECT, NEVER, "")                                                          \
    X("backend/static-filesystem", OBJECT, NEVER, "")                                             \
    X("governance/quota", OBJECT, NEVER, "")                                                      \
    X("modifier/body-generator", OBJECT, NEVER, "")                                               \
    X("modifier/jmespath", OBJECT, NEVER, "")                                                     \
    X("modifier/lua-backend", OBJECT, NEVER, "")                                                  \
    X("modifier/martian", OBJECT, NEVER, "")                                                      \
    X("modifier/request-body-generator", OBJECT, NEVER, "")                                       \
    X("modifier/response-body", OBJECT, NEVER, "")                                                \
    X("modifier/response-body-generator", OBJECT, NEVER, "")                                      \
    X("plugin/http-client", OBJECT, NEVER, "")                                                    \
    X("plugin/middleware", OBJECT, NEVER, "")                                                     \
    X("plugin/req-resp-modifier", OBJECT, NEVER, "")                                              \
    X("qos/circuit-breaker/http", OBJECT, NEVER, "")                                              \
    X("qos/http-cache", OBJECT, NEVER, "")                                                        \
    X("security/policies", OBJECT, NEVER, "")                                                     \
    X("telemetry/logging", OBJECT, NEVER, "")                                                     \
    X("telemetry/opentelemetry", OBJECT, NEVER, "")                                               \
    X("validation/cel", ANY, NEVER, "")                                                           \
    X("validation/response-json-schema", OBJECT, NEVER, "")                                       \
    X("workflow", OBJECT, NEVER, "")

/* telemetry/metrics */
#define KEYS_METRICS(X)                                                                           \
    X(METRICS_COLLECTION_TIME, "collection_time", DURATION, "\"60s\"", "1s..1000h")               \
    X(METRICS_LISTEN_ADDRESS, "listen_address", STRING, "\":8090\"", ":port or address:port")      \
    X(METRICS_PROXY_DISABLED, "proxy_disabled", BOOL, "false", "")                                \
    X(METRICS_ROUTER_DISABLED, "router_disabled", BOOL, "false", "")                              \
    X(METRICS_BACKEND_DISABLED, "backend_disabled", BOOL, "false", "")                            \
    X(METRICS_ENDPOINT_DISABLED, "endpoint_disabled", BOOL, "false", "")
#define KEYS_METRICS_OTHER(X)

/* telemetry/influx */
#define KEYS_INFLUX(X)                                                                            \
    X(INFLUX_ADDRESS, "address", STRING, "", "http URL, required")                                \
    X(INFLUX_TTL, "ttl", DURATION, "\"60s\"", "1s..1000h")                                        \
    X(INFLUX_DB, "db", STRING, "\"krakend\"", "not empty")                                        \
    X(INFLUX_USERNAME, "username", STRING, "\"\"", "")                                            \
    X(INFLUX_PASSWORD, "password", SECRET, "\"\"", "")                                            \
    X(INFLUX_TOKEN, "token", SECRET, "\"\"", "printable ASCII without spaces")                    \
    X(INFLUX_ORG, "org", STRING, "\"\"", "")                                                      \
    X(INFLUX_BUCKET, "bucket", STRING, "\"\"", "")                                                \
    X(INFLUX_BUFFER_SIZE, "buffer_size", NUMBER, "0", "0..4294967295 points")                     \
    X(INFLUX_DROP_ESTIMATED, "drop_estimated", BOOL, "false", "")                                 \
    X(INFLUX_HOST_TAG, "host_tag", STRING, "\"\"", "")                                            \
    X(INFLUX_TIME_SERVER, "time_server", STRING, "\"\"", "name[:port]")                           \
    X(INFLUX_CA_FILE, "ca_file", STRING, "\"\"", "path of a PEM file")                            \
    X(INFLUX_CERT_FILE, "client_cert_file", STRING, "\"\"", "path of a PEM file")                 \
    X(INFLUX_KEY_FILE, "client_key_file", STRING, "\"\"", "path of a PEM file")
#define KEYS_INFLUX_OTHER(X)

/* client_tls of the root */
#define KEYS_CLIENT_TLS(X)                                                                        \
    X(CLIENT_TLS_CA_CERTS, "ca_certs", STRINGS, "[]", "paths of PEM files")                       \
    X(CLIENT_TLS_NO_SYSTEM, "disable_system_ca_pool", BOOL, "false", "")                          \
    X(CLIENT_TLS_CLIENT_CERTS, "client_certs", OBJECTS, "[]", "one at most")
#define KEYS_CLIENT_TLS_OTHER(X)                                                                  \
    X("allow_insecure_connections", BOOL, NEVER, "false")                                         \
    X("cipher_suites", ANY, NO_EFFECT, "")                                                        \
    X("curve_preferences", ANY, NO_EFFECT, "")                                                    \
    X("max_version", STRING, LATER, "\"TLS13\"")                                                  \
    X("min_version", STRING, LATER, "\"TLS12\"")

/* client_tls.client_certs[] */
#define KEYS_CLIENT_CERT(X)                                                                       \
    X(CLIENT_CERT_CERTIFICATE, "certificate", STRING, "", "path of a PEM file, required")         \
    X(CLIENT_CERT_PRIVATE_KEY, "private_key", STRING, "", "path of a PEM file, required")
#define KEYS_CLIENT_CERT_OTHER(X)

/* telemetry/logging */
#define KEYS_LOGGING(X)                                                                           \
    X(LOGGING_LEVEL, "level", STRING, "\"INFO\"", "DEBUG, INFO, WARNING, ERROR, CRITICAL")
#define KEYS_LOGGING_OTHER(X)                                                                     \
    X("access_log_custom_format", STRING, NO_EFFECT, "")                                          \
    X("access_log_format", STRING, NO_EFFECT, "")                                                 \
    X("access_log_missing_key_marker", STRING, NO_EFFECT, "")                                     \
    X("backend", OBJECT, NO_EFFECT, "")                                                           \
    X("custom_format", STRING, NO_EFFECT, "")                                                     \
    X("format", STRING, NO_EFFECT, "")                                                            \
    X("prefix", STRING, NO_EFFECT, "")                                                            \
    X("stdout", BOOL, NO_EFFECT, "")                                                              \
    X("syslog", BOOL, NO_EFFECT, "")                                                              \
    X("syslog_facility", STRING, NO_EFFECT, "")

/* router */
#define KEYS_ROUTER(X)                                                                            \
    X(ROUTER_RETURN_ERROR_MSG, "return_error_msg", BOOL, "false", "")                             \
    X(ROUTER_TIMEOUT_STATUS, "timeout_status", NUMBER, "500", "500..599")                         \
    X(ROUTER_BAD_GATEWAY_STATUS, "bad_gateway_status", NUMBER, "500", "500..599")                 \
    X(ROUTER_AUTO_OPTIONS, "auto_options", BOOL, "false", "")                                     \
    X(ROUTER_NO_ACCESS_LOG, "disable_access_log", BOOL, "false", "")                              \
    X(ROUTER_NO_METHOD_CHECK, "disable_handle_method_not_allowed", BOOL, "false", "")             \
    X(ROUTER_NO_HEALTH, "disable_health", BOOL, "false", "")                                      \
    X(ROUTER_NO_PATH_DECODING, "disable_path_decoding", BOOL, "false", "")                        \
    X(ROUTER_NO_PATH_REDIRECT, "disable_redirect_fixed_path", BOOL, "false", "")                  \
    X(ROUTER_NO_SLASH_REDIRECT, "disable_redirect_trailing_slash", BOOL, "false", "")             \
    X(ROUTER_ERROR_BODY, "error_body", OBJECT, "{}", "")                                          \
    X(ROUTER_CLIENT_IP, "forwarded_by_client_ip", BOOL, "false", "")                              \
    X(ROUTER_HEALTH_PATH, "health_path", STRING, "\"/__health\"", "path without {params}")         \
    X(ROUTER_HIDE_VERSION, "hide_version_header", BOOL, "false", "")                              \
    X(ROUTER_SKIP_PATHS, "logger_skip_paths", STRINGS, "[]", "paths")                             \
    X(ROUTER_MAX_PAYLOAD, "max_payload", NUMBER, "0", "bytes; 0 = unlimited")                     \
    X(ROUTER_IP_HEADERS, "remote_ip_headers", STRINGS, "[]", "names")                             \
    X(ROUTER_NO_EXTRA_SLASH, "remove_extra_slash", BOOL, "false", "")                             \
    X(ROUTER_TRUSTED, "trusted_proxies", STRINGS, "[]", "addresses, networks as 10.0.0.0/8")
#define KEYS_ROUTER_OTHER(X)                                                                      \
    X("app_engine", BOOL, NEVER, "false")                                                         \
    X("decompress_gzip", ANY, NEVER, "false")                                                     \
    X("disable_gzip", BOOL, NO_EFFECT, "")                                                        \
    X("max_multipart_memory", NUMBER, NO_EFFECT, "")                                              \
    X("use_h2c", BOOL, NEVER, "false")

/* router.error_body */
#define KEYS_ERROR_BODY(X)                                                                        \
    X(ERROR_BODY_404, "404", ANY, "", "any JSON")                                                 \
    X(ERROR_BODY_405, "405", ANY, "", "any JSON")
#define KEYS_ERROR_BODY_OTHER(X)

/* security/cors */
#define KEYS_CORS(X)                                                                              \
    X(CORS_ORIGINS, "allow_origins", STRINGS, "[\"*\"]", "origins, one * in each")                 \
    X(CORS_METHODS, "allow_methods", STRINGS, "[\"GET\",\"HEAD\",\"POST\"]",                       \
      "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS")                                             \
    X(CORS_HEADERS, "allow_headers", STRINGS, "[\"*\"]", "names, *")                              \
    X(CORS_EXPOSE, "expose_headers", STRINGS, "[]", "names, *")                                   \
    X(CORS_CREDENTIALS, "allow_credentials", BOOL, "false", "")                                   \
    X(CORS_PRIVATE_NETWORK, "allow_private_network", BOOL, "false", "")                           \
    X(CORS_MAX_AGE, "max_age", DURATION, "\"0s\"", "0s, 1s..1000h")                               \
    X(CORS_PASSTHROUGH, "options_passthrough", BOOL, "false", "")                                 \
    X(CORS_SUCCESS_STATUS, "options_success_status", NUMBER, "204", "200..299")                   \
    X(CORS_DEBUG, "debug", BOOL, "false", "")
#define KEYS_CORS_OTHER(X)

/* proxy, of an endpoint or a backend */
#define KEYS_PROXY(X)                                                                             \
    X(PROXY_SEQUENTIAL, "sequential", BOOL, "false", "endpoint")                                  \
    X(PROXY_STATIC, "static", OBJECT, "", "endpoint")
#define KEYS_PROXY_OTHER(X)                                                                       \
    X("combiner", STRING, NEVER, "\"\"")                                                          \
    X("decompress_gzip", BOOL, NEVER, "false")                                                    \
    X("flatmap_filter", OBJECTS, LATER, "[]")                                                     \
    X("max_payload", NUMBER, LATER, "0")                                                          \
    X("sequential_propagated_params", STRINGS, LATER, "[]")                                       \
    X("shadow", BOOL, NEVER, "false")                                                             \
    X("shadow_timeout", DURATION, NEVER, "")

/* proxy.static of an endpoint */
#define KEYS_STATIC(X)                                                                            \
    X(STATIC_STRATEGY, "strategy", STRING, "\"always\"",                                          \
      "always, success, errored, complete, incomplete")                                           \
    X(STATIC_DATA, "data", OBJECT, "", "required")
#define KEYS_STATIC_OTHER(X)

/* backend/http */
#define KEYS_BACKEND_HTTP(X)                                                                      \
    X(BACKEND_HTTP_CODE, "return_error_code", BOOL, "false", "")                                  \
    X(BACKEND_HTTP_DETAILS, "return_error_details", STRING, "\"\"", "")
#define KEYS_BACKEND_HTTP_OTHER(X)

/* qos/ratelimit/router of an endpoint */
#define KEYS_RATE(X)                                                                              \
    X(RATE_MAX_RATE, "max_rate", REAL, "0", "0 = no limit")                                       \
    X(RATE_CAPACITY, "capacity", NUMBER, "0", "0..4294967295; 0 = default")                       \
    X(RATE_EVERY, "every", DURATION, "\"1s\"", "1ms..1000h")                                      \
    X(RATE_CLIENT_MAX_RATE, "client_max_rate", REAL, "0", "0 = no limit")                         \
    X(RATE_CLIENT_CAPACITY, "client_capacity", NUMBER, "0", "0..4294967295; 0 = default")         \
    X(RATE_STRATEGY, "strategy", STRING, "", "ip, header, param")                                 \
    X(RATE_KEY, "key", STRING, "\"\"", "name of a field or of a {param}")
#define KEYS_RATE_OTHER(X)                                                                        \
    X("cleanup_period", DURATION, NO_EFFECT, "")                                                  \
    X("cleanup_threads", NUMBER, NO_EFFECT, "")                                                   \
    X("num_shards", NUMBER, NO_EFFECT, "")

/* qos/ratelimit/proxy of a backend */
#define KEYS_BACKEND_RATE(X)                                                                      \
    X(BACKEND_RATE_MAX_RATE, "max_rate", REAL, "", "required; 0 = no limit")                      \
    X(BACKEND_RATE_CAPACITY, "capacity", NUMBER, "0", "0..4294967295; 0 = default")               \
    X(BACKEND_RATE_EVERY, "every", DURATION, "\"1s\"", "1ms..1000h")
#define KEYS_BACKEND_RATE_OTHER(X)

/* qos/circuit-breaker of a backend */
#define KEYS_BREAKER(X)                                                                           \
    X(BREAKER_INTERVAL, "interval", NUMBER, "", "0..3600000 s, required")                         \
    X(BREAKER_TIMEOUT, "timeout", NUMBER, "", "0..3600000 s, required; 0 = 60")                   \
    X(BREAKER_MAX_ERRORS, "max_errors", NUMBER, "", "0..1000000, required")                       \
    X(BREAKER_NAME, "name", STRING, "\"\"", "")                                                   \
    X(BREAKER_LOG, "log_status_change", BOOL, "false", "")
#define KEYS_BREAKER_OTHER(X)

/* Namespaces of extra_config as older configurations spell them (krakend-ce, main.go). */
#define KEYS_ALIASES(X)                                                                           \
    X("github_com/devopsfaith/krakend-metrics", "telemetry/metrics")                              \
    X("github_com/letgoapp/krakend-influx", "telemetry/influx")                                   \
    X("github_com/devopsfaith/krakend-influx", "telemetry/influx")                                \
    X("github_com/devopsfaith/krakend-gologging", "telemetry/logging")                            \
    X("github_com/luraproject/lura/router/gin", "router")                                         \
    X("github.com/devopsfaith/krakend/proxy", "proxy")                                            \
    X("github.com/devopsfaith/krakend/http", "backend/http")                                      \
    X("github_com/devopsfaith/krakend-gelf", "telemetry/gelf")                                    \
    X("github_com/devopsfaith/krakend-logstash", "telemetry/logstash")                            \
    X("github_com/devopsfaith/krakend-opencensus", "telemetry/opencensus")                        \
    X("github_com/devopsfaith/krakend/transport/http/server/handler", "plugin/http-server")       \
    X("github.com/devopsfaith/krakend/transport/http/client/executor", "plugin/http-client")      \
    X("github.com/devopsfaith/krakend/proxy/plugin", "plugin/req-resp-modifier")                  \
    X("github.com/devopsfaith/krakend-ratelimit/juju/router", "qos/ratelimit/router")             \
    X("github.com/devopsfaith/krakend-ratelimit/juju/proxy", "qos/ratelimit/proxy")               \
    X("github.com/devopsfaith/krakend-httpcache", "qos/http-cache")                               \
    X("github.com/devopsfaith/krakend-circuitbreaker/gobreaker", "qos/circuit-breaker")           \
    X("github.com/devopsfaith/krakend-oauth2-clientcredentials", "auth/client-credentials")       \
    X("github.com/devopsfaith/krakend-jose/validator", "auth/validator")                          \
    X("github.com/devopsfaith/krakend-jose/signer", "auth/signer")                                \
    X("github_com/devopsfaith/bloomfilter", "auth/revoker")                                       \
    X("github_com/devopsfaith/krakend-botdetector", "security/bot-detector")                      \
    X("github_com/devopsfaith/krakend-httpsecure", "security/http")                               \
    X("github_com/devopsfaith/krakend-cors", "security/cors")                                     \
    X("github.com/devopsfaith/krakend-cel", "validation/cel")                                     \
    X("github.com/devopsfaith/krakend-jsonschema", "validation/json-schema")                      \
    X("github.com/devopsfaith/krakend-amqp/consume", "backend/amqp/consumer")                     \
    X("github.com/devopsfaith/krakend-amqp/produce", "backend/amqp/producer")                     \
    X("github.com/devopsfaith/krakend-lambda", "backend/lambda")                                  \
    X("github.com/devopsfaith/krakend-pubsub/publisher", "backend/pubsub/publisher")              \
    X("github.com/devopsfaith/krakend-pubsub/subscriber", "backend/pubsub/subscriber")            \
    X("github.com/devopsfaith/krakend/transport/http/client/graphql", "backend/graphql")          \
    X("github.com/devopsfaith/krakend-lua/router", "modifier/lua-endpoint")                       \
    X("github.com/devopsfaith/krakend-lua/proxy", "modifier/lua-proxy")                           \
    X("github.com/devopsfaith/krakend-lua/proxy/backend", "modifier/lua-backend")                 \
    X("github.com/devopsfaith/krakend-martian", "modifier/martian")

/* id, stem of the lists above, where it stands (for messages and docs/CONFIG.md) */
#define KEYS_SECTIONS(X)                                                                          \
    X(SECTION_ROOT, ROOT, "the root")                                                             \
    X(SECTION_ENDPOINT, ENDPOINT, "endpoints[]")                                                  \
    X(SECTION_BACKEND, BACKEND, "endpoints[].backend[]")                                          \
    X(SECTION_SERVICE_EXTRA, SERVICE_EXTRA, "extra_config")                                       \
    X(SECTION_ENDPOINT_EXTRA, ENDPOINT_EXTRA, "endpoints[].extra_config")                         \
    X(SECTION_BACKEND_EXTRA, BACKEND_EXTRA, "endpoints[].backend[].extra_config")                 \
    X(SECTION_CLIENT_TLS, CLIENT_TLS, "client_tls")                                               \
    X(SECTION_CLIENT_CERT, CLIENT_CERT, "client_tls.client_certs[]")                              \
    X(SECTION_METRICS, METRICS, "extra_config.telemetry/metrics")                                 \
    X(SECTION_INFLUX, INFLUX, "extra_config.telemetry/influx")                                    \
    X(SECTION_LOGGING, LOGGING, "extra_config.telemetry/logging")                                 \
    X(SECTION_ROUTER, ROUTER, "extra_config.router")                                              \
    X(SECTION_ERROR_BODY, ERROR_BODY, "extra_config.router.error_body")                           \
    X(SECTION_CORS, CORS, "extra_config.security/cors")                                           \
    X(SECTION_PROXY, PROXY, "extra_config.proxy of an endpoint or a backend")                     \
    X(SECTION_STATIC, STATIC, "endpoints[].extra_config.proxy.static")                            \
    X(SECTION_BACKEND_HTTP, BACKEND_HTTP, "endpoints[].backend[].extra_config.backend/http")      \
    X(SECTION_RATE, RATE, "endpoints[].extra_config.qos/ratelimit/router")                        \
    X(SECTION_BACKEND_RATE, BACKEND_RATE,                                                         \
      "endpoints[].backend[].extra_config.qos/ratelimit/proxy")                                   \
    X(SECTION_BREAKER, BREAKER, "endpoints[].backend[].extra_config.qos/circuit-breaker")
/* clang-format on */

enum section {
#define X(id, stem, place) id,
    KEYS_SECTIONS(X)
#undef X
        SECTION_COUNT
};

/* Of each section: the ids of its obeyed keys, 0.., and the number of all its keys (ROOT_KEYS). */
#define ID(id, name, type, fallback, range) id,
#define KNOWN(name, type, status, fallback) +1
#define X(section, stem, place)                                                                    \
    enum { KEYS_##stem(ID) stem##_USED, stem##_KEYS = stem##_USED KEYS_##stem##_OTHER(KNOWN) };
KEYS_SECTIONS(X)
#undef X
#undef KNOWN
#undef ID

/* The keys of a section, obeyed ones first, in the order of the lists. */
const struct key *keys_of(enum section section, size_t *count);
/* Index of a name, an older spelling of a namespace included; -1 when there is none. */
int keys_find(enum section section, struct slice name);
/* Comments are allowed in every object: keys that start with @ $ _ or #. */
bool keys_is_comment(struct slice name);
/* The known key that is at most a third of its letters away; NULL when there is none. */
const struct key *keys_nearest(enum section section, struct slice name);
/* Where a section stands, for messages. Static. */
const char *keys_place(enum section section);

#endif
