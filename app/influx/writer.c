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
#include "influx/request.h"

#include <assert.h>
#include <string.h>

/* A push comes this long after the window's close when ttl and collection_time are equal. */
#define PUSH_PHASE_NS LIMPET_MS_TO_NS(200)
#define RETRY_AFTER_MAX_S 86400u

static uint64_t phase_ns(const struct writer *w);
static void push(struct writer *w);
static void rest(struct writer *w);
static void on_timer(struct timer *timer, void *ctx, uint64_t now_ns);
static void start_call(struct writer *w, bool ping);
static void set_deadline(struct writer *w);
static void compose_ping(void *ctx, struct out *head);
static void compose_write(void *ctx, struct out *head);
static void on_event(void *ctx, struct client_call *call);
static void send_body(struct writer *w);
static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns);
static void read_answer(struct writer *w);
static uint32_t retry_after_s(const struct writer *w, struct slice value);
static void keep_answer(struct writer *w, struct slice text);
static void take_back_call(struct writer *w);
static void end_call(struct writer *w, int err);
static void end_ping(struct writer *w, int err);
static void end_write(struct writer *w, int err);
static void written(struct writer *w, bool partial);
static size_t count_outdated(const struct writer *w);
static void refused(struct writer *w);
static void drop_refused(struct writer *w);
static void end_batch(struct writer *w);
static void failed(struct writer *w, int err);
static const char *failure_text(const struct writer *w, int err);
static uint64_t backoff_ns(struct writer *w);
static void log_answer(struct writer *w, enum log_level level, const char *what, int err);
static void log_refused(struct writer *w, enum log_level level, const char *what);
static void log_mode(struct writer *w);
static void put_address(struct out *out, const struct writer *w);
static struct slice first_line(struct slice s);

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
    store_init(&w->store, metrics, log);
    batch_init(&w->batch, &w->store.spool, metrics,
               influx->host_tag.len > 0 ? influx->host_tag : host_name);
}

void writer_start(struct writer *w)
{
    if (!w->config->enabled) {
        return;
    }
    w->jitter = crc32_update((uint32_t)w->now_ns, w->host_name.ptr, w->host_name.len);
    w->next_push_ns = w->now_ns + w->config->ttl_ns + PUSH_PHASE_NS + phase_ns(w);
    store_open(&w->store, w->storage, w->config->drop_estimated, w->now_ns);
    store_set_clock(&w->store, w->now_ns, w->unix_ns);
    w->last_success_ns = w->now_ns;
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
    w->now_ns = now_ns;
    w->unix_ns = unix_ns;
    store_set_clock(&w->store, now_ns, unix_ns);
}

void writer_window(struct writer *w)
{
    if (w->state != WRITER_OFF && w->state != WRITER_STOPPED) {
        w->last_success_age_s = (w->now_ns - w->last_success_ns) / LIMPET_S_TO_NS(1);
        bisect_left(&w->bisect, store_add(&w->store, w->state == WRITER_SENDING));
    }
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
    store_close(&w->store);
    w->state = WRITER_STOPPED;
}

bool writer_stopped(const struct writer *w)
{
    return w->state == WRITER_OFF || w->state == WRITER_STOPPED;
}

void writer_use_storage(struct writer *w, const struct port_storage *storage)
{
    w->storage = storage;
}

/* ---- Out of the store -------------------------------------------------------------------------
 */

/* Sends the next batch, or rests when nothing waits that may be sent: without a wall clock nothing
 * has a date. */
static void push(struct writer *w)
{
    size_t left = 0;
    bool ready = store_ready(&w->store, &left);
    bisect_left(&w->bisect, left);
    if (!ready) {
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
    w->refused = 0;
    w->text = (struct outcome_text){0};
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
    set_deadline(w);
    client_start(w->client, &w->call, &request);
}

static void set_deadline(struct writer *w)
{
    timer_set(w->timers, &w->call_timer, w->now_ns + LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS),
              on_deadline, w);
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
        send_body(w);
    }
    if (call->state == CALL_BODY || call->state == CALL_DONE) {
        read_answer(w);
    }
    if (call->state == CALL_DONE) {
        end_call(w, LIMPET_OK);
    } else if (call->state == CALL_FAILED && call->outdated && w->state == WRITER_SENDING) {
        take_back_call(w); /* nobody else's connections: the next one is new */
        start_call(w, false);
    } else if (call->state == CALL_FAILED) {
        end_call(w, call->err);
    }
}

