/* What the tests of the HTTP client share: the client over scripted peers, and callers that record
 * what they are told. Every event inside a call of the API is an error. */
#ifndef UNIT_CLIENT_WORLD_H
#define UNIT_CLIENT_WORLD_H

#include "check.h"

#include "fakes/fake_net.h"
#include "web/client.h"

#include <stdlib.h>

#define CONNS 3
#define IP4 UINT32_C(0x0A000002)
#define CALLERS 8

/* ---- World ---------------------------------------------------------------------------------- */

static struct net net;
static struct log test_log;
static struct timers timers;
static struct timer *timer_heap[CONNS + 8];
static struct client client;
static struct client_conn conns[CONNS];
static uint64_t now_ns;
static bool in_api; /* the test calls the client: no event may come */

struct caller {
    struct client_call call;
    enum message_framing framing;
    const char *body; /* of the request */
    size_t body_len;
    size_t body_announced; /* LENGTH */
    bool to_head;
    bool unsafe;
    bool tls;
    bool hold;                 /* does not read the body */
    size_t head_pad;           /* bytes of a field added to the request */
    size_t cancel_at;          /* cancel in the event of that number, from 1; 0: never */
    struct caller *start_then; /* starts in the event that cancels */
    const char *name;
    /* What happened. */
    size_t events;
    size_t composed;
    size_t body_at;
    unsigned status;
    char got[8192];
    size_t got_len;
    size_t ended; /* events that came in DONE or FAILED */
};

static size_t log_lines;

static inline bool log_sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    (void)line;
    log_lines++;
    return true;
}

static inline void world_begin(void)
{
    log_init(&test_log, log_sink, NULL, LOG_DEBUG);
    now_ns = 1000;
    net_init(&net, &test_log, 0);
    fake_net.resolve_ip4 = IP4;
    timers_init(&timers, timer_heap, sizeof(timer_heap) / sizeof(timer_heap[0]));
    memset(conns, 0, sizeof(conns));
    client_init(&client, &net, &timers, &test_log, conns, CONNS);
    client_set_time(&client, now_ns);
}

static inline void drive(void)
{
    for (unsigned i = 0; i < 50; i++) {
        fake_net_run(&net);
        (void)timers_expire(&timers, now_ns, 100);
        if (net.ready_first == NULL && timers_next_ns(&timers) > now_ns) {
            break;
        }
    }
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        const struct fake_peer *peer = &fake_net.peers[i];
        CHECK(peer->aborted || fake_peer_flushed(peer));
    }
}

static inline void world_end(void)
{
    client_close_idle(&client);
    CHECK_EQ_UINT(client.used, 0);
    CHECK_EQ_UINT(net.used, 0);
    CHECK_EQ_UINT(client.waiting.len, 0);
    CHECK_EQ_UINT(client.due.len, 0);
    size_t free_count = 0;
    for (const struct client_conn *conn = client.free; conn != NULL; conn = conn->next) {
        CHECK_EQ_INT(conn->state, BACKEND_FREE);
        free_count++;
    }
    CHECK_EQ_UINT(free_count, CONNS);
    for (size_t i = 0; i < CONNS; i++) {
        CHECK(!timer_is_set(&conns[i].idle_timer));
    }
    fake_net_end();
}

/* ---- Caller --------------------------------------------------------------------------------- */

static inline void caller_compose(void *ctx, struct out *head)
{
    struct caller *c = ctx;
    c->composed++;
    out_text(head, c->to_head ? "HEAD" : c->framing == FRAMING_NONE ? "GET" : "PUT");
    out_text(head, " /x HTTP/1.1\r\nHost: h\r\n");
    if (c->head_pad > 0) {
        out_text(head, "Pad: ");
        for (size_t i = 0; i < c->head_pad; i++) {
            out_char(head, 'p');
        }
        out_text(head, "\r\n");
    }
}

