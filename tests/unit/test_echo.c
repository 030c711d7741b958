#include "check.h"

#include "base/json.h"
#include "fakes/gateway_world.h"

static struct fake_conn conn;

static void start(const char *method, const char *target)
{
    world_reset();
    world.config.echo_endpoint = true;
    world_start();
    fake_conn_init(&conn, method, target);
}

static void check_json(const char *want)
{
    CHECK_EQ_UINT(conn.status, 200);
    CHECK_EQ_TEXT(conn.fields, conn.fields_len, "Content-Type: application/json; charset=utf-8\n");
    CHECK_EQ_TEXT(conn.bytes, conn.bytes_len, want);
    CHECK(conn.end == FAKE_ENDED && world_is_idle());
    CHECK_EQ_STR(fake_metrics_log, "");
    struct json_error error;
    CHECK(json_check(slice_of(conn.bytes, conn.bytes_len), &error) > 0);
}

static void test_get(void)
{
    start("GET", "/__echo/a%20b?x=1&y=%22+2&x=3&&z");
    fake_conn_field(&conn, "accept", "*/*");
    fake_conn_field(&conn, "X-oNE", "a\"b");
    fake_conn_field(&conn, "ACCEPT", "text/x");
    world_request(&conn);
    check_json("{\"req_uri\":\"/__echo/a%20b?x=1&y=%22+2&x=3&&z\","
               "\"req_uri_details\":{\"fragment\":\"\",\"host\":\"gateway.test:8080\","
               "\"path\":\"/__echo/a b\",\"query\":\"x=1&y=%22+2&x=3&&z\","
               "\"scheme\":\"\",\"user\":\"\"},\"req_method\":\"GET\","
               "\"req_querystring\":{\"x\":[\"1\",\"3\"],\"y\":[\"\\\" 2\"],\"z\":[\"\"]},"
               "\"req_headers\":{\"Accept\":[\"*/*\",\"text/x\"],\"X-One\":[\"a\\\"b\"]},"
               "\"req_body\":\"\"}");
}

/* The body comes in two pieces, cut inside of characters and escapes too; bad UTF-8 is replaced. */
static void test_bodies(void)
{
    static const char body[] = "{\"q\":\"\xc3\xa9\\n\"}\r\n\x01\xff";
    static const char tail[] =
        "\"req_body\":\"{\\\"q\\\":\\\"\xc3\xa9\\\\n\\\"}\\u000d\\u000a\\u0001"
        "\xef\xbf\xbd\"}";
    for (size_t cut = 0; cut < sizeof(body); cut++) {
        start("POST", "/__echo/");
        conn.body = slice_of(body, cut);
        conn.body_complete = false;
        world_request(&conn);
        CHECK(conn.end == FAKE_OPEN && conn.body_at == cut);
        conn.body = slice_of(body, sizeof(body) - 1);
        conn.body_complete = true;
        world.handler.progress(world.handler.ctx, &conn.conn);
        CHECK(conn.end == FAKE_ENDED && conn.status == 200 && world_is_idle());
        CHECK(conn.bytes_len > sizeof(tail));
        CHECK_EQ_TEXT(conn.bytes + conn.bytes_len - (sizeof(tail) - 1), sizeof(tail) - 1, tail);
    }
}

static void test_too_long(void)
{
    static char body[LIMPET_BODY_LEN_MAX];
    start("POST", "/__echo/");
    memset(body, 'x', sizeof(body));
    conn.body = slice_of(body, sizeof(body));
    world_request(&conn);
    CHECK(conn.end == FAKE_ENDED && conn.status == 413 && conn.bytes_len == 0 && world_is_idle());
    /* What fits raw, but not once it is escaped. */
    start("POST", "/__echo/");
    memset(body, '\\', sizeof(body) / 2);
    conn.body = slice_of(body, sizeof(body) / 2);
    world_request(&conn);
    CHECK(conn.end == FAKE_ENDED && conn.status == 413 && world_is_idle());
    /* Nor once invalid UTF-8 is replaced. */
    start("POST", "/__echo/");
    memset(body, 0xFF, sizeof(body) / 2);
    conn.body = slice_of(body, sizeof(body) / 2);
    world_request(&conn);
    CHECK(conn.end == FAKE_ENDED && conn.status == 413 && world_is_idle());
}

static void test_gone(void)
{
    start("POST", "/__echo/");
    conn.body = SLICE_LIT("abc");
    conn.body_complete = false;
    world_request(&conn);
    CHECK_EQ_UINT(world.gateway.exchanges_used, 1);
    world.handler.gone(world.handler.ctx, &conn.conn, LIMPET_ERR_RESET);
    CHECK(world_is_idle());
    CHECK_EQ_STR(fake_metrics_log, "");
}

int main(void)
{
    test_get();
    test_bodies();
    test_too_long();
    test_gone();
    return check_result();
}
