/* The life of a request through router, exchange, pipe and backend, against the behaviour matrix:
 * what the client sees, what each layer counts, and that everything is given back. */
#include "check.h"

#include "fakes/gateway_world.h"

#include <stdlib.h>

#define JSON "Content-Type: application/json\n"

static struct fake_conn conn;

static void world_of_endpoints(void)
{
    world_reset();
    uint16_t spare = world_host("backend-b", "backend-b:81", 81);
    world_host("backend-c", "backend-c", 80);
    world_endpoint(METHOD_GET, "/ok", ENCODING_JSON, "/be", 0, 1)->cache_ttl_s = 300;
    world_endpoint(METHOD_GET, "/noop", ENCODING_NO_OP, "/be", 0, 1)->cache_ttl_s = 300;
    world_endpoint(METHOD_GET, "/p/{id}/{name}", ENCODING_JSON, "/echo/{name}/x?id={id}&k=1", 0, 1);
    world_endpoint(METHOD_POST, "/post", ENCODING_JSON, "/be", 0, 1);
    world_endpoint(METHOD_POST, "/up", ENCODING_NO_OP, "/be", 0, 1);
    world_endpoint(METHOD_GET, "/lb", ENCODING_JSON, "/be", 0, (uint16_t)(spare + 2));
    world_start();
}

static void send_get(const char *target)
{
    fake_metrics_reset();
    world.log_len = 0;
    fake_conn_init(&conn, "GET", target);
    world_request(&conn);
}

static struct fake_call *last_call(void)
{
    return &fake_calls[fake_call_count - 1];
}

static void check_answer(unsigned status, const char *completed, const char *body)
{
    CHECK_EQ_UINT(conn.status, status);
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"), completed);
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend"), "Version " LIMPET_VERSION);
    CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, body);
    CHECK(conn.end == FAKE_ENDED);
    CHECK(world_is_idle());
}

/* ---- The matrix -------------------------------------------------------------------------------
 */

struct matrix_row {
    const char *name;
    const char *target;
    /* The backend: status 0 = fails with `err`. */
    unsigned status;
    int err;
    const char *fields;
    const char *body;
    /* The client. */
    unsigned want_status;
    const char *completed;
    const char *want_body;
    const char *cache_control;
    const char *content_type;
    const char *labels;
    int64_t size;
};

