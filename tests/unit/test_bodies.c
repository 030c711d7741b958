/* More answers at the same time than there are bodies to hold them. */
#include "check.h"

#include "fakes/gateway_world.h"

#include <stdlib.h>

#define JSON "Content-Type: application/json\n"

static struct fake_conn conn;

static void world_of_bodies(void)
{
    world_reset();
    world_endpoint(METHOD_GET, "/ok", ENCODING_JSON, "/be", 0, 1);
    world_endpoint(METHOD_GET, "/both", ENCODING_JSON, "/be", 0, 1);
    world_backend("/be", 0);
    world_start();
}

/* As many answers as there are bodies have begun, and `more` behind them. */
static struct fake_conn *begin_answers(size_t more)
{
    size_t count = LIMPET_BODIES + more;
    struct fake_conn *conns = calloc(count, sizeof(*conns));
    CHECK(conns != NULL);
    world_of_bodies();
    for (size_t i = 0; conns != NULL && i < count; i++) {
        fake_conn_init(&conns[i], "GET", "/ok");
        world_request(&conns[i]);
        fake_call_connect(&fake_calls[i]);
        fake_call_answer(&fake_calls[i], 200, JSON, "{\"a\"", false);
    }
    CHECK_EQ_UINT(world.gateway.bodies_used, LIMPET_BODIES);
    return conns;
}

static void end_answer(size_t i, const struct fake_conn *its_conn)
{
    fake_call_more(&fake_calls[i], SLICE_LIT("{\"a\":1}"), true);
    CHECK(its_conn->end == FAKE_ENDED && its_conn->status == 200);
    fake_client_turn();
}

/* Every body is held: answers wait for one in their order, the last one not for ever. */
static void test_answers_wait_for_a_body(void)
{
    struct fake_conn *conns = begin_answers(3);
    struct fake_conn *late = &conns[LIMPET_BODIES];
    CHECK_EQ_UINT(world.gateway.body_line_len, 3);
    world_move_time(900);
    end_answer(0, &conns[0]);
    CHECK_EQ_UINT(world.gateway.body_line_len, 2);
    end_answer(LIMPET_BODIES, &late[0]);
    CHECK_EQ_UINT(world.gateway.body_line_len, 1);
    fake_call_fail(&fake_calls[LIMPET_BODIES + 1], LIMPET_ERR_RESET);
    fake_client_turn();
    CHECK(late[1].end == FAKE_ENDED && late[1].status == 500);
    CHECK_EQ_UINT(world.gateway.body_line_len, 0);
    end_answer(LIMPET_BODIES + 2, &late[2]);
    for (size_t i = 1; i < LIMPET_BODIES; i++) {
        end_answer(i, &conns[i]);
    }
    CHECK_EQ_UINT(world.gateway.bodies_refused, 0);
    CHECK(world_is_idle());
    free(conns);
}

static void test_waiting_for_a_body_ends_with_the_endpoints_time(void)
{
    struct fake_conn *conns = begin_answers(1);
    world_move_time(1000);
    CHECK_EQ_UINT(world.gateway.body_line_len, 0);
    for (size_t i = 0; i <= LIMPET_BODIES; i++) {
        CHECK(conns[i].end == FAKE_ENDED && conns[i].status == 500);
    }
    CHECK(world_is_idle());
    free(conns);
}

/* Every body is held, and an answer that may not wait comes: that backend's error, and counted;
 * then all go on. */
static void test_bodies_run_out(void)
{
    struct fake_conn *conns = begin_answers(0);
    world.log_len = 0;
    fake_conn_init(&conn, "GET", "/both");
    world_request(&conn);
    fake_call_connect(&fake_calls[LIMPET_BODIES]);
    fake_call_answer(&fake_calls[LIMPET_BODIES], 200, JSON, "{}", true);
    CHECK_EQ_UINT(world.gateway.bodies_refused, 1);
    CHECK(world_logged("no memory for the body"));
    fake_call_connect(&fake_calls[LIMPET_BODIES + 1]);
    fake_call_fail(&fake_calls[LIMPET_BODIES + 1], LIMPET_ERR_RESET);
    CHECK(conn.end == FAKE_ENDED && conn.status == 500);
    fake_conn_init(&conn, "GET", "/__health");
    world_request(&conn);
    CHECK(conn.end == FAKE_ENDED && conn.status == 503);
    CHECK_EQ_STR(fake_conn_answer_field(&conn, "Retry-After"), "1");
    for (size_t i = 0; i < LIMPET_BODIES; i++) {
        end_answer(i, &conns[i]);
    }
    CHECK(world_is_idle());
    free(conns);
}

int main(void)
{
    test_answers_wait_for_a_body();
    test_waiting_for_a_body_ends_with_the_endpoints_time();
    test_bodies_run_out();
    return check_result();
}
