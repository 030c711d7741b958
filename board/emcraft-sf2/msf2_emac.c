/* Register names and numbers: Microsemi UG0331, Ethernet MAC. */
#include "msf2_emac.h"

#include "network.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

#include <string.h>

/* Offsets of the registers, in words. */
enum {
    CFG1 = 0x000 / 4,
    CFG2 = 0x004 / 4,
    MAX_FRAME_LENGTH = 0x010 / 4,
    MII_CMD = 0x024 / 4,
    MII_ADDR = 0x028 / 4,
    MII_STATUS = 0x030 / 4,
    MII_INDICATORS = 0x034 / 4,
    STATION_1 = 0x040 / 4,
    STATION_2 = 0x044 / 4,
    FIFO_CFG0 = 0x048 / 4,
    DMA_TX_CTL = 0x180 / 4,
    DMA_TX_DESC = 0x184 / 4,
    DMA_TX_STATUS = 0x188 / 4,
    DMA_RX_CTL = 0x18C / 4,
    DMA_RX_DESC = 0x190 / 4,
    DMA_RX_STATUS = 0x194 / 4,
    DMA_IRQ_MASK = 0x198 / 4,
};

#define CFG1_BOTH_ON 0x00000005u
#define CFG2_VALUE 0x00007217u /* 7 bytes of preamble, byte mode, pad and CRC, full duplex */
#define FIFO_ALL_ON 0x00001F00u
#define DMA_ON 0x00000001u
#define TX_STATUS_CLEAR 0x00000003u /* underrun, one frame sent */
#define RX_STATUS_FRAME 0x00000001u
#define RX_STATUS_OVERFLOW 0x00000004u
#define IRQ_RX (RX_STATUS_FRAME << 4 | RX_STATUS_OVERFLOW << 4)
#define MII_CMD_READ 0x00000001u
#define MII_ADDR_BMSR 0x00000101u /* PHY 1, register 1 (IEEE 802.3 clause 22) */
#define MII_BUSY 0x00000001u
#define BMSR_LINK 0x0004u /* low until read, once the link was lost */
#define EMPTY 0x80000000u
#define SIZE_MASK 0x000007FFu
#define FRAME_LEN_MAX 1514u
#define FRAME_LEN_MIN 60u
#define SPIN_MAX 1000000u

static void start_receiver(struct msf2_emac *mac);
static void finish_frame(struct msf2_emac *mac);

static uint32_t address_of(const volatile void *at)
{
    return (uint32_t)(uintptr_t)at;
}

/* ---- Life cycle -------------------------------------------------------------------------------
 */

void msf2_emac_init(struct msf2_emac *mac, uintptr_t base, const uint8_t address[6])
{
    mac->regs = (volatile uint32_t *)base;
    mac->regs[CFG1] = 0; /* out of reset */
    mac->regs[CFG2] = CFG2_VALUE;
    mac->regs[MAX_FRAME_LENGTH] = MSF2_EMAC_BUFFER_LEN;
    mac->regs[FIFO_CFG0] = FIFO_ALL_ON;
    mac->regs[STATION_1] = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
                           (uint32_t)address[2] << 8 | address[3];
    mac->regs[STATION_2] = (uint32_t)address[4] << 24 | (uint32_t)address[5] << 16;
    for (uint32_t i = 0; i < LIMPET_NIC_DESCRIPTORS; i++) {
        mac->rx[i].buffer = address_of(mac->rx_buffers[i]);
        mac->rx[i].size = EMPTY;
        mac->rx[i].next = address_of(&mac->rx[(i + 1) % LIMPET_NIC_DESCRIPTORS]);
    }
    mac->tx.buffer = address_of(mac->tx_buffer);
    mac->tx.size = EMPTY;
    mac->tx.next = address_of(&mac->tx);
    mac->next = 0;
    mac->regs[DMA_IRQ_MASK] = IRQ_RX;
    mac->regs[CFG1] = CFG1_BOTH_ON;
    start_receiver(mac);
}

bool msf2_emac_alive(const struct msf2_emac *mac)
{
    return (mac->regs[CFG1] & CFG1_BOTH_ON) == CFG1_BOTH_ON;
}

bool msf2_emac_has_link(struct msf2_emac *mac)
{
    mac->regs[MII_ADDR] = MII_ADDR_BMSR;
    mac->regs[MII_CMD] = 0;
    mac->regs[MII_CMD] = MII_CMD_READ;
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((mac->regs[MII_INDICATORS] & MII_BUSY) == 0) {
            return (mac->regs[MII_STATUS] & BMSR_LINK) != 0;
        }
    }
    return false;
}

static void start_receiver(struct msf2_emac *mac)
{
    __asm volatile("dsb" ::: "memory");
    mac->regs[DMA_RX_DESC] = address_of(&mac->rx[mac->next]);
    mac->regs[DMA_RX_CTL] = DMA_ON;
}

/* ---- Receive ----------------------------------------------------------------------------------
 */

bool msf2_emac_has_frame(const struct msf2_emac *mac)
{
    return (mac->rx[mac->next].size & EMPTY) == 0;
}

bool msf2_emac_receive(struct msf2_emac *mac, struct netif *netif)
{
    struct msf2_emac_descriptor *descriptor = &mac->rx[mac->next];
    if (!msf2_emac_has_frame(mac)) {
        return false;
    }
    uint16_t len = (uint16_t)(descriptor->size & SIZE_MASK);
    struct pbuf *frame = network_frame_alloc((uint16_t)(len + ETH_PAD_SIZE));
    if (frame != NULL) {
        (void)pbuf_take_at(frame, mac->rx_buffers[mac->next], len, ETH_PAD_SIZE);
    }
    finish_frame(mac);
    if (frame == NULL) {
        mac->counts.frames_dropped++;
        return true;
    }
    if (netif->input(frame, netif) != ERR_OK) {
        pbuf_free(frame);
    }
    return true;
}

/* After an overflow the MAC stands at a descriptor that was full; the ring is emptied first. */
static void finish_frame(struct msf2_emac *mac)
{
    mac->rx[mac->next].size = EMPTY;
    mac->next = (mac->next + 1u) % LIMPET_NIC_DESCRIPTORS;
    mac->regs[DMA_RX_STATUS] = RX_STATUS_FRAME;
    bool stopped = (mac->regs[DMA_RX_STATUS] & RX_STATUS_OVERFLOW) != 0;
    if (stopped && !msf2_emac_has_frame(mac)) {
        mac->counts.frames_dropped++;
        mac->regs[DMA_RX_STATUS] = RX_STATUS_OVERFLOW;
        start_receiver(mac);
    }
}

/* ---- Send -------------------------------------------------------------------------------------
 */

signed char msf2_emac_send(struct msf2_emac *mac, struct pbuf *frame)
{
    uint32_t len = frame->tot_len - ETH_PAD_SIZE;
    if (len > FRAME_LEN_MAX) {
        return ERR_BUF;
    }
    memset(mac->tx_buffer, 0, FRAME_LEN_MIN);
    (void)pbuf_copy_partial(frame, mac->tx_buffer, (uint16_t)len, ETH_PAD_SIZE);
    mac->tx.size = len < FRAME_LEN_MIN ? FRAME_LEN_MIN : len;
    __asm volatile("dsb" ::: "memory");
    mac->regs[DMA_TX_DESC] = address_of(&mac->tx);
    mac->regs[DMA_TX_CTL] = DMA_ON;
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((mac->tx.size & EMPTY) != 0) {
            mac->regs[DMA_TX_STATUS] = TX_STATUS_CLEAR;
            return ERR_OK;
        }
    }
    return ERR_IF;
}
