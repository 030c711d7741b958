/* Random bytes for a board without a generator: a seed in storage that every boot replaces.
 *
 * The stored seed and that of the configuration partition are mixed; from the mixture come the seed
 * for the next boot and the key of this boot's generator (ChaCha20, replaced after each use). The
 * next seed is written and read back before the generator gives its first byte: two boots never
 * share one. The boot counter stands beside the seed and goes on with it. */
#ifndef LIMPET_BAREMETAL_SEED_H
#define LIMPET_BAREMETAL_SEED_H

#include "base/slice.h"
#include "chacha20.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sectors of the storage that are the seed's: the first ones. */
#define SEED_SECTORS 2u

/* For static placement; do not touch the fields. */
struct seed {
    bool ready;
    uint32_t boots;      /* of this storage, this one included; 0 = not known */
    const char *problem; /* why it is not ready; static */
    uint8_t key[CHACHA20_KEY_LEN];
};

/* `image_seed`: that of the configuration partition, at least 16 bytes, or empty. Storage that was
 * never used (all 0xFF) needs it; else it is mixed in. Storage that holds anything else but a
 * record of ours (RAM without power, noise) is refused: nothing says that it will keep the next
 * seed. */
void seed_start(struct seed *seed, struct slice image_seed);
/* False: not ready. */
bool seed_random(struct seed *seed, void *buf, size_t len);

#endif
