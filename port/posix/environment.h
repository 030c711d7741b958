/* KRAKEND_PORT=9000 and the like: variables of the environment that stand for a scalar of the root
 * of a configuration, as KrakenD has them. KRAKEND_ and the key in capitals; they win over the
 * file, and need not stand in it. */
#ifndef LIMPET_POSIX_ENVIRONMENT_H
#define LIMPET_POSIX_ENVIRONMENT_H

#include "config/config.h"

#include <stdbool.h>

#define ENVIRONMENT_MAX 40u

struct environment_entry {
    struct slice name; /* "KRAKEND_PORT"; in environ, as the value */
    struct slice value;
    const char *key;   /* "port"; static */
};

struct environment {
    size_t count;
    struct environment_entry entries[ENVIRONMENT_MAX];
};

/* The variables that are set. One that means no key is named on stderr, and has no effect. */
void environment_read(struct environment *environment);
/* Puts them into a configuration of *len bytes in a buffer of `size`, in its last line: places in
 * the rest of the text stay as they are. No effect on a text that is no JSON object. False: no
 * room. */
LIMPET_WARN_UNUSED
bool environment_apply(const struct environment *environment, char *text, size_t *len, size_t size);
/* The same finding; if it is about a value of the environment, the variable is its place. */
struct config_finding environment_place(const struct environment *environment,
                                        const struct config_finding *finding);

#endif
