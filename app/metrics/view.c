/* Reading: index or id -> series -> what a reader sees. See metrics.h.
 *
 * Order of the indices: router, service, endpoints (3 each), proxies (8 each), status slots,
 * limpet. Ids are the same up to the proxies; then a status code has its own id, whatever slot it
 * took. */
#include "metrics/registry.h"

#include <assert.h>
#include <string.h>

#define ROUTER_SERIES 6u
#define ENDPOINT_PARTS 3u /* status, size, time */
#define PROXY_PARTS 8u    /* requests, then latency, of 4 label pairs each */
#define CODE_IDS 1000u    /* 0 = other */
#define SLOT_INDICES (LIMPET_STATUS_SLOTS + 1u)

_Static_assert(ROUTER_SERIES + METRICS_SERVICE_ROWS == LIMPET_FIXED_SERIES, "app_config.h counts");

/* Where a series lies: its family and its place among those of its kind. */
struct place {
    enum metrics_family family;
    size_t row;    /* of the service, endpoint, proxy or value */
    unsigned part; /* label pair (2 x complete + error), or status slot */
};

static bool locate(const struct metrics *m, size_t index, struct place *place);
static bool locate_id(const struct metrics *m, uint32_t id, struct place *place);
static void describe_id(const struct metrics *m, uint32_t id, const struct place *place,
                        struct metrics_view *view);
static size_t fixed_end(const struct metrics *m);
static bool slot_in_use(const struct endpoint_series *s, unsigned slot);
static void describe(const struct metrics *m, const struct place *place, struct metrics_view *view);
static void fill(const struct metrics *m, const struct place *place, struct metrics_view *view);
static void fill_router(const struct router_count *count, struct metrics_view *view);
static void fill_service(const struct metrics *m, size_t row, struct metrics_view *view);
static void fill_code(const struct endpoint_series *s, unsigned slot, struct metrics_view *view);
static uint64_t responses_of(const struct endpoint_series *s, size_t slot);
static void fill_requests(const struct proxy_series *s, unsigned labels, struct metrics_view *view);
static void fill_latency(const struct metrics *m, const struct proxy_series *s, unsigned labels,
                         struct metrics_view *view);
static void fill_distribution(const struct metrics *m, const struct distribution *d,
                              enum histogram_unit unit, struct metrics_view *view);
static void fill_empty(struct metrics_view *view);
static uint64_t count_responses(const struct endpoint_series *s);
static double sum_since_start(const struct distribution *d, uint64_t count,
                              enum histogram_unit unit);

/* ---- Indices and ids ------------------------------------------------------------------------- */

/* Behind the series whose index is their id. */
static size_t fixed_end(const struct metrics *m)
{
    return LIMPET_FIXED_SERIES + m->endpoint_count * ENDPOINT_PARTS + m->proxy_count * PROXY_PARTS;
}

size_t metrics_series_count(const struct metrics *m)
{
    return fixed_end(m) + m->endpoint_count * SLOT_INDICES + m->value_count;
}

bool metrics_series(const struct metrics *m, size_t index, struct metrics_view *view)
{
    struct place place;
    if (!locate(m, index, &place)) {
        return false;
    }
    describe(m, &place, view);
    fill(m, &place, view);
    return true;
}

bool metrics_describe(const struct metrics *m, uint32_t id, struct metrics_view *view)
{
    struct place place;
    if (!locate_id(m, id, &place)) {
        return false;
    }
    describe_id(m, id, &place, view);
    return true;
}

bool metrics_series_by_id(const struct metrics *m, uint32_t id, struct metrics_view *view)
{
    struct place place;
    if (!locate_id(m, id, &place)) {
        return false;
    }
    describe_id(m, id, &place, view);
    if (place.family != METRICS_RESPONSE_STATUS_CODE || place.part <= LIMPET_STATUS_SLOTS) {
        fill(m, &place, view);
    }
    return true;
}

/* The code is in the id, also where it has no slot. */
static void describe_id(const struct metrics *m, uint32_t id, const struct place *place,
                        struct metrics_view *view)
{
    describe(m, place, view);
    if (place->family == METRICS_RESPONSE_STATUS_CODE) {
        view->status = (uint16_t)((id - fixed_end(m)) % CODE_IDS);
        view->id = id;
    }
}

