/* The grammar's small parts (RFC 9110 section 5.6, RFC 9112 sections 3, 6 and 7): classes of bytes
 * and values of single fields. Private to web/message*.c. */
#ifndef LIMPET_WEB_MESSAGE_RULES_H
#define LIMPET_WEB_MESSAGE_RULES_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define RULE_TOKEN 1u  /* tchar */
#define RULE_TARGET 2u /* visible ASCII but '#' */
#define RULE_VALUE 4u  /* of a field: visible, blank, tab, 0x80..0xFF */
#define RULE_LINE 8u   /* of a request line: visible ASCII and blank */
#define RULE_HOST 16u  /* of a host name: unreserved and sub-delims but ',' */

extern const unsigned char message_byte_rules[256];

static inline bool rule_holds(char byte, unsigned rules)
{
    return (message_byte_rules[(unsigned char)byte] & rules) != 0;
}

/* Length of the run at the start of `s` in which the rule holds. */
size_t rule_run(struct slice s, unsigned rule);
/* May these bytes stand in a field's value? Reads a word at a time. */
bool rule_is_value(struct slice s);
/* Digits only, at most INT64_MAX. Errors of num_parse_u64. */
LIMPET_WARN_UNUSED
int rule_content_length(struct slice value, uint64_t *length);
/* uri-host [ ":" port ], not empty: a name, an IPv4 or a bracketed IPv6 literal. */
bool rule_is_host(struct slice value);
/* A target in origin form: begins with '/', each '%' of its path has two hex digits behind it. */
bool rule_is_origin_form(struct slice target);

/* Next element of a comma separated list, trimmed; false at its end. Empty elements are given too.
 */
bool rule_list_next(struct slice *list, struct slice *element);

enum rule_coding { CODING_BAD, CODING_CHUNKED, CODING_OTHER };
/* One element of Transfer-Encoding. "chunked" takes no parameters (RFC 9112 section 7.1). */
enum rule_coding rule_coding_of(struct slice element);

#endif
