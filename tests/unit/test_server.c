/* The server's life: answers in order, framing out, limits, deadlines, full slots, broken wires. */
#include "check.h"

#include "server_world.h"

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fake_peer *join_and_send(const char *text)
{
    world_begin();
    struct fake_peer *peer = world_join();
    fake_peer_text(peer, text);
    world_run();
    return peer;
}

static bool next_is(const struct fake_peer *peer, size_t *at, unsigned status, const char *body)
{
    static struct world_answer answer;
    bool right = CHECK(world_next_answer(peer, at, false, &answer));
    right = CHECK_EQ_UINT(answer.head.status, status) && right;
    return CHECK_EQ_TEXT(answer.body, answer.body_len, body) && right;
}

static bool answer_has(const struct fake_peer *peer, const char *text)
{
    struct slice out = slice_of(peer->out, peer->out_len);
    struct slice wanted = slice_from_cstr(text);
    for (size_t at = 0; at + wanted.len <= out.len; at++) {
        if (slice_starts_with(slice_skip(out, at), wanted)) {
            return true;
        }
    }
    return false;
}

/* ---- Answers in order ------------------------------------------------------------------------ */

static void a_connection_serves_many_requests(void)
{
    struct fake_peer *peer = join_and_send("");
    for (int i = 0; i < 50; i++) {
        fake_peer_forget_out(peer);
        fake_peer_text(peer, GET_HELLO);
        world_run();
        CHECK(world_got(peer, 200, "hello", false));
    }
    CHECK_EQ_UINT(world.server.used, 1);
    CHECK_EQ_UINT(world.timers.count, 1);
    world_end();
}

static const char pipeline[] = GET_HELLO
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "6\r\nfirst \r\n6;x=y\r\nsecond\r\n0\r\nT: u\r\n\r\n"
    "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
    "\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    "GET /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

static bool pipeline_is_answered(const struct fake_peer *peer)
{
    static struct world_answer answer;
    size_t at = 0;
    bool right = next_is(peer, &at, 200, "hello");
    right = next_is(peer, &at, 200, "first second") && right;
    right = CHECK(world_next_answer(peer, &at, true, &answer)) && right;
    right = CHECK_EQ_UINT(answer.head.content_length, world.big_len) && right;
    right = next_is(peer, &at, 200, "full") && right;
    right = CHECK_EQ_TEXT(world.body, world.body_len, "0123456789") && right;
    right = next_is(peer, &at, 204, "") && right;
    right = next_is(peer, &at, 200, "deaf") && right;
    right = CHECK(world_next_answer(peer, &at, false, &answer)) && right;
    right = CHECK_EQ_UINT(answer.body_len, world.big_len) && right;
    right = CHECK_EQ_UINT(at, peer->out_len) && right;
    right = CHECK(peer->closed && !peer->aborted) && right;
    return CHECK(world.requests == 7 && world.smuggled == 0) && right;
}

static void pipelined_requests_are_answered_in_order_at_every_split(void)
{
    size_t len = sizeof(pipeline) - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        world_begin();
        struct fake_peer *peer = world_join();
        fake_peer_send(peer, pipeline, cut);
        world_run();
        fake_peer_send(peer, pipeline + cut, len - cut);
        world_run();
        if (!pipeline_is_answered(peer)) {
            fprintf(stderr, "cut at %zu\n", cut);
        }
        world_end();
    }
}

static void pieces_and_room_of_any_size_make_no_difference(void)
{
    for (size_t piece = 1; piece < 80; piece += 3) {
        for (size_t room = 1; room < 400; room = room * 3 / 2 + 1) {
            world_begin();
            world.big_len = 300;
            struct fake_peer *peer = world_join();
            peer->piece = piece;
            peer->room = room;
            peer->room_again = room;
            fake_peer_send(peer, pipeline, sizeof(pipeline) - 1);
            world_run();
            if (!pipeline_is_answered(peer)) {
                fprintf(stderr, "piece %zu, room %zu\n", piece, room);
            }
            world_end();
        }
    }
}

