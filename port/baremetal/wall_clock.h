/* The wall clock of a board without one: SNTP (RFC 4330, client of one server), in the loop's turn.
 *
 * Asked every few seconds until the first good answer, then every 17 minutes. An answer counts when
 * it is from the server, repeats the stamp that was sent and says a time after 2024; the latest one
 * decides, also when it steps back: who stamps with it must mind that. */
#ifndef LIMPET_BAREMETAL_WALL_CLOCK_H
#define LIMPET_BAREMETAL_WALL_CLOCK_H

#include "base/log.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct udp_pcb;
struct pbuf;

/* For static placement; do not touch the fields. */
struct wall_clock {
    struct log *log;
    struct udp_pcb *pcb;
    char host[64];
    uint16_t port;
    uint32_t server_ip4; /* network byte order, 0 = not known */
    bool resolving;
    bool known;
    uint32_t wait_s;    /* to the next question */
    uint64_t ask_ns;    /* when it is due */
    uint64_t asked_ns;  /* the last one */
    uint32_t cookie[2]; /* its stamp; 0 = no question is open */
    int64_t base_ns;    /* wall clock - monotonic */
    uint32_t answers;   /* taken */
    uint32_t refused;   /* did not count */
    uint32_t unanswered;
};

/* `server`: "host" or "host:port" (default 123); empty or longer than 63 bytes: the clock stays
 * unknown, which is logged. After the network is up. */
void wall_clock_start(struct wall_clock *clock, struct log *log, struct slice server);
/* Asks when it is time to. Returns when to be called next. */
uint64_t wall_clock_poll(struct wall_clock *clock, uint64_t now_ns);
/* Nanoseconds since 1970; 0 = not known yet. */
int64_t wall_clock_unix_ns(const struct wall_clock *clock, uint64_t now_ns);

#endif
