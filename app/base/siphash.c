#include "base/siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64u - bits);
}

static void rounds(uint64_t v[4], unsigned count)
{
    for (; count > 0; count--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void take_word(struct siphash *s, uint64_t word)
{
    s->v[3] ^= word;
    rounds(s->v, 2);
    s->v[0] ^= word;
    s->word = 0;
}

void siphash_begin(struct siphash *s, const uint64_t key[2])
{
    /* "somepseudorandomlygeneratedbytes"; 0xee asks for 128 bits. */
    s->v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
    s->v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
    s->v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
    s->v[3] = key[1] ^ UINT64_C(0x7465646279746573);
    s->word = 0;
    s->len = 0;
}

void siphash_byte(struct siphash *s, uint8_t byte)
{
    s->word |= (uint64_t)byte << 8u * (s->len % 8u);
    s->len++;
    if (s->len % 8u == 0) {
        take_word(s, s->word);
    }
}

static uint64_t squeeze(struct siphash *s)
{
    rounds(s->v, 4);
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

void siphash_end(struct siphash *s, uint64_t hash[2])
{
    take_word(s, s->word | (uint64_t)(s->len & 255u) << 56);
    s->v[2] ^= 0xee;
    hash[0] = squeeze(s);
    s->v[1] ^= 0xdd;
    hash[1] = squeeze(s);
}
