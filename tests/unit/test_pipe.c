/* Several backend calls of one request, in every order in which they can end: what the client sees,
 * what each layer counts, and that everything is given back, also when a pool is used up. */
#include "check.h"

#include "fakes/gateway_world.h"

#include <stdlib.h>

#define JSON "Content-Type: application/json\n"
#define TEXT "text/plain; charset=utf-8"

static struct fake_conn conn;

/* ---- The world --------------------------------------------------------------------------------
 */

static struct config_endpoint *merge_of(size_t backends)
{
    static const char *const patterns[] = {"/a", "/b", "/c", "/d"};
    world_reset();
    struct config_endpoint *endpoint =
        world_endpoint(METHOD_GET, "/m", ENCODING_JSON, patterns[0], 0, 1);
    for (size_t i = 1; i < backends; i++) {
        world_backend(patterns[i], 0);
    }
    return endpoint;
}

static void begin(const char *method, const char *target)
{
    world_start();
    world.log_len = 0;
    fake_conn_init(&conn, method, target);
    world_request(&conn);
}

static void answer(size_t call, unsigned status, const char *body)
{
    fake_call_connect(&fake_calls[call]);
    fake_call_answer(&fake_calls[call], status, JSON, body, true);
}

static void check_answer(unsigned status, const char *completed, const char *body)
{
    CHECK_EQ_UINT(conn.status, status);
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"), completed);
    CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, body);
    CHECK(conn.end == FAKE_ENDED);
    CHECK(world_is_idle());
}

static void check_labels(const char *labels)
{
    CHECK_EQ_STR(fake_metrics_log, labels);
}

/* ---- Merges -----------------------------------------------------------------------------------
 */

/* Three backends, each good, refusing, unreachable or silent to the deadline, in both orders. */
static void test_merge_outcomes(void)
{
    enum { GOOD, REFUSES, BREAKS, SILENT, OUTCOMES };
    static const char *const bodies[] = {"{\"a\":1,\"x\":1}", "{\"b\":2,\"x\":2}",
                                         "{\"c\":3,\"x\":3}"};
    for (int n = 0; n < 2 * OUTCOMES * OUTCOMES * OUTCOMES; n++) {
        int outcomes[3] = {n / 2 % OUTCOMES, n / 2 / OUTCOMES % OUTCOMES,
                           n / 2 / OUTCOMES / OUTCOMES};
        size_t good = 0;
        size_t silent = 0;
        size_t broken = 0;
        size_t last = 3;
        merge_of(3);
        world.config.router.timeout_status = 504;
        world.config.router.bad_gateway_status = 502;
        begin("GET", "/m");
        CHECK_EQ_UINT(fake_call_count, 3);
        for (size_t step = 0; step < 3; step++) {
            size_t call = n % 2 == 0 ? step : 2 - step;
            CHECK_EQ_UINT(conn.status, 0);
            if (outcomes[call] == GOOD) {
                answer(call, 200, bodies[call]);
                last = call;
                good++;
            } else if (outcomes[call] == REFUSES) {
                answer(call, 500, "{}");
            } else if (outcomes[call] == BREAKS) {
                fake_call_fail(&fake_calls[call], LIMPET_ERR_RESET);
                broken++;
            } else {
                silent++;
            }
        }
        if (silent > 0) {
            world_move_time(849);
            CHECK_EQ_UINT(conn.status, 0);
            world_move_time(1);
        }
        unsigned failure = silent > 0 ? 504 : broken == 3 ? 502 : 500;
        CHECK_EQ_UINT(conn.status, good > 0 ? 200 : failure);
        CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"),
                     good == 3 ? "true" : "false");
        char want[16];
        snprintf(want, sizeof(want), "\"x\":%zu}", last + 1);
        conn.bytes[conn.bytes_len] = '\0';
        CHECK(good == 0 ? conn.bytes_len == 0 : strstr(conn.bytes, want) != NULL);
        CHECK(strstr(fake_metrics_log, good == 3 ? "pipe /m true false" : "pipe /m false true"));
        CHECK(world_is_idle());
    }
}

