/* The slots and the ready list of struct net: for the kinds of transport, not for owners.
 *
 * A slot is taken when a connection begins and given back in its one close function; a slot that
 * stands in the ready list leaves it then. Nothing here knows lwIP. */
#ifndef LIMPET_NET_POOL_H
#define LIMPET_NET_POOL_H

#include "net/net.h"
#include "net/transport.h"

void pool_init(struct net *net);
/* A zeroed slot in state CONNECTING, NULL when all are taken. */
struct transport *pool_take(struct net *net, const struct transport_ops *ops);
/* Its pcb and its received bytes must be gone. */
void pool_give(struct transport *t);
/* Queues a step; once, however often it is called before the step runs. */
void pool_ready(struct transport *t);
/* Takes the first of the ready list out of it, NULL when it is empty. */
struct transport *pool_next_ready(struct net *net);

#endif
