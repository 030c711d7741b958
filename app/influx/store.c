#include "influx/store.h"

#include "base/crc.h"
#include "influx/lines.h"

#include <assert.h>
#include <string.h>

#define S_NS ((int64_t)LIMPET_S_TO_NS(1))

_Static_assert((size_t)STORE_DROPS <= JOURNAL_DROPS, "storage counts every reason");

/* Records that follow each other, all of one start and without a date. */
struct group {
    struct spool_cursor from; /* before the first */
    uint32_t boot;
    size_t count;
    uint64_t first_ns; /* since its start */
    uint64_t last_ns;
};

static uint32_t fingerprint(const struct metrics *metrics);
static void restore(struct store *s);
static size_t restore_record(struct store *s, const struct journal_record *record,
                             uint64_t *last_seq);
static void restore_dates(struct store *s);
static void date_waiting(struct store *s);
static struct spool_cursor behind_dated(const struct store *s);
static bool next_group(const struct store *s, struct spool_cursor *cursor, struct group *group);
static int64_t estimate_start(const struct store *s, const struct group *group);
static void date_group(struct store *s, const struct group *group, int64_t start_unix_ns);
static struct record_info info_of(struct slice record);
static void date_window(struct store *s, struct record_info *info);
static void commit(struct store *s, struct slice record);
static void pop(struct store *s, size_t count);
static void count_dropped(struct store *s, size_t count, enum store_drop why);
static void note(struct store *s);
static void watch_storage(struct store *s, uint64_t failures_before);
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
}

void store_close(struct store *s)
{
    note(s);
    journal_sync(&s->journal);
    size_t left = store_count(s);
    if (left > 0 && s->journal.storage != NULL) {
        log_waiting(s, " left in storage for the next start");
    } else if (left > 0) {
        spool_init(&s->spool);
        count_dropped(s, left, STORE_DROP_STOPPED);
    }
}

size_t store_count(const struct store *s)
{
    return spool_count(&s->spool);
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
    const struct journal_counters *was = &s->journal.counters;
    struct journal_cursor cursor = {0};
    struct journal_record record;
    uint64_t last_seq = 0;
    size_t left = 0;
    s->boot = (uint32_t)was->boots + 1u;
    if ((int64_t)was->last_stamp_s > s->last_stamp_s) {
        s->last_stamp_s = (int64_t)was->last_stamp_s;
    }
    while (journal_next(&s->journal, &cursor, &record)) {
        left += restore_record(s, &record, &last_seq);
    }
    restore_dates(s);
    s->windows_written = was->written;
    for (size_t i = 0; i < STORE_DROPS; i++) {
        s->dropped[i] = was->dropped[i];
        s->windows_dropped += was->dropped[i];
    }
    if (left > 0) {
        count_dropped(s, left, STORE_DROP_MEMORY);
    }
    uint64_t known = s->windows_written + s->windows_dropped + store_count(s);
    s->windows_produced = was->produced > known ? was->produced : known;
    if (s->windows_produced > known) {
        count_dropped(s, (size_t)(s->windows_produced - known), STORE_DROP_STORAGE);
    }
    log_waiting(s, " found in storage");
    note(s);
}

/* Nothing of it is taken on trust: what is not the record of its number is not there. A date before
 * the build is of a clock that was wrong. Returns how many older ones left memory for it. */
static size_t restore_record(struct store *s, const struct journal_record *record,
                             uint64_t *last_seq)
{
    struct record_info info;
    struct record_iter iter;
    size_t left = 0;
    char *place = spool_reserve(&s->spool, record->len, &left);
    if (place == NULL || journal_read(&s->journal, record, place) != LIMPET_OK) {
        return left;
    }
    struct slice bytes = slice_of(place, record->len);
    if (record_open(bytes, &info, &iter) != LIMPET_OK || info.seq != record->seq ||
        info.seq <= *last_seq || (info.dated && info.unix_ns < LIMPET_BUILD_UNIX_S * S_NS)) {
        return left;
    }
    *last_seq = info.seq;
    int64_t stamp_s = info.unix_ns / S_NS;
    s->last_stamp_s = stamp_s > s->last_stamp_s ? stamp_s : s->last_stamp_s;
    commit(s, bytes);
    return left;
}

