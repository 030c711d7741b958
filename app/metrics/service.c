#include "metrics/service.h"

#include "metrics/registry.h"

#include <assert.h>
#include <string.h>

static void step_rates(struct metrics_service_state *s, uint64_t window_ns);
static double power(double base, uint64_t exponent);
static uint64_t read_field(const struct metrics_value *value, const void *at);

#define NONE SERVICE_VALUES

const struct metrics_service_row metrics_service_rows[METRICS_SERVICE_ROWS] = {
    {"debug.GCStats.LastGC", METRICS_GAUGE, NONE, false},
    {"debug.GCStats.NumGC", METRICS_GAUGE, NONE, false},
    {"debug.GCStats.Pause", METRICS_HISTOGRAM, NONE, false},
    {"debug.GCStats.PauseTotal", METRICS_GAUGE, NONE, false},
    {"debug.ReadGCStats", METRICS_TIMER, NONE, false},
    {"runtime.MemStats.Alloc", METRICS_GAUGE, SERVICE_HEAP_ALLOC, true},
    {"runtime.MemStats.BuckHashSys", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.DebugGC", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.EnableGC", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.Frees", METRICS_GAUGE, SERVICE_FREES, false},
    {"runtime.MemStats.GCCPUFraction", METRICS_GAUGE_FLOAT, NONE, false},
    {"runtime.MemStats.HeapAlloc", METRICS_GAUGE, SERVICE_HEAP_ALLOC, true},
    {"runtime.MemStats.HeapIdle", METRICS_GAUGE, SERVICE_HEAP_IDLE, true},
    {"runtime.MemStats.HeapInuse", METRICS_GAUGE, SERVICE_HEAP_ALLOC, true},
    {"runtime.MemStats.HeapObjects", METRICS_GAUGE, SERVICE_HEAP_OBJECTS, false},
    {"runtime.MemStats.HeapReleased", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.HeapSys", METRICS_GAUGE, SERVICE_HEAP_SYS, true},
    {"runtime.MemStats.LastGC", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.Lookups", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.MCacheInuse", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.MCacheSys", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.MSpanInuse", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.MSpanSys", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.Mallocs", METRICS_GAUGE, SERVICE_MALLOCS, false},
    {"runtime.MemStats.NextGC", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.NumGC", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.PauseNs", METRICS_HISTOGRAM, NONE, false},
    {"runtime.MemStats.PauseTotalNs", METRICS_GAUGE, NONE, false},
    {"runtime.MemStats.StackInuse", METRICS_GAUGE, SERVICE_STACK_INUSE, true},
    {"runtime.MemStats.StackSys", METRICS_GAUGE, SERVICE_STACK_SYS, true},
    {"runtime.MemStats.Sys", METRICS_GAUGE, SERVICE_SYS, true},
    {"runtime.MemStats.TotalAlloc", METRICS_GAUGE, SERVICE_TOTAL_ALLOC, true},
    {"runtime.NumCgoCall", METRICS_GAUGE, NONE, false},
    {"runtime.NumGoroutine", METRICS_GAUGE, SERVICE_GOROUTINES, false},
    {"runtime.NumThread", METRICS_GAUGE, SERVICE_THREADS, false},
    {"runtime.ReadMemStats", METRICS_TIMER, NONE, false},
};

#undef NONE

const struct metrics_value metrics_own_values[] = {
    METRICS_FIELD(METRICS_COUNTER, "metrics.windows", struct metrics, window.seq),
    METRICS_FIELD(METRICS_COUNTER, "metrics.windows_late", struct metrics, windows_late),
    METRICS_FIELD(METRICS_GAUGE, "metrics.window_late_ns_max", struct metrics, late_ns_max),
    METRICS_FIELD(METRICS_GAUGE, "metrics.histograms_used", struct metrics, pool.used),
    METRICS_FIELD(METRICS_GAUGE, "metrics.histograms_max", struct metrics, pool.used_max),
    METRICS_CONSTANT("metrics.histograms_limit", LIMPET_HISTOGRAMS),
    METRICS_FIELD(METRICS_COUNTER, "metrics.histograms_exhausted", struct metrics, pool.exhausted),
    METRICS_FIELD(METRICS_COUNTER, "metrics.histograms_saturated", struct metrics, pool.saturated),
    METRICS_FIELD(METRICS_GAUGE, "metrics.endpoint_series_used", struct metrics, endpoint_count),
    METRICS_CONSTANT("metrics.endpoint_series_limit", LIMPET_ENDPOINT_SERIES_MAX),
    METRICS_FIELD(METRICS_GAUGE, "metrics.proxy_series_used", struct metrics, proxy_count),
    METRICS_CONSTANT("metrics.proxy_series_limit", LIMPET_PROXY_SERIES_MAX),
};
const size_t metrics_own_values_len = sizeof(metrics_own_values) / sizeof(metrics_own_values[0]);

/* ---- krakend.service. ------------------------------------------------------------------------ */

void metrics_set_service(struct metrics *m, enum metrics_service which, int64_t value)
{
    assert(which < SERVICE_VALUES);
    m->generation += m->service.value[which] != value;
    m->service.value[which] = (metrics_service_value)value;
}

int64_t metrics_service(const struct metrics *m, enum metrics_service which)
{
    return which < SERVICE_VALUES ? m->service.value[which] : 0;
}

void metrics_set_sampler(struct metrics *m, metrics_sampler_fn sampler, void *ctx)
{
    m->service.sampler = sampler;
    m->service.sampler_ctx = ctx;
}

void metrics_service_tick(struct metrics *m, uint64_t window_ns)
{
    struct metrics_service_state *s = &m->service;
    if (s->sampler != NULL) {
        s->sampler(s->sampler_ctx, m);
    }
    s->collections++;
    s->pending++;
    step_rates(s, window_ns);
}

/* The averages move in steps of 5 s, as in the reference (go-metrics, ewma.go): each step goes the
 * share 1 - e^(-5 s / span) of the way to its own rate, the first one all of it. What no step has
 * yet falls into the first one of the window. With long windows the reference's first step comes
 * before the first event: there the average begins at 0. */
static void step_rates(struct metrics_service_state *s, uint64_t window_ns)
{
    static const double shares[3] = {0.0799555853706767, 0.01652854617838251, 0.005540151995103271};
    uint64_t step_ns = LIMPET_S_TO_NS(5);
    uint64_t before = s->collected_ns / step_ns;
    s->collected_ns += window_ns;
    uint64_t steps = s->collected_ns / step_ns - before;
    if (steps == 0) {
        return;
    }
    bool first = before == 0 && window_ns < step_ns;
    double rate = s->pending / 5.0;
    s->pending = 0;
    for (unsigned i = 0; i < 3; i++) {
        s->rate[i] += (first ? 1.0 : shares[i]) * (rate - s->rate[i]);
        s->rate[i] *= power(1.0 - shares[i], steps - 1);
    }
}

static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent >>= 1) {
        result *= (exponent & 1) != 0 ? base : 1;
        base *= base;
    }
    return result;
}

