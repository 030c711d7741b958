#include "fakes/fake_net.h"

#include "net/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RUN_TURNS_MAX 10000

struct fake_net fake_net;

static const struct transport_ops fake_ops;

/* ---- net.h ------------------------------------------------------------------------------------
 */

void net_init(struct net *net, struct log *log, uint32_t loopback_ip4)
{
    fake_net_end();
    /* Without the peers, which new_peer clears: they are large. */
    memset(&fake_net, 0, offsetof(struct fake_net, peers));
    memset(fake_net.listeners, 0, sizeof(fake_net.listeners));
    *net = (struct net){.log = log, .loopback_ip4 = loopback_ip4};
    pool_init(net);
}

int net_listen(struct net *net, struct net_listener *listener, uint16_t port, net_accept_fn accept,
               void *ctx)
{
    if (fake_net.listen_err != LIMPET_OK) {
        return fake_net.listen_err;
    }
    for (size_t i = 0; i < sizeof(fake_net.listeners) / sizeof(fake_net.listeners[0]); i++) {
        if (fake_net.listeners[i] == NULL) {
            *listener = (struct net_listener){.accept = accept, .ctx = ctx, .net = net};
            listener->pcb = (void *)(uintptr_t)port;
            fake_net.listeners[i] = listener;
            return LIMPET_OK;
        }
    }
    return LIMPET_ERR_FULL;
}

void net_unlisten(struct net_listener *listener)
{
    for (size_t i = 0; i < sizeof(fake_net.listeners) / sizeof(fake_net.listeners[0]); i++) {
        if (fake_net.listeners[i] == listener) {
            fake_net.listeners[i] = NULL;
        }
    }
    listener->pcb = NULL;
}

static struct fake_peer *new_peer(struct net *net)
{
    struct transport *t = pool_take(net, &fake_ops);
    if (t == NULL) {
        net->refused++;
        return NULL;
    }
    size_t i = 0;
    while (i < fake_net.peers_len && fake_net.peers[i].t != NULL) {
        i++;
    }
    if (fake_net.peers_len < FAKE_PEERS) {
        i = fake_net.peers_len;
        fake_net.peers_len++;
    }
    assert(i < FAKE_PEERS);
    struct fake_peer *peer = &fake_net.peers[i];
    free(peer->in);
    free(peer->shown);
    memset(peer, 0, offsetof(struct fake_peer, out));
    peer->t = t;
    peer->room = SIZE_MAX;
    peer->fail_at_in = SIZE_MAX;
    peer->fail_at_out = SIZE_MAX;
    t->pcb = peer;
    return peer;
}

int net_connect(struct net *net, uint32_t ip4, uint16_t port, void *owner, transport_step_fn step,
                struct transport **t)
{
    if (fake_net.connect_err != LIMPET_OK) {
        return fake_net.connect_err;
    }
    struct fake_peer *peer = new_peer(net);
    if (peer == NULL) {
        return LIMPET_ERR_FULL;
    }
    peer->ip4 = ip4;
    peer->port = port;
    peer->t->peer_ip4 = ip4;
    peer->t->peer_port = port;
    transport_own(peer->t, owner, step);
    *t = peer->t;
    return LIMPET_OK;
}

int net_resolve(struct net *net, struct slice host, uint32_t *ip4, net_resolved_fn done, void *ctx)
{
    (void)net;
    (void)host;
    fake_net.resolves++;
    if (fake_net.resolve == FAKE_RESOLVE_NOW) {
        *ip4 = fake_net.resolve_ip4;
        return 1;
    }
    if (fake_net.resolve == FAKE_RESOLVE_NEVER) {
        return fake_net.resolve_err;
    }
    assert(fake_net.waiting == NULL);
    fake_net.waiting = done;
    fake_net.waiting_ctx = ctx;
    return 0;
}

void net_resolve_cancel(struct net *net, net_resolved_fn done, void *ctx)
{
    (void)net;
    if (fake_net.waiting == done && fake_net.waiting_ctx == ctx) {
        fake_net.waiting = NULL;
    }
}

