/* Commands: Spansion S25FL128; registers of the controller: Microsemi UG0331, SPI. */
#include "spi_nor.h"

#include <string.h>

#define SPI0_BASE 0x40001000u
#define CONTROL_MASTER 0x00000003u    /* on, master */
#define CONTROL_SELECT_ALL (1u << 26) /* chip select from the first to the last frame */
#define CONTROL_LARGE_FIFO (1u << 29)
#define CONTROL_COUNT_SHIFT 8u
#define STATUS_RX_EMPTY (1u << 6)

#define READ_ID 0x9Fu
#define READ_STATUS 0x05u
#define READ 0x03u
#define WRITE_ENABLE 0x06u
#define PAGE_PROGRAM 0x02u
#define SECTOR_ERASE 0xD8u
#define STATUS_BUSY 0x01u
#define ID_SPANSION_128 0x012018u

#define PAGE_LEN 256u
#define READ_PIECE_LEN 1024u
#define SPIN_MAX 1000u     /* reads of a register until one byte has gone over the wire */
#define BUSY_MAX 10000000u /* status reads while a sector is erased: 2 s at most */

struct spi {
    volatile uint32_t control, frame_size, status, int_clear, rx, tx, clock, select;
};

static struct spi *const spi0 = (struct spi *)SPI0_BASE;

/* One byte out, one in; 0 when nothing comes back. */
static uint8_t exchange(uint8_t byte)
{
    spi0->tx = byte;
    for (uint32_t i = 0; i < SPIN_MAX; i++) {
        if ((spi0->status & STATUS_RX_EMPTY) == 0) {
            return (uint8_t)spi0->rx;
        }
    }
    return 0;
}

static void begin(size_t len)
{
    spi0->control = 0;
    spi0->frame_size = 8;
    spi0->select = 1;
    spi0->control = CONTROL_MASTER | CONTROL_SELECT_ALL | CONTROL_LARGE_FIFO |
                    (uint32_t)len << CONTROL_COUNT_SHIFT;
}

static void command(uint8_t code, uint32_t at)
{
    exchange(code);
    exchange((uint8_t)(at >> 16));
    exchange((uint8_t)(at >> 8));
    exchange((uint8_t)at);
}

static void enable_writing(void)
{
    begin(1);
    exchange(WRITE_ENABLE);
}

static bool wait_until_done(void)
{
    for (uint32_t i = 0; i < BUSY_MAX; i++) {
        begin(2);
        exchange(READ_STATUS);
        if ((exchange(0) & STATUS_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

bool spi_nor_init(void)
{
    begin(4);
    exchange(READ_ID);
    uint32_t id = (uint32_t)exchange(0) << 16;
    id |= (uint32_t)exchange(0) << 8;
    id |= exchange(0);
    return id == ID_SPANSION_128;
}

bool spi_nor_read(uint32_t at, void *bytes, size_t len)
{
    uint8_t *to = bytes;
    while (len > 0) {
        size_t piece = len < READ_PIECE_LEN ? len : READ_PIECE_LEN;
        begin(4 + piece);
        command(READ, at);
        for (size_t i = 0; i < piece; i++) {
            to[i] = exchange(0);
        }
        to += piece;
        at += (uint32_t)piece;
        len -= piece;
    }
    return true;
}

bool spi_nor_erase(uint32_t at)
{
    enable_writing();
    begin(4);
    command(SECTOR_ERASE, at);
    return wait_until_done();
}

/* A command stays within one page. */
bool spi_nor_write(uint32_t at, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    bool done = true;
    while (len > 0 && done) {
        size_t room = PAGE_LEN - at % PAGE_LEN;
        size_t piece = len < room ? len : room;
        enable_writing();
        begin(4 + piece);
        command(PAGE_PROGRAM, at);
        for (size_t i = 0; i < piece; i++) {
            exchange(from[i]);
        }
        done = wait_until_done();
        from += piece;
        at += (uint32_t)piece;
        len -= piece;
    }
    return done;
}