static inline void caller_send(struct caller *c)
{
    while (c->call.state == CALL_SENDING && c->body_at < c->body_len) {
        size_t taken = client_write(&c->call, c->body + c->body_at, c->body_len - c->body_at);
        c->body_at += taken;
        if (taken == 0) {
            return;
        }
    }
    if (c->call.state == CALL_SENDING) {
        client_write_end(&c->call);
        client_write_end(&c->call); /* no effect */
        CHECK_EQ_UINT(client_write(&c->call, "x", 1), 0);
    }
}

/* Takes a byte, then the rest of each span. */
static inline void caller_read(struct caller *c)
{
    for (;;) {
        struct slice span = client_peek(&c->call);
        if (span.len == 0) {
            return;
        }
        size_t len = c->got_len % 2 == 0 ? 1 : span.len;
        CHECK(c->got_len + len <= sizeof(c->got));
        memcpy(c->got + c->got_len, span.ptr, len);
        c->got_len += len;
        client_consume(&c->call, len);
    }
}

static inline void caller_start(struct caller *c);

static inline void caller_event(void *ctx, struct client_call *call)
{
    struct caller *c = ctx;
    CHECK(!in_api);
    CHECK(&c->call == call);
    CHECK(call->state != CALL_IDLE && call->state != CALL_WAITING);
    c->events++;
    c->ended += call->state == CALL_DONE || call->state == CALL_FAILED;
    if (c->events == c->cancel_at) {
        in_api = true;
        client_cancel(call);
        in_api = false;
        if (c->start_then != NULL) {
            caller_start(c->start_then);
        }
        return;
    }
    caller_send(c);
    if (call->state == CALL_BODY || call->state == CALL_DONE) {
        c->status = client_head(call)->status;
    }
    if (!c->hold) {
        caller_read(c);
    }
}

static inline void caller_start(struct caller *c)
{
    struct client_request request = {
        .target = {.name = slice_from_cstr(c->name == NULL ? "backend" : c->name),
                   .port = 80,
                   .tls = c->tls},
        .to_head = c->to_head,
        .safe_to_repeat = !c->unsafe,
        .framing = c->framing,
        .length = c->body_announced > 0 ? c->body_announced : c->body_len,
        .ctx = c,
        .compose = caller_compose,
        .event = caller_event,
    };
    bool was_in_api = in_api;
    in_api = true;
    client_start(&client, &c->call, &request);
    in_api = was_in_api;
}

static inline void caller_cancel(struct caller *c)
{
    in_api = true;
    client_cancel(&c->call);
    client_cancel(&c->call); /* no effect */
    in_api = false;
    CHECK_EQ_INT(c->call.state, CALL_IDLE);
}

static inline struct fake_peer *peer_of(const struct caller *c)
{
    return c->call.conn->transport->pcb;
}

/* Starts, and lets the connection come up. */
static inline struct fake_peer *caller_connect(struct caller *c)
{
    size_t before = fake_net.peers_len;
    caller_start(c);
    if (fake_net.peers_len > before) {
        fake_peer_connected(fake_net_latest());
    }
    drive();
    return c->call.conn == NULL ? fake_net_latest() : peer_of(c);
}

static inline void check_out(struct fake_peer *peer, const char *want)
{
    CHECK_EQ_TEXT(peer->out, peer->out_len, want);
    fake_peer_forget_out(peer);
}

#define GET_HEAD "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define PUT_HEAD "PUT /x HTTP/1.1\r\nHost: h\r\n"

#define BODY "The quick brown fox jumps over the lazy dog."

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A whole exchange; the connection is idle afterwards. */
static inline struct fake_peer *exchange(const char *name)
{
    struct caller c = {.name = name};
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_forget_out(peer);
    fake_peer_text(peer, OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    caller_cancel(&c);
    return peer;
}

static inline bool has_slot(const struct caller *c)
{
    return c->call.conn != NULL;
}

#endif