static const struct matrix_row matrix[] = {
    {"200 with an object", "/ok", 200, 0, JSON, "{ \"a\" : 1 }", 200, "true", "{\"a\":1}",
     "public, max-age=300", "application/json; charset=utf-8", "true false", 7},
    {"201 becomes 200", "/ok", 201, 0, JSON, "{\"a\":1}", 200, "true", "{\"a\":1}",
     "public, max-age=300", "application/json; charset=utf-8", "true false", 7},
    {"empty object", "/ok", 200, 0, JSON, "{}", 200, "false", "{}", NULL,
     "application/json; charset=utf-8", "true false", 2},
    {"null stays null", "/ok", 200, 0, JSON, "null", 200, "false", "null", NULL,
     "application/json; charset=utf-8", "true false", 4},
    {"content type does not matter", "/ok", 200, 0, "", "{\"a\":1}", 200, "true", "{\"a\":1}",
     "public, max-age=300", "application/json; charset=utf-8", "true false", 7},
    {"identity is no coding", "/ok", 200, 0, "Content-Encoding: identity\n", "{\"a\":1}", 200,
     "true", "{\"a\":1}", "public, max-age=300", "application/json; charset=utf-8", "true false",
     7},
    {"gzip was not asked for", "/ok", 200, 0, "Content-Encoding: gzip\n", "{\"a\":1}", 500, "false",
     "", NULL, NULL, "false true", 0},
    {"200 without body", "/ok", 200, 0, "", "", 500, "false", "", NULL, NULL, "false true", 0},
    {"text", "/ok", 200, 0, "", "hello", 500, "false", "", NULL, NULL, "false true", 0},
    {"array", "/ok", 200, 0, JSON, "[1,2]", 500, "false", "", NULL, NULL, "false true", 0},
    {"cut JSON", "/ok", 200, 0, JSON, "{\"a\":", 500, "false", "", NULL, NULL, "false true", 0},
    {"202", "/ok", 202, 0, JSON, "{\"a\":1}", 500, "false", "", NULL, NULL, "false true", 0},
    {"204", "/ok", 204, 0, "", "", 500, "false", "", NULL, NULL, "false true", 0},
    {"304", "/ok", 304, 0, "", "", 500, "false", "", NULL, NULL, "false true", 0},
    {"301 without Location", "/ok", 301, 0, "", "", 500, "false", "", NULL, NULL, "false true", 0},
    {"404", "/ok", 404, 0, JSON, "{\"e\":1}", 500, "false", "", NULL, NULL, "false true", 0},
    {"500", "/ok", 500, 0, JSON, "{\"e\":1}", 500, "false", "", NULL, NULL, "false true", 0},
    {"refused", "/ok", 0, LIMPET_ERR_REFUSED, NULL, NULL, 500, "false", "", NULL, NULL,
     "false true", 0},
    {"no name", "/ok", 0, LIMPET_ERR_RESOLVE, NULL, NULL, 500, "false", "", NULL, NULL,
     "false true", 0},
    {"reset", "/ok", 0, LIMPET_ERR_RESET, NULL, NULL, 500, "false", "", NULL, NULL, "false true",
     0},
    {"no-op 200", "/noop", 200, 0, JSON, "{ \"a\" : 1 }", 200, "false", "{ \"a\" : 1 }", NULL,
     "application/json", "true false", 11},
    {"no-op 404", "/noop", 404, 0, JSON "X-Foo: bar\n", "nope", 404, "false", "nope", NULL,
     "application/json", "true false", 4},
    {"no-op 503", "/noop", 503, 0, "Content-Type: a/b\n", "x", 503, "false", "x", NULL, "a/b",
     "true false", 1},
    {"no-op 204", "/noop", 204, 0, "", "", 204, "false", "", NULL, NULL, "true false", 0},
    {"no-op 304", "/noop", 304, 0, "", "", 304, "false", "", NULL, NULL, "true false", 0},
    {"no-op keeps the backend's caching", "/noop", 200, 0, "Cache-Control: no-store\n", "x", 200,
     "false", "x", "no-store", NULL, "true false", 1},
    {"no-op encoded body", "/noop", 200, 0, "Content-Encoding: gzip\n", "\x1f\x8b", 200, "false",
     "\x1f\x8b", NULL, NULL, "true false", 2},
    {"no-op refused", "/noop", 0, LIMPET_ERR_REFUSED, NULL, NULL, 500, "false", "", NULL, NULL,
     "false true", 0},
};

static void check_metrics(const struct matrix_row *row)
{
    char want[512];
    snprintf(want, sizeof(want),
             "connected\nbackend /be %s\npipe %s %s\nresponse %s %u %lld\ndisconnected\n",
             row->labels, row->target, row->labels, row->target, row->want_status,
             (long long)row->size);
    CHECK_EQ_STR(fake_metrics_log, want);
}

static void test_matrix(void)
{
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        const struct matrix_row *row = &matrix[i];
        unsigned long failed = check_state.failed;
        world_of_endpoints();
        send_get(row->target);
        CHECK_EQ_STR(fake_metrics_log, "connected\n");
        struct fake_call *call = last_call();
        if (row->status == 0) {
            fake_call_fail(call, row->err);
        } else {
            fake_call_connect(call);
            fake_call_answer(call, row->status, row->fields, row->body, true);
        }
        check_answer(row->want_status, row->completed, row->want_body);
        CHECK_EQ_STR(fake_conn_answer_field(&conn, "Cache-Control"), row->cache_control);
        CHECK_EQ_STR(fake_conn_answer_field(&conn, "Content-Type"), row->content_type);
        check_metrics(row);
        if (check_state.failed > failed) {
            fprintf(stderr, "    in row \"%s\"\n", row->name);
        }
    }
}

