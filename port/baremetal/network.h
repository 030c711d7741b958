/* lwIP on the board's NIC: started once, polled in every turn. */
#ifndef LIMPET_BAREMETAL_NETWORK_H
#define LIMPET_BAREMETAL_NETWORK_H

#include "base/log.h"

#include "lwip/netif.h"

#include <stdbool.h>

/* For static placement; do not touch the fields. */
struct network {
    struct netif netif;
    struct log *log;
    bool had_address;
};

/* Brings up lwIP, the NIC and DHCP, and waits until an address is there: as long as it takes, with
 * a log line every ten seconds. Needs platform_use_seed; the MAC address of a board that has none
 * is made from `image_seed`. Panics without a NIC. */
void network_start(struct network *network, struct log *log, struct slice image_seed);
/* Memory for a received frame of `len` bytes (ETH_PAD_SIZE included), for drivers. NULL: there is
 * none. Frames longer than one piece may take three quarters of the pool only: what they carry may
 * wait for a peer whose acknowledgement, a short frame, must get in. */
struct pbuf *network_frame_alloc(uint16_t len);
/* Frames in, lwIP's timers. True: more frames may wait. */
bool network_poll(struct network *network);
/* Looks at the cable, once a second: one that comes back may lead to another network, so DHCP is
 * asked whether the address holds. */
void network_check_link(struct network *network);
/* Monotonic time of lwIP's next timer. */
uint64_t network_next_ns(uint64_t now_ns);

uint32_t network_ip4(const struct network *network);         /* host byte order */
uint32_t network_gateway_ip4(const struct network *network); /* host byte order, 0 = none */

#endif
