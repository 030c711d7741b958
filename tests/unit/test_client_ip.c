/* Whose request it is: the peer, or whom the proxies in front name. */
#include "check.h"

#include "fakes/gateway_world.h"
#include "config/address.h"
#include "gateway/client_ip.h"

#define PEER 0x0A000205u /* 10.0.2.5 */

static struct fake_conn conn;

static void trust(const char *network)
{
    struct config_router *router = &world.config.router;
    CHECK(address_network(slice_from_cstr(network), &router->trusted[router->trusted_count++]));
}

static void begin(const char *name, const char *value)
{
    fake_conn_init(&conn, "GET", "/");
    conn.peer_ip4 = PEER;
    if (name != NULL) {
        fake_conn_field(&conn, name, value);
    }
}

static void check_ip(const char *want)
{
    char text[CLIENT_IP_SIZE];
    struct slice ip = client_ip(&world.config, &conn.conn, text);
    CHECK_EQ_TEXT(ip.ptr, ip.len, want);
}

static void check_forwarded(const char *value, const char *want)
{
    begin("X-Forwarded-For", value);
    check_ip(want);
}

static void test_peer_unless_asked(void)
{
    world_reset();
    check_forwarded("1.2.3.4", "10.0.2.5");
}

/* As gin without SetTrustedProxies: everybody is trusted, so the first address counts. */
static void test_all_trusted(void)
{
    world_reset();
    world.config.router.forwarded_by_client_ip = true;
    check_forwarded("1.2.3.4", "1.2.3.4");
    check_forwarded("1.2.3.4, 5.6.7.8", "1.2.3.4");
    check_forwarded(" 2001:db8::1 ,10.0.0.1", "2001:db8::1");
    check_forwarded("junk, 5.6.7.8", "10.0.2.5");
    check_forwarded("", "10.0.2.5");
    begin("X-Real-IP", "9.9.9.9");
    check_ip("9.9.9.9");
    fake_conn_field(&conn, "X-Forwarded-For", "8.8.8.8");
    check_ip("8.8.8.8");
    begin(NULL, NULL);
    check_ip("10.0.2.5");
}

static void test_trusted_chain(void)
{
    world_reset();
    world.config.router.forwarded_by_client_ip = true;
    trust("10.0.0.0/8");
    trust("fd00::/8");
    trust("192.0.2.7");
    check_forwarded("1.2.3.4, 10.1.1.1", "1.2.3.4");
    check_forwarded("6.6.6.6, 1.2.3.4, 10.1.1.1", "1.2.3.4");
    check_forwarded("6.6.6.6, 1.2.3.4, fd00::5, 192.0.2.7", "1.2.3.4");
    check_forwarded("6.6.6.6, 192.0.2.8", "192.0.2.8");
    check_forwarded("10.1.1.1, 10.1.1.2", "10.1.1.1");
    check_forwarded("1.2.3.4, , 10.1.1.1", "10.0.2.5");
    conn.peer_ip4 = 0x0B000001u;
    check_ip("11.0.0.1");
    begin("X-Forwarded-For", "1.2.3.4");
    conn.peer_ip4 = 0x0B000001u;
    check_ip("11.0.0.1");
}

static void test_own_headers(void)
{
    world_reset();
    struct config *config = &world.config;
    config->router.forwarded_by_client_ip = true;
    config->router.ip_headers = (struct config_names){config->name_count, 2};
    config->names[config->name_count++] = SLICE_LIT("X-Client");
    config->names[config->name_count++] = SLICE_LIT("X-Other");
    check_forwarded("1.2.3.4", "10.0.2.5");
    fake_conn_field(&conn, "x-other", "4.4.4.4");
    check_ip("4.4.4.4");
    fake_conn_field(&conn, "x-client", "3.3.3.3");
    check_ip("3.3.3.3");
}

int main(void)
{
    test_peer_unless_asked();
    test_all_trusted();
    test_trusted_chain();
    test_own_headers();
    return check_result();
}
