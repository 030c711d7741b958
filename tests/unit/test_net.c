/* TCP transports over the real lwIP: the far end is a plain raw-API peer, or another transport. */
#include "check.h"

#include "fakes/lwip_world.h"
#include "lwip_peer.h"
#include "net/net.h"
#include "net/pool.h"

#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"

#include <stdlib.h>

#define BULK_LEN (1024u * 1024u)

static struct net net;
static struct log test_log;

/* ---- The near end --------------------------------------------------------------------------- */

/* What an owner saw. */
struct owner {
    struct transport *t;
    size_t steps;
    size_t accepted;
    bool refuse; /* abort in the accept function */
    void (*on_step)(struct owner *owner);
};

static void owner_step(void *ctx, struct transport *t)
{
    struct owner *owner = ctx;
    CHECK(owner->t == t);
    owner->steps++;
    if (owner->on_step != NULL) {
        owner->on_step(owner);
    }
}

static void owner_accept(void *ctx, struct transport *t)
{
    struct owner *owner = ctx;
    owner->accepted++;
    if (owner->refuse) {
        transport_abort(t);
        return;
    }
    owner->t = t;
    transport_own(t, owner, owner_step);
}

static void settle(void)
{
    bool moved = true;
    for (unsigned i = 0; moved && i < 100000; i++) {
        moved = world_pump();
        moved = net_poll(&net, 64) || moved;
    }
}

static size_t read_all(struct transport *t, char *bytes, size_t size)
{
    size_t len = 0;
    struct slice piece = transport_peek(t);
    while (piece.len > 0 && len < size) {
        piece = slice_take(piece, size - len);
        memcpy(bytes + len, piece.ptr, piece.len);
        len += piece.len;
        transport_consume(t, piece.len);
        piece = transport_peek(t);
    }
    return len;
}

/* A peer connected to a transport of ours through `listener`. */
static void join(struct net_listener *listener, struct owner *owner, struct peer *peer)
{
    *owner = (struct owner){0};
    CHECK_EQ_INT(net_listen(&net, listener, PORT, owner_accept, owner), LIMPET_OK);
    peer_connect(peer);
    settle();
    CHECK(peer->connected);
    CHECK(owner->t != NULL && owner->t->state == TRANSPORT_OPEN);
}

