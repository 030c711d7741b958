/* The network below web/: listeners, outgoing connections, names, and the list of what is ready.
 *
 * One struct net an application; lwIP and a netif must be up before net_init. Everything runs in
 * the loop's turn: lwIP callbacks queue, net_poll() runs the owners. */
#ifndef LIMPET_NET_NET_H
#define LIMPET_NET_NET_H

#include "app_config.h"
#include "base/log.h"
#include "net/transport.h"

/* A new connection of a listener. The owner calls transport_own() in it, or transport_abort().
 * Called inside a lwIP callback: only take the slot, no reading or writing here. */
typedef void (*net_accept_fn)(void *ctx, struct transport *t);

struct net_listener {
    void *pcb;
    net_accept_fn accept;
    void *ctx;
    struct net *net;
};

typedef void (*net_resolved_fn)(void *ctx, int err, uint32_t ip4);

/* A name that lwIP is asking for. lwIP cannot be told to forget one: it stays until the answer. */
struct net_lookup {
    struct net *net;
    enum { LOOKUP_FREE, LOOKUP_ASKING, LOOKUP_ANSWERED } state;
    int err;
    uint32_t ip4;
};

/* Somebody who waits for it; several share a lookup. */
struct net_waiter {
    net_resolved_fn done; /* NULL: free */
    void *ctx;
    struct slice host;
    struct net_lookup *lookup;
};

/* For static placement; do not touch the fields. */
struct net {
    struct log *log;
    uint32_t loopback_ip4; /* what the host's 127.0.0.1 is called on this netif; 0 = nothing */
    struct transport *free;
    struct transport *ready_first;
    struct transport *ready_last;
    size_t ready_count;
    size_t used;
    size_t used_max;
    uint64_t refused;        /* no slot or no pcb, in or out */
    size_t lookups_answered; /* not yet handed to those who wait */
    struct net_lookup lookups[LIMPET_DNS_NAMES];
    struct net_waiter waiters[LIMPET_BACKEND_CONNS];
    struct transport transports[LIMPET_TRANSPORTS];
};

/* loopback_ip4 (host byte order): slirp's 10.0.2.2, else 0. */
void net_init(struct net *net, struct log *log, uint32_t loopback_ip4);

/* Listens on all addresses of the netif. LIMPET_ERR_BUSY: the port is taken; LIMPET_ERR_FULL: no
 * pcb. */
LIMPET_WARN_UNUSED
int net_listen(struct net *net, struct net_listener *listener, uint16_t port, net_accept_fn accept,
               void *ctx);
void net_unlisten(struct net_listener *listener);

/* Starts to connect; step runs on success (OPEN) or failure (FAILED), never inside this call.
 * LIMPET_ERR_FULL: no slot or pcb; LIMPET_ERR_IO: no route. */
LIMPET_WARN_UNUSED
int net_connect(struct net *net, uint32_t ip4, uint16_t port, void *owner, transport_step_fn step,
                struct transport **t);

/* Resolves a name or an IPv4 literal. "localhost", "127.0.0.1" and "::1" give loopback_ip4.
 * 1: *ip4 is set now. 0: `done` will be called once (later turn, never inside this call) unless
 * canceled; `host` must stay until then. Answers are cached by lwIP for their TTL.
 * LIMPET_ERR_RESOLVE: cannot be (other 127.x, IPv6 literal, no loopback here, no name server).
 * LIMPET_ERR_FULL: LIMPET_DNS_NAMES names are being asked for, or LIMPET_BACKEND_CONNS wait. */
LIMPET_WARN_UNUSED
int net_resolve(struct net *net, struct slice host, uint32_t *ip4, net_resolved_fn done, void *ctx);
/* No effect when there is none. */
void net_resolve_cancel(struct net *net, net_resolved_fn done, void *ctx);

/* The peer's address as people know it: loopback_ip4 is shown as 127.0.0.1. Host byte order. */
uint32_t net_peer_ip4(const struct net *net, const struct transport *t);
void net_ip4_text(struct out *out, uint32_t ip4);

/* Tells who waits for names and steps the transports that were ready when it was called, together
 * at most `budget`; true when some are left for the next turn. */
bool net_poll(struct net *net, size_t budget);

#endif