/* A slow upload that moves on is not cut. */
static void send_body(struct writer *w)
{
    uint64_t taken = w->batch.taken;
    batch_send(&w->batch);
    if (w->batch.taken > taken) {
        set_deadline(w);
    }
}

/* Less may pass in time: what the connection took may be far from the server yet. */
static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns)
{
    struct writer *w = ctx;
    (void)timer;
    (void)now_ns;
    if (w->batch.taken > 0) {
        bisect_too_long(&w->bisect, w->batch.count);
    }
    end_call(w, LIMPET_ERR_TIMEOUT);
}

static void read_answer(struct writer *w)
{
    const struct message_head *head = client_head(&w->call);
    w->status = head->status;
    struct slice value = message_find(head, SLICE_LIT("Retry-After"));
    if (value.ptr != NULL) {
        w->retry_after_s = retry_after_s(w, value);
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
        outcome_text_feed(&w->text, body);
        if (w->status / 100 != 3) {
            keep_answer(w, body);
        }
        client_consume(&w->call, body.len);
    }
}

/* Seconds, or the date when (RFC 9110 section 10.2.3); a day at most, so that a server's mistake
 * does not silence us for long. 0: neither. */
static uint32_t retry_after_s(const struct writer *w, struct slice value)
{
    uint64_t seconds = 0;
    int64_t at_s = 0;
    int64_t now_s = (int64_t)store_unix_s(&w->store, w->now_ns);
    int err = num_parse_u64(value, RETRY_AFTER_MAX_S, &seconds);
    if (message_read_date(value, &at_s) == LIMPET_OK && now_s > 0) {
        seconds = at_s > now_s ? (uint64_t)(at_s - now_s) : 0;
    }
    return err == LIMPET_ERR_RANGE || seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S
                                                                  : (uint32_t)seconds;
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
    enum outcome outcome = outcome_of(w->status, &w->text, &w->refused);
    switch (outcome) {
    case OUTCOME_WRITTEN:
    case OUTCOME_PARTIAL:
        if (w->batch.sent) {
            written(w, outcome == OUTCOME_PARTIAL);
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

static void written(struct writer *w, bool partial)
{
    if (partial && w->refused >= w->batch.points) {
        drop_refused(w);
        return;
    }
    if (partial) {
        log_answer(w, LOG_WARN, "some points were refused for good", LIMPET_OK);
    } else if (w->failures > 0) {
        log_answer(w, LOG_INFO, "takes windows again", LIMPET_OK);
    }
    w->writes_ok++;
    w->last_success_s = store_unix_s(&w->store, w->now_ns);
    w->last_success_ns = w->now_ns;
    w->bytes_written += w->batch.body_len;
    w->points_written += w->batch.points - w->refused;
    w->points_refused += w->refused;
    bisect_taken(&w->bisect, w->batch.count);
    size_t outdated = count_outdated(w);
    if (outdated > 0) {
        store_drop(&w->store, outdated, STORE_DROP_REFUSED);
    }
    store_written(&w->store, w->batch.count - outdated);
    end_batch(w);
    push(w);
}

/* Windows of the batch that the server refused as older than what it keeps: these are its oldest.
 */
static size_t count_outdated(const struct writer *w)
{
    struct spool_cursor cursor = {0};
    struct slice record;
    uint64_t refused = w->text.retention ? w->refused : 0;
    size_t count = 0;
    while (count < w->batch.count && spool_next(&w->store.spool, &cursor, &record)) {
        uint32_t points = spool_points(&w->store.spool, record);
        if (points > refused) {
            break;
        }
        refused -= points;
        count++;
    }
    return count;
}

/* The server will never take this batch as it is: its windows go on in smaller ones, so that only
 * the window at fault is lost. */
static void refused(struct writer *w)
{
    size_t count = w->batch.count;
    if (count > 1 && !bisect_knows(&w->bisect)) {
        log_refused(w, LOG_WARN, "refused; it is sent again in parts");
    }
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
    log_refused(w, LOG_ERROR, "refused for good");
    w->writes_failed++;
    w->points_refused += w->batch.points;
    bisect_left(&w->bisect, w->batch.count);
    store_drop(&w->store, w->batch.count, STORE_DROP_REFUSED);
    end_batch(w);
    push(w);
}

/* Its windows are done with, and the server speaks to us. */
static void end_batch(struct writer *w)
{
    w->batch.count = 0;
    w->failures = 0;
    w->backoff_ms = 0;
    w->logged_status = 0;
    if (store_count(&w->store) == 0) {
        bisect_init(&w->bisect);
    }
}

/* err LIMPET_OK: there was an answer, see w->status. */
static void failed(struct writer *w, int err)
{
    w->writes_failed++;
    w->failures++;
    unsigned what = err != LIMPET_OK ? (unsigned)-err : w->status;
    if (what != w->logged_status) {
        w->logged_status = what;
        log_answer(w, LOG_ERROR, failure_text(w, err), err);
    }
    size_t left = store_failed(&w->store, w->batch.count, w->config->buffer_size);
    w->batch.count = 0;
    bisect_left(&w->bisect, left);
    if (w->stopping) {
        writer_give_up(w);
        return;
    }
    uint64_t wait_ns = backoff_ns(w);
    w->backoff_ms = wait_ns / LIMPET_MS_TO_NS(1);
    w->state = WRITER_WAITING;
    timer_set(w->timers, &w->timer, w->now_ns + wait_ns, on_timer, w);
}

/* What becomes of the windows when buffer_size is 0 is a line of its own. */
static const char *failure_text(const struct writer *w, int err)
{
    bool wait = w->config->buffer_size > 0;
    if (err == LIMPET_OK && w->status / 100 == 3) {
        return wait ? "a write failed: redirects are not followed; the windows wait"
                    : "a write failed: redirects are not followed";
    }
    return wait ? "a write failed; the windows wait" : "a write failed";
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
    struct out *out = log_begin(w->log, LOG_INFO, STORE_LOG_PREFIX);
    put_address(out, w);
    out_put(out, w->config->base_path);
    out_text(out, v2 ? ": API version 2, bucket \"" : ": API version 1, database \"");
    out_put(out, v2 ? w->config->bucket : w->config->db);
    if (v2 && w->config->org.len > 0) {
        out_text(out, "\", organization \"");
        out_put(out, w->config->org);
    }
    out_text(out, v2                            ? "\", with a token"
                  : w->config->username.len > 0 ? "\", with user name and password"
                                                : "\", without a user name");
    log_end(w->log);
}

static void log_refused(struct writer *w, enum log_level level, const char *what)
{
    char text[100];
    struct out out;
    out_init(&out, text, sizeof text);
    out_u64(&out, w->batch.count);
    out_text(&out, w->batch.count == 1 ? " window, " : " windows, ");
    out_u64(&out, w->batch.body_len);
    out_text(&out, " bytes: ");
    out_text(&out, what);
    out_char(&out, '\0');
    assert(out_err(&out) == LIMPET_OK);
    log_answer(w, level, text, LIMPET_OK);
}

static void put_address(struct out *out, const struct writer *w)
{
    out_text(out, w->config->host.tls ? "https://" : "http://");
    out_put(out, w->config->host.authority);
}

static void log_answer(struct writer *w, enum log_level level, const char *what, int err)
{
    struct out *out = log_begin(w->log, level, STORE_LOG_PREFIX);
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
    if (w->refused > 0) {
        out_text(out, ", points refused ");
        out_u64(out, w->refused);
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
