/* What the writer says about itself below limpet.influx. */
#include "influx/writer.h"
#include "metrics/service.h"

#define COUNTER(name, field) METRICS_FIELD(METRICS_COUNTER, "influx." name, struct writer, field)
#define GAUGE(name, field) METRICS_FIELD(METRICS_GAUGE, "influx." name, struct writer, field)

static const struct metrics_value values[] = {
    GAUGE("backoff_ms", backoff_ms),
    COUNTER("bytes", bytes_written),
    COUNTER("dropped.memory", store.dropped[STORE_DROP_MEMORY]),
    COUNTER("dropped.no_buffer", store.dropped[STORE_DROP_NO_BUFFER]),
    COUNTER("dropped.refused", store.dropped[STORE_DROP_REFUSED]),
    COUNTER("dropped.stopped", store.dropped[STORE_DROP_STOPPED]),
    COUNTER("dropped.storage", store.dropped[STORE_DROP_STORAGE]),
    COUNTER("dropped.undated", store.dropped[STORE_DROP_UNDATED]),
    COUNTER("dropped.too_long", store.dropped[STORE_DROP_TOO_LONG]),
    GAUGE("failed_points", store.spool.failed_points),
    GAUGE("last_success_age_s", last_success_age_s),
    GAUGE("last_success_s", last_success_s),
    COUNTER("points", points_written),
    COUNTER("points_refused", points_refused),
    GAUGE("spool_bytes", store.spool.used_bytes),
    METRICS_CONSTANT("influx.spool_bytes_limit", LIMPET_SPOOL_LEN),
    COUNTER("storage_erased", store.journal.erased),
    COUNTER("storage_failures", store.journal.failures),
    COUNTER("storage_erased_ever", store.journal.sector_order),
    COUNTER("storage_records", store.journal.records),
    GAUGE("storage_sectors", store.journal.sector_count),
    GAUGE("windows_buffered", store.windows_waiting),
    COUNTER("windows_dropped", store.windows_dropped),
    COUNTER("windows_estimated", store.windows_estimated),
    COUNTER("windows_produced", store.windows_produced),
    COUNTER("windows_written", store.windows_written),
    COUNTER("writes_2xx", writes_by_class[2]),
    COUNTER("writes_3xx", writes_by_class[3]),
    COUNTER("writes_4xx", writes_by_class[4]),
    COUNTER("writes_5xx", writes_by_class[5]),
    COUNTER("writes_unanswered", writes_by_class[0]),
};

void writer_add_values(const struct writer *w, struct metrics *metrics)
{
    metrics_add_values(metrics, values, sizeof values / sizeof values[0], w);
}
