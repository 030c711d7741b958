#include "check_text.h"

#include "url.h"

#define NS_PER_MS UINT64_C(1000000)
#define S_PER_H 3600.0
#define PLAIN_DIGITS 21 /* out_double: no exponent below 1e21 */

static const char *encoding_name(enum encoding encoding)
{
    static const char *const names[] = {
        [ENCODING_JSON] = "json",           [ENCODING_NO_OP] = "no-op",
        [ENCODING_STRING] = "string",       [ENCODING_SAFE_JSON] = "safejson",
        [ENCODING_JSON_COLLECTION] = "json-collection",
    };
    return names[encoding];
}

static double window_s(const struct config *config)
{
    return (double)config->metrics.collection_time_ns / 1e9;
}

static double hours_of(const struct config *config, uint64_t windows)
{
    return (double)windows * window_s(config) / S_PER_H;
}

/* Of backend b: its host number i. */
static const struct config_host *host_at(const struct config *config,
                                         const struct config_backend *b, size_t i)
{
    return &config->hosts[config->host_refs[b->host_first + i]];
}

static void put_host_url(struct out *out, const struct config_host *host)
{
    out_text(out, host->tls ? "https://" : "http://");
    out_put(out, host->authority);
}

static const struct config_rate *rate_at(const struct config *config, uint16_t number)
{
    return number > 0 ? &config->rates[number - 1u] : NULL;
}

static const struct config_breaker *breaker_of(const struct config *config,
                                               const struct config_backend *b)
{
    return b->breaker > 0 ? &config->breakers[b->breaker - 1u] : NULL;
}

static double per_second(const struct config_rate *rate)
{
    double token_ns = (double)rate->token_ns + (double)rate->token_part / (double)rate->parts;
    return 1e9 / token_ns;
}

static const char *strategy_name(enum client_strategy strategy)
{
    static const char *const names[] = {
        [CLIENT_IP] = "ip", [CLIENT_HEADER] = "header", [CLIENT_PARAM] = "param"};
    return names[strategy];
}

/* ---- For people ----------------------------------------------------------------------------- */

static void text_rate(struct out *out, const char *before, const struct config_rate *rate)
{
    if (rate != NULL) {
        out_text(out, before);
        out_double(out, per_second(rate), PLAIN_DIGITS);
        out_text(out, "/s, ");
        out_u64(out, rate->capacity);
        out_text(out, " at once");
    }
}

static void text_breaker(struct out *out, const struct config_breaker *breaker)
{
    if (breaker != NULL) {
        out_text(out, ", opens after more than ");
        out_u64(out, breaker->errors_max);
        out_text(out, " errors within ");
        out_duration_ms(out, breaker->interval_ns / NS_PER_MS);
        out_text(out, " for ");
        out_duration_ms(out, breaker->timeout_ns / NS_PER_MS);
    }
}

static void text_backend(struct out *out, const struct config *config,
                         const struct config_backend *b)
{
    out_text(out, "      ");
    out_put(out, method_name(b->method));
    for (size_t i = 0; i < b->host_count; i++) {
        out_text(out, i == 0 ? " " : " | ");
        put_host_url(out, host_at(config, b, i));
    }
    out_char(out, ' ');
    out_put(out, b->url_pattern);
    out_text(out, "  ");
    out_text(out, encoding_name(b->encoding));
    text_rate(out, ", at most ", rate_at(config, b->rate));
    text_breaker(out, breaker_of(config, b));
    out_char(out, '\n');
}

static void text_endpoint(struct out *out, const struct config *config,
                          const struct config_endpoint *e)
{
    out_text(out, "    ");
    out_put(out, method_name(e->method));
    out_char(out, ' ');
    out_put(out, e->path);
    out_text(out, "  ");
    out_text(out, encoding_name(e->output_encoding));
    out_text(out, ", timeout ");
    out_duration_ms(out, e->timeout_ms);
    text_rate(out, ", at most ", rate_at(config, e->rate));
    text_rate(out, ", each client at most ", rate_at(config, e->client.rate));
    out_char(out, '\n');
    for (size_t i = 0; i < e->backend_count; i++) {
        text_backend(out, config, &config->backends[e->backend_first + i]);
    }
}

static void text_gateway(struct out *out, const struct config *config)
{
    char url[URL_LEN_MAX];
    url_of_listener(url, &config->listen);
    out_text(out, "  gateway   ");
    out_text(out, url);
    out_text(out, "  ");
    out_u64(out, config->endpoint_count);
    out_text(out, " endpoints, ");
    out_u64(out, config->backend_count);
    out_text(out, " backends\n");
    for (size_t i = 0; i < config->endpoint_count; i++) {
        text_endpoint(out, config, &config->endpoints[i]);
    }
}