static void part(struct net_listener *listener, struct owner *owner, struct peer *peer)
{
    if (owner->t != NULL) {
        transport_close(owner->t);
        owner->t = NULL;
    }
    peer_close(peer);
    net_unlisten(listener);
    settle();
    CHECK_EQ_UINT(net.used, 0);
    CHECK_EQ_UINT(net.ready_count, 0);
    CHECK(world_is_clean());
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void test_talk(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    char bytes[64];
    join(&listener, &owner, &peer);
    CHECK_EQ_UINT(net.used, 1);
    CHECK_EQ_UINT(owner.t->peer_ip4, WORLD_IP4);
    CHECK_EQ_UINT(owner.t->peer_port, peer.pcb->local_port);
    CHECK_EQ_UINT(transport_peek(owner.t).len, 0);

    peer_send(&peer, "hello", 5);
    size_t steps = owner.steps;
    settle();
    CHECK_EQ_UINT(owner.steps, steps + 1);
    CHECK_EQ_TEXT(transport_peek(owner.t).ptr, transport_peek(owner.t).len, "hello");
    transport_consume(owner.t, 2);
    CHECK_EQ_UINT(read_all(owner.t, bytes, sizeof(bytes)), 3);
    CHECK_EQ_TEXT(bytes, 3, "llo");

    CHECK_EQ_UINT(transport_write(owner.t, "wor", 3, true), 3);
    CHECK_EQ_UINT(transport_write(owner.t, "ld", 2, false), 2);
    CHECK_EQ_UINT(owner.t->unacked, 5);
    size_t packets = world.packets;
    transport_flush(owner.t);
    CHECK_EQ_UINT(world.packets, packets + 1); /* one segment */
    settle();
    CHECK_EQ_TEXT(peer.bytes, peer.got, "world");
    world_run(1000);
    CHECK_EQ_UINT(owner.t->unacked, 0);
    part(&listener, &owner, &peer);
}

/* Both ends are transports: an echo of 1 MB through consumers and writers of odd sizes. */
static struct {
    struct owner client, server;
    size_t sent, echoed, got;
    uint32_t random;
} bulk;

static char bulk_byte(size_t at)
{
    return (char)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

static size_t bulk_random(size_t max)
{
    bulk.random = bulk.random * 1664525u + 1013904223u;
    return 1 + (bulk.random >> 8) % max;
}

static void bulk_server_step(struct owner *owner)
{
    struct slice piece = transport_peek(owner->t);
    if (piece.len == 0) {
        return;
    }
    piece = slice_take(piece, bulk_random(30000));
    size_t taken = transport_write(owner->t, piece.ptr, piece.len, false);
    transport_flush(owner->t);
    transport_consume(owner->t, taken);
    bulk.echoed += taken;
    if (taken > 0) {
        transport_again(owner->t);
    }
}

static void bulk_client_step(struct owner *owner)
{
    static char out[70000];
    struct slice piece = slice_take(transport_peek(owner->t), bulk_random(20000));
    bool same = true;
    for (size_t i = 0; i < piece.len; i++) {
        same = same && piece.ptr[i] == bulk_byte(bulk.got + i);
    }
    CHECK(same);
    transport_consume(owner->t, piece.len);
    bulk.got += piece.len;
    size_t len = bulk_random(sizeof(out));
    len = len < BULK_LEN - bulk.sent ? len : BULK_LEN - bulk.sent;
    for (size_t i = 0; i < len; i++) {
        out[i] = bulk_byte(bulk.sent + i);
    }
    size_t taken = transport_write(owner->t, out, len, false);
    transport_flush(owner->t);
    bulk.sent += taken;
    if (taken > 0 || piece.len > 0) {
        transport_again(owner->t);
    }
}

static void test_bulk(uint16_t chop)
{
    struct net_listener listener;
    memset(&bulk, 0, sizeof(bulk));
    bulk.random = chop;
    bulk.client.on_step = bulk_client_step;
    bulk.server.on_step = bulk_server_step;
    world.chop = chop;
    CHECK_EQ_INT(net_listen(&net, &listener, PORT, owner_accept, &bulk.server), LIMPET_OK);
    CHECK_EQ_INT(net_connect(&net, WORLD_IP4, PORT, &bulk.client, owner_step, &bulk.client.t),
                 LIMPET_OK);
    CHECK_EQ_INT(bulk.client.t->state, TRANSPORT_CONNECTING);
    for (unsigned i = 0; i < 600 && bulk.got < BULK_LEN; i++) {
        settle();
        world_run(50); /* delayed ACKs and polls */
    }
    CHECK_EQ_UINT(bulk.got, BULK_LEN);
    CHECK_EQ_UINT(bulk.echoed, BULK_LEN);
    transport_close(bulk.client.t);
    settle();
    CHECK(bulk.server.t->eof);
    transport_close(bulk.server.t);
    net_unlisten(&listener);
    world.chop = 0;
    CHECK_EQ_UINT(net.used, 0);
    CHECK(world_is_clean());
}

static void test_receive_is_bounded_by_the_window(void)
{
    static char out[20000];
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    size_t sent = 0;
    join(&listener, &owner, &peer);
    for (unsigned i = 0; i < 200; i++) {
        if (tcp_write(peer.pcb, out, sizeof(out), TCP_WRITE_FLAG_COPY) == ERR_OK) {
            sent += sizeof(out);
        }
        tcp_output(peer.pcb);
        settle();
    }
    CHECK(sent > TCP_WND); /* and the rest waits at the peer */
    size_t held = 0;
    for (const struct pbuf *p = owner.t->rx; p != NULL; p = p->next) {
        held += p->len;
    }
    CHECK(held > TCP_WND / 2 && held <= TCP_WND);
    size_t got = 0;
    static char bytes[50000];
    for (unsigned i = 0; i < 100 && got < sent; i++) {
        got += read_all(owner.t, bytes, sizeof(bytes));
        settle();
        world_run(250);
    }
    CHECK_EQ_UINT(got, sent);
    part(&listener, &owner, &peer);
}

static void test_tiny_segments_are_bounded(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    const size_t total =
        LIMPET_RX_PBUFS_MAX + LIMPET_TCP_SND_QUEUE / 2; /* the rest waits at the peer */
    join(&listener, &owner, &peer);
    size_t sent = 0;
    size_t got = 0;
    char bytes[1000];
    for (unsigned i = 0; i < 2000 && sent < total; i++) {
        char byte = (char)sent;
        if (tcp_write(peer.pcb, &byte, 1, TCP_WRITE_FLAG_COPY) == ERR_OK) {
            sent++;
        }
        tcp_output(peer.pcb);
        settle();
        CHECK(owner.t->rx_count <= LIMPET_RX_PBUFS_MAX);
    }
    CHECK_EQ_UINT(sent, total);
    CHECK_EQ_UINT(owner.t->rx_count, LIMPET_RX_PBUFS_MAX);
    for (unsigned i = 0; i < 100 && got < total; i++) {
        size_t len = read_all(owner.t, bytes, sizeof(bytes));
        for (size_t k = 0; k < len; k++) {
            CHECK_EQ_INT(bytes[k], (char)(got + k));
        }
        got += len;
        world_run(500);
        settle();
    }
    CHECK_EQ_UINT(got, total);
    part(&listener, &owner, &peer);
}

/* What other connections hold is played by frames taken from the pool. */
static void test_one_unread_segment_each_when_the_pool_is_short(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    static struct pbuf *held[LIMPET_RX_PBUFS_SHARED + 1u];
    char bytes[16];
    join(&listener, &owner, &peer);
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        held[i] = pbuf_alloc(PBUF_RAW, 1, PBUF_POOL);
        CHECK(held[i] != NULL);
    }
    uint32_t dropped = lwip_stats.tcp.drop;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ_INT(tcp_write(peer.pcb, &"abc"[i], 1, TCP_WRITE_FLAG_COPY), ERR_OK);
        tcp_output(peer.pcb);
        settle();
    }
    CHECK_EQ_UINT(owner.t->rx_count, 1);
    CHECK(lwip_stats.tcp.drop > dropped);
    CHECK_EQ_UINT(read_all(owner.t, bytes, sizeof(bytes)), 1);
    world_run(5000); /* the peer repeats; nothing was unread, so one more is taken */
    CHECK_EQ_UINT(owner.t->rx_count, 1);
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        pbuf_free(held[i]);
    }
    world_run(10000);
    CHECK_EQ_UINT(read_all(owner.t, bytes, sizeof(bytes)), 2);
    CHECK(memcmp(bytes, "bc", 2) == 0);
    part(&listener, &owner, &peer);
}