/* Those that were given late, by an earlier start. */
static void restore_dates(struct store *s)
{
    struct journal_cursor in_journal = {0};
    struct journal_date date;
    while (journal_next_date(&s->journal, &in_journal, &date)) {
        struct spool_cursor cursor = {0};
        struct group group;
        while (next_group(s, &cursor, &group)) {
            if (group.boot == date.boot) {
                date_group(s, &group, date.start_unix_ns);
            }
        }
    }
}

/* The numbers as they are now. */
static void note(struct store *s)
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
        now.left_seq = info_of(oldest).seq - 1;
    }
    memcpy(now.dropped, s->dropped, sizeof s->dropped);
    journal_note(&s->journal, &now);
}

static struct record_info info_of(struct slice record)
{
    struct record_info info;
    struct record_iter iter;
    record_read(record, &info, &iter);
    return info;
}

/* One line when it begins to fail, one when it works again. */
static void watch_storage(struct store *s, uint64_t failures_before)
{
    bool failing = s->journal.failures > failures_before;
    if (failing != s->storage_failing) {
        s->storage_failing = failing;
        log_line(s->log, failing ? LOG_ERROR : LOG_INFO, STORE_LOG_PREFIX,
                 failing ? "the storage takes no windows (full or broken): they wait in memory only"
                         : "the storage takes windows again");
    }
}

/* ---- Dates ------------------------------------------------------------------------------------
 */

void store_set_clock(struct store *s, uint64_t now_ns, int64_t unix_ns)
{
    if (unix_ns == 0 || s->boot == 0) {
        return;
    }
    s->start_unix_ns = unix_ns - (int64_t)(now_ns - s->start_ns);
    if (!s->clock_known) {
        s->clock_known = true;
        date_waiting(s);
    }
}

/* The window that closes now. Whole seconds are sent, so that is the step that keeps stamps apart.
 */
static void date_window(struct store *s, struct record_info *info)
{
    uint64_t close_ns = metrics_window(s->metrics)->close_ns;
    uint64_t mono_ns = close_ns > s->start_ns ? close_ns - s->start_ns : 0;
    uint64_t least_ns = s->last_mono_ns + LIMPET_S_TO_NS(1);
    info->dated = s->clock_known;
    if (!info->dated) {
        bool first = s->last_mono_ns == 0;
        info->mono_ns = first || mono_ns >= least_ns ? mono_ns : least_ns;
        s->last_mono_ns = info->mono_ns;
        return;
    }
    info->unix_ns = s->start_unix_ns + (int64_t)mono_ns;
    if (info->unix_ns / S_NS <= s->last_stamp_s) {
        info->unix_ns = (s->last_stamp_s + 1) * S_NS;
    }
    s->last_stamp_s = info->unix_ns / S_NS;
}

/* The clock has become known. */
static void date_waiting(struct store *s)
{
    uint64_t failures = s->journal.failures;
    struct spool_cursor cursor = behind_dated(s);
    struct group group;
    while (next_group(s, &cursor, &group)) {
        bool own = group.boot == s->boot;
        if (!own && s->drop_estimated) {
            continue;
        }
        int64_t start_ns = own ? s->start_unix_ns : estimate_start(s, &group);
        int64_t least_ns = (s->last_stamp_s + 1) * S_NS - (int64_t)group.first_ns;
        start_ns = start_ns > least_ns ? start_ns : least_ns;
        const struct journal_date date = {group.boot, start_ns};
        journal_append_date(&s->journal, &date);
        date_group(s, &group, start_ns);
        s->windows_estimated += own ? 0 : group.count;
    }
    journal_sync(&s->journal);
    watch_storage(s, failures);
}

/* A window without a date before one that has one: storage has lost the date that it was sent with.
 * It gets no other. */
static struct spool_cursor behind_dated(const struct store *s)
{
    struct spool_cursor cursor = {0};
    struct spool_cursor behind = cursor;
    struct slice record;
    while (spool_next(&s->spool, &cursor, &record)) {
        behind = info_of(record).dated ? cursor : behind;
    }
    return behind;
}

/* The next records without a date; `cursor` goes behind them. */
static bool next_group(const struct store *s, struct spool_cursor *cursor, struct group *group)
{
    struct spool_cursor next = *cursor;
    struct slice record;
    *group = (struct group){0};
    while (spool_next(&s->spool, &next, &record)) {
        const struct record_info info = info_of(record);
        bool undated = !info.dated;
        if (group->count > 0 && (!undated || info.boot != group->boot)) {
            break;
        }
        if (undated && group->count == 0) {
            *group = (struct group){.from = *cursor, .boot = info.boot, .first_ns = info.mono_ns};
        }
        group->last_ns = info.mono_ns;
        group->count += undated ? 1 : 0;
        *cursor = next;
    }
    return group->count > 0;
}

