/* extra_config of the service: telemetry/metrics, telemetry/influx, telemetry/logging. */
#include "config/address.h"
#include "config/loader.h"

#define COLLECTION_TIME_MIN_NS LIMPET_S_TO_NS(1)

static void metrics_read(struct loader *l, struct node node);
static void influx_read(struct loader *l, struct node node);
static void logging_read(struct loader *l, struct node node);

void loader_read_telemetry(struct loader *l, struct node extra_config)
{
    struct node found[SERVICE_EXTRA_KEYS];
    section_read(l, SECTION_SERVICE_EXTRA, extra_config, found, SERVICE_EXTRA_KEYS);
    loader_read_router(l, found[SERVICE_EXTRA_ROUTER]);
    loader_read_cors(l, found[SERVICE_EXTRA_CORS]);
    metrics_read(l, found[SERVICE_EXTRA_METRICS]);
    influx_read(l, found[SERVICE_EXTRA_INFLUX]);
    logging_read(l, found[SERVICE_EXTRA_LOGGING]);
    if (l->config->influx.enabled && !node_given(found[SERVICE_EXTRA_METRICS])) {
        loader_warning(l, found[SERVICE_EXTRA_INFLUX].raw.ptr,
                       "without \"telemetry/metrics\" there is nothing to push");
    }
}

/* ---- telemetry/metrics --------------------------------------------------------------------- */

static void metrics_read(struct loader *l, struct node node)
{
    struct config_metrics *metrics = &l->config->metrics;
    struct node found[METRICS_KEYS];
    struct slice address;
    section_read(l, SECTION_METRICS, node, found, METRICS_KEYS);

    metrics->enabled = node_ok(node);
    metrics->collection_time_ns = LIMPET_S_TO_NS(60);
    metrics->listen = (struct config_listen){.ip4 = 0, .port = 8090};
    metrics->proxy_disabled = node_true(found[METRICS_PROXY_DISABLED]);
    metrics->router_disabled = node_true(found[METRICS_ROUTER_DISABLED]);
    metrics->backend_disabled = node_true(found[METRICS_BACKEND_DISABLED]);
    metrics->endpoint_disabled = node_true(found[METRICS_ENDPOINT_DISABLED]);
    value_interval_ns(l, found[METRICS_COLLECTION_TIME], COLLECTION_TIME_MIN_NS,
                      &metrics->collection_time_ns);
    l->metrics_at = found[METRICS_LISTEN_ADDRESS].raw.ptr != NULL
                        ? found[METRICS_LISTEN_ADDRESS].raw.ptr
                        : node.raw.ptr;
    if (metrics->endpoint_disabled) {
        section_idle(l, found, (const uint8_t[]){METRICS_LISTEN_ADDRESS}, 1,
                     "has no effect with \"endpoint_disabled\"");
    }
    if (!value_text(l, found[METRICS_LISTEN_ADDRESS], &address)) {
        return;
    }
    const char *problem = address_listen(address, &metrics->listen);
    if (problem != NULL) {
        loader_report_address(l, found[METRICS_LISTEN_ADDRESS].raw.ptr, address, problem);
    }
}

/* ---- telemetry/influx ---------------------------------------------------------------------- */

static void influx_address_read(struct loader *l, struct node node)
{
    struct config_influx *influx = &l->config->influx;
    struct slice address;
    if (!value_text(l, node, &address)) {
        return;
    }
    const char *problem = address_influx(address, &influx->host, &influx->base_path);
    if (problem == NULL) {
        influx->host.name = loader_keep(l, influx->host.name, node.raw.ptr);
        influx->host.authority = loader_keep(l, influx->host.authority, node.raw.ptr);
        influx->base_path = loader_keep(l, influx->base_path, node.raw.ptr);
        return;
    }
    loader_report_address(l, node.raw.ptr, address, problem);
}

static void kept_text_read(struct loader *l, struct node node, struct slice *value)
{
    struct slice text;
    if (value_text(l, node, &text)) {
        *value = loader_keep(l, text, node.raw.ptr);
    }
}

static void time_server_read(struct loader *l, struct node node)
{
    struct slice text;
    if (!value_text(l, node, &text) || text.len == 0) {
        return;
    }
    const char *problem = address_time_server(text);
    if (problem != NULL) {
        loader_report_address(l, node.raw.ptr, text, problem);
    }
    l->config->time_server = loader_keep(l, text, node.raw.ptr);
}

