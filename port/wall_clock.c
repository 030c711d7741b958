#include "wall_clock.h"

#include "app_config.h"
#include "base/num.h"
#include "config/address.h"
#include "net/net.h"

#include "lwip/apps/sntp.h"
#include "lwip/timeouts.h"

#include <string.h>

#define PREFIX "[SERVICE: Clock]"

#define DEFAULT_PORT 123u

/* RFC 4330 section 4. */
#define PACKET_LEN 48u
#define AT_FLAGS 0u /* leap indicator, version, mode */
#define AT_STRATUM 1u
#define AT_TRANSMIT 40u
#define LEAP_UNKNOWN 3u /* the server's clock is not set */
#define STRATUM_MAX 15u

/* lwIP's resolver has given up by then. */
#define FIRST_QUESTION_MS 15000u

/* lwIP counts seconds from 2036-02-07, signed: from 1968 to 2104. */
#define ERA_UNIX_S INT64_C(2085978496)

/* lwIP's client has no context to pass. */
static struct wall_clock *instance;

static bool take_server(struct wall_clock *clock, struct slice server);
static void set_server(const struct wall_clock_options *options, const char *host);
static void log_server(struct wall_clock *clock);
static void on_first_question_due(void *arg);
static void complain(struct wall_clock *clock, const char *what);
static void on_answer(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                      u16_t port);
static const char *complaint_of(const struct pbuf *p);

const struct metrics_value wall_clock_values[WALL_CLOCK_VALUES] = {
    METRICS_FIELD(METRICS_COUNTER, "clock.answers", struct wall_clock, answers),
    METRICS_FIELD(METRICS_GAUGE, "clock.known", struct wall_clock, known),
    METRICS_FIELD(METRICS_COUNTER, "clock.refused", struct wall_clock, refused),
    METRICS_FIELD(METRICS_COUNTER, "clock.unanswered", struct wall_clock, unanswered),
};

/* ---- Public -----------------------------------------------------------------------------------
 */

void wall_clock_init(struct wall_clock *clock, struct log *log,
                     const struct wall_clock_options *options)
{
    *clock = (struct wall_clock){.log = log, .mono_ns = options->mono_ns, .port = DEFAULT_PORT};
    instance = clock;
    bool taken = take_server(clock, options->server);
    if (!taken && options->server.len > 0) {
        log_line(log, LOG_WARN, PREFIX,
                 "the time server's name is too long: DHCP is asked for one");
    }
    sntp_setoperatingmode(SNTP_OPMODE_POLL);
    sntp_servermode_dhcp(!taken);
    if (taken) {
        set_server(options, clock->host);
    }
}

void wall_clock_start(struct wall_clock *clock)
{
    log_server(clock);
    sntp_init();
    sys_untimeout(on_first_question_due, clock);
    sys_timeout(FIRST_QUESTION_MS, on_first_question_due, clock);
}

int64_t wall_clock_unix_ns(const struct wall_clock *clock, uint64_t now_ns)
{
    return clock->known ? clock->base_ns + (int64_t)now_ns : 0;
}

/* ---- The server -------------------------------------------------------------------------------
 */

static bool take_server(struct wall_clock *clock, struct slice server)
{
    size_t host_len = slice_find(server, ':');
    uint64_t port = DEFAULT_PORT;
    if (host_len == 0 || host_len >= sizeof(clock->host)) {
        return false;
    }
    if (host_len < server.len &&
        num_parse_u64(slice_skip(server, host_len + 1), UINT16_MAX, &port) != LIMPET_OK) {
        return false;
    }
    memcpy(clock->host, server.ptr, host_len);
    clock->port = (uint16_t)port;
    return true;
}

/* The host's own address is another one in here, as for backends. */
static void set_server(const struct wall_clock_options *options, const char *host)
{
    uint32_t ip4 = 0;
    struct slice name = slice_from_cstr(host);
    bool here =
        slice_equal(name, SLICE_LIT("localhost")) || (address_ip4(name, &ip4) && ip4 >> 24 == 127u);
    if (here && options->loopback_ip4 != 0) {
        ip_addr_t address;
        ip4_addr_set_u32(&address, lwip_htonl(options->loopback_ip4));
        sntp_setserver(0, &address);
    } else {
        sntp_setservername(0, host);
    }
}

