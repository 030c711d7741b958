#include "storage.h"

#include "board/board.h"
#include "seed.h"

static uint32_t stride(void);
static uint32_t place(uint32_t at);
static bool read(void *ctx, uint32_t at, void *bytes, size_t len);
static bool program(void *ctx, uint32_t at, const void *bytes, size_t len);
static bool erase(void *ctx, uint32_t sector);
static bool sync(void *ctx);

const struct port_storage *storage_open(void)
{
    static const struct port_storage storage = {
        .sector_len = STORAGE_SECTOR_LEN,
        .sector_count = STORAGE_SECTORS,
        .read = read,
        .program = program,
        .erase = erase,
        .sync = sync,
    };
    uint32_t need = SEED_SECTORS * board_storage_sector_len() + STORAGE_SECTORS * stride();
    return board_storage_len() >= need ? &storage : NULL;
}

/* From one of our sectors to the next: whole sectors of the device. */
static uint32_t stride(void)
{
    uint32_t sector_len = board_storage_sector_len();
    return (STORAGE_SECTOR_LEN + sector_len - 1u) / sector_len * sector_len;
}

/* No access crosses the end of a sector of ours. */
static uint32_t place(uint32_t at)
{
    uint32_t sector = at / STORAGE_SECTOR_LEN;
    return SEED_SECTORS * board_storage_sector_len() + sector * stride() + at % STORAGE_SECTOR_LEN;
}

static bool read(void *ctx, uint32_t at, void *bytes, size_t len)
{
    (void)ctx;
    return board_storage_read(place(at), bytes, len);
}

static bool program(void *ctx, uint32_t at, const void *bytes, size_t len)
{
    (void)ctx;
    return board_storage_write(place(at), bytes, len);
}

/* The first one holds the journal's head: after a cut in between the sector is not there. */
static bool erase(void *ctx, uint32_t sector)
{
    (void)ctx;
    uint32_t begin = place(sector * STORAGE_SECTOR_LEN);
    for (uint32_t at = 0; at < stride(); at += board_storage_sector_len()) {
        if (!board_storage_erase(begin + at)) {
            return false;
        }
    }
    return true;
}

/* The drivers return when the device has done it. */
static bool sync(void *ctx)
{
    (void)ctx;
    return true;
}