/* The body arrives in two pieces, cut at every byte; each split gives the same answer. */
static void test_split_bodies(void)
{
    static const char body[] = "{ \"a\" : [1, 2], \"b\" : \"\\u00e9\" }";
    static const char shaped[] = "{\"a\":[1,2],\"b\":\"\\u00e9\"}";
    static const char *const targets[] = {"/ok", "/noop"};
    for (size_t t = 0; t < 2; t++) {
        for (size_t cut = 0; cut < sizeof(body); cut++) {
            world_of_endpoints();
            send_get(targets[t]);
            struct fake_call *call = last_call();
            fake_call_connect(call);
            fake_call_answer(call, 200, JSON, "", false);
            fake_call_more(call, slice_of(body, cut), false);
            CHECK(conn.end == FAKE_OPEN);
            fake_call_more(call, slice_of(body, sizeof(body) - 1), true);
            CHECK(call->completed && conn.end == FAKE_ENDED && world_is_idle());
            CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, t == 0 ? shaped : body);
            CHECK(conn.framing == (t == 0 ? FRAMING_LENGTH : FRAMING_CHUNKED));
        }
    }
}

/* The client takes the answer in pieces of n bytes; nothing is counted before the last one. */
static void test_slow_client(void)
{
    static const char *const targets[] = {"/ok", "/noop"};
    static const char body[] = "{\"a\":\"0123456789\"}";
    for (size_t t = 0; t < 2; t++) {
        for (size_t piece = 1; piece < sizeof(body); piece++) {
            world_of_endpoints();
            send_get(targets[t]);
            conn.room = 0;
            struct fake_call *call = last_call();
            fake_call_connect(call);
            fake_call_answer(call, 200, JSON, body, true);
            while (conn.end == FAKE_OPEN && conn.bytes_len < sizeof(body)) {
                CHECK(strstr(fake_metrics_log, "disconnected") == NULL);
                conn.room = piece;
                world.handler.progress(world.handler.ctx, &conn.conn);
            }
            check_answer(200, t == 0 ? "true" : "false", body);
            CHECK(strstr(fake_metrics_log, "disconnected") != NULL);
        }
    }
}

/* ---- Requests to backends ---------------------------------------------------------------------
 */

static void check_head(const struct fake_call *call, const char *want)
{
    CHECK_EQ_TEXT(call->head, call->head_len, want);
}

static void test_request_head(void)
{
    world_of_endpoints();
    fake_conn_init(&conn, "GET", "/p/12/b%20ob%2c?q=1&z=2");
    fake_conn_field(&conn, "X-One", "1");
    fake_conn_field(&conn, "Authorization", "zzz");
    fake_conn_field(&conn, "X-Forwarded-For", "6.6.6.6");
    fake_conn_field(&conn, "User-Agent", "curl");
    fake_conn_field(&conn, "content-type", "text/x");
    world_request(&conn);
    fake_call_connect(last_call());
    check_head(last_call(), "GET /echo/b%20ob,/x?id=12&k=1 HTTP/1.1\r\n"
                            "Host: 10.0.0.9:9099\r\n"
                            "User-Agent: Limpet Version " LIMPET_VERSION "\r\n"
                            "X-Forwarded-For: 10.0.2.5\r\n"
                            "X-Forwarded-Host: gateway.test:8080\r\n"
                            "Accept-Encoding: identity\r\n"
                            "Content-Type: text/x\r\n");
    CHECK(last_call()->request.safe_to_repeat);
    fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
    CHECK(world_is_idle());

    /* A value cannot add a parameter or leave its place. */
    send_get("/p/a%26b=c%3Bd/%C3%A9%0d%0aX:y");
    fake_call_connect(last_call());
    CHECK(
        strncmp(last_call()->head, "GET /echo/%C3%A9%0D%0AX:y/x?id=a%26b%3Dc%3Bd&k=1 HTTP/1.1\r\n",
                sizeof("GET /echo/%C3%A9%0D%0AX:y/x?id=a%26b%3Dc%3Bd&k=1 HTTP/1.1\r\n") - 1) == 0);
    fake_call_fail(last_call(), LIMPET_ERR_RESET);
}

