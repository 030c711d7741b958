/* What an answer of InfluxDB to a write means: a pure function, so that the table of cases can be
 * tested. */
#ifndef LIMPET_INFLUX_OUTCOME_H
#define LIMPET_INFLUX_OUTCOME_H

#include "base/slice.h"

#include <stdint.h>

enum outcome {
    OUTCOME_WRITTEN, /* 2xx */
    OUTCOME_PARTIAL, /* 400 or 422 "partial write": the good points are in, the others never will be
                      */
    OUTCOME_REFUSED, /* 400, 422: the server will never take this batch as it is */
    OUTCOME_TOO_LARGE, /* 413: smaller batches may pass */
    OUTCOME_KEEP,  /* 401, 403, 404, redirects, others: somebody has to change something; try slowly
                    */
    OUTCOME_AGAIN, /* 429, 5xx: try again with back-off, or after Retry-After */
};

/* `body`: the start of the answer's body. With OUTCOME_PARTIAL `*points_refused` is the number that
 * the server says it dropped (0 when it does not say). */
enum outcome outcome_of(unsigned status, struct slice body, uint64_t *points_refused);

/* InfluxDB 3 names the points that it refused, at most 100, and says no number: counts them over
 * the pieces of a body. All zero at first. */
struct outcome_named {
    uint64_t count;
    uint8_t matched; /* bytes of the key */
};
void outcome_count_named(struct outcome_named *named, struct slice piece);

#endif