static void text_environment(struct out *out, const struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        out_text(out, i == 0 ? "  environ.  " : "            ");
        out_put(out, environment->entries[i].name);
        out_char(out, '=');
        out_put(out, environment->entries[i].value);
        out_char(out, '\n');
    }
}

/* A bound that may be none. */
static void text_bound(struct out *out, const char *before, uint32_t ms)
{
    out_text(out, before);
    if (ms > 0) {
        out_duration_ms(out, ms);
    } else {
        out_text(out, "no bound");
    }
}

static void text_limits(struct out *out, const struct config *config)
{
    const struct config_server *server = &config->server;
    out_text(out, "  clients   head ");
    out_u64(out, server->head_len_max);
    out_text(out, " bytes and ");
    out_u64(out, LIMPET_FIELDS_MAX);
    out_text(out, " fields, body ");
    if (config->router.body_len_max > 0) {
        out_u64(out, config->router.body_len_max);
        out_text(out, " bytes");
    } else {
        out_text(out, "of any length");
    }
    text_bound(out, "; head within ", server->read_header_timeout_ms);
    text_bound(out, ", request ", server->read_timeout_ms);
    text_bound(out, ", answer ", server->write_timeout_ms);
    text_bound(out, ", idle ", server->idle_timeout_ms);
    out_text(out, config->cors.enabled ? "; CORS\n" : "\n");
}

static void text_metrics(struct out *out, const struct config *config, const struct app_plan *plan)
{
    const struct config_metrics *metrics = &config->metrics;
    char url[URL_LEN_MAX];
    out_text(out, "  metrics   ");
    if (!metrics->enabled) {
        out_text(out, "off: no telemetry/metrics in extra_config\n");
        return;
    }
    url_of_listener(url, &metrics->listen);
    out_text(out, metrics->endpoint_disabled ? "listener off" : url);
    out_text(out, metrics->endpoint_disabled ? "  window " : "__stats/  window ");
    out_double(out, window_s(config), PLAIN_DIGITS);
    out_text(out, " s, ");
    out_u64(out, plan->endpoint_series);
    out_text(out, " endpoint series, ");
    out_u64(out, plan->proxy_series);
    out_text(out, " proxy series: ");
    out_u64(out, plan->series);
    out_text(out, " metrics before the first answer\n");
}

static void text_windows(struct out *out, const struct config *config, uint64_t windows)
{
    out_u64(out, windows);
    out_text(out, " windows (");
    out_duration_ms(out, windows * (config->metrics.collection_time_ns / NS_PER_MS));
    out_text(out, ")");
}

static void text_influx(struct out *out, const struct config *config, const struct app_plan *plan)
{
    const struct config_influx *influx = &config->influx;
    bool v2 = influx->token.len > 0;
    out_text(out, "  influxdb  ");
    if (!influx->enabled) {
        out_text(out, "off: no telemetry/influx in extra_config\n");
        return;
    }
    out_text(out, v2 ? "version 2 at " : "version 1 at ");
    put_host_url(out, &influx->host);
    out_put(out, influx->base_path);
    out_text(out, v2 ? ", bucket \"" : ", database \"");
    out_put(out, v2 ? influx->bucket : influx->db);
    if (v2 && influx->org.len > 0) {
        out_text(out, "\", organization \"");
        out_put(out, influx->org);
    }
    if (v2) {
        out_text(out, "\", with a token, ");
    } else {
        out_text(out,
                 influx->username.len > 0 ? "\", with user name, " : "\", without user name, ");
    }
    out_text(out, "a push every ");
    out_double(out, (double)influx->ttl_ns / 1e9, PLAIN_DIGITS);
    out_text(out, " s\n  buffer    ");
    text_windows(out, config, plan->windows);
    out_text(out, ", ");
    out_u64(out, plan->record_bytes);
    out_text(out, " bytes and ");
    out_u64(out, plan->record_points);
    out_text(out, " points a busy one; after a failed push ");
    text_windows(out, config, plan->windows_failed);
    out_text(out, " stay (buffer_size ");
    out_u64(out, influx->buffer_size);
    out_text(out, ")\n");
}

static void text_padded(struct out *out, size_t len, size_t width)
{
    for (; len < width; len++) {
        out_char(out, ' ');
    }
}

static void text_number(struct out *out, uint64_t v, size_t width)
{
    struct out count;
    out_init_count(&count);
    out_u64(&count, v);
    text_padded(out, (size_t)count.total, width);
    out_u64(out, v);
}