/* One backend, and the first of a sequence: timeout_status and bad_gateway_status, if asked for. */
static void test_failure_statuses(void)
{
    static const struct {
        int err; /* 0: no answer at all */
        unsigned timeout_status;
        unsigned bad_gateway_status;
        unsigned want;
    } rows[] = {
        {0, 0, 0, 500},
        {0, 504, 502, 504},
        {LIMPET_ERR_REFUSED, 0, 0, 500},
        {LIMPET_ERR_REFUSED, 504, 502, 502},
        {LIMPET_ERR_RESOLVE, 504, 503, 503},
        {LIMPET_ERR_FULL, 504, 502, 500},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool sequence = i % 2 == 1;
        merge_of(sequence ? 2 : 1)->sequential = sequence;
        world.config.router.timeout_status = (uint16_t)rows[i / 2].timeout_status;
        world.config.router.bad_gateway_status = (uint16_t)rows[i / 2].bad_gateway_status;
        begin("GET", "/m");
        if (rows[i / 2].err != 0) {
            fake_call_fail(&fake_calls[0], rows[i / 2].err);
        } else {
            world_move_time(1000);
        }
        check_answer(rows[i / 2].want, "false", "");
    }
}

static void test_merge_counts(void)
{
    merge_of(2);
    begin("GET", "/m");
    answer(1, 200, "{\"b\":{\"k\":1},\"a\":0}");
    answer(0, 201, " {\"a\" : 1}");
    check_answer(200, "true", "{\"b\":{\"k\":1},\"a\":1}");
    check_labels("connected\nbackend /b true false\nbackend /a true false\npipe /m true false\n"
                 "response /m 200 19\ndisconnected\n");
}

/* Empty and null parts. */
static void test_merge_of_nothing(void)
{
    static const struct {
        const char *bodies[2];
        const char *want;
        const char *completed;
        const char *pipe;
    } rows[] = {
        {{"{}", "{}"}, "{}", "false", "pipe /m true false"},
        {{"{}", "{\"a\":1}"}, "{\"a\":1}", "true", "pipe /m true false"},
        {{"{\"a\":1}", "{}"}, "{\"a\":1}", "true", "pipe /m true false"},
        {{"null", "{\"a\":1}"}, "{\"a\":1}", "false", "pipe /m false false"},
        {{"{\"a\":1}", "null"}, "{\"a\":1}", "false", "pipe /m false false"},
        {{"null", "null"}, "{}", "false", "pipe /m false false"},
        {{"{\"a\":1}", "{\"\\u0061\":2}"}, "{\"\\u0061\":2}", "true", "pipe /m true false"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        merge_of(2);
        begin("GET", "/m");
        answer(0, 200, rows[i].bodies[0]);
        answer(1, 200, rows[i].bodies[1]);
        check_answer(200, rows[i].completed, rows[i].want);
        CHECK(strstr(fake_metrics_log, rows[i].pipe) != NULL);
    }
}

/* The answer goes out in pieces, whatever room there is. */
static void test_answer_in_pieces(void)
{
    for (size_t room = 1; room < 30; room++) {
        merge_of(3);
        begin("GET", "/m");
        conn.room = 0;
        answer(0, 200, "{\"a\":1}");
        answer(1, 200, "{\"b\":2}");
        answer(2, 200, "{\"c\":3}");
        for (size_t turn = 0; turn < 30 && conn.end == FAKE_OPEN; turn++) {
            conn.room = room;
            world.handler.progress(world.handler.ctx, &conn.conn);
        }
        check_answer(200, "true", "{\"a\":1,\"b\":2,\"c\":3}");
        CHECK_EQ_UINT(conn.length, 19);
    }
}

static char *many_keys(const char *stem, size_t count)
{
    char *text = malloc(count * 16 + 3);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += (size_t)sprintf(text + len, "%c\"%s%zu\":0", i == 0 ? '{' : ',', stem, i);
    }
    text[len] = '}';
    text[len + 1] = '\0';
    return text;
}

/* One more key than a level may have: the error of the backend that brings it. */
static void test_key_bound(void)
{
    char *first = many_keys("a", LIMPET_JSON_KEYS_MAX - 1);
    merge_of(2);
    begin("GET", "/m");
    answer(0, 200, first);
    answer(1, 200, "{\"b\":1,\"c\":2}");
    CHECK_EQ_UINT(conn.written, strlen(first));
    CHECK(strstr(fake_metrics_log, "backend /b false true") != NULL);
    CHECK(world_logged("more keys than the limit"));
    CHECK(world_is_idle());
    merge_of(2);
    begin("GET", "/m");
    answer(0, 200, first);
    answer(1, 200, "{\"b\":1}");
    CHECK_EQ_UINT(conn.written, strlen(first) + 6);
    CHECK(strstr(fake_metrics_log, "backend /b true false") != NULL);
    CHECK(world_is_idle());
    free(first);
}

