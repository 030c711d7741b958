/* Store and forward: closed windows that wait for InfluxDB, oldest first, in one ring of bytes.
 *
 * A record is opaque here (influx/record makes and reads it) and lies in one piece. A push that
 * does not fit makes the oldest records leave, whole and counted. Records whose delivery failed
 * also count, in points, against KrakenD's `buffer_size` (spool_limit_failed); records that were
 * never tried do not. */
#ifndef LIMPET_INFLUX_SPOOL_H
#define LIMPET_INFLUX_SPOOL_H

#include "app_config.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* For static placement; do not touch the fields. */
struct spool {
    size_t first; /* offset of the oldest record */
    size_t end;   /* offset behind the newest record */
    size_t
        wrap; /* end of the used bytes when the records go on at offset 0; else LIMPET_SPOOL_LEN */
    size_t count; /* records */
    size_t used_bytes;
    size_t failed_count;    /* records whose delivery failed: always the oldest ones */
    uint64_t failed_points; /* of them */
    /* 8-byte units: every record starts aligned. */
    uint64_t ring[(LIMPET_SPOOL_LEN + 7u) / 8u];
};

/* The longest record that ever fits. */
#define SPOOL_RECORD_LEN_MAX ((LIMPET_SPOOL_LEN + 7u) / 8u * 8u - 24u)

void spool_init(struct spool *spool);

/* Room for a record of `len` bytes; older records leave until it fits, `*dropped` says how many.
 * NULL when it can never fit (then nothing left). The record counts from spool_commit on: fill it
 * first. */
char *spool_reserve(struct spool *spool, size_t len, size_t *dropped);
/* Whether spool_reserve would let nothing leave. */
bool spool_has_room(const struct spool *spool, size_t len);
void spool_commit(struct spool *spool, size_t len, uint32_t points);

size_t spool_count(const struct spool *spool);
size_t spool_used_bytes(const struct spool *spool);

/* A place in the ring; all zero = before the oldest record. Good until a record leaves; at the end,
 * until one comes. */
struct spool_cursor {
    size_t count; /* records behind it */
    size_t at;
};
/* Walks from the oldest. False at the end. The slice lives until the record leaves. */
bool spool_next(const struct spool *spool, struct spool_cursor *cursor, struct slice *record);
/* The same bytes, to be changed in their place: a slice that spool_next gave. */
char *spool_writable(struct spool *spool, struct slice record);
/* Points of a record that spool_next gave, as committed. */
uint32_t spool_points(const struct spool *spool, struct slice record);

/* The oldest record leaves (delivered or given up). There must be one. */
void spool_pop(struct spool *spool);

/* The oldest `count` records could not be delivered. With buffer_size 0 they leave; above 0 the
 * newest failed one stays and older ones leave until the failed points fit. Returns how many left.
 */
size_t spool_limit_failed(struct spool *spool, size_t count, uint64_t buffer_size);

#endif
