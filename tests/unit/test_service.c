/* What the application says of lwIP: each number moves when, and only when, the thing happened that
 * it counts. Frames and datagrams are made by hand and handed to the netif, broken in one place. */
#include "app.h"
#include "app_service.h"

#include "check.h"
#include "fakes/lwip_world.h"
#include "lwip_peer.h"

#include "lwip/etharp.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip4.h"
#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "netif/ethernet.h"

#define CHANGES_MAX 4u
#define CLOSED_PORT 81u

struct change {
    const char *name;
    int64_t by;
};

static struct app app;
static uint64_t now_ns;
static int64_t before[LIMPET_METRICS_VALUES];
static void *taken[65536];

/* ---- Looking --------------------------------------------------------------------------------- */

static bool value_of(size_t index, struct metrics_view *view)
{
    return metrics_series(&app.metrics, index, view) && view->family == METRICS_LIMPET;
}

static int64_t expected(const struct change *changes, struct slice name)
{
    for (size_t i = 0; i < CHANGES_MAX && changes[i].name != NULL; i++) {
        if (slice_equal(slice_from_cstr(changes[i].name), name)) {
            return changes[i].by;
        }
    }
    return 0;
}

/* After the next sample exactly these values have moved. */
static void check_moved(const char *what, const struct change *changes)
{
    size_t seen = 0;
    size_t found = 0;
    struct metrics_view view;
    now_ns += LIMPET_S_TO_NS(1);
    CHECK_EQ_UINT(timers_expire(&app.timers, now_ns, 8), 1);
    for (size_t i = 0; i < metrics_series_count(&app.metrics); i++) {
        if (!value_of(i, &view)) {
            continue;
        }
        int64_t by = view.value - before[seen];
        before[seen++] = view.value;
        int64_t want = expected(changes, view.name);
        found += want != 0;
        if (by != want) {
            fprintf(stderr, "%s: %.*s\n", what, (int)view.name.len, view.name.ptr);
        }
        CHECK_EQ_INT(by, want);
    }
    size_t listed = 0;
    while (listed < CHANGES_MAX && changes[listed].name != NULL) {
        listed++;
    }
    CHECK_EQ_UINT(found, listed); /* each name exists */
}

static void settle(void)
{
    struct metrics_view view;
    size_t seen = 0;
    now_ns += LIMPET_S_TO_NS(1);
    CHECK_EQ_UINT(timers_expire(&app.timers, now_ns, 8), 1);
    for (size_t i = 0; i < metrics_series_count(&app.metrics); i++) {
        if (value_of(i, &view)) {
            before[seen++] = view.value;
        }
    }
    CHECK(seen > 0);
}

/* ---- What arrives ---------------------------------------------------------------------------- */

/* A SYN of NOBODY, as it should be but for what a row says. */
struct row {
    const char *what;
    uint32_t dest_ip4;
    uint8_t version;
    uint8_t protocol;
    uint8_t tcp_words; /* length of its header as it says */
    uint16_t len;      /* of IP, as it says */
    uint16_t len_sent;
    uint16_t ip_flaw; /* of the checksums */
    uint16_t tcp_flaw;
    struct change moves[CHANGES_MAX];
};

#define WHOLE (IP_HLEN + TCP_HLEN)
#define OURS WORLD_IP4, 4, IP_PROTO_TCP, 5

