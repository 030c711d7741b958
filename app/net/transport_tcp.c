#include "net/transport_tcp.h"

#include "net/pool.h"

#include "lwip/ip_addr.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"

#include <assert.h>

#define ACCEPT_BACKLOG 255u /* connections in SYN_RCVD; u8_t in lwIP */
#define POLL_TICKS 1u       /* of 500 ms; a write without memory is tried again then */
#define LINGER_TICKS 2u

/* A peer that vanished without a word is found out within 60 + 4 x 10 s, so that a cable pulled
 * does not hold a slot for ever (lwIP's default is two hours). */
#define KEEPALIVE_IDLE_MS 60000u
#define KEEPALIVE_INTERVAL_MS 10000u
#define KEEPALIVE_PROBES 4u

#define WRITE_TRY_MIN 64u /* no smaller piece is tried when lwIP's memory is short */

_Static_assert(LWIP_TCP_KEEPALIVE, "dead peers would hold their slots");
_Static_assert(SO_REUSE, "a restart would find its port in TIME_WAIT");

static struct slice op_peek(struct transport *t);
static void op_consume(struct transport *t, size_t len);
static size_t op_write(struct transport *t, const char *bytes, size_t len, bool more);
static size_t op_room(const struct transport *t);
static void op_flush(struct transport *t);
static void op_close(struct transport *t);
static void op_abort(struct transport *t);

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err);
static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err);
static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err);
static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len);
static err_t on_poll(void *arg, struct tcp_pcb *pcb);
static void on_err(void *arg, err_t err);
static err_t on_linger(void *arg, struct tcp_pcb *pcb);

static void attach(struct transport *t, struct tcp_pcb *pcb);
static struct tcp_pcb *detach(struct transport *t);
static void announce_consumed(struct tcp_pcb *pcb, size_t len);
static void rx_append(struct transport *t, struct pbuf *p);
static void rx_drop_used(struct transport *t);
static size_t rx_clear(struct transport *t);
static size_t write_piece(struct tcp_pcb *pcb, const char *bytes, size_t len, bool more);
static int failure_of(const struct transport *t, err_t err);

static const struct transport_ops ops = {
    .peek = op_peek,
    .consume = op_consume,
    .write = op_write,
    .room = op_room,
    .flush = op_flush,
    .close = op_close,
    .abort = op_abort,
};

/* ---- Begin ---------------------------------------------------------------------------------- */

int transport_tcp_listen(struct net_listener *listener, uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        return LIMPET_ERR_FULL;
    }
    ip_set_option(pcb, SOF_REUSEADDR);
    err_t err = tcp_bind(pcb, IP_ADDR_ANY, port);
    struct tcp_pcb *listening = NULL;
    if (err == ERR_OK) {
        listening = tcp_listen_with_backlog_and_err(pcb, ACCEPT_BACKLOG, &err);
    }
    if (listening == NULL) {
        tcp_abort(pcb);
        return err == ERR_USE ? LIMPET_ERR_BUSY : LIMPET_ERR_FULL;
    }
    tcp_arg(listening, listener);
    tcp_accept(listening, on_accept);
    listener->pcb = listening;
    return LIMPET_OK;
}

void transport_tcp_unlisten(struct net_listener *listener)
{
    err_t err = tcp_close(listener->pcb);
    assert(err == ERR_OK); /* of a listening pcb it cannot fail */
    (void)err;
    listener->pcb = NULL;
}

int transport_tcp_connect(struct net *net, uint32_t ip4, uint16_t port, struct transport **result)
{
    struct tcp_pcb *pcb = net->free == NULL ? NULL : tcp_new();
    if (pcb == NULL) {
        return LIMPET_ERR_FULL;
    }
    ip_addr_t address = IPADDR4_INIT(lwip_htonl(ip4));
    err_t err = tcp_connect(pcb, &address, port, on_connected);
    if (err != ERR_OK) {
        tcp_abort(pcb);
        return err == ERR_MEM || err == ERR_BUF ? LIMPET_ERR_FULL : LIMPET_ERR_IO;
    }
    struct transport *t = pool_take(net, &ops);
    attach(t, pcb);
    *result = t;
    return LIMPET_OK;
}

static void attach(struct transport *t, struct tcp_pcb *pcb)
{
    t->pcb = pcb;
    t->peer_ip4 = lwip_ntohl(ip4_addr_get_u32(ip_2_ip4(&pcb->remote_ip)));
    t->peer_port = pcb->remote_port;
    tcp_arg(pcb, t);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_err);
    tcp_poll(pcb, on_poll, POLL_TICKS);
    /* With Nagle each answer whose last segment is short waits 44 ms for a delayed ACK. */
    tcp_nagle_disable(pcb);
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = KEEPALIVE_IDLE_MS;
    pcb->keep_intvl = KEEPALIVE_INTERVAL_MS;
    pcb->keep_cnt = KEEPALIVE_PROBES;
}

