/* lwIP's SNTP client with a server in the same stack, which answers as the test wants. */
#include "check.h"
#include "fakes/lwip_world.h"
#include "wall_clock.h"

#include "app_config.h"

#include "lwip/apps/sntp.h"
#include "lwip/dhcp.h"
#include "lwip/udp.h"

#include <string.h>

#define SERVER_PORT 12300u
#define NTP_UNIX_S INT64_C(2208988800)
#define TIME_S INT64_C(1795339220)
#define NS_PER_S INT64_C(1000000000)

/* What the server says, and what is wrong with it. */
static struct server {
    int64_t unix_s;
    uint8_t flags; /* leap indicator, version, mode */
    uint8_t stratum;
    uint16_t len;
    bool forget;    /* the stamp of the question */
    bool twice;     /* sends its answer again */
    bool elsewhere; /* answers from another port */
    bool silent;
    unsigned questions;
} server;

static struct udp_pcb *server_pcb;
static struct udp_pcb *other_pcb;
static struct wall_clock clock_under_test;
static struct log log_of_test;
static char log_text[4000];

static bool sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    size_t len = strlen(log_text);
    snprintf(log_text + len, sizeof log_text - len, "%.*s\n", (int)line.len, line.ptr);
    return true;
}

static uint64_t mono_ns(void)
{
    return LIMPET_MS_TO_NS(world.now_ms);
}

static void put_u32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static void send_answer(const ip_addr_t *to, u16_t port, const uint8_t *packet)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, server.len, PBUF_RAM);
    CHECK_EQ_INT(pbuf_take(p, packet, server.len), ERR_OK);
    CHECK_EQ_INT(udp_sendto(server.elsewhere ? other_pcb : server_pcb, p, to, port), ERR_OK);
    pbuf_free(p);
}

static void on_question(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                        u16_t port)
{
    uint8_t packet[64] = {0};
    (void)arg;
    (void)pcb;
    CHECK_EQ_UINT(pbuf_copy_partial(p, packet, sizeof packet, 0), 48);
    CHECK_EQ_UINT(packet[0], 0x23); /* version 4, client */
    pbuf_free(p);
    server.questions++;
    if (server.silent) {
        return;
    }
    memmove(packet + 24, packet + 40, 8);
    packet[24] ^= server.forget ? 1 : 0;
    packet[0] = server.flags;
    packet[1] = server.stratum;
    put_u32(packet + 40, (uint32_t)(server.unix_s + NTP_UNIX_S));
    put_u32(packet + 44, UINT32_C(0x80000000)); /* half a second */
    for (int i = 0; i < (server.twice ? 2 : 1); i++) {
        send_answer(from, port, packet);
    }
}

static void set_up(const char *name)
{
    const struct wall_clock_options options = {
        .server = slice_from_cstr(name), .loopback_ip4 = WORLD_IP4, .mono_ns = mono_ns};
    sntp_stop();
    sntp_setserver(0, NULL);
    log_text[0] = '\0';
    server = (struct server){.unix_s = TIME_S, .flags = 0x24, .stratum = 2, .len = 48};
    log_init(&log_of_test, sink, NULL, LOG_DEBUG);
    wall_clock_init(&clock_under_test, &log_of_test, &options);
}

static void start(const char *name)
{
    set_up(name);
    wall_clock_start(&clock_under_test);
}

/* The clock says `unix_s` and half a second, within the simulation's step. */
static void check_time(int64_t unix_s)
{
    int64_t off_ns = wall_clock_unix_ns(&clock_under_test, mono_ns()) - unix_s * NS_PER_S;
    CHECK(clock_under_test.known);
    CHECK(off_ns > 0 && off_ns < NS_PER_S);
}