static void text_memory(struct out *out, const struct app_plan *plan)
{
    out_text(out, "  memory    ");
    out_u64(out, plan->app_bytes);
    out_text(out, " bytes of address space, pages that nothing touches cost nothing\n"
                  "    table                      used     limit       bytes\n");
    for (size_t i = 0; i < APP_PLAN_TABLES; i++) {
        const struct app_plan_table *table = &plan->tables[i];
        struct slice name = slice_from_cstr(table->name);
        out_text(out, "    ");
        out_put(out, name);
        text_padded(out, name.len, 20);
        if (table->is_pool) {
            text_padded(out, 1, 11);
            out_char(out, '-');
        } else {
            text_number(out, table->used, 11);
        }
        text_number(out, table->limit, 10);
        text_number(out, table->bytes, 12);
        out_text(out, "  ");
        out_text(out, table->limit_name);
        out_char(out, '\n');
    }
}

void check_put_text(struct out *out, const struct config *config, const struct app_plan *plan,
                    const struct environment *environment)
{
    text_environment(out, environment);
    text_gateway(out, config);
    text_limits(out, config);
    text_metrics(out, config, plan);
    text_influx(out, config, plan);
    text_memory(out, plan);
}

/* ---- For machines --------------------------------------------------------------------------- */

static void json_key(struct out *out, const char *key)
{
    out_text(out, ",\"");
    out_text(out, key);
    out_text(out, "\":");
}

static void json_text(struct out *out, const char *key, struct slice value)
{
    json_key(out, key);
    out_json_string(out, value);
}

static void json_number(struct out *out, const char *key, uint64_t value)
{
    json_key(out, key);
    out_u64(out, value);
}

static void json_real(struct out *out, const char *key, double value)
{
    json_key(out, key);
    out_double(out, value, PLAIN_DIGITS);
}

static void json_bool(struct out *out, const char *key, bool value)
{
    json_key(out, key);
    out_text(out, value ? "true" : "false");
}

static void json_rate(struct out *out, const char *key, const struct config_rate *rate)
{
    if (rate != NULL) {
        json_key(out, key);
        out_text(out, "{\"per_second\":");
        out_double(out, per_second(rate), PLAIN_DIGITS);
        json_number(out, "capacity", rate->capacity);
        out_char(out, '}');
    }
}

static void json_breaker(struct out *out, const struct config_breaker *breaker)
{
    if (breaker != NULL) {
        json_key(out, "circuit_breaker");
        out_text(out, "{\"name\":");
        out_json_string(out, breaker->name);
        json_number(out, "interval_s", breaker->interval_ns / LIMPET_S_TO_NS(1));
        json_number(out, "timeout_s", breaker->timeout_ns / LIMPET_S_TO_NS(1));
        json_number(out, "max_errors", breaker->errors_max);
        out_char(out, '}');
    }
}

static void json_client_rate(struct out *out, const struct config *config,
                             const struct config_client *client)
{
    if (client->rate > 0) {
        json_rate(out, "client_rate", rate_at(config, client->rate));
        json_text(out, "client_strategy", slice_from_cstr(strategy_name(client->strategy)));
        json_text(out, "client_key", client->key);
    }
}

static void json_backend(struct out *out, const struct config *config,
                         const struct config_backend *b)
{
    out_text(out, "{\"method\":");
    out_json_string(out, method_name(b->method));
    json_text(out, "url_pattern", b->url_pattern);
    json_text(out, "encoding", slice_from_cstr(encoding_name(b->encoding)));
    json_text(out, "name", b->metric_name);
    json_key(out, "hosts");
    for (size_t i = 0; i < b->host_count; i++) {
        out_text(out, i == 0 ? "[\"" : "\",\"");
        put_host_url(out, host_at(config, b, i)); /* DNS names and addresses: nothing to escape */
    }
    out_text(out, "\"]");
    json_rate(out, "rate", rate_at(config, b->rate));
    json_breaker(out, breaker_of(config, b));
    out_char(out, '}');
}

static void json_endpoint(struct out *out, const struct config *config,
                          const struct config_endpoint *e)
{
    out_text(out, "{\"method\":");
    out_json_string(out, method_name(e->method));
    json_text(out, "endpoint", e->path);
    json_text(out, "output_encoding", slice_from_cstr(encoding_name(e->output_encoding)));
    json_text(out, "name", e->metric_name);
    json_number(out, "timeout_ms", e->timeout_ms);
    json_number(out, "cache_ttl_s", e->cache_ttl_s);
    json_rate(out, "rate", rate_at(config, e->rate));
    json_client_rate(out, config, &e->client);
    json_key(out, "backend");
    for (size_t i = 0; i < e->backend_count; i++) {
        out_char(out, i == 0 ? '[' : ',');
        json_backend(out, config, &config->backends[e->backend_first + i]);
    }
    out_text(out, "]}");
}