static void test_round_robin(void)
{
    static const char *const names[] = {"10.0.0.9", "backend-b", "backend-c"};
    world_of_endpoints();
    size_t first = 3;
    for (size_t i = 0; i < 7; i++) {
        send_get("/lb");
        struct fake_call *call = last_call();
        for (size_t n = 0; first == 3 && n < 3; n++) {
            first = slice_equal(call->request.target.name, slice_from_cstr(names[n])) ? n : 3;
        }
        CHECK(slice_equal(call->request.target.name, slice_from_cstr(names[(first + i) % 3])));
        fake_call_fail(call, LIMPET_ERR_REFUSED);
    }
}

/* Uploads: every split of the body, with and without room at the backend. */
static void test_uploads(void)
{
    static const char body[] = "0123456789";
    for (size_t cut = 0; cut < sizeof(body); cut++) {
        for (size_t room = 1; room < sizeof(body); room++) {
            world_of_endpoints();
            fake_conn_init(&conn, "POST", "/up");
            conn.conn.request.framing = cut % 2 == 0 ? FRAMING_LENGTH : FRAMING_CHUNKED;
            conn.conn.request.content_length = sizeof(body) - 1;
            conn.body = slice_of(body, cut);
            conn.body_complete = false;
            world_request(&conn);
            struct fake_call *call = last_call();
            CHECK(call->request.framing == conn.conn.request.framing);
            CHECK(call->request.framing == FRAMING_CHUNKED || call->request.length == 10);
            CHECK(!call->request.safe_to_repeat);
            CHECK_EQ_UINT(conn.body_at, 0); /* not read before the backend is there */
            call->room = room;
            fake_call_connect(call);
            CHECK_EQ_UINT(conn.body_at, cut < room ? cut : room);
            conn.body = slice_of(body, sizeof(body) - 1);
            conn.body_complete = true;
            while (!call->sent_end) {
                call->room = room;
                world.handler.progress(world.handler.ctx, &conn.conn);
            }
            CHECK_EQ_TEXT(call->sent, call->sent_len, body);
            fake_call_answer(call, 201, "", "done", true);
            check_answer(201, "false", "done");
        }
    }
}

/* The backend answers before it has read the request: the rest of it stays unread. */
static void test_early_answer(void)
{
    world_of_endpoints();
    fake_conn_init(&conn, "POST", "/up");
    conn.conn.request.framing = FRAMING_LENGTH;
    conn.conn.request.content_length = 100;
    conn.body = SLICE_LIT("01234");
    conn.body_complete = false;
    world_request(&conn);
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 413, "", "too large", true);
    check_answer(413, "false", "too large");
}

/* ---- Redirects --------------------------------------------------------------------------------
 */

