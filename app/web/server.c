/* Connections: slots, requests and their bodies, deadlines. */
#include "web/server.h"

#include "web/server_conn.h"

#include <assert.h>
#include <string.h>

/* Work of one step: changes of state, two for a pipelined request that is answered at once. */
#define STEP_TURNS_MAX 8u
/* Idle connections that are looked at before a new one is told 503. */
#define PURGE_TRIES_MAX 16u

static void on_accept(void *ctx, struct transport *t);
static void on_waiting(void *owner, struct transport *t);
static void refuse_busy(struct server *server, struct transport *t);
static struct server_conn *purge_idle(struct server *server);
static void conn_open(struct server *server, struct transport *t);
static struct transport *conn_release(struct server_conn *c);
static void idle_push(struct server_conn *c);
static void idle_remove(struct server_conn *c);
static void conn_step(void *owner, struct transport *t);
static bool conn_turn(struct server_conn *c);
static void conn_lost(struct server_conn *c);
static bool end_response(struct server_conn *c);
static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns);
static void deadline_passed(struct server_conn *c);

/* ---- Life cycle ----------------------------------------------------------------------------- */

void server_init(struct server *server, struct net *net, struct timers *timers, struct log *log,
                 struct server_conn *conns, size_t conns_len, const struct server_handler *handler,
                 const struct server_options *options)
{
    assert(conns_len > 0);
    *server = (struct server){
        .net = net,
        .timers = timers,
        .log = log,
        .handler = *handler,
        .options = *options,
        .conns = conns,
        .conns_len = conns_len,
    };
    if (server->options.head_len_max == 0) {
        server->options.head_len_max = LIMPET_HEAD_LEN_MAX;
    }
    for (size_t i = conns_len; i > 0; i--) {
        struct server_conn *c = &conns[i - 1];
        c->server = server;
        c->state = CONN_FREE;
        c->next = server->free;
        server->free = c;
    }
}

int server_start(struct server *server, uint16_t port)
{
    return net_listen(server->net, &server->listener, port, on_accept, server);
}

void server_stop(struct server *server)
{
    if (server->stopping) {
        return;
    }
    server->stopping = true;
    net_unlisten(&server->listener);
    for (size_t i = 0; i < server->conns_len; i++) {
        struct server_conn *c = &server->conns[i];
        if (c->state == CONN_IDLE || (c->state == CONN_HEAD && c->head_used == 0)) {
            conn_close(c);
        }
    }
}

void server_set_time(struct server *server, uint64_t now_ns, int64_t unix_ns)
{
    server->now_ns = now_ns;
    server->unix_ns = unix_ns;
}

/* ---- Slots ---------------------------------------------------------------------------------- */

/* Inside a callback of lwIP: what must be written or closed waits for a step. */
static void on_accept(void *ctx, struct transport *t)
{
    struct server *server = ctx;
    server->accepted++;
    if (server->free != NULL) {
        conn_open(server, t);
    } else if (server->waiting == LIMPET_REJECT_CONNS) {
        server->refused_busy++;
        transport_abort(t);
    } else {
        server->waiting++;
        transport_own(t, server, on_waiting);
        transport_again(t);
    }
}

static void on_waiting(void *owner, struct transport *t)
{
    struct server *server = owner;
    server->waiting--;
    if (t->state == TRANSPORT_FAILED || server->stopping) {
        transport_abort(t);
        return;
    }
    if (server->free == NULL) {
        struct server_conn *idle = purge_idle(server);
        if (idle == NULL) {
            refuse_busy(server, t);
            return;
        }
        server->purged++;
        conn_close(idle);
    }
    conn_open(server, t);
}

/* Without reading the request: the transport reads it away after its FIN, so that the client sees
 * the answer and not a reset. */
static void refuse_busy(struct server *server, struct transport *t)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Retry-After: 1\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Length: 5\r\n"
                                 "Connection: close\r\n\r\nbusy\n";
    server->refused_busy++;
    if (transport_write(t, answer, sizeof(answer) - 1, false) == sizeof(answer) - 1) {
        transport_close(t);
    } else {
        transport_abort(t);
    }
}

