/* Names and literals, with the real lwIP resolver against a name server made of one UDP pcb. */
#include "check.h"

#include "fakes/lwip_world.h"
#include "net/net.h"

#include "lwip/dns.h"
#include "lwip/udp.h"

#define SLIRP_IP4 UINT32_C(0x0A000202)

static struct net net;
static struct log test_log;

/* ---- Name server ---------------------------------------------------------------------------- */

static struct {
    struct udp_pcb *pcb;
    size_t queries;
    uint32_t ip4; /* of every name; 0: there is no such name */
    uint32_t ttl_s;
    bool silent;
} server;

/* Sends the question back with one A record behind it, or with NXDOMAIN (RFC 1035 section 4). */
static void server_on_query(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                            u16_t port)
{
    (void)arg;
    server.queries++;
    u16_t len = p->tot_len;
    struct pbuf *reply = pbuf_alloc(PBUF_TRANSPORT, len + 16, PBUF_RAM);
    pbuf_copy(reply, p);
    pbuf_free(p);
    pbuf_put_at(reply, 2, 0x81); /* answer, recursion desired */
    pbuf_put_at(reply, 3, server.ip4 != 0 ? 0x80 : 0x83);
    pbuf_put_at(reply, 7, server.ip4 != 0 ? 1 : 0);
    const unsigned char record[16] = {
        0xC0,
        12,
        0,
        1,
        0,
        1,
        (unsigned char)(server.ttl_s >> 24),
        (unsigned char)(server.ttl_s >> 16),
        (unsigned char)(server.ttl_s >> 8),
        (unsigned char)server.ttl_s,
        0,
        4,
        (unsigned char)(server.ip4 >> 24),
        (unsigned char)(server.ip4 >> 16),
        (unsigned char)(server.ip4 >> 8),
        (unsigned char)server.ip4,
    };
    pbuf_take_at(reply, record, sizeof(record), len);
    if (server.ip4 == 0) {
        pbuf_realloc(reply, len);
    }
    if (!server.silent) {
        CHECK_EQ_INT(udp_sendto(pcb, reply, from, port), ERR_OK);
    }
    pbuf_free(reply);
}

static void server_start(void)
{
    ip_addr_t address = IPADDR4_INIT(lwip_htonl(WORLD_IP4));
    server.pcb = udp_new();
    CHECK_EQ_INT(udp_bind(server.pcb, IP_ADDR_ANY, 53), ERR_OK);
    udp_recv(server.pcb, server_on_query, NULL);
    dns_setserver(0, &address);
    server.ttl_s = 60;
}

/* ---- Who asks ------------------------------------------------------------------------------- */

struct asker {
    size_t told;
    int err;
    uint32_t ip4;
    struct asker *cancels;
};

static void asker_done(void *ctx, int err, uint32_t ip4)
{
    struct asker *asker = ctx;
    asker->told++;
    asker->err = err;
    asker->ip4 = ip4;
    if (asker->cancels != NULL) {
        net_resolve_cancel(&net, asker_done, asker->cancels);
    }
}

static int resolve(const char *host, uint32_t *ip4, struct asker *asker)
{
    return net_resolve(&net, slice_from_cstr(host), ip4, asker_done, asker);
}

static void settle(void)
{
    while (world_pump()) {
    }
    while (net_poll(&net, 64)) {
    }
}

