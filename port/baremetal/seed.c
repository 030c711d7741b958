#include "seed.h"

#include "base/crc.h"
#include "board/board.h"

#include <string.h>

#define RECORD_MAGIC 0x4445534Cu /* "LSED" */
#define IMAGE_SEED_LEN_MIN 16u

/* One in each of the two sectors, the newer one counts. */
struct record {
    uint32_t magic;
    uint32_t boots;
    uint8_t seed[CHACHA20_KEY_LEN];
    uint32_t crc; /* of all before */
};

enum found { FOUND_NOTHING, FOUND_ERASED, FOUND_RECORD };

static const uint8_t nonce_stored[CHACHA20_NONCE_LEN] = "stored seed";
static const uint8_t nonce_image[CHACHA20_NONCE_LEN] = "image's seed"; /* without its NUL */
static const uint8_t nonce_derive[CHACHA20_NONCE_LEN] = "derive";

static enum found find_newest(struct record *newest, uint32_t *sector);
static enum found read_record(uint32_t sector, struct record *record);
static bool store(uint32_t sector, struct record *record);
static void mix(uint8_t mixed[CHACHA20_KEY_LEN], const struct record *stored,
                struct slice image_seed);
static uint32_t record_crc(const struct record *record);

/* ---- Public -----------------------------------------------------------------------------------
 */

void seed_start(struct seed *seed, struct slice image_seed)
{
    struct record record = {.magic = RECORD_MAGIC};
    uint32_t sector = 0;
    uint8_t block[CHACHA20_BLOCK_LEN];
    uint8_t mixed[CHACHA20_KEY_LEN];
    *seed = (struct seed){.problem = NULL};
    enum found found = find_newest(&record, &sector);
    if (found == FOUND_NOTHING) {
        seed->problem = "there is no storage that keeps a seed";
        return;
    }
    if (found == FOUND_ERASED && image_seed.len < IMAGE_SEED_LEN_MIN) {
        seed->problem = "the storage is new and the configuration partition has no seed";
        return;
    }
    record.boots++;
    mix(mixed, &record, image_seed);
    chacha20_block(block, mixed, record.boots, nonce_derive);
    memcpy(record.seed, block, sizeof(record.seed));
    if (!store((sector + 1u) % SEED_SECTORS, &record)) {
        seed->problem = "the storage did not take the next seed";
        return;
    }
    memcpy(seed->key, block + sizeof(record.seed), sizeof(seed->key));
    seed->boots = record.boots;
    seed->ready = true;
}

/* The first half of each block is the next key, so that nothing in memory tells what was given. */
bool seed_random(struct seed *seed, void *buf, size_t len)
{
    static const uint8_t nonce[CHACHA20_NONCE_LEN] = "random";
    uint8_t block[CHACHA20_BLOCK_LEN];
    uint8_t *at = buf;
    while (seed->ready && len > 0) {
        size_t piece =
            len < sizeof(block) - sizeof(seed->key) ? len : sizeof(block) - sizeof(seed->key);
        chacha20_block(block, seed->key, 0, nonce);
        memcpy(seed->key, block, sizeof(seed->key));
        memcpy(at, block + sizeof(seed->key), piece);
        at += piece;
        len -= piece;
    }
    return seed->ready;
}

/* ---- Records ----------------------------------------------------------------------------------
 */

/* A sector may be erased, or hold half a record after a power cut; one good record is enough. */
static enum found find_newest(struct record *newest, uint32_t *sector)
{
    enum found best = FOUND_NOTHING;
    for (uint32_t i = 0; i < SEED_SECTORS; i++) {
        struct record record;
        enum found found = read_record(i, &record);
        if (found == FOUND_RECORD && (best != FOUND_RECORD || record.boots > newest->boots)) {
            *newest = record;
            *sector = i;
        }
        best = found > best ? found : best;
    }
    return best;
}

static enum found read_record(uint32_t sector, struct record *record)
{
    uint32_t at = sector * board_storage_sector_len();
    if (at + sizeof(*record) > board_storage_len() ||
        !board_storage_read(at, record, sizeof(*record))) {
        return FOUND_NOTHING;
    }
    if (record->magic == RECORD_MAGIC && record->crc == record_crc(record)) {
        return FOUND_RECORD;
    }
    const uint8_t *bytes = (const uint8_t *)record;
    size_t erased = 0;
    while (erased < sizeof(*record) && bytes[erased] == 0xFFu) {
        erased++;
    }
    return erased == sizeof(*record) ? FOUND_ERASED : FOUND_NOTHING;
}

static bool store(uint32_t sector, struct record *record)
{
    struct record back;
    uint32_t at = sector * board_storage_sector_len();
    record->crc = record_crc(record);
    return board_storage_erase(at) && board_storage_write(at, record, sizeof(*record)) &&
           board_storage_read(at, &back, sizeof(back)) && memcmp(&back, record, sizeof(back)) == 0;
}

static uint32_t record_crc(const struct record *record)
{
    return crc32_update(0, record, offsetof(struct record, crc));
}

/* ---- Mixing -----------------------------------------------------------------------------------
 */

/* Whoever lacks one of the two seeds knows nothing about the sum of what comes from both. */
static void mix(uint8_t mixed[CHACHA20_KEY_LEN], const struct record *stored,
                struct slice image_seed)
{
    uint8_t key[CHACHA20_KEY_LEN] = {0};
    uint8_t block[CHACHA20_BLOCK_LEN];
    for (size_t i = 0; i < image_seed.len; i++) {
        key[i % sizeof(key)] ^= (uint8_t)image_seed.ptr[i];
    }
    chacha20_block(block, stored->seed, stored->boots, nonce_stored);
    memcpy(mixed, block, CHACHA20_KEY_LEN);
    chacha20_block(block, key, stored->boots, nonce_image);
    for (unsigned i = 0; i < CHACHA20_KEY_LEN; i++) {
        mixed[i] ^= block[i];
    }
}
