/* A byte stream to a peer, pulled by its owner: the one thing that web/ and tls/ stand on.
 *
 * Two kinds fill the operations: TCP over lwIP's raw API (net/transport_tcp.c) and, later, TLS over
 * it. Events of the network only set bits and queue the transport as ready; the owner's `step` runs
 * later, from net_poll(), never inside a lwIP callback. So an owner may read, write, close or abort
 * at any time without minding re-entrancy.
 *
 * Receiving: peek the next contiguous bytes, consume what was used. What is not consumed closes the
 * TCP window: that is the back-pressure. Sending: write takes what fits and says how much; a step
 * follows when there is room again. */
#ifndef LIMPET_NET_TRANSPORT_H
#define LIMPET_NET_TRANSPORT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum transport_state {
    TRANSPORT_FREE,
    TRANSPORT_CONNECTING,
    TRANSPORT_OPEN,
    TRANSPORT_FAILED, /* `err` says why; the peer is gone. What came before can still be peeked */
};

struct transport;
struct net;

struct transport_ops {
    struct slice (*peek)(struct transport *t);
    void (*consume)(struct transport *t, size_t len);
    size_t (*write)(struct transport *t, const char *bytes, size_t len, bool more);
    size_t (*room)(const struct transport *t);
    void (*flush)(struct transport *t);
    void (*close)(struct transport *t);
    void (*abort)(struct transport *t);
};

/* Runs once after one or more events: connected, bytes readable, room to write, end of input,
 * failure. The owner looks at the state and goes on as far as it can. */
typedef void (*transport_step_fn)(void *owner, struct transport *t);

/* From the pool of struct net. Owners read `state`, `err`, `eof`, `peer_ip4`, `peer_port`; the rest
 * is private. */
struct transport {
    const struct transport_ops *ops;
    struct net *net;
    enum transport_state state;
    int err;  /* once FAILED: LIMPET_ERR_REFUSED, _RESET, _CLOSED, _TIMEOUT (peer silent), _IO */
    bool eof; /* the peer will send no more (what was received can still be peeked) */
    uint32_t peer_ip4; /* host byte order */
    uint16_t peer_port;
    transport_step_fn step;
    void *owner;
    void *pcb;                  /* struct tcp_pcb, NULL once it is gone */
    void *rx;                   /* struct pbuf queue, received and not consumed */
    void *rx_last;              /* its last one */
    size_t rx_offset;           /* consumed bytes of the first pbuf */
    size_t rx_count;            /* pbufs in the queue, at most LIMPET_RX_PBUFS_MAX */
    size_t unacked;             /* bytes written and not yet acknowledged by the peer */
    bool blocked;               /* a write took less than it was given: the owner waits for room */
    bool ready;                 /* stands in the ready list */
    struct transport *next;     /* ready list or free list */
    struct transport *previous; /* ready list */
};

/* Owner and step function from now on (after accept or when a pooled connection changes hands). An
 * event that waits goes to the new owner. */
void transport_own(struct transport *t, void *owner, transport_step_fn step);
/* Next contiguous received bytes; empty when there are none. Valid until consume,
 * close or abort. */
struct slice transport_peek(struct transport *t);
void transport_consume(struct transport *t, size_t len); /* at most what peek showed */
/* Copies. Returns how many of the bytes were taken (0 = no room now; step follows). `more`: further
 * bytes come at once, so do not send a short segment yet. */
LIMPET_WARN_UNUSED
size_t transport_write(struct transport *t, const char *bytes, size_t len, bool more);
size_t transport_write_room(const struct transport *t); /* bytes that a write would take now */
void transport_flush(struct transport *t); /* send what is queued; once after a series of writes */
/* Sends what was written, then FIN; what is unread or still comes is dropped. The slot is given
 * back at once and `t` must not be used again. A peer that does not take the rest within
 * LIMPET_LINGER_TIMEOUT_MS is reset. */
void transport_close(struct transport *t);
/* RST, slot given back at once. No event follows. */
void transport_abort(struct transport *t);
/* Ask for a step in the next turn without an event (work left because of a budget). */
void transport_again(struct transport *t);

#endif