static void check_free(void)
{
    CHECK_EQ_UINT(net.lookups_answered, 0);
    for (size_t i = 0; i < LIMPET_DNS_NAMES; i++) {
        CHECK_EQ_INT(net.lookups[i].state, LOOKUP_FREE);
    }
    for (size_t i = 0; i < LIMPET_BACKEND_CONNS; i++) {
        CHECK(net.waiters[i].done == NULL);
    }
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void check_literal(const char *host, int want, uint32_t want_ip4)
{
    struct asker asker = {0};
    uint32_t ip4 = 0;
    int got = resolve(host, &ip4, &asker);
    if (got != want || ip4 != want_ip4) {
        fprintf(stderr, "host \"%s\"\n", host);
    }
    CHECK_EQ_INT(got, want);
    CHECK_EQ_UINT(ip4, want_ip4);
}

static void test_literals(void)
{
    check_literal("10.1.2.3", 1, UINT32_C(0x0A010203));
    check_literal("223.255.255.255", 1, UINT32_C(0xDFFFFFFF));
    const char *const local[] = {"127.0.0.1", "localhost", "LocalHost", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        check_literal(local[i], 1, SLIRP_IP4);
        net.loopback_ip4 = 0;
        check_literal(local[i], LIMPET_ERR_RESOLVE, 0);
        net.loopback_ip4 = SLIRP_IP4;
    }
    const char *const refused[] = {
        "",
        ".",
        "127.0.0.2",
        "127.1",
        "127.0.0.1.",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.",
        "01.2.3.4",
        "1.2.3.04",
        "0x7f000001",
        "0x7f.0.0.1",
        "2130706433",
        "99999999999999999999999",
        "a.0x1",
        "::2",
        "[::2]",
        "fe80::1",
        "a..b",
        ".a",
        "a b",
        "a\tb",
        "a:80",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        check_literal(refused[i], LIMPET_ERR_RESOLVE, 0);
    }
    char label[70];
    memset(label, 'a', sizeof(label));
    label[64] = '\0';
    check_literal(label, LIMPET_ERR_RESOLVE, 0);
    char name[300];
    for (size_t i = 0; i < sizeof(name); i++) {
        name[i] = i % 2 == 0 ? 'a' : '.';
    }
    name[257] = '\0';
    check_literal(name, LIMPET_ERR_RESOLVE, 0);
    check_free();
}

static void test_without_server(void)
{
    check_literal("backend.example", LIMPET_ERR_RESOLVE, 0);
    check_free();
}

static void test_name(void)
{
    struct asker asker = {0};
    uint32_t ip4 = 0;
    server.ip4 = UINT32_C(0x0A000005);
    CHECK_EQ_INT(resolve("backend.example", &ip4, &asker), 0);
    CHECK_EQ_UINT(asker.told, 0);
    settle();
    CHECK_EQ_UINT(asker.told, 1);
    CHECK_EQ_INT(asker.err, LIMPET_OK);
    CHECK_EQ_UINT(asker.ip4, UINT32_C(0x0A000005));
    check_free();
    size_t queries = server.queries;
    CHECK_EQ_INT(resolve("BACKEND.example", &ip4, &asker), 1); /* cached */
    CHECK_EQ_UINT(ip4, UINT32_C(0x0A000005));
    CHECK_EQ_UINT(server.queries, queries);
    check_free();
}

static void test_no_such_name(void)
{
    struct asker asker = {0};
    uint32_t ip4;
    server.ip4 = 0;
    CHECK_EQ_INT(resolve("nobody.example", &ip4, &asker), 0);
    settle();
    CHECK_EQ_UINT(asker.told, 1);
    CHECK_EQ_INT(asker.err, LIMPET_ERR_RESOLVE);
    check_free();
}

static void test_answers_that_mean_us(void)
{
    struct asker asker = {0};
    uint32_t ip4 = 0;
    server.ip4 = UINT32_C(0x7F000001);
    CHECK_EQ_INT(resolve("local.example", &ip4, &asker), 0);
    settle();
    CHECK_EQ_UINT(asker.ip4, SLIRP_IP4);
    CHECK_EQ_INT(resolve("local.example", &ip4, &asker), 1); /* also from the cache */
    CHECK_EQ_UINT(ip4, SLIRP_IP4);
    server.ip4 = UINT32_C(0x7F000002);
    CHECK_EQ_INT(resolve("two.example", &ip4, &asker), 0);
    settle();
    CHECK_EQ_INT(asker.err, LIMPET_ERR_RESOLVE);
    CHECK_EQ_INT(resolve("two.example", &ip4, &asker), LIMPET_ERR_RESOLVE);
    check_free();
}

/* An address that is none, for 68 years: the server is asked again all the same. */
static void test_wrong_answer_does_not_stay(void)
{
    struct asker asker = {0};
    uint32_t ip4 = 0;
    server.ip4 = UINT32_C(0xE0000001);
    server.ttl_s = INT32_MAX;
    CHECK_EQ_INT(resolve("late.example", &ip4, &asker), 0);
    settle();
    CHECK_EQ_INT(asker.err, LIMPET_ERR_RESOLVE);
    server.ip4 = UINT32_C(0x0A000007);
    CHECK_EQ_INT(resolve("late.example", &ip4, &asker), LIMPET_ERR_RESOLVE); /* still cached */
    world_run((DNS_MAX_TTL + 1) * 1000);
    CHECK_EQ_INT(resolve("late.example", &ip4, &asker), 0);
    settle();
    CHECK_EQ_INT(asker.err, LIMPET_OK);
    CHECK_EQ_UINT(asker.ip4, UINT32_C(0x0A000007));
    server.ttl_s = 60;
    check_free();
}

static void test_silent_server(void)
{
    struct asker asker = {0};
    uint32_t ip4;
    server.silent = true;
    CHECK_EQ_INT(resolve("silent.example", &ip4, &asker), 0);
    world_run(60000);
    settle();
    CHECK_EQ_UINT(asker.told, 1);
    CHECK_EQ_INT(asker.err, LIMPET_ERR_RESOLVE);
    server.silent = false;
    check_free();
}

static void test_shared(void)
{
    struct asker askers[10] = {0};
    uint32_t ip4;
    server.ip4 = UINT32_C(0x0A000006);
    size_t queries = server.queries;
    for (size_t i = 0; i < 10; i++) {
        CHECK_EQ_INT(resolve(i % 2 == 0 ? "shared.example" : "SHARED.example", &ip4, &askers[i]),
                     0);
    }
    askers[2].cancels = &askers[3]; /* inside `done` */
    net_resolve_cancel(&net, asker_done, &askers[7]);
    net_resolve_cancel(&net, asker_done, &askers[7]); /* no effect */
    while (world_pump()) {
    }
    CHECK(net_poll(&net, 4)); /* a budget */
    size_t told = 0;
    for (size_t i = 0; i < 10; i++) {
        told += askers[i].told;
    }
    CHECK_EQ_UINT(told, 4);
    CHECK(!net_poll(&net, 100));
    CHECK_EQ_UINT(server.queries, queries + 1);
    for (size_t i = 0; i < 10; i++) {
        CHECK_EQ_UINT(askers[i].told, i == 3 || i == 7 ? 0 : 1);
    }
    check_free();
}

static void test_cancel(void)
{
    struct asker asker = {0};
    uint32_t ip4;
    CHECK_EQ_INT(resolve("canceled.example", &ip4, &asker), 0);
    net_resolve_cancel(&net, asker_done, &asker); /* lwIP's answer finds nobody */
    settle();
    CHECK_EQ_UINT(asker.told, 0);
    check_free();
    CHECK_EQ_INT(resolve("canceled2.example", &ip4, &asker), 0);
    while (world_pump()) {
    }
    net_resolve_cancel(&net, asker_done, &asker); /* answered, not told */
    settle();
    CHECK_EQ_UINT(asker.told, 0);
    check_free();
}

static void test_full(void)
{
    static char names[LIMPET_DNS_NAMES + 1][16];
    static struct asker askers[LIMPET_DNS_NAMES + 1];
    uint32_t ip4;
    server.silent = true;
    for (size_t i = 0; i <= LIMPET_DNS_NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu.example", i);
        CHECK_EQ_INT(resolve(names[i], &ip4, &askers[i]),
                     i < LIMPET_DNS_NAMES ? 0 : LIMPET_ERR_FULL);
    }
    world_run(60000);
    settle();
    for (size_t i = 0; i <= LIMPET_DNS_NAMES; i++) {
        CHECK_EQ_UINT(askers[i].told, i < LIMPET_DNS_NAMES ? 1 : 0);
    }
    static struct asker crowd[LIMPET_BACKEND_CONNS + 1];
    for (size_t i = 0; i <= LIMPET_BACKEND_CONNS; i++) {
        CHECK_EQ_INT(resolve("crowd.example", &ip4, &crowd[i]),
                     i < LIMPET_BACKEND_CONNS ? 0 : LIMPET_ERR_FULL);
    }
    world_run(60000);
    settle();
    for (size_t i = 0; i <= LIMPET_BACKEND_CONNS; i++) {
        CHECK_EQ_UINT(crowd[i].told, i < LIMPET_BACKEND_CONNS ? 1 : 0);
    }
    server.silent = false;
    check_free();
}

int main(void)
{
    world_init();
    net_init(&net, &test_log, SLIRP_IP4);
    test_literals();
    test_without_server();
    server_start();
    test_name();
    test_no_such_name();
    test_answers_that_mean_us();
    test_wrong_answer_does_not_stay();
    test_silent_server();
    test_shared();
    test_cancel();
    test_full();
    udp_remove(server.pcb);
    CHECK(world_is_clean());
    return check_result();
}
