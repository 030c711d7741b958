/* The block function of ChaCha20 (RFC 8439 section 2.3): 64 bytes that nobody can tell from random
 * without the key. */
#ifndef LIMPET_BAREMETAL_CHACHA20_H
#define LIMPET_BAREMETAL_CHACHA20_H

#include <stdint.h>

#define CHACHA20_KEY_LEN 32u
#define CHACHA20_NONCE_LEN 12u
#define CHACHA20_BLOCK_LEN 64u

/* `out` may overlap `key`. */
void chacha20_block(uint8_t out[CHACHA20_BLOCK_LEN], const uint8_t key[CHACHA20_KEY_LEN],
                    uint32_t counter, const uint8_t nonce[CHACHA20_NONCE_LEN]);

#endif