static void test_send_is_bounded(void)
{
    static char out[40000];
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer.reading = false;
    size_t sent = 0;
    for (unsigned i = 0; i < 50; i++) {
        size_t room = transport_write_room(owner.t);
        size_t taken = transport_write(owner.t, out, sizeof(out), false);
        CHECK(taken <= room);
        sent += taken;
        transport_flush(owner.t);
        settle();
    }
    CHECK(sent <= (size_t)TCP_WND + TCP_SND_BUF);
    CHECK(owner.t->blocked);
    CHECK_EQ_UINT(transport_write_room(owner.t), 0);
    size_t steps = owner.steps;
    peer_read_rest(&peer);
    settle();
    CHECK(owner.steps > steps);
    CHECK(transport_write_room(owner.t) > 0);
    world_run(2000);
    CHECK_EQ_UINT(peer.got, sent);
    part(&listener, &owner, &peer);
}

/* lwIP has no memory at all while nothing is in flight: the poll of 500 ms brings the step. */
static void test_write_without_memory(void)
{
    enum { BLOCKS = 200000 };
    static void *blocks[BLOCKS];
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    size_t count = 0;
    join(&listener, &owner, &peer);
    for (size_t size = 65000; size > 0; size /= 2) {
        while (count < BLOCKS && (blocks[count] = mem_malloc((mem_size_t)size)) != NULL) {
            count++;
        }
    }
    CHECK_EQ_UINT(transport_write(owner.t, "answer", 6, false), 0);
    CHECK(owner.t->blocked);
    settle();
    size_t steps = owner.steps;
    world_run(1000);
    settle();
    CHECK(owner.steps > steps);
    CHECK_EQ_UINT(transport_write(owner.t, "answer", 6, false), 0);
    while (count > 0) {
        mem_free(blocks[--count]);
    }
    steps = owner.steps;
    world_run(1000);
    settle();
    CHECK(owner.steps > steps);
    CHECK_EQ_UINT(transport_write(owner.t, "answer", 6, false), 6);
    CHECK(!owner.t->blocked);
    steps = owner.steps;
    transport_flush(owner.t);
    settle();
    CHECK_EQ_TEXT(peer.bytes, peer.got, "answer");
    world_run(1000);
    settle();
    steps = owner.steps;
    world_run(2000);
    settle();
    CHECK_EQ_UINT(owner.steps, steps); /* no polls for those who do not wait */
    part(&listener, &owner, &peer);
}

