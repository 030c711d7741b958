#include "gateway/limits.h"

#include "base/num.h"
#include "base/siphash.h"
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

/* Four numbers of 0..255 without leading zeros, as Go's net.ParseIP takes them. */
static bool parse_ip4(struct slice text, uint32_t *ip4)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        struct slice part = slice_take(text, slice_find(text, '.'));
        uint64_t byte;
        bool zeros = part.len > 1 && part.ptr[0] == '0';
        if (zeros || num_parse_u64(part, 255, &byte) != LIMPET_OK) {
            return false;
        }
        sum = sum << 8 | (uint32_t)byte;
        if ((part.len == text.len) != (i == 3)) {
            return false;
        }
        text = slice_skip(text, part.len + 1);
    }
    *ip4 = sum;
    return true;
}

/* The first field of that name, empty when there is none. */
static struct slice field_value(const struct origin *origin, struct slice name)
{
    return message_find(server_request(origin->conn), name);
}

/* The first address that the field of that name lists, a port behind it left out; else the peer's.
 */
static uint32_t client_ip4(const struct origin *origin, struct slice name)
{
    struct slice list = name.len > 0 ? field_value(origin, name) : SLICE_EMPTY;
    struct slice first = slice_trim(slice_take(list, slice_find(list, ',')));
    uint32_t ip4;
    if (parse_ip4(slice_take(first, slice_find(first, ':')), &ip4)) {
        return ip4;
    }
    return server_peer_ip4(origin->conn);
}

static void add_u32(struct siphash *hash, uint32_t v)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        siphash_byte(hash, (uint8_t)(v >> shift));
    }
}

/* False when the request does not say who it is from. Two ways to write one {param} are one client.
 */
static bool add_client(const struct origin *origin, struct siphash *hash)
{
    const struct config_client *client = &origin->endpoint->client;
    if (client->strategy == CLIENT_IP) {
        add_u32(hash, client_ip4(origin, client->key));
        return true;
    }
    struct slice text = client->strategy == CLIENT_HEADER ? field_value(origin, client->key)
                                                          : origin->params[client->param];
    bool escaped = client->strategy == CLIENT_PARAM;
    bool any = text.len > 0;
    while (text.len > 0) {
        uint8_t byte = (uint8_t)text.ptr[0];
        if (escaped) {
            byte = (uint8_t)uri_next_byte(&text);
        } else {
            text = slice_skip(text, 1);
        }
        siphash_byte(hash, byte);
    }
    return any;
}

static bool admit_client(struct limits *limits, const struct origin *origin, uint64_t now_ns)
{
    uint16_t rate = origin->endpoint->client.rate;
    struct siphash hash;
    uint64_t id[2];
    siphash_begin(&hash, limits->key);
    add_u32(&hash, rate); /* each endpoint has its own */
    if (!add_client(origin, &hash)) {
        return false;
    }
    siphash_end(&hash, id);
    return bucket_take(bucket_table_find(&limits->clients, id), rate_at(limits, rate), now_ns);
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
