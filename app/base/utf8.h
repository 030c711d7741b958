/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef LIMPET_BASE_UTF8_H
#define LIMPET_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_LEN_MAX 4u

/* What is written for a malformed byte: U+FFFD. */
#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

#define UTF8_BAD 0    /* the first byte starts no well-formed sequence */
#define UTF8_CUT (-1) /* well formed as far as it goes, but `end` comes too early */

/* Length (1..4) of the sequence at `at` (at < end), or UTF8_BAD or UTF8_CUT. After UTF8_BAD the
 * reader goes on one byte further, as Go's utf8.DecodeRune does. */
int utf8_len(const char *at, const char *end);

/* Writes `rune` and returns its length; surrogates and what is above U+10FFFF become U+FFFD. */
size_t utf8_encode(uint32_t rune, char bytes[UTF8_LEN_MAX]);

#endif
