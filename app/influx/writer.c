/* States and what moves them:
 *
 *   PINGING  answer or failure: RESTING
 *   RESTING  ttl: SENDING, or RESTING when nothing waits
 *   SENDING  2xx: SENDING while more waits, then RESTING; failure: WAITING
 *   WAITING  back-off: SENDING
 *
 * A stop goes on SENDING until nothing waits or one write has failed, then it is STOPPED. */
#include "influx/writer.h"

#include "base/crc.h"
#include "base/num.h"
#include "influx/outcome.h"
#include "influx/request.h"

#include <assert.h>
#include <string.h>

_Static_assert((size_t)WRITER_DROPS <= JOURNAL_DROPS, "storage counts every reason");

#define PREFIX "[SERVICE: InfluxDB]"
/* A push comes this long after the window's close when ttl and collection_time are equal. */
#define PUSH_PHASE_NS LIMPET_MS_TO_NS(200)

static void log_waiting(struct writer *w, const char *where);
static void store_window(struct writer *w, const struct record_info *info);
static uint64_t phase_ns(const struct writer *w);
static void restore(struct writer *w);
static void note(struct writer *w);
static void push(struct writer *w);
static void rest(struct writer *w);
static void on_timer(struct timer *timer, void *ctx, uint64_t now_ns);
static void start_call(struct writer *w, bool ping);
static void compose_ping(void *ctx, struct out *head);
static void compose_write(void *ctx, struct out *head);
static void on_event(void *ctx, struct client_call *call);
static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns);
static void read_answer(struct writer *w);
static void keep_answer(struct writer *w, struct slice text);
static void take_back_call(struct writer *w);
static void end_call(struct writer *w, int err);
static void end_ping(struct writer *w, int err);
static void end_write(struct writer *w, int err);
static void written(struct writer *w, bool partial, uint64_t points_refused);
static void refused(struct writer *w);
static void drop_refused(struct writer *w);
static void pop_batch(struct writer *w);
static void failed(struct writer *w, int err);
static uint64_t backoff_ns(struct writer *w);
static void log_answer(struct writer *w, enum log_level level, const char *what, int err);
static void log_mode(struct writer *w);
static void put_address(struct out *out, const struct writer *w);
static struct slice first_line(struct slice s);
static void drop(struct writer *w, size_t count, enum writer_drop why);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

void writer_init(struct writer *w, const struct config_influx *influx,
                 const struct metrics *metrics, struct client *client, struct timers *timers,
                 struct log *log, struct slice host_name)
{
    w->config = influx;
    w->metrics = metrics;
    w->client = client;
    w->timers = timers;
    w->log = log;
    w->host_name = host_name;
    w->state = WRITER_OFF;
    bisect_init(&w->bisect);
    spool_init(&w->spool);
    batch_init(&w->batch, &w->spool, metrics, host_name);
}

void writer_start(struct writer *w)
{
    if (!w->config->enabled) {
        return;
    }
    w->jitter = crc32_update((uint32_t)w->now_ns, w->host_name.ptr, w->host_name.len);
    w->next_push_ns = w->now_ns + w->config->ttl_ns + PUSH_PHASE_NS + phase_ns(w);
    restore(w);
    w->state = WRITER_PINGING;
    log_mode(w);
    start_call(w, true);
}

/* 0..ttl, by the host name: a fleet that starts together does not push together. The product has 64
 * bits: ttl is at most 1000 h, 32 bits of ms. */
static uint64_t phase_ns(const struct writer *w)
{
    uint64_t ttl_ms = w->config->ttl_ns / LIMPET_MS_TO_NS(1);
    uint32_t hash = crc32_update(0, w->host_name.ptr, w->host_name.len);
    return LIMPET_MS_TO_NS(ttl_ms * hash >> 32);
}

void writer_set_time(struct writer *w, uint64_t now_ns, int64_t unix_ns)
{
    bool known = w->unix_ns != 0;
    if (known && unix_ns == 0) {
        unix_ns = w->batch.clock_base_ns + (int64_t)now_ns;
    } else if (!known && unix_ns != 0) {
        w->batch.clock_base_ns = unix_ns - (int64_t)now_ns;
        w->last_stamp_ns += w->batch.clock_base_ns;
    }
    w->now_ns = now_ns;
    w->unix_ns = unix_ns;
}

