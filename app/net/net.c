#include "net/net.h"

#include "net/pool.h"
#include "net/resolver.h"
#include "net/transport_tcp.h"

#include <assert.h>

#define LOCALHOST_IP4 UINT32_C(0x7F000001)

/* ---- Life cycle ----------------------------------------------------------------------------- */

void net_init(struct net *net, struct log *log, uint32_t loopback_ip4)
{
    *net = (struct net){.log = log, .loopback_ip4 = loopback_ip4};
    pool_init(net);
}

int net_listen(struct net *net, struct net_listener *listener, uint16_t port, net_accept_fn accept,
               void *ctx)
{
    assert(accept != NULL);
    *listener = (struct net_listener){.accept = accept, .ctx = ctx, .net = net};
    return transport_tcp_listen(listener, port);
}

void net_unlisten(struct net_listener *listener)
{
    if (listener->pcb != NULL) {
        transport_tcp_unlisten(listener);
    }
}

int net_connect(struct net *net, uint32_t ip4, uint16_t port, void *owner, transport_step_fn step,
                struct transport **t)
{
    int err = transport_tcp_connect(net, ip4, port, t);
    if (err == LIMPET_OK) {
        transport_own(*t, owner, step);
    } else if (err == LIMPET_ERR_FULL) {
        net->refused++;
    }
    return err;
}

/* ---- Turn ----------------------------------------------------------------------------------- */

/* Only what was ready at the beginning: what a step makes ready waits for the next turn, so that
 * frames, timers and the other transports come in between. */
bool net_poll(struct net *net, size_t budget)
{
    size_t left = budget - resolver_poll(net, budget);
    size_t count = net->ready_count < left ? net->ready_count : left;
    for (size_t i = 0; i < count; i++) {
        struct transport *t = pool_next_ready(net);
        if (t == NULL) {
            break; /* a step closed others that were ready */
        }
        t->step(t->owner, t);
    }
    return net->ready_first != NULL || net->lookups_answered > 0;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

uint32_t net_peer_ip4(const struct net *net, const struct transport *t)
{
    bool local = net->loopback_ip4 != 0 && t->peer_ip4 == net->loopback_ip4;
    return local ? LOCALHOST_IP4 : t->peer_ip4;
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
