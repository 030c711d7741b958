/* The HTTP client over scripted peers: every split, every break, every way out. */
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

static bool log_sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    (void)line;
    log_lines++;
    return true;
}

static void world_begin(void)
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

static void drive(void)
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

static void world_end(void)
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

static void caller_compose(void *ctx, struct out *head)
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

static void caller_send(struct caller *c)
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
static void caller_read(struct caller *c)
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

static void caller_start(struct caller *c);

static void caller_event(void *ctx, struct client_call *call)
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

static void caller_start(struct caller *c)
{
    struct client_request request = {
        .target = {.name = slice_from_cstr(c->name == NULL ? "backend" : c->name), .port = 80},
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

static void caller_cancel(struct caller *c)
{
    in_api = true;
    client_cancel(&c->call);
    client_cancel(&c->call); /* no effect */
    in_api = false;
    CHECK_EQ_INT(c->call.state, CALL_IDLE);
}

static struct fake_peer *peer_of(const struct caller *c)
{
    return c->call.conn->transport->pcb;
}

/* Starts, and lets the connection come up. */
static struct fake_peer *caller_connect(struct caller *c)
{
    size_t before = fake_net.peers_len;
    caller_start(c);
    if (fake_net.peers_len > before) {
        fake_peer_connected(fake_net_latest());
    }
    drive();
    return c->call.conn == NULL ? fake_net_latest() : peer_of(c);
}

static void check_out(struct fake_peer *peer, const char *want)
{
    CHECK_EQ_TEXT(peer->out, peer->out_len, want);
    fake_peer_forget_out(peer);
}

#define GET_HEAD "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define PUT_HEAD "PUT /x HTTP/1.1\r\nHost: h\r\n"

/* ---- Answers -------------------------------------------------------------------------------- */

struct answer {
    const char *text;
    unsigned status;
    const char *body;
    bool to_head;
    bool by_close; /* its end is the end of the connection */
    bool reusable;
};

static const struct answer answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", .reusable = true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", .reusable = true},
    {"HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n"
     "T: t\r\n\r\n",
     404, "abc0123456789", .reusable = true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", .reusable = true},
    {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", .by_close = true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye", 200, "bye",
     .reusable = false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", 200, "old", .reusable = false},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", .reusable = true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", .reusable = true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", .to_head = true, .reusable = true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
     "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
     201, "ok", .reusable = true},
};

static void check_complete(struct caller *c, const struct answer *answer)
{
    CHECK_EQ_INT(c->call.state, CALL_DONE);
    CHECK(client_body_done(&c->call));
    CHECK_EQ_UINT(c->ended, 1);
    CHECK_EQ_UINT(c->status, answer->status);
    CHECK_EQ_TEXT(c->got, c->got_len, answer->body);
    CHECK_EQ_UINT(client_peek(&c->call).len, 0);
}

/* One connection takes all splits, as long as it may be reused. */
static void test_answer_splits(const struct answer *answer, size_t piece)
{
    size_t len = strlen(answer->text);
    world_begin();
    for (size_t at = 0; at <= len; at++) {
        struct caller c = {.to_head = answer->to_head};
        struct fake_peer *peer = caller_connect(&c);
        peer->piece = piece;
        check_out(peer, answer->to_head ? "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n" : GET_HEAD);
        CHECK_EQ_INT(c.call.state, CALL_HEAD_DUE);
        fake_peer_send(peer, answer->text, at);
        drive();
        fake_peer_send(peer, answer->text + at, len - at);
        drive();
        if (answer->by_close) {
            CHECK_EQ_INT(c.call.state, CALL_BODY);
            fake_peer_eof(peer);
            drive();
        }
        check_complete(&c, answer);
        CHECK_EQ_UINT(client.used, 1);
        caller_cancel(&c);
        CHECK_EQ_UINT(client.used, answer->reusable ? 1 : 0);
        drive();
        CHECK_EQ_UINT(client.used, answer->reusable ? 1 : 0);
        CHECK_EQ_UINT(peer->unread_at_close, 0);
        CHECK(!peer->aborted);
    }
    CHECK_EQ_UINT(client.opened, answer->reusable ? 1 : len + 1);
    CHECK_EQ_UINT(client.reused, answer->reusable ? len : 0);
    world_end();
}

/* The peer breaks off behind byte `at`, by RST or by FIN. Whole is whole; everything else is an
 * error. */
static void test_answer_breaks(const struct answer *answer, size_t at, bool reset)
{
    size_t len = strlen(answer->text);
    struct caller c = {.to_head = answer->to_head};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_send(peer, answer->text, at);
    if (at % 2 == 0) {
        drive();
    }
    if (reset) {
        fake_peer_fail(peer, LIMPET_ERR_RESET);
    } else {
        fake_peer_eof(peer);
    }
    drive();
    bool in_body = strstr(answer->text, "\r\n\r\n") + 4 - answer->text <= (ptrdiff_t)at;
    if (at == len && !(answer->by_close && reset)) {
        check_complete(&c, answer);
    } else if (answer->by_close && in_body && !reset) {
        CHECK_EQ_INT(c.call.state, CALL_DONE); /* nobody can know */
    } else {
        CHECK_EQ_INT(c.call.state, CALL_FAILED);
        CHECK_EQ_INT(c.call.err, reset ? LIMPET_ERR_RESET : LIMPET_ERR_CLOSED);
        CHECK_EQ_UINT(c.ended, 1);
        CHECK_EQ_UINT(client.used, 0);
        CHECK_EQ_UINT(net.used, 0);
    }
    CHECK_EQ_UINT(c.composed, 1); /* a new connection is never stale */
    caller_cancel(&c);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

static void test_answers(void)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const struct answer *answer = &answers[i];
        for (size_t piece = 0; piece < 4; piece++) {
            test_answer_splits(answer, piece);
        }
        for (size_t at = 0; at <= strlen(answer->text); at++) {
            test_answer_breaks(answer, at, true);
            test_answer_breaks(answer, at, false);
        }
    }
}

