/* Register names and numbers: SMSC LAN9118 data sheet, revision 1.5. What QEMU does differently is
 * said where it matters. */
#include "lan9118.h"

#include "network.h"

#include "lwip/netif.h"
#include "lwip/pbuf.h"

#include <string.h>

/* Offsets of the registers, in words. */
enum {
    RX_DATA_FIFO = 0x00 / 4,
    TX_DATA_FIFO = 0x20 / 4,
    RX_STATUS_FIFO = 0x40 / 4,
    TX_STATUS_FIFO = 0x48 / 4,
    ID_REV = 0x50 / 4,
    IRQ_CFG = 0x54 / 4,
    INT_STS = 0x58 / 4,
    INT_EN = 0x5C / 4,
    BYTE_TEST = 0x64 / 4,
    FIFO_INT = 0x68 / 4,
    RX_CFG = 0x6C / 4,
    TX_CFG = 0x70 / 4,
    HW_CFG = 0x74 / 4,
    RX_FIFO_INF = 0x7C / 4,
    TX_FIFO_INF = 0x80 / 4,
    RX_DROP = 0xA0 / 4,
    MAC_CSR_CMD = 0xA4 / 4,
    MAC_CSR_DATA = 0xA8 / 4,
};

/* Registers of the MAC, reached through MAC_CSR_CMD. */
enum { MAC_CR = 1, MAC_ADDRH = 2, MAC_ADDRL = 3, MII_ACC = 6, MII_DATA = 7 };

#define ID_LAN9118 0x01180000u
#define BYTE_TEST_VALUE 0x87654321u
#define HW_CFG_RESET 0x00000001u
#define HW_CFG_VALUE 0x00050000u /* TX_FIF_SZ 5: 4608 bytes of TX data, 10,560 of RX data */
#define MAC_CSR_BUSY 0x80000000u
#define MAC_CSR_READ 0x40000000u
#define MAC_CR_VALUE 0x0010000Cu /* full duplex, transmitter and receiver on */
#define MAC_CR_BOTH_ON 0x0000000Cu
#define TX_CFG_ON 0x00000002u
#define FIFO_INT_VALUE 0x48000000u /* RX status level 0: from the first received frame on */
#define INT_RSFL 0x00000008u       /* RX status FIFO level */
/* Line on, active high, push-pull. With any other value QEMU's line is active all the time. */
#define IRQ_CFG_VALUE 0x00000111u
#define RX_STATUS_ERROR 0x00008000u
#define TX_CMD_A_WHOLE_FRAME 0x00003000u
#define TX_COMMAND_LEN 8u
#define MII_PHY_1 (1u << 11)
#define MII_WRITE 0x2u
#define MII_BUSY 0x1u
#define BMCR_AUTONEGOTIATE 0x1200u /* on and restarted (IEEE 802.3 clause 22) */
#define MII_BMSR (1u << 6)         /* register 1 */
#define BMSR_LINK 0x0004u          /* low until read, once the link was lost */
#define FRAME_CRC_LEN 4u
#define FRAME_LEN_MIN 60u
#define SEND_PIECE_LEN 256u
/* Reads of a register until it must have changed: a frame of 1514 bytes takes 1.2 ms at 10 Mbit/s,
 * a read about 100 ns. */
#define SPIN_MAX 100000u

static bool reset_chip(struct lan9118 *nic);
static bool mac_ready(struct lan9118 *nic);
static uint32_t mac_read(struct lan9118 *nic, uint32_t reg);
static void mac_write(struct lan9118 *nic, uint32_t reg, uint32_t value);
static void read_frame(struct lan9118 *nic, struct pbuf *frame, uint32_t words);
static uint32_t padded_words(uint32_t len);
static void send_bytes(struct lan9118 *nic, struct pbuf *frame, uint32_t padded_len);
static bool wait_for_tx_room(struct lan9118 *nic, uint32_t len);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

