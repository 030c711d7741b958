/* Host names to IPv4 addresses: literals and localhost here, the rest by lwIP's resolver.
 *
 * lwIP answers inside its own callbacks, so an answer waits in its lookup until resolver_poll hands
 * it out. Several who wait for one name share one lookup. */
#ifndef LIMPET_NET_RESOLVER_H
#define LIMPET_NET_RESOLVER_H

#include "net/net.h"

/* Calls `done` of at most `budget` waiters whose answer is there; returns how many. */
size_t resolver_poll(struct net *net, size_t budget);

#endif
