/* Rate limits and circuit breakers in a whole gateway: which requests they refuse, with what
 * answer, and which layer counts it. */
#include "check.h"

#include "fakes/gateway_world.h"

#include <stdlib.h>

#define JSON "Content-Type: application/json\n"
#define REFUSED "connected\nresponse /m %u 0\ndisconnected\n"

static struct fake_conn conn;

/* ---- The world --------------------------------------------------------------------------------
 */

static struct config_endpoint *world_of(const char *path)
{
    world_reset();
    return world_endpoint(METHOD_GET, path, ENCODING_JSON, "/a", 0, 1);
}

/* One token a second. */
static uint16_t rate_of(uint32_t capacity)
{
    struct config *config = &world.config;
    config->rates[config->rate_count++] = (struct config_rate){
        .token_ns = LIMPET_S_TO_NS(1),
        .spare_ns = LIMPET_S_TO_NS(capacity - 1),
        .parts = 1,
        .capacity = capacity,
    };
    return config->rate_count;
}

static uint16_t breaker_of(uint32_t errors_max)
{
    struct config *config = &world.config;
    config->breakers[config->breaker_count++] = (struct config_breaker){
        .name = SLICE_LIT("b"),
        .interval_ns = LIMPET_S_TO_NS(60),
        .timeout_ns = LIMPET_S_TO_NS(10),
        .errors_max = errors_max,
        .log_change = true,
    };
    return config->breaker_count;
}

static void request(const char *target, const char *name, const char *value)
{
    fake_client_reset();
    fake_metrics_reset();
    fake_conn_init(&conn, "GET", target);
    if (name != NULL) {
        fake_conn_field(&conn, name, value);
    }
    world_request(&conn);
}

static void answer_all(unsigned status)
{
    for (size_t i = 0; i < fake_call_count; i++) {
        if (fake_calls[i].call != NULL) {
            fake_call_connect(&fake_calls[i]);
            fake_call_answer(&fake_calls[i], status, JSON, "{\"a\":1}", true);
        }
    }
}

/* Sends a request; its backends answer 200. */
static unsigned ask(const char *target, const char *name, const char *value)
{
    request(target, name, value);
    answer_all(200);
    CHECK(conn.end == FAKE_ENDED && world_is_idle());
    return conn.status;
}

static void check_refused(unsigned status)
{
    char want[128];
    snprintf(want, sizeof(want), REFUSED, status);
    CHECK_EQ_UINT(conn.status, status);
    CHECK_EQ_STR(fake_metrics_log, want);
    CHECK_EQ_UINT(conn.fields_len, 0);
    CHECK_EQ_UINT(conn.bytes_len, 0);
    CHECK_EQ_UINT(fake_call_count, 0);
}

/* ---- Endpoints --------------------------------------------------------------------------------
 */

static void test_global(void)
{
    struct config_endpoint *endpoint = world_of("/m");
    endpoint->rate = rate_of(3);
    world_start();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
        }
        CHECK_EQ_UINT(ask("/m", NULL, NULL), 503);
        check_refused(503);
        world_move_time(999);
        CHECK_EQ_UINT(ask("/m", NULL, NULL), 503);
        world_move_time(1);
        CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
        CHECK_EQ_UINT(ask("/m", NULL, NULL), 503);
        world_move_time(3600000); /* idle: the capacity, not more */
    }
    CHECK_EQ_UINT(world.gateway.limits.refused_global, 9);
    CHECK_EQ_UINT(world.gateway.limits.refused_client, 0);
}

static struct config_endpoint *world_of_clients(const char *path, enum client_strategy strategy,
                                                const char *key)
{
    struct config_endpoint *endpoint = world_of(path);
    endpoint->client = (struct config_client){
        .rate = rate_of(2), .strategy = strategy, .key = slice_from_cstr(key)};
    return endpoint;
}

/* Each row is asked three times: two pass. Then nobody of them may ask again. */
static void check_clients(const char *const (*rows)[2], size_t count, const char *field)
{
    world_start();
    for (size_t i = 0; i < count; i++) {
        for (int n = 0; n < 3; n++) {
            unsigned status = ask(rows[i][0], rows[i][1] != NULL ? field : NULL, rows[i][1]);
            CHECK_EQ_UINT(status, n < 2 ? 200 : 429);
        }
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_UINT(ask(rows[i][0], rows[i][1] != NULL ? field : NULL, rows[i][1]), 429);
        check_refused(429);
    }
    CHECK_EQ_UINT(world.gateway.limits.clients.used, count);
    CHECK_EQ_UINT(world.gateway.limits.refused_client, 2 * count);
}