size_t metrics_status_count(const struct metrics *m)
{
    return m->status_count;
}

/* A code without a slot is placed behind the slots. */
static bool locate_id(const struct metrics *m, uint32_t id, struct place *place)
{
    size_t codes = fixed_end(m);
    size_t values = codes + (size_t)m->endpoint_count * CODE_IDS;
    if (id < codes) {
        return locate(m, id, place);
    }
    if (id >= values) {
        *place = (struct place){METRICS_LIMPET, id - values, 0};
        return place->row < m->value_count;
    }
    *place = (struct place){METRICS_RESPONSE_STATUS_CODE, (id - codes) / CODE_IDS, SLOT_INDICES};
    unsigned code = (unsigned)((id - codes) % CODE_IDS);
    const struct endpoint_series *s = &m->endpoints[place->row];
    for (unsigned i = 0; i < s->codes; i++) {
        place->part = s->code[i] == code ? i : place->part;
    }
    place->part = code == 0 ? LIMPET_STATUS_SLOTS : place->part;
    return true;
}

static bool locate(const struct metrics *m, size_t index, struct place *place)
{
    static const enum metrics_family of_endpoint[ENDPOINT_PARTS] = {
        METRICS_RESPONSE_STATUS, METRICS_RESPONSE_SIZE, METRICS_RESPONSE_TIME};
    size_t at = index;
    if (at < ROUTER_SERIES) {
        *place = (struct place){(enum metrics_family)(METRICS_ROUTER_CONNECTED + (int)at), 0, 0};
        return true;
    }
    at -= ROUTER_SERIES;
    if (at < METRICS_SERVICE_ROWS) {
        *place = (struct place){METRICS_SERVICE, at, 0};
        return true;
    }
    at -= METRICS_SERVICE_ROWS;
    if (at < m->endpoint_count * ENDPOINT_PARTS) {
        *place = (struct place){of_endpoint[at % ENDPOINT_PARTS], at / ENDPOINT_PARTS, 0};
        return true;
    }
    at -= m->endpoint_count * ENDPOINT_PARTS;
    if (at < m->proxy_count * PROXY_PARTS) {
        bool latency = at % PROXY_PARTS >= PROXY_PARTS / 2;
        *place = (struct place){latency ? METRICS_PROXY_LATENCY : METRICS_PROXY_REQUESTS,
                                at / PROXY_PARTS, (unsigned)(at % (PROXY_PARTS / 2))};
        return true;
    }
    at -= m->proxy_count * PROXY_PARTS;
    if (at < m->endpoint_count * SLOT_INDICES) {
        *place = (struct place){METRICS_RESPONSE_STATUS_CODE, at / SLOT_INDICES,
                                (unsigned)(at % SLOT_INDICES)};
        return slot_in_use(&m->endpoints[place->row], place->part);
    }
    at -= m->endpoint_count * SLOT_INDICES;
    *place = (struct place){METRICS_LIMPET, at, 0};
    return at < m->value_count;
}

static bool slot_in_use(const struct endpoint_series *s, unsigned slot)
{
    const struct metrics_counter *other = &s->responses[LIMPET_STATUS_SLOTS];
    return slot < s->codes ||
           (slot == LIMPET_STATUS_SLOTS && (other->closed > 0 || other->growth > 0));
}

/* ---- What it is ------------------------------------------------------------------------------ */

static void describe_service(size_t row, struct metrics_view *view)
{
    const struct metrics_service_row *of = &metrics_service_rows[row];
    view->kind = (enum metrics_kind)of->kind;
    view->name = slice_from_cstr(of->name);
    view->bytes = of->bytes;
    view->constant = of->which == SERVICE_VALUES && of->kind != METRICS_TIMER;
    view->id = (uint32_t)(ROUTER_SERIES + row);
}

static void describe_endpoint(const struct metrics *m, const struct place *place,
                              struct metrics_view *view)
{
    const struct endpoint_series *s = &m->endpoints[place->row];
    view->name = slice_of(s->name, s->name_len);
    if (place->family == METRICS_RESPONSE_STATUS_CODE) {
        view->status = place->part < s->codes ? s->code[place->part] : 0;
        view->id = (uint32_t)(fixed_end(m) + place->row * CODE_IDS + view->status);
        return;
    }
    unsigned part = (unsigned)place->family - (unsigned)METRICS_RESPONSE_STATUS;
    view->kind = part == 0 ? METRICS_COUNTER : METRICS_HISTOGRAM;
    view->id = (uint32_t)(LIMPET_FIXED_SERIES + place->row * ENDPOINT_PARTS + part);
}

