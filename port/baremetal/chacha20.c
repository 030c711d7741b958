#include "chacha20.h"

#define WORDS 16u

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8u * i));
    }
}

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32u - bits);
}

static void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(uint8_t out[CHACHA20_BLOCK_LEN], const uint8_t key[CHACHA20_KEY_LEN],
                    uint32_t counter, const uint8_t nonce[CHACHA20_NONCE_LEN])
{
    uint32_t start[WORDS] = {0x61707865u, 0x3320646Eu, 0x79622D32u, 0x6B206574u};
    uint32_t state[WORDS];
    for (unsigned i = 0; i < 8; i++) {
        start[4 + i] = get_u32(key + 4u * i);
    }
    start[12] = counter;
    for (unsigned i = 0; i < 3; i++) {
        start[13 + i] = get_u32(nonce + 4u * i);
    }
    for (unsigned i = 0; i < WORDS; i++) {
        state[i] = start[i];
    }
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(state, i, 4 + i, 8 + i, 12 + i);
        }
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    for (unsigned i = 0; i < WORDS; i++) {
        put_u32(out + 4u * i, state[i] + start[i]);
    }
}