/* When the start of the group was, if each start ended a second before the next one began. */
static int64_t estimate_start(const struct store *s, const struct group *group)
{
    int64_t start_ns = s->start_unix_ns;
    struct spool_cursor cursor = group->from;
    struct group next;
    while (next_group(s, &cursor, &next) && next.boot != s->boot) {
        start_ns -= (int64_t)next.last_ns + S_NS;
    }
    return start_ns;
}

static void date_group(struct store *s, const struct group *group, int64_t start_unix_ns)
{
    struct spool_cursor cursor = group->from;
    struct slice record;
    for (size_t i = 0; i < group->count && spool_next(&s->spool, &cursor, &record); i++) {
        const struct record_info info = info_of(record);
        assert(!info.dated);
        int64_t unix_ns = start_unix_ns + (int64_t)info.mono_ns;
        record_set_date(spool_writable(&s->spool, record), record.len, unix_ns);
        s->last_stamp_s = unix_ns / S_NS > s->last_stamp_s ? unix_ns / S_NS : s->last_stamp_s;
    }
}

/* ---- In and out -------------------------------------------------------------------------------
 */

/* Counted first, then written in place: a record lies in one piece. What is in flight stays, else a
 * server that is slower than the windows come would never get a write to its end. */
size_t store_add(struct store *s, bool in_flight)
{
    struct record_info info = {.seq = ++s->windows_produced, .boot = s->boot};
    uint64_t failures = s->journal.failures;
    struct out out;
    size_t left = 0;
    char *place = NULL;
    date_window(s, &info);
    out_init_count(&out);
    record_encode(&out, s->metrics, &info);
    size_t len = (size_t)out.total;
    if (!in_flight || spool_has_room(&s->spool, len)) {
        place = spool_reserve(&s->spool, len, &left);
    }
    if (left > 0) {
        count_dropped(s, left, STORE_DROP_MEMORY);
    }
    if (place == NULL) {
        count_dropped(s, 1, len > SPOOL_RECORD_LEN_MAX ? STORE_DROP_TOO_LONG : STORE_DROP_MEMORY);
        note(s);
        return left;
    }
    out_init(&out, place, len);
    record_encode(&out, s->metrics, &info);
    assert(out_err(&out) == LIMPET_OK);
    commit(s, slice_of(place, len));
    journal_append(&s->journal, info.seq, slice_of(place, len));
    if (left > 0) {
        note(s);
    }
    watch_storage(s, failures);
    return left;
}

/* It stands in the place that was reserved. */
static void commit(struct store *s, struct slice record)
{
    struct lines lines;
    uint64_t len = 0;
    lines_init(&lines, s->metrics, SLICE_LIT(""), record);
    spool_commit(&s->spool, record.len, lines_measure(&lines, &len));
}

bool store_ready(struct store *s, size_t *left)
{
    struct slice record;
    size_t undated = 0;
    *left = 0;
    for (struct spool_cursor cursor = {0}; s->clock_known; undated++) {
        if (!spool_next(&s->spool, &cursor, &record) || info_of(record).dated) {
            break;
        }
    }
    if (undated > 0) {
        store_drop(s, undated, STORE_DROP_UNDATED);
        *left = undated;
    }
    return s->clock_known && store_count(s) > 0;
}

static void pop(struct store *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        spool_pop(&s->spool);
    }
}

void store_written(struct store *s, size_t count)
{
    pop(s, count);
    s->windows_written += count;
    note(s);
}

void store_drop(struct store *s, size_t count, enum store_drop why)
{
    pop(s, count);
    count_dropped(s, count, why);
    note(s);
}

size_t store_failed(struct store *s, size_t count, uint64_t buffer_size)
{
    size_t left = spool_limit_failed(&s->spool, count, buffer_size);
    if (left > 0) {
        count_dropped(s, left, STORE_DROP_NO_BUFFER);
        note(s);
    }
    return left;
}

static void count_dropped(struct store *s, size_t count, enum store_drop why)
{
    static const char *const texts[STORE_DROPS] = {
        [STORE_DROP_MEMORY] = "the buffer's memory is full",
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
