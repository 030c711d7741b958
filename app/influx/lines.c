#include "influx/lines.h"

#include "base/utf8.h"

static void put_line(struct lines *lines, const struct metrics_view *view, struct out *out);
static void put_service_gauges(struct lines *lines, const struct metrics_view *view,
                               struct out *out);
static void put_router(const struct lines *lines, const struct metrics_view *view, struct out *out);
static void put_measurement(const struct lines *lines, const struct metrics_view *view,
                            struct out *out);
static void put_host(const struct lines *lines, struct out *out);
static void put_proxy_tags(const struct lines *lines, const struct metrics_view *view,
                           struct out *out);
static void put_name(const struct metrics_view *view, struct out *out);
static void put_counts(const struct record_entry *entry, const char *delta_field, struct out *out);
static void put_distribution(const struct record_distribution *d, struct out *out);
static void put_int(struct out *out, const char *field, int64_t v);
static void put_stamp(const struct lines *lines, struct out *out);
static struct slice split_service(struct slice name, struct slice *measurement);

/* ---- Public -----------------------------------------------------------------------------------
 */

void lines_init(struct lines *lines, const struct metrics *metrics, struct slice host,
                struct slice record)
{
    struct record_info info;
    record_read(record, &info, &lines->iter);
    lines->metrics = metrics;
    lines->host = host;
    lines->stamp_s = info.unix_ns / (int64_t)LIMPET_S_TO_NS(1);
    record_next(&lines->iter, &lines->entry);
}

bool lines_next(struct lines *lines, struct out *out)
{
    struct metrics_view view;
    while (lines->entry.kind != RECORD_END) {
        if (metrics_describe(lines->metrics, lines->entry.id, &view)) {
            put_line(lines, &view, out);
            return true;
        }
        record_next(&lines->iter, &lines->entry);
    }
    return false;
}

uint32_t lines_measure(const struct lines *lines, uint64_t *len)
{
    uint32_t count = 0;
    struct out counter;
    struct lines next = *lines;
    out_init_count(&counter);
    while (lines_next(&next, &counter)) {
        count++;
    }
    *len += counter.total;
    return count;
}

void lines_put_tag(struct out *out, struct slice value)
{
    const char *end = value.ptr + value.len;
    for (const char *at = value.ptr; at < end;) {
        unsigned char c = (unsigned char)*at;
        int len = utf8_len(at, end);
        bool dangling = c == '\\' && at + 1 == end;
        if (c < 0x20u || c == 0x7Fu || dangling || len <= 0) {
            out_char(out, '_');
            at++;
            continue;
        }
        if (c == ',' || c == '=' || c == ' ') {
            out_char(out, '\\');
        }
        out_bytes(out, at, (size_t)len);
        at += len;
    }
}

/* ---- Lines ------------------------------------------------------------------------------------
 */

static void put_line(struct lines *lines, const struct metrics_view *view, struct out *out)
{
    const struct record_entry *entry = &lines->entry;
    bool gauges = view->family == METRICS_SERVICE && entry->kind == RECORD_GAUGE;
    if (gauges) {
        put_service_gauges(lines, view, out);
    } else {
        put_measurement(lines, view, out);
        if (entry->kind == RECORD_DISTRIBUTION) {
            put_distribution(&entry->distribution, out);
        } else if (entry->kind == RECORD_GAUGE) {
            put_int(out, "gauge=", entry->total);
        } else {
            bool router = view->family == METRICS_ROUTER_CONNECTED_TOTAL ||
                          view->family == METRICS_ROUTER_DISCONNECTED_TOTAL;
            put_counts(entry, router ? NULL : "count=", out);
        }
        record_next(&lines->iter, &lines->entry);
    }
    put_stamp(lines, out);
}

/* All gauges of one measurement ("debug", "runtime") that follow each other are the fields of one
 * line. */
static void put_service_gauges(struct lines *lines, const struct metrics_view *first,
                               struct out *out)
{
    struct metrics_view view = *first;
    struct slice measurement;
    struct slice field = split_service(view.name, &measurement);
    struct slice same = measurement;
    const char *separator = " ";
    out_put(out, measurement);
    put_host(lines, out);
    do {
        out_text(out, separator);
        out_put(out, field);
        put_int(out, "=", lines->entry.total);
        separator = ",";
        record_next(&lines->iter, &lines->entry);
        if (lines->entry.kind != RECORD_GAUGE ||
            !metrics_describe(lines->metrics, lines->entry.id, &view)) {
            break;
        }
        field = split_service(view.name, &same);
    } while (view.family == METRICS_SERVICE && slice_equal(same, measurement));
}