static void test_redirect_statuses(void)
{
    static const struct {
        const char *method;
        int body; /* length announced; -1: none */
        unsigned status;
        const char *next; /* method of the next request, NULL = not followed */
    } cases[] = {
        {"GET", -1, 301, "GET "},  {"GET", -1, 302, "GET "},  {"GET", -1, 303, "GET "},
        {"GET", -1, 307, "GET "},  {"GET", -1, 308, "GET "},  {"GET", -1, 300, NULL},
        {"GET", -1, 304, NULL},    {"POST", 2, 301, "GET "},  {"POST", 2, 302, "GET "},
        {"POST", 2, 303, "GET "},  {"POST", 2, 307, NULL},    {"POST", 2, 308, NULL},
        {"POST", -1, 307, "POST"}, {"POST", -1, 301, "GET "}, {"POST", 0, 307, "POST"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_of_endpoints();
        fake_conn_init(&conn, cases[i].method, cases[i].method[0] == 'G' ? "/ok" : "/post");
        conn.conn.request.framing = cases[i].body >= 0 ? FRAMING_LENGTH : FRAMING_NONE;
        conn.conn.request.content_length = cases[i].body > 0 ? 2 : 0;
        conn.body = cases[i].body > 0 ? SLICE_LIT("xy") : SLICE_EMPTY;
        world_request(&conn);
        fake_call_connect(last_call());
        fake_call_answer(last_call(), cases[i].status, "Location: /there\n", "", true);
        if (cases[i].next == NULL) {
            check_answer(500, "false", "");
            continue;
        }
        CHECK_EQ_UINT(fake_call_count, 2);
        CHECK(last_call()->request.framing == FRAMING_NONE);
        fake_call_connect(last_call());
        CHECK(strncmp(last_call()->head, cases[i].next, 4) == 0);
        CHECK(strstr(last_call()->head, " /there HTTP/1.1\r\nHost: 10.0.0.9:9099\r\n") != NULL);
        fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
        check_answer(200, "true", "{\"a\":1}");
    }
}

/* One count of the backend whatever the number of redirects; ten are followed, not eleven. */
static void test_redirect_limit(void)
{
    static const char *const targets[] = {"/ok", "/noop"};
    for (size_t t = 0; t < 2; t++) {
        for (size_t hops = 1; hops <= LIMPET_REDIRECTS_MAX + 1; hops++) {
            world_of_endpoints();
            send_get(targets[t]);
            for (size_t i = 0; i < hops; i++) {
                fake_call_connect(last_call());
                fake_call_answer(last_call(), 302, "Location: next?n=1\n", "moved", true);
            }
            if (hops > LIMPET_REDIRECTS_MAX) {
                CHECK(world_logged("too many redirects"));
                check_answer(500, "false", "");
                continue;
            }
            fake_call_connect(last_call());
            fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
            check_answer(200, t == 0 ? "true" : "false", "{\"a\":1}");
            const char *first = strstr(fake_metrics_log, "backend /be true false");
            CHECK(first != NULL && strstr(first + 1, "backend") == NULL);
        }
    }
}

static void test_redirect_hosts(void)
{
    world_of_endpoints();
    send_get("/ok");
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 302, "Location: http://backend-b:81/x\n", "", true);
    CHECK(last_call()->request.target.name.ptr == world.config.hosts[1].name.ptr);
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 302, "Location: //Other.Example:8088/y z\n", "", true);
    CHECK(slice_equal(last_call()->request.target.name, SLICE_LIT("Other.Example")));
    CHECK_EQ_UINT(last_call()->request.target.port, 8088);
    fake_call_connect(last_call());
    CHECK(strstr(last_call()->head, "GET /y%20z HTTP/1.1\r\nHost: Other.Example:8088\r\n") != NULL);
    fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
    check_answer(200, "true", "{\"a\":1}");

    /* The table of hosts is bounded, and known ones go on when it is full. */
    for (unsigned i = 0; i < LIMPET_REDIRECT_HOSTS + 2; i++) {
        char fields[64];
        snprintf(fields, sizeof(fields), "Location: http://h%u/\n", i);
        send_get("/ok");
        fake_call_connect(last_call());
        fake_call_answer(last_call(), 302, fields, "", true);
        bool room = i < LIMPET_REDIRECT_HOSTS - 1;
        CHECK(world_logged("no room") == !room);
        if (room) {
            fake_call_fail(last_call(), LIMPET_ERR_RESET);
        }
        CHECK(world_is_idle());
        fake_call_count = 0;
    }
    CHECK_EQ_UINT(world.gateway.redirect_host_count, LIMPET_REDIRECT_HOSTS);
    send_get("/ok");
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 302, "Location: http://h0/\n", "", true);
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
    check_answer(200, "true", "{\"a\":1}");

    static const char *const bad[] = {"Location: ftp://x/\n", "Location: http://u@h/\n",
                                      "Location: http://h:x/\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        send_get("/ok");
        fake_call_connect(last_call());
        fake_call_answer(last_call(), 302, bad[i], "", true);
        check_answer(500, "false", "");
    }
}