/* ---- Callbacks of lwIP: take and mark ------------------------------------------------------- */

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct net_listener *listener = arg;
    struct net *net = listener->net;
    struct transport *t = err == ERR_OK && pcb != NULL ? pool_take(net, &ops) : NULL;
    if (t == NULL) {
        net->refused++; /* pcb NULL: lwIP had none to offer; else it aborts this one */
        return ERR_MEM;
    }
    attach(t, pcb);
    t->state = TRANSPORT_OPEN;
    listener->accept(listener->ctx, t);
    if (t->pcb != pcb) {
        return ERR_ABRT; /* the owner had no slot and called transport_abort */
    }
    assert(t->step != NULL);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct transport *t = arg;
    (void)pcb;
    (void)err; /* always ERR_OK: a failure comes to on_err */
    t->state = TRANSPORT_OPEN;
    pool_ready(t);
    return ERR_OK;
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct transport *t = arg;
    (void)pcb;
    (void)err;
    if (p == NULL) {
        t->eof = true;
        pool_ready(t);
        return ERR_OK;
    }
    /* A peer that sends tiny segments must not take the whole pool of frames: lwIP keeps this one,
     * has the peer repeat what follows, and offers it again within 250 ms. */
    if (t->rx_count > 0 && t->rx_count + pbuf_clen(p) > LIMPET_RX_PBUFS_MAX) {
        return ERR_MEM;
    }
    rx_append(t, p);
    pool_ready(t);
    return ERR_OK;
}

/* lwIP's hook, before it takes the segment. Frames that nobody reads yet hold the pool's pbufs;
 * when few are left, a connection that has some waiting gets no more. The segment was not
 * acknowledged, so its peer keeps and repeats it. */
int8_t net_segment_arrives(const struct tcp_pcb *pcb, const struct pbuf *p)
{
    if (pcb->state == LISTEN || pcb->recv != on_recv || p->tot_len == 0) {
        return ERR_OK;
    }
    const struct transport *t = pcb->callback_arg;
    if (t->rx_count == 0 || lwip_stats.memp[MEMP_PBUF_POOL]->used <= LIMPET_RX_PBUFS_SHARED) {
        return ERR_OK;
    }
    TCP_STATS_INC(tcp.drop);
    return ERR_MEM;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct transport *t = arg;
    (void)pcb;
    t->unacked -= len < t->unacked ? len : t->unacked;
    pool_ready(t);
    return ERR_OK;
}

/* When a write failed for want of memory and nothing of ours is in flight, no on_sent will come. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct transport *t = arg;
    (void)pcb;
    if (t->blocked) {
        pool_ready(t);
    }
    return ERR_OK;
}

/* lwIP has freed the pcb already. What was received before can still be read. */
static void on_err(void *arg, err_t err)
{
    struct transport *t = arg;
    t->err = failure_of(t, err);
    t->state = TRANSPORT_FAILED;
    t->pcb = NULL;
    pool_ready(t);
}

/* Who aborted: ERR_RST the peer; ERR_ABRT lwIP itself, after its retransmissions, keep-alive probes
 * or SYNs had no answer; ERR_CLSD both sides had closed. */
static int failure_of(const struct transport *t, err_t err)
{
    if (err == ERR_RST) {
        return t->state == TRANSPORT_CONNECTING ? LIMPET_ERR_REFUSED : LIMPET_ERR_RESET;
    }
    if (err == ERR_ABRT) {
        return LIMPET_ERR_TIMEOUT;
    }
    return err == ERR_CLSD ? LIMPET_ERR_CLOSED : LIMPET_ERR_IO;
}

/* ---- Receive -------------------------------------------------------------------------------- */

static struct slice op_peek(struct transport *t)
{
    const struct pbuf *first = t->rx;
    if (first == NULL) {
        return SLICE_EMPTY;
    }
    return slice_of((const char *)first->payload + t->rx_offset, first->len - t->rx_offset);
}

static void op_consume(struct transport *t, size_t len)
{
    const struct pbuf *first = t->rx;
    assert(first != NULL && len <= first->len - t->rx_offset);
    (void)first;
    t->rx_offset += len;
    rx_drop_used(t);
    if (t->pcb != NULL) {
        announce_consumed(t->pcb, len);
    }
}

/* tcp_recved counts in 16 bits. */
static void announce_consumed(struct tcp_pcb *pcb, size_t len)
{
    while (len > 0) {
        u16_t piece = (u16_t)(len < 0xFFFFu ? len : 0xFFFFu);
        tcp_recved(pcb, piece);
        len -= piece;
    }
}

/* The queue hangs on `next` alone: pbuf_cat would add up tot_len, which has 16 bits, and windows
 * are larger than that. So nobody but this file may look at tot_len of a queued pbuf. */