/* The peer says all it has and closes; the answer still arrives. */
static void test_half_closed(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer_send(&peer, "request", 7);
    CHECK_EQ_INT(tcp_shutdown(peer.pcb, 0, 1), ERR_OK);
    settle();
    CHECK(owner.t->eof);
    CHECK_EQ_INT(owner.t->state, TRANSPORT_OPEN);
    CHECK_EQ_TEXT(transport_peek(owner.t).ptr, transport_peek(owner.t).len, "request");
    CHECK_EQ_UINT(transport_write(owner.t, "answer", 6, false), 6);
    transport_close(owner.t); /* "request" is unread: no RST for that, the answer would be lost */
    owner.t = NULL;
    settle();
    CHECK_EQ_TEXT(peer.bytes, peer.got, "answer");
    CHECK_EQ_INT(peer.err, ERR_OK);
    CHECK(peer.eof);
    peer.pcb = NULL; /* closed on both sides: freed by lwIP */
    part(&listener, &owner, &peer);
}

/* The peer is still sending when we close: it gets the whole answer, not a reset. */
static void test_close_reads_on(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer_send(&peer, "request", 7);
    settle();
    CHECK_EQ_UINT(transport_write(owner.t, "refused", 7, false), 7);
    transport_close(owner.t);
    owner.t = NULL;
    for (int i = 0; i < 50; i++) {
        peer_send(&peer, "more of the request", 19);
        settle();
    }
    CHECK_EQ_TEXT(peer.bytes, peer.got, "refused");
    CHECK_EQ_INT(peer.err, ERR_OK);
    CHECK(peer.eof);
    part(&listener, &owner, &peer);
}

static void test_close_and_abort(bool abort_it)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer_send(&peer, "unread", 6);
    settle();
    if (abort_it) {
        transport_abort(owner.t);
    } else {
        transport_close(owner.t);
    }
    owner.t = NULL;
    CHECK_EQ_UINT(net.used, 0);
    settle();
    CHECK(peer.eof == !abort_it);
    CHECK_EQ_INT(peer.err, abort_it ? ERR_RST : ERR_OK);
    part(&listener, &owner, &peer);
}

static void test_reset(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    char bytes[16];
    join(&listener, &owner, &peer);
    peer_send(&peer, "last words", 10);
    while (world_pump()) {
    }
    tcp_err(peer.pcb, NULL);
    tcp_abort(peer.pcb);
    peer.pcb = NULL;
    settle();
    CHECK_EQ_INT(owner.t->state, TRANSPORT_FAILED);
    CHECK_EQ_INT(owner.t->err, LIMPET_ERR_RESET);
    CHECK_EQ_UINT(transport_write(owner.t, "x", 1, false), 0);
    CHECK_EQ_UINT(transport_write_room(owner.t), 0);
    transport_flush(owner.t);
    CHECK_EQ_UINT(read_all(owner.t, bytes, 4), 4);
    CHECK_EQ_UINT(read_all(owner.t, bytes, sizeof(bytes)), 6);
    CHECK_EQ_TEXT(bytes, 6, " words");
    part(&listener, &owner, &peer);
}

