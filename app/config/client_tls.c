/* Whom to trust and who we are: client_tls of the root, and the same for telemetry/influx. */
#include "config/loader.h"

static void path_read(struct loader *l, struct node node, struct slice *path);
static void authorities_read(struct loader *l, struct node list, struct config_tls *tls);
static void client_certs_read(struct loader *l, struct node list, struct config_tls *tls);
static void pair_check(struct loader *l, struct node node, const struct config_tls *tls);

void loader_read_client_tls(struct loader *l, struct node node)
{
    struct config_tls *tls = &l->config->client_tls;
    struct node found[CLIENT_TLS_KEYS];
    section_read(l, SECTION_CLIENT_TLS, node, found, CLIENT_TLS_KEYS);
    tls->system_disabled = node_true(found[CLIENT_TLS_NO_SYSTEM]);
    authorities_read(l, found[CLIENT_TLS_CA_CERTS], tls);
    client_certs_read(l, found[CLIENT_TLS_CLIENT_CERTS], tls);
    if (tls->system_disabled && !node_given(found[CLIENT_TLS_CA_CERTS])) {
        loader_warning(l, found[CLIENT_TLS_NO_SYSTEM].raw.ptr,
                       "without \"ca_certs\" no https:// backend will be trusted");
    }
}

/* A file of authorities says who InfluxDB is: nobody else is believed then. */
void loader_read_influx_tls(struct loader *l, const struct node *found)
{
    struct config_influx *influx = &l->config->influx;
    path_read(l, found[INFLUX_CA_FILE], &influx->tls.ca_files[0]);
    path_read(l, found[INFLUX_CERT_FILE], &influx->tls.cert_file);
    path_read(l, found[INFLUX_KEY_FILE], &influx->tls.key_file);
    influx->tls.ca_file_count = influx->tls.ca_files[0].len > 0;
    influx->tls.system_disabled = influx->tls.ca_file_count > 0;
    bool with_key = node_given(found[INFLUX_KEY_FILE]);
    pair_check(l, with_key ? found[INFLUX_KEY_FILE] : found[INFLUX_CERT_FILE], &influx->tls);
    if (influx->tls.ca_file_count > 0 && influx->host.name.len > 0 && !influx->host.tls) {
        loader_warning(l, found[INFLUX_CA_FILE].raw.ptr,
                       "has no effect: \"address\" is not https://");
    }
}

static void path_read(struct loader *l, struct node node, struct slice *path)
{
    struct slice text;
    if (value_text(l, node, &text)) {
        *path = loader_keep(l, text, node.raw.ptr);
    }
}

static void authorities_read(struct loader *l, struct node list, struct config_tls *tls)
{
    struct node_iter iter;
    struct node_member member;
    if (!node_ok(list)) {
        return;
    }
    if (node_count(list) > LIMPET_TLS_FILES) {
        const struct overrun overrun = {.what = "files",
                                        .option = "LIMPET_TLS_FILES",
                                        .needed = node_count(list),
                                        .available = LIMPET_TLS_FILES};
        loader_report_overrun(l, list.raw.ptr, &overrun);
        return;
    }
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (cJSON_IsString(member.node.item)) {
            path_read(l, member.node, &tls->ca_files[tls->ca_file_count++]);
        }
    }
}

static void client_certs_read(struct loader *l, struct node list, struct config_tls *tls)
{
    struct node_iter iter;
    struct node_member member;
    if (!node_ok(list) || node_count(list) == 0) {
        return;
    }
    if (node_count(list) > 1) {
        loader_error(l, list.raw.ptr, "one client certificate is supported, not several");
        return;
    }
    struct node found[CLIENT_CERT_KEYS];
    node_iter_init(&iter, list);
    if (!node_iter_next(&iter, &member)) {
        return;
    }
    section_read(l, SECTION_CLIENT_CERT, member.node, found, CLIENT_CERT_KEYS);
    path_read(l, found[CLIENT_CERT_CERTIFICATE], &tls->cert_file);
    path_read(l, found[CLIENT_CERT_PRIVATE_KEY], &tls->key_file);
    pair_check(l, member.node, tls);
}

static void pair_check(struct loader *l, struct node node, const struct config_tls *tls)
{
    if ((tls->cert_file.len > 0) != (tls->key_file.len > 0)) {
        loader_error(l, node.raw.ptr,
                     "a client certificate needs its key, and a key its certificate");
    }
}