bool lan9118_init(struct lan9118 *nic, uintptr_t base, uint8_t mac[6])
{
    nic->regs = (volatile uint32_t *)base;
    if (nic->regs[BYTE_TEST] != BYTE_TEST_VALUE ||
        (nic->regs[ID_REV] & 0xFFFF0000u) != ID_LAN9118 || !reset_chip(nic)) {
        return false;
    }
    nic->regs[HW_CFG] = HW_CFG_VALUE;
    mac_write(nic, MII_DATA, BMCR_AUTONEGOTIATE);
    mac_write(nic, MII_ACC, MII_PHY_1 | MII_WRITE | MII_BUSY);
    uint32_t low = mac_read(nic, MAC_ADDRL);
    uint32_t high = mac_read(nic, MAC_ADDRH);
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)((i < 4 ? low : high) >> (8u * (i % 4u)));
    }
    nic->regs[RX_CFG] = (uint32_t)ETH_PAD_SIZE << 8; /* the frame begins 2 bytes into its word */
    nic->regs[FIFO_INT] = FIFO_INT_VALUE;
    nic->regs[INT_STS] = UINT32_MAX;
    nic->regs[INT_EN] = INT_RSFL;
    nic->regs[IRQ_CFG] = IRQ_CFG_VALUE;
    nic->regs[TX_CFG] = TX_CFG_ON;
    mac_write(nic, MAC_CR, MAC_CR_VALUE);
    return true;
}

static bool reset_chip(struct lan9118 *nic)
{
    nic->regs[HW_CFG] = HW_CFG_RESET;
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((nic->regs[HW_CFG] & HW_CFG_RESET) == 0) {
            return true;
        }
    }
    return false;
}

/* A read clears the count of the FIFO; QEMU's is always 0. */
bool lan9118_alive(struct lan9118 *nic)
{
    nic->counts.frames_dropped += nic->regs[RX_DROP];
    return nic->regs[BYTE_TEST] == BYTE_TEST_VALUE &&
           (mac_read(nic, MAC_CR) & MAC_CR_BOTH_ON) == MAC_CR_BOTH_ON;
}

bool lan9118_has_link(struct lan9118 *nic)
{
    mac_write(nic, MII_ACC, MII_PHY_1 | MII_BMSR | MII_BUSY);
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((mac_read(nic, MII_ACC) & MII_BUSY) == 0) {
            return (mac_read(nic, MII_DATA) & BMSR_LINK) != 0;
        }
    }
    return false;
}

/* ---- Registers of the MAC ---------------------------------------------------------------------
 */

