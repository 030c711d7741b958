/* The buffers of received frames: lwIP holds them as pbufs, without a copy, until the core has read
 * them.
 *
 * They are not lwIP's own pool, because that is linked together at the start and would touch a page
 * of each buffer; here one that was never used costs nothing. */
#ifndef LIMPET_POSIX_RX_FRAMES_H
#define LIMPET_POSIX_RX_FRAMES_H

#include "app_config.h"

#include "lwip/pbuf.h"

#include <stddef.h>
#include <stdint.h>

/* slirp knows no window scaling, so a peer has at most 64 KB under way. */
#define RX_FRAMES_PER_TRANSPORT (65535u / LIMPET_TCP_MSS + 1u)

/* Every transport's window full at the same time, and some for ACKs, DNS and closing connections.
 */
#define RX_FRAMES (RX_FRAMES_PER_TRANSPORT * LIMPET_TRANSPORTS + 512u)

/* Ethernet, IP and TCP headers and a segment; DHCP and DNS need that of the usual MTU. */
#define ETHER_FRAME_LEN_MAX (54u + (LIMPET_TCP_MSS > 1460u ? LIMPET_TCP_MSS : 1460u))

struct rx_frames;

struct rx_frame {
    struct pbuf_custom pbuf; /* first: lwIP gives back a pointer to it */
    struct rx_frames *owner;
    struct rx_frame *next; /* free list */
    _Alignas(8) uint8_t bytes[ETH_PAD_SIZE + ETHER_FRAME_LEN_MAX];
};

/* For static placement, zero-initialised; do not touch the fields. */
struct rx_frames {
    struct rx_frame *free;
    size_t touched; /* frames[touched...] were never used */
    size_t used;
    size_t used_max;
    struct rx_frame frames[RX_FRAMES];
};

/* A pbuf with ETH_PAD_SIZE bytes and a copy of the frame; pbuf_free gives the buffer back. NULL:
 * none left, or longer than ETHER_FRAME_LEN_MAX. */
struct pbuf *rx_frames_take(struct rx_frames *frames, const void *bytes, size_t len);
size_t rx_frames_left(const struct rx_frames *frames);

#endif