bool net_poll(struct net *net, size_t budget)
{
    size_t count = net->ready_count < budget ? net->ready_count : budget;
    for (size_t i = 0; i < count; i++) {
        struct transport *t = pool_next_ready(net);
        if (t == NULL) {
            break;
        }
        t->step(t->owner, t);
    }
    return net->ready_first != NULL;
}

uint32_t net_peer_ip4(const struct net *net, const struct transport *t)
{
    bool local = net->loopback_ip4 != 0 && t->peer_ip4 == net->loopback_ip4;
    return local ? UINT32_C(0x7F000001) : t->peer_ip4;
}

void net_ip4_text(struct out *out, uint32_t ip4)
{
    for (unsigned shift = 32; shift > 0;) {
        shift -= 8;
        out_u64(out, (ip4 >> shift) & 0xFFu);
        if (shift > 0) {
            out_char(out, '.');
        }
    }
}

/* ---- The far end ------------------------------------------------------------------------------
 */

struct fake_peer *fake_net_accept(struct net *net, uint16_t port)
{
    struct net_listener *listener = NULL;
    for (size_t i = 0; i < sizeof(fake_net.listeners) / sizeof(fake_net.listeners[0]); i++) {
        struct net_listener *at = fake_net.listeners[i];
        if (at != NULL && at->pcb == (void *)(uintptr_t)port) {
            listener = at;
        }
    }
    struct fake_peer *peer = listener == NULL ? NULL : new_peer(net);
    if (peer == NULL) {
        return NULL;
    }
    peer->t->state = TRANSPORT_OPEN;
    peer->t->peer_ip4 = UINT32_C(0x0A000202);
    peer->t->peer_port = 40000;
    listener->accept(listener->ctx, peer->t);
    peer->refused = peer->aborted;
    assert(peer->t == NULL || peer->t->step != NULL);
    return peer;
}

struct fake_peer *fake_net_latest(void)
{
    assert(fake_net.peers_len > 0);
    return &fake_net.peers[fake_net.peers_len - 1];
}

void fake_peer_connected(struct fake_peer *peer)
{
    assert(peer->t != NULL && peer->t->state == TRANSPORT_CONNECTING);
    peer->t->state = TRANSPORT_OPEN;
    pool_ready(peer->t);
}

void fake_peer_fail(struct fake_peer *peer, int err)
{
    if (peer->t != NULL && peer->t->state != TRANSPORT_FAILED) {
        peer->t->state = TRANSPORT_FAILED;
        peer->t->err = err;
        pool_ready(peer->t);
    }
}

void fake_peer_send(struct fake_peer *peer, const char *bytes, size_t len)
{
    if (peer->t == NULL || peer->t->state == TRANSPORT_FAILED || len == 0) {
        return;
    }
    char *in = realloc(peer->in, peer->in_len + len);
    assert(in != NULL);
    memcpy(in + peer->in_len, bytes, len);
    peer->in = in;
    peer->in_len += len;
    pool_ready(peer->t);
}

void fake_peer_text(struct fake_peer *peer, const char *text)
{
    fake_peer_send(peer, text, strlen(text));
}

void fake_peer_eof(struct fake_peer *peer)
{
    if (peer->t != NULL) {
        peer->t->eof = true;
        pool_ready(peer->t);
    }
}

void fake_peer_grant(struct fake_peer *peer, size_t room)
{
    peer->room = room > SIZE_MAX - peer->room ? SIZE_MAX : peer->room + room;
    if (peer->t != NULL) {
        pool_ready(peer->t);
    }
}

void fake_peer_forget_out(struct fake_peer *peer)
{
    peer->out_len = 0;
    peer->out_flushed = 0;
}

bool fake_peer_flushed(const struct fake_peer *peer)
{
    return peer->out_flushed == peer->out_len;
}