static const struct row rows[] = {
    {"no listener",
     OURS,
     WHOLE,
     WHOLE,
     0,
     0,
     {{"lwip.tcp.received", 1},
      {"lwip.tcp.sent", 1},
      {"lwip.tcp.bad", 1},
      {"lwip.tcp.dropped", 1}}},
    {"IP checksum",
     OURS,
     WHOLE,
     WHOLE,
     1,
     0,
     {{"lwip.ip.bad_checksum", 1}, {"lwip.ip.dropped", 1}}},
    {"shorter than it says",
     OURS,
     WHOLE + 1,
     WHOLE,
     0,
     0,
     {{"lwip.ip.bad_length", 1}, {"lwip.ip.dropped", 1}}},
    {"version", WORLD_IP4, 5, IP_PROTO_TCP, 5, WHOLE, WHOLE, 0, 0, {{"lwip.ip.dropped", 1}}},
    {"somebody else's",
     WORLD_IP4 + 5,
     4,
     IP_PROTO_TCP,
     5,
     WHOLE,
     WHOLE,
     0,
     0,
     {{"lwip.ip.dropped", 1}}},
    {"protocol",
     WORLD_IP4,
     4,
     200,
     5,
     WHOLE,
     WHOLE,
     0,
     0,
     {{"lwip.ip.bad", 1}, {"lwip.ip.dropped", 1}}},
    {"TCP checksum",
     OURS,
     WHOLE,
     WHOLE,
     0,
     1,
     {{"lwip.tcp.received", 1}, {"lwip.tcp.bad_checksum", 1}, {"lwip.tcp.dropped", 1}}},
    {"half a TCP header",
     OURS,
     IP_HLEN + 8,
     IP_HLEN + 8,
     0,
     0,
     {{"lwip.tcp.received", 1}, {"lwip.tcp.bad_length", 1}, {"lwip.tcp.dropped", 1}}},
    {"TCP header beyond the end",
     WORLD_IP4,
     4,
     IP_PROTO_TCP,
     9,
     WHOLE,
     WHOLE,
     0,
     0,
     {{"lwip.tcp.received", 1}, {"lwip.tcp.bad_length", 1}, {"lwip.tcp.dropped", 1}}},
    {"TCP to everybody",
     WORLD_IP4 | 255u,
     4,
     IP_PROTO_TCP,
     5,
     WHOLE,
     WHOLE,
     0,
     0,
     {{"lwip.tcp.received", 1}, {"lwip.tcp.bad", 1}, {"lwip.tcp.dropped", 1}}},
};

#undef OURS

static struct pbuf *packet_of(const struct row *row, uint16_t dest_port)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, WHOLE, PBUF_POOL);
    CHECK(p != NULL);
    memset(p->payload, 0, WHOLE);
    struct ip_hdr *ip = p->payload;
    struct tcp_hdr *tcp = (void *)(ip + 1);
    IPH_VHL_SET(ip, row->version, IP_HLEN / 4);
    IPH_LEN_SET(ip, lwip_htons(row->len));
    IPH_TTL_SET(ip, 64);
    IPH_PROTO_SET(ip, row->protocol);
    ip->src.addr = lwip_htonl(WORLD_NOBODY_IP4);
    ip->dest.addr = lwip_htonl(row->dest_ip4);
    IPH_CHKSUM_SET(ip, (uint16_t)(inet_chksum(ip, IP_HLEN) + row->ip_flaw));
    tcp->src = lwip_htons(40000);
    tcp->dest = lwip_htons(dest_port);
    tcp->wnd = lwip_htons(1000);
    TCPH_HDRLEN_FLAGS_SET(tcp, row->tcp_words, TCP_SYN);
    ip4_addr_t source = {ip->src.addr};
    ip4_addr_t dest = {ip->dest.addr};
    pbuf_remove_header(p, IP_HLEN);
    tcp->chksum =
        (uint16_t)(inet_chksum_pseudo(p, IP_PROTO_TCP, TCP_HLEN, &source, &dest) + row->tcp_flaw);
    pbuf_add_header(p, IP_HLEN);
    pbuf_realloc(p, row->len_sent);
    return p;
}

static void receive(const struct row *row, uint16_t dest_port)
{
    CHECK_EQ_INT(netif_default->input(packet_of(row, dest_port), netif_default), ERR_OK);
    while (world_pump()) {
    }
}

static void test_datagrams(void)
{
    netif_default->flags |= NETIF_FLAG_BROADCAST;
    receive(&rows[0], CLOSED_PORT); /* what answers take once: maxima move here */
    receive(&rows[5], CLOSED_PORT);
    settle();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        receive(&rows[i], CLOSED_PORT);
        check_moved(rows[i].what, rows[i].moves);
    }
}

