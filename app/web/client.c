#include "web/client.h"

#include "web/client_conn.h"
#include "web/client_slots.h"

#include <assert.h>

static bool assign(struct client_call *call);
static void attach(struct client_conn *conn, struct client_call *call);
static void open_conn(struct client_conn *conn);
static void connect_conn(struct client_conn *conn, uint32_t ip4);
static void on_resolved(void *ctx, int err, uint32_t ip4);
static void begin_request(struct client_conn *conn);

static void conn_step(void *owner, struct transport *t);
static void idle_step(struct client_conn *conn);
static void connecting_step(struct client_conn *conn);
static void busy_step(struct client_conn *conn);
static void answer_step(struct client_conn *conn);
static bool is_outdated(const struct client_conn *conn);
static bool may_repeat(const struct client_conn *conn);
static void repeat(struct client_conn *conn);
static void read_body(struct client_conn *conn);
static void want_flush(struct client_conn *conn);
static void flush(struct client_conn *conn);

static void release(struct client_conn *conn);
static void drop(struct client_conn *conn);
static void fail(struct client_call *call, int err);

static void tell(struct client_call *call);
static void tell_later(struct client_call *call);
static void on_kick(struct timer *timer, void *ctx, uint64_t now_ns);
static void serve_waiting(struct client_line *line);
static void line_push(struct client_line *line, struct client_call *call);
static void line_push_front(struct client_line *line, struct client_call *call);
static void line_leave(struct client_call *call);

/* ---- Life cycle ----------------------------------------------------------------------------- */

void client_init(struct client *client, struct net *net, struct timers *timers, struct log *log,
                 struct client_conn *conns, size_t conns_len)
{
    *client = (struct client){
        .net = net, .timers = timers, .log = log, .conns = conns, .conns_len = conns_len};
    client_slots_init(client);
}

void client_set_connector(struct client *client, client_connect_fn connect, void *ctx,
                          size_t conns_max)
{
    client->connect_tls = connect;
    client->connect_tls_ctx = ctx;
    client->tls_limit = conns_max;
}

void client_set_time(struct client *client, uint64_t now_ns)
{
    client->now_ns = now_ns;
}

void client_close_idle(struct client *client)
{
    while (client->idle_first != NULL) {
        client_slots_close(client->idle_first);
    }
}

/* ---- For callers ---------------------------------------------------------------------------- */

void client_start(struct client *client, struct client_call *call,
                  const struct client_request *request)
{
    assert(call->state == CALL_IDLE);
    assert(request->compose != NULL && request->event != NULL);
    assert(request->framing != FRAMING_CLOSE);
    *call = (struct client_call){.state = CALL_WAITING, .client = client, .request = *request};
    struct client_line *line = request->target.tls ? &client->waiting_tls : &client->waiting;
    if (request->target.tls && client->connect_tls == NULL) {
        fail(call, LIMPET_ERR_UNSUPPORTED);
    } else if (line->first != NULL || !assign(call)) {
        client->waited++;
        line_push(line, call);
    }
    if (call->state == CALL_FAILED || call->state == CALL_SENDING) {
        tell_later(call);
    }
}

size_t client_write(struct client_call *call, const char *bytes, size_t len)
{
    if (call->state != CALL_SENDING || len == 0) {
        return 0;
    }
    size_t taken = client_conn_write(call->conn, bytes, len);
    call->written += taken;
    want_flush(call->conn);
    return taken;
}

void client_write_end(struct client_call *call)
{
    if (call->state != CALL_SENDING) {
        return;
    }
    int err = client_conn_write_end(call->conn);
    if (err != LIMPET_OK) {
        fail(call, err);
        tell_later(call);
        return;
    }
    call->state = CALL_HEAD_DUE;
    flush(call->conn);
}

const struct message_head *client_head(const struct client_call *call)
{
    assert(call->state == CALL_BODY || call->state == CALL_DONE);
    return &call->conn->response;
}

struct slice client_peek(struct client_call *call)
{
    if (call->state != CALL_BODY) {
        return SLICE_EMPTY;
    }
    read_body(call->conn);
    if (call->state != CALL_BODY) {
        tell_later(call);
        return SLICE_EMPTY;
    }
    const struct client_conn *conn = call->conn;
    return slice_take(transport_peek(conn->transport), conn->body_shown);
}

void client_consume(struct client_call *call, size_t len)
{
    struct client_conn *conn = call->conn;
    if (len == 0) {
        return;
    }
    assert(call->state == CALL_BODY);
    client_conn_consume(conn, len);
    read_body(conn);
    if (call->state != CALL_BODY) {
        tell_later(call);
    }
}

bool client_body_done(const struct client_call *call)
{
    return call->state == CALL_DONE;
}

void client_cancel(struct client_call *call)
{
    line_leave(call);
    if (call->conn != NULL) {
        release(call->conn);
        call->conn = NULL;
    }
    call->state = CALL_IDLE;
}

void client_again(struct client_call *call)
{
    tell_later(call);
}

/* ---- A connection for a call ---------------------------------------------------------------- */

