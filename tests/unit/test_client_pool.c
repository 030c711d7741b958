/* The HTTP client's connections: reuse, stale ones, the waiting line, and every way out of a call.
 */
#include "client_world.h"

/* ---- Reuse ---------------------------------------------------------------------------------- */

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
    CHECK(!c.call.outdated);
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
        CHECK_EQ_INT(c.call.outdated, why != 1);
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

static int connect_tls(void *ctx, const struct client_target *target, uint32_t ip4, void *owner,
                       transport_step_fn step, struct transport **t)
{
    (void)ctx;
    return net_connect(&net, ip4, target->port, owner, step, t);
}

/* With one encrypted connection: calls take it in turn, an idle one makes room for another target,
 * and plain calls pass those that wait. */
static void test_encrypted_in_turn(void)
{
    struct caller first = {.name = "a", .tls = true};
    struct caller second = {.name = "b", .tls = true};
    struct caller third = {.name = "a", .tls = true};
    struct caller plain = {.name = "c"};
    world_begin();
    client_set_connector(&client, connect_tls, NULL, 1);
    caller_start(&first);
    caller_start(&second);
    caller_start(&third);
    caller_start(&plain);
    CHECK(has_slot(&first) && has_slot(&plain));
    CHECK(!has_slot(&second) && !has_slot(&third));
    CHECK_EQ_UINT(client.tls_used, 1);
    serve(&plain);
    serve(&first);
    CHECK(has_slot(&second) && !has_slot(&third)); /* the idle one to "a" is closed for it */
    serve(&second);
    serve(&third);
    CHECK_EQ_UINT(client.opened, 4);
    CHECK_EQ_UINT(client.tls_used, 1);
    client_close_idle(&client);
    CHECK_EQ_UINT(client.tls_used, 0);
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

int main(void)
{
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
    test_cannot_start();
    test_head_does_not_fit();
    test_resolve_later();
    test_connect_fails();
    test_line_order(true);
    test_line_order(false);
    test_encrypted_in_turn();
    test_line_is_fair();
    test_line_cancel();
    test_line_after_failures();
    test_line_with_body();
    test_cancel_in_events();
    test_restart_in_event();
    return check_result();
}