static void test_connect_fails(void)
{
    struct owner owner = {0};
    CHECK_EQ_INT(net_connect(&net, WORLD_IP4, 9, &owner, owner_step, &owner.t), LIMPET_OK);
    CHECK_EQ_UINT(owner.steps, 0);
    CHECK_EQ_UINT(transport_write(owner.t, "early", 5, false), 0);
    settle();
    CHECK_EQ_UINT(owner.steps, 1);
    CHECK_EQ_INT(owner.t->state, TRANSPORT_FAILED);
    CHECK_EQ_INT(owner.t->err, LIMPET_ERR_REFUSED);
    transport_close(owner.t);

    CHECK_EQ_INT(net_connect(&net, WORLD_NOBODY_IP4, 9, &owner, owner_step, &owner.t), LIMPET_OK);
    world_run(60000);
    settle();
    CHECK_EQ_INT(owner.t->state, TRANSPORT_FAILED);
    CHECK_EQ_INT(owner.t->err, LIMPET_ERR_TIMEOUT);
    transport_abort(owner.t);

    CHECK_EQ_INT(net_connect(&net, WORLD_NOBODY_IP4, 9, &owner, owner_step, &owner.t), LIMPET_OK);
    transport_close(owner.t); /* while connecting */
    CHECK_EQ_UINT(net.used, 0);
    CHECK(world_is_clean());
}

static void test_connect_to_peer(void)
{
    struct owner owner = {0};
    struct peer peer = {0};
    struct tcp_pcb *listening = peer_listen(&peer);
    CHECK_EQ_INT(net_connect(&net, WORLD_IP4, PORT, &owner, owner_step, &owner.t), LIMPET_OK);
    settle();
    CHECK_EQ_INT(owner.t->state, TRANSPORT_OPEN);
    CHECK_EQ_UINT(transport_write(owner.t, "request", 7, false), 7);
    transport_flush(owner.t);
    settle();
    CHECK_EQ_TEXT(peer.bytes, peer.got, "request");
    peer_close(&peer);
    settle();
    CHECK(owner.t->eof);
    transport_close(owner.t);
    CHECK_EQ_INT(tcp_close(listening), ERR_OK);
    CHECK(world_is_clean());
}

static void test_no_slot(void)
{
    static struct transport *taken[LIMPET_TRANSPORTS];
    static const struct transport_ops none = {0};
    struct net_listener listener;
    struct owner owner = {0};
    struct peer peer;
    struct transport *t;
    for (size_t i = 0; i < LIMPET_TRANSPORTS; i++) {
        taken[i] = pool_take(&net, &none);
        CHECK(taken[i] != NULL);
    }
    CHECK(pool_take(&net, &none) == NULL);
    uint64_t refused = net.refused;
    CHECK_EQ_INT(net_listen(&net, &listener, PORT, owner_accept, &owner), LIMPET_OK);
    CHECK_EQ_INT(net_connect(&net, WORLD_IP4, PORT, &owner, owner_step, &t), LIMPET_ERR_FULL);
    peer_connect(&peer);
    settle();
    CHECK_EQ_INT(peer.err, ERR_RST);
    CHECK_EQ_UINT(owner.accepted, 0);
    CHECK_EQ_UINT(net.refused, refused + 2);
    for (size_t i = 0; i < LIMPET_TRANSPORTS; i++) {
        pool_give(taken[i]);
    }
    peer_connect(&peer);
    settle();
    CHECK_EQ_UINT(owner.accepted, 1);
    part(&listener, &owner, &peer);
}

