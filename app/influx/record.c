#include "influx/record.h"

#include "base/crc.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 2u
#define RECORD_CRC_LEN 4u
#define RECORD_TIME_AT 2u
#define RECORD_HEAD_LEN 10u /* version, flags, time */
#define FLAG_DATED 1u
#define FLAG_PERCENTILES 1u

static void put_all(struct out *out, uint32_t *crc, const struct metrics *metrics,
                    bool distributions);
static void put_series(struct out *out, uint32_t *crc, const struct metrics_view *view);
static void put_distribution(struct out *out, uint32_t *crc, const struct metrics_summary *summary);
static bool is_written(const struct metrics_view *view);
static bool is_runtime(const struct metrics_view *view);
static bool all_zero(const struct metrics_summary *summary);
static int64_t truncate_double(double v);
static void put_raw(struct out *out, uint32_t *crc, const void *bytes, size_t len);
static void put_u64(struct out *out, uint32_t *crc, uint64_t v);
static void put_i64(struct out *out, uint32_t *crc, int64_t v);
static void put_double(struct out *out, uint32_t *crc, double v);
static void store_le64(uint8_t *to, uint64_t v);
static uint64_t load_le64(const uint8_t *from);
static void store_crc(uint8_t *to, uint32_t crc);
static uint64_t get_u64(struct record_iter *iter);
static int64_t get_i64(struct record_iter *iter);
static double get_double(struct record_iter *iter);
static uint32_t get_crc(const uint8_t *at);

/* Positions of InfluxDB's percentiles in metrics_summary.percentile: all but the last (0.999). */
/* The longest numbers of a window and a boot have 10 and 5 bytes. */
_Static_assert(RECORD_PEEK_LEN >= RECORD_HEAD_LEN + 15u + RECORD_CRC_LEN, "record_peek reads both");
_Static_assert(RECORD_PERCENTILES + 1 ==
                   sizeof((struct metrics_summary *)0)->percentile / sizeof(double),
               "the summary holds InfluxDB's percentiles and 0.999");

/* ---- Encode -----------------------------------------------------------------------------------
 */

void record_encode(struct out *out, const struct metrics *metrics, const struct record_info *info)
{
    uint32_t crc = 0;
    uint8_t head[RECORD_HEAD_LEN] = {RECORD_VERSION, info->dated ? FLAG_DATED : 0u};
    uint8_t tail[RECORD_CRC_LEN];
    store_le64(head + RECORD_TIME_AT, info->dated ? (uint64_t)info->unix_ns : info->mono_ns);
    put_raw(out, &crc, head, sizeof head);
    put_u64(out, &crc, info->seq);
    put_u64(out, &crc, info->boot);
    put_all(out, &crc, metrics, false);
    put_all(out, &crc, metrics, true);
    store_crc(tail, crc);
    out_bytes(out, (const char *)tail, sizeof tail);
}

void record_set_date(char *record, size_t len, int64_t unix_ns)
{
    uint8_t *bytes = (uint8_t *)record;
    assert(len > RECORD_HEAD_LEN + RECORD_CRC_LEN);
    bytes[1] |= FLAG_DATED;
    store_le64(bytes + RECORD_TIME_AT, (uint64_t)unix_ns);
    store_crc(bytes + len - RECORD_CRC_LEN, crc32_update(0, bytes, len - RECORD_CRC_LEN));
}

/* Distributions come last, so that the gauges of one line follow each other. */
static void put_all(struct out *out, uint32_t *crc, const struct metrics *metrics,
                    bool distributions)
{
    size_t count = metrics_series_count(metrics);
    for (size_t i = 0; i < count; i++) {
        struct metrics_view view;
        if (metrics_series(metrics, i, &view) && is_written(&view) &&
            (view.kind == METRICS_HISTOGRAM) == distributions) {
            put_series(out, crc, &view);
        }
    }
}

