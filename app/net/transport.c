/* What is the same for every kind of transport: the operations' front, the pool, the ready list.
 * Knows no lwIP, so that a test can put its own net under it. */
#include "net/transport.h"

#include "net/pool.h"

#include <assert.h>

static void ready_push(struct net *net, struct transport *t);
static void ready_remove(struct net *net, struct transport *t);

/* ---- For owners ----------------------------------------------------------------------------- */

void transport_own(struct transport *t, void *owner, transport_step_fn step)
{
    assert(t->state != TRANSPORT_FREE);
    assert(step != NULL);
    t->owner = owner;
    t->step = step;
}

struct slice transport_peek(struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    return t->ops->peek(t);
}

void transport_consume(struct transport *t, size_t len)
{
    assert(t->state != TRANSPORT_FREE);
    if (len > 0) {
        t->ops->consume(t, len);
    }
}

size_t transport_write(struct transport *t, const char *bytes, size_t len, bool more)
{
    assert(t->state != TRANSPORT_FREE);
    return len == 0 ? 0 : t->ops->write(t, bytes, len, more);
}

size_t transport_write_room(const struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    return t->ops->room(t);
}

void transport_flush(struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    t->ops->flush(t);
}

void transport_close(struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    t->ops->close(t);
}

void transport_abort(struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    t->ops->abort(t);
}

void transport_again(struct transport *t)
{
    assert(t->state != TRANSPORT_FREE);
    pool_ready(t);
}

/* ---- For kinds of transport ----------------------------------------------------------------- */

void pool_init(struct net *net)
{
    for (size_t i = 0; i < LIMPET_TRANSPORTS; i++) {
        net->transports[i] = (struct transport){.net = net, .next = net->free};
        net->free = &net->transports[i];
    }
}

struct transport *pool_take(struct net *net, const struct transport_ops *ops)
{
    struct transport *t = net->free;
    if (t == NULL) {
        return NULL;
    }
    net->free = t->next;
    *t = (struct transport){.ops = ops, .net = net, .state = TRANSPORT_CONNECTING};
    net->used++;
    net->used_max = net->used > net->used_max ? net->used : net->used_max;
    return t;
}

void pool_give(struct transport *t)
{
    struct net *net = t->net;
    assert(t->state != TRANSPORT_FREE);
    assert(t->pcb == NULL && t->rx == NULL);
    if (t->ready) {
        ready_remove(net, t);
    }
    *t = (struct transport){.net = net, .next = net->free};
    net->free = t;
    net->used--;
}

void pool_ready(struct transport *t)
{
    if (!t->ready) {
        ready_push(t->net, t);
    }
}

struct transport *pool_next_ready(struct net *net)
{
    struct transport *t = net->ready_first;
    if (t != NULL) {
        ready_remove(net, t);
    }
    return t;
}

static void ready_push(struct net *net, struct transport *t)
{
    t->ready = true;
    t->next = NULL;
    t->previous = net->ready_last;
    if (t->previous == NULL) {
        net->ready_first = t;
    } else {
        t->previous->next = t;
    }
    net->ready_last = t;
    net->ready_count++;
}

static void ready_remove(struct net *net, struct transport *t)
{
    if (t->previous == NULL) {
        net->ready_first = t->next;
    } else {
        t->previous->next = t->next;
    }
    if (t->next == NULL) {
        net->ready_last = t->previous;
    } else {
        t->next->previous = t->previous;
    }
    t->ready = false;
    t->next = NULL;
    t->previous = NULL;
    net->ready_count--;
}
