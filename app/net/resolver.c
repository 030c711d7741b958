#include "net/resolver.h"

#include "base/num.h"

#include "lwip/dns.h"
#include "lwip/ip_addr.h"

#include <assert.h>
#include <string.h>

#define LABEL_LEN_MAX 63u /* RFC 1035 section 2.3.4 */
#define LOCALHOST_IP4 UINT32_C(0x7F000001)

static int resolve_literal(const struct net *net, struct slice host, uint32_t *ip4);
static bool is_name(struct slice host);
static bool looks_numeric(struct slice host);
static int parse_ip4(struct slice host, uint32_t *ip4);
static int usable_ip4(const struct net *net, uint32_t from, uint32_t *ip4);
static int ask(struct net *net, struct slice host, struct net_lookup **lookup, uint32_t *ip4);
static struct net_lookup *shared_lookup(struct net *net, struct slice host);
static struct net_waiter *free_waiter(struct net *net);
static void on_found(const char *name, const ip_addr_t *address, void *arg);
static void drop_unwanted(struct net *net);

/* ---- For net.h ------------------------------------------------------------------------------ */

int net_resolve(struct net *net, struct slice host, uint32_t *ip4, net_resolved_fn done, void *ctx)
{
    assert(done != NULL);
    int literal = resolve_literal(net, host, ip4);
    if (literal != 0) {
        return literal;
    }
    struct net_waiter *waiter = free_waiter(net);
    if (waiter == NULL) {
        return LIMPET_ERR_FULL;
    }
    struct net_lookup *lookup = shared_lookup(net, host);
    if (lookup == NULL) {
        uint32_t found;
        int asked = ask(net, host, &lookup, &found);
        if (asked != 0) {
            return asked < 0 ? asked : usable_ip4(net, found, ip4);
        }
    }
    *waiter = (struct net_waiter){.done = done, .ctx = ctx, .host = host, .lookup = lookup};
    return 0;
}

void net_resolve_cancel(struct net *net, net_resolved_fn done, void *ctx)
{
    for (size_t i = 0; i < LIMPET_BACKEND_CONNS; i++) {
        struct net_waiter *waiter = &net->waiters[i];
        if (waiter->done == done && waiter->ctx == ctx) {
            *waiter = (struct net_waiter){0};
            return;
        }
    }
}

size_t resolver_poll(struct net *net, size_t budget)
{
    if (net->lookups_answered == 0) {
        return 0;
    }
    size_t told = 0;
    for (size_t i = 0; i < LIMPET_BACKEND_CONNS && told < budget; i++) {
        struct net_waiter waiter = net->waiters[i];
        if (waiter.done == NULL || waiter.lookup->state != LOOKUP_ANSWERED) {
            continue;
        }
        net->waiters[i] = (struct net_waiter){0};
        uint32_t ip4 = 0;
        int err = waiter.lookup->err;
        if (err == LIMPET_OK) {
            int usable = usable_ip4(net, waiter.lookup->ip4, &ip4);
            err = usable < 0 ? usable : LIMPET_OK;
        }
        waiter.done(waiter.ctx, err, ip4);
        told++;
    }
    drop_unwanted(net);
    return told;
}

/* Answers that nobody waits for any more. */
static void drop_unwanted(struct net *net)
{
    for (size_t i = 0; i < LIMPET_DNS_NAMES; i++) {
        struct net_lookup *lookup = &net->lookups[i];
        bool wanted = false;
        for (size_t w = 0; w < LIMPET_BACKEND_CONNS && !wanted; w++) {
            wanted = net->waiters[w].done != NULL && net->waiters[w].lookup == lookup;
        }
        if (lookup->state == LOOKUP_ANSWERED && !wanted) {
            lookup->state = LOOKUP_FREE;
            net->lookups_answered--;
        }
    }
}

/* ---- Without asking ------------------------------------------------------------------------- */

/* 1: *ip4 is set; 0: a name to ask for; else the error. */
static int resolve_literal(const struct net *net, struct slice host, uint32_t *ip4)
{
    if (slice_equal_nocase(host, SLICE_LIT("localhost")) || slice_equal(host, SLICE_LIT("::1")) ||
        slice_equal(host, SLICE_LIT("[::1]"))) {
        return usable_ip4(net, LOCALHOST_IP4, ip4);
    }
    if (looks_numeric(host)) {
        uint32_t literal;
        int err = parse_ip4(host, &literal);
        return err == LIMPET_OK ? usable_ip4(net, literal, ip4) : LIMPET_ERR_RESOLVE;
    }
    return is_name(host) ? 0 : LIMPET_ERR_RESOLVE;
}

/* Its last label is a number, decimal or 0x: never a name (RFC 1123 section 2.1), and other
 * readings of it
 * ("127.1", "0x7f000001", "010.0.0.1") are refused, not guessed. */