static void test_good(void)
{
    static const char *const names[] = {"10.0.0.1:12300", "127.0.0.1:12300", "localhost:12300"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        start(names[i]);
        CHECK_EQ_INT(wall_clock_unix_ns(&clock_under_test, mono_ns()), 0);
        world_run(100);
        check_time(TIME_S);
        CHECK_EQ_UINT(server.questions, 1);
        CHECK_EQ_UINT(clock_under_test.answers, 1);
    }
    CHECK(strstr(log_text, "INFO: [SERVICE: Clock] asks localhost\n") != NULL);
    CHECK(strstr(log_text, "INFO: [SERVICE: Clock] set by the time server\n") != NULL);
}

/* Asked again after 17 minutes; the latest answer decides, also backwards. */
static void test_again(void)
{
    start("10.0.0.1:12300");
    world_run(100);
    server.unix_s = TIME_S - 86400;
    world_run(1020000);
    CHECK_EQ_UINT(server.questions, 1);
    world_run(5000);
    CHECK_EQ_UINT(server.questions, 2);
    CHECK(wall_clock_unix_ns(&clock_under_test, mono_ns()) < (TIME_S - 86400 + 10) * NS_PER_S);
}

static size_t count_logged(const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(log_text, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}

/* Counted as refused, not as unanswered, and said once. */
static void check_refused(const char *why)
{
    char line[120];
    snprintf(line, sizeof line, "WARNING: [SERVICE: Clock] 10.0.0.1: %s; points wait for a clock\n",
             why);
    world_run(20000);
    CHECK(!clock_under_test.known);
    CHECK(server.questions >= 3);
    CHECK(clock_under_test.refused >= 3);
    CHECK_EQ_UINT(clock_under_test.unanswered, 0);
    CHECK_EQ_UINT(count_logged(line), 1);
    CHECK_EQ_UINT(count_logged("WARNING"), 1);
    struct server good = {.unix_s = TIME_S, .flags = 0x24, .stratum = 2, .len = 48};
    server = good;
    world_run(70000);
    CHECK(clock_under_test.known);
}

static void test_refused(void)
{
    start("10.0.0.1:12300");
    server.unix_s = LIMPET_BUILD_UNIX_S - 1;
    check_refused("its date is before this version of Limpet");
    start("10.0.0.1:12300");
    server.unix_s = -1; /* 1969 */
    check_refused("its date is before this version of Limpet");
    start("10.0.0.1:12300");
    server.flags = 0xE4; /* its clock is not set */
    check_refused("it says that its own clock is not set");
    start("10.0.0.1:12300");
    server.stratum = 16;
    check_refused("it says that its own clock is not set");
    start("10.0.0.1:12300");
    server.stratum = 0; /* kiss of death */
    check_refused("it says that its own clock is not set");
    start("10.0.0.1:12300");
    server.flags = 0x23; /* a question */
    check_refused("what it answers is none to the question");
    start("10.0.0.1:12300");
    server.forget = true;
    check_refused("what it answers is none to the question");
    start("10.0.0.1:12300");
    server.len = 47;
    check_refused("its answer is too short");
    start("10.0.0.1:12300");
    server.elsewhere = true;
    check_refused("what it answers is none to the question");
}

/* Also after 2036, when the seconds of NTP begin again. */
static void test_next_era(void)
{
    start("10.0.0.1:12300");
    server.unix_s = INT64_C(2500000000);
    world_run(100);
    check_time(INT64_C(2500000000));
}

static void test_twice(void)
{
    start("10.0.0.1:12300");
    server.twice = true;
    world_run(100);
    CHECK_EQ_UINT(clock_under_test.answers, 1);
    CHECK_EQ_UINT(clock_under_test.refused, 1);
    CHECK_EQ_UINT(count_logged("WARNING"), 0);
    check_time(TIME_S);
}

/* Nobody answers: asked at growing distances, at most a minute. */
static void test_silent(void)
{
    start("10.0.0.1:12300");
    server.silent = true;
    world_run(60000);
    CHECK(server.questions >= 4 && server.questions <= 8);
    unsigned before = server.questions;
    world_run(600000);
    CHECK(server.questions - before >= 8 && server.questions - before <= 12);
    CHECK(clock_under_test.unanswered + 1 >= server.questions);
    CHECK_EQ_UINT(count_logged("10.0.0.1: no answer; points wait for a clock\n"), 1);
    server.silent = false;
    world_run(70000);
    CHECK(clock_under_test.known);
    CHECK_EQ_UINT(count_logged("set by the time server\n"), 1);
}

/* A server that was good once: what is wrong is said, and when it is over. One lost answer is
 * nothing. */
static void test_lost_later(void)
{
    start("10.0.0.1:12300");
    world_run(100);
    server.silent = true;
    world_run(1030000);
    CHECK_EQ_UINT(count_logged("WARNING"), 0);
    world_run(20000);
    CHECK_EQ_UINT(count_logged("no answer; the time goes on from the last good answer\n"), 1);
    server.silent = false;
    server.stratum = 16;
    world_run(70000);
    CHECK_EQ_UINT(count_logged("its own clock is not set; the time goes on"), 1);
    server.stratum = 2;
    world_run(70000);
    CHECK_EQ_UINT(count_logged("set by the time server\n"), 2);
    CHECK_EQ_UINT(count_logged("WARNING"), 2);
}

/* No resolver is known here: no question ever goes out. */
static void test_not_resolved(void)
{
    start("ntp.example");
    world_run(60000);
    CHECK_EQ_UINT(server.questions, 0);
    CHECK_EQ_UINT(count_logged("ntp.example: its name is not resolved; points wait for a clock\n"),
                  1);
    CHECK_EQ_UINT(count_logged("WARNING"), 1);
}

/* DHCP's option 42: used without a configured server, else not. Port 123, as no option says. */
static void test_dhcp(void)
{
    ip4_addr_t address;
    ip4_addr_set_u32(&address, lwip_htonl(WORLD_IP4));
    set_up("");
    dhcp_set_ntp_servers(1, &address);
    wall_clock_start(&clock_under_test);
    CHECK(strstr(log_text, "asks the time server that DHCP names, 10.0.0.1\n") != NULL);
    CHECK_EQ_UINT(clock_under_test.port, 123);
    CHECK_EQ_INT(udp_bind(other_pcb, IP_ADDR_ANY, 123), ERR_OK);
    udp_recv(other_pcb, on_question, NULL);
    server.elsewhere = true;
    world_run(100);
    check_time(TIME_S);
    udp_recv(other_pcb, NULL, NULL);

    set_up("10.0.0.1:12300");
    ip4_addr_set_u32(&address, lwip_htonl(WORLD_NOBODY_IP4));
    dhcp_set_ntp_servers(1, &address);
    wall_clock_start(&clock_under_test);
    world_run(100);
    check_time(TIME_S);
}

/* No server at all: said, and one that a later lease names is asked. */
static void test_none(void)
{
    ip4_addr_t address;
    start("");
    CHECK(strstr(log_text, "WARNING: [SERVICE: Clock] no time server is configured and DHCP names "
                           "none: points wait for a clock\n") != NULL);
    world_run(30000);
    CHECK(!clock_under_test.known);
    ip4_addr_set_u32(&address, lwip_htonl(WORLD_IP4));
    dhcp_set_ntp_servers(1, &address);
    udp_recv(other_pcb, on_question, NULL);
    server.elsewhere = true;
    world_run(130000);
    CHECK(clock_under_test.known);
    start("a-name-that-is-longer-than-63-bytes-is-none-of-a-time-server-at-all.example");
    CHECK(strstr(log_text, "WARNING: [SERVICE: Clock] the time server's name is too long") != NULL);
}

int main(void)
{
    world_init();
    server_pcb = udp_new();
    other_pcb = udp_new();
    CHECK_EQ_INT(udp_bind(server_pcb, IP_ADDR_ANY, SERVER_PORT), ERR_OK);
    udp_recv(server_pcb, on_question, NULL);
    test_good();
    test_again();
    test_refused();
    test_next_era();
    test_twice();
    test_silent();
    test_lost_later();
    test_not_resolved();
    test_dhcp();
    test_none();
    sntp_stop();
    return check_result();
}