/* ---- Sequences and concurrent calls -----------------------------------------------------------
 */

static void test_sequential(void)
{
    struct config_endpoint *endpoint = merge_of(3);
    endpoint->sequential = true;
    begin("GET", "/m");
    CHECK_EQ_UINT(fake_call_count, 1);
    answer(0, 200, "{\"a\":1}");
    CHECK_EQ_UINT(fake_call_count, 2);
    world_move_time(500);
    fake_call_fail(&fake_calls[1], LIMPET_ERR_REFUSED);
    CHECK_EQ_UINT(fake_call_count, 2);
    check_answer(200, "false", "{\"a\":1}");
    check_labels("connected\nbackend /a true false\nbackend /b false true\npipe /m false true\n"
                 "response /m 200 7\ndisconnected\n");

    endpoint = merge_of(3);
    endpoint->sequential = true;
    begin("GET", "/m");
    answer(0, 200, "{\"a\":1}");
    answer(1, 200, "{}");
    world_move_time(850);
    check_answer(200, "false", "{\"a\":1}");
    check_labels("connected\nbackend /a true false\nbackend /b true false\nbackend /c false true\n"
                 "pipe /m false true\nresponse /m 200 7\ndisconnected\n");
}

static void test_concurrent(void)
{
    merge_of(1)->concurrent_calls = 3;
    begin("GET", "/m");
    CHECK_EQ_UINT(fake_call_count, 3);
    answer(1, 500, "{}");
    answer(2, 200, "{\"a\":1}");
    CHECK(fake_calls[0].canceled);
    check_answer(200, "true", "{\"a\":1}");
    check_labels("connected\nbackend /a false true\nbackend /a true false\nbackend /a false true\n"
                 "pipe /m true false\nresponse /m 200 7\ndisconnected\n");

    merge_of(1)->concurrent_calls = 2;
    begin("GET", "/m");
    world_move_time(749);
    CHECK_EQ_UINT(conn.status, 0);
    world_move_time(1);
    check_answer(500, "false", "");
}

/* Of two calls one shows an error and one fails, in both orders: with one backend both count, in a
 * merge the failure does (lura: concurrent.go, merging.go). */
static void test_concurrent_details(void)
{
    for (size_t n = 0; n < 4; n++) {
        bool merged = n >= 2;
        struct config_endpoint *endpoint = merge_of(merged ? 2 : 1);
        endpoint->concurrent_calls = 2;
        world.config.backends[0].error_details = SLICE_LIT("x");
        begin("GET", "/m");
        if (n % 2 == 0) {
            fake_call_fail(&fake_calls[1], LIMPET_ERR_RESET);
            answer(0, 404, "");
        } else {
            answer(0, 404, "");
            fake_call_fail(&fake_calls[1], LIMPET_ERR_RESET);
        }
        if (merged) {
            answer(2, 200, "{\"b\":1}");
        }
        CHECK(strstr(fake_metrics_log, "pipe /m false true\n") != NULL);
        conn.bytes[conn.bytes_len] = '\0';
        CHECK((strstr(conn.bytes, "{\"error_x\":{") == NULL) == merged);
        check_answer(200, "false", merged ? "{\"b\":1}" : conn.bytes);
    }
}

