/* The four functions of string.h through which all copies and comparisons go, a word at a time.
 *
 * picolibc's own, as Debian builds them, take byte after byte: half of all instructions of an
 * answer were theirs. A Cortex-M3 reads and writes words at any address (the trap for it is off
 * after a reset), so the start need not be aligned first. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t word __attribute__((may_alias, aligned(1)));

#define WORD_LEN sizeof(word)
#define BLOCK_LEN (4 * WORD_LEN)

static void copy_up(uint8_t *to, const uint8_t *from, size_t len);

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    copy_up(to, from, len);
    return to;
}

/* From the end, where copy_up would write over what it still has to read. */
void *memmove(void *to, const void *from, size_t len)
{
    uint8_t *end = (uint8_t *)to + len;
    const uint8_t *source = (const uint8_t *)from + len;
    if ((uintptr_t)to - (uintptr_t)from >= len) {
        copy_up(to, from, len);
        return to;
    }
    for (; len >= WORD_LEN; len -= WORD_LEN) {
        end -= WORD_LEN;
        source -= WORD_LEN;
        *(word *)end = *(const word *)source;
    }
    for (; len > 0; len--) {
        *--end = *--source;
    }
    return to;
}

static void copy_up(uint8_t *to, const uint8_t *from, size_t len)
{
    for (; len >= BLOCK_LEN; len -= BLOCK_LEN, to += BLOCK_LEN, from += BLOCK_LEN) {
        word *out = (word *)to;
        const word *in = (const word *)from;
        out[0] = in[0];
        out[1] = in[1];
        out[2] = in[2];
        out[3] = in[3];
    }
    for (; len >= WORD_LEN; len -= WORD_LEN, to += WORD_LEN, from += WORD_LEN) {
        *(word *)to = *(const word *)from;
    }
    for (; len > 0; len--) {
        *to++ = *from++;
    }
}

void *memset(void *to, int byte, size_t len)
{
    uint8_t *at = to;
    const word pattern = (uint8_t)byte * 0x01010101u;
    for (; len >= BLOCK_LEN; len -= BLOCK_LEN, at += BLOCK_LEN) {
        word *out = (word *)at;
        out[0] = pattern;
        out[1] = pattern;
        out[2] = pattern;
        out[3] = pattern;
    }
    for (; len >= WORD_LEN; len -= WORD_LEN, at += WORD_LEN) {
        *(word *)at = pattern;
    }
    for (; len > 0; len--) {
        *at++ = (uint8_t)byte;
    }
    return to;
}

/* The words that differ are looked at byte by byte. */
int memcmp(const void *left, const void *right, size_t len)
{
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (; len >= WORD_LEN && *(const word *)a == *(const word *)b; len -= WORD_LEN) {
        a += WORD_LEN;
        b += WORD_LEN;
    }
    for (; len > 0; len--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