static bool is_written(const struct metrics_view *view)
{
    switch (view->family) {
    case METRICS_ROUTER_CONNECTED_TOTAL:
    case METRICS_ROUTER_DISCONNECTED_TOTAL:
    case METRICS_ROUTER_CONNECTED_GAUGE:
    case METRICS_ROUTER_DISCONNECTED_GAUGE:
    case METRICS_RESPONSE_STATUS_CODE:
    case METRICS_PROXY_REQUESTS:
        return true;
    case METRICS_RESPONSE_SIZE:
    case METRICS_RESPONSE_TIME:
    case METRICS_PROXY_LATENCY:
        return view->window_summary != NULL && !all_zero(view->window_summary);
    case METRICS_SERVICE:
        return view->kind == METRICS_GAUGE || is_runtime(view);
    case METRICS_ROUTER_CONNECTED:
    case METRICS_ROUTER_DISCONNECTED:
    case METRICS_RESPONSE_STATUS:
    case METRICS_LIMPET:
        break;
    }
    return false;
}

static bool is_runtime(const struct metrics_view *view)
{
    return view->family == METRICS_SERVICE && view->kind == METRICS_HISTOGRAM;
}

/* The reference's test: max, min, mean, deviation, variance and the outer percentiles are all 0,
 * which for exact minimum and maximum is the same as every value being 0. */
static bool all_zero(const struct metrics_summary *summary)
{
    return summary->min == 0 && summary->max == 0;
}

static void put_series(struct out *out, uint32_t *crc, const struct metrics_view *view)
{
    enum record_kind kind = RECORD_COUNTER;
    if (view->kind == METRICS_HISTOGRAM) {
        kind = RECORD_DISTRIBUTION;
    } else if (view->kind == METRICS_GAUGE) {
        kind = RECORD_GAUGE;
    }
    put_u64(out, crc, (uint64_t)kind);
    put_u64(out, crc, view->id);
    if (kind == RECORD_DISTRIBUTION) {
        put_distribution(out, crc, view->window_summary);
    } else if (kind == RECORD_GAUGE) {
        put_i64(out, crc, view->value);
    } else {
        put_i64(out, crc, view->window_delta);
        put_i64(out, crc, view->window_total);
    }
}

static void put_distribution(struct out *out, uint32_t *crc, const struct metrics_summary *summary)
{
    static const struct metrics_summary nothing = {.have_percentiles = true};
    const struct metrics_summary *s = summary != NULL ? summary : &nothing;
    put_u64(out, crc, s->have_percentiles ? FLAG_PERCENTILES : 0u);
    put_i64(out, crc, s->max);
    put_i64(out, crc, truncate_double(s->mean));
    put_i64(out, crc, s->min);
    put_i64(out, crc, truncate_double(s->std_dev));
    put_i64(out, crc, truncate_double(s->variance));
    for (size_t i = 0; s->have_percentiles && i < RECORD_PERCENTILES; i++) {
        put_double(out, crc, s->percentile[i]);
    }
}

/* As Go's int64(v), but saturated where Go's result is undefined (faults B12). */
static int64_t truncate_double(double v)
{
    if (v >= 9223372036854775807.0) {
        return INT64_MAX;
    }
    return v <= -9223372036854775808.0 ? INT64_MIN : (int64_t)v;
}

static void put_raw(struct out *out, uint32_t *crc, const void *bytes, size_t len)
{
    *crc = crc32_update(*crc, bytes, len);
    out_bytes(out, bytes, len);
}

static void put_u64(struct out *out, uint32_t *crc, uint64_t v)
{
    uint8_t bytes[10];
    size_t len = 0;
    while (v >= 0x80u) {
        bytes[len++] = (uint8_t)(v | 0x80u);
        v >>= 7;
    }
    bytes[len++] = (uint8_t)v;
    put_raw(out, crc, bytes, len);
}

static void put_i64(struct out *out, uint32_t *crc, int64_t v)
{
    uint64_t u = (uint64_t)v;
    put_u64(out, crc, v < 0 ? ~(u << 1) : u << 1);
}

static void put_double(struct out *out, uint32_t *crc, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint8_t bytes[8];
    store_le64(bytes, bits);
    put_raw(out, crc, bytes, sizeof bytes);
}

static void store_le64(uint8_t *to, uint64_t v)
{
    for (unsigned i = 0; i < 8u; i++) {
        to[i] = (uint8_t)(v >> (8u * i));
    }
}