static bool looks_numeric(struct slice host)
{
    size_t at = host.len;
    while (at > 0 && host.ptr[at - 1] != '.') {
        at--;
    }
    struct slice last = slice_skip(host, at);
    uint64_t number;
    if (slice_starts_with(last, SLICE_LIT("0x")) || slice_starts_with(last, SLICE_LIT("0X"))) {
        last = slice_skip(last, 2);
        return last.len == 0 || num_parse_hex(last, UINT64_MAX, &number) != LIMPET_ERR_SYNTAX;
    }
    return num_parse_u64(last, UINT64_MAX, &number) != LIMPET_ERR_SYNTAX;
}

/* Four decimal numbers of 0 to 255 without zeros in front. */
static int parse_ip4(struct slice host, uint32_t *ip4)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct slice part = slice_take(host, slice_find(host, '.'));
        uint64_t number;
        int err = num_parse_u64(part, 255, &number);
        if (err != LIMPET_OK || (part.len > 1 && part.ptr[0] == '0')) {
            return LIMPET_ERR_SYNTAX;
        }
        bool last = part.len == host.len;
        if (last != (i == 3)) {
            return LIMPET_ERR_SYNTAX;
        }
        value = value << 8 | (uint32_t)number;
        host = slice_skip(host, part.len + 1);
    }
    *ip4 = value;
    return LIMPET_OK;
}

/* The address to connect to: 127.0.0.1 has another name on this netif, the rest of 127/8 none; 0/8
 * and what is not a host (224/3) is refused. 1 or LIMPET_ERR_RESOLVE. */
static int usable_ip4(const struct net *net, uint32_t from, uint32_t *ip4)
{
    uint32_t first = from >> 24;
    if (from == LOCALHOST_IP4) {
        *ip4 = net->loopback_ip4;
        return net->loopback_ip4 != 0 ? 1 : LIMPET_ERR_RESOLVE;
    }
    if (first == 0 || first == 127 || first >= 224) {
        return LIMPET_ERR_RESOLVE;
    }
    *ip4 = from;
    return 1;
}

/* What lwIP can put into a query: labels of 1 to 63 bytes. A dot at the end is allowed. */
static bool is_name(struct slice host)
{
    if (host.len == 0 || host.len >= DNS_MAX_NAME_LENGTH) {
        return false;
    }
    size_t label_len = 0;
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.ptr[i];
        if (byte <= ' ' || byte == 0x7F || byte == ':' || (byte == '.' && label_len == 0)) {
            return false;
        }
        label_len = byte == '.' ? 0 : label_len + 1;
        if (label_len > LABEL_LEN_MAX) {
            return false;
        }
    }
    return true;
}

/* ---- By asking ------------------------------------------------------------------------------ */

/* 1: *ip4 is set (lwIP had it in its cache); 0: *lookup waits for the answer; else the error. */
static int ask(struct net *net, struct slice host, struct net_lookup **lookup, uint32_t *ip4)
{
    struct net_lookup *slot = NULL;
    for (size_t i = 0; i < LIMPET_DNS_NAMES && slot == NULL; i++) {
        slot = net->lookups[i].state == LOOKUP_FREE ? &net->lookups[i] : NULL;
    }
    if (slot == NULL) {
        return LIMPET_ERR_FULL;
    }
    char name[DNS_MAX_NAME_LENGTH];
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    ip_addr_t address;
    *slot = (struct net_lookup){.net = net, .state = LOOKUP_ASKING};
    err_t err = dns_gethostbyname(name, &address, on_found, slot);
    if (err == ERR_INPROGRESS) {
        *lookup =
            slot; /* perhaps answered already: a query that cannot be sent fails inside the call */
        return 0;
    }
    slot->state = LOOKUP_FREE;
    if (err == ERR_OK) {
        *ip4 = lwip_ntohl(ip4_addr_get_u32(ip_2_ip4(&address)));
        return 1;
    }
    return err == ERR_MEM ? LIMPET_ERR_FULL : LIMPET_ERR_RESOLVE;
}

/* lwIP's callback: `address` is NULL when there is none. Who waits is told in the next turn. */
static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    struct net_lookup *lookup = arg;
    (void)name;
    assert(lookup->state == LOOKUP_ASKING);
    lookup->state = LOOKUP_ANSWERED;
    lookup->net->lookups_answered++;
    if (address == NULL) {
        lookup->err = LIMPET_ERR_RESOLVE;
    } else {
        lookup->ip4 = lwip_ntohl(ip4_addr_get_u32(ip_2_ip4(address)));
    }
}

/* Somebody else asks for the same name: one query is enough. */
static struct net_lookup *shared_lookup(struct net *net, struct slice host)
{
    for (size_t i = 0; i < LIMPET_BACKEND_CONNS; i++) {
        const struct net_waiter *waiter = &net->waiters[i];
        if (waiter->done != NULL && waiter->lookup->state == LOOKUP_ASKING &&
            slice_equal_nocase(waiter->host, host)) {
            return waiter->lookup;
        }
    }
    return NULL;
}

static struct net_waiter *free_waiter(struct net *net)
{
    for (size_t i = 0; i < LIMPET_BACKEND_CONNS; i++) {
        if (net->waiters[i].done == NULL) {
            return &net->waiters[i];
        }
    }
    return NULL;
}