/* The one that is idle for longest; not one whose next request has arrived in this turn. */
static struct server_conn *purge_idle(struct server *server)
{
    struct server_conn *c = server->idle_first;
    for (unsigned tries = 0; c != NULL && tries < PURGE_TRIES_MAX; tries++) {
        if (transport_peek(c->transport).len == 0) {
            return c;
        }
        c = c->next;
    }
    return NULL;
}

/* Deadlines start in the first step: inside lwIP's callback `now_ns` is the turn before's. */
static void conn_open(struct server *server, struct transport *t)
{
    struct server_conn *c = server->free;
    server->free = c->next;
    memset(c, 0, offsetof(struct server_conn, request));
    c->server = server;
    c->transport = t;
    c->state = CONN_HEAD;
    c->deadline_ns = TIMER_NEVER;
    response_reset(c);
    server->used++;
    if (server->used > server->used_max) {
        server->used_max = server->used;
    }
    transport_own(t, c, conn_step);
    transport_again(t);
}

/* The one way out of a slot. */
static struct transport *conn_release(struct server_conn *c)
{
    struct server *server = c->server;
    struct transport *t = c->transport;
    assert(c->state != CONN_FREE && !c->owned);
    if (c->state == CONN_IDLE) {
        idle_remove(c);
    }
    timer_cancel(server->timers, &c->timer);
    c->transport = NULL;
    c->state = CONN_FREE;
    c->next = server->free;
    server->free = c;
    server->used--;
    return t;
}

void conn_close(struct server_conn *c)
{
    transport_close(conn_release(c));
}

void conn_abort(struct server_conn *c)
{
    transport_abort(conn_release(c));
}

static void idle_push(struct server_conn *c)
{
    struct server *server = c->server;
    c->next = NULL;
    c->previous = server->idle_last;
    if (c->previous == NULL) {
        server->idle_first = c;
    } else {
        c->previous->next = c;
    }
    server->idle_last = c;
}

void conn_wake(struct server_conn *c)
{
    if (c->state == CONN_IDLE) {
        idle_remove(c);
        c->state = CONN_HEAD;
    }
}

static void idle_remove(struct server_conn *c)
{
    struct server *server = c->server;
    if (c->previous == NULL) {
        server->idle_first = c->next;
    } else {
        c->previous->next = c->next;
    }
    if (c->next == NULL) {
        server->idle_last = c->previous;
    } else {
        c->next->previous = c->previous;
    }
}

/* ---- The step ------------------------------------------------------------------------------- */

static void conn_step(void *owner, struct transport *t)
{
    struct server_conn *c = owner;
    assert(c->transport == t && !c->stepping);
    if (t->state == TRANSPORT_FAILED) {
        conn_lost(c);
        return;
    }
    c->stepping = true;
    bool more = true;
    for (unsigned turn = 0; more && turn < STEP_TURNS_MAX; turn++) {
        more = conn_turn(c);
    }
    if (c->state == CONN_FREE) {
        return;
    }
    c->stepping = false;
    conn_watch(c);
    transport_flush(t);
    if (more) {
        transport_again(t);
    }
}

/* True when the state changed and there may be more to do at once. */
static bool conn_turn(struct server_conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
    case CONN_HEAD:
        return request_read_head(c);
    case CONN_HANDLING:
    case CONN_RESPONDING:
        return request_serve(c);
    case CONN_ENDING:
        return end_response(c);
    case CONN_DRAINING:
        return request_drain(c);
    case CONN_FREE:
    default:
        return false;
    }
}

/* The transport is gone. */
static void conn_lost(struct server_conn *c)
{
    int err = c->transport->err;
    if (c->owned) {
        c->owned = false;
        c->server->handler.gone(c->server->handler.ctx, c, err);
    }
    conn_abort(c);
}

/* ---- After the response --------------------------------------------------------------------- */

static bool end_response(struct server_conn *c)
{
    if (!response_push(c)) {
        return false;
    }
    conn_response_sent(c);
    return c->state != CONN_FREE;
}

void conn_response_sent(struct server_conn *c)
{
    if (!c->keep_alive) {
        conn_close(c);
    } else if (c->body.done) {
        conn_idle(c);
    } else {
        c->state = CONN_DRAINING;
        conn_deadline(c, c->server->now_ns + LIMPET_MS_TO_NS(c->server->options.stall_timeout_ms));
    }
}

