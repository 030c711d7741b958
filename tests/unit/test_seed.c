/* The firmware's seed: over boots, power cuts at every step, and storage that does not keep it. */
#include "port/baremetal/chacha20.h"
#include "port/baremetal/seed.h"

#include "board/board.h"
#include "check.h"

#define SECTOR_LEN 256u
#define IMAGE SLICE_LIT("sixteen bytes, or more")

/* NOR flash. After `steps_left` operations nothing is done any more: the power is gone. */
static struct {
    uint8_t bytes[4u * SECTOR_LEN];
    bool absent;
    bool forgets; /* says that it wrote and did not */
    unsigned steps_left;
} flash;

uint32_t board_storage_len(void)
{
    return flash.absent ? 0 : sizeof(flash.bytes);
}

uint32_t board_storage_sector_len(void)
{
    return SECTOR_LEN;
}

bool board_storage_read(uint32_t at, void *bytes, size_t len)
{
    memcpy(bytes, flash.bytes + at, len);
    return true;
}

static bool step(void)
{
    bool on = flash.steps_left > 0;
    flash.steps_left -= on;
    return on;
}

bool board_storage_erase(uint32_t at)
{
    CHECK_EQ_UINT(at % SECTOR_LEN, 0);
    if (!step()) {
        return false;
    }
    memset(flash.bytes + at, 0xFF, SECTOR_LEN);
    return true;
}

bool board_storage_write(uint32_t at, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++) {
        if (!step()) {
            return false;
        }
        flash.bytes[at + i] &= flash.forgets ? 0xFFu : from[i];
    }
    return true;
}

static void new_flash(uint8_t content)
{
    memset(&flash, 0, sizeof(flash));
    memset(flash.bytes, content, sizeof(flash.bytes));
    flash.steps_left = UINT32_MAX;
}

static bool boot(struct slice image, uint8_t random[32], uint32_t *boots)
{
    struct seed seed;
    seed_start(&seed, image);
    *boots = seed.boots;
    CHECK_EQ_INT(seed.problem == NULL, seed.ready);
    return seed_random(&seed, random, 32);
}

/* RFC 8439 section 2.3.2. */
static void block_function_gives_the_published_bytes(void)
{
    static const uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4A, 0, 0, 0, 0};
    static const uint8_t want[64] = {
        0x10, 0xF1, 0xE7, 0xE4, 0xD1, 0x3B, 0x59, 0x15, 0x50, 0x0F, 0xDD, 0x1F, 0xA3,
        0x20, 0x71, 0xC4, 0xC7, 0xD1, 0xF4, 0xC7, 0x33, 0xC0, 0x68, 0x03, 0x04, 0x22,
        0xAA, 0x9A, 0xC3, 0xD4, 0x6C, 0x4E, 0xD2, 0x82, 0x64, 0x46, 0x07, 0x9F, 0xAA,
        0x09, 0x14, 0xC2, 0xD7, 0x05, 0xD9, 0x8B, 0x02, 0xA2, 0xB5, 0x12, 0x9C, 0xD1,
        0xDE, 0x16, 0x4E, 0xB9, 0xCB, 0xD0, 0x83, 0xE8, 0xA2, 0x50, 0x3C, 0x4E};
    uint8_t key[32];
    uint8_t out[64];
    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
    }
    chacha20_block(out, key, 1, nonce);
    CHECK_EQ_MEM(out, sizeof(out), want, sizeof(want));
}

static void each_boot_is_another(void)
{
    enum { BOOTS = 20 };
    uint8_t random[BOOTS][32];
    uint32_t boots;
    new_flash(0xFF);
    for (unsigned i = 0; i < BOOTS; i++) {
        CHECK(boot(IMAGE, random[i], &boots));
        CHECK_EQ_UINT(boots, i + 1);
        for (unsigned j = 0; j < i; j++) {
            CHECK(memcmp(random[i], random[j], 32) != 0);
        }
    }
}

static void bytes_of_one_boot_do_not_repeat(void)
{
    struct seed seed;
    uint8_t bytes[8][40];
    new_flash(0xFF);
    seed_start(&seed, IMAGE);
    for (unsigned i = 0; i < 8; i++) {
        CHECK(seed_random(&seed, bytes[i], sizeof(bytes[i])));
        for (unsigned j = 0; j < i; j++) {
            CHECK(memcmp(bytes[i], bytes[j], sizeof(bytes[i])) != 0);
        }
    }
}

static void both_seeds_count(void)
{
    uint8_t a[32];
    uint8_t b[32];
    uint32_t boots;
    new_flash(0xFF);
    CHECK(boot(IMAGE, a, &boots));
    new_flash(0xFF);
    CHECK(boot(SLICE_LIT("another sixteen bytes"), b, &boots));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    /* once stored, none is needed from the image */
    CHECK(boot(SLICE_EMPTY, a, &boots));
    CHECK_EQ_UINT(boots, 2);
}

static void refused(struct slice image)
{
    uint8_t random[32];
    uint32_t boots;
    CHECK(!boot(image, random, &boots));
    CHECK_EQ_UINT(boots, 0);
}

static void storage_that_keeps_nothing_is_refused(void)
{
    new_flash(0xFF);
    refused(SLICE_EMPTY);
    refused(SLICE_LIT("fifteen bytes.."));
    new_flash(0);
    refused(IMAGE);
    new_flash(0x5A);
    refused(IMAGE);
    new_flash(0xFF);
    flash.absent = true;
    refused(IMAGE);
    new_flash(0xFF);
    flash.forgets = true;
    refused(IMAGE);
}

/* A cut anywhere in the first three boots: then the counter goes on, or is where it was, and no
 * random bytes are ever given twice. */
static void power_cut_at_every_step(void)
{
    for (unsigned cut = 0; cut < 140; cut++) {
        uint8_t random[8][32];
        unsigned given = 0;
        uint32_t boots;
        uint32_t boots_before = 0;
        new_flash(0xFF);
        flash.steps_left = cut;
        for (unsigned i = 0; i < 6; i++) {
            bool ready = boot(IMAGE, random[given], &boots);
            CHECK(!ready || boots == boots_before + 1);
            boots_before = ready ? boots : boots_before;
            given += ready;
            flash.steps_left = ready ? flash.steps_left : UINT32_MAX;
        }
        CHECK(given >= 5);
        for (unsigned i = 1; i < given; i++) {
            CHECK(memcmp(random[i], random[i - 1], 32) != 0);
        }
    }
}

int main(void)
{
    block_function_gives_the_published_bytes();
    each_boot_is_another();
    bytes_of_one_boot_do_not_repeat();
    both_seeds_count();
    storage_that_keeps_nothing_is_refused();
    power_cut_at_every_step();
    return check_result();
}