void writer_window(struct writer *w)
{
    if (w->state == WRITER_OFF || w->state == WRITER_STOPPED) {
        return;
    }
    const struct metrics_window *window = metrics_window(w->metrics);
    struct record_info info = {.seq = w->windows_produced + 1, .dated = w->unix_ns != 0};
    int64_t close_ns = (int64_t)window->close_ns;
    if (info.dated) {
        close_ns += w->unix_ns - (int64_t)w->now_ns;
    }
    /* Whole seconds are sent, so that is the step that keeps stamps apart. */
    int64_t least_ns = w->last_stamp_ns + (int64_t)LIMPET_S_TO_NS(1);
    close_ns = w->windows_produced > 0 && close_ns < least_ns ? least_ns : close_ns;
    info.unix_ns = info.dated ? close_ns : 0;
    info.mono_ns = info.dated ? 0 : (uint64_t)close_ns;
    w->last_stamp_ns = info.dated ? close_ns - close_ns % (int64_t)LIMPET_S_TO_NS(1) : close_ns;
    w->windows_produced++;
    store_window(w, &info);
}

void writer_stop(struct writer *w)
{
    w->stopping = true;
    if (w->state == WRITER_RESTING || w->state == WRITER_WAITING) {
        timer_cancel(w->timers, &w->timer);
        push(w);
    } else if (w->state == WRITER_PINGING) {
        take_back_call(w);
        push(w);
    }
}

void writer_give_up(struct writer *w)
{
    if (w->state == WRITER_OFF || w->state == WRITER_STOPPED) {
        return;
    }
    take_back_call(w);
    timer_cancel(w->timers, &w->timer);
    w->batch.count = 0;
    note(w);
    journal_sync(&w->journal);
    size_t left = spool_count(&w->spool);
    if (left > 0 && w->journal.storage != NULL) {
        log_waiting(w, " left in storage for the next start");
    } else if (left > 0) {
        drop(w, left, WRITER_DROP_STOPPED);
        spool_init(&w->spool);
    }
    w->state = WRITER_STOPPED;
}

bool writer_stopped(const struct writer *w)
{
    return w->state == WRITER_OFF || w->state == WRITER_STOPPED;
}

/* ---- Over a restart ---------------------------------------------------------------------------
 */

void writer_use_storage(struct writer *w, const struct port_storage *storage)
{
    w->storage = storage;
}

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
        const uint8_t what[] = {(uint8_t)view.family,  (uint8_t)view.layer,
                                view.complete,         view.error,
                                (uint8_t)view.id,      (uint8_t)(view.id >> 8),
                                (uint8_t)(view.id >> 16), (uint8_t)(view.id >> 24)};
        crc = crc32_update(crc, what, sizeof what);
        crc = crc32_update(crc, view.name.ptr, view.name.len);
    }
    return crc;
}

/* Nothing of it is taken on trust: what is not a dated record of its number is not there. */
static void restore_record(struct writer *w, const struct journal_record *record)
{
    struct record_info info;
    struct record_iter iter;
    size_t left = 0;
    char *place = spool_reserve(&w->spool, record->len, &left);
    if (place == NULL || journal_read(&w->journal, record, place) != LIMPET_OK) {
        return;
    }
    struct slice bytes = slice_of(place, record->len);
    if (record_open(bytes, &info, &iter) != LIMPET_OK || !info.dated || info.seq != record->seq) {
        return;
    }
    w->last_stamp_ns = info.unix_ns > w->last_stamp_ns ? info.unix_ns : w->last_stamp_ns;
    spool_commit(&w->spool, record->len, batch_count_points(&w->batch, bytes));
}

