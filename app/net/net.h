/* The network below web/: listeners, outgoing connections, names, and the list of what is ready.
 *
 * One struct net an application; lwIP and a netif must be up before net_init. Everything runs in the
 * loop's turn: lwIP callbacks queue, net_poll() runs the owners. */
#ifndef LIMPET_NET_NET_H
#define LIMPET_NET_NET_H

#include "app_config.h"
#include "base/log.h"
#include "net/transport.h"

/* A new connection of a listener. The owner calls transport_own() in it, or transport_abort(). Called
 * inside a lwIP callback: only take the slot, no reading or writing here. */
typedef void (*net_accept_fn)(void *ctx, struct transport *t);

struct net_listener {
    void *pcb;
    net_accept_fn accept;
    void *ctx;
    struct net *net;
};

/* For static placement; do not touch the fields. */
struct net {
    struct log *log;
    uint32_t loopback_ip4; /* what 127.0.0.1 of the host is called on this netif; 0 = there is no such thing */
    struct transport *free;
    struct transport *ready_first;
    struct transport *ready_last;
    size_t used;
    size_t used_max;
    uint64_t refused; /* no slot or no pcb */
    struct transport transports[LIMPET_TRANSPORTS];
};

/* loopback_ip4 (host byte order): slirp's 10.0.2.2, else 0. */
void net_init(struct net *net, struct log *log, uint32_t loopback_ip4);

/* Listens on all addresses of the netif. LIMPET_ERR_BUSY: the port is taken; LIMPET_ERR_FULL: no pcb. */
LIMPET_WARN_UNUSED
int net_listen(struct net *net, struct net_listener *listener, uint16_t port, net_accept_fn accept, void *ctx);
void net_unlisten(struct net_listener *listener);

/* Starts to connect; step runs on success (OPEN) or failure (FAILED). LIMPET_ERR_FULL: no slot or pcb. */
LIMPET_WARN_UNUSED
int net_connect(struct net *net, uint32_t ip4, uint16_t port, void *owner, transport_step_fn step,
                struct transport **t);

/* Resolves a name or an IPv4 literal. "localhost", "127.0.0.1" and "::1" give loopback_ip4.
 * 1: *ip4 is set now. 0: `done` will be called once (later turn, never inside this call) unless canceled.
 * LIMPET_ERR_RESOLVE: cannot be (other 127.x, IPv6 literal, no loopback here). LIMPET_ERR_FULL: table full. */
typedef void (*net_resolved_fn)(void *ctx, int err, uint32_t ip4);
LIMPET_WARN_UNUSED
int net_resolve(struct net *net, struct slice host, uint32_t *ip4, net_resolved_fn done, void *ctx);
void net_resolve_cancel(struct net *net, net_resolved_fn done, void *ctx);

/* The peer's address as people know it: loopback_ip4 is shown as 127.0.0.1. Host byte order. */
uint32_t net_peer_ip4(const struct net *net, const struct transport *t);
void net_ip4_text(struct out *out, uint32_t ip4);

/* Steps at most `budget` ready transports; returns true when some are left for the next turn. */
bool net_poll(struct net *net, size_t budget);

#endif