static void rx_append(struct transport *t, struct pbuf *p)
{
    struct pbuf *last = t->rx_last;
    if (last == NULL) {
        t->rx = p;
        t->rx_offset = 0;
    } else {
        last->next = p;
    }
    for (; p != NULL; p = p->next) {
        t->rx_last = p;
        t->rx_count++;
    }
    rx_drop_used(t);
}

/* Frees the pbufs in front that are used up (or were empty from the beginning). */
static void rx_drop_used(struct transport *t)
{
    struct pbuf *first = t->rx;
    while (first != NULL && t->rx_offset == first->len) {
        struct pbuf *next = first->next;
        first->next = NULL;
        pbuf_free(first);
        first = next;
        t->rx_offset = 0;
        t->rx_count--;
    }
    t->rx = first;
    if (first == NULL) {
        t->rx_last = NULL;
    }
}

/* Frees the whole queue; returns its bytes that were not consumed. */
static size_t rx_clear(struct transport *t)
{
    size_t len = 0;
    while (t->rx != NULL) {
        const struct pbuf *first = t->rx;
        len += first->len - t->rx_offset;
        t->rx_offset = first->len;
        rx_drop_used(t);
    }
    return len;
}

/* ---- Send ----------------------------------------------------------------------------------- */

static size_t op_room(const struct transport *t)
{
    const struct tcp_pcb *pcb = t->pcb;
    if (t->state != TRANSPORT_OPEN || tcp_sndqueuelen(pcb) >= TCP_SND_QUEUELEN) {
        return 0;
    }
    return pcb->snd_buf;
}

static size_t op_write(struct transport *t, const char *bytes, size_t len, bool more)
{
    size_t taken = 0;
    while (t->state == TRANSPORT_OPEN && taken < len) {
        size_t piece = write_piece(t->pcb, bytes + taken, len - taken, more);
        if (piece == 0) {
            break;
        }
        taken += piece;
    }
    t->unacked += taken;
    t->blocked = taken < len;
    return taken;
}

/* One tcp_write of as much as lwIP takes: all or nothing, and when its memory is short less may
 * still fit. */
static size_t write_piece(struct tcp_pcb *pcb, const char *bytes, size_t len, bool more)
{
    size_t room = tcp_sndbuf(pcb); /* at most 65535 */
    size_t piece = len < room ? len : room;
    bool push_later = more || piece < len;
    while (piece > 0) {
        u8_t flags = push_later ? TCP_WRITE_FLAG_COPY | TCP_WRITE_FLAG_MORE : TCP_WRITE_FLAG_COPY;
        err_t err = tcp_write(pcb, bytes, (u16_t)piece, flags);
        if (err == ERR_OK) {
            return piece;
        }
        if (err != ERR_MEM || piece <= WRITE_TRY_MIN) {
            return 0;
        }
        piece /= 2;
        push_later = true;
    }
    return 0;
}

static void op_flush(struct transport *t)
{
    if (t->state == TRANSPORT_OPEN) {
        (void)tcp_output(t->pcb); /* on failure lwIP's own timer tries again */
    }
}

/* ---- End ------------------------------------------------------------------------------------ */

/* The one way out of a slot. Returns the pcb without any tie to us, NULL when lwIP has freed it. */
static struct tcp_pcb *detach(struct transport *t)
{
    struct tcp_pcb *pcb = t->pcb;
    size_t unread = rx_clear(t);
    t->pcb = NULL;
    pool_give(t);
    if (pcb == NULL) {
        return NULL;
    }
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    /* With bytes unread tcp_close sends RST and drops what is queued. */
    announce_consumed(pcb, unread);
    return pcb;
}

/* lwIP goes on alone: sends the rest and FIN, then waits in its closing states. What still comes is
 * read away: tcp_close would answer it with RST, and a client that is sending when we refuse its
 * request would lose the answer (RFC 9112 section 9.6). A peer with a closed window that answers
 * the probes could keep it there for ever, so on_linger ends it; and at the lowest priority a new
 * connection may take its pcb earlier. */
static void op_close(struct transport *t)
{
    struct tcp_pcb *pcb = detach(t);
    if (pcb == NULL) {
        return;
    }
    tcp_setprio(pcb, TCP_PRIO_MIN);
    tcp_poll(pcb, on_linger, LINGER_TICKS);
    if (tcp_shutdown(pcb, 0, 1) != ERR_OK) {
        tcp_abort(pcb); /* not connected yet */
    }
}

static void op_abort(struct transport *t)
{
    struct tcp_pcb *pcb = detach(t);
    if (pcb != NULL) {
        tcp_abort(pcb);
    }
}

/* Once a second for a pcb that nobody owns any more; its argument counts the seconds. */
static err_t on_linger(void *arg, struct tcp_pcb *pcb)
{
    uintptr_t seconds = (uintptr_t)arg + 1;
    if (seconds * 1000u >= LIMPET_LINGER_TIMEOUT_MS) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    tcp_arg(pcb, (void *)seconds);
    return ERR_OK;
}