static void test_header(void)
{
    static const char *const rows[][2] = {
        {"/m", "a"}, {"/m", "A"}, {"/m", "a b"}, {"/m", "a%20b"}, {"/m", "\xFF"}};
    world_of_clients("/m", CLIENT_HEADER, "X-Tenant");
    check_clients(rows, 5, "x-tenant");
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 429); /* does not say who it is */
    check_refused(429);
    CHECK_EQ_UINT(ask("/m", "X-Tenant", ""), 429);
    CHECK_EQ_UINT(ask("/m", "X-Other", "z"), 429);
    CHECK_EQ_UINT(world.gateway.limits.clients.used, 5);
}

static void test_param(void)
{
    static const char *const rows[][2] = {
        {"/m/1/x", NULL}, {"/m/2/x", NULL}, {"/m/%41/x", NULL}, {"/m/a%20b/x", NULL}};
    struct config_endpoint *endpoint = world_of_clients("/m/{id}/{name}", CLIENT_PARAM, "id");
    endpoint->metric_name = SLICE_LIT("/m");
    endpoint->client.param = 0;
    check_clients(rows, 4, NULL);
    CHECK_EQ_UINT(ask("/m/A/other", NULL, NULL), 429); /* %41 is A */
    CHECK_EQ_UINT(ask("/m/%31/x", NULL, NULL), 429);
    CHECK_EQ_UINT(ask("/m/3/1", NULL, NULL), 200);
}

static void test_ip(void)
{
    static const char *const rows[][2] = {
        {"/m", NULL}, {"/m", "10.9.8.7"}, {"/m", "1.2.3.4, 10.9.8.7"}};
    world_of_clients("/m", CLIENT_IP, "X-Real-Ip");
    check_clients(rows, 3, "X-Real-IP");
    CHECK_EQ_UINT(ask("/m", "X-Real-IP", "1.2.3.4:80"), 429);
    CHECK_EQ_UINT(ask("/m", "X-Real-IP", " 1.2.3.4 "), 429);
    CHECK_EQ_UINT(ask("/m", "X-Real-IP", "10.0.2.5"), 429); /* the peer itself */
    static const char *const no_address[] = {"",          "unknown",  "1.2.3",  "1.2.3.4.5",
                                             "1.2.3.256", "01.2.3.4", "1.2..4", "::1",
                                             "-1.2.3.4",  "1.2.3.4 5"};
    for (size_t i = 0; i < sizeof(no_address) / sizeof(no_address[0]); i++) {
        CHECK_EQ_UINT(ask("/m", "X-Real-IP", no_address[i]), 429); /* the peer's bucket */
    }
    CHECK_EQ_UINT(world.gateway.limits.clients.used, 3);
    CHECK_EQ_UINT(ask("/m", "X-Real-IP", "0.0.0.0"), 200);

    world_of_clients("/m", CLIENT_IP, "");
    world_start();
    for (uint32_t peer = 0; peer < 40; peer++) {
        request("/m", "X-Real-IP", "1.2.3.4");
        answer_all(200);
        fake_client_reset();
        fake_conn_init(&conn, "GET", "/m");
        conn.peer_ip4 = 0x0A000000 + peer % 20;
        world_request(&conn);
        answer_all(200);
        CHECK_EQ_UINT(conn.status, 200);
    }
    CHECK_EQ_UINT(world.gateway.limits.clients.used, 21);
}

/* What the client's bucket refuses takes nothing from that of all; not the other way round. */
static void test_order(void)
{
    struct config_endpoint *endpoint = world_of_clients("/m", CLIENT_HEADER, "X");
    endpoint->rate = rate_of(3);
    world_start();
    CHECK_EQ_UINT(ask("/m", "X", "a"), 200);
    CHECK_EQ_UINT(ask("/m", "X", "a"), 200);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ_UINT(ask("/m", "X", "a"), 429);
    }
    CHECK_EQ_UINT(ask("/m", "X", "b"), 200);
    CHECK_EQ_UINT(ask("/m", "X", "b"), 503);
    CHECK_EQ_UINT(ask("/m", "X", "b"), 429);
    CHECK_EQ_UINT(ask("/m", "X", "c"), 503);
}

/* One client of two endpoints has two buckets; the least recent client leaves a full table. */
static void test_many_clients(void)
{
    world_of_clients("/m", CLIENT_HEADER, "X");
    world_endpoint(METHOD_GET, "/n", ENCODING_JSON, "/a", 0, 1)->client = (struct config_client){
        .rate = rate_of(1), .strategy = CLIENT_HEADER, .key = SLICE_LIT("X")};
    world_start();
    CHECK_EQ_UINT(ask("/n", "X", "0"), 200);
    CHECK_EQ_UINT(ask("/n", "X", "0"), 429);
    char name[16];
    for (unsigned i = 0; i < 2 * LIMPET_LIMIT_CLIENTS; i++) {
        snprintf(name, sizeof(name), "%u", i);
        CHECK_EQ_UINT(ask("/m", "X", name), 200);
    }
    CHECK_EQ_UINT(world.gateway.limits.clients.used, LIMPET_LIMIT_CLIENTS);
    CHECK_EQ_UINT(world.gateway.limits.clients.evicted, LIMPET_LIMIT_CLIENTS + 1u);
    CHECK_EQ_UINT(ask("/m", "X", name), 200);
    CHECK_EQ_UINT(ask("/m", "X", name), 429);
    CHECK_EQ_UINT(ask("/n", "X", "0"), 200); /* it had left */
}