static void receive_frame(uint16_t len, uint16_t ether_type)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, len, PBUF_POOL);
    CHECK(p != NULL);
    memset(p->payload, 0, len);
    if (len >= SIZEOF_ETH_HDR) {
        struct eth_hdr *eth = p->payload;
        eth->type = lwip_htons(ether_type);
    }
    CHECK_EQ_INT(ethernet_input(p, netif_default), ERR_OK);
}

static void test_frames(void)
{
    netif_default->flags |= NETIF_FLAG_ETHARP;
    settle();
    receive_frame(8, 0);
    check_moved("no header",
                (struct change[CHANGES_MAX]){{"lwip.link.bad", 1}, {"lwip.link.dropped", 1}});
    receive_frame(60, 0x1234);
    check_moved("unknown type",
                (struct change[CHANGES_MAX]){{"lwip.link.bad", 1}, {"lwip.link.dropped", 1}});
    receive_frame(60, ETHTYPE_ARP);
    check_moved("no ARP",
                (struct change[CHANGES_MAX]){{"lwip.link.bad", 1}, {"lwip.link.dropped", 1}});
    netif_default->flags &= (u8_t)~NETIF_FLAG_ETHARP;
}

static void test_no_route(void)
{
    ip4_addr_t to = {lwip_htonl(WORLD_NOBODY_IP4)};
    settle();
    netif_set_down(netif_default);
    CHECK(ip4_route(&to) == NULL);
    netif_set_up(netif_default);
    check_moved("no route", (struct change[CHANGES_MAX]){{"lwip.ip.no_route", 1}});
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static size_t take_all(memp_t pool)
{
    size_t count = 0;
    while (count < sizeof(taken) / sizeof(taken[0]) && (taken[count] = memp_malloc(pool)) != NULL) {
        count++;
    }
    CHECK(count > 0);
    return count;
}

static void give_back(memp_t pool, size_t count)
{
    while (count > 0) {
        memp_free(pool, taken[--count]);
    }
}

/* Takes all of a pool and one more. */
static void empty_pool(memp_t pool, const char *used, const char *max, const char *refused)
{
    settle();
    const struct stats_mem old = *lwip_stats.memp[pool];
    size_t count = take_all(pool);
    check_moved(refused, (struct change[CHANGES_MAX]){
                             {used, (int64_t)count},
                             {max, (int64_t)old.avail - (int64_t)old.max},
                             {refused, 1},
                         });
    give_back(pool, count);
}

/* A client comes, and no connection is left: lwIP looks for one to give up, and asks five times. */
static void test_no_connection(void)
{
    static struct peer peer;
    struct tcp_pcb *listener = peer_listen(&peer);
    tcp_accept(listener, NULL); /* it would be told of nobody */
    size_t count = take_all(MEMP_TCP_PCB);
    settle();
    receive(&rows[0], PORT);
    check_moved("no connection", (struct change[CHANGES_MAX]){{"lwip.tcp.received", 1},
                                                              {"lwip.tcp.no_memory", 1},
                                                              {"lwip.tcp_conns_refused", 5}});
    give_back(MEMP_TCP_PCB, count);
    CHECK_EQ_INT(tcp_close(listener), ERR_OK);
}

static void test_pools(void)
{
    empty_pool(MEMP_PBUF, "lwip.references_used", "lwip.references_max", "lwip.references_refused");
    empty_pool(MEMP_TCP_PCB, "lwip.tcp_conns_used", "lwip.tcp_conns_max", "lwip.tcp_conns_refused");
    empty_pool(MEMP_TCP_SEG, "lwip.tcp_segments_used", "lwip.tcp_segments_max",
               "lwip.tcp_segments_refused");
    empty_pool(MEMP_PBUF_POOL, "lwip.frames_used", "lwip.frames_max", "lwip.frames_refused");
}

static void test_heap(void)
{
    settle();
    const struct stats_mem old = lwip_stats.mem;
    CHECK(mem_malloc((mem_size_t)(old.avail - 1u)) == NULL);
    check_moved("heap", (struct change[CHANGES_MAX]){{"lwip.heap_refused", 1}});
    void *some = mem_malloc((mem_size_t)(old.avail - old.avail / 4u));
    CHECK(some != NULL);
    int64_t used = (int64_t)lwip_stats.mem.used;
    check_moved("heap", (struct change[CHANGES_MAX]){
                            {"lwip.heap_bytes_used", used - (int64_t)old.used},
                            {"lwip.heap_bytes_max", used - (int64_t)old.max},
                        });
    mem_free(some);
}

/* No memory to ask who has an address. */
static void test_no_question(void)
{
    ip4_addr_t to = {lwip_htonl(WORLD_NOBODY_IP4)};
    size_t count = 0;
    for (mem_size_t size = 32768; size >= 8; size /= 2) {
        while (count < sizeof(taken) / sizeof(taken[0]) &&
               (taken[count] = mem_malloc(size)) != NULL) {
            count++;
        }
    }
    settle();
    CHECK_EQ_INT(etharp_request(netif_default, &to), ERR_MEM);
    check_moved("no question",
                (struct change[CHANGES_MAX]){{"lwip.link.no_memory", 1}, {"lwip.heap_refused", 1}});
    while (count > 0) {
        mem_free(taken[--count]);
    }
}

/* ---- Turns ----------------------------------------------------------------------------------- */

/* A turn that came 5 ms after it was due, then one that came in time; the clock is set. */
static void test_turns(void)
{
    settle();
    app_service_due(&app, now_ns + LIMPET_MS_TO_NS(1));
    CHECK_EQ_UINT(app_service_turn(&app, now_ns + LIMPET_MS_TO_NS(6), 0), LIMPET_MS_TO_NS(5));
    check_moved("late", (struct change[CHANGES_MAX]){
                            {"app.turn_late_ns_max", (int64_t)LIMPET_MS_TO_NS(5)}});
    app_service_due(&app, now_ns + LIMPET_MS_TO_NS(10));
    CHECK_EQ_UINT(app_service_turn(&app, now_ns, 1), 0);
    check_moved("clock", (struct change[CHANGES_MAX]){{"app.clock_known", 1}});
}

/* ---- Deadlines and names --------------------------------------------------------------------- */

static void on_nothing(struct timer *timer, void *ctx, uint64_t at_ns)
{
    (void)timer;
    (void)ctx;
    (void)at_ns;
}

static void test_timers(void)
{
    static struct timer timers[3];
    settle();
    for (size_t i = 0; i < 3; i++) {
        timer_set(&app.timers, &timers[i], TIMER_NEVER - 1u, on_nothing, NULL);
    }
    check_moved("set", (struct change[CHANGES_MAX]){{"timers_used", 3}, {"timers_max", 3}});
    timer_cancel(&app.timers, &timers[0]);
    check_moved("cancelled", (struct change[CHANGES_MAX]){{"timers_used", -1}});
    timer_cancel(&app.timers, &timers[1]);
    timer_cancel(&app.timers, &timers[2]);
}

static void test_names(void)
{
    settle();
    app.net.lookups[0].state = LOOKUP_ASKING;
    check_moved("asked", (struct change[CHANGES_MAX]){{"net.names_used", 1}});
    app.net.lookups[0].state = LOOKUP_FREE;
    check_moved("answered", (struct change[CHANGES_MAX]){{"net.names_used", -1}});
}

int main(void)
{
    const struct metrics_options options = {.collection_time_ns = LIMPET_S_TO_NS(60)};
    const struct app_options app_options = {.boots = 3, .reset_reason = PORT_RESET_POWER_ON};
    world_init();
    timers_init(&app.timers, app.timer_heap, LIMPET_TIMERS);
    metrics_init(&app.metrics, &options, 0);
    app_service_add_values(&app);
    app_service_init(&app, &app_options, 0);
    test_datagrams();
    test_frames();
    test_no_route();
    test_pools();
    test_no_connection();
    test_heap();
    test_no_question();
    test_turns();
    test_timers();
    test_names();
    return check_result();
}