/* A single backend that is silent to the end of the time: the fixed data stands for its answer. */
static void test_static_at_the_timeout(void)
{
    static const struct {
        enum static_strategy strategy;
        unsigned status;
        const char *body;
    } rows[] = {
        {STATIC_ALWAYS, 200, "{\"s\":1}"},
        {STATIC_ERRORED, 200, "{\"s\":1}"},
        {STATIC_INCOMPLETE, 200, "{\"s\":1}"},
        {STATIC_SUCCESS, 504, ""},
        {STATIC_COMPLETE, 504, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_endpoint *endpoint = merge_of(1);
        endpoint->static_strategy = rows[i].strategy;
        endpoint->static_data = SLICE_LIT("{\"s\":1}");
        world.config.router.timeout_status = 504;
        begin("GET", "/m");
        world_move_time(999);
        CHECK_EQ_UINT(conn.status, 0);
        world_move_time(1);
        check_answer(rows[i].status, "false", rows[i].body);
        check_labels(rows[i].status == 200
                         ? "connected\nbackend /a false true\npipe /m false true\n"
                           "response /m 200 7\ndisconnected\n"
                         : "connected\nbackend /a false true\npipe /m false true\n"
                           "response /m 504 0\ndisconnected\n");
    }
}

/* ---- return_error_code ------------------------------------------------------------------------
 */

/* A merge or sequence of `backends`; the first shows its status, and clients are told why. */
static struct config_endpoint *coded(size_t backends)
{
    struct config_endpoint *endpoint = merge_of(backends);
    world.config.backends[0].error_code = true;
    world.config.router.return_error_msg = true;
    return endpoint;
}

static void check_text(unsigned status, const char *type, const char *body)
{
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "Content-Type"), type);
    check_answer(status, "false", body);
}

/* Whole bodies only, single and in a merge: of others the client gets the reason. */
static void test_code_bodies(void)
{
    static char text[LIMPET_BODY_LEN_MAX + 2];
    memset(text, 'x', sizeof(text) - 1);
    for (size_t backends = 1; backends <= 2; backends++) {
        unsigned status = backends == 1 ? 404 : 500;
        const char *more = backends == 1 ? "" : "\ninvalid status code";
        for (int way = 0; way < 4; way++) {
            char want[80];
            coded(backends);
            begin("GET", "/m");
            fake_call_connect(&fake_calls[0]);
            if (way < 2) {
                fake_call_answer(&fake_calls[0], 404, JSON, "{\"e\":", way == 0);
            } else {
                fake_call_answer(&fake_calls[0], 404, "", way == 2 ? text : "", way == 2);
            }
            if (way == 1) {
                fake_call_fail(&fake_calls[0], LIMPET_ERR_CLOSED);
            } else if (way == 3) {
                fake_call_more(&fake_calls[0], slice_from_cstr(text), true);
            }
            if (backends == 2) {
                answer(1, 500, "{}");
            }
            snprintf(want, sizeof(want), "%s%s",
                     way == 0   ? "{\"e\":"
                     : way == 1 ? limpet_err_text(LIMPET_ERR_CLOSED)
                                : "body is longer than the limit",
                     more);
            check_text(status, way == 0 && backends == 1 ? "application/json" : TEXT, want);
        }
    }
}

/* As Go, which looks at the bytes: text, if there are any. */
static void test_code_without_type(void)
{
    static const char *const bodies[] = {"{\"e\":1}", ""};
    for (size_t i = 0; i < 2; i++) {
        coded(1);
        begin("GET", "/m");
        fake_call_connect(&fake_calls[0]);
        fake_call_answer(&fake_calls[0], 404, "", bodies[i], true);
        check_text(404, i == 0 ? TEXT : NULL, bodies[i]);
    }
}

/* The first of a sequence has no answer to stand beside; a later one has. */
static void test_code_in_a_sequence(void)
{
    coded(2)->sequential = true;
    begin("GET", "/m");
    answer(0, 404, "{\"e\":1}");
    CHECK_EQ_UINT(fake_call_count, 1);
    check_text(404, "application/json", "{\"e\":1}");
    check_labels("connected\nbackend /a false true\npipe /m false true\nresponse /m 404 7\n"
                 "disconnected\n");

    coded(2)->sequential = true;
    world.config.backends[0].error_code = false;
    world.config.backends[1].error_code = true;
    begin("GET", "/m");
    answer(0, 200, "{\"a\":1}");
    answer(1, 404, "{\"e\":1}");
    check_answer(200, "false", "{\"a\":1}");
}

/* ---- Pools that are used up, clients that go --------------------------------------------------
 */

static void test_no_calls_left(void)
{
    for (size_t left = 0; left <= 2; left++) {
        merge_of(2);
        world_start();
        world.gateway.calls_touched = LIMPET_BACKEND_CALLS - left;
        fake_conn_init(&conn, "GET", "/m");
        world_request(&conn);
        CHECK_EQ_UINT(fake_call_count, left);
        if (left >= 1) {
            answer(0, 200, "{\"a\":1}");
        }
        if (left == 2) {
            answer(1, 200, "{\"b\":1}");
        }
        CHECK_EQ_UINT(conn.status, left == 0 ? 500 : 200);
        CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"),
                     left == 2 ? "true" : "false");
        CHECK_EQ_UINT(world.gateway.calls_refused, 2 - left);
        CHECK(world_is_idle());
    }
}