/* ---- Backends ---------------------------------------------------------------------------------
 */

static void test_proxy_rate(void)
{
    world_of("/m");
    world.config.backends[0].rate = rate_of(2);
    world.config.router.return_error_msg = true;
    world_start();
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 500);
    CHECK_EQ_UINT(fake_call_count, 0);
    CHECK_EQ_STR(fake_metrics_log, "connected\nbackend /a false true\npipe /m false true\n"
                                   "response /m 500 25\ndisconnected\n");
    CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, "ERROR: rate limit exceded");
    world_move_time(1000);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(world.gateway.limits.refused_proxy, 1);
}

/* Of three calls at once two may go; a merge and a sequence lose what is refused. */
static void test_proxy_rate_in_pipes(void)
{
    world_of("/m")->concurrent_calls = 3;
    world.config.backends[0].rate = rate_of(2);
    world_start();
    request("/m", NULL, NULL);
    CHECK_EQ_UINT(fake_call_count, 2);
    CHECK_EQ_STR(fake_metrics_log, "connected\nbackend /a false true\n");
    fake_call_fail(&fake_calls[0], LIMPET_ERR_RESET);
    CHECK_EQ_UINT(conn.status, 0);
    answer_all(200);
    CHECK_EQ_UINT(conn.status, 200);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 500);
    CHECK_EQ_STR(fake_metrics_log,
                 "connected\nbackend /a false true\nbackend /a false true\n"
                 "backend /a false true\npipe /m false true\nresponse /m 500 0\ndisconnected\n");

    for (int sequential = 0; sequential <= 1; sequential++) {
        for (size_t limited = 0; limited < 3; limited++) {
            struct config_endpoint *endpoint = world_of("/m");
            world_backend("/b", 0);
            world_backend("/c", 0);
            endpoint->sequential = sequential == 1;
            world.config.backends[limited].rate = rate_of(1);
            world_start();
            CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
            CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"), "true");
            bool none = sequential == 1 && limited == 0;
            CHECK_EQ_UINT(ask("/m", NULL, NULL), none ? 500 : 200);
            CHECK_EQ_UINT(fake_call_count, sequential == 1 ? limited : 2);
            CHECK_EQ_STR(fake_conn_answer_field(&conn, "X-Krakend-Completed"), "false");
            CHECK(strstr(fake_metrics_log, "pipe /m false true\n") != NULL);
        }
    }
}

/* All calls of a merge are refused: the answer is there before anything began. */
static void test_all_refused(void)
{
    world_of("/m")->concurrent_calls = 2;
    world_backend("/b", 0);
    uint16_t rate = rate_of(1);
    world.config.backends[0].rate = rate;
    world.config.backends[1].rate = rate;
    world_start();
    request("/m", NULL, NULL);
    CHECK_EQ_UINT(fake_call_count, 1);
    answer_all(200);
    CHECK_EQ_UINT(conn.status, 200);
    request("/m", NULL, NULL);
    CHECK_EQ_UINT(fake_call_count, 0);
    CHECK_EQ_UINT(conn.status, 500);
    CHECK(conn.end == FAKE_ENDED && world_is_idle());
    CHECK_EQ_STR(fake_metrics_log,
                 "connected\nbackend /a false true\nbackend /a false true\nbackend /b false true\n"
                 "backend /b false true\npipe /m false true\nresponse /m 500 0\ndisconnected\n");
}

/* ---- Circuit breakers -------------------------------------------------------------------------
 */

static unsigned ask_failing(unsigned status)
{
    request("/m", NULL, NULL);
    answer_all(status);
    CHECK(conn.end == FAKE_ENDED && world_is_idle());
    return conn.status;
}

