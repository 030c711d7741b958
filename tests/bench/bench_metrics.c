/* Does one thing to the metrics table, so that a tool can count the instructions of the function
 * that is being asked about: count_instructions runs it. */
#include "metrics/registry.h"
#include "report/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The endpoints and backends of the recorded reference gateway: 2,523 keys, and memstats. */
static const char *const endpoints[] = {
    "/arr",      "/arrc",    "/b201",    "/b301",        "/b404",     "/cc",     "/code",
    "/detail",   "/dup",     "/empty",   "/group",       "/m1fail",   "/m1slow", "/m2",
    "/mallfail", "/noop",    "/noop404", "/nooprefused", "/noopslow", "/ok",     "/p/:id/:name",
    "/post",     "/refused", "/seq",     "/slow",        "/static",   "/string", "/textjson",
};
static const char *const backends[] = {
    "/arr",
    "/echo/p",
    "/echo/{{.Name}}/x?id={{.Id}}",
    "/echo/{{.Resp0_a}}",
    "/empty",
    "/ok",
    "/ok2",
    "/slow",
    "/st/201",
    "/st/301",
    "/st/404",
    "/st/500",
    "/text",
    "/x",
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct metrics metrics;
static struct stats stats;
static struct stats_reader reader;
static uint64_t seed = 88172645463325252u;

/* xorshift64: about log-uniform between 1 us and 4 s, as latencies are. */
static int64_t next_latency(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)((1000 + seed % 1000) << (seed >> 32) % 22);
}

static struct proxy_series *begin_one(void)
{
    static const struct metrics_options options = {.collection_time_ns = 1000000000};
    metrics_init(&metrics, &options, 0);
    return metrics_open_proxy(&metrics, METRICS_PIPE, slice_from_cstr("/ok"));
}

/* `warm` records that nobody counts, then `count` that somebody does. */
static void record(size_t warm, size_t count)
{
    struct proxy_series *s = begin_one();
    struct histogram *h = &s->latency[PAIR_COMPLETE].running;
    for (size_t i = 0; i < warm; i++) {
        metrics_record_proxy(&metrics, s, true, false, next_latency());
    }
    for (size_t i = 0; i < count; i++) {
        histogram_record_ns(&metrics.pool, h, next_latency());
    }
}

static void record_series(size_t count)
{
    struct proxy_series *s = begin_one();
    struct endpoint_series *e = metrics_open_endpoint(&metrics, slice_from_cstr("/ok"));
    for (size_t i = 0; i < count; i++) {
        metrics_connected(&metrics);
        metrics_record_proxy(&metrics, s, true, false, next_latency());
        metrics_record_response(&metrics, e, 200, 512, next_latency());
    }
}

/* 50 requests on each endpoint and backend, so that half of the 224 distributions have values. */
static void record_all(struct endpoint_series *const *e, struct proxy_series *const *p,
                       size_t count)
{
    for (size_t i = 0; i < count * 50; i++) {
        size_t at = i % count;
        bool error = at % 3 == 0 && i / count == 7;
        metrics_record_proxy(&metrics, p[at], !error, error, next_latency());
        if (at < COUNT(endpoints)) {
            metrics_record_response(&metrics, e[at], 200, next_latency() % 5000, next_latency());
        }
    }
}

/* The instructions of these two are counted. */
__attribute__((noinline)) static void render_changed(void)
{
    report_stats_open(&stats, &reader, STATS_JSON);
}

__attribute__((noinline)) static uint64_t render_unchanged(void)
{
    uint64_t len;
    report_stats_open(&stats, &reader, STATS_JSON);
    return report_stats_length(&reader, &len) ? len : 0;
}

static void render(void)
{
    static const char *const argv[] = {"limpetd", "run", "-c", "krakend.json"};
    static struct endpoint_series *e[COUNT(endpoints)];
    static struct proxy_series *p[COUNT(endpoints) + COUNT(backends)];
    (void)begin_one();
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        e[i] = metrics_open_endpoint(&metrics, slice_from_cstr(endpoints[i]));
        p[i] = metrics_open_proxy(&metrics, METRICS_PIPE, slice_from_cstr(endpoints[i]));
    }
    for (size_t i = 0; i < COUNT(backends); i++) {
        struct slice name = slice_from_cstr(backends[i]);
        p[COUNT(endpoints) + i] = metrics_open_proxy(&metrics, METRICS_BACKEND, name);
    }
    report_stats_init(&stats, &metrics, argv, 4);
    record_all(e, p, COUNT(p));
    report_stats_open(&stats, &reader, STATS_JSON); /* status codes find their places */
    report_stats_close(&stats, &reader);
    record_all(e, p, COUNT(p));
    (void)metrics_tick(&metrics, 1000000000);
    render_changed();
    struct slice bytes;
    if (report_stats_peek(&stats, &reader, &bytes) > 0) {
        size_t keys = 0;
        for (size_t i = 0; i + 1 < bytes.len; i++) {
            keys += bytes.ptr[i] == '\n' && bytes.ptr[i + 1] == '"';
        }
        printf("%zu keys, %zu bytes\n", keys, bytes.len);
    }
    report_stats_close(&stats, &reader);
    if (render_unchanged() == 0) {
        puts("0 keys");
    }
}

/* The second argument is how often the counted thing happens; 0 shows what the preparation costs.
 */
int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (strcmp(what, "kept") == 0) {
        record(2, count);
    } else if (strcmp(what, "buckets") == 0) {
        record(HISTOGRAM_KEPT + 2, count);
    } else if (strcmp(what, "window") == 0) {
        record(0, count);
    } else if (strcmp(what, "series") == 0) {
        record_series(count);
    } else if (strcmp(what, "render") == 0) {
        render();
    } else {
        fprintf(stderr, "usage: bench_metrics kept|buckets|window|series|render COUNT\n");
        return 2;
    }
    return 0;
}
