#include "wall_clock.h"

#include "board/board.h"

#include "app_config.h"
#include "arch/cc.h"
#include "base/num.h"

#include "lwip/dns.h"
#include "lwip/pbuf.h"
#include "lwip/udp.h"

#include <string.h>

#define PREFIX "[SERVICE: Clock]"

#define DEFAULT_PORT 123u
#define FIRST_WAIT_S 2u
#define LONGEST_WAIT_S 64u /* while nobody answers */
#define GOOD_WAIT_S                                                                                \
    1024u /* the longest poll interval that is common (RFC 5905 section 7.3: 2^10) */

/* RFC 4330 section 4. */
#define PACKET_LEN 48u
#define AT_FLAGS 0u /* leap indicator, version, mode */
#define AT_STRATUM 1u
#define AT_ORIGINATE 24u
#define AT_TRANSMIT 40u
#define VERSION_4_CLIENT 0x23u
#define MODE_SERVER 4u
#define LEAP_UNKNOWN 3u /* the server's clock is not set */
#define STRATUM_MAX 15u

/* 1900 to 1970, in the era that ends in 2036; the next one begins at 0 again. */
#define UNIX_EPOCH_S INT64_C(2208988800)
#define ERA_S (INT64_C(1) << 32)
#define UNIX_S_2024 INT64_C(1704067200)
#define NS_PER_S INT64_C(1000000000)

static bool take_server(struct wall_clock *clock, struct slice server);
static void ask(struct wall_clock *clock, uint64_t now_ns);
static void resolve(struct wall_clock *clock);
static void on_resolved(const char *name, const ip_addr_t *address, void *ctx);
static void on_answer(void *ctx, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                      u16_t port);
static void send_question(struct wall_clock *clock, uint64_t now_ns);
static bool answer_counts(const struct wall_clock *clock, const uint8_t *packet);
static void set_clock(struct wall_clock *clock, const uint8_t *packet, uint64_t now_ns);
static uint32_t get_u32(const uint8_t *at);
static void put_u32(uint8_t *at, uint32_t value);

/* ---- Public -----------------------------------------------------------------------------------
 */

void wall_clock_start(struct wall_clock *clock, struct log *log, struct slice server)
{
    *clock = (struct wall_clock){.log = log, .wait_s = FIRST_WAIT_S, .ask_ns = UINT64_MAX};
    if (!take_server(clock, server)) {
        log_line(log, LOG_WARN, PREFIX, "no time server is configured: points wait for a clock");
        return;
    }
    clock->pcb = udp_new();
    if (clock->pcb != NULL) {
        udp_recv(clock->pcb, on_answer, clock);
        clock->ask_ns = 0;
    }
}

uint64_t wall_clock_poll(struct wall_clock *clock, uint64_t now_ns)
{
    if (now_ns >= clock->ask_ns) {
        ask(clock, now_ns);
    }
    return clock->ask_ns;
}

int64_t wall_clock_unix_ns(const struct wall_clock *clock, uint64_t now_ns)
{
    return clock->known ? clock->base_ns + (int64_t)now_ns : 0;
}

/* ---- Question ---------------------------------------------------------------------------------
 */

static bool take_server(struct wall_clock *clock, struct slice server)
{
    size_t host_len = slice_find(server, ':');
    uint64_t port = DEFAULT_PORT;
    if (host_len == 0 || host_len >= sizeof(clock->host)) {
        return false;
    }
    if (host_len < server.len) {
        struct slice digits = slice_skip(server, host_len + 1);
        if (num_parse_u64(digits, UINT16_MAX, &port) != LIMPET_OK || port == 0) {
            return false;
        }
    }
    memcpy(clock->host, server.ptr, host_len);
    clock->port = (uint16_t)port;
    return true;
}

/* The wait doubles while nobody answers. A name is resolved anew then: its address may have
 * changed. */
static void ask(struct wall_clock *clock, uint64_t now_ns)
{
    bool open = clock->cookie[0] != 0;
    clock->unanswered += open;
    if (open) {
        clock->server_ip4 = 0;
        clock->cookie[0] = 0;
        clock->wait_s = clock->wait_s < LONGEST_WAIT_S ? 2u * clock->wait_s : LONGEST_WAIT_S;
    }
    clock->ask_ns = now_ns + LIMPET_S_TO_NS(clock->wait_s);
    if (clock->server_ip4 == 0 && !clock->resolving) {
        resolve(clock);
    }
    if (clock->server_ip4 != 0) {
        send_question(clock, now_ns);
    }
}

