/* A real lwIP with one netif whose wire leads back to itself: two ends of a connection in one
 * stack.
 *
 * No OS sockets and no real time: packets move in world_pump, the clock in world_run. The wire can
 * lose packets and cut them into chains of small pbufs. */
#ifndef FAKES_LWIP_WORLD_H
#define FAKES_LWIP_WORLD_H

#include "lwip/pbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_IP4 UINT32_C(0x0A000001)        /* 10.0.0.1, ours */
#define WORLD_NOBODY_IP4 UINT32_C(0x0A000009) /* on the same net; nobody answers */

struct world {
    bool cut;       /* the wire is cut: every packet is lost */
    uint16_t chop;  /* packets arrive as chains of pbufs of that length; 0: whole */
    size_t packets; /* put on the wire since world_init */
    uint32_t now_ms;
};

extern struct world world;

void world_init(void);       /* lwIP and the netif; once a process */
bool world_pump(void);       /* delivers what is on the wire now; false when there was nothing */
void world_run(uint32_t ms); /* lets the time go by: lwIP's timers and the wire */
/* After the closing states have passed: no pcb, segment, pbuf or heap byte of lwIP is in use. */
bool world_is_clean(void);

#endif