void fake_net_resolved(int err, uint32_t ip4)
{
    net_resolved_fn done = fake_net.waiting;
    assert(done != NULL);
    fake_net.waiting = NULL;
    done(fake_net.waiting_ctx, err, ip4);
}

static void give_room_again(void)
{
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        struct fake_peer *peer = &fake_net.peers[i];
        if (peer->t != NULL && peer->room_again > 0 && peer->room < peer->room_again) {
            peer->room = peer->room_again;
            pool_ready(peer->t);
        }
    }
}

void fake_net_run(struct net *net)
{
    for (size_t turn = 0; turn < RUN_TURNS_MAX && net->ready_first != NULL; turn++) {
        (void)net_poll(net, SIZE_MAX);
        give_room_again();
    }
}

void fake_net_end(void)
{
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        free(fake_net.peers[i].in);
        free(fake_net.peers[i].shown);
        fake_net.peers[i].in = NULL;
        fake_net.peers[i].shown = NULL;
    }
}

/* ---- The transport's side ---------------------------------------------------------------------
 */

static struct slice fake_peek(struct transport *t)
{
    struct fake_peer *peer = t->pcb;
    size_t len = peer->in_len - peer->in_used;
    if (len == 0) {
        return SLICE_EMPTY;
    }
    if (peer->piece > 0 && len > peer->piece) {
        len = peer->piece;
    }
    /* A copy of exactly that length, so that ASan sees who reads too far or too late. */
    free(peer->shown);
    peer->shown = malloc(len);
    assert(peer->shown != NULL);
    memcpy(peer->shown, peer->in + peer->in_used, len);
    return slice_of(peer->shown, len);
}

static void fake_consume(struct transport *t, size_t len)
{
    struct fake_peer *peer = t->pcb;
    assert(len <= peer->in_len - peer->in_used);
    assert(peer->piece == 0 || len <= peer->piece);
    peer->in_used += len;
    free(peer->shown);
    peer->shown = NULL;
    if (peer->in_used >= peer->fail_at_in) {
        fake_peer_fail(peer, LIMPET_ERR_RESET);
    }
}

static size_t fake_room(const struct transport *t)
{
    const struct fake_peer *peer = t->pcb;
    return t->state == TRANSPORT_OPEN ? peer->room : 0;
}

static size_t fake_write(struct transport *t, const char *bytes, size_t len, bool more)
{
    struct fake_peer *peer = t->pcb;
    (void)more;
    size_t taken = len < fake_room(t) ? len : fake_room(t);
    if (taken > peer->fail_at_out - peer->out_len) {
        taken = peer->fail_at_out - peer->out_len;
    }
    assert(taken <= FAKE_OUT_LEN - peer->out_len);
    if (taken > 0) {
        memcpy(peer->out + peer->out_len, bytes, taken);
    }
    peer->out_len += taken;
    if (peer->room != SIZE_MAX) {
        peer->room -= taken;
    }
    if (peer->out_len >= peer->fail_at_out) {
        fake_peer_fail(peer, LIMPET_ERR_RESET);
    }
    return taken;
}

static void fake_flush(struct transport *t)
{
    struct fake_peer *peer = t->pcb;
    peer->out_flushed = peer->out_len;
}

static struct fake_peer *let_go(struct transport *t)
{
    struct fake_peer *peer = t->pcb;
    peer->unread_at_close = peer->in_len - peer->in_used;
    peer->t = NULL;
    free(peer->shown);
    peer->shown = NULL;
    t->pcb = NULL;
    pool_give(t);
    return peer;
}

static void fake_close(struct transport *t)
{
    struct fake_peer *peer = let_go(t);
    peer->closed = true;
    peer->out_flushed = peer->out_len;
}

static void fake_abort(struct transport *t)
{
    let_go(t)->aborted = true;
}

static const struct transport_ops fake_ops = {
    .peek = fake_peek,
    .consume = fake_consume,
    .write = fake_write,
    .room = fake_room,
    .flush = fake_flush,
    .close = fake_close,
    .abort = fake_abort,
};
