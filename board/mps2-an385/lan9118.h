/* Driver of the SMSC LAN9118 (LAN9220) Ethernet controller for lwIP, polled.
 *
 * Received frames are drained from the NIC's FIFO (10,560 bytes in QEMU) into a ring of words in
 * RAM before the FIFO can fill: at each poll and after every sent frame. A ring that is full drops
 * the newest frame, counted. Not re-entrant. */
#ifndef LIMPET_LAN9118_H
#define LIMPET_LAN9118_H

#include "app_config.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

struct netif;
struct pbuf;

#define LAN9118_RING_WORDS (LIMPET_NIC_RING_LEN / 4u)
#define LAN9118_FRAME_LEN_MAX 1514u

_Static_assert((LAN9118_RING_WORDS & (LAN9118_RING_WORDS - 1u)) == 0,
               "the ring's indexes run freely");
_Static_assert(LIMPET_NIC_RING_LEN >= 4096u, "the longest frame fits twice");

struct lan9118 {
    volatile uint32_t *regs;
    uint32_t ring_in;  /* next word to write; both run freely, index = value % LAN9118_RING_WORDS */
    uint32_t ring_out; /* next word to read */
    struct board_netif_counts counts;
    uint32_t ring[LAN9118_RING_WORDS]; /* frames: one word with the length, then the bytes */
};

/* False: no LAN9118 at this address. Interrupt: RX status FIFO not empty. */
bool lan9118_init(struct lan9118 *nic, uintptr_t base, uint8_t mac[6]);
/* It is still there, receiver and transmitter on. Adds what the FIFO had no room for to the counts.
 */
bool lan9118_alive(struct lan9118 *nic);
/* The interrupt line goes low; it rises again with the next frame. */
void lan9118_acknowledge(struct lan9118 *nic);
/* Moves received frames from the FIFO into the ring; true when the ring holds one. */
bool lan9118_drain(struct lan9118 *nic);
/* Gives the oldest frame of the ring to the netif; false when there is none. */
bool lan9118_receive(struct lan9118 *nic, struct netif *netif);
/* Sends one frame (with ETH_PAD_SIZE bytes before it). ERR_BUF: longer than a frame can be; ERR_IF:
 * the NIC does not take it. */
signed char lan9118_send(struct lan9118 *nic, struct pbuf *frame);

#endif
