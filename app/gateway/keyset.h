/* The keys of one level of JSON, sorted: which members does a later one of equal key replace?
 *
 * A level is one object, or several whose members are merged, in order. Keys are compared after
 * unescaping. Cost n log n, no memory of its own. */
#ifndef LIMPET_GATEWAY_KEYSET_H
#define LIMPET_GATEWAY_KEYSET_H

#include "app_config.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* A place in all parts of a merge together. Boards' bodies are short. */
#if (LIMPET_MERGE_MAX + 1u) * LIMPET_BODY_LEN_MAX < 65535u
typedef uint16_t keyset_offset;
#else
typedef uint32_t keyset_offset;
#endif

struct keyset_part {
    char *bytes;    /* of the object; stays while the set is used */
    uint32_t start; /* of its first byte, all parts counted on */
};

/* For static placement; do not touch the fields. One use at a time. */
struct keyset {
    size_t key_count;
    size_t part_count;
    uint32_t part_end;
    keyset_offset keys[LIMPET_JSON_KEYS_MAX];        /* where their opening quotes stand */
    struct keyset_part parts[LIMPET_MERGE_MAX + 1u]; /* the backends, fixed data */
};

void keyset_begin(struct keyset *set);
/* Adds the members of an accepted object. LIMPET_ERR_TOO_LONG: more than LIMPET_JSON_KEYS_MAX keys.
 */
LIMPET_WARN_UNUSED
int keyset_add(struct keyset *set, char *bytes, size_t len);
/* Overwrites every member that a later equal one replaces with blanks; the commas stay. Returns how
 * many. */
size_t keyset_blank_replaced(struct keyset *set);

typedef bool (*keyset_before_fn)(const void *ctx, uint32_t a, uint32_t b);
/* Heap sort: n log n whatever the keys are, no recursion, no memory. */
void keyset_sort(keyset_offset *keys, size_t count, keyset_before_fn before, const void *ctx);

#endif