/* ---- Failing ----------------------------------------------------------------------------------
 */

static void test_timeout(void)
{
    /* How far it came before the deadline: connecting, request sent, half a body. */
    static const char *const targets[] = {"/ok", "/noop"};
    for (size_t t = 0; t < 2; t++) {
        for (int stage = 0; stage < 3; stage++) {
            world_of_endpoints();
            send_get(targets[t]);
            struct fake_call *call = last_call();
            if (stage > 0) {
                fake_call_connect(call);
            }
            if (stage > 1) {
                fake_call_answer(call, 200, JSON, "{\"a\"", false);
            }
            world_move_time(999);
            CHECK(conn.end == FAKE_OPEN);
            world_move_time(1);
            CHECK(call->canceled && world_is_idle());
            if (t == 1 && stage == 2) {
                CHECK(conn.end == FAKE_CUT);
                CHECK_EQ_STR(fake_metrics_log,
                             "connected\nbackend /be true false\npipe /noop true false\n"
                             "response /noop 200 4\ndisconnected\n");
                CHECK(world_logged("answer cut, not complete within 1s"));
                continue;
            }
            check_answer(500, "false", "");
            CHECK(strstr(fake_metrics_log, "backend /be false true\npipe") != NULL);
            CHECK(strstr(fake_metrics_log, " 500 0\ndisconnected\n") != NULL);
            CHECK(fake_metrics_time_ns == INT64_C(1000000000));
            CHECK(world_logged("no answer within 1s"));
        }
    }
}

/* A complete answer is not cut by the endpoint's timeout, however slow its client is. */
static void test_no_timeout_while_sending(void)
{
    world_of_endpoints();
    send_get("/ok");
    conn.room = 3;
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
    CHECK(last_call()->completed); /* the backend's connection does not wait for the client */
    world_move_time(60000);
    CHECK(conn.end == FAKE_OPEN);
    conn.room = SIZE_MAX;
    world.handler.progress(world.handler.ctx, &conn.conn);
    check_answer(200, "true", "{\"a\":1}");
}

static void test_backend_breaks(void)
{
    static const int errs[] = {LIMPET_ERR_RESET, LIMPET_ERR_CLOSED, LIMPET_ERR_SYNTAX};
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
        world_of_endpoints();
        send_get("/ok");
        fake_call_connect(last_call());
        fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", false);
        fake_call_fail(last_call(), errs[i]);
        check_answer(500, "false", "");
        CHECK(world_logged("[ENDPOINT: /ok] backend 10.0.0.9:9099/be: "));

        send_get("/noop");
        fake_call_connect(last_call());
        fake_call_answer(last_call(), 200, JSON, "half", false);
        fake_call_fail(last_call(), errs[i]);
        CHECK(conn.end == FAKE_CUT && world_is_idle());
        CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, "half");
        CHECK(strstr(fake_metrics_log, "response /noop 200 4\ndisconnected\n") != NULL);
    }
}