static void store_crc(uint8_t *to, uint32_t crc)
{
    for (unsigned i = 0; i < RECORD_CRC_LEN; i++) {
        to[i] = (uint8_t)(crc >> (8u * i));
    }
}

/* ---- Decode -----------------------------------------------------------------------------------
 */

int record_open(struct slice record, struct record_info *info, struct record_iter *iter)
{
    const uint8_t *bytes = (const uint8_t *)record.ptr;
    if (record.len < RECORD_HEAD_LEN + 2u + RECORD_CRC_LEN) {
        return LIMPET_ERR_SYNTAX;
    }
    size_t len = record.len - RECORD_CRC_LEN;
    if (crc32_update(0, bytes, len) != get_crc(bytes + len) || bytes[0] != RECORD_VERSION) {
        return LIMPET_ERR_SYNTAX;
    }
    record_read(record, info, iter);
    return LIMPET_OK;
}

bool record_peek(struct slice first, struct record_info *info)
{
    struct record_iter iter;
    if (first.len < RECORD_HEAD_LEN + 2u + RECORD_CRC_LEN ||
        (uint8_t)first.ptr[0] != RECORD_VERSION) {
        return false;
    }
    record_read(first, info, &iter);
    return true;
}

void record_read(struct slice record, struct record_info *info, struct record_iter *iter)
{
    const uint8_t *bytes = (const uint8_t *)record.ptr;
    size_t len = record.len - RECORD_CRC_LEN;
    assert(record.len > RECORD_HEAD_LEN + RECORD_CRC_LEN && bytes[0] == RECORD_VERSION);
    *iter = (struct record_iter){.at = bytes + RECORD_HEAD_LEN, .end = bytes + len};
    memset(info, 0, sizeof *info);
    uint64_t close_ns = load_le64(bytes + RECORD_TIME_AT);
    info->dated = (bytes[1] & FLAG_DATED) != 0;
    info->unix_ns = info->dated ? (int64_t)close_ns : 0;
    info->mono_ns = info->dated ? 0 : close_ns;
    info->seq = get_u64(iter);
    info->boot = (uint32_t)get_u64(iter);
}

void record_next(struct record_iter *iter, struct record_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    if (iter->at == iter->end) {
        return;
    }
    entry->kind = (enum record_kind)get_u64(iter);
    entry->id = (uint32_t)get_u64(iter);
    if (entry->kind == RECORD_COUNTER) {
        entry->delta = get_i64(iter);
    }
    if (entry->kind != RECORD_DISTRIBUTION) {
        entry->total = get_i64(iter);
        return;
    }
    struct record_distribution *d = &entry->distribution;
    d->have_percentiles = (get_u64(iter) & FLAG_PERCENTILES) != 0;
    d->max = get_i64(iter);
    d->mean = get_i64(iter);
    d->min = get_i64(iter);
    d->stddev = get_i64(iter);
    d->variance = get_i64(iter);
    for (size_t i = 0; d->have_percentiles && i < RECORD_PERCENTILES; i++) {
        d->percentile[i] = get_double(iter);
    }
}

/* The CRC has vouched for the bytes: a varint that does not end is a bug of ours. */
static uint64_t get_u64(struct record_iter *iter)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64u; shift += 7u) {
        assert(iter->at < iter->end);
        uint8_t byte = *iter->at++;
        v |= (uint64_t)(byte & 0x7Fu) << shift;
        if (byte < 0x80u) {
            break;
        }
    }
    return v;
}

static int64_t get_i64(struct record_iter *iter)
{
    uint64_t u = get_u64(iter);
    uint64_t v = (u & 1u) != 0 ? ~(u >> 1) : u >> 1;
    int64_t result;
    memcpy(&result, &v, sizeof result);
    return result;
}

static double get_double(struct record_iter *iter)
{
    assert(iter->end - iter->at >= 8);
    uint64_t bits = load_le64(iter->at);
    iter->at += 8;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t load_le64(const uint8_t *from)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8u; i++) {
        v |= (uint64_t)from[i] << (8u * i);
    }
    return v;
}

static uint32_t get_crc(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