/* It becomes a field of the request as it stands (RFC 9110 section 5.5). */
static bool token_is_plain(struct slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

/* token, org, bucket are InfluxDB 2.x's own; db, username, password are 1.x's. */
static void influx_login_check(struct loader *l, const struct node *found)
{
    const struct config_influx *influx = &l->config->influx;
    const struct node *first = &found[INFLUX_TOKEN];
    if (influx->token.len == 0) {
        first = influx->bucket.len > 0 ? &found[INFLUX_BUCKET] : &found[INFLUX_ORG];
        if (influx->bucket.len > 0 || influx->org.len > 0) {
            loader_error(l, first->raw.ptr, "needs \"token\"; without it, \"db\" is written to");
        }
        return;
    }
    if (!token_is_plain(influx->token)) {
        loader_error(l, first->raw.ptr, "must be printable ASCII without spaces");
    }
    if (influx->bucket.len == 0) {
        loader_error(l, first->raw.ptr, "needs \"bucket\"");
    } else if (influx->org.len == 0) {
        loader_warning(l, first->raw.ptr,
                       "without \"org\": InfluxDB 2 needs it, InfluxDB 3 does not");
    }
    static const uint8_t unused[] = {INFLUX_DB, INFLUX_USERNAME, INFLUX_PASSWORD};
    section_idle(l, found, unused, sizeof(unused), "has no effect with \"token\"");
}

static void influx_read(struct loader *l, struct node node)
{
    struct config_influx *influx = &l->config->influx;
    struct node found[INFLUX_KEYS];
    uint64_t buffer_size = 0;
    section_read(l, SECTION_INFLUX, node, found, INFLUX_KEYS);

    influx->enabled = node_ok(node);
    influx->ttl_ns = LIMPET_S_TO_NS(60);
    influx->db = SLICE_LIT("krakend");
    if (!influx->enabled) {
        return;
    }
    if (!node_given(found[INFLUX_ADDRESS])) {
        loader_error(l, node.raw.ptr, "\"address\" is missing");
    }
    influx_address_read(l, found[INFLUX_ADDRESS]);
    value_interval_ns(l, found[INFLUX_TTL], LIMPET_S_TO_NS(1), &influx->ttl_ns);
    kept_text_read(l, found[INFLUX_DB], &influx->db);
    kept_text_read(l, found[INFLUX_USERNAME], &influx->username);
    kept_text_read(l, found[INFLUX_PASSWORD], &influx->password);
    kept_text_read(l, found[INFLUX_TOKEN], &influx->token);
    kept_text_read(l, found[INFLUX_ORG], &influx->org);
    kept_text_read(l, found[INFLUX_BUCKET], &influx->bucket);
    value_number(l, found[INFLUX_BUFFER_SIZE], 0, UINT32_MAX, &buffer_size);
    influx->buffer_size = (uint32_t)buffer_size;
    influx->drop_estimated = node_true(found[INFLUX_DROP_ESTIMATED]);
    kept_text_read(l, found[INFLUX_HOST_TAG], &influx->host_tag);
    time_server_read(l, found[INFLUX_TIME_SERVER]);
    loader_read_influx_tls(l, found);
    if (node_ok(found[INFLUX_DB]) && influx->db.len == 0) {
        loader_error(l, found[INFLUX_DB].raw.ptr, "must not be empty");
    }
    if (influx->token.len == 0 && influx->password.len > 0 && influx->username.len == 0) {
        loader_warning(l, found[INFLUX_PASSWORD].raw.ptr, "has no effect without \"username\"");
    }
    if (influx->token.len == 0 && slice_find(influx->username, ':') < influx->username.len) {
        loader_error(l, found[INFLUX_USERNAME].raw.ptr,
                     "must not contain \":\", where Basic login ends it (RFC 7617)");
    }
    influx_login_check(l, found);
}

/* ---- telemetry/logging --------------------------------------------------------------------- */

static void logging_read(struct loader *l, struct node node)
{
    struct node found[LOGGING_KEYS];
    section_read(l, SECTION_LOGGING, node, found, LOGGING_KEYS);
    l->config->log_level = LOG_INFO;
    if (!node_ok(found[LOGGING_LEVEL])) {
        return;
    }
    struct slice word = node_string(found[LOGGING_LEVEL]);
    for (int level = LOG_DEBUG; level <= LOG_CRITICAL; level++) {
        if (slice_equal(word, slice_from_cstr(log_level_name((enum log_level)level)))) {
            l->config->log_level = (enum log_level)level;
            return;
        }
    }
    struct out *out = loader_error_begin(l, found[LOGGING_LEVEL].raw.ptr);
    out_text(out, "expected one of DEBUG INFO WARNING ERROR CRITICAL, got ");
    finding_value(out, found[LOGGING_LEVEL].raw);
    finding_end(l->findings);
}