static void test_client_gone(void)
{
    static const struct {
        int err;
        unsigned status;
    } errs[] = {{LIMPET_ERR_RESET, 500},
                {LIMPET_ERR_CLOSED, 400},
                {LIMPET_ERR_TIMEOUT, 408},
                {LIMPET_ERR_SYNTAX, 400},
                {LIMPET_ERR_TOO_LONG, 413}};
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
        char want[128];
        world_of_endpoints();
        send_get("/ok");
        struct fake_call *call = last_call();
        fake_call_connect(call);
        world.handler.gone(world.handler.ctx, &conn.conn, errs[i].err);
        CHECK(call->canceled && world_is_idle());
        snprintf(want, sizeof(want),
                 "connected\nbackend /be false true\npipe /ok false true\nresponse /ok %u 0\n"
                 "disconnected\n",
                 errs[i].status);
        CHECK_EQ_STR(fake_metrics_log, want);
    }
    /* In the middle of an answer: what was sent counts. */
    send_get("/noop");
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 206, "", "half", false);
    world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
    CHECK(world_is_idle());
    CHECK(strstr(fake_metrics_log, "pipe /noop true false\nresponse /noop 206 4\n") != NULL);
    send_get("/ok");
    conn.room = 2;
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200, JSON, "{\"a\":1}", true);
    world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
    CHECK(world_is_idle());
    CHECK(strstr(fake_metrics_log, "pipe /ok true false\nresponse /ok 200 2\n") != NULL);
}

static void test_long_bodies(void)
{
    static char body[LIMPET_BODY_LEN_MAX + 2];
    /* An object of exactly the limit, then one byte more; announced and not. */
    for (size_t over = 0; over < 2; over++) {
        memset(body, ' ', sizeof(body));
        body[0] = '{';
        body[LIMPET_BODY_LEN_MAX + over - 1] = '}';
        body[LIMPET_BODY_LEN_MAX + over] = '\0';
        for (int announced = 0; announced < 2; announced++) {
            world_of_endpoints();
            send_get("/ok");
            fake_call_connect(last_call());
            if (announced) {
                fake_call_answer(last_call(), 200, JSON, body, true);
            } else {
                fake_call_answer(last_call(), 200, JSON, "", false);
                fake_call_more(last_call(), slice_from_cstr(body), true);
            }
            if (over == 0) {
                check_answer(200, "false", "{}");
            } else {
                check_answer(500, "false", "");
                CHECK(world_logged("body is longer than the limit"));
            }
        }
    }
    /* no-op has no limit. */
    send_get("/noop");
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200, "", body, true);
    CHECK(conn.end == FAKE_ENDED && conn.written == LIMPET_BODY_LEN_MAX + 1);
}

static void test_exchanges_run_out(void)
{
    world_of_endpoints();
    struct fake_conn *conns = calloc(LIMPET_EXCHANGES, sizeof(*conns));
    for (size_t i = 0; conns != NULL && i < LIMPET_EXCHANGES; i++) {
        fake_call_count = 0;
        fake_conn_init(&conns[i], "GET", "/ok");
        world_request(&conns[i]);
    }
    send_get("/ok");
    CHECK(conn.end == FAKE_ENDED && conn.status == 503);
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "Retry-After"), "1");
    CHECK_EQ_UINT(world.gateway.exchanges_refused, 1);
    CHECK_EQ_STR(fake_metrics_log, "");
    CHECK_EQ_UINT(world.gateway.exchanges_used_max, LIMPET_EXCHANGES);
    free(conns);
}

static void test_long_heads(void)
{
    world_of_endpoints();
    send_get("/noop");
    conn.head_err = LIMPET_ERR_TOO_LONG;
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200, JSON, "x", true);
    check_answer(500, "false", "");
    CHECK(strstr(fake_metrics_log, "response /noop 500 0\n") != NULL);
}

/* ---- no-op fields -----------------------------------------------------------------------------
 */