static void test_breaker(void)
{
    world_of("/m");
    world.config.backends[0].breaker = breaker_of(2);
    world.config.router.return_error_msg = true;
    world_start();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_UINT(world.gateway.breakers.open, 0);
        CHECK_EQ_UINT(ask_failing(503), 500);
        CHECK_EQ_UINT(fake_call_count, 1);
    }
    CHECK_EQ_UINT(world.gateway.breakers.open, 1);
    CHECK(world_logged("[CB] Circuit breaker named 'b' went from 'closed' to 'open'"));
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 500);
    CHECK_EQ_UINT(fake_call_count, 0);
    CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, "circuit breaker is open");
    CHECK_EQ_STR(fake_metrics_log, "connected\nbackend /a false true\npipe /m false true\n"
                                   "response /m 500 23\ndisconnected\n");
    world_move_time(10000);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 500); /* exactly the timeout: still open */
    world_move_time(1);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(world.gateway.breakers.open + world.gateway.breakers.half_open, 0);
    CHECK_EQ_UINT(world.gateway.breakers.refused, 2);
}

/* Half-open: of several calls at once one is the probe. */
static void test_probe(void)
{
    world_of("/m")->concurrent_calls = 3;
    world.config.backends[0].breaker = breaker_of(0);
    world_start();
    CHECK_EQ_UINT(ask_failing(500), 500);
    world_move_time(10001);
    request("/m", NULL, NULL);
    CHECK_EQ_UINT(fake_call_count, 1);
    CHECK_EQ_UINT(world.gateway.breakers.half_open, 1);
    /* The client of the probe goes away: the next call is the probe. */
    world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
    CHECK_EQ_UINT(world.gateway.breakers.half_open, 1);
    CHECK_EQ_UINT(ask_failing(500), 500);
    CHECK_EQ_UINT(world.gateway.breakers.open, 1);
    world_move_time(10001);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    CHECK_EQ_UINT(fake_call_count, 3);
}

/* What is a failure to the breaker: errors, time that is over, its own rate limit. What is none:
 * clients that go, calls that lose, answers that are passed on. */
static void test_what_counts(void)
{
    enum { STATUS, BREAKS, TIMEOUT, MERGE_TIMEOUT, RATE, GONE, LOSER, DETAILS, NO_OP, CASES };
    for (int which = 0; which < CASES; which++) {
        struct config_endpoint *endpoint = world_of("/m");
        struct config_backend *backend = &world.config.backends[0];
        backend->breaker = breaker_of(0);
        if (which == MERGE_TIMEOUT) {
            world_backend("/b", 0);
        } else if (which == RATE) {
            backend->rate = rate_of(1);
        } else if (which == LOSER) {
            endpoint->concurrent_calls = 2;
        } else if (which == DETAILS) {
            backend->error_details = SLICE_LIT("x");
        } else if (which == NO_OP) {
            endpoint->output_encoding = ENCODING_NO_OP;
            backend->encoding = ENCODING_NO_OP;
        }
        world_start();
        request("/m", NULL, NULL);
        if (which == BREAKS) {
            fake_call_fail(&fake_calls[0], LIMPET_ERR_RESET);
        } else if (which == TIMEOUT) {
            world_move_time(1000);
        } else if (which == MERGE_TIMEOUT) {
            world_move_time(850);
        } else if (which == RATE) {
            answer_all(200);
            CHECK_EQ_UINT(world.gateway.breakers.open, 0);
            request("/m", NULL, NULL);
        } else if (which == GONE) {
            world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
        } else {
            answer_all(which == LOSER ? 200 : 503);
        }
        CHECK(world_is_idle());
        if (!CHECK_EQ_UINT(world.gateway.breakers.open, which <= RATE ? 1 : 0)) {
            fprintf(stderr, "    case %d\n", which);
        }
    }
}

/* A no-op backend that cannot be reached does open it; a backend asked with HEAD counts as others.
 */
static void test_no_op_and_head(void)
{
    struct config_endpoint *endpoint = world_of("/m");
    endpoint->output_encoding = ENCODING_NO_OP;
    world.config.backends[0].encoding = ENCODING_NO_OP;
    world.config.backends[0].method = METHOD_HEAD;
    world.config.backends[0].breaker = breaker_of(0);
    world.config.backends[0].rate = rate_of(2);
    world_start();
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 200);
    request("/m", NULL, NULL);
    CHECK(fake_calls[0].request.to_head);
    fake_call_fail(&fake_calls[0], LIMPET_ERR_REFUSED);
    CHECK_EQ_UINT(conn.status, 500);
    CHECK_EQ_UINT(world.gateway.breakers.open, 1);
    CHECK_EQ_UINT(ask("/m", NULL, NULL), 500);
    CHECK_EQ_UINT(world.gateway.limits.refused_proxy, 0); /* the breaker stands before the limit */
}

int main(void)
{
    test_global();
    test_header();
    test_param();
    test_ip();
    test_order();
    test_many_clients();
    test_proxy_rate();
    test_proxy_rate_in_pipes();
    test_all_refused();
    test_breaker();
    test_probe();
    test_what_counts();
    test_no_op_and_head();
    return check_result();
}