static void log_server(struct wall_clock *clock)
{
    uint32_t ip4 = lwip_ntohl(ip4_addr_get_u32(sntp_getserver(0)));
    bool named = clock->host[0] != '\0';
    struct out *out = log_begin(clock->log, named || ip4 != 0 ? LOG_INFO : LOG_WARN, PREFIX);
    if (named) {
        out_text(out, "asks ");
        out_text(out, clock->host);
    } else if (ip4 != 0) {
        out_text(out, "asks the time server that DHCP names, ");
        net_ip4_text(out, ip4);
    } else {
        out_text(out, "no time server is configured and DHCP names none: points wait for a clock");
    }
    log_end(clock->log);
}

/* lwIP does not tell when a name has no address. */
static void on_first_question_due(void *arg)
{
    struct wall_clock *clock = arg;
    if (clock->host[0] != '\0' && clock->asked_ns == 0) {
        complain(clock, "its name is not resolved");
    }
}

static void complain(struct wall_clock *clock, const char *what)
{
    if (what == clock->complaint) {
        return;
    }
    clock->complaint = what;
    struct out *out = log_begin(clock->log, LOG_WARN, PREFIX);
    out_text(out, clock->host[0] != '\0' ? clock->host : "the time server of DHCP");
    out_text(out, ": ");
    out_text(out, what);
    out_text(out, clock->known ? "; the time goes on from the last good answer"
                               : "; points wait for a clock");
    log_end(clock->log);
}

/* ---- lwIP's hooks (lwipopts.h) ----------------------------------------------------------------
 */

uint16_t port_sntp_port(void)
{
    return instance->port;
}

/* A question goes out. Its stamp means nothing to the server; it comes back and proves that the
 * answer is one. */
void port_sntp_ask(struct udp_pcb *pcb, int32_t *seconds, uint32_t *fraction)
{
    struct wall_clock *clock = instance;
    if (pcb->recv != on_answer) {
        clock->lwip_recv = pcb->recv;
        udp_recv(pcb, on_answer, clock);
    }
    bool silent = clock->open && !clock->heard;
    clock->unanswered += silent;
    if (silent && clock->missed) { /* one alone may be lost */
        complain(clock, "no answer");
    }
    clock->missed = silent;
    clock->heard = false;
    clock->open = true;
    clock->asked_ns = clock->mono_ns();
    *seconds = (int32_t)port_lwip_rand();
    *fraction = port_lwip_rand();
}

/* The server's stamp is as old as half of the way there and back. */
void port_sntp_answer(int32_t seconds, uint32_t fraction)
{
    struct wall_clock *clock = instance;
    uint64_t now_ns = clock->mono_ns();
    if (!clock->open) {
        return; /* the same answer twice: its way back is not known */
    }
    int64_t unix_ns = (seconds + ERA_UNIX_S) * (int64_t)LIMPET_S_TO_NS(1) +
                      (int64_t)(fraction * LIMPET_S_TO_NS(1) >> 32);
    clock->open = false;
    clock->base_ns = unix_ns + (int64_t)((now_ns - clock->asked_ns) / 2u) - (int64_t)now_ns;
    clock->answers++;
    if (!clock->known || clock->complaint != NULL) {
        log_line(clock->log, LOG_INFO, PREFIX, "set by the time server");
    }
    clock->known = true;
    clock->complaint = NULL;
}

/* Between the network and lwIP, which believes servers whose own clock is not set, and any date. */
static void on_answer(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                      u16_t port)
{
    struct wall_clock *clock = arg;
    uint32_t answers = clock->answers;
    const char *complaint = complaint_of(p);
    if (complaint == NULL) {
        clock->lwip_recv(NULL, pcb, p, address, port);
        complaint = "what it answers is none to the question";
    } else {
        pbuf_free(p);
    }
    if (clock->answers == answers) {
        clock->refused++;
    }
    if (clock->open && clock->answers == answers) {
        clock->heard = true; /* the true answer may still come */
        complain(clock, complaint);
    }
}

/* NULL: none. */
static const char *complaint_of(const struct pbuf *p)
{
    uint8_t packet[PACKET_LEN];
    if (pbuf_copy_partial(p, packet, PACKET_LEN, 0) != PACKET_LEN) {
        return "its answer is too short";
    }
    const uint8_t *at = packet + AT_TRANSMIT;
    uint32_t since_era =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (packet[AT_FLAGS] >> 6 == LEAP_UNKNOWN || packet[AT_STRATUM] < 1 ||
        packet[AT_STRATUM] > STRATUM_MAX) {
        return "it says that its own clock is not set";
    }
    return (int32_t)since_era + ERA_UNIX_S < LIMPET_BUILD_UNIX_S
               ? "its date is before this version of Limpet"
               : NULL;
}