static void test_noop_fields(void)
{
    world_of_endpoints();
    send_get("/noop");
    fake_call_connect(last_call());
    fake_call_answer(last_call(), 200,
                     "Date: yesterday\nConnection: X-Hop, close\nX-Hop: 1\nKeep-Alive: 5\n"
                     "X-Krakend: inner\nx-krakend-completed: true\n"
                     "Set-Cookie: a=1\nSet-Cookie: b=2\nVia: 1.1 x\n",
                     "x", true);
    CHECK_EQ_TEXT(conn.fields, conn.fields_len,
                  "X-Krakend: Version " LIMPET_VERSION "\nX-Krakend-Completed: false\n"
                  "Date: yesterday\nSet-Cookie: a=1\nSet-Cookie: b=2\nVia: 1.1 x\n");
}

/* ---- Answers without an endpoint --------------------------------------------------------------
 */

static void test_edges(void)
{
    static const struct {
        const char *method, *target;
        unsigned status;
        const char *fields, *body;
    } cases[] = {
        {"GET", "/unknown", 404,
         "Content-Type: text/plain\nX-Krakend: Version " LIMPET_VERSION
         "\nX-Krakend-Completed: false\n",
         "404 page not found"},
        {"POST", "/ok", 405,
         "Content-Type: text/plain\nX-Krakend: Version " LIMPET_VERSION
         "\nX-Krakend-Completed: false\n",
         "405 method not allowed"},
        {"GET", "/ok/?x=%3C<&y", 301,
         "Content-Type: text/html; charset=utf-8\nLocation: /ok?x=%3C<&y\n",
         "<a href=\"/ok?x=%3C&lt;&amp;y\">Moved Permanently</a>.\n\n"},
        {"POST", "/Post", 307, "Location: /post\n", ""},
        {"GET", "/p/%253a/x", 400, "Content-Type: text/plain; charset=utf-8\n",
         "error: encoded url params"},
        {"GET", "/%", 400, "Content-Type: text/plain; charset=utf-8\n", "400 Bad Request"},
        {"GET", "/__debug/x", 200, "Content-Type: application/json; charset=utf-8\n",
         "{\"message\":\"pong\"}"},
    };
    world_of_endpoints();
    world.config.debug_endpoint = true;
    fake_metrics_reset();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_conn_init(&conn, cases[i].method, cases[i].target);
        world_request(&conn);
        CHECK_EQ_UINT(conn.status, cases[i].status);
        CHECK_EQ_TEXT(conn.fields, conn.fields_len, cases[i].fields);
        CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, cases[i].body);
        CHECK(conn.end == FAKE_ENDED && world_is_idle());
    }
    CHECK_EQ_STR(fake_metrics_log, ""); /* none of them counts */
}

static void test_health(void)
{
    static const struct {
        int64_t unix_s;
        const char *now;
    } cases[] = {
        {0, ""},
        {1, "1970-01-01T00:00:01Z"},
        {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {951868800, "2000-03-01T00:00:00Z"},
        {1704067199, "2023-12-31T23:59:59Z"},
        {1709210096, "2024-02-29T12:34:56Z"},
        {4107542400, "2100-03-01T00:00:00Z"},
    };
    world_of_endpoints();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char want[128];
        gateway_set_time(&world.gateway, world.now_ns, cases[i].unix_s * 1000000000);
        send_get("/__health");
        snprintf(want, sizeof(want), "{\"agents\":{},\"now\":\"%s\",\"status\":\"ok\"}",
                 cases[i].now);
        CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, want);
        CHECK_EQ_TEXT(conn.fields, conn.fields_len,
                      "Content-Type: application/json; charset=utf-8\n");
    }
    CHECK_EQ_STR(fake_metrics_log, "");
}

int main(void)
{
    test_matrix();
    test_split_bodies();
    test_slow_client();
    test_request_head();
    test_round_robin();
    test_uploads();
    test_early_answer();
    test_redirect_statuses();
    test_redirect_limit();
    test_redirect_hosts();
    test_timeout();
    test_no_timeout_while_sending();
    test_backend_breaks();
    test_client_gone();
    test_long_bodies();
    test_exchanges_run_out();
    test_long_heads();
    test_noop_fields();
    test_edges();
    test_health();
    return check_result();
}
