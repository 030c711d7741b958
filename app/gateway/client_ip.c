#include "gateway/client_ip.h"

#include "config/address.h"

static bool is_trusted(const struct config_router *router, const struct config_network *ip)
{
    for (size_t i = 0; i < router->trusted_count; i++) {
        if (address_in_network(ip, &router->trusted[i])) {
            return true;
        }
    }
    return router->trusted_count == 0;
}

/* "client, proxy1, proxy2": the last one that is no trusted proxy, else the first. */
static struct slice claimed_by(const struct config_router *router, struct slice list)
{
    for (;;) {
        size_t at = list.len;
        while (at > 0 && list.ptr[at - 1] != ',') {
            at--;
        }
        struct config_network ip;
        struct slice item = slice_trim(slice_skip(list, at));
        if (!address_ip(item, &ip)) {
            return SLICE_EMPTY;
        }
        if (at == 0 || !is_trusted(router, &ip)) {
            return item;
        }
        list = slice_take(list, at - 1);
    }
}

static struct slice claimed_in(const struct config_router *router, const struct server_conn *c,
                               struct slice name)
{
    return claimed_by(router, message_find(server_request(c), name));
}

struct slice client_ip(const struct config *config, const struct server_conn *c,
                       char text[CLIENT_IP_SIZE])
{
    static const char names[][16] = {"X-Forwarded-For", "X-Real-Ip"};
    const struct config_router *router = &config->router;
    struct config_network ip;
    struct out out;
    out_init(&out, text, CLIENT_IP_SIZE);
    net_ip4_text(&out, server_peer_ip4(c));
    struct slice peer = out_slice(&out);
    if (!router->forwarded_by_client_ip || !address_ip(peer, &ip) || !is_trusted(router, &ip)) {
        return peer;
    }
    struct slice found = SLICE_EMPTY;
    for (uint16_t i = 0; found.len == 0 && i < router->ip_headers.count; i++) {
        found = claimed_in(router, c, config->names[router->ip_headers.first + i]);
    }
    for (size_t i = 0; found.len == 0 && router->ip_headers.count == 0 && i < 2; i++) {
        found = claimed_in(router, c, slice_from_cstr(names[i]));
    }
    return found.len > 0 ? found : peer;
}
