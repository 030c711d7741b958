/* The metrics table: one static place that everything is counted in and everything is shown from.
 *
 * Series are opened by name once, while the configuration is loaded; the data path holds pointers and never
 * builds or looks up a name. Series of equal name are shared. Counters are 64 bit and live; distributions
 * and `-gauge`/`-total` values move when a window closes (metrics_tick). Knows no HTTP, no lwIP, no
 * configuration: it can be linked alone into other firmware (example: tests/example).
 *
 * Names are KrakenD's; the shape of a name is (family, layer, name, labels), composed only when printed. */
#ifndef LIMPET_METRICS_METRICS_H
#define LIMPET_METRICS_METRICS_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum metrics_layer { METRICS_PIPE, METRICS_BACKEND };

struct endpoint_series; /* krakend.router.response.<name>.* */
struct proxy_series;    /* krakend.proxy.{requests,latency}.layer.<layer>.name.<name>.* */
struct metrics;         /* defined in metrics/registry.h for static placement */

/* What is counted at all; from telemetry/metrics. */
struct metrics_options {
    bool router_disabled;
    bool proxy_disabled;
    bool backend_disabled;
    uint64_t collection_time_ns; /* window length */
};

/* ---- Life cycle ------------------------------------------------------------------------------- */

/* now_ns: monotonic start of the first window. */
void metrics_init(struct metrics *m, const struct metrics_options *options, uint64_t now_ns);

/* Opens or finds. `name` must outlive the table. Returns NULL when the table is full (size it with
 * LIMPET_*_SERIES_MAX) or the layer is disabled: recording to NULL is allowed and does nothing. */
struct endpoint_series *metrics_open_endpoint(struct metrics *m, struct slice name);
struct proxy_series *metrics_open_proxy(struct metrics *m, enum metrics_layer layer, struct slice name);

/* ---- Recording (the data path) ---------------------------------------------------------------- */

void metrics_connected(struct metrics *m);    /* an endpoint handler began */
void metrics_disconnected(struct metrics *m); /* it ended */
/* size_bytes: body bytes written to the client, 0 for an empty body. */
void metrics_record_response(struct metrics *m, struct endpoint_series *s, unsigned status,
                             int64_t size_bytes, int64_t time_ns);
void metrics_record_proxy(struct metrics *m, struct proxy_series *s, bool complete, bool error,
                          int64_t latency_ns);

/* ---- The window ------------------------------------------------------------------------------- */

/* Values below krakend.service. and limpet. that the caller samples (see metrics/service.h). They are
 * set here and become visible at the tick (service) or at once (limpet). */

/* Closes the window when its time has come (start + n x collection_time, without drift; a late call makes
 * one longer window). Returns true when it closed one: the frozen window can then be read with
 * metrics_window() until the next close. */
bool metrics_tick(struct metrics *m, uint64_t now_ns);
/* Closes the running window now (clean stop). */
void metrics_close_window(struct metrics *m, uint64_t now_ns);
uint64_t metrics_next_tick_ns(const struct metrics *m);

/* ---- Reading ---------------------------------------------------------------------------------- */

/* A frozen distribution. Exact count, min, max, mean, variance; percentiles NULL-like (have_percentiles
 * false) when the bucket pool was empty in that window. */
struct metrics_summary {
    uint64_t count;
    int64_t min;
    int64_t max;
    double mean;
    double std_dev;
    double variance; /* population; saturates */
    bool have_percentiles;
    /* 0.1 0.25 0.5 0.75 0.9 0.95 0.99 0.999, in this order */
    double percentile[8];
};

enum metrics_family {
    METRICS_ROUTER_CONNECTED,          /* counter */
    METRICS_ROUTER_DISCONNECTED,       /* counter */
    METRICS_ROUTER_CONNECTED_TOTAL,    /* counter */
    METRICS_ROUTER_DISCONNECTED_TOTAL, /* counter */
    METRICS_ROUTER_CONNECTED_GAUGE,    /* gauge */
    METRICS_ROUTER_DISCONNECTED_GAUGE, /* gauge */
    METRICS_RESPONSE_STATUS,           /* counter that stays 0: krakend.router.response.<ep>.status */
    METRICS_RESPONSE_STATUS_CODE,      /* counter: ....status.<code>.count */
    METRICS_RESPONSE_SIZE,             /* histogram, bytes */
    METRICS_RESPONSE_TIME,             /* histogram, ns */
    METRICS_PROXY_REQUESTS,            /* counter */
    METRICS_PROXY_LATENCY,             /* histogram, ns */
    METRICS_SERVICE,                   /* gauges, float gauge, histograms, timers: name below krakend.service. */
    METRICS_LIMPET,                    /* counters and gauges below limpet. */
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_GAUGE_FLOAT, METRICS_HISTOGRAM, METRICS_TIMER };

/* One series as a reader sees it. Slices live as long as the table. */
struct metrics_view {
    enum metrics_family family;
    enum metrics_kind kind;
    enum metrics_layer layer; /* proxy families */
    struct slice name;        /* endpoint or backend name, or the name below the family's prefix */
    bool complete, error;     /* proxy families */
    uint16_t status;          /* METRICS_RESPONSE_STATUS_CODE; 0 = other */
    int64_t value;            /* counter or gauge, live */
    int64_t window_total;     /* counter: total at the last close */
    int64_t window_delta;     /* counter: growth in the last window */
    double value_float;       /* METRICS_GAUGE_FLOAT */
    const struct metrics_summary *summary; /* histogram or timer: last complete window (running one before
                                            * the first close); never NULL for these kinds */
    const struct metrics_summary *window_summary; /* histogram: of the last closed window; NULL = nothing recorded */
};

/* The closed window that is being shown. seq 0 = none has closed yet. */
struct metrics_window {
    uint64_t seq;      /* 1, 2, 3 ... */
    uint64_t close_ns; /* monotonic, nominal (a late tick's own time) */
    uint64_t start_ns;
};
const struct metrics_window *metrics_window(const struct metrics *m);

/* Series in a fixed order (the order of opening, by family; new status codes are appended to theirs).
 * index 0 .. metrics_series_count() - 1. */
size_t metrics_series_count(const struct metrics *m);
void metrics_series(const struct metrics *m, size_t index, struct metrics_view *view);

/* Grows with every change of the table that a reader could see. Equal generations = equal output. */
uint64_t metrics_generation(const struct metrics *m);

#endif
