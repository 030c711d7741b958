/* Driver of the SMSC LAN9118 (LAN9220) Ethernet controller for lwIP, polled.
 *
 * Received frames wait in the NIC's own FIFO (10,560 bytes in QEMU) until a poll moves them into
 * lwIP's buffers; where there are none, the frame is dropped, counted. Not re-entrant. */
#ifndef LIMPET_LAN9118_H
#define LIMPET_LAN9118_H

#include "app_config.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

struct netif;
struct pbuf;

#define LAN9118_FRAME_LEN_MAX 1514u

struct lan9118 {
    volatile uint32_t *regs;
    struct board_netif_counts counts;
};

/* False: no LAN9118 at this address. Interrupt: RX status FIFO not empty. */
bool lan9118_init(struct lan9118 *nic, uintptr_t base, uint8_t mac[6]);
/* It is still there, receiver and transmitter on. Counts what the FIFO had no room for. */
bool lan9118_alive(struct lan9118 *nic);
/* The PHY has a link; one that was lost since the last call counts as none. */
bool lan9118_has_link(struct lan9118 *nic);
/* The interrupt line goes low; it rises again with the next frame. */
void lan9118_acknowledge(struct lan9118 *nic);
/* A received frame waits. */
bool lan9118_has_frame(const struct lan9118 *nic);
/* Gives the oldest frame to the netif; false when there is none. */
bool lan9118_receive(struct lan9118 *nic, struct netif *netif);
/* Sends one frame (with ETH_PAD_SIZE bytes before it). ERR_BUF: longer than a frame can be; ERR_IF:
 * the NIC does not take it. */
signed char lan9118_send(struct lan9118 *nic, struct pbuf *frame);

#endif
