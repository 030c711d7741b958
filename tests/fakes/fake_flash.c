#include "fakes/fake_flash.h"

#include "check.h"

#include <string.h>

enum { FLASH_LEN = FLASH_SECTOR_LEN * FLASH_SECTORS, CHANGES_MAX = 4096 };

struct change {
    uint32_t at;
    uint32_t len;
    bool erase;
};

struct fake_flash fake_flash;
static uint8_t seen[FLASH_LEN];    /* what reads give */
static uint8_t certain[FLASH_LEN]; /* at the last sync */
static struct change changes[CHANGES_MAX];
static size_t change_count;

static void note_change(uint32_t at, size_t len, bool erase)
{
    if (CHECK(change_count < CHANGES_MAX)) {
        changes[change_count++] = (struct change){at, (uint32_t)len, erase};
    }
}

static bool flash_read(void *ctx, uint32_t at, void *bytes, size_t len)
{
    (void)ctx;
    CHECK(at + len <= FLASH_LEN);
    memcpy(bytes, seen + at, len);
    return true;
}

static bool flash_program(void *ctx, uint32_t at, const void *bytes, size_t len)
{
    (void)ctx;
    CHECK(at + len <= FLASH_LEN);
    if (fake_flash.failing) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];
        fake_flash.set_bits = fake_flash.set_bits || (seen[at + i] & byte) != byte;
        seen[at + i] &= byte;
    }
    fake_flash.programmed += len;
    note_change(at, len, false);
    return true;
}

static bool flash_erase(void *ctx, uint32_t sector)
{
    (void)ctx;
    CHECK(sector < FLASH_SECTORS);
    if (fake_flash.failing) {
        return false;
    }
    memset(seen + sector * FLASH_SECTOR_LEN, 0xFF, FLASH_SECTOR_LEN);
    fake_flash.erased[sector]++;
    note_change(sector * FLASH_SECTOR_LEN, FLASH_SECTOR_LEN, true);
    return true;
}

static bool flash_sync(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < change_count; i++) {
        memcpy(certain + changes[i].at, seen + changes[i].at, changes[i].len);
    }
    change_count = 0;
    fake_flash.syncs++;
    return true;
}

const struct port_storage fake_flash_storage = {
    NULL, FLASH_SECTOR_LEN, FLASH_SECTORS, flash_read, flash_program, flash_erase, flash_sync};

void fake_flash_new(void)
{
    memset(&fake_flash, 0, sizeof fake_flash);
    memset(seen, 0xFF, sizeof seen);
    memset(certain, 0xFF, sizeof certain);
    change_count = 0;
}

void fake_flash_cut(uint32_t choice)
{
    for (size_t i = 0; i < change_count; i++) {
        const struct change *c = &changes[i];
        choice = choice * 1664525u + 1013904223u;
        size_t len = choice >> 30 == 0   ? 0
                     : choice >> 30 == 1 ? (choice >> 8) % (c->len + 1)
                                         : c->len;
        memcpy(certain + c->at, seen + c->at, len);
    }
    change_count = 0;
    memcpy(seen, certain, sizeof seen);
}
