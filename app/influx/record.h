/* One closed window as bytes: compact, without names, the same for RAM and for storage.
 *
 * Layout (version 2): version, flags, close time as 8 bytes little endian (so that it can be
 * replaced in its place), then varints: sequence number, boot; then entries, each a kind byte, the
 * series' id (metrics_view.id; stable while the configuration is the same) and its numbers: signed
 * numbers zigzag, percentiles as 8 bytes little endian; then CRC-32 of all before, 4 bytes little
 * endian. A reader walks the entries and asks the metrics table for the names. */
#ifndef LIMPET_INFLUX_RECORD_H
#define LIMPET_INFLUX_RECORD_H

#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"
#include "metrics/metrics.h"

#include <stdbool.h>
#include <stdint.h>

/* InfluxDB's percentile fields: 0.1 0.25 0.5 0.75 0.9 0.95 0.99. */
#define RECORD_PERCENTILES 7

struct record_info {
    uint64_t seq;     /* of the window, 1, 2, 3 ... */
    uint32_t boot;    /* in which it closed, 1, 2, 3 ... */
    int64_t unix_ns;  /* close time; valid when dated */
    uint64_t mono_ns; /* close time since the start of that boot; valid when not dated */
    bool dated;
};

/* What InfluxDB's histogram fields need; mean, stddev and variance truncated to integers as the
 * reference writes them, saturated. */
struct record_distribution {
    int64_t max, mean, min, stddev, variance;
    bool have_percentiles;
    double percentile[RECORD_PERCENTILES];
};

enum record_kind {
    RECORD_END,
    RECORD_COUNTER, /* delta, total */
    RECORD_GAUGE,   /* total holds the value */
    RECORD_DISTRIBUTION,
};

struct record_entry {
    enum record_kind kind;
    uint32_t id; /* of the series */
    int64_t delta;
    int64_t total;
    struct record_distribution distribution;
};

/* Writes the window that the table shows as closed. Series that the dashboards do not read are left
 * out: float gauges, timers, live counters, everything below limpet.; distributions in which
 * nothing was recorded, or only zeros, but for the two of the runtime (as the reference). */
void record_encode(struct out *out, const struct metrics *metrics, const struct record_info *info);

/* Gives a record that record_open accepts its date. The same date gives the same bytes. */
void record_set_date(char *record, size_t len, int64_t unix_ns);

struct record_iter {
    const uint8_t *at;
    const uint8_t *end;
};

/* LIMPET_ERR_SYNTAX: not a record (version, CRC, length). */
LIMPET_WARN_UNUSED
int record_open(struct slice record, struct record_info *info, struct record_iter *iter);
/* The same from its first bytes alone, of a record whose bytes are known to be whole. False: not
 * one. */
#define RECORD_PEEK_LEN 32u
LIMPET_WARN_UNUSED
bool record_peek(struct slice first, struct record_info *info);
/* The same for one that record_open has accepted or record_encode made: reads its head only. */
void record_read(struct slice record, struct record_info *info, struct record_iter *iter);
/* Next entry; kind RECORD_END at the end. A record that record_open accepted is well formed. */
void record_next(struct record_iter *iter, struct record_entry *entry);

#endif