struct metrics_rates metrics_service_rates(const struct metrics *m)
{
    const struct metrics_service_state *s = &m->service;
    struct metrics_rates rates = {0, s->rate[0], s->rate[1], s->rate[2]};
    if (s->collected_ns > 0) {
        rates.mean = (double)s->collections * 1e9 / (double)s->collected_ns;
    }
    return rates;
}

/* ---- limpet. --------------------------------------------------------------------------------- */

void metrics_add_values(struct metrics *m, const struct metrics_value *values, size_t count,
                        const void *base)
{
    uint32_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += values[i].size;
    }
    m->values_needed += (uint32_t)count;
    m->sampled_needed += len;
    if (m->table_count == LIMPET_METRICS_VALUE_TABLES ||
        count > LIMPET_METRICS_VALUES - m->value_count ||
        len > LIMPET_METRICS_SAMPLED_LEN - m->sampled_len) {
        /* Without a place for the table the number of values cannot be told from a limit. */
        m->values_needed += m->table_count == LIMPET_METRICS_VALUE_TABLES &&
                                    m->values_needed <= LIMPET_METRICS_VALUES
                                ? LIMPET_METRICS_VALUES
                                : 0;
        return;
    }
    m->tables[m->table_count] = (struct value_table){
        .values = values, .base = base, .first = m->value_count, .at = (uint16_t)m->sampled_len};
    m->table_count++;
    m->value_count = (uint16_t)(m->value_count + count);
    m->sampled_len += len;
    metrics_sample(m);
}

/* Where the table ends. */
static size_t rows_end(const struct metrics *m, size_t table)
{
    return table + 1 < m->table_count ? m->tables[table + 1].first : m->value_count;
}

void metrics_sample(struct metrics *m)
{
    bool changed = false;
    uint8_t *sampled = m->sampled;
    for (size_t t = 0; t < m->table_count; t++) {
        const struct value_table *table = &m->tables[t];
        for (size_t i = 0; i < rows_end(m, t) - table->first; i++) {
            const struct metrics_value *value = &table->values[i];
            const char *field = (const char *)table->base + value->offset;
            if (value->size > 0 && memcmp(sampled, field, value->size) != 0) {
                memcpy(sampled, field, value->size);
                changed = true;
            }
            sampled += value->size;
        }
    }
    m->generation += changed;
}

static const struct value_table *table_of(const struct metrics *m, size_t row)
{
    size_t t = 0;
    while (row >= rows_end(m, t)) {
        t++;
    }
    assert(t < m->table_count);
    return &m->tables[t];
}

const struct metrics_value *metrics_value_at(const struct metrics *m, size_t row)
{
    const struct value_table *table = table_of(m, row);
    return &table->values[row - table->first];
}

uint64_t metrics_sampled_at(const struct metrics *m, size_t row)
{
    const struct value_table *table = table_of(m, row);
    const uint8_t *sampled = &m->sampled[table->at];
    const struct metrics_value *value = table->values;
    for (; value < &table->values[row - table->first]; value++) {
        sampled += value->size;
    }
    return read_field(value, sampled);
}

/* `at` has no alignment. */
static uint64_t read_field(const struct metrics_value *value, const void *at)
{
    uint64_t wide;
    uint32_t word;
    uint16_t half;
    switch (value->size) {
    case 8:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    case 4:
        memcpy(&word, at, sizeof(word));
        return word;
    case 2:
        memcpy(&half, at, sizeof(half));
        return half;
    case 1:
        return *(const uint8_t *)at;
    default:
        assert(value->size == 0);
        return value->offset;
    }
}
