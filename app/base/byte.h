/* Classes of bytes, for JSON's scanner and writer: one load and one mask a byte, or less. */
#ifndef LIMPET_BASE_BYTE_H
#define LIMPET_BASE_BYTE_H

#include <stdbool.h>

#define BYTE_SPACE 1u      /* white space of JSON: blank, tab, line feed, carriage return */
#define BYTE_PLAIN 2u      /* 0x20..0x7F that stands for itself in a JSON string: not " and \ */
#define BYTE_PLAIN_HTML 4u /* the same without & < > (Go's JSON encoder) */
#define BYTE_DIGIT 8u      /* 0..9 */
#define BYTE_HEX 16u       /* 0..9 A..F a..f */
#define BYTE_OPEN 32u      /* [ { */
#define BYTE_CLOSE 64u     /* ] } */
#define BYTE_END 128u      /* ends a number or word of JSON: white space , ] } */

extern const unsigned char byte_class[256];

/* Is the byte in one of these classes? */
static inline bool byte_is(char byte, unsigned classes)
{
    return (byte_class[(unsigned char)byte] & classes) != 0;
}

/* The first byte in [at, end) that is not BYTE_PLAIN, or `end`. Eight bytes a step. */
const char *byte_skip_plain(const char *at, const char *end);

/* The first byte in [at, end) that is in none of these classes, or `end`. */
static inline const char *byte_skip(const char *at, const char *end, unsigned classes)
{
    while (at < end && byte_is(*at, classes)) {
        at++;
    }
    return at;
}

#endif