static void test_no_bodies_left(void)
{
    for (size_t left = 0; left <= 4; left++) {
        struct config_endpoint *endpoint = merge_of(2);
        endpoint->static_strategy = STATIC_ALWAYS;
        endpoint->static_data = SLICE_LIT("{\"s\":1}");
        world_start();
        world.gateway.bodies_touched = LIMPET_BODIES - left;
        fake_conn_init(&conn, "GET", "/m");
        world_request(&conn);
        answer(0, 200, "{\"a\":1}");
        answer(1, 200, "{\"b\":1}");
        CHECK_EQ_UINT(conn.status, 200);
        CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"),
                     left >= 3 ? "true" : "false");
        CHECK(world_is_idle());
    }
}

/* Nowhere to hold the request's body: the client may try again. */
static void test_no_body_for_the_request(void)
{
    merge_of(2);
    world.config.endpoints[0].method = METHOD_POST;
    world.config.backends[0].method = METHOD_POST;
    world_start();
    world.gateway.bodies_touched = LIMPET_BODIES;
    fake_conn_init(&conn, "POST", "/m");
    conn.conn.request.framing = FRAMING_LENGTH;
    conn.conn.request.content_length = 5;
    conn.body = SLICE_LIT("12345");
    conn.body_complete = true;
    world_request(&conn);
    CHECK_EQ_UINT(fake_call_count, 0);
    check_answer(503, "false", "");
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "Retry-After"), "1");
}

static void test_request_body(void)
{
    for (size_t split = 0; split <= 5; split++) {
        merge_of(2);
        world.config.endpoints[0].method = METHOD_POST;
        world.config.backends[0].method = METHOD_POST;
        world_start();
        fake_conn_init(&conn, "POST", "/m");
        conn.conn.request.framing = FRAMING_LENGTH;
        conn.conn.request.content_length = 5;
        conn.body = slice_of("12345", split);
        conn.body_complete = split == 5;
        world_request(&conn);
        if (split < 5) {
            CHECK_EQ_UINT(fake_call_count, 0);
            conn.body = slice_of("12345", 5);
            conn.body_complete = true;
            world.handler.progress(world.handler.ctx, &conn.conn);
        }
        CHECK_EQ_UINT(fake_call_count, 2);
        for (size_t i = 0; i < 2; i++) {
            fake_calls[i].room = i == 0 ? SIZE_MAX : 2;
            fake_call_connect(&fake_calls[i]);
        }
        fake_calls[1].room = SIZE_MAX;
        fake_calls[1].request.event(fake_calls[1].request.ctx, fake_calls[1].call);
        for (size_t i = 0; i < 2; i++) {
            CHECK_EQ_TEXT(fake_calls[i].sent, fake_calls[i].sent_len, "12345");
            CHECK(fake_calls[i].sent_end);
            fake_call_answer(&fake_calls[i], 200, JSON, "{\"a\":1}", true);
        }
        check_answer(200, "true", "{\"a\":1}");
    }
}

static void test_client_goes(void)
{
    for (size_t answered = 0; answered < 3; answered++) {
        merge_of(3);
        begin("GET", "/m");
        for (size_t i = 0; i < answered; i++) {
            answer(i, 200, "{\"a\":1}");
        }
        world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
        CHECK(strstr(fake_metrics_log, "pipe /m false true\nresponse /m 500 0") != NULL);
        CHECK(world_is_idle());
    }
}

int main(void)
{
    test_merge_outcomes();
    test_failure_statuses();
    test_merge_counts();
    test_merge_of_nothing();
    test_answer_in_pieces();
    test_key_bound();
    test_sequential();
    test_concurrent();
    test_concurrent_details();
    test_static_at_the_timeout();
    test_code_bodies();
    test_code_without_type();
    test_code_in_a_sequence();
    test_no_calls_left();
    test_no_bodies_left();
    test_no_body_for_the_request();
    test_request_body();
    test_client_goes();
    return check_result();
}
