/* What is done with a backend's JSON body before a client sees it, on the bytes themselves.
 *
 * No tree is built and no number is read: white space between tokens is dropped, values keep their
 * bytes and keys their order, of equal keys (after unescaping) the last one stays, invalid UTF-8
 * becomes U+FFFD, bytes behind the first complete value are dropped. Works in place. */
#ifndef LIMPET_GATEWAY_SHAPE_H
#define LIMPET_GATEWAY_SHAPE_H

#include "app_config.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Memory for one call at a time; for static placement. */
struct shape_scratch {
    uint32_t keys[LIMPET_JSON_KEYS_MAX]; /* offsets of the members of the level being looked at */
};

struct shape_result {
    size_t len;        /* bytes of the value, which begins at bytes[0] */
    bool empty;        /* `{}` or `null`: nothing that would complete an answer */
    const char *error; /* when it failed: why, static */
    size_t error_at;   /* byte offset in what came */
};

/* bytes[0..len): the body as it came, in a buffer of `size` bytes. The value must be an object, or
 * null (the reference takes it for an empty object). Cost n log n in the keys of the top level.
 * LIMPET_ERR_SYNTAX (no JSON, or neither object nor null; a cut body), LIMPET_ERR_DEPTH,
 * LIMPET_ERR_TOO_LONG (more than LIMPET_JSON_KEYS_MAX keys, or no room for the U+FFFDs). */
LIMPET_WARN_UNUSED
int shape_object(struct shape_scratch *scratch, char *bytes, size_t len, size_t size,
                 struct shape_result *result);

#endif
