#include "gateway/limits.h"

#include "base/siphash.h"
#include "config/address.h"
#include "gateway/client_ip.h"
#include "gateway/uri.h"
#include "port/port.h"

#include <assert.h>
#include <string.h>

void limits_init(struct limits *limits, const struct config *config)
{
    limits->config = config;
    limits->refused_client = 0;
    limits->refused_global = 0;
    limits->refused_proxy = 0;
    memset(limits->buckets, 0, sizeof(limits->buckets));
    bucket_table_init(&limits->clients);
    if (!port_entropy(limits->key, sizeof(limits->key))) {
        memset(limits->key, 0, sizeof(limits->key)); /* names stay different, but can be foreseen */
    }
}

static const struct config_rate *rate_at(const struct limits *limits, uint16_t rate)
{
    assert(rate > 0 && rate <= limits->config->rate_count);
    return &limits->config->rates[rate - 1u];
}

static bool take(struct limits *limits, uint16_t rate, uint64_t now_ns)
{
    return bucket_take(&limits->buckets[rate - 1u], rate_at(limits, rate), now_ns);
}

bool limits_admit_call(struct limits *limits, uint16_t rate, uint64_t now_ns)
{
    bool admitted = take(limits, rate, now_ns);
    limits->refused_proxy += !admitted;
    return admitted;
}

/* ---- Who a client is ------------------------------------------------------------------------ */

/* The first field of that name, empty when there is none. */
static struct slice field_value(const struct origin *origin, struct slice name)
{
    return message_find(server_request(origin->conn), name);
}

/* The first address that the field of that name lists, a port behind it left out; else empty. */
static struct slice listed_ip4(const struct origin *origin, struct slice name)
{
    struct slice list = name.len > 0 ? field_value(origin, name) : SLICE_EMPTY;
    struct slice first = slice_trim(slice_take(list, slice_find(list, ',')));
    uint32_t ip4;
    first = slice_take(first, slice_find(first, ':'));
    return address_ip4(first, &ip4) ? first : SLICE_EMPTY;
}

/* As text, in `buf` or in the request; empty when the request does not say who it is from. */
static struct slice client_name(const struct config *config, const struct origin *origin,
                                char buf[CLIENT_IP_SIZE])
{
    const struct config_client *client = &origin->endpoint->client;
    struct slice listed;
    switch (client->strategy) {
    case CLIENT_IP:
        listed = listed_ip4(origin, client->key);
        return listed.len > 0 ? listed : client_ip(config, origin->conn, buf);
    case CLIENT_HEADER:
        return field_value(origin, client->key);
    case CLIENT_PARAM:
        break;
    }
    return origin->params[client->param];
}

/* Two ways to write one {param} are one client. */
static void add_name(struct siphash *hash, struct slice name, bool escaped)
{
    while (name.len > 0) {
        uint8_t byte = (uint8_t)name.ptr[0];
        if (escaped) {
            byte = (uint8_t)uri_next_byte(&name);
        } else {
            name = slice_skip(name, 1);
        }
        siphash_byte(hash, byte);
    }
}

static bool admit_client(struct limits *limits, const struct origin *origin, uint64_t now_ns)
{
    const struct config_client *client = &origin->endpoint->client;
    char buf[CLIENT_IP_SIZE];
    struct slice name = client_name(limits->config, origin, buf);
    if (name.len == 0) {
        return false;
    }
    struct siphash hash;
    uint64_t id[2];
    siphash_begin(&hash, limits->key);
    siphash_byte(&hash, (uint8_t)client->rate); /* each endpoint has its own */
    siphash_byte(&hash, (uint8_t)(client->rate >> 8));
    add_name(&hash, name, client->strategy == CLIENT_PARAM);
    siphash_end(&hash, id);
    const struct config_rate *rate = rate_at(limits, client->rate);
    return bucket_take(bucket_table_find(&limits->clients, id), rate, now_ns);
}

unsigned limits_admit(struct limits *limits, const struct origin *origin, uint64_t now_ns)
{
    const struct config_endpoint *endpoint = origin->endpoint;
    if (endpoint->client.rate != 0 && !admit_client(limits, origin, now_ns)) {
        limits->refused_client++;
        return 429;
    }
    if (endpoint->rate != 0 && !take(limits, endpoint->rate, now_ns)) {
        limits->refused_global++;
        return 503;
    }
    return 0;
}