static bool mac_ready(struct lan9118 *nic)
{
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((nic->regs[MAC_CSR_CMD] & MAC_CSR_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t mac_read(struct lan9118 *nic, uint32_t reg)
{
    nic->regs[MAC_CSR_CMD] = MAC_CSR_BUSY | MAC_CSR_READ | reg;
    return mac_ready(nic) ? nic->regs[MAC_CSR_DATA] : 0;
}

static void mac_write(struct lan9118 *nic, uint32_t reg, uint32_t value)
{
    nic->regs[MAC_CSR_DATA] = value;
    nic->regs[MAC_CSR_CMD] = MAC_CSR_BUSY | reg;
    (void)mac_ready(nic);
}

/* ---- Receive ----------------------------------------------------------------------------------
 */

/* Acknowledged first, looked at after it: the interrupt does not rise again for frames that wait
 * already, only for the next one. */
void lan9118_acknowledge(struct lan9118 *nic)
{
    nic->regs[INT_STS] = INT_RSFL;
}

bool lan9118_has_frame(const struct lan9118 *nic)
{
    return (nic->regs[RX_FIFO_INF] >> 16 & 0xFFu) != 0;
}

bool lan9118_receive(struct lan9118 *nic, struct netif *netif)
{
    if (!lan9118_has_frame(nic)) {
        return false;
    }
    uint32_t status = nic->regs[RX_STATUS_FIFO];
    uint32_t len_with_crc = status >> 16 & 0x3FFFu;
    bool good = (status & RX_STATUS_ERROR) == 0 && len_with_crc > FRAME_CRC_LEN &&
                len_with_crc <= LAN9118_FRAME_LEN_MAX + FRAME_CRC_LEN;
    uint16_t len = good ? (uint16_t)(len_with_crc - FRAME_CRC_LEN + ETH_PAD_SIZE) : 0;
    struct pbuf *frame = good ? network_frame_alloc(len) : NULL;
    read_frame(nic, frame, padded_words(len_with_crc));
    nic->counts.frames_bad += good ? 0 : 1;
    nic->counts.frames_dropped += good && frame == NULL ? 1 : 0;
    if (frame != NULL && netif->input(frame, netif) != ERR_OK) {
        pbuf_free(frame);
    }
    return true;
}

/* All `words` of a frame out of the FIFO; what lies behind the pbufs' end, and the whole of a frame
 * without a pbuf, goes nowhere. Not left to the NIC: QEMU's fast-forward (RX_DP_CTRL) leaves the
 * FIFO's accounting wrong (7.2 and 10.0). */
static void read_frame(struct lan9118 *nic, struct pbuf *frame, uint32_t words)
{
    uint32_t at = 0; /* bytes of this pbuf */
    for (; words > 0; words--) {
        uint32_t word = nic->regs[RX_DATA_FIFO];
        if (frame != NULL && at == frame->len) {
            frame = frame->next;
            at = 0;
        }
        if (frame != NULL) {
            uint32_t left = frame->len - at;
            uint8_t *to = (uint8_t *)frame->payload + at;
            if (left >= sizeof(word)) {
                memcpy(to, &word, sizeof(word)); /* one instruction */
                at += sizeof(word);
            } else {
                memcpy(to, &word, left);
                at += left;
            }
        }
    }
}

/* Words of `len` bytes behind the padding that aligns the IP header. */
static uint32_t padded_words(uint32_t len)
{
    return (len + ETH_PAD_SIZE + 3u) / 4u;
}

/* ---- Send -------------------------------------------------------------------------------------
 */

signed char lan9118_send(struct lan9118 *nic, struct pbuf *frame)
{
    uint32_t len = frame->tot_len - ETH_PAD_SIZE;
    uint32_t padded_len = len < FRAME_LEN_MIN ? FRAME_LEN_MIN : len;
    if (len > LAN9118_FRAME_LEN_MAX) {
        return ERR_BUF;
    }
    if (!wait_for_tx_room(nic, padded_len)) {
        return ERR_IF;
    }
    nic->regs[TX_DATA_FIFO] = TX_CMD_A_WHOLE_FRAME | padded_len;
    nic->regs[TX_DATA_FIFO] = padded_len << 16 | padded_len;
    send_bytes(nic, frame, padded_len);
    while ((nic->regs[TX_FIFO_INF] >> 16 & 0xFFu) != 0) {
        (void)nic->regs[TX_STATUS_FIFO];
    }
    return ERR_OK;
}

/* The chain's pieces have any length and alignment: through whole words. */
static void send_bytes(struct lan9118 *nic, struct pbuf *frame, uint32_t padded_len)
{
    uint32_t words[SEND_PIECE_LEN / 4u];
    for (uint32_t at = 0; at < padded_len; at += SEND_PIECE_LEN) {
        uint32_t left = padded_len - at;
        uint32_t piece = left < SEND_PIECE_LEN ? left : SEND_PIECE_LEN;
        memset(words, 0, sizeof(words));
        (void)pbuf_copy_partial(frame, words, (uint16_t)piece, (uint16_t)(at + ETH_PAD_SIZE));
        for (uint32_t i = 0; i < (piece + 3u) / 4u; i++) {
            nic->regs[TX_DATA_FIFO] = words[i];
        }
    }
}

static bool wait_for_tx_room(struct lan9118 *nic, uint32_t len)
{
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((nic->regs[TX_FIFO_INF] & 0xFFFFu) >= len + TX_COMMAND_LEN + 4u) {
            return true;
        }
    }
    return false;
}
