/* TCP over lwIP's raw API as a transport: the kind that net_listen and net_connect make.
 *
 * lwIP's callbacks only queue pbufs, set bits and mark the transport as ready. One function ends
 * every connection: it clears the callbacks, gives the slot back and then closes or aborts. */
#ifndef LIMPET_NET_TRANSPORT_TCP_H
#define LIMPET_NET_TRANSPORT_TCP_H

#include "net/net.h"

/* The pcb of a listener, with its accept callback set. Errors of net_listen. */
LIMPET_WARN_UNUSED
int transport_tcp_listen(struct net_listener *listener, uint16_t port);
void transport_tcp_unlisten(struct net_listener *listener);

/* Errors of net_connect. */
LIMPET_WARN_UNUSED
int transport_tcp_connect(struct net *net, uint32_t ip4, uint16_t port, struct transport **t);

#endif