static void put_measurement(const struct lines *lines, const struct metrics_view *view,
                            struct out *out)
{
    switch (view->family) {
    case METRICS_PROXY_REQUESTS:
    case METRICS_PROXY_LATENCY:
        put_proxy_tags(lines, view, out);
        break;
    case METRICS_RESPONSE_STATUS_CODE:
        out_text(out, "responses");
        put_host(lines, out);
        put_name(view, out);
        out_text(out, ",status=");
        if (view->status == 0) {
            out_text(out, "other");
        } else {
            out_u64(out, view->status);
        }
        break;
    case METRICS_RESPONSE_SIZE:
    case METRICS_RESPONSE_TIME:
        out_text(out, view->family == METRICS_RESPONSE_SIZE ? "router.response-size"
                                                            : "router.response-time");
        put_host(lines, out);
        put_name(view, out);
        break;
    case METRICS_SERVICE:
        out_text(out, "service.");
        out_put(out, view->name);
        put_host(lines, out);
        break;
    default:
        put_router(lines, view, out);
        break;
    }
    out_char(out, ' ');
}

static void put_router(const struct lines *lines, const struct metrics_view *view, struct out *out)
{
    bool in = view->family == METRICS_ROUTER_CONNECTED_TOTAL ||
              view->family == METRICS_ROUTER_CONNECTED_GAUGE;
    out_text(out, in ? "router,direction=in" : "router,direction=out");
    put_host(lines, out);
}

static void put_proxy_tags(const struct lines *lines, const struct metrics_view *view,
                           struct out *out)
{
    out_text(out, "requests,complete=");
    out_text(out, view->complete ? "true" : "false");
    out_text(out, ",error=");
    out_text(out, view->error ? "true" : "false");
    put_host(lines, out);
    out_text(out, view->layer == METRICS_PIPE ? ",layer=pipe" : ",layer=backend");
    put_name(view, out);
}

/* ---- Parts ------------------------------------------------------------------------------------
 */

static void put_host(const struct lines *lines, struct out *out)
{
    out_text(out, ",host=");
    lines_put_tag(out, lines->host);
}

static void put_name(const struct metrics_view *view, struct out *out)
{
    out_text(out, ",name=");
    lines_put_tag(out, view->name);
}

/* A router's `current` is 0 at every close, because the window was just moved into `total`. */
static void put_counts(const struct record_entry *entry, const char *delta_field, struct out *out)
{
    if (delta_field == NULL) {
        put_int(out, "current=", 0);
    } else {
        put_int(out, delta_field, entry->delta);
    }
    put_int(out, ",total=", entry->total);
}

static void put_distribution(const struct record_distribution *d, struct out *out)
{
    static const char *const fields[RECORD_PERCENTILES] = {
        ",p0.1=", ",p0.25=", ",p0.5=", ",p0.75=", ",p0.9=", ",p0.95=", ",p0.99=",
    };
    put_int(out, "max=", d->max);
    put_int(out, ",mean=", d->mean);
    put_int(out, ",min=", d->min);
    for (size_t i = 0; d->have_percentiles && i < RECORD_PERCENTILES; i++) {
        out_text(out, fields[i]);
        out_double(out, d->percentile[i], 21);
    }
    put_int(out, ",stddev=", d->stddev);
    put_int(out, ",variance=", d->variance);
}

static void put_int(struct out *out, const char *field, int64_t v)
{
    out_text(out, field);
    out_i64(out, v);
    out_char(out, 'i');
}

static void put_stamp(const struct lines *lines, struct out *out)
{
    out_char(out, ' ');
    out_i64(out, lines->stamp_s);
    out_char(out, '\n');
}

/* "runtime.MemStats.Alloc" -> measurement "runtime", field "MemStats.Alloc". */
static struct slice split_service(struct slice name, struct slice *measurement)
{
    size_t dot = slice_find(name, '.');
    *measurement = slice_take(name, dot);
    return slice_skip(name, dot + 1);
}