static void resolve(struct wall_clock *clock)
{
    ip_addr_t address;
    err_t err = dns_gethostbyname(clock->host, &address, on_resolved, clock);
    if (err == ERR_OK) {
        clock->server_ip4 = ip4_addr_get_u32(&address);
    }
    clock->resolving = err == ERR_INPROGRESS;
}

/* Inside lwIP: the question follows in the next turn. */
static void on_resolved(const char *name, const ip_addr_t *address, void *ctx)
{
    struct wall_clock *clock = ctx;
    (void)name;
    clock->resolving = false;
    if (address != NULL) {
        clock->server_ip4 = ip4_addr_get_u32(address);
        clock->ask_ns = 0;
    }
}

/* The stamp means nothing to the server; it comes back and proves that the answer is one. */
static void send_question(struct wall_clock *clock, uint64_t now_ns)
{
    ip_addr_t address;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, PACKET_LEN, PBUF_RAM);
    if (p == NULL) {
        return;
    }
    clock->cookie[0] = port_lwip_rand() | 1u; /* never 0 */
    clock->cookie[1] = port_lwip_rand();
    clock->asked_ns = now_ns;
    uint8_t *packet = p->payload;
    memset(packet, 0, PACKET_LEN);
    packet[AT_FLAGS] = VERSION_4_CLIENT;
    put_u32(packet + AT_TRANSMIT, clock->cookie[0]);
    put_u32(packet + AT_TRANSMIT + 4, clock->cookie[1]);
    ip4_addr_set_u32(&address, clock->server_ip4);
    (void)udp_sendto(clock->pcb, p, &address, clock->port);
    pbuf_free(p);
}

/* ---- Answer -----------------------------------------------------------------------------------
 */

static void on_answer(void *ctx, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                      u16_t port)
{
    struct wall_clock *clock = ctx;
    uint8_t packet[PACKET_LEN];
    (void)pcb;
    bool whole = pbuf_copy_partial(p, packet, PACKET_LEN, 0) == PACKET_LEN;
    bool from_server = ip4_addr_get_u32(address) == clock->server_ip4 && port == clock->port;
    pbuf_free(p);
    if (!whole || !from_server || !answer_counts(clock, packet)) {
        clock->refused++;
        return;
    }
    set_clock(clock, packet, board_now_ns());
}

static bool answer_counts(const struct wall_clock *clock, const uint8_t *packet)
{
    return clock->cookie[0] != 0 && (packet[AT_FLAGS] & 7u) == MODE_SERVER &&
           packet[AT_FLAGS] >> 6 != LEAP_UNKNOWN && packet[AT_STRATUM] >= 1 &&
           packet[AT_STRATUM] <= STRATUM_MAX &&
           get_u32(packet + AT_ORIGINATE) == clock->cookie[0] &&
           get_u32(packet + AT_ORIGINATE + 4) == clock->cookie[1];
}

/* The server's stamp is as old as half of the way there and back. */
static void set_clock(struct wall_clock *clock, const uint8_t *packet, uint64_t now_ns)
{
    uint32_t seconds = get_u32(packet + AT_TRANSMIT);
    uint64_t fraction = get_u32(packet + AT_TRANSMIT + 4);
    int64_t unix_s = (int64_t)seconds - UNIX_EPOCH_S + (seconds < 0x80000000u ? ERA_S : 0);
    clock->cookie[0] = 0;
    if (unix_s < UNIX_S_2024) {
        clock->refused++;
        return;
    }
    int64_t unix_ns = unix_s * NS_PER_S + (int64_t)(fraction * (uint64_t)NS_PER_S >> 32);
    clock->base_ns = unix_ns + (int64_t)((now_ns - clock->asked_ns) / 2u) - (int64_t)now_ns;
    clock->answers++;
    clock->wait_s = GOOD_WAIT_S;
    clock->ask_ns = now_ns + LIMPET_S_TO_NS(GOOD_WAIT_S);
    if (!clock->known) {
        clock->known = true;
        log_line(clock->log, LOG_INFO, PREFIX, "set by the time server");
    }
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}