static void json_environment(struct out *out, const struct environment *environment)
{
    json_key(out, "environment");
    out_char(out, '[');
    for (size_t i = 0; i < environment->count; i++) {
        const struct environment_entry *entry = &environment->entries[i];
        out_text(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        out_json_string(out, entry->name);
        json_text(out, "key", slice_from_cstr(entry->key));
        json_text(out, "value", entry->value);
        out_char(out, '}');
    }
    out_char(out, ']');
}

/* 0 = no bound. */
static void json_limits(struct out *out, const struct config *config)
{
    const struct config_server *server = &config->server;
    json_key(out, "limits");
    out_text(out, "{\"head_len_max\":");
    out_u64(out, server->head_len_max);
    json_number(out, "fields_max", LIMPET_FIELDS_MAX);
    json_number(out, "body_len_max", config->router.body_len_max);
    json_number(out, "read_header_timeout_ms", server->read_header_timeout_ms);
    json_number(out, "read_timeout_ms", server->read_timeout_ms);
    json_number(out, "write_timeout_ms", server->write_timeout_ms);
    json_number(out, "idle_timeout_ms", server->idle_timeout_ms);
    out_char(out, '}');
    json_bool(out, "cors", config->cors.enabled);
}

static void json_gateway(struct out *out, const struct config *config)
{
    char address[URL_LEN_MAX];
    url_of_address(address, &config->listen);
    json_key(out, "gateway");
    out_text(out, "{\"listen\":");
    out_json_string(out, slice_from_cstr(address));
    json_limits(out, config);
    json_key(out, "endpoints");
    out_char(out, '[');
    for (size_t i = 0; i < config->endpoint_count; i++) {
        out_text(out, i == 0 ? "" : ",");
        json_endpoint(out, config, &config->endpoints[i]);
    }
    out_text(out, "]}");
}

static void json_metrics(struct out *out, const struct config *config, const struct app_plan *plan)
{
    char address[URL_LEN_MAX];
    url_of_address(address, &config->metrics.listen);
    json_key(out, "metrics");
    out_text(out, config->metrics.enabled ? "{\"enabled\":true" : "{\"enabled\":false");
    json_text(out, "listen",
              slice_from_cstr(config->metrics.endpoint_disabled ? NULL : address));
    json_real(out, "window_s", window_s(config));
    json_number(out, "series", plan->series);
    json_number(out, "endpoint_names", plan->endpoint_series);
    json_number(out, "proxy_names", plan->proxy_series);
    out_char(out, '}');
}

static void json_influx(struct out *out, const struct config *config, const struct app_plan *plan)
{
    const struct config_influx *influx = &config->influx;
    json_key(out, "influx");
    if (!influx->enabled) {
        out_text(out, "{\"enabled\":false}");
        return;
    }
    out_text(out, "{\"enabled\":true,\"address\":\"");
    put_host_url(out, &influx->host);
    out_json_escaped(out, influx->base_path, false);
    out_char(out, '"');
    json_number(out, "version", influx->token.len > 0 ? 2 : 1);
    if (influx->token.len > 0) {
        json_text(out, "org", influx->org);
        json_text(out, "bucket", influx->bucket);
    } else {
        json_text(out, "db", influx->db);
    }
    json_bool(out, "authenticated", influx->username.len + influx->token.len > 0);
    json_real(out, "ttl_s", (double)influx->ttl_ns / 1e9);
    json_number(out, "buffer_size", influx->buffer_size);
    json_number(out, "window_bytes", plan->record_bytes);
    json_number(out, "window_points", plan->record_points);
    json_number(out, "windows", plan->windows);
    json_real(out, "hours", hours_of(config, plan->windows));
    json_number(out, "windows_failed", plan->windows_failed);
    json_real(out, "hours_failed", hours_of(config, plan->windows_failed));
    out_char(out, '}');
}

static void json_memory(struct out *out, const struct app_plan *plan)
{
    json_key(out, "memory");
    out_text(out, "{\"bytes\":");
    out_u64(out, plan->app_bytes);
    json_key(out, "tables");
    for (size_t i = 0; i < APP_PLAN_TABLES; i++) {
        const struct app_plan_table *table = &plan->tables[i];
        out_text(out, i == 0 ? "[{\"name\":" : ",{\"name\":");
        out_json_string(out, slice_from_cstr(table->name));
        json_key(out, "used");
        if (table->is_pool) {
            out_text(out, "null");
        } else {
            out_u64(out, table->used);
        }
        json_number(out, "limit", table->limit);
        json_text(out, "limit_name", slice_from_cstr(table->limit_name));
        json_number(out, "bytes", table->bytes);
        out_char(out, '}');
    }
    out_text(out, "]}");
}

void check_put_json(struct out *out, const struct config *config, const struct app_plan *plan,
                    const struct environment *environment)
{
    json_environment(out, environment);
    json_gateway(out, config);
    json_metrics(out, config, plan);
    json_influx(out, config, plan);
    json_memory(out, plan);
}
