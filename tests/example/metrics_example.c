/* The metrics table without the rest of Limpet: any firmware can count with it. Links
 * app/metrics and app/base alone. Opens two series, records, closes a window, reads everything that
 * is not 0. */
#include "metrics/registry.h" /* struct metrics; without it metrics/metrics.h will do */

#include <inttypes.h>
#include <stdio.h>

static struct metrics metrics;

int main(void)
{
    const uint64_t second_ns = 1000000000;
    const struct metrics_options options = {.collection_time_ns = 60 * second_ns};
    uint64_t now_ns = 5 * second_ns; /* of any monotonic clock */
    metrics_init(&metrics, &options, now_ns);

    struct slice name = SLICE_LIT("/sensor/:id");
    struct endpoint_series *sensor = metrics_open_endpoint(&metrics, name);
    struct proxy_series *bus = metrics_open_proxy(&metrics, METRICS_BACKEND, SLICE_LIT("/i2c"));

    for (int i = 1; i <= 100; i++) {
        metrics_connected(&metrics);
        metrics_record_proxy(&metrics, bus, true, false, i * 20000);
        metrics_record_response(&metrics, sensor, i % 10 == 0 ? 503 : 200, 64 + i, i * 25000);
        metrics_disconnected(&metrics);
    }

    now_ns += 60 * second_ns;
    if (!metrics_tick(&metrics, now_ns)) {
        return 1;
    }
    printf("window %" PRIu64 "\n", metrics_window(&metrics)->seq);
    for (size_t i = 0; i < metrics_series_count(&metrics); i++) {
        struct metrics_view view;
        if (!metrics_series(&metrics, i, &view) || view.family == METRICS_LIMPET) {
            continue;
        }
        if (view.kind == METRICS_HISTOGRAM && view.window_summary != NULL) {
            printf("%.*s: %" PRIu64 " values, median %.0f, maximum %" PRId64 "\n",
                   (int)view.name.len, view.name.ptr, view.window_summary->count,
                   view.window_summary->percentile[2], view.window_summary->max);
        } else if (view.value != 0) {
            printf("%.*s: %" PRId64 "\n", (int)view.name.len, view.name.ptr, view.value);
        }
    }
    return 0;
}
