#include "metrics/registry.h"

#include <assert.h>
#include <string.h>

static bool is_name(const char *name, uint16_t name_len, struct slice wanted);
static void begin_growth(struct endpoint_series *s);
static struct metrics_counter *counter_of(struct metrics *m, struct endpoint_series *s,
                                          unsigned status);

/* krakend.json has at most 16 MiB, a path in it far less; a longer name is refused as "does not
 * fit". */
#define NAME_LEN_MAX UINT16_MAX
#define STATUS_MAX 999u

void metrics_init(struct metrics *m, const struct metrics_options *options, uint64_t now_ns)
{
    assert(options->collection_time_ns > 0);
    memset(m, 0, sizeof(*m) - sizeof(m->slots));
    m->options = *options;
    m->generation = 1;
    m->window.start_ns = now_ns;
    m->window.close_ns = now_ns;
    m->next_tick_ns = now_ns + options->collection_time_ns;
    histogram_pool_init(&m->pool, m->slots, LIMPET_HISTOGRAMS);
    metrics_add_values(m, metrics_own_values, metrics_own_values_len, m);
}

/* ---- Opening --------------------------------------------------------------------------------- */

struct endpoint_series *metrics_open_endpoint(struct metrics *m, struct slice name)
{
    if (m->options.router_disabled) {
        return NULL;
    }
    for (size_t i = 0; i < m->endpoint_count; i++) {
        if (is_name(m->endpoints[i].name, m->endpoints[i].name_len, name)) {
            return &m->endpoints[i];
        }
    }
    m->endpoints_needed++;
    if (m->endpoint_count == LIMPET_ENDPOINT_SERIES_MAX || name.len > NAME_LEN_MAX) {
        return NULL;
    }
    struct endpoint_series *s = &m->endpoints[m->endpoint_count++];
    s->name = name.ptr;
    s->name_len = (uint16_t)name.len;
    m->generation++;
    return s;
}

struct proxy_series *metrics_open_proxy(struct metrics *m, enum metrics_layer layer,
                                        struct slice name)
{
    if (layer == METRICS_PIPE ? m->options.proxy_disabled : m->options.backend_disabled) {
        return NULL;
    }
    for (size_t i = 0; i < m->proxy_count; i++) {
        struct proxy_series *s = &m->proxies[i];
        if (s->layer == layer && is_name(s->name, s->name_len, name)) {
            return s;
        }
    }
    m->proxies_needed++;
    if (m->proxy_count == LIMPET_PROXY_SERIES_MAX || name.len > NAME_LEN_MAX) {
        return NULL;
    }
    struct proxy_series *s = &m->proxies[m->proxy_count++];
    s->name = name.ptr;
    s->name_len = (uint16_t)name.len;
    s->layer = (uint8_t)layer;
    m->generation++;
    return s;
}

static bool is_name(const char *name, uint16_t name_len, struct slice wanted)
{
    return slice_equal(slice_of(name, name_len), wanted);
}

struct metrics_room metrics_room(const struct metrics *m, size_t index)
{
    const struct metrics_room rooms[METRICS_ROOMS] = {
        {"endpoint series", m->endpoints_needed, LIMPET_ENDPOINT_SERIES_MAX},
        {"proxy series", m->proxies_needed, LIMPET_PROXY_SERIES_MAX},
        {"limpet values", m->values_needed, LIMPET_METRICS_VALUES},
        {"bytes of limpet values", m->sampled_needed, LIMPET_METRICS_SAMPLED_LEN},
    };
    assert(index < METRICS_ROOMS);
    return rooms[index];
}

/* ---- Recording ------------------------------------------------------------------------------- */

void metrics_connected(struct metrics *m)
{
    m->connected.running += !m->options.router_disabled;
    m->generation++;
}

void metrics_disconnected(struct metrics *m)
{
    m->disconnected.running += !m->options.router_disabled;
    m->generation++;
}

void metrics_record_response(struct metrics *m, struct endpoint_series *s, unsigned status,
                             int64_t size_bytes, int64_t time_ns)
{
    if (s == NULL) {
        return;
    }
    m->generation++;
    if (s->growth_closed) {
        begin_growth(s);
    }
    counter_of(m, s, status)->growth++;
    histogram_record_bytes(&m->pool, &s->size.running, size_bytes);
    histogram_record_ns(&m->pool, &s->time.running, time_ns);
}

static void begin_growth(struct endpoint_series *s)
{
    s->growth_closed = false;
    for (size_t i = 0; i <= LIMPET_STATUS_SLOTS; i++) {
        s->responses[i].growth = 0;
    }
}

/* An endpoint sees few codes, and the usual one comes first: a search from the front is short. */
static struct metrics_counter *counter_of(struct metrics *m, struct endpoint_series *s,
                                          unsigned status)
{
    for (unsigned i = 0; i < s->codes; i++) {
        if (s->code[i] == status) {
            return &s->responses[i];
        }
    }
    if (s->codes < LIMPET_STATUS_SLOTS && status > 0 && status <= STATUS_MAX) {
        s->code[s->codes] = (uint16_t)status;
        m->status_count++;
        return &s->responses[s->codes++];
    }
    struct metrics_counter *other = &s->responses[LIMPET_STATUS_SLOTS];
    m->status_count += other->closed == 0 && other->growth == 0;
    return other;
}

void metrics_record_proxy(struct metrics *m, struct proxy_series *s, bool complete, bool error,
                          int64_t latency_ns)
{
    if (s == NULL) {
        return;
    }
    enum proxy_pair pair = PAIR_INCOMPLETE;
    if (error) {
        pair = PAIR_ERROR;
    } else if (complete) {
        pair = PAIR_COMPLETE;
    }
    m->generation++;
    /* A distribution that is full counts no more, the requests do. */
    s->requests_closed[pair] += s->latency[pair].running.count == UINT32_MAX;
    histogram_record_ns(&m->pool, &s->latency[pair].running, latency_ns);
}
