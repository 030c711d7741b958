/* The metrics table: one static place that everything is counted in and everything is shown from.
 *
 * Series are opened by name once, while the configuration is loaded; the data path holds pointers
 * and never builds or looks up a name. Series of equal name are shared. Counters are 64 bit and
 * live; distributions and `-gauge`/`-total` values move when a window closes (metrics_tick). Knows
 * no HTTP, no lwIP, no configuration: it can be linked alone into other firmware (tests/example).
 *
 * Names are KrakenD's; the shape of a name is (family, layer, name, labels), composed only when
 * printed. One caller at a time: nothing here may run in an interrupt or in a second thread. */
#ifndef LIMPET_METRICS_METRICS_H
#define LIMPET_METRICS_METRICS_H

#include "app_config.h"
#include "base/err.h"
#include "base/slice.h"
#include "metrics/summary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_layer { METRICS_PIPE, METRICS_BACKEND };

struct endpoint_series; /* krakend.router.response.<name>.* */
struct proxy_series;    /* krakend.proxy.{requests,latency}.layer.<layer>.name.<name>.* */
struct metrics;         /* defined in metrics/registry.h for static placement */

/* What is counted at all; from telemetry/metrics. A layer that is switched off has no series, as in
 * the reference; krakend.router.connected and its five companions are always there, and stay 0 with
 * router_disabled. */
struct metrics_options {
    bool router_disabled;
    bool proxy_disabled;         /* layer "pipe" */
    bool backend_disabled;       /* layer "backend" */
    uint64_t collection_time_ns; /* window length, > 0 */
};

/* ---- Life cycle -------------------------------------------------------------------------------
 */

/* now_ns: monotonic start of the first window. */
void metrics_init(struct metrics *m, const struct metrics_options *options, uint64_t now_ns);

/* Opens or finds. `name` must outlive the table. Returns NULL when the layer is disabled or the
 * table is full (LIMPET_ENDPOINT_SERIES_MAX, LIMPET_PROXY_SERIES_MAX; metrics_room tells which):
 * recording to NULL is allowed and does nothing. */
struct endpoint_series *metrics_open_endpoint(struct metrics *m, struct slice name);
struct proxy_series *metrics_open_proxy(struct metrics *m, enum metrics_layer layer,
                                        struct slice name);

/* Did everything fit that was opened? needed > limit: refuse the configuration with these numbers.
 */
struct metrics_room {
    const char
        *table; /* "endpoint series", "proxy series", "limpet values", "bytes of limpet values" */
    size_t needed;
    size_t limit;
};
enum { METRICS_ROOMS = 4 };
struct metrics_room metrics_room(const struct metrics *m, size_t index);

/* ---- Recording (the data path) ----------------------------------------------------------------
 */

void metrics_connected(struct metrics *m);    /* an endpoint handler began */
void metrics_disconnected(struct metrics *m); /* it ended */
/* size_bytes: body bytes written to the client, 0 for an empty body (any value can be recorded,
 * also the reference's -1). A status outside 1..999, or one that finds no slot, counts as "other".
 */
void metrics_record_response(struct metrics *m, struct endpoint_series *s, unsigned status,
                             int64_t size_bytes, int64_t time_ns);
/* complete and error together never come from a pipe of ours; they are counted as error alone. */
void metrics_record_proxy(struct metrics *m, struct proxy_series *s, bool complete, bool error,
                          int64_t latency_ns);

/* ---- The window -------------------------------------------------------------------------------
 */

/* Closes the window when its time has come (start + n x collection_time, without drift; a late call
 * makes one longer window). Returns true when it closed one: the frozen window can then be read
 * with metrics_window() until the next close. Values of service.h are sampled first. */
bool metrics_tick(struct metrics *m, uint64_t now_ns);
/* Closes the running window now (clean stop). The ticks to come keep their times. */
void metrics_close_window(struct metrics *m, uint64_t now_ns);
uint64_t metrics_next_tick_ns(const struct metrics *m);

/* A reader is in the middle of an answer that shows the closed window, piece by piece. While one
 * is, a tick waits, at most LIMPET_WINDOW_HOLD_MS; then the window closes all the same, and the
 * reader finds another metrics_window()->seq and must break off. Begin and end pair up. */
void metrics_hold_begin(struct metrics *m);
void metrics_hold_end(struct metrics *m);

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* Of a timer: events a second since the start, and moving averages as the reference weighs them. */
struct metrics_rates {
    double mean;
    double one_minute;
    double five_minute;
    double fifteen_minute;
};