static void work_of_one_turn_is_bounded(void)
{
    world_begin();
    struct fake_peer *peer = world_join();
    for (int i = 0; i < 100; i++) {
        fake_peer_text(peer, GET_HELLO);
    }
    (void)net_poll(&world.net, 10);
    CHECK(world.requests >= 1 && world.requests <= 4);
    CHECK(world.net.ready_first != NULL);
    world_run();
    CHECK_EQ_UINT(world.requests, 100);
    world_end();
}

static void an_answer_may_come_later(void)
{
    struct fake_peer *peer = join_and_send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n" GET_HELLO);
    CHECK_EQ_UINT(world.requests, 1);
    CHECK_EQ_UINT(peer->out_len, 0);
    world_wait(600000); /* nobody's deadline but the handler's */
    CHECK_EQ_UINT(world.gone, 0);
    world_answer_later();
    CHECK(fake_peer_flushed(peer));
    world_run();
    size_t at = 0;
    next_is(peer, &at, 200, "later");
    next_is(peer, &at, 200, "hello");
    CHECK_EQ_UINT(at, peer->out_len);
    world_end();
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static void heads_say_how_the_body_ends(void)
{
    struct fake_peer *peer = join_and_send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer_has(peer,
                     "HTTP/1.1 200 OK\r\nX-Test: yes\r\n"
                     "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5000\r\n\r\nabc"));
    world_end();
    peer = join_and_send("GET /chunks HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer_has(peer, "Transfer-Encoding: chunked\r\n\r\n3e8\r\nabc"));
    CHECK(answer_has(peer, "\r\n0\r\n\r\n"));
    CHECK(!answer_has(peer, "Connection:"));
    world_end();
    peer = join_and_send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer_has(peer, "Connection: close\r\n\r\nabc"));
    CHECK(!answer_has(peer, "Content-Length") && !answer_has(peer, "Transfer-Encoding"));
    CHECK(peer->closed);
    world_end();
    peer = join_and_send("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer_has(peer, "HTTP/1.1 204 No Content\r\n"));
    CHECK(!answer_has(peer, "Content-Length") && !answer_has(peer, "Transfer-Encoding"));
    world_end();
}

static void head_is_get_without_the_body(void)
{
    static const char *const paths[] = {"/hello", "/big", "/chunks", "/echo"};
    static char get_head[2048];
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[100];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        struct fake_peer *peer = join_and_send(text);
        static struct world_answer answer;
        size_t at = 0;
        CHECK(world_next_answer(peer, &at, false, &answer));
        strcpy(get_head, answer.head_text);
        world_end();
        snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        peer = join_and_send(text);
        CHECK_EQ_TEXT(peer->out, peer->out_len, get_head);
        CHECK(!peer->closed);
        world_end();
    }
}

static void http_1_0_gets_what_it_knows(void)
{
    struct fake_peer *peer = join_and_send("GET /chunks HTTP/1.0\r\n\r\n");
    CHECK(world_got(peer, 200, NULL, true));
    CHECK(!answer_has(peer, "Transfer-Encoding") && !answer_has(peer, "Content-Length"));
    world_end();
    peer = join_and_send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(world_got(peer, 200, NULL, true));
    world_end();
    peer = join_and_send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(world_got(peer, 200, "hello", false));
    CHECK(answer_has(peer, "\r\nConnection: keep-alive\r\n"));
    world_end();
    peer = join_and_send("GET /hello HTTP/1.0\r\n\r\n");
    CHECK(world_got(peer, 200, "hello", true));
    world_end();
}

static void a_head_that_is_too_long_gives_way_to_another(void)
{
    struct fake_peer *peer = join_and_send("GET /wide HTTP/1.1\r\nHost: a\r\n\r\n" GET_HELLO);
    size_t at = 0;
    next_is(peer, &at, 500, "wide");
    next_is(peer, &at, 200, "hello");
    world_end();
}

