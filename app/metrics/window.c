/* The tick: how a window ends. See metrics.h. */
#include "metrics/registry.h"

#include <assert.h>

static void close_window(struct metrics *m, uint64_t close_ns);
static void aggregate(struct router_count *count);
static void close_distribution(struct metrics *m, struct distribution *d, enum histogram_unit unit);
static void close_endpoint(struct metrics *m, struct endpoint_series *s);
static void close_proxy(struct metrics *m, struct proxy_series *s);

bool metrics_tick(struct metrics *m, uint64_t now_ns)
{
    if (now_ns < metrics_next_tick_ns(m)) {
        return false;
    }
    uint64_t nominal_ns = m->next_tick_ns;
    uint64_t late_ns = now_ns - nominal_ns;
    bool late = late_ns >= LIMPET_MS_TO_NS(LIMPET_WINDOW_LATE_MS);
    m->windows_late += late;
    m->late_ns_max = late_ns > m->late_ns_max ? late_ns : m->late_ns_max;
    m->next_tick_ns +=
        (late_ns / m->options.collection_time_ns + 1) * m->options.collection_time_ns;
    close_window(m, late ? now_ns : nominal_ns);
    return true;
}

void metrics_close_window(struct metrics *m, uint64_t now_ns)
{
    close_window(m, now_ns);
}

uint64_t metrics_next_tick_ns(const struct metrics *m)
{
    return m->next_tick_ns + (m->holds > 0 ? LIMPET_MS_TO_NS(LIMPET_WINDOW_HOLD_MS) : 0);
}

void metrics_hold_begin(struct metrics *m)
{
    m->holds++;
}

void metrics_hold_end(struct metrics *m)
{
    assert(m->holds > 0);
    m->holds--;
}

const struct metrics_window *metrics_window(const struct metrics *m)
{
    return &m->window;
}

uint64_t metrics_generation(const struct metrics *m)
{
    return m->generation;
}

/* The reference's order: the service's values, then the router's, then everything is frozen. The
 * table's own values come last, so that they show this close too. */
static void close_window(struct metrics *m, uint64_t close_ns)
{
    uint64_t start_ns = m->window.close_ns;
    assert(close_ns >= start_ns);
    metrics_service_tick(m, close_ns - start_ns);
    aggregate(&m->connected);
    aggregate(&m->disconnected);
    for (size_t i = 0; i < m->endpoint_count; i++) {
        close_endpoint(m, &m->endpoints[i]);
    }
    for (size_t i = 0; i < m->proxy_count; i++) {
        close_proxy(m, &m->proxies[i]);
    }
    m->window = (struct metrics_window){
        .seq = m->window.seq + 1, .start_ns = start_ns, .close_ns = close_ns};
    m->generation++;
    metrics_sample(m);
}

static void aggregate(struct router_count *count)
{
    count->gauge = count->running;
    count->total += count->running;
    count->running = 0;
}

static void close_distribution(struct metrics *m, struct distribution *d, enum histogram_unit unit)
{
    histogram_total_add(&d->total, &d->running);
    histogram_close(&m->pool, &d->running, &d->closed, unit);
}

static void close_endpoint(struct metrics *m, struct endpoint_series *s)
{
    close_distribution(m, &s->size, HISTOGRAM_BYTES);
    close_distribution(m, &s->time, HISTOGRAM_NS);
    for (size_t i = 0; i <= LIMPET_STATUS_SLOTS; i++) {
        struct metrics_counter *counter = &s->responses[i];
        if (s->growth_closed) {
            counter->growth = 0; /* nothing came since */
        }
        counter->closed += counter->growth;
    }
    s->growth_closed = true;
}

static void close_proxy(struct metrics *m, struct proxy_series *s)
{
    for (size_t i = 0; i < PROXY_PAIRS; i++) {
        s->requests_closed[i] += s->latency[i].running.count;
        close_distribution(m, &s->latency[i], HISTOGRAM_NS);
    }
}