/* False when there is none: all slots are busy, or all that may be encrypted. */
static bool assign(struct client_call *call)
{
    struct client *client = call->client;
    struct client_conn *conn = client_slots_take_idle(client, &call->request.target);
    if (conn != NULL) {
        client->reused++;
        conn->reused = true;
        attach(conn, call);
        begin_request(conn);
        return true;
    }
    conn = client_slots_take(client, &call->request.target);
    if (conn == NULL) {
        return false;
    }
    conn->reused = false;
    attach(conn, call);
    open_conn(conn);
    return true;
}

static void attach(struct client_conn *conn, struct client_call *call)
{
    conn->call = call;
    call->conn = conn;
}

static void open_conn(struct client_conn *conn)
{
    struct client *client = conn->client;
    uint32_t ip4;
    conn->state = BACKEND_RESOLVING;
    conn->flush_due = false;
    client->opened++;
    int result = net_resolve(client->net, conn->target.name, &ip4, on_resolved, conn);
    if (result < 0) {
        fail(conn->call, result);
    } else if (result > 0) {
        connect_conn(conn, ip4);
    }
}

static void connect_conn(struct client_conn *conn, uint32_t ip4)
{
    struct client *client = conn->client;
    conn->state = BACKEND_CONNECTING;
    int err = conn->target.tls ? client->connect_tls(client->connect_tls_ctx, &conn->target, ip4,
                                                     conn, conn_step, &conn->transport)
                               : net_connect(client->net, ip4, conn->target.port, conn, conn_step,
                                             &conn->transport);
    if (err != LIMPET_OK) {
        conn->transport = NULL;
        fail(conn->call, err);
    }
}

static void on_resolved(void *ctx, int err, uint32_t ip4)
{
    struct client_conn *conn = ctx;
    struct client_call *call = conn->call;
    assert(conn->state == BACKEND_RESOLVING);
    if (err != LIMPET_OK) {
        fail(call, err);
    } else {
        connect_conn(conn, ip4);
    }
    if (call->state == CALL_FAILED) {
        tell(call);
    }
}

static bool has_body(const struct client_request *request)
{
    return request->framing == FRAMING_CHUNKED ||
           (request->framing == FRAMING_LENGTH && request->length > 0);
}

/* The head goes out at once, or with the first bytes of the body if the caller has some. */
static void begin_request(struct client_conn *conn)
{
    struct client_call *call = conn->call;
    conn->state = BACKEND_BUSY;
    conn->spoiled = false;
    conn->flush_due = false;
    conn->interim_count = 0;
    conn->frame_len = 0;
    conn->frame_sent = 0;
    conn->chunk_left = 0;
    conn->head_len = 0;
    conn->head_scanned = 0;
    int err = client_conn_compose(conn);
    if (err != LIMPET_OK) {
        fail(call, err);
        return;
    }
    (void)client_conn_send(conn);
    if (has_body(&call->request)) {
        call->state = CALL_SENDING;
        want_flush(conn);
    } else {
        call->state = CALL_HEAD_DUE;
        flush(conn);
    }
}

/* ---- Steps: the one place where events of the network change a call ------------------------- */

/* `event` comes last: it may cancel the call, and start another that takes this connection. */
static void conn_step(void *owner, struct transport *t)
{
    struct client_conn *conn = owner;
    struct client *client = conn->client;
    assert(conn->transport == t);
    (void)t;
    client->stepping = conn;
    if (conn->state == BACKEND_IDLE) {
        idle_step(conn);
    } else if (conn->state == BACKEND_CONNECTING) {
        connecting_step(conn);
    } else {
        busy_step(conn);
    }
    client->stepping = NULL;
    if (conn->transport != NULL && conn->flush_due) {
        flush(conn);
    }
}

/* Whatever a peer says without being asked, it is not the answer to the next request. */
static void idle_step(struct client_conn *conn)
{
    if (!client_conn_is_reusable(conn)) {
        client_slots_close(conn);
    }
}

static void connecting_step(struct client_conn *conn)
{
    struct client_call *call = conn->call;
    if (conn->transport->state == TRANSPORT_OPEN) {
        begin_request(conn);
    } else if (conn->transport->state == TRANSPORT_FAILED) {
        fail(call, conn->transport->err);
    }
    if (call->state == CALL_SENDING || call->state == CALL_FAILED) {
        tell(call);
    }
}

static void busy_step(struct client_conn *conn)
{
    struct client_call *call = conn->call;
    if (call->state == CALL_DONE) {
        return;
    }
    if (call->state == CALL_BODY) {
        read_body(conn);
    } else {
        answer_step(conn);
    }
    if (call->state != CALL_HEAD_DUE && call->state != CALL_WAITING) {
        tell(call);
    }
}

/* An answer that comes while the request is still being sent counts; the rest is not sent. */
static void answer_step(struct client_conn *conn)
{
    struct client_call *call = conn->call;
    bool sent = client_conn_send(conn) && call->state == CALL_HEAD_DUE;
    int result = client_conn_read_head(conn);
    if (result < 0) {
        fail(call, result);
    } else if (result > 0) {
        conn->spoiled = conn->spoiled || !sent;
        call->state = CALL_BODY;
        read_body(conn);
    } else if (client_conn_is_over(conn)) {
        if (may_repeat(conn)) {
            repeat(conn);
        } else {
            call->outdated = is_outdated(conn);
            fail(call, client_conn_end_err(conn));
        }
    }
}