static void a_date_of_the_handler_stands_for_the_servers(void)
{
    struct fake_peer *peer = join_and_send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct server_conn *c = world.later;
    server_begin(c, 200, FRAMING_LENGTH, 2);
    server_field(c, SLICE_LIT("date"), SLICE_LIT("today"));
    CHECK_EQ_INT(server_head_end(c), LIMPET_OK);
    world_run();
    CHECK_EQ_TEXT(peer->out, peer->out_len,
                  "HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 2\r\n\r\n");
    world.later = NULL;
    fake_peer_fail(peer, LIMPET_ERR_RESET);
    world_run();
    world_end();
}

static void the_servers_own_fields_are_its_own(void)
{
    struct fake_peer *peer = join_and_send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct server_conn *c = world.later;
    server_begin(c, 200, FRAMING_LENGTH, 2);
    server_field(c, SLICE_LIT("content-LENGTH"), SLICE_LIT("77"));
    server_field(c, SLICE_LIT("Transfer-Encoding"), SLICE_LIT("chunked"));
    server_field(c, SLICE_LIT("Connection"), SLICE_LIT("upgrade"));
    server_field(c, SLICE_LIT("X"), SLICE_LIT("y\r\nZ: z"));
    CHECK_EQ_INT(server_head_end(c), LIMPET_OK);
    world_run(); /* the head does not wait for the body */
    CHECK_EQ_TEXT(peer->out, peer->out_len,
                  "HTTP/1.1 200 OK\r\nX: yZ: z\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                  "Content-Length: 2\r\n\r\n");
    CHECK_EQ_UINT(server_write(c, "ok", 2), 2);
    world.later = NULL;
    fake_peer_fail(peer, LIMPET_ERR_RESET);
    world_run();
    CHECK_EQ_UINT(world.gone, 1);
    world_end();
}

static void a_cut_answer_looks_cut(void)
{
    struct fake_peer *peer = join_and_send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n" GET_HELLO);
    CHECK(peer->aborted);
    CHECK(!answer_has(peer, "\r\n0\r\n\r\n"));
    CHECK_EQ_UINT(world.requests, 1);
    world_end();
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

#define EXPECT(path)                                                                               \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"

static void leave_to_send_is_given_when_the_body_is_wanted(void)
{
    struct fake_peer *peer = join_and_send(EXPECT("/full"));
    CHECK_EQ_TEXT(peer->out, peer->out_len, "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(fake_peer_flushed(peer));
    fake_peer_text(peer, "abc");
    world_run();
    CHECK(world_got(peer, 200, "full", false));
    world_end();
    /* It has come already. */
    peer = join_and_send(EXPECT("/full") "abc");
    CHECK(world_got(peer, 200, "full", false));
    CHECK(!answer_has(peer, "100 Continue"));
    world_end();
    /* Nobody wants it, and nobody knows whether it comes. */
    peer = join_and_send(EXPECT("/deaf"));
    CHECK(world_got(peer, 200, "deaf", true));
    world_end();
    /* Room for one byte at a time. */
    world_begin();
    peer = world_join();
    peer->room = 1;
    peer->room_again = 1;
    fake_peer_text(peer, EXPECT("/full"));
    world_run();
    fake_peer_text(peer, "abc" GET_HELLO);
    world_run();
    size_t at = 0;
    next_is(peer, &at, 100, "");
    next_is(peer, &at, 200, "full");
    next_is(peer, &at, 200, "hello");
    world_end();
}

static void a_body_has_a_limit(void)
{
    world.options = (struct server_options){3000, 10000, 60000, 5, "[TEST]", 0, 0, 0};
    struct fake_peer *peer =
        join_and_send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    CHECK(world_got(peer, 413, NULL, true));
    CHECK_EQ_UINT(world.requests, 0);
    world_end();
    static const char *const chunks[] = {"6\r\nabcdef\r\n0\r\n\r\n", "5\r\nabcde\r\n1\r\nf\r\n",
                                         "3\r\nabc\r\n7fffffffffffffff\r\n"};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        world.options = (struct server_options){3000, 10000, 60000, 5, "[TEST]", 0, 0, 0};
        peer =
            join_and_send("POST /full HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        fake_peer_text(peer, chunks[i]);
        world_run();
        CHECK(world_got(peer, 413, NULL, true));
        CHECK_EQ_INT(world.gone_err, LIMPET_ERR_TOO_LONG);
        world_end();
    }
    world.options = (struct server_options){3000, 10000, 60000, 5, "[TEST]", 0, 0, 0};
    peer = join_and_send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
                         "POST /full HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "5\r\nabcde\r\n0\r\n\r\n");
    size_t at = 0;
    next_is(peer, &at, 200, "full");
    next_is(peer, &at, 200, "full");
    world_end();
}

static void bad_chunks_are_told_to_both_sides(void)
{
    struct fake_peer *peer = join_and_send("POST /full HTTP/1.1\r\nHost: a\r\n"
                                           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    CHECK_EQ_UINT(world.owned, 1);
    fake_peer_text(peer, "zz\r\n");
    world_run();
    CHECK(world_got(peer, 400, NULL, true));
    CHECK_EQ_UINT(world.gone, 1);
    CHECK_EQ_INT(world.gone_err, LIMPET_ERR_SYNTAX);
    world_end();
    /* In one piece: nobody hears of it, even who would not have read the body. */
    peer = join_and_send("POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nab\r\n+\r\n");
    CHECK(world_got(peer, 400, NULL, true));
    CHECK_EQ_UINT(world.requests, 0);
    world_end();
    /* Later: the connection has ended with the answer, at the latest. */
    peer = join_and_send("POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_peer_text(peer, "3\r\nabcX\r\n0\r\n\r\n" GET_HELLO);
    world_run();
    CHECK(peer->closed && world.requests == 1);
    world_end();
    /* The answer had begun: it must not look complete. */
    peer = join_and_send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n");
    fake_peer_text(peer, "zz\r\n");
    world_run();
    CHECK(peer->aborted && world.gone == 1);
    CHECK(answer_has(peer, "abc") && !answer_has(peer, "\r\n0\r\n\r\n"));
    world_end();
}

static void a_body_that_nobody_reads_is_read_away(void)
{
    static char body[2 * LIMPET_DRAIN_LEN_MAX];
    memset(body, 'x', sizeof(body));
    struct fake_peer *peer = join_and_send(
        "POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n");
    CHECK(world_got(peer, 200, "deaf", false));
    fake_peer_send(peer, body, 65536);
    fake_peer_text(peer, "\r\n0\r\n\r\n" GET_HELLO);
    world_run();
    size_t at = 0;
    next_is(peer, &at, 200, "deaf");
    next_is(peer, &at, 200, "hello");
    world_end();
    /* Too much: the connection ends. */
    peer = join_and_send(
        "POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n");
    fake_peer_send(peer, body, sizeof(body));
    world_run();
    CHECK(peer->closed && world.server.used == 0);
    world_end();
    /* Known beforehand: the answer says so. */
    peer = join_and_send("POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    CHECK(world_got(peer, 200, "deaf", true));
    world_end();
    /* Never comes. */
    peer = join_and_send("POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    world_wait(10300);
    CHECK(peer->closed);
    world_end();
}

static void back_pressure_reaches_the_client(void)
{
    static char body[100000];
    memset(body, 'x', sizeof(body));
    world_begin();
    struct fake_peer *peer = world_join();
    peer->room = 1000;
    fake_peer_text(peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    fake_peer_send(peer, body, sizeof(body));
    world_run();
    CHECK(peer->out_len == 1000 && peer->in_used < 1200);
    fake_peer_grant(peer, SIZE_MAX);
    world_run();
    static struct world_answer answer;
    size_t at = 0;
    CHECK(world_next_answer(peer, &at, false, &answer));
    CHECK_EQ_UINT(at, peer->out_len);
    CHECK_EQ_UINT(peer->in_used, peer->in_len);
    world_end();
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

static void heads_have_a_deadline(void)
{
    struct fake_peer *peer = join_and_send("");
    world_wait(2900);
    CHECK(!peer->closed);
    world_wait(400);
    CHECK(peer->closed && peer->out_len == 0);
    world_end();
    peer = join_and_send("GET /hello HT");
    for (int i = 0; i < 28; i++) {
        world_wait(100);
        fake_peer_text(peer, "x"); /* slowly, for ever */
        if (i == 20) {
            CHECK(!peer->closed);
        }
    }
    world_wait(400);
    CHECK(world_got(peer, 408, NULL, true));
    world_end();
    /* The second head, too. */
    peer = join_and_send(GET_HELLO "GET");
    world_wait(3200);
    size_t at = 0;
    next_is(peer, &at, 200, "hello");
    next_is(peer, &at, 408, "head took too long\n");
    CHECK(peer->closed);
    world_end();
}

static void idle_connections_are_closed_in_silence(void)
{
    struct fake_peer *peer = join_and_send(GET_HELLO);
    world_wait(59900);
    CHECK(!peer->closed);
    fake_peer_forget_out(peer);
    fake_peer_text(peer, GET_HELLO);
    world_run();
    CHECK(world_got(peer, 200, "hello", false));
    world_wait(59900);
    CHECK(!peer->closed);
    fake_peer_forget_out(peer);
    world_wait(400);
    CHECK(peer->closed && peer->out_len == 0);
    world_end();
}

static void a_body_that_stalls_ends(void)
{
    struct fake_peer *peer =
        join_and_send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        world_wait(9000);
        fake_peer_text(peer, "x"); /* slow is not stalled */
        world_run();
    }
    CHECK_EQ_UINT(world.owned, 1);
    world_wait(10300);
    CHECK(world_got(peer, 408, NULL, true));
    CHECK(world.gone == 1 && world.gone_err == LIMPET_ERR_TIMEOUT);
    world_end();
}

static void a_reader_that_stalls_ends(void)
{
    static const char *const paths[] = {"/big", "/chunks", "/hello", "/close"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[100];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        world_begin();
        struct fake_peer *peer = world_join();
        peer->room = 50;
        fake_peer_text(peer, text);
        world_run();
        for (int turn = 0; turn < 20; turn++) {
            world_wait(9000);
            fake_peer_grant(peer, 1);
            world_run();
        }
        CHECK_EQ_UINT(peer->out_len, 70);
        CHECK(!peer->closed && !peer->aborted);
        world_wait(10300);
        CHECK(peer->aborted);
        CHECK_EQ_UINT(world.gone, paths[i][1] == 'h' ? 0 : 1);
        world_end();
    }
}

static void time_that_the_handler_takes_is_not_the_clients(void)
{
    struct fake_peer *peer = join_and_send("POST /later HTTP/1.1\r\nHost: a\r\n"
                                           "Content-Length: 5\r\n\r\n");
    world_wait(100000);
    CHECK(!peer->closed && world.gone == 0); /* it did not ask for the body */
    fake_peer_text(peer, "abcde");
    world_answer_later();
    world_run();
    CHECK(world_got(peer, 200, "later", false));
    world_end();
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static void the_longest_idle_connection_makes_room(void)
{
    struct fake_peer *peers[WORLD_CONNS + 2];
    world_begin();
    for (size_t i = 0; i < WORLD_CONNS; i++) {
        peers[i] = world_join();
        fake_peer_text(peers[i], GET_HELLO);
        world_run();
    }
    fake_peer_text(peers[0], GET_HELLO); /* 1 is idle for longest now */
    world_run();
    peers[3] = world_join();
    fake_peer_text(peers[3], GET_HELLO);
    world_run();
    CHECK(peers[1]->closed && !peers[0]->closed && !peers[2]->closed);
    CHECK(world_got(peers[3], 200, "hello", false));
    CHECK_EQ_UINT(world.server.purged, 1);
    /* 2 would be next, but its request is here: it is served, 0 goes. */
    peers[4] = world_join();
    fake_peer_text(peers[4], GET_HELLO);
    fake_peer_forget_out(peers[2]);
    fake_peer_text(peers[2], GET_HELLO);
    world_run();
    CHECK(peers[0]->closed && world_got(peers[2], 200, "hello", false));
    CHECK(world_got(peers[4], 200, "hello", false));
    CHECK_EQ_UINT(world.server.refused_busy, 0);
    world_end();
}

static void a_busy_server_says_so(void)
{
    struct fake_peer *peer = NULL;
    world_begin();
    for (size_t i = 0; i < WORLD_CONNS; i++) {
        peer = world_join();
        fake_peer_text(peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    world_run();
    struct fake_peer *late[LIMPET_REJECT_CONNS + 3];
    for (size_t i = 0; i < LIMPET_REJECT_CONNS; i++) {
        late[i] = world_join();
        CHECK(late[i] != NULL);
        fake_peer_text(late[i], GET_HELLO);
    }
    CHECK(world_join() == NULL); /* no more of them in one turn */
    world_run();
    for (size_t i = 0; i < LIMPET_REJECT_CONNS; i++) {
        CHECK(world_got(late[i], 503, "busy\n", true));
        CHECK(answer_has(late[i], "\r\nRetry-After: 1\r\n"));
    }
    CHECK_EQ_UINT(world.server.refused_busy, LIMPET_REJECT_CONNS + 1);
    CHECK_EQ_UINT(world.net.used, WORLD_CONNS);
    /* A slot is free again. */
    world_answer_later();
    world_run();
    peer = world_join();
    fake_peer_text(peer, GET_HELLO);
    world_run();
    CHECK(world_got(peer, 200, "hello", false));
    world_end();
}

static void who_waits_for_a_slot_may_go(void)
{
    world_begin();
    for (size_t i = 0; i < WORLD_CONNS; i++) {
        fake_peer_text(world_join(), "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    world_run();
    struct fake_peer *peer = world_join();
    fake_peer_fail(peer, LIMPET_ERR_RESET);
    world_run();
    CHECK(peer->aborted && world.server.waiting == 0);
    peer = world_join();
    peer->room = 10; /* not even for the 503 */
    world_run();
    CHECK(peer->aborted);
    world_end();
}

static void stopping_lets_requests_end(void)
{
    world_begin();
    struct fake_peer *idle = world_join();
    fake_peer_text(idle, GET_HELLO);
    struct fake_peer *fresh = world_join();
    struct fake_peer *busy = world_join();
    fake_peer_text(busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" GET_HELLO);
    world_run();
    struct fake_peer *late = world_join();
    server_stop(&world.server);
    server_stop(&world.server);
    CHECK(idle->closed && fresh->closed && !busy->closed);
    CHECK(world_join() == NULL);
    world_run();
    CHECK(late->aborted);
    CHECK_EQ_UINT(world.server.used, 1);
    world_answer_later();
    world_run();
    CHECK(world_got(busy, 200, "later", true));
    CHECK_EQ_UINT(world.server.used, 0);
    world_end();
}

/* ---- Broken wires ---------------------------------------------------------------------------- */

static void every_way_out_gives_the_slot_back(void)
{
    size_t len = sizeof(pipeline) - 1;
    for (size_t at = 1; at <= len; at++) {
        world_begin();
        struct fake_peer *peer = world_join();
        peer->fail_at_in = at;
        fake_peer_send(peer, pipeline, len);
        world_run();
        CHECK_EQ_UINT(world.server.used, 0);
        CHECK_EQ_UINT(world.owned, 0);
        world_end();
    }
    for (size_t at = 1; at <= 1500; at++) {
        world_begin();
        world.big_len = 300;
        struct fake_peer *peer = world_join();
        peer->fail_at_out = at;
        fake_peer_send(peer, pipeline, len);
        world_run();
        CHECK_EQ_UINT(world.server.used, 0);
        world_end();
    }
}

/* The client closes its side, or goes away, after each byte. */
static void clients_may_leave_at_any_time(void)
{
    size_t len = sizeof(pipeline) - 1;
    for (size_t at = 0; at < len; at++) {
        for (int reset = 0; reset <= 1; reset++) {
            world_begin();
            struct fake_peer *peer = world_join();
            fake_peer_send(peer, pipeline, at);
            if (reset) {
                world_run();
                fake_peer_fail(peer, LIMPET_ERR_RESET);
            } else {
                fake_peer_eof(peer);
            }
            world_run();
            CHECK_EQ_UINT(world.server.used, 0);
            CHECK_EQ_UINT(world.owned, 0);
            CHECK(reset || peer->closed || peer->aborted);
            world_end();
        }
    }
}

static void a_half_closed_client_gets_its_answer(void)
{
    struct fake_peer *peer = join_and_send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    fake_peer_eof(peer);
    world_run();
    CHECK(!peer->closed && world.owned == 1);
    world_answer_later();
    world_run();
    CHECK(answer_has(peer, "later") && peer->closed && !peer->aborted);
    world_end();
    peer = join_and_send("GET /hello HTTP/1.1\r\nHo");
    fake_peer_eof(peer);
    world_run();
    CHECK(world_got(peer, 400, NULL, true));
    world_end();
    peer = join_and_send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    fake_peer_eof(peer);
    world_run();
    CHECK(world_got(peer, 400, NULL, true));
    CHECK(world.gone == 1 && world.gone_err == LIMPET_ERR_CLOSED);
    world_end();
}

static void dates_are_right(void)
{
    static const struct {
        int64_t unix_s;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[MESSAGE_DATE_LEN];
        message_write_date(text, rows[i].unix_s);
        CHECK_EQ_TEXT(text, sizeof(text), rows[i].text);
        int64_t unix_s = -1;
        CHECK_EQ_INT(message_read_date(slice_of(text, sizeof(text)), &unix_s), LIMPET_OK);
        CHECK_EQ_INT(unix_s, rows[i].unix_s);
    }
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:3x GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t unix_s = -1;
        CHECK_EQ_INT(message_read_date(slice_from_cstr(bad[i]), &unix_s), LIMPET_ERR_SYNTAX);
        CHECK_EQ_INT(unix_s, -1);
    }
}

static void listening_can_fail(void)
{
    world_begin();
    struct net_listener listener = world.server.listener;
    fake_net.listen_err = LIMPET_ERR_BUSY;
    CHECK_EQ_INT(server_start(&world.server, 1), LIMPET_ERR_BUSY);
    world.server.listener = listener;
    world_end();
}

int main(void)
{
    a_connection_serves_many_requests();
    pipelined_requests_are_answered_in_order_at_every_split();
    pieces_and_room_of_any_size_make_no_difference();
    work_of_one_turn_is_bounded();
    an_answer_may_come_later();
    heads_say_how_the_body_ends();
    head_is_get_without_the_body();
    http_1_0_gets_what_it_knows();
    a_head_that_is_too_long_gives_way_to_another();
    the_servers_own_fields_are_its_own();
    a_date_of_the_handler_stands_for_the_servers();
    a_cut_answer_looks_cut();
    leave_to_send_is_given_when_the_body_is_wanted();
    a_body_has_a_limit();
    bad_chunks_are_told_to_both_sides();
    a_body_that_nobody_reads_is_read_away();
    back_pressure_reaches_the_client();
    heads_have_a_deadline();
    idle_connections_are_closed_in_silence();
    a_body_that_stalls_ends();
    a_reader_that_stalls_ends();
    time_that_the_handler_takes_is_not_the_clients();
    the_longest_idle_connection_makes_room();
    a_busy_server_says_so();
    who_waits_for_a_slot_may_go();
    stopping_lets_requests_end();
    every_way_out_gives_the_slot_back();
    clients_may_leave_at_any_time();
    a_half_closed_client_gets_its_answer();
    dates_are_right();
    listening_can_fail();
    return check_result();
}
