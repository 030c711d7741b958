/* SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012): a name for bytes that others choose.
 *
 * Without the key nobody can make two inputs with the same hash, and nobody who does not try meets
 * one: of 2^32 inputs two are equal with a probability of 2^-65. Bytes may come in pieces. */
#ifndef LIMPET_BASE_SIPHASH_H
#define LIMPET_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash {
    uint64_t v[4];
    uint64_t word; /* bytes that do not fill a word yet */
    uint32_t len;
};

void siphash_begin(struct siphash *s, const uint64_t key[2]);
void siphash_byte(struct siphash *s, uint8_t byte);
void siphash_end(struct siphash *s, uint64_t hash[2]);

#endif
