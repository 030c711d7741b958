#include "gateway/access_log.h"

#include "gateway/client_ip.h"
#include "gateway/gateway.h"

static bool is_skipped(const struct config *config, struct slice path)
{
    const struct config_names *skip = &config->router.skip_paths;
    for (uint16_t i = 0; i < skip->count; i++) {
        if (slice_equal(path, config->names[skip->first + i])) {
            return true;
        }
    }
    return config->router.access_log_disabled;
}

void access_log_write(const struct exchange *x)
{
    struct gateway *gateway = x->gateway;
    const struct message_head *request = server_request(x->origin.conn);
    char ip[CLIENT_IP_SIZE];
    if (gateway->log->level_min > LOG_DEBUG || is_skipped(gateway->config, request->path)) {
        return;
    }
    struct out *out = log_begin(gateway->log, LOG_DEBUG, "[SERVICE: Gateway]");
    out_put(out, client_ip(gateway->config, x->origin.conn, ip));
    out_char(out, ' ');
    out_put(out, request->method);
    out_char(out, ' ');
    out_put(out, request->target);
    out_char(out, ' ');
    out_u64(out, x->status);
    out_char(out, ' ');
    out_u64(out, x->size);
    out_text(out, " bytes ");
    out_u64(out, (gateway->now_ns - x->start_ns) / LIMPET_MS_TO_NS(1));
    out_text(out, " ms");
    log_end(gateway->log);
}
