/* Line protocol of one recorded window: measurement, tags, fields and types that KrakenD's
 * dashboards read.
 *
 * One line at a time into any bounded writer; the same record, table and stamp always give the same
 * bytes, so that sending a window again is sending the same points. Names come from the metrics
 * table by the series ids in the record. */
#ifndef LIMPET_INFLUX_LINES_H
#define LIMPET_INFLUX_LINES_H

#include "influx/record.h"

/* For static placement; do not touch the fields. A plain value: copy it to come back to a place. */
struct lines {
    const struct metrics *metrics;
    struct slice host; /* tag `host`; never empty */
    int64_t stamp_s;   /* seconds since 1970 */
    struct record_iter iter;
    struct record_entry entry; /* the next one to write; RECORD_END = no more lines */
};

/* `record`: one that the spool holds, or is about to: record_read reads it. Its date is the stamp
 * (0 when it has none yet). */
void lines_init(struct lines *lines, const struct metrics *metrics, struct slice host,
                struct slice record);
/* Writes the next line with its newline and moves on; false when there is none. */
bool lines_next(struct lines *lines, struct out *out);
/* Lines that are left; adds their bytes to `*len`. */
uint32_t lines_measure(const struct lines *lines, uint64_t *len);

/* A tag value with `,` `=` and space escaped. What the protocol cannot hold becomes '_': control
 * bytes, bytes that are no UTF-8, and a backslash at the end, which would escape the separator
 * behind it. */
void lines_put_tag(struct out *out, struct slice value);

#endif
