#include "app_tls.h"

#if LIMPET_TLS

#include "metrics/service.h"
#include "port/port.h"

#define PREFIX "[SERVICE: TLS]"

static bool is_wanted(const struct config *config, enum tls_purpose purpose);
static int identify(struct app_tls *secure, enum tls_purpose purpose);
static int connect(void *ctx, const struct client_target *target, uint32_t ip4, void *owner,
                   transport_step_fn step, struct transport **t);

static const struct metrics_value values[] = {
    METRICS_FIELD(METRICS_GAUGE, "tls.arena_bytes_max", struct tls, arena_max),
    METRICS_CONSTANT("tls.arena_bytes_limit", LIMPET_TLS_ARENA_LEN),
    METRICS_FIELD(METRICS_GAUGE, "tls.arena_bytes_used", struct tls, arena_used),
    METRICS_CONSTANT("tls.conns_limit", LIMPET_TLS_CONNS),
    METRICS_FIELD(METRICS_GAUGE, "tls.conns_max", struct tls, used_max),
    METRICS_FIELD(METRICS_COUNTER, "tls.conns_refused", struct tls, refused),
    METRICS_FIELD(METRICS_GAUGE, "tls.conns_used", struct tls, used),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_authority", struct tls, failures.authority),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_date", struct tls, failures.date),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_memory", struct tls, failures.memory),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_name", struct tls, failures.name),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_protocol", struct tls, failures.protocol),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_unfinished", struct tls, failures.unfinished),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_usage", struct tls, failures.usage),
    METRICS_FIELD(METRICS_COUNTER, "tls.failed_weak", struct tls, failures.weak),
    METRICS_FIELD(METRICS_COUNTER, "tls.handshakes_full", struct tls, handshakes_full),
    METRICS_FIELD(METRICS_COUNTER, "tls.handshakes_resumed", struct tls, handshakes_resumed),
    METRICS_FIELD(METRICS_COUNTER, "tls.handshakes_undated", struct tls, handshakes_undated),
    METRICS_FIELD(METRICS_COUNTER, "tls.sessions_kept", struct tls, sessions_kept),
    METRICS_CONSTANT("tls.sessions_limit", LIMPET_TLS_SESSIONS),
    METRICS_FIELD(METRICS_GAUGE, "tls.sessions_used", struct tls, resume.count),
};

/* ---- Life cycle ----------------------------------------------------------------------------- */

void app_tls_add_values(const struct app_tls *secure, struct metrics *metrics)
{
    metrics_add_values(metrics, values, sizeof(values) / sizeof(values[0]), &secure->tls);
}

int app_tls_init(struct app_tls *secure, const struct config *config, struct net *net,
                 struct client *client, struct log *log)
{
    secure->config = config;
    tls_init(&secure->tls, net, log);
    client_set_connector(client, connect, secure, LIMPET_TLS_CONNS);
    for (int i = 0; i < TLS_PURPOSES; i++) {
        enum tls_purpose purpose = (enum tls_purpose)i;
        int err = is_wanted(config, purpose) ? identify(secure, purpose) : LIMPET_OK;
        if (err != LIMPET_OK) {
            return err;
        }
    }
    return LIMPET_OK;
}

void app_tls_set_time(struct app_tls *secure, uint64_t now_ns, int64_t unix_ns)
{
    tls_set_time(&secure->tls, now_ns, unix_ns);
}

/* ---- Identities ----------------------------------------------------------------------------- */

static const struct config_tls *config_of(const struct config *config, enum tls_purpose purpose)
{
    return purpose == TLS_FOR_INFLUX ? &config->influx.tls : &config->client_tls;
}

/* What is configured is looked at when the daemon starts, so that a mistake shows at once. */
static bool is_wanted(const struct config *config, enum tls_purpose purpose)
{
    const struct config_tls *from = config_of(config, purpose);
    bool wanted = from->ca_file_count > 0 || from->cert_file.len > 0;
    if (purpose == TLS_FOR_INFLUX) {
        return config->influx.enabled && (wanted || config->influx.host.tls);
    }
    for (size_t i = 0; i < config->host_count && !wanted; i++) {
        wanted = config->hosts[i].tls;
    }
    return wanted;
}

static int read_pem(struct app_tls *secure, struct slice path, struct slice *pem)
{
    *pem = port_pem(path);
    if (pem->len > 0) {
        return LIMPET_OK;
    }
    struct out *out = log_begin(secure->tls.log, LOG_ERROR, PREFIX);
    if (path.len == 0) {
        out_text(out, "this system has no file of trusted authorities; give \"ca_certs\" in "
                      "\"client_tls\", or \"ca_file\" in \"telemetry/influx\"");
    } else {
        out_put(out, path);
        out_text(out, ": cannot be read, or is empty");
    }
    log_end(secure->tls.log);
    return path.len == 0 ? LIMPET_OK : LIMPET_ERR_NOT_FOUND;
}

/* The system's file comes last: when there is no room for all of it, the others are in. */
static int read_files(struct app_tls *secure, const struct config_tls *from,
                      struct tls_identity *identity)
{
    int err = LIMPET_OK;
    for (size_t i = 0; i < from->ca_file_count && err == LIMPET_OK; i++) {
        err = read_pem(secure, from->ca_files[i],
                       &identity->authorities[identity->authorities_count++]);
    }
    if (err == LIMPET_OK && from->cert_file.len > 0) {
        err = read_pem(secure, from->cert_file, &identity->own_chain);
    }
    if (err == LIMPET_OK && from->key_file.len > 0) {
        err = read_pem(secure, from->key_file, &identity->own_key);
    }
    if (err == LIMPET_OK && !from->system_disabled) {
        err = read_pem(secure, SLICE_EMPTY, &identity->system);
    }
    return err;
}

static int identify(struct app_tls *secure, enum tls_purpose purpose)
{
    if (secure->identified[purpose]) {
        return secure->identity_err[purpose];
    }
    struct tls_identity identity = {.authorities_count = 0};
    int err = read_files(secure, config_of(secure->config, purpose), &identity);
    if (err == LIMPET_OK) {
        err = tls_set_identity(&secure->tls, purpose, &identity);
    }
    secure->identified[purpose] = true;
    secure->identity_err[purpose] = err;
    return err;
}

/* ---- Connections ---------------------------------------------------------------------------- */

static int connect(void *ctx, const struct client_target *target, uint32_t ip4, void *owner,
                   transport_step_fn step, struct transport **t)
{
    struct app_tls *secure = ctx;
    const struct tls_target to = {
        .name = target->name,
        .ip4 = ip4,
        .port = target->port,
        .purpose = target->purpose == CLIENT_FOR_INFLUX ? TLS_FOR_INFLUX : TLS_FOR_BACKENDS,
    };
    int err = identify(secure, to.purpose);
    return err == LIMPET_OK ? tls_connect(&secure->tls, &to, owner, step, t) : err;
}

#endif
