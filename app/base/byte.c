#include "base/byte.h"

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