static void describe_proxy(const struct metrics *m, const struct place *place,
                           struct metrics_view *view)
{
    const struct proxy_series *s = &m->proxies[place->row];
    bool latency = place->family == METRICS_PROXY_LATENCY;
    view->kind = latency ? METRICS_HISTOGRAM : METRICS_COUNTER;
    view->layer = (enum metrics_layer)s->layer;
    view->name = slice_of(s->name, s->name_len);
    view->complete = (place->part & 2u) != 0;
    view->error = (place->part & 1u) != 0;
    view->id = (uint32_t)(LIMPET_FIXED_SERIES + m->endpoint_count * ENDPOINT_PARTS +
                          place->row * PROXY_PARTS + (latency ? PROXY_PARTS / 2 : 0) + place->part);
}

static void describe_value(const struct metrics *m, size_t row, struct metrics_view *view)
{
    const struct metrics_value *value = metrics_value_at(m, row);
    view->kind = (enum metrics_kind)value->kind;
    view->name = slice_from_cstr(value->name);
    view->id = (uint32_t)(fixed_end(m) + (size_t)m->endpoint_count * CODE_IDS + row);
}

static void describe_router(enum metrics_family family, struct metrics_view *view)
{
    static const char *const names[ROUTER_SERIES] = {"connected",       "disconnected",
                                                     "connected-total", "disconnected-total",
                                                     "connected-gauge", "disconnected-gauge"};
    unsigned at = (unsigned)family - (unsigned)METRICS_ROUTER_CONNECTED;
    view->kind = at >= 4 ? METRICS_GAUGE : METRICS_COUNTER;
    view->name = slice_from_cstr(names[at]);
    view->id = at;
}

static void describe(const struct metrics *m, const struct place *place, struct metrics_view *view)
{
    memset(view, 0, offsetof(struct metrics_view, summary_storage));
    view->family = place->family;
    view->kind = METRICS_COUNTER;
    switch (place->family) {
    case METRICS_SERVICE:
        describe_service(place->row, view);
        break;
    case METRICS_RESPONSE_STATUS:
    case METRICS_RESPONSE_SIZE:
    case METRICS_RESPONSE_TIME:
    case METRICS_RESPONSE_STATUS_CODE:
        describe_endpoint(m, place, view);
        break;
    case METRICS_PROXY_REQUESTS:
    case METRICS_PROXY_LATENCY:
        describe_proxy(m, place, view);
        break;
    case METRICS_LIMPET:
        describe_value(m, place->row, view);
        break;
    default:
        describe_router(place->family, view);
        break;
    }
}

/* ---- What it holds --------------------------------------------------------------------------- */

static void fill(const struct metrics *m, const struct place *place, struct metrics_view *view)
{
    switch (place->family) {
    case METRICS_RESPONSE_SIZE:
        fill_distribution(m, &m->endpoints[place->row].size, HISTOGRAM_BYTES, view);
        break;
    case METRICS_RESPONSE_TIME:
        fill_distribution(m, &m->endpoints[place->row].time, HISTOGRAM_NS, view);
        break;
    case METRICS_PROXY_LATENCY:
        fill_latency(m, &m->proxies[place->row], place->part, view);
        break;
    case METRICS_PROXY_REQUESTS:
        fill_requests(&m->proxies[place->row], place->part, view);
        break;
    case METRICS_RESPONSE_STATUS_CODE:
        fill_code(&m->endpoints[place->row], place->part, view);
        break;
    case METRICS_SERVICE:
        fill_service(m, place->row, view);
        break;
    case METRICS_LIMPET:
        view->value = (int64_t)metrics_sampled_at(m, place->row);
        break;
    case METRICS_RESPONSE_STATUS:
        break;
    default:
        fill_router((view->id & 1u) == 0 ? &m->connected : &m->disconnected, view);
        break;
    }
}