/* ---- Answers that are refused --------------------------------------------------------------- */

static void check_refused(const char *text, size_t len, int err)
{
    struct caller c = {0};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_send(peer, text, len);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, err);
    CHECK_EQ_UINT(c.ended, 1);
    CHECK(peer->t == NULL);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

static void test_refused(void)
{
    static const char *const malformed[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/2 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        const char *text = malformed[i];
        struct caller c = {0};
        world_begin();
        struct fake_peer *peer = caller_connect(&c);
        fake_peer_text(peer, text);
        drive();
        if (c.call.state != CALL_FAILED) {
            fprintf(stderr, "not refused: %s\n", text);
        }
        CHECK_EQ_INT(c.call.state, CALL_FAILED);
        CHECK(c.call.err == LIMPET_ERR_SYNTAX || c.call.err == LIMPET_ERR_UNSUPPORTED);
        CHECK_EQ_UINT(client.used, 0);
        CHECK(peer->aborted);
        CHECK_EQ_UINT(log_lines, i + 1); /* one that says why */
        world_end();
    }
    static char text[LIMPET_HEAD_LEN_MAX * 2];
    size_t len = 0;
    memcpy(text, "HTTP/1.1 200 OK\r\n", 17);
    len = 17;
    while (len + 10 < sizeof(text)) {
        memcpy(text + len, "A: 123456\r\n", 11);
        len += 11;
        if (len > 11 * 50) { /* few fields, but long */
            memset(text + len, 'a', sizeof(text) - len);
            len = sizeof(text);
        }
    }
    check_refused(text, len, LIMPET_ERR_TOO_LONG);
    struct out out;
    out_init(&out, text, sizeof(text));
    for (unsigned i = 0; i < 100; i++) {
        out_text(&out, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    check_refused(text, out_slice(&out).len, LIMPET_ERR_SYNTAX);
}

/* ---- Reuse ---------------------------------------------------------------------------------- */

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A whole exchange; the connection is idle afterwards. */
static struct fake_peer *exchange(const char *name)
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

static void test_bytes_behind_the_answer(void)
{
    for (unsigned when = 0; when < 3; when++) {
        struct caller c = {0};
        world_begin();
        struct fake_peer *peer = caller_connect(&c);
        fake_peer_text(peer, when == 0 ? OK_ANSWER "HTTP/1.1 200 OK\r\n" : OK_ANSWER);
        drive();
        CHECK_EQ_INT(c.call.state, CALL_DONE);
        CHECK_EQ_TEXT(c.got, c.got_len, "ok");
        if (when == 1) {
            fake_peer_text(peer, "x");
            drive();
        }
        caller_cancel(&c);
        if (when == 2) { /* while it is idle */
            CHECK_EQ_UINT(client.used, 1);
            fake_peer_text(peer, "x");
            drive();
        }
        CHECK_EQ_UINT(client.used, 0);
        CHECK(peer->closed);
        world_end();
    }
}

static void test_idle_ends(void)
{
    for (unsigned how = 0; how < 4; how++) {
        world_begin();
        struct fake_peer *peer = exchange(NULL);
        CHECK_EQ_UINT(client.used, 1);
        if (how == 0) {
            fake_peer_eof(peer);
        } else if (how == 1) {
            fake_peer_fail(peer, LIMPET_ERR_RESET);
        } else if (how == 2) {
            now_ns += LIMPET_MS_TO_NS(LIMPET_BACKEND_IDLE_TIMEOUT_MS) - 1;
            drive();
            CHECK_EQ_UINT(client.used, 1);
            now_ns += 1;
        } else {
            fake_peer_grant(peer, 1); /* a step without news */
            drive();
            CHECK_EQ_UINT(client.used, 1);
            client_close_idle(&client);
        }
        drive();
        CHECK_EQ_UINT(client.used, 0);
        CHECK(peer->t == NULL);
        world_end();
    }
}

/* The peer's end arrived, but its step did not run yet. */
static void test_idle_ended_unseen(void)
{
    world_begin();
    struct fake_peer *first = exchange(NULL);
    fake_peer_eof(first);
    struct caller c = {0};
    caller_start(&c);
    CHECK(first->closed);
    CHECK_EQ_UINT(client.opened, 2);
    fake_peer_connected(fake_net_latest());
    drive();
    fake_peer_text(fake_net_latest(), OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    caller_cancel(&c);
    world_end();
}

static void test_targets_and_order(void)
{
    world_begin();
    struct fake_peer *a = exchange("a");
    struct fake_peer *b = exchange("b");
    CHECK(exchange("A") == a);
    CHECK_EQ_UINT(client.opened, 2);
    CHECK_EQ_UINT(client.reused, 1);
    struct fake_peer *c = exchange("c");
    CHECK_EQ_UINT(client.used, CONNS);
    CHECK(a->t != NULL && b->t != NULL && c->t != NULL);
    struct fake_peer *d = exchange("d"); /* takes the slot of b, idle for the longest time */
    CHECK(b->t == NULL || b == d);
    CHECK(a->t != NULL && c->t != NULL);
    CHECK_EQ_UINT(client.used, CONNS);
    CHECK_EQ_UINT(client.opened, 4);
    CHECK_EQ_UINT(client.waited, 0);
    world_end();
}

/* The last used one first: then the others may grow old. */
static void test_last_used_first(void)
{
    world_begin();
    struct caller callers[2] = {0};
    struct fake_peer *peers[2];
    for (size_t i = 0; i < 2; i++) {
        peers[i] = caller_connect(&callers[i]);
        fake_peer_forget_out(peers[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        fake_peer_text(peers[i], OK_ANSWER);
        drive();
        caller_cancel(&callers[i]);
    }
    struct caller c = {0};
    caller_start(&c);
    drive();
    check_out(peers[1], GET_HEAD);
    CHECK_EQ_UINT(peers[0]->out_len, 0);
    caller_cancel(&c); /* not answered: closed, not reused */
    CHECK(peers[1]->aborted);
    CHECK_EQ_UINT(client.used, 1);
    world_end();
}

/* ---- Stale connections ---------------------------------------------------------------------- */

static void test_stale_is_repeated(bool reset, size_t written)
{
    world_begin();
    struct fake_peer *old = exchange(NULL);
    struct caller c = {0};
    if (written > 0) {
        old->fail_at_out = written; /* breaks while the request is written */
    }
    caller_start(&c);
    CHECK_EQ_UINT(client.reused, 1);
    if (written == 0 && reset) {
        fake_peer_fail(old, LIMPET_ERR_RESET);
    } else if (written == 0) {
        fake_peer_eof(old);
    }
    drive();
    CHECK(old->t == NULL);
    CHECK_EQ_INT(c.call.state, CALL_WAITING);
    CHECK_EQ_UINT(c.events, 0);
    struct fake_peer *fresh = fake_net_latest();
    CHECK(fresh->t != NULL && fresh->t->state == TRANSPORT_CONNECTING);
    fake_peer_connected(fresh);
    drive();
    check_out(fresh, GET_HEAD);
    CHECK_EQ_UINT(c.composed, 2);
    fake_peer_text(fresh, OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    caller_cancel(&c);
    CHECK_EQ_UINT(client.used, 1);
    world_end();
}

static void test_stale_once_only(void)
{
    world_begin();
    struct fake_peer *old = exchange(NULL);
    struct caller c = {0};
    caller_start(&c);
    fake_peer_eof(old);
    drive();
    struct fake_peer *fresh = fake_net_latest();
    fake_peer_connected(fresh);
    drive();
    fake_peer_eof(fresh);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_CLOSED);
    CHECK_EQ_UINT(client.opened, 2);
    world_end();
}

static void test_stale_not_repeated(void)
{
    for (unsigned why = 0; why < 4; why++) {
        struct caller c = {.unsafe = why == 0};
        if (why == 2) {
            c.framing = FRAMING_LENGTH;
            c.body = "body";
            c.body_len = 4;
        } else if (why == 3) {
            c.framing = FRAMING_CHUNKED; /* empty, and its end was said */
        }
        world_begin();
        struct fake_peer *old = exchange(NULL);
        caller_start(&c);
        drive();
        if (why == 1) {
            fake_peer_text(old, "H"); /* it has begun to answer */
        }
        fake_peer_eof(old);
        drive();
        CHECK_EQ_INT(c.call.state, CALL_FAILED);
        CHECK_EQ_INT(c.call.err, LIMPET_ERR_CLOSED);
        CHECK_EQ_UINT(client.opened, 1);
        world_end();
    }
}

/* The head is out, not a byte of the body: it can be said again. */
static void test_stale_before_the_body(void)
{
    struct caller c = {.framing = FRAMING_LENGTH, .body = "body", .body_len = 4};
    world_begin();
    struct fake_peer *old = exchange(NULL);
    old->room = 10;
    caller_start(&c);
    drive();
    fake_peer_fail(old, LIMPET_ERR_RESET);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_WAITING);
    struct fake_peer *fresh = fake_net_latest();
    fake_peer_connected(fresh);
    drive();
    check_out(fresh, PUT_HEAD "Content-Length: 4\r\n\r\nbody");
    fake_peer_text(fresh, OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    caller_cancel(&c);
    world_end();
}

static void test_stale_and_no_new_one(void)
{
    world_begin();
    struct fake_peer *old = exchange(NULL);
    struct caller c = {0};
    caller_start(&c);
    fake_net.connect_err = LIMPET_ERR_FULL;
    fake_peer_eof(old);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_FULL);
    CHECK_EQ_UINT(c.ended, 1);
    world_end();
}

/* ---- Request bodies ------------------------------------------------------------------------- */

#define BODY "The quick brown fox jumps over the lazy dog."

/* Undoes the chunks; the framing is checked on the way. */
static size_t dechunk(const char *text, size_t len, char *body)
{
    size_t at = 0;
    size_t body_len = 0;
    for (;;) {
        char *end;
        size_t size = (size_t)strtoul(text + at, &end, 16);
        CHECK(end > text + at && memcmp(end, "\r\n", 2) == 0);
        at = (size_t)(end - text) + 2;
        memcpy(body + body_len, text + at, size);
        body_len += size;
        at += size;
        CHECK(at + 2 <= len && memcmp(text + at, "\r\n", 2) == 0);
        at += 2;
        if (size == 0 || at >= len) {
            CHECK_EQ_UINT(at, len);
            return body_len;
        }
    }
}

static void check_request(struct fake_peer *peer, const struct caller *c)
{
    char body[256];
    const char *framing = c->framing == FRAMING_CHUNKED ? "Transfer-Encoding: chunked\r\n\r\n"
                                                        : "Content-Length: 44\r\n\r\n";
    size_t head_len = strlen(PUT_HEAD) + strlen(framing);
    CHECK(peer->out_len > head_len && memcmp(peer->out, PUT_HEAD, strlen(PUT_HEAD)) == 0);
    CHECK(memcmp(peer->out + strlen(PUT_HEAD), framing, strlen(framing)) == 0);
    const char *rest = peer->out + head_len;
    size_t rest_len = peer->out_len - head_len;
    peer->out[peer->out_len] = '\0';
    if (c->framing == FRAMING_CHUNKED) {
        rest_len = dechunk(rest, rest_len, body);
        rest = body;
    }
    CHECK_EQ_TEXT(rest, rest_len, BODY);
}

static void test_request_body(enum message_framing framing, size_t room, bool reused)
{
    struct caller c = {.framing = framing, .body = BODY, .body_len = strlen(BODY)};
    struct fake_peer *peer;
    world_begin();
    if (reused) {
        peer = exchange(NULL);
        peer->room = room;
        peer->room_again = room;
        caller_start(&c);
    } else {
        caller_start(&c);
        peer = fake_net_latest();
        peer->room = room;
        peer->room_again = room;
        fake_peer_connected(peer);
    }
    drive();
    CHECK_EQ_INT(c.call.state, CALL_HEAD_DUE);
    check_request(peer, &c);
    fake_peer_forget_out(peer);
    fake_peer_text(peer, OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    caller_cancel(&c);
    CHECK_EQ_UINT(client.used, 1);
    world_end();
}

/* The answer comes when `sent` bytes of the request are out; the rest is not sent any more. */
static void test_early_answer(enum message_framing framing, size_t sent)
{
    struct caller c = {.framing = framing, .body = BODY, .body_len = strlen(BODY)};
    world_begin();
    caller_start(&c);
    struct fake_peer *peer = fake_net_latest();
    peer->room = sent;
    fake_peer_connected(peer);
    drive();
    const struct client_conn *conn = c.call.conn;
    bool whole = c.call.state == CALL_HEAD_DUE && conn->frame_sent == conn->frame_len;
    fake_peer_text(peer, OK_ANSWER);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    CHECK_EQ_TEXT(c.got, c.got_len, "ok");
    CHECK_EQ_UINT(client_write(&c.call, "x", 1), 0);
    size_t out_len = peer->out_len;
    fake_peer_grant(peer, 10000);
    drive();
    CHECK_EQ_UINT(peer->out_len, out_len);
    caller_cancel(&c);
    CHECK_EQ_UINT(client.used, whole ? 1 : 0);
    world_end();
}

/* The wire breaks behind byte `at` of the request. */
static void test_request_breaks(enum message_framing framing, size_t at)
{
    struct caller c = {.framing = framing, .body = BODY, .body_len = strlen(BODY)};
    world_begin();
    caller_start(&c);
    struct fake_peer *peer = fake_net_latest();
    peer->fail_at_out = at;
    fake_peer_connected(peer);
    drive();
    if (c.call.state != CALL_FAILED) {
        fake_peer_fail(peer, LIMPET_ERR_RESET);
        drive();
    }
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_RESET);
    CHECK_EQ_UINT(c.ended, 1);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

static void test_request_bodies(void)
{
    const enum message_framing framings[] = {FRAMING_LENGTH, FRAMING_CHUNKED};
    for (size_t i = 0; i < 2; i++) {
        for (size_t room = 14; room < 150; room++) {
            test_request_body(framings[i], room, room % 2 == 0);
        }
        test_request_body(framings[i], SIZE_MAX, false);
        for (size_t at = 0; at < 150; at++) {
            test_early_answer(framings[i], at);
            test_request_breaks(framings[i], at);
        }
    }
    for (size_t room = 1; room < 14; room++) {
        test_request_body(FRAMING_LENGTH, room, false);
    }
}

static void test_empty_bodies(void)
{
    struct caller c = {.framing = FRAMING_LENGTH};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    CHECK_EQ_INT(c.call.state, CALL_HEAD_DUE);
    check_out(peer, PUT_HEAD "Content-Length: 0\r\n\r\n");
    caller_cancel(&c);
    struct caller chunked = {.framing = FRAMING_CHUNKED};
    peer = caller_connect(&chunked);
    CHECK_EQ_INT(chunked.call.state, CALL_HEAD_DUE);
    check_out(peer, PUT_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    caller_cancel(&chunked);
    world_end();
}

static void test_body_ends_early(void)
{
    struct caller c = {
        .framing = FRAMING_LENGTH, .body = "abc", .body_len = 3, .body_announced = 4};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_CLOSED);
    CHECK_EQ_UINT(c.ended, 1);
    CHECK(peer->aborted);
    world_end();
}

/* The body is pushed from outside of events, right after the start on a reused connection. */
static void test_push_from_outside(void)
{
    struct caller c = {.framing = FRAMING_LENGTH, .body = BODY, .body_len = strlen(BODY)};
    world_begin();
    struct fake_peer *peer = exchange(NULL);
    caller_start(&c);
    CHECK_EQ_INT(c.call.state, CALL_SENDING);
    in_api = true;
    caller_send(&c);
    in_api = false;
    drive();
    check_request(peer, &c);
    caller_cancel(&c);
    world_end();
}

/* ---- Back-pressure -------------------------------------------------------------------------- */

static void test_unread_body_stays(void)
{
    struct caller c = {.hold = true};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    drive();
    CHECK_EQ_INT(c.call.state, CALL_BODY);
    CHECK_EQ_UINT(peer->in_len - peer->in_used, 5);
    struct slice span = client_peek(&c.call);
    CHECK_EQ_TEXT(span.ptr, span.len, "01234");
    client_consume(&c.call, 2);
    CHECK_EQ_UINT(peer->in_len - peer->in_used, 3);
    span = client_peek(&c.call);
    CHECK_EQ_TEXT(span.ptr, span.len, "234");
    size_t events = c.events;
    fake_peer_text(peer, "56789");
    drive();
    CHECK(c.events > events);
    CHECK_EQ_INT(c.call.state, CALL_BODY);
    fake_peer_eof(peer);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_BODY); /* it is all there, and can be read */
    in_api = true;                         /* outside of events: the end is told later */
    caller_read(&c);
    in_api = false;
    CHECK_EQ_TEXT(c.got, c.got_len, "23456789");
    CHECK_EQ_INT(c.call.state, CALL_DONE);
    events = c.events;
    drive();
    CHECK_EQ_UINT(c.events, events + 1);
    CHECK_EQ_UINT(c.ended, 1);
    caller_cancel(&c);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

static void test_cut_body_read_from_outside(void)
{
    struct caller c = {.hold = true};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    fake_peer_fail(peer, LIMPET_ERR_RESET);
    drive();
    CHECK_EQ_INT(c.call.state, CALL_BODY);
    in_api = true;
    caller_read(&c);
    in_api = false;
    CHECK_EQ_TEXT(c.got, c.got_len, "01234");
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_RESET);
    CHECK_EQ_UINT(c.ended, 0);
    drive();
    CHECK_EQ_UINT(c.ended, 1);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

/* ---- Failures before the request ------------------------------------------------------------ */

static void check_fails(struct caller *c, int err)
{
    caller_start(c);
    CHECK_EQ_UINT(c->events, 0);
    CHECK_EQ_INT(c->call.state, CALL_FAILED);
    drive();
    CHECK_EQ_UINT(c->events, 1);
    CHECK_EQ_INT(c->call.err, err);
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

static void test_cannot_start(void)
{
    struct caller c = {0};
    world_begin();
    fake_net.resolve = FAKE_RESOLVE_NEVER;
    fake_net.resolve_err = LIMPET_ERR_RESOLVE;
    check_fails(&c, LIMPET_ERR_RESOLVE);

    struct caller full = {0};
    world_begin();
    fake_net.connect_err = LIMPET_ERR_FULL;
    check_fails(&full, LIMPET_ERR_FULL);

    struct caller canceled = {0};
    world_begin();
    fake_net.connect_err = LIMPET_ERR_FULL;
    caller_start(&canceled);
    caller_cancel(&canceled); /* before it was told */
    drive();
    CHECK_EQ_UINT(canceled.events, 0);
    world_end();

    struct caller tls = {0};
    world_begin();
    struct client_request request = {.target = {.name = SLICE_LIT("x"), .port = 443, .tls = true},
                                     .ctx = &tls,
                                     .compose = caller_compose,
                                     .event = caller_event};
    client_start(&client, &tls.call, &request);
    drive();
    CHECK_EQ_INT(tls.call.err, LIMPET_ERR_UNSUPPORTED);
    CHECK_EQ_UINT(tls.events, 1);
    world_end();
}

static void test_head_does_not_fit(void)
{
    struct caller c = {.head_pad = LIMPET_HEAD_OUT_LEN_MAX};
    world_begin();
    (void)caller_connect(&c);
    CHECK_EQ_INT(c.call.state, CALL_FAILED);
    CHECK_EQ_INT(c.call.err, LIMPET_ERR_TOO_LONG);
    CHECK_EQ_UINT(c.ended, 1);
    (void)exchange(NULL); /* and on a reused one, inside client_start */
    struct caller again = {.head_pad = LIMPET_HEAD_OUT_LEN_MAX};
    caller_start(&again);
    CHECK_EQ_UINT(again.events, 0);
    drive();
    CHECK_EQ_INT(again.call.err, LIMPET_ERR_TOO_LONG);
    CHECK_EQ_UINT(again.ended, 1);
    world_end();
}

static void test_resolve_later(void)
{
    for (unsigned how = 0; how < 4; how++) {
        struct caller c = {0};
        world_begin();
        fake_net.resolve = FAKE_RESOLVE_LATER;
        caller_start(&c);
        CHECK_EQ_INT(c.call.state, CALL_WAITING);
        CHECK_EQ_UINT(client.used, 1);
        if (how == 0) {
            caller_cancel(&c);
            CHECK(fake_net.waiting == NULL);
        } else if (how == 1) {
            fake_net_resolved(LIMPET_ERR_RESOLVE, 0);
            CHECK_EQ_INT(c.call.err, LIMPET_ERR_RESOLVE);
            CHECK_EQ_UINT(c.ended, 1);
        } else if (how == 2) {
            fake_net.connect_err = LIMPET_ERR_FULL;
            fake_net_resolved(LIMPET_OK, IP4);
            CHECK_EQ_INT(c.call.err, LIMPET_ERR_FULL);
            CHECK_EQ_UINT(c.ended, 1);
        } else {
            fake_net_resolved(LIMPET_OK, IP4);
            CHECK_EQ_UINT(fake_net_latest()->ip4, IP4);
            CHECK_EQ_UINT(fake_net_latest()->port, 80);
            CHECK_EQ_INT(c.call.state, CALL_WAITING);
            caller_cancel(&c); /* while connecting */
            CHECK(fake_net_latest()->aborted);
        }
        drive();
        CHECK_EQ_UINT(client.used, 0);
        world_end();
    }
}

static void test_connect_fails(void)
{
    const int errors[] = {LIMPET_ERR_REFUSED, LIMPET_ERR_TIMEOUT};
    for (size_t i = 0; i < 2; i++) {
        struct caller c = {0};
        world_begin();
        caller_start(&c);
        fake_peer_fail(fake_net_latest(), errors[i]);
        drive();
        CHECK_EQ_INT(c.call.state, CALL_FAILED);
        CHECK_EQ_INT(c.call.err, errors[i]);
        CHECK_EQ_UINT(c.ended, 1);
        CHECK_EQ_UINT(c.composed, 0);
        CHECK_EQ_UINT(client.used, 0);
        world_end();
    }
}

/* ---- Waiting line --------------------------------------------------------------------------- */

static bool has_slot(const struct caller *c)
{
    return c->call.conn != NULL;
}

/* Lets the connection come up if it is new, answers and takes the call back. */
static void serve(struct caller *c)
{
    CHECK(has_slot(c));
    if (peer_of(c)->t->state == TRANSPORT_CONNECTING) {
        fake_peer_connected(peer_of(c));
        drive();
    }
    fake_peer_text(peer_of(c), OK_ANSWER);
    drive();
    CHECK_EQ_INT(c->call.state, CALL_DONE);
    caller_cancel(c);
    drive();
}

static void test_line_order(bool same_target)
{
    static const char *const names[CALLERS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct caller callers[CALLERS] = {0};
    world_begin();
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].name = same_target ? "a" : names[i];
        caller_start(&callers[i]);
        CHECK_EQ_INT(callers[i].call.state, CALL_WAITING);
    }
    CHECK_EQ_UINT(client.waited, CALLERS - CONNS);
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK(has_slot(&callers[i]) == (i < CONNS));
    }
    drive();
    for (size_t i = 0; i < CALLERS; i++) {
        serve(&callers[i]);
        size_t next = i + CONNS;
        CHECK(next >= CALLERS || has_slot(&callers[next]));
        CHECK(next + 1 >= CALLERS || !has_slot(&callers[next + 1]));
    }
    CHECK_EQ_UINT(client.opened, same_target ? CONNS : CALLERS);
    CHECK_EQ_UINT(client.used_max, CONNS);
    world_end();
}

/* Who comes later waits behind, even if a slot has just become free. */
static void test_line_is_fair(void)
{
    struct caller callers[CONNS + 1] = {0};
    struct caller late = {0};
    world_begin();
    for (size_t i = 0; i <= CONNS; i++) {
        caller_start(&callers[i]);
    }
    caller_cancel(&callers[0]);
    caller_start(&late);
    CHECK(!has_slot(&late));
    drive();
    CHECK(has_slot(&callers[CONNS]));
    CHECK(!has_slot(&late));
    for (size_t i = 1; i <= CONNS; i++) {
        caller_cancel(&callers[i]);
    }
    drive();
    CHECK(has_slot(&late));
    caller_cancel(&late);
    world_end();
}

static void test_line_cancel(void)
{
    for (size_t gone = CONNS; gone < CALLERS; gone++) {
        struct caller callers[CALLERS] = {0};
        world_begin();
        for (size_t i = 0; i < CALLERS; i++) {
            caller_start(&callers[i]);
        }
        caller_cancel(&callers[gone]);
        CHECK_EQ_UINT(client.waiting.len, CALLERS - CONNS - 1);
        for (size_t i = 0; i < CALLERS; i++) {
            if (i != gone) {
                serve(&callers[i]);
            }
        }
        CHECK_EQ_UINT(callers[gone].events, 0);
        world_end();
    }
}

/* Failures hand the slot on as well. */
static void test_line_after_failures(void)
{
    struct caller callers[CALLERS] = {0};
    world_begin();
    for (size_t i = 0; i < CALLERS; i++) {
        caller_start(&callers[i]);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK(has_slot(&callers[i]));
        fake_peer_fail(peer_of(&callers[i]), LIMPET_ERR_REFUSED);
        drive();
        CHECK_EQ_INT(callers[i].call.err, LIMPET_ERR_REFUSED);
    }
    CHECK_EQ_UINT(client.used, 0);
    world_end();
}

/* Bodies are asked for when the turn comes, also on a connection that was idle. */
static void test_line_with_body(void)
{
    struct caller callers[CONNS + 1] = {0};
    world_begin();
    for (size_t i = 0; i <= CONNS; i++) {
        callers[i].framing = FRAMING_LENGTH;
        callers[i].body = BODY;
        callers[i].body_len = strlen(BODY);
        caller_start(&callers[i]);
    }
    for (size_t i = 0; i <= CONNS; i++) {
        serve(&callers[i]);
        CHECK_EQ_UINT(callers[i].body_at, strlen(BODY));
    }
    CHECK_EQ_UINT(client.opened, CONNS);
    world_end();
}

/* ---- Cancel inside events ------------------------------------------------------------------- */

static void run_canceled(const char *answer, enum message_framing framing, size_t at, bool restart)
{
    struct caller next = {0};
    struct caller c = {.framing = framing, .cancel_at = at, .start_then = restart ? &next : NULL};
    c.body = BODY;
    c.body_len = framing == FRAMING_NONE ? 0 : strlen(BODY);
    world_begin();
    struct fake_peer *peer = exchange(NULL);
    peer->piece = 3;
    caller_start(&c);
    drive();
    for (const char *byte = answer; *byte != '\0'; byte++) {
        fake_peer_send(peer, byte, 1);
        drive();
    }
    fake_peer_eof(peer);
    drive();
    size_t events = c.events;
    if (restart && c.events >= at && next.call.conn != NULL) {
        next.composed = 0;
        caller_cancel(&next);
    }
    drive();
    CHECK_EQ_UINT(c.events, events);
    CHECK(c.events <= at);
    caller_cancel(&c);
    caller_cancel(&next);
    world_end();
}

static void test_cancel_in_events(void)
{
    static const char *const texts[] = {
        OK_ANSWER,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t at = 1; at < 20; at++) {
            run_canceled(texts[i], FRAMING_NONE, at, false);
            run_canceled(texts[i], FRAMING_NONE, at, true);
            run_canceled(texts[i], FRAMING_LENGTH, at, false);
            run_canceled(texts[i], FRAMING_LENGTH, at, true);
        }
    }
}

/* As a redirect is followed: taken back in its last event, started again on the same connection. */
static void test_restart_in_event(void)
{
    struct caller next = {0};
    struct caller c = {0};
    world_begin();
    struct fake_peer *peer = caller_connect(&c);
    fake_peer_forget_out(peer);
    c.hold = true;
    c.cancel_at = 1;
    c.start_then = &next;
    fake_peer_text(peer, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    drive();
    CHECK_EQ_UINT(c.events, 1);
    CHECK_EQ_UINT(client.reused, 1);
    check_out(peer, GET_HEAD);
    fake_peer_text(peer, OK_ANSWER);
    drive();
    CHECK_EQ_INT(next.call.state, CALL_DONE);
    caller_cancel(&next);
    world_end();
}

/* ---- Everything at random ------------------------------------------------------------------- */

static uint32_t random_state = 1;

static size_t random_below(size_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

static void random_turn(struct caller *c)
{
    size_t what = random_below(10);
    if (c->call.state == CALL_IDLE) {
        *c = (struct caller){.unsafe = what == 1, .name = what % 2 == 0 ? "a" : "b"};
        if (what > 5) {
            c->framing = what > 7 ? FRAMING_LENGTH : FRAMING_CHUNKED;
            c->body = BODY;
            c->body_len = strlen(BODY);
        }
        caller_start(c);
    } else if (what == 0 || c->call.state == CALL_DONE || c->call.state == CALL_FAILED) {
        caller_cancel(c);
    } else if (has_slot(c) && c->call.conn->transport != NULL) {
        struct fake_peer *peer = peer_of(c);
        fake_peer_forget_out(peer);
        if (peer->t->state == TRANSPORT_CONNECTING && what < 8) {
            fake_peer_connected(peer);
        } else if (what == 8) {
            fake_peer_fail(peer, LIMPET_ERR_RESET);
        } else if (what == 9) {
            fake_peer_eof(peer);
        } else {
            const char *text = answers[random_below(sizeof(answers) / sizeof(answers[0]))].text;
            fake_peer_send(peer, text, what == 7 ? random_below(strlen(text)) : strlen(text));
        }
    }
}

static void test_random(void)
{
    for (unsigned round = 0; round < 300; round++) {
        static struct caller callers[CALLERS];
        memset(callers, 0, sizeof(callers));
        world_begin();
        for (unsigned turn = 0; turn < 60; turn++) {
            random_turn(&callers[random_below(CALLERS)]);
            if (random_below(3) == 0) {
                drive();
            }
            now_ns += LIMPET_MS_TO_NS(random_below(1000));
            client_set_time(&client, now_ns);
        }
        for (size_t i = 0; i < CALLERS; i++) {
            caller_cancel(&callers[i]);
        }
        drive();
        world_end();
    }
}

int main(void)
{
    test_answers();
    test_refused();
    test_bytes_behind_the_answer();
    test_idle_ends();
    test_idle_ended_unseen();
    test_targets_and_order();
    test_last_used_first();
    test_stale_is_repeated(true, 0);
    test_stale_is_repeated(false, 0);
    for (size_t at = 1; at <= strlen(GET_HEAD); at++) {
        test_stale_is_repeated(true, at);
    }
    test_stale_once_only();
    test_stale_not_repeated();
    test_stale_before_the_body();
    test_stale_and_no_new_one();
    test_request_bodies();
    test_empty_bodies();
    test_body_ends_early();
    test_push_from_outside();
    test_unread_body_stays();
    test_cut_body_read_from_outside();
    test_cannot_start();
    test_head_does_not_fit();
    test_resolve_later();
    test_connect_fails();
    test_line_order(true);
    test_line_order(false);
    test_line_is_fair();
    test_line_cancel();
    test_line_after_failures();
    test_line_with_body();
    test_cancel_in_events();
    test_restart_in_event();
    test_random();
    return check_result();
}
