#include "influx/store.h"

#include "base/crc.h"
#include "influx/lines.h"
#include "influx/store_parts.h"

#include <assert.h>
#include <string.h>

_Static_assert((size_t)STORE_DROPS <= JOURNAL_DROPS, "storage counts every reason");

static uint32_t fingerprint(const struct metrics *metrics);
static void restore(struct store *s);
static bool keep(struct store *s, const struct record_info *info, size_t len, bool in_flight,
                 size_t *left);
static void keep_in_ram(struct store *s, const struct record_info *info, size_t len, size_t *left);
static void write_bytes(void *ctx, struct out *out);
static size_t count_undated(const struct store *s);
static void pop(struct store *s, size_t count);
static void log_waiting(struct store *s, const char *where);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

void store_init(struct store *s, const struct metrics *metrics, struct log *log)
{
    s->metrics = metrics;
    s->log = log;
    s->boot = 0;
    s->last_stamp_s = LIMPET_BUILD_UNIX_S - 1;
    spool_init(&s->spool);
}

void store_open(struct store *s, const struct port_storage *storage, bool drop_estimated,
                uint64_t now_ns)
{
    s->drop_estimated = drop_estimated;
    s->start_ns = now_ns;
    s->boot = 1;
    if (storage != NULL) {
        journal_open(&s->journal, storage, fingerprint(s->metrics));
        restore(s);
    }
    s->windows_waiting = store_count(s);
}

void store_close(struct store *s)
{
    store_note(s);
    journal_sync(&s->journal);
    size_t left = store_count(s);
    if (left > 0 && s->journal.storage != NULL) {
        log_waiting(s, " left in storage for the next start");
    } else if (left > 0) {
        spool_init(&s->spool);
        store_count_dropped(s, left, STORE_DROP_STOPPED);
    }
    s->windows_waiting = store_count(s);
}

size_t store_count(const struct store *s)
{
    return spool_count(&s->spool) + s->stored;
}

uint64_t store_unix_s(const struct store *s, uint64_t now_ns)
{
    int64_t unix_ns = s->start_unix_ns + (int64_t)(now_ns - s->start_ns);
    return s->clock_known ? (uint64_t)(unix_ns / S_NS) : 0;
}

/* ---- Over a restart ---------------------------------------------------------------------------
 */

/* Stored records name series by id: what they mean as long as these are the same. */
static uint32_t fingerprint(const struct metrics *metrics)
{
    uint32_t crc = 0;
    size_t count = metrics_series_count(metrics);
    for (size_t i = 0; i < count; i++) {
        struct metrics_view view;
        if (!metrics_series(metrics, i, &view) || view.family == METRICS_LIMPET ||
            view.family == METRICS_RESPONSE_STATUS_CODE) {
            continue;
        }
        const uint8_t what[] = {(uint8_t)view.family,
                                (uint8_t)view.layer,
                                view.complete,
                                view.error,
                                (uint8_t)view.id,
                                (uint8_t)(view.id >> 8),
                                (uint8_t)(view.id >> 16),
                                (uint8_t)(view.id >> 24)};
        crc = crc32_update(crc, what, sizeof what);
        crc = crc32_update(crc, view.name.ptr, view.name.len);
    }
    return crc;
}

static void restore(struct store *s)
{
    const struct journal_counters was = s->journal.counters;
    s->boot = (uint32_t)was.boots + 1u;
    if ((int64_t)was.last_stamp_s > s->last_stamp_s) {
        s->last_stamp_s = (int64_t)was.last_stamp_s;
    }
    s->windows_written = was.written;
    for (size_t i = 0; i < STORE_DROPS; i++) {
        s->dropped[i] = was.dropped[i];
        s->windows_dropped += was.dropped[i];
    }
    waiting_find(s);
    uint64_t known = s->windows_written + s->windows_dropped + store_count(s);
    s->windows_produced = was.produced > known ? was.produced : known;
    if (s->windows_produced > known) {
        store_count_dropped(s, (size_t)(s->windows_produced - known), STORE_DROP_STORAGE);
    }
    waiting_refill(s);
    store_restore_stamps(s);
    log_waiting(s, " found in storage");
    store_note(s);
}

void store_note(struct store *s)
{
    struct slice oldest;
    struct spool_cursor cursor = {0};
    struct journal_counters now = {
        .left_seq = s->windows_produced,
        .produced = s->windows_produced,
        .written = s->windows_written,
        .last_stamp_s = (uint64_t)s->last_stamp_s,
        .boots = s->boot,
    };
    if (s->journal.storage == NULL) {
        return;
    }
    if (spool_next(&s->spool, &cursor, &oldest)) {
        now.left_seq = waiting_info(oldest).seq - 1;
    }
    memcpy(now.dropped, s->dropped, sizeof s->dropped);
    journal_note(&s->journal, &now);
    waiting_check(s);
}

void store_watch_storage(struct store *s, uint64_t failures_before)
{
    bool failing = s->journal.failures > failures_before;
    if (failing != s->storage_failing) {
        s->storage_failing = failing;
        log_line(s->log, failing ? LOG_ERROR : LOG_INFO, STORE_LOG_PREFIX,
                 failing ? "the storage takes no windows (full or broken): they wait in memory only"
                         : "the storage takes windows again");
    }
}

/* ---- In and out -------------------------------------------------------------------------------
 */

