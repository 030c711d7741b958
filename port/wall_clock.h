/* The wall clock from a time server, for any port: lwIP's SNTP client (RFC 4330), its hooks, and
 * what lwIP does not look at.
 *
 * Asks every few seconds until the first good answer, then every 17 minutes. An answer counts when
 * it is from the server and repeats the random stamp that was sent (lwIP's checks), when the server
 * says that its own clock is set, and when the time is not before LIMPET_BUILD_UNIX_S. The latest
 * one decides, also when it steps back: who stamps with it must mind that. What is wrong with the
 * server is logged once, until it is another thing or over. lwIP has one such client, so there is
 * one clock. */
#ifndef LIMPET_WALL_CLOCK_H
#define LIMPET_WALL_CLOCK_H

#include "base/log.h"
#include "metrics/service.h"

#include "lwip/udp.h"

#define WALL_CLOCK_VALUES 4u
/* Below limpet.clock.; `base` is the clock. */
extern const struct metrics_value wall_clock_values[WALL_CLOCK_VALUES];

struct wall_clock_options {
    /* "host" or "host:port" (default 123); empty: the first server that DHCP names (option 42). */
    struct slice server;
    uint32_t loopback_ip4; /* what the host's 127.0.0.1 is called; 0 = none. Host byte order */
    uint64_t (*mono_ns)(void);
};

/* For static placement; do not touch the fields. */
struct wall_clock {
    struct log *log;
    uint64_t (*mono_ns)(void);
    udp_recv_fn lwip_recv; /* lwIP's own receiver of answers */
    char host[64];
    uint16_t port;
    bool open;   /* a question waits for its answer */
    bool heard;  /* something came meanwhile that did not count */
    bool missed; /* nothing at all came for the question before */
    bool known;
    const char *complaint; /* as was last logged; NULL = none */
    uint64_t asked_ns;
    int64_t base_ns;  /* wall clock - monotonic */
    uint32_t answers; /* taken */
    uint32_t refused; /* did not count */
    uint32_t unanswered;
};

/* Before DHCP is asked. A server that is longer than 63 bytes counts as none, which is logged. */
void wall_clock_init(struct wall_clock *clock, struct log *log,
                     const struct wall_clock_options *options);
/* When the netif has its address: the first question goes out. */
void wall_clock_start(struct wall_clock *clock);
/* Nanoseconds since 1970; 0 = not known yet. */
int64_t wall_clock_unix_ns(const struct wall_clock *clock, uint64_t now_ns);

#endif
