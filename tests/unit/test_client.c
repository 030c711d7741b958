/* The HTTP client, one call at a time: every split and break of the answer and of the request. */
#include "client_world.h"

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

/* ---- Request bodies ------------------------------------------------------------------------- */

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
    test_request_bodies();
    test_empty_bodies();
    test_body_ends_early();
    test_push_from_outside();
    test_unread_body_stays();
    test_cut_body_read_from_outside();
    test_random();
    return check_result();
}