/* The peer may have closed an idle connection just before it saw the request (RFC 9112
 * section 9.3.1). */
static bool is_outdated(const struct client_conn *conn)
{
    return conn->reused && conn->head_len == 0 && conn->interim_count == 0;
}

static bool may_repeat(const struct client_conn *conn)
{
    const struct client_call *call = conn->call;
    bool body_is_here =
        !has_body(&call->request) || (call->state == CALL_SENDING && call->written == 0);
    return is_outdated(conn) && !call->repeated && call->request.safe_to_repeat && body_is_here;
}

static void repeat(struct client_conn *conn)
{
    transport_close(conn->transport);
    conn->transport = NULL;
    conn->reused = false;
    conn->call->repeated = true;
    conn->call->state = CALL_WAITING;
    open_conn(conn);
}

static void read_body(struct client_conn *conn)
{
    int result = client_conn_read_body(conn);
    if (result > 0) {
        conn->call->state = CALL_DONE;
    } else if (result < 0) {
        fail(conn->call, result);
    }
}

/* Many small writes make one segment: they are flushed after the step, or in the next turn. */
static void want_flush(struct client_conn *conn)
{
    conn->flush_due = true;
    if (conn->client->stepping != conn) {
        transport_again(conn->transport);
    }
}

static void flush(struct client_conn *conn)
{
    conn->flush_due = false;
    transport_flush(conn->transport);
}

/* ---- The end of a connection, or of its call ------------------------------------------------ */

/* The call is canceled, or has all it wants. */
static void release(struct client_conn *conn)
{
    bool done = conn->call->state == CALL_DONE;
    if (conn->state == BACKEND_RESOLVING) {
        net_resolve_cancel(conn->client->net, on_resolved, conn);
    }
    if (done && client_conn_is_reusable(conn)) {
        client_slots_keep(conn);
    } else if (done) {
        transport_close(conn->transport);
        client_slots_give(conn);
    } else {
        drop(conn);
    }
}

/* In the middle of something: the peer need not go on. */
static void drop(struct client_conn *conn)
{
    if (conn->transport != NULL) {
        transport_abort(conn->transport);
    }
    client_slots_give(conn);
}

static void fail(struct client_call *call, int err)
{
    assert(err < 0);
    if (call->conn != NULL) {
        drop(call->conn);
        call->conn = NULL;
    }
    call->state = CALL_FAILED;
    call->err = err;
}

/* ---- Events and the waiting line ------------------------------------------------------------ */

static void tell(struct client_call *call)
{
    line_leave(call);
    call->request.event(call->request.ctx, call);
}

/* From outside of a step: the caller may be in the middle of something. */
static void tell_later(struct client_call *call)
{
    if (call->line == NULL) {
        line_push(&call->client->due, call);
        client_kick(call->client);
    }
}

/* A deadline in the past: the timers of this turn, or of the next which then does not wait. */
void client_kick(struct client *client)
{
    timer_set(client->timers, &client->kick, 0, on_kick, client);
}

static void on_kick(struct timer *timer, void *ctx, uint64_t now_ns)
{
    struct client *client = ctx;
    (void)timer;
    (void)now_ns;
    for (size_t n = client->due.len; n > 0 && client->due.first != NULL; n--) {
        tell(client->due.first);
    }
    serve_waiting(&client->waiting_tls); /* these cannot take all slots */
    serve_waiting(&client->waiting);
    if (client->due.first != NULL) {
        client_kick(client);
    }
}

static void serve_waiting(struct client_line *line)
{
    while (line->first != NULL) {
        struct client_call *call = line->first;
        line_leave(call);
        if (!assign(call)) {
            line_push_front(line, call);
            return;
        }
        if (call->state == CALL_FAILED || call->state == CALL_SENDING) {
            tell_later(call);
        }
    }
}

static void line_push(struct client_line *line, struct client_call *call)
{
    assert(call->line == NULL);
    call->line = line;
    call->next = NULL;
    if (line->last == NULL) {
        line->first = call;
    } else {
        line->last->next = call;
    }
    line->last = call;
    line->len++;
}

static void line_push_front(struct client_line *line, struct client_call *call)
{
    assert(call->line == NULL);
    call->line = line;
    call->next = line->first;
    if (line->first == NULL) {
        line->last = call;
    }
    line->first = call;
    line->len++;
}

static void line_leave(struct client_call *call)
{
    struct client_line *line = call->line;
    if (line == NULL) {
        return;
    }
    struct client_call *before = NULL;
    for (struct client_call *c = line->first; c != call; c = c->next) {
        before = c;
    }
    if (before == NULL) {
        line->first = call->next;
    } else {
        before->next = call->next;
    }
    if (line->last == call) {
        line->last = before;
    }
    line->len--;
    call->line = NULL;
    call->next = NULL;
}