static void fill_router(const struct router_count *count, struct metrics_view *view)
{
    const uint64_t values[3] = {count->running, count->total, count->gauge};
    view->value = (int64_t)values[view->id / 2u];
    if (view->kind == METRICS_COUNTER) {
        view->window_total = (int64_t)count->total;
        view->window_delta = (int64_t)count->gauge;
    }
}

static void fill_service(const struct metrics *m, size_t row, struct metrics_view *view)
{
    view->value = metrics_service(m, (enum metrics_service)metrics_service_rows[row].which);
    if (view->kind == METRICS_TIMER) {
        fill_empty(view);
        view->summary_storage.count = m->service.collections;
        view->rates = metrics_service_rates(m);
    } else if (view->kind == METRICS_HISTOGRAM) {
        fill_empty(view);
    }
}

static void fill_code(const struct endpoint_series *s, unsigned slot, struct metrics_view *view)
{
    const struct metrics_counter *counter = &s->responses[slot];
    view->value = (int64_t)responses_of(s, slot);
    view->window_total = (int64_t)counter->closed;
    view->window_delta = s->growth_closed ? (int64_t)counter->growth : 0;
}

static uint64_t responses_of(const struct endpoint_series *s, size_t slot)
{
    const struct metrics_counter *counter = &s->responses[slot];
    return counter->closed + (s->growth_closed ? 0 : counter->growth);
}

static void fill_requests(const struct proxy_series *s, unsigned labels, struct metrics_view *view)
{
    if (labels >= PROXY_PAIRS) {
        return;
    }
    const struct distribution *latency = &s->latency[labels];
    view->value = (int64_t)(s->requests_closed[labels] + latency->running.count);
    view->window_total = (int64_t)s->requests_closed[labels];
    view->window_delta = (int64_t)latency->closed.count;
}

/* Nothing is ever recorded for complete and error: all endpoints and backends share the same
 * nothing. */
static void fill_latency(const struct metrics *m, const struct proxy_series *s, unsigned labels,
                         struct metrics_view *view)
{
    if (labels < PROXY_PAIRS) {
        fill_distribution(m, &s->latency[labels], HISTOGRAM_NS, view);
    } else {
        fill_empty(view);
    }
}

static void fill_distribution(const struct metrics *m, const struct distribution *d,
                              enum histogram_unit unit, struct metrics_view *view)
{
    view->summary = &view->summary_storage;
    if (m->window.seq == 0) {
        histogram_summarize(&d->running, unit, &view->summary_storage);
        return;
    }
    histogram_summarize_frozen(&d->running, &d->closed, unit, &view->summary_storage);
    if (view->summary_storage.count > 0) {
        view->window_summary = &view->summary_storage;
    }
}

struct metrics_totals metrics_totals(const struct metrics *m, uint32_t id)
{
    struct metrics_totals totals = {0, 0};
    struct place place;
    if (!locate_id(m, id, &place)) {
        return totals;
    }
    if (place.family == METRICS_RESPONSE_SIZE || place.family == METRICS_RESPONSE_TIME) {
        const struct endpoint_series *s = &m->endpoints[place.row];
        bool size = place.family == METRICS_RESPONSE_SIZE;
        totals.count = count_responses(s);
        totals.sum = sum_since_start(size ? &s->size : &s->time, totals.count,
                                     size ? HISTOGRAM_BYTES : HISTOGRAM_NS);
    } else if (place.family == METRICS_PROXY_LATENCY && place.part < PROXY_PAIRS) {
        const struct proxy_series *s = &m->proxies[place.row];
        const struct distribution *d = &s->latency[place.part];
        totals.count = s->requests_closed[place.part] + d->running.count;
        totals.sum = sum_since_start(d, totals.count, HISTOGRAM_NS);
    }
    return totals;
}

/* Each response has a code: nobody else need count them. */
static uint64_t count_responses(const struct endpoint_series *s)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= LIMPET_STATUS_SLOTS; i++) {
        count += responses_of(s, i);
    }
    return count;
}

static double sum_since_start(const struct distribution *d, uint64_t count,
                              enum histogram_unit unit)
{
    histogram_total total = d->total;
    histogram_total_add(&total, &d->running);
    return histogram_total_sum(&total, count, unit);
}

static void fill_empty(struct metrics_view *view)
{
    view->summary_storage = (struct metrics_summary){.count = 0};
    view->summary = &view->summary_storage;
}