static void test_no_pcb(void)
{
    static struct tcp_pcb *pcbs[LIMPET_TCP_PCBS];
    struct net_listener listener;
    struct owner owner = {0};
    struct peer peer;
    struct transport *t;
    CHECK_EQ_INT(net_listen(&net, &listener, PORT, owner_accept, &owner), LIMPET_OK);
    peer_attach(&peer, tcp_new());
    size_t count = 0;
    while (count < LIMPET_TCP_PCBS && (pcbs[count] = tcp_new()) != NULL) {
        count++;
    }
    uint64_t refused = net.refused;
    CHECK_EQ_INT(net_connect(&net, WORLD_IP4, PORT, &owner, owner_step, &t), LIMPET_ERR_FULL);
    struct net_listener second;
    CHECK_EQ_INT(net_listen(&net, &second, PORT + 1, owner_accept, &owner), LIMPET_ERR_FULL);
    net_unlisten(&second);
    ip_addr_t to = IPADDR4_INIT(lwip_htonl(WORLD_IP4));
    CHECK_EQ_INT(tcp_connect(peer.pcb, &to, PORT, peer_on_connected), ERR_OK);
    settle();
    CHECK_EQ_UINT(owner.accepted, 0);
    CHECK_EQ_UINT(net.refused, refused + 2);
    while (count > 0) {
        tcp_abort(pcbs[--count]);
    }
    world_run(10000); /* the SYN is repeated */
    settle();
    CHECK(peer.connected);
    CHECK_EQ_UINT(owner.accepted, 1);
    part(&listener, &owner, &peer);
}

static void test_owner_refuses(void)
{
    struct net_listener listener;
    struct owner owner = {.refuse = true};
    struct peer peer;
    CHECK_EQ_INT(net_listen(&net, &listener, PORT, owner_accept, &owner), LIMPET_OK);
    peer_connect(&peer);
    settle();
    CHECK_EQ_UINT(owner.accepted, 1);
    CHECK_EQ_INT(peer.err, ERR_RST);
    CHECK(peer.pcb == NULL);
    part(&listener, &owner, &peer);
}

static void test_port_is_taken(void)
{
    struct net_listener first, second;
    struct owner owner = {0};
    struct peer peer;
    join(&first, &owner, &peer);
    CHECK_EQ_INT(net_listen(&net, &second, PORT, owner_accept, &owner), LIMPET_ERR_BUSY);
    net_unlisten(&second);
    net_unlisten(&first);
    CHECK_EQ_INT(net_listen(&net, &second, PORT, owner_accept, &owner), LIMPET_OK);
    transport_close(owner.t); /* TIME_WAIT on our side does not keep the port */
    owner.t = NULL;
    peer_close(&peer);
    settle();
    net_unlisten(&second);
    CHECK_EQ_INT(net_listen(&net, &second, PORT, owner_accept, &owner), LIMPET_OK);
    part(&second, &owner, &peer);
}

/* A peer that keeps its window closed and answers every probe. */
static void test_linger_ends(void)
{
    static char out[300000];
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer.reading = false;
    for (unsigned i = 0; i < 10; i++) {
        (void)!transport_write(owner.t, out, sizeof(out), false);
        transport_flush(owner.t);
        settle();
    }
    transport_close(owner.t);
    owner.t = NULL;
    CHECK_EQ_UINT(net.used, 0);
    world_run(LIMPET_LINGER_TIMEOUT_MS / 2);
    CHECK_EQ_UINT(lwip_stats.memp[MEMP_TCP_PCB]->used, 2);
    world_run(LIMPET_LINGER_TIMEOUT_MS);
    CHECK_EQ_UINT(lwip_stats.memp[MEMP_TCP_PCB]->used, 1);
    peer_read_rest(&peer); /* opens its window: too late */
    settle();
    CHECK_EQ_INT(peer.err, ERR_RST);
    CHECK(peer.pcb == NULL);
    part(&listener, &owner, &peer);
}