static void restore(struct writer *w)
{
    if (w->storage == NULL) {
        return;
    }
    journal_open(&w->journal, w->storage, fingerprint(w->metrics));
    const struct journal_counters *was = &w->journal.counters;
    struct journal_cursor cursor = {0};
    struct journal_record record;
    w->last_stamp_ns = (int64_t)(was->last_stamp_s * LIMPET_S_TO_NS(1));
    while (journal_next(&w->journal, &cursor, &record)) {
        restore_record(w, &record);
    }
    w->windows_written = was->written;
    for (size_t i = 0; i < WRITER_DROPS; i++) {
        w->dropped[i] = was->dropped[i];
        w->windows_dropped += was->dropped[i];
    }
    uint64_t known = w->windows_written + w->windows_dropped + spool_count(&w->spool);
    w->windows_produced = was->produced > known ? was->produced : known;
    if (w->windows_produced > known) {
        drop(w, (size_t)(w->windows_produced - known), WRITER_DROP_STORAGE);
    }
    log_waiting(w, " found in storage");
    note(w);
}

/* The numbers as they are now. */
static void note(struct writer *w)
{
    struct record_info info;
    struct record_iter iter;
    struct slice oldest;
    size_t cursor = 0;
    struct journal_counters now = {
        .left_seq = w->windows_produced,
        .produced = w->windows_produced,
        .written = w->windows_written,
        .last_stamp_s = (uint64_t)w->last_stamp_ns / LIMPET_S_TO_NS(1),
    };
    if (w->journal.storage == NULL) {
        return;
    }
    if (spool_next(&w->spool, &cursor, &oldest) &&
        record_open(oldest, &info, &iter) == LIMPET_OK) {
        now.left_seq = info.seq - 1;
    }
    memcpy(now.dropped, w->dropped, sizeof w->dropped);
    journal_note(&w->journal, &now);
}

/* ---- Into the spool ---------------------------------------------------------------------------
 */

/* Counted first, then written in place: a record lies in one piece. What is in flight stays, else a
 * server that is slower than the windows come would never get a write to its end. */
static void store_window(struct writer *w, const struct record_info *info)
{
    struct out out;
    out_init_count(&out);
    record_encode(&out, w->metrics, info);
    size_t len = (size_t)out.total;
    size_t left = 0;
    bool in_flight = w->state == WRITER_SENDING;
    char *place = NULL;
    if (!in_flight || spool_has_room(&w->spool, len)) {
        place = spool_reserve(&w->spool, len, &left);
    }
    if (left > 0) {
        bisect_left(&w->bisect, left);
        drop(w, left, WRITER_DROP_MEMORY);
    }
    if (place == NULL) {
        drop(w, 1, len > SPOOL_RECORD_LEN_MAX ? WRITER_DROP_TOO_LONG : WRITER_DROP_MEMORY);
        note(w);
        return;
    }
    out_init(&out, place, len);
    record_encode(&out, w->metrics, info);
    assert(out_err(&out) == LIMPET_OK);
    spool_commit(&w->spool, len, batch_count_points(&w->batch, slice_of(place, len)));
    journal_append(&w->journal, info->seq, slice_of(place, len));
}

/* ---- Out of the spool -------------------------------------------------------------------------
 */

/* Sends the next batch, or rests when nothing waits. Without a wall clock nothing is dated, and
 * what is not dated is not sent. */
static void push(struct writer *w)
{
    if (spool_count(&w->spool) == 0 || w->unix_ns == 0) {
        rest(w);
        return;
    }
    batch_choose(&w->batch, bisect_count(&w->bisect));
    w->state = WRITER_SENDING;
    start_call(w, false);
}

static void rest(struct writer *w)
{
    if (w->stopping) {
        writer_give_up(w);
        return;
    }
    while (w->next_push_ns <= w->now_ns) {
        w->next_push_ns += w->config->ttl_ns;
    }
    w->state = WRITER_RESTING;
    timer_set(w->timers, &w->timer, w->next_push_ns, on_timer, w);
}

static void on_timer(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    push(ctx);
}

/* ---- The request ------------------------------------------------------------------------------
 */

static void start_call(struct writer *w, bool ping)
{
    w->status = 0;
    w->retry_after_s = 0;
    w->answer_len = 0;
    w->version[0] = '\0';
    batch_rewind(&w->batch, &w->call);
    struct client_request request = {
        .target = {.name = w->config->host.name,
                   .port = w->config->host.port,
                   .tls = w->config->host.tls,
                   .purpose = CLIENT_FOR_INFLUX},
        .safe_to_repeat = true, /* the same record is the same points */
        .framing = ping ? FRAMING_NONE : FRAMING_LENGTH,
        .length = ping ? 0 : w->batch.body_len,
        .ctx = w,
        .compose = ping ? compose_ping : compose_write,
        .event = on_event,
    };
    timer_set(w->timers, &w->call_timer, w->now_ns + LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS),
              on_deadline, w);
    client_start(w->client, &w->call, &request);
}

