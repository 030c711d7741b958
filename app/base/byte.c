#include "base/byte.h"

#include <stdint.h>
#include <string.h>

#define W (BYTE_SPACE | BYTE_END)
#define H BYTE_PLAIN
#define P (BYTE_PLAIN | BYTE_PLAIN_HTML)
#define B (W | P)
#define C (P | BYTE_END)
#define O (P | BYTE_OPEN)
#define E (P | BYTE_CLOSE | BYTE_END)
#define X (P | BYTE_HEX)
#define D (X | BYTE_DIGIT)

/* Thirty-two a row, from 0x00 on. From 0x80 on there is no class. */
const unsigned char byte_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, W, W, 0, 0, W, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    B, P, 0, P, P, P, H, P, P, P, P, P, C, P, P, P, D, D, D, D, D, D, D, D, D, D, P, P, H, P, H, P,
    P, X, X, X, X, X, X, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, O, 0, E, P, P,
    P, X, X, X, X, X, X, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, O, P, E, P, P,
};

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* All eight bytes at once: subtracting 1 sets the highest bit of a byte that is 0, subtracting 0x20
 * that of a control character. A borrow can only mislead behind a byte that has been found anyway.
 */
static bool all_plain(uint64_t word)
{
    uint64_t no_quote = (word ^ EACH('"')) - EACH(1);
    uint64_t no_backslash = (word ^ EACH('\\')) - EACH(1);
    uint64_t no_control = word - EACH(0x20);
    return ((word | no_quote | no_backslash | no_control) & EACH(0x80)) == 0;
}

const char *byte_skip_plain(const char *at, const char *end)
{
    uint64_t word;
    while ((size_t)(end - at) >= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if (!all_plain(word)) {
            break;
        }
        at += sizeof(word);
    }
    return byte_skip(at, end, BYTE_PLAIN);
}
