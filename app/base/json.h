/* Strict JSON scanner over bytes (RFC 8259): accepts exactly the grammar, builds nothing.
 *
 * Depth is bounded by LIMPET_JSON_DEPTH_MAX with an explicit stack (no recursion). Used by the
 * configuration (before cJSON) and by the data path (spans of values). Slices point into the
 * input. */
#ifndef LIMPET_BASE_JSON_H
#define LIMPET_BASE_JSON_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdint.h>

enum json_type {
    JSON_NONE,
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

enum json_utf8 {
    /* Invalid UTF-8 in a string is LIMPET_ERR_SYNTAX (configuration). */
    JSON_UTF8_STRICT,
    /* Tolerated; writers turn it into U+FFFD (backend bodies, as the reference). */
    JSON_UTF8_REPLACE,
};

struct json_error {
    size_t offset;    /* of the offending byte */
    const char *text; /* what is wrong, static */
};

/* Scans one value after optional white space; what follows it is not looked at.
 * > 0: bytes consumed up to the end of the value (trailing white space not included); `value` is
 *      its span, without the white space in front
 * LIMPET_ERR_SYNTAX, LIMPET_ERR_DEPTH: `error` is filled; a truncated text is SYNTAX with
 *      offset == text.len
 * text.len is at most INT_MAX (assert): the buffers of app_config.h are far smaller. */
LIMPET_WARN_UNUSED
int json_scan(struct slice text, enum json_utf8 utf8, struct slice *value,
              struct json_error *error);

/* The whole text must be one value and white space around it, UTF-8 strict: as json_scan, and
 * "bytes after the value". */
LIMPET_WARN_UNUSED
int json_check(struct slice text, struct json_error *error);

enum json_type json_type_of(struct slice value); /* of an accepted value */

/* Walks the members of an accepted object or the elements of an accepted array (not their
 * insides). */
struct json_iter {
    const char *at;
    const char *end;
    bool object;
};
struct json_member {
    struct slice key;   /* raw, without quotes, escapes as written; empty in arrays */
    struct slice value; /* raw span, no white space around */
};
void json_iter_init(struct json_iter *iter, struct slice container);
bool json_iter_next(struct json_iter *iter, struct json_member *member);

/* Key identity after unescaping: is the raw string equal to this plain text? Bounded, no copy. */
bool json_string_equals(struct slice raw, struct slice plain);
/* Order of two raw strings after unescaping, bytewise in UTF-8: < 0, 0 = the same key, > 0. No
 * copy. */
int json_string_compare(struct slice a, struct slice b);
/* The raw string unescaped into `out` as UTF-8; lone surrogates and invalid UTF-8 become U+FFFD. */
void json_unescape(struct out *out, struct slice raw);

/* 1-based line and column (in characters = UTF-8 code points) of a byte offset. */
struct json_place {
    uint32_t line;
    uint32_t column;
};
struct json_place json_place_of(struct slice text, size_t offset);

#endif
