/* The answers of the metrics listener: the whole metrics table, as the reference writes it at
 * /__stats and as Prometheus reads it from /metrics.
 *
 * JSON: `{\n`, then `"key": value` joined by `,\n`, then `\n}\n`. All keys are sorted bytewise,
 * over whole keys, whatever the names of the endpoints are; `cmdline` is the first, `memstats` the
 * last. The values below limpet. are added to those of the reference.
 *
 * The order is found once (report_stats_init); a status code that appears later is put in its
 * place. Where there are buffers, a state of the table is rendered once into one that all readers
 * share; else, or when slow readers keep them all, a reader gets piece by piece what the table
 * holds then. One answer never mixes the distributions of two windows: an answer in pieces holds
 * back the tick for LIMPET_WINDOW_HOLD_MS, then it is cut. No key is dropped or repeated. */
#ifndef LIMPET_REPORT_STATS_H
#define LIMPET_REPORT_STATS_H

#include "app_config.h"
#include "base/out.h"
#include "metrics/metrics.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest number: -2.2250738585072014e-308, or a 64-bit integer with its sign. */
#define STATS_VALUE_LEN_MAX 32

enum stats_format {
    STATS_JSON,        /* /__stats */
    STATS_TEXT,        /* Prometheus, text format 0.0.4 */
    STATS_OPENMETRICS, /* OpenMetrics 1.0 */
};

/* Where an answer stands. Line 0 stands before the first entry of the index, then one for each. */
struct stats_position {
    size_t line;
    unsigned key;   /* item of the line */
    uint8_t format; /* enum stats_format */
    uint8_t pass;   /* Prometheus: over the entries, for what is to stand together */
    uint8_t family; /* Prometheus: of the line before, plus 1 */
};

/* One answer, being read; one per connection. Zero-initialised; do not touch the fields. */
struct stats_reader {
    bool open;
    struct stats_buffer *buffer; /* NULL: in pieces */
    size_t at;                   /* in the buffer or in the piece */
    struct stats_reader *next;   /* readers in pieces */
    uint64_t window_seq;
    struct stats_position position;
    size_t key_done; /* bytes of an item that is longer than a piece */
    size_t value_len;
    char value[STATS_VALUE_LEN_MAX]; /* of such an item */
    size_t piece_len;
    char piece[LIMPET_STATS_PIECE_LEN];
};

struct stats_buffer {
    uint64_t generation; /* of the table; 0 = none */
    uint32_t readers;
    enum stats_format format;
    size_t len;
    char bytes[LIMPET_STATS_BUFFERS > 0 ? LIMPET_STATS_BUFFER_LEN : 1];
};

/* For static placement; do not touch the fields. Counters are for limpet.stats. */
struct stats {
    struct metrics *metrics;
    const char *const *argv;
    int argc;
    struct stats_reader *readers; /* in pieces */
    uint64_t rendered;            /* answers made */
    uint64_t shared;              /* answers that were there already */
    uint64_t pieced;              /* answers in pieces */
    uint64_t cut;                 /* of them: cut by the end of a window */
    size_t status_count;          /* status codes in the index */
    size_t series_count;          /* of the table when the index was built */
    size_t entry_count;
    uint32_t entries[LIMPET_STATS_ENTRIES]; /* sorted; see index.h */
    uint32_t key_id;                        /* of the series whose key is kept; UINT32_MAX = none */
    const char *stem_lead;                  /* family and name of the kept key; NULL = none */
    const char *stem_name;
    size_t stem_len;
    size_t key_len;
    char key[LIMPET_STATS_KEY_LEN]; /* separator, quote and the key up to the suffix, escaped */
    struct stats_buffer buffers[LIMPET_STATS_BUFFERS > 0 ? LIMPET_STATS_BUFFERS : 1];
};

/* When every series is opened and every other value added: from here on neither may be done. Adds
 * the values below limpet.stats. that a reader does not move, and builds the index. `argv` (argc
 * strings) and `metrics` must stay.
 */
void report_stats_init(struct stats *stats, struct metrics *metrics, const char *const *argv,
                       int argc);

/* Begins an answer that shows the table as it is now. The reader must be closed. */
void report_stats_open(struct stats *stats, struct stats_reader *reader, enum stats_format format);
/* True: the answer has *len bytes. False: nobody knows yet (chunked). Right after open. */
bool report_stats_length(const struct stats_reader *reader, uint64_t *len);
/* The next bytes; they stay until consume or close.
 * 1: *bytes is not empty; 0: the answer is complete; LIMPET_ERR_CANCELED: the window has closed,
 * the answer cannot be completed (cut the connection). */
LIMPET_WARN_UNUSED
int report_stats_peek(struct stats *stats, struct stats_reader *reader, struct slice *bytes);
/* At most what peek showed. */
void report_stats_consume(struct stats_reader *reader, size_t len);
/* At the end, and when the client is gone; no effect on a closed reader. */
void report_stats_close(struct stats *stats, struct stats_reader *reader);

#endif
