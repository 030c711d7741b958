/* What is done with a backend's body before a client sees it, on the bytes themselves.
 *
 * No tree is built and no number is read: white space between tokens is dropped, values keep their
 * bytes and keys their order. At every level that a rule looks into, the last of equal keys (after
 * unescaping) stays and the others vanish first; deeper levels are copied as they stand. Invalid
 * UTF-8 becomes U+FFFD, bytes behind the first complete value are dropped. Works in place. */
#ifndef LIMPET_GATEWAY_SHAPE_H
#define LIMPET_GATEWAY_SHAPE_H

#include "app_config.h"
#include "base/err.h"
#include "base/slice.h"
#include "config/config.h"
#include "gateway/keyset.h"

#include <stdbool.h>
#include <stdint.h>

/* Memory for one call at a time; for static placement. */
struct shape_scratch {
    struct keyset set;
};

struct shape_rules {
    const struct config *config; /* of the names */
    const struct config_shape *shape;
    enum encoding encoding; /* what the body is */
};

struct shape_result {
    size_t len;        /* bytes of the value, which begins at bytes[0]: an object, or null */
    bool null;         /* `null` */
    bool empty;        /* `{}` or `null`: nothing that would complete an answer */
    const char *error; /* when it failed: why, static */
    size_t error_at;   /* byte offset in what came */
};

/* bytes[0..len): the body as it came, in a buffer of `size` bytes. Decodes it, then target, allow
 * or deny, mapping, group. A JSON body must be an object, or null (the reference takes it for an
 * empty object); see config_shape and the encodings for the others. Cost n log n in the keys of a
 * level, times the rules. LIMPET_ERR_SYNTAX (not what the encoding says; a cut body),
 * LIMPET_ERR_DEPTH, LIMPET_ERR_TOO_LONG (more than LIMPET_JSON_KEYS_MAX keys in a level, or no room
 * for what is added). */
LIMPET_WARN_UNUSED
int shape_body(struct shape_scratch *scratch, const struct shape_rules *rules, char *bytes,
               size_t len, size_t size, struct shape_result *result);

/* As shape_body for a JSON object (or null) that no rule is about. */
LIMPET_WARN_UNUSED
int shape_object(struct shape_scratch *scratch, char *bytes, size_t len, size_t size,
                 struct shape_result *result);

/* Shaped objects of one answer, in the order in which they came: of equal keys the last one stays.
 * parts[i].len follows. LIMPET_ERR_TOO_LONG: more than LIMPET_JSON_KEYS_MAX keys together. */
struct shape_part {
    char *bytes;
    size_t len;
};
LIMPET_WARN_UNUSED
int shape_merge(struct shape_scratch *scratch, struct shape_part *parts, size_t count);
/* Members of a shaped object. */
size_t shape_count_keys(struct slice object);

/* The text at bytes[0..len) becomes prefix, the text as the inside of a JSON string, suffix.
 * LIMPET_ERR_TOO_LONG: no room. */
LIMPET_WARN_UNUSED
int shape_quote(char *bytes, size_t *len, size_t size, struct slice prefix, struct slice suffix);

#endif