static void compose_ping(void *ctx, struct out *head)
{
    const struct writer *w = ctx;
    request_put_ping_head(head, w->config);
}

static void compose_write(void *ctx, struct out *head)
{
    const struct writer *w = ctx;
    request_put_write_head(head, w->config);
}

static void on_event(void *ctx, struct client_call *call)
{
    struct writer *w = ctx;
    if (call->state == CALL_SENDING && w->state == WRITER_SENDING) {
        batch_send(&w->batch);
    }
    if (call->state == CALL_BODY || call->state == CALL_DONE) {
        read_answer(w);
    }
    if (call->state == CALL_DONE) {
        end_call(w, LIMPET_OK);
    } else if (call->state == CALL_FAILED) {
        end_call(w, call->err);
    }
}

static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    end_call(ctx, LIMPET_ERR_TIMEOUT);
}

static void read_answer(struct writer *w)
{
    const struct message_head *head = client_head(&w->call);
    uint64_t seconds = 0;
    w->status = head->status;
    struct slice value = message_find(head, SLICE_LIT("Retry-After"));
    if (value.ptr != NULL && num_parse_u64(value, 86400, &seconds) == LIMPET_OK) {
        w->retry_after_s = (uint32_t)seconds;
    }
    value = message_find(head, SLICE_LIT("X-Influxdb-Version"));
    if (value.ptr != NULL) {
        struct slice text = slice_take(value, sizeof w->version - 1);
        memcpy(w->version, text.ptr, text.len);
        w->version[text.len] = '\0';
    }
    value = message_find(head, SLICE_LIT("Location"));
    if (value.ptr != NULL && w->status / 100 == 3 && w->answer_len == 0) {
        keep_answer(w, value);
    }
    for (struct slice body = client_peek(&w->call); body.len > 0; body = client_peek(&w->call)) {
        if (w->status / 100 != 3) {
            keep_answer(w, body);
        }
        client_consume(&w->call, body.len);
    }
}

/* As much as there is room for. */
static void keep_answer(struct writer *w, struct slice text)
{
    struct slice kept = slice_take(text, sizeof w->answer - w->answer_len);
    memcpy(w->answer + w->answer_len, kept.ptr, kept.len);
    w->answer_len += kept.len;
}

/* ---- What came of it --------------------------------------------------------------------------
 */

/* Harmless when none runs. */
static void take_back_call(struct writer *w)
{
    client_cancel(&w->call);
    timer_cancel(w->timers, &w->call_timer);
}

static void end_call(struct writer *w, int err)
{
    take_back_call(w);
    if (w->state == WRITER_PINGING) {
        end_ping(w, err);
    } else {
        end_write(w, err);
    }
}

/* The reference expects 204; proxies and InfluxDB 3 say other things, so it is only a word in the
 * log. */
static void end_ping(struct writer *w, int err)
{
    bool fine = err == LIMPET_OK && w->status >= 200 && w->status < 300;
    log_answer(w, fine ? LOG_INFO : LOG_WARN, fine ? "answers the ping" : "the ping failed", err);
    rest(w);
}

static void end_write(struct writer *w, int err)
{
    w->slow = false;
    w->writes_by_class[err == LIMPET_OK && w->status < 600 ? w->status / 100 : 0]++;
    if (err != LIMPET_OK) {
        failed(w, err);
        return;
    }
    uint64_t points = 0;
    enum outcome outcome = outcome_of(w->status, slice_of(w->answer, w->answer_len), &points);
    switch (outcome) {
    case OUTCOME_WRITTEN:
    case OUTCOME_PARTIAL:
        if (w->batch.sent) {
            written(w, outcome == OUTCOME_PARTIAL, points);
        } else {
            /* Nobody can have written what was not sent. */
            failed(w, LIMPET_ERR_SYNTAX);
        }
        break;
    case OUTCOME_REFUSED:
    case OUTCOME_TOO_LARGE:
        refused(w);
        break;
    case OUTCOME_KEEP:
        w->slow = true;
        failed(w, LIMPET_OK);
        break;
    case OUTCOME_AGAIN:
        failed(w, LIMPET_OK);
        break;
    }
}