enum metrics_family {
    METRICS_ROUTER_CONNECTED,          /* counter: since the last close */
    METRICS_ROUTER_DISCONNECTED,       /* counter: since the last close */
    METRICS_ROUTER_CONNECTED_TOTAL,    /* counter: up to the last close */
    METRICS_ROUTER_DISCONNECTED_TOTAL, /* counter: up to the last close */
    METRICS_ROUTER_CONNECTED_GAUGE,    /* gauge: in the last window */
    METRICS_ROUTER_DISCONNECTED_GAUGE, /* gauge: in the last window */
    METRICS_SERVICE, /* gauges, float gauge, histograms, timers: name below krakend.service. */
    METRICS_RESPONSE_STATUS,      /* counter that stays 0: krakend.router.response.<ep>.status */
    METRICS_RESPONSE_SIZE,        /* histogram, bytes */
    METRICS_RESPONSE_TIME,        /* histogram, ns */
    METRICS_PROXY_REQUESTS,       /* counter */
    METRICS_PROXY_LATENCY,        /* histogram, ns */
    METRICS_RESPONSE_STATUS_CODE, /* counter: krakend.router.response.<ep>.status.<code>.count */
    METRICS_LIMPET,               /* counters and gauges: name below limpet. */
};

enum metrics_kind {
    METRICS_COUNTER,
    METRICS_GAUGE,
    METRICS_GAUGE_FLOAT,
    METRICS_HISTOGRAM,
    METRICS_TIMER,
};

/* One series as a reader sees it. The slice lives as long as the table. Do not copy a view: its
 * summaries lie inside. */
struct metrics_view {
    /* What it is; filled by metrics_describe() too. */
    enum metrics_family family;
    enum metrics_kind kind;
    enum metrics_layer layer; /* proxy families */
    struct slice name;        /* endpoint or backend name, or the name below the family's prefix */
    bool complete, error;     /* proxy families */
    uint16_t status;          /* METRICS_RESPONSE_STATUS_CODE; 0 = other */
    bool bytes;               /* METRICS_SERVICE: its value is a number of bytes */
    bool constant;            /* METRICS_SERVICE: nothing here has it, it is always 0 */
    uint32_t id;              /* names the series; see metrics_describe() */
    /* What it holds. */
    int64_t value;        /* counter or gauge, live */
    int64_t window_total; /* counter: total at the last close */
    int64_t window_delta; /* counter: growth in the last window; of a status code only until the
                           * next response of its endpoint is recorded, then 0 */
    double value_float;   /* METRICS_GAUGE_FLOAT */
    /* Histogram: the last complete window (the running one before the first close); timer: since
     * the start. Never NULL for these two kinds, NULL for the others. */
    const struct metrics_summary *summary;
    /* Histogram: the last closed window; NULL = nothing was recorded in it, or none has closed. */
    const struct metrics_summary *window_summary;
    struct metrics_rates rates;             /* METRICS_TIMER */
    struct metrics_summary summary_storage; /* of the two pointers */
};

/* The closed window that is being shown. seq 0 = none has closed yet. */
struct metrics_window {
    uint64_t seq;      /* 1, 2, 3 ... */
    uint64_t start_ns; /* close_ns of the window before */
    uint64_t close_ns; /* monotonic, nominal; a late tick's own time */
};
const struct metrics_window *metrics_window(const struct metrics *m);

/* Series in a fixed order: index 0 .. metrics_series_count() - 1. Once everything is opened, an
 * index means the same series for the life of the table. metrics_series returns false for an index
 * that is not in use (a status slot that no response has taken): skip it, the view is not filled.
 */
size_t metrics_series_count(const struct metrics *m);
LIMPET_WARN_UNUSED
bool metrics_series(const struct metrics *m, size_t index, struct metrics_view *view);

/* What the series with this `id` is: the first part of a view. Ids are the same in every boot with
 * the same configuration and the same table sizes, and a status code that has not been seen in this
 * boot has one too; so stored records may name series by it. False: no such series. */
LIMPET_WARN_UNUSED
bool metrics_describe(const struct metrics *m, uint32_t id, struct metrics_view *view);
/* As metrics_series, by id; a code that has not been seen holds 0. */
LIMPET_WARN_UNUSED
bool metrics_series_by_id(const struct metrics *m, uint32_t id, struct metrics_view *view);
/* A distribution since the start of the table, the running window included: what a summary of
 * Prometheus shows. Of a series of another kind: 0. */
struct metrics_totals {
    uint64_t count;
    double sum; /* bytes or ns */
};
struct metrics_totals metrics_totals(const struct metrics *m, uint32_t id);
/* Status series in use. Series appear at run time only here, one at a time, and never go. */
size_t metrics_status_count(const struct metrics *m);

/* Grows with every change of the table that a reader could see. Equal generations = equal output.
 */
uint64_t metrics_generation(const struct metrics *m);

#endif