void conn_idle(struct server_conn *c)
{
    if (c->server->stopping) {
        conn_close(c);
        return;
    }
    c->state = CONN_IDLE;
    c->head_used = 0;
    idle_push(c);
    conn_deadline(c, c->server->now_ns + LIMPET_MS_TO_NS(c->server->options.idle_timeout_ms));
}

/* ---- Deadlines ------------------------------------------------------------------------------ */

/* Until when a request may be read, if we wait for more of it, and its response be written,
 * whatever moves; TIMER_NEVER = as long as it moves. */
static uint64_t write_limit_ns(const struct server_conn *c)
{
    uint32_t timeout_ms = c->server->options.write_timeout_ms;
    return timeout_ms > 0 ? c->head_end_ns + LIMPET_MS_TO_NS(timeout_ms) : TIMER_NEVER;
}

static uint64_t limit_ns(const struct server_conn *c, bool read)
{
    uint32_t timeout_ms = read ? c->server->options.read_timeout_ms : 0;
    uint64_t write_ns = write_limit_ns(c);
    uint64_t read_ns =
        timeout_ms > 0 ? c->head_start_ns + LIMPET_MS_TO_NS(timeout_ms) : TIMER_NEVER;
    return read_ns < write_ns ? read_ns : write_ns;
}

/* What we wait for: that the client takes what waits to be written, or sends the body that the
 * handler asked for. Not for the handler: it has deadlines of its own. */
void conn_watch(struct server_conn *c)
{
    if (c->state != CONN_HANDLING && c->state != CONN_RESPONDING && c->state != CONN_ENDING) {
        return;
    }
    bool write = c->blocked || response_waits(c);
    bool read = c->body_wanted && !c->body.done;
    uint64_t limit = limit_ns(c, read);
    uint64_t stall_ns = c->server->now_ns + LIMPET_MS_TO_NS(c->server->options.stall_timeout_ms);
    if (!write && !read) {
        conn_deadline(c, limit);
    } else if (c->deadline_ns >= limit || c->moved) {
        conn_deadline(c, stall_ns < limit ? stall_ns : limit);
    }
    c->moved = false;
}

/* The timer is moved only when it would come too late: a later deadline, or none, costs nothing
 * until it fires. So a request on a kept connection does no work on the heap of timers. */
void conn_deadline(struct server_conn *c, uint64_t deadline_ns)
{
    c->deadline_ns = deadline_ns;
    if (deadline_ns == TIMER_NEVER) {
        return;
    }
    if (!timer_is_set(&c->timer) || c->timer.deadline_ns > deadline_ns) {
        timer_set(c->server->timers, &c->timer, deadline_ns, on_deadline, c);
    }
}

static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns)
{
    struct server_conn *c = ctx;
    (void)timer;
    if (now_ns >= c->deadline_ns) {
        deadline_passed(c);
    } else if (c->deadline_ns != TIMER_NEVER) {
        conn_deadline(c, c->deadline_ns);
    }
}

static void write_too_long(struct server_conn *c)
{
    c->server->write_timeouts++;
    if (c->owned) {
        c->owned = false;
        c->server->handler.gone(c->server->handler.ctx, c, LIMPET_ERR_IO);
    }
    conn_abort(c);
}

static void deadline_passed(struct server_conn *c)
{
    bool responding = c->state == CONN_HANDLING || c->state == CONN_RESPONDING ||
                      c->state == CONN_ENDING;
    if (responding && c->deadline_ns >= write_limit_ns(c)) {
        write_too_long(c);
        return;
    }
    switch (c->state) {
    case CONN_HEAD:
        if (c->head_used > 0) {
            request_refuse(c, 408, "head took too long");
        } else {
            conn_close(c);
        }
        break;
    case CONN_HANDLING:
    case CONN_RESPONDING:
        request_fail(c, LIMPET_ERR_TIMEOUT);
        break;
    case CONN_ENDING:
        conn_abort(c);
        break;
    case CONN_IDLE:
    case CONN_DRAINING:
        conn_close(c);
        break;
    case CONN_FREE:
    default:
        assert(false);
        break;
    }
}