static void written(struct writer *w, bool partial, uint64_t points_refused)
{
    if (partial && points_refused >= w->batch.points) {
        drop_refused(w);
        return;
    }
    if (partial) {
        log_answer(w, LOG_WARN, "some points were refused for good", LIMPET_OK);
    } else if (w->failures > 0) {
        log_answer(w, LOG_INFO, "takes windows again", LIMPET_OK);
    }
    w->writes_ok++;
    w->last_success_s = (uint64_t)w->unix_ns / LIMPET_S_TO_NS(1);
    w->bytes_written += w->batch.body_len;
    w->points_written += w->batch.points - points_refused;
    w->points_refused += points_refused;
    w->windows_written += w->batch.count;
    bisect_taken(&w->bisect, w->batch.count);
    pop_batch(w);
    push(w);
}

/* The server will never take this batch as it is: its windows go on in smaller ones, so that only
 * the window at fault is lost. */
static void refused(struct writer *w)
{
    size_t count = w->batch.count;
    if (w->status != 413) {
        bisect_refused(&w->bisect, count);
    } else if (count > 1) {
        bisect_too_long(&w->bisect, count);
    }
    if (count == 1) {
        drop_refused(w);
        return;
    }
    w->writes_failed++;
    push(w);
}

static void drop_refused(struct writer *w)
{
    log_answer(w, LOG_ERROR, "refused for good", LIMPET_OK);
    w->writes_failed++;
    drop(w, w->batch.count, WRITER_DROP_REFUSED);
    w->points_refused += w->batch.points;
    bisect_left(&w->bisect, w->batch.count);
    pop_batch(w);
    push(w);
}

/* The oldest windows are done with, and the server speaks to us. */
static void pop_batch(struct writer *w)
{
    for (size_t i = 0; i < w->batch.count; i++) {
        spool_pop(&w->spool);
    }
    w->batch.count = 0;
    w->failures = 0;
    w->backoff_ms = 0;
    w->logged_status = 0;
    if (spool_count(&w->spool) == 0) {
        bisect_init(&w->bisect);
    }
    note(w);
}

/* err LIMPET_OK: there was an answer, see w->status. */
static void failed(struct writer *w, int err)
{
    w->writes_failed++;
    w->failures++;
    unsigned what = err != LIMPET_OK ? (unsigned)-err : w->status;
    if (what != w->logged_status) {
        w->logged_status = what;
        bool redirect = err == LIMPET_OK && w->status / 100 == 3;
        log_answer(w, LOG_ERROR,
                   redirect ? "a write failed: redirects are not followed; the windows wait"
                            : "a write failed; the windows wait",
                   err);
    }
    size_t left = spool_limit_failed(&w->spool, w->batch.count, w->config->buffer_size);
    w->batch.count = 0;
    if (left > 0) {
        bisect_left(&w->bisect, left);
        drop(w, left, WRITER_DROP_NO_BUFFER);
        note(w);
    }
    if (w->stopping) {
        writer_give_up(w);
        return;
    }
    uint64_t wait_ns = backoff_ns(w);
    w->backoff_ms = wait_ns / LIMPET_MS_TO_NS(1);
    w->state = WRITER_WAITING;
    timer_set(w->timers, &w->timer, w->now_ns + wait_ns, on_timer, w);
}

/* From ttl / 5 (at least 1 s), or slowly from ttl (at least LIMPET_INFLUX_SLOW_S), doubling up to
 * the cap, less up to a quarter, so that a fleet does not come back in step; Retry-After wins. */