/* What is in flight stays, else a server that is slower than the windows come would never get a
 * write to its end. */
size_t store_add(struct store *s, bool in_flight)
{
    struct record_info info = {.seq = ++s->windows_produced, .boot = s->boot};
    uint64_t failures = s->journal.failures;
    struct out out;
    size_t left = 0;
    store_date_window(s, &info);
    out_init_count(&out);
    record_encode(&out, s->metrics, &info);
    size_t len = (size_t)out.total;
    bool too_long = len > SPOOL_RECORD_LEN_MAX;
    bool kept = !too_long && keep(s, &info, len, in_flight, &left);
    if (!kept) {
        store_count_dropped(s, 1, too_long ? STORE_DROP_TOO_LONG : STORE_DROP_MEMORY);
    }
    if (!kept || left > 0) {
        store_note(s);
    }
    store_watch_storage(s, failures);
    s->windows_waiting = store_count(s);
    return left;
}

/* In RAM while nothing older waits in storage only, else in storage. Where that takes nothing,
 * RAM's oldest leave. */
static bool keep(struct store *s, const struct record_info *info, size_t len, bool in_flight,
                 size_t *left)
{
    bool room = s->stored == 0 && spool_has_room(&s->spool, len);
    if (!room && waiting_add(s, info, len)) {
        return true;
    }
    if (!room && (s->stored > 0 || in_flight)) {
        return false;
    }
    keep_in_ram(s, info, len, left);
    return true;
}

/* Written in its place: a record lies in one piece. */
static void keep_in_ram(struct store *s, const struct record_info *info, size_t len, size_t *left)
{
    char *place = spool_reserve(&s->spool, len, left);
    struct slice record = slice_of(place, len);
    struct out out;
    if (*left > 0) {
        store_count_dropped(s, *left, STORE_DROP_MEMORY);
    }
    out_init(&out, place, len);
    record_encode(&out, s->metrics, info);
    assert(out_err(&out) == LIMPET_OK);
    store_commit(s, record);
    s->newest_seq = info->seq;
    (void)journal_append(&s->journal, info->seq, len, write_bytes, &record);
    waiting_check(s);
}

static void write_bytes(void *ctx, struct out *out)
{
    const struct slice *bytes = ctx;
    out_put(out, *bytes);
}

void store_commit(struct store *s, struct slice record)
{
    struct lines lines;
    uint64_t len = 0;
    lines_init(&lines, s->metrics, SLICE_LIT(""), record);
    spool_commit(&s->spool, record.len, lines_measure(&lines, &len));
}

bool store_ready(struct store *s, size_t *left)
{
    size_t undated = s->clock_known ? count_undated(s) : 0;
    *left = 0;
    while (undated > 0) {
        store_drop(s, undated, STORE_DROP_UNDATED);
        *left += undated;
        undated = count_undated(s);
    }
    return s->clock_known && store_count(s) > 0;
}

/* Of the oldest ones, how many; RAM's only. */
static size_t count_undated(const struct store *s)
{
    struct spool_cursor cursor = {0};
    struct slice record;
    size_t count = 0;
    while (spool_next(&s->spool, &cursor, &record) && !waiting_info(record).dated) {
        count++;
    }
    return count;
}

static void pop(struct store *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        spool_pop(&s->spool);
    }
    waiting_refill(s);
}

void store_written(struct store *s, size_t count)
{
    pop(s, count);
    s->windows_written += count;
    store_note(s);
    s->windows_waiting = store_count(s);
}

void store_drop(struct store *s, size_t count, enum store_drop why)
{
    pop(s, count);
    store_count_dropped(s, count, why);
    store_note(s);
    s->windows_waiting = store_count(s);
}

size_t store_failed(struct store *s, size_t count, uint64_t buffer_size)
{
    size_t left = spool_limit_failed(&s->spool, count, buffer_size);
    if (left > 0) {
        waiting_refill(s);
        store_count_dropped(s, left, STORE_DROP_NO_BUFFER);
        store_note(s);
    }
    s->windows_waiting = store_count(s);
    return left;
}

void store_count_dropped(struct store *s, size_t count, enum store_drop why)
{
    static const char *const texts[STORE_DROPS] = {
        [STORE_DROP_MEMORY] = "the buffer is full",
        [STORE_DROP_NO_BUFFER] = "buffer_size allows no more failed datapoints",
        [STORE_DROP_REFUSED] = "InfluxDB will never take it",
        [STORE_DROP_STORAGE] = "the restart did not find its record, or the endpoints are others",
        [STORE_DROP_STOPPED] = "stopped before InfluxDB took them",
        [STORE_DROP_TOO_LONG] = "it is larger than the buffer",
        [STORE_DROP_UNDATED] = "of an earlier start, and their time is not known",
    };
    struct out *out = log_begin(s->log, LOG_ERROR, STORE_LOG_PREFIX);
    out_u64(out, count);
    out_text(out, count == 1 ? " window dropped: " : " windows dropped: ");
    out_text(out, texts[why]);
    log_end(s->log);
    s->windows_dropped += count;
    s->dropped[why] += count;
}

static void log_waiting(struct store *s, const char *where)
{
    size_t count = store_count(s);
    struct out *out = log_begin(s->log, LOG_INFO, STORE_LOG_PREFIX);
    out_u64(out, count);
    out_text(out, count == 1 ? " window" : " windows");
    out_text(out, where);
    log_end(s->log);
}
