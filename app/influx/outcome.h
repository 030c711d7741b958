/* What an answer of InfluxDB to a write means: a pure function, so that the table of cases can be
 * tested. */
#ifndef LIMPET_INFLUX_OUTCOME_H
#define LIMPET_INFLUX_OUTCOME_H

#include "base/slice.h"

#include <stdbool.h>
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

/* What the body of an answer says, piece by piece; all zero at first. */
struct outcome_text {
    bool partial;    /* "partial write" */
    bool retention;  /* the points are older than what the server keeps */
    uint64_t points; /* "dropped=3"; 0 = not said */
    uint64_t lines;  /* that InfluxDB 3 lists one by one */
    uint8_t matched[4];
    bool in_number;
    bool counted;
};
void outcome_text_feed(struct outcome_text *text, struct slice piece);

/* With OUTCOME_PARTIAL `*points_refused` is the number that the server says it dropped (0 when it
 * does not say). */
enum outcome outcome_of(unsigned status, const struct outcome_text *text, uint64_t *points_refused);

#endif