static uint64_t backoff_ns(struct writer *w)
{
    if (w->retry_after_s > 0) {
        return LIMPET_S_TO_NS(w->retry_after_s);
    }
    uint64_t cap_ns = LIMPET_S_TO_NS(LIMPET_INFLUX_BACKOFF_MAX_S);
    uint64_t least_ns = LIMPET_S_TO_NS(w->slow ? LIMPET_INFLUX_SLOW_S : 1u);
    uint64_t wait_ns = w->slow ? w->config->ttl_ns : w->config->ttl_ns / 5;
    wait_ns = wait_ns < least_ns ? least_ns : wait_ns;
    for (unsigned i = 1; i < w->failures && wait_ns < cap_ns; i++) {
        wait_ns *= 2;
    }
    wait_ns = wait_ns < cap_ns ? wait_ns : cap_ns;
    w->jitter = w->jitter * 1664525u + 1013904223u; /* Numerical Recipes' generator */
    return wait_ns - (wait_ns / 4 >> 16) * (w->jitter >> 16);
}

/* ---- Log --------------------------------------------------------------------------------------
 */

/* What is going to be done, in one line, before anything of it has worked. */
static void log_mode(struct writer *w)
{
    bool v2 = request_mode(w->config) == REQUEST_V2;
    struct out *out = log_begin(w->log, LOG_INFO, PREFIX);
    put_address(out, w);
    out_put(out, w->config->base_path);
    out_text(out, v2 ? ": API version 2, bucket \"" : ": API version 1, database \"");
    out_put(out, v2 ? w->config->bucket : w->config->db);
    if (v2 && w->config->org.len > 0) {
        out_text(out, "\", organization \"");
        out_put(out, w->config->org);
    }
    out_text(out, v2                             ? "\", with a token"
                  : w->config->username.len > 0 ? "\", with user name and password"
                                                : "\", without a user name");
    log_end(w->log);
}

static void put_address(struct out *out, const struct writer *w)
{
    out_text(out, w->config->host.tls ? "https://" : "http://");
    out_put(out, w->config->host.authority);
}

static void log_answer(struct writer *w, enum log_level level, const char *what, int err)
{
    struct out *out = log_begin(w->log, level, PREFIX);
    put_address(out, w);
    if (w->state == WRITER_PINGING) {
        request_put_ping_target(out, w->config);
    } else {
        request_put_write_target(out, w->config);
    }
    out_text(out, ": ");
    out_text(out, what);
    if (err != LIMPET_OK) {
        out_text(out, ": ");
        out_text(out, limpet_err_text(err));
    }
    if (w->status != 0) {
        out_text(out, ": status ");
        out_u64(out, w->status);
    }
    if (w->state == WRITER_PINGING && w->version[0] != '\0') {
        out_text(out, ", InfluxDB ");
        out_text(out, w->version);
    }
    if (w->answer_len > 0) {
        out_text(out, ": ");
        out_put(out, first_line(slice_of(w->answer, w->answer_len)));
    }
    log_end(w->log);
}

/* InfluxDB ends its error with a newline. */
static struct slice first_line(struct slice s)
{
    return slice_take(s, slice_find(s, '\n'));
}

static void log_waiting(struct writer *w, const char *where)
{
    size_t count = spool_count(&w->spool);
    struct out *out = log_begin(w->log, LOG_INFO, PREFIX);
    out_u64(out, count);
    out_text(out, count == 1 ? " window" : " windows");
    out_text(out, where);
    log_end(w->log);
}

static void drop(struct writer *w, size_t count, enum writer_drop why)
{
    static const char *const texts[WRITER_DROPS] = {
        [WRITER_DROP_MEMORY] = "the buffer's memory is full",
        [WRITER_DROP_NO_BUFFER] = "buffer_size allows no more failed datapoints",
        [WRITER_DROP_REFUSED] = "InfluxDB will never take it",
        [WRITER_DROP_STORAGE] = "the restart did not find its record, or the endpoints are others",
        [WRITER_DROP_STOPPED] = "stopped before InfluxDB took them",
        [WRITER_DROP_TOO_LONG] = "it is larger than the buffer",
    };
    struct out *out = log_begin(w->log, LOG_ERROR, PREFIX);
    out_u64(out, count);
    out_text(out, count == 1 ? " window dropped: " : " windows dropped: ");
    out_text(out, texts[why]);
    log_end(w->log);
    w->windows_dropped += count;
    w->dropped[why] += count;
}
