#include "base/utf8.h"

#include <assert.h>
#include <stdbool.h>

static bool in_range(unsigned char byte, unsigned first, unsigned last)
{
    return byte >= first && byte <= last;
}

/* The second byte alone decides about overlong forms, surrogates and the end of the code space
 * (RFC 3629 section 4, UTF8-3 and UTF8-4). */
static bool second_fits(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return in_range(second, 0xA0, 0xBF);
    case 0xED:
        return in_range(second, 0x80, 0x9F);
    case 0xF0:
        return in_range(second, 0x90, 0xBF);
    case 0xF4:
        return in_range(second, 0x80, 0x8F);
    default:
        return in_range(second, 0x80, 0xBF);
    }
}

static int len_of_lead(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return UTF8_BAD;
    }
    return lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4);
}

int utf8_len(const char *at, const char *end)
{
    assert(at < end);
    unsigned char lead = (unsigned char)at[0];
    int len = len_of_lead(lead);
    for (int i = 1; i < len; i++) {
        if (end - at <= i) {
            return UTF8_CUT;
        }
        unsigned char byte = (unsigned char)at[i];
        if (i == 1 ? !second_fits(lead, byte) : !in_range(byte, 0x80, 0xBF)) {
            return UTF8_BAD;
        }
    }
    return len;
}

size_t utf8_encode(uint32_t rune, char bytes[UTF8_LEN_MAX])
{
    if (rune < 0x80) {
        bytes[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        bytes[0] = (char)(0xC0u | rune >> 6);
        bytes[1] = (char)(0x80u | (rune & 0x3Fu));
        return 2;
    }
    if (rune > 0x10FFFFu || (rune & ~0x7FFu) == 0xD800u) {
        rune = 0xFFFD;
    }
    if (rune < 0x10000u) {
        bytes[0] = (char)(0xE0u | rune >> 12);
        bytes[1] = (char)(0x80u | (rune >> 6 & 0x3Fu));
        bytes[2] = (char)(0x80u | (rune & 0x3Fu));
        return 3;
    }
    bytes[0] = (char)(0xF0u | rune >> 18);
    bytes[1] = (char)(0x80u | (rune >> 12 & 0x3Fu));
    bytes[2] = (char)(0x80u | (rune >> 6 & 0x3Fu));
    bytes[3] = (char)(0x80u | (rune & 0x3Fu));
    return 4;
}