/* What lingers is given up when a new connection needs its pcb. */
static void test_linger_yields(void)
{
    static struct tcp_pcb *pcbs[LIMPET_TCP_PCBS];
    static char out[300000];
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    peer.reading = false;
    for (unsigned i = 0; i < 10; i++) {
        (void)!transport_write(owner.t, out, sizeof(out), false);
        transport_flush(owner.t);
        settle();
    }
    transport_close(owner.t);
    owner.t = NULL;
    settle();
    CHECK_EQ_INT(peer.err, ERR_OK);
    size_t count = 0;
    while (count < LIMPET_TCP_PCBS && (pcbs[count] = tcp_new()) != NULL) {
        count++;
    }
    settle();
    CHECK_EQ_INT(peer.err, ERR_RST);
    while (count > 0) {
        tcp_abort(pcbs[--count]);
    }
    part(&listener, &owner, &peer);
}

static void test_dead_peer_is_found(void)
{
    struct net_listener listener;
    struct owner owner;
    struct peer peer;
    join(&listener, &owner, &peer);
    world.cut = true;
    world_run(120000);
    settle();
    CHECK_EQ_INT(owner.t->state, TRANSPORT_FAILED);
    CHECK_EQ_INT(owner.t->err, LIMPET_ERR_TIMEOUT);
    world.cut = false;
    tcp_abort(peer.pcb);
    peer.pcb = NULL;
    part(&listener, &owner, &peer);
}

/* ---- Several -------------------------------------------------------------------------------- */

static struct owner crowd[5];

static void close_the_others(struct owner *owner)
{
    for (size_t i = 0; i < 5; i++) {
        if (&crowd[i] != owner && crowd[i].t != NULL) {
            transport_close(crowd[i].t);
            crowd[i].t = NULL;
        }
    }
}

static void test_step_closes_others(void)
{
    struct net_listener listener;
    struct peer peers[5];
    CHECK_EQ_INT(net_listen(&net, &listener, PORT, owner_accept, &crowd[0]), LIMPET_OK);
    for (size_t i = 0; i < 5; i++) {
        crowd[i] = (struct owner){.on_step = close_the_others};
        listener.ctx = &crowd[i];
        peer_connect(&peers[i]);
        settle();
    }
    for (size_t i = 0; i < 5; i++) {
        peer_send(&peers[i], "x", 1);
    }
    settle();
    CHECK_EQ_UINT(net.used, 1);
    CHECK_EQ_UINT(
        crowd[0].steps + crowd[1].steps + crowd[2].steps + crowd[3].steps + crowd[4].steps, 1);
    for (size_t i = 0; i < 5; i++) {
        if (crowd[i].t != NULL) {
            transport_close(crowd[i].t);
        }
        peer_close(&peers[i]);
    }
    net_unlisten(&listener);
    CHECK(world_is_clean());
}

static void test_addresses(void)
{
    char text[16];
    struct out out;
    out_init(&out, text, sizeof(text));
    net_ip4_text(&out, UINT32_C(0x0A00FF02));
    CHECK_EQ_TEXT(out_slice(&out).ptr, out_slice(&out).len, "10.0.255.2");
    struct transport t = {.peer_ip4 = UINT32_C(0x0A000202)};
    CHECK_EQ_UINT(net_peer_ip4(&net, &t), UINT32_C(0x7F000001));
    t.peer_ip4 = UINT32_C(0x0A000203);
    CHECK_EQ_UINT(net_peer_ip4(&net, &t), UINT32_C(0x0A000203));
}

int main(void)
{
    world_init();
    net_init(&net, &test_log, UINT32_C(0x0A000202));
    test_talk();
    test_bulk(0);
    test_bulk(4001);
    test_bulk(1100);
    test_receive_is_bounded_by_the_window();
    test_tiny_segments_are_bounded();
    test_one_unread_segment_each_when_the_pool_is_short();
    test_send_is_bounded();
    test_write_without_memory();
    test_half_closed();
    test_close_reads_on();
    test_close_and_abort(false);
    test_close_and_abort(true);
    test_reset();
    test_connect_fails();
    test_connect_to_peer();
    test_no_slot();
    test_no_pcb();
    test_owner_refuses();
    test_port_is_taken();
    test_linger_ends();
    test_linger_yields();
    test_dead_peer_is_found();
    test_step_closes_others();
    test_addresses();
    return check_result();
}
