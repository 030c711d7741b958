/* The tables behind metrics.h, for static placement: everything has its place from the start,
 * nothing grows. Include metrics/metrics.h to use the table; this header is for who owns the
 * struct.
 *
 * A request of a pipe or backend is counted once, by the count of its latency's distribution;
 * beside it stands only the total of the windows before. So `requests` and `latency` never
 * disagree, and a board saves 8 B a label pair. */
#ifndef LIMPET_METRICS_REGISTRY_H
#define LIMPET_METRICS_REGISTRY_H

#include "app_config.h"
#include "metrics/histogram.h"
#include "metrics/metrics.h"
#include "metrics/service.h"

/* A label pair that can happen: not (complete and error). */
enum proxy_pair { PAIR_INCOMPLETE, PAIR_ERROR, PAIR_COMPLETE, PROXY_PAIRS };

/* Growth of a counter within a window. 2^32 events a window are out of reach of a board. */
#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L
typedef uint64_t metrics_growth;
#else
typedef uint32_t metrics_growth;
#endif

/* A total that may lie at any multiple of 4: 4 B less in each proxy series of a board. */
typedef uint64_t metrics_total __attribute__((aligned(4)));

/* The growth is the running window's; from a close to the next record of its endpoint still the
 * last one's, and part of `closed` (endpoint_series.growth_closed). */
struct metrics_counter {
    metrics_total closed; /* up to the last close */
    metrics_growth growth;
};

struct distribution {
    struct histogram running;
    struct histogram_frozen closed; /* the last window's */
    histogram_total total;          /* of all closed windows */
};

struct endpoint_series {
    const char *name;
    uint16_t name_len;
    uint8_t codes; /* in use */
    bool growth_closed;
    uint16_t code[LIMPET_STATUS_SLOTS];
    struct distribution size;
    struct distribution time;
    struct metrics_counter responses[LIMPET_STATUS_SLOTS + 1u]; /* by code; the last one: other */
};

struct proxy_series {
    const char *name;
    uint16_t name_len;
    uint8_t layer;
    struct distribution latency[PROXY_PAIRS];
    metrics_total requests_closed[PROXY_PAIRS]; /* up to the last close */
};

/* connected or disconnected */
struct router_count {
    uint64_t running; /* since the last close */
    uint64_t total;   /* up to the last close */
    uint64_t gauge;   /* in the last window */
};

struct value_table {
    const struct metrics_value *values;
    const void *base;
    uint16_t first; /* row of its first value; it ends where the next table begins */
    uint16_t at;    /* where its sampled fields lie */
};

/* For static placement; do not touch the fields. */
struct metrics {
    struct metrics_options options;
    uint64_t generation;

    struct metrics_window window; /* the closed one that is shown */
    uint64_t next_tick_ns;
    uint64_t windows_late;
    uint64_t late_ns_max;
    uint32_t holds;
    uint32_t status_count;

    uint16_t endpoint_count;
    uint16_t proxy_count;
    uint16_t value_count;
    uint16_t table_count;
    uint32_t endpoints_needed;
    uint32_t proxies_needed;
    uint32_t values_needed;
    uint32_t sampled_len;
    uint32_t sampled_needed;

    struct router_count connected;
    struct router_count disconnected;
    struct metrics_service_state service;
    struct value_table tables[LIMPET_METRICS_VALUE_TABLES];
    uint8_t sampled[LIMPET_METRICS_SAMPLED_LEN]; /* the fields as they are, one behind the other */

    struct histogram_pool pool;
    struct endpoint_series endpoints[LIMPET_ENDPOINT_SERIES_MAX];
    struct proxy_series proxies[LIMPET_PROXY_SERIES_MAX];
    struct histogram_slot slots[LIMPET_HISTOGRAMS];
};

/* ---- Between the files of this room ------------------------------------------------------------
 */

/* Values of the table itself, below limpet.metrics. */
extern const struct metrics_value metrics_own_values[];
extern const size_t metrics_own_values_len;

/* What is in row `row` < value_count, and its sampled number. */
const struct metrics_value *metrics_value_at(const struct metrics *m, size_t row);
uint64_t metrics_sampled_at(const struct metrics *m, size_t row);

/* The service's part of a tick: values are sampled, timers count. */
void metrics_service_tick(struct metrics *m, uint64_t window_ns);

#endif
