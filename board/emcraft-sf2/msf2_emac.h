/* Driver of the SmartFusion2's Ethernet MAC (UG0331) for lwIP, polled.
 *
 * The MAC writes received frames into a ring of descriptors with buffers of their own; they are
 * copied into pbufs at each poll. When the ring is full the MAC stops; it is started again when the
 * ring has been emptied, and what came meanwhile is lost, counted once. Not re-entrant. */
#ifndef LIMPET_MSF2_EMAC_H
#define LIMPET_MSF2_EMAC_H

#include "app_config.h"
#include "board/board.h"

#include <stdbool.h>
#include <stdint.h>

struct netif;
struct pbuf;

#define MSF2_EMAC_BUFFER_LEN 1536u

struct msf2_emac_descriptor {
    volatile uint32_t buffer;
    volatile uint32_t size; /* bit 31: the MAC's turn (receive), nothing to send (transmit) */
    volatile uint32_t next;
};

struct msf2_emac {
    volatile uint32_t *regs;
    struct board_netif_counts counts;
    uint32_t next; /* descriptor that is read next */
    struct msf2_emac_descriptor rx[LIMPET_NIC_DESCRIPTORS];
    struct msf2_emac_descriptor tx;
    uint32_t tx_buffer[MSF2_EMAC_BUFFER_LEN / 4u];
    uint32_t rx_buffers[LIMPET_NIC_DESCRIPTORS][MSF2_EMAC_BUFFER_LEN / 4u];
};

/* Interrupt: a frame was received, or the ring is full. */
void msf2_emac_init(struct msf2_emac *mac, uintptr_t base, const uint8_t address[6]);
/* Receiver and transmitter are on. */
bool msf2_emac_alive(const struct msf2_emac *mac);
/* The PHY has a link; one that was lost since the last call counts as none. */
bool msf2_emac_has_link(struct msf2_emac *mac);
bool msf2_emac_has_frame(const struct msf2_emac *mac);
/* Gives the oldest received frame to the netif; false when there is none. */
bool msf2_emac_receive(struct msf2_emac *mac, struct netif *netif);
/* Sends one frame (with ETH_PAD_SIZE bytes before it). ERR_BUF: longer than a frame can be; ERR_IF:
 * the MAC does not take it. */
signed char msf2_emac_send(struct msf2_emac *mac, struct pbuf *frame);

#endif
