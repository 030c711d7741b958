/* The writer between the real metrics table and a client whose server the test plays.
 *
 * Each window gets at least one request, so its pair (count, total) in the line of the pipe names
 * it. What arrives is taken apart by its time stamps and held against what was recorded. */
#ifndef WRITER_WORLD_H
#define WRITER_WORLD_H

#include "check.h"
#include "fakes/fake_client.h"
#include "influx/writer.h"
#include "metrics/registry.h"

#include <stdlib.h>

#ifndef COLLECTION_NS
#define COLLECTION_NS LIMPET_S_TO_NS(1)
#endif
#define UNIX_BASE_NS INT64_C(1795339220500000000)
#define KEY "requests,complete=true,error=false,host=vm,layer=pipe,name=/a count="

enum { WINDOWS_MAX = 6000, WINDOW_TEXT_MAX = 6000 };

/* One window, by its number from 1. */
struct window {
    int64_t total;
    uint64_t text_hash; /* of its lines when they first arrived whole; 0: never yet */
    long long stamp_s;
    bool acknowledged; /* the writer was told that it is written */
};

static struct metrics metrics;
static struct proxy_series *series;
static struct endpoint_series *endpoint;
static struct client client;
static struct timers timers;
static struct timer *timer_heap[8];
static struct log log_of_test;
static char log_text[200000];
static size_t log_len;
static struct config_influx config;
static struct writer writer;
static struct window windows[WINDOWS_MAX + 1];
static size_t window_count;
static int64_t recorded_total;
static uint64_t now_ns;
static int64_t clock_offset_ns; /* wall - monotonic; 0: the wall clock is not known */
static uint32_t seed;

/* ---- The world --------------------------------------------------------------------------------
 */

static inline uint32_t pick(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static inline bool sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    if (line.len + 2 < sizeof log_text - log_len) {
        memcpy(log_text + log_len, line.ptr, line.len);
        log_len += line.len;
        log_text[log_len++] = '\n';
        log_text[log_len] = '\0';
    }
    return true;
}

static inline bool logged(const char *text)
{
    return strstr(log_text, text) != NULL;
}

static inline void forget_log(void)
{
    log_len = 0;
    log_text[0] = '\0';
}

static inline void set_time(void)
{
    int64_t unix_ns = clock_offset_ns == 0 ? 0 : clock_offset_ns + (int64_t)now_ns;
    writer_set_time(&writer, now_ns, unix_ns);
}

/* A start: nothing of the one before is left in RAM, and the monotonic clock begins again. */
static inline void boot(int64_t offset_ns)
{
    const struct metrics_options options = {.collection_time_ns = COLLECTION_NS};
    memset(&metrics, 0, sizeof metrics);
    memset(&writer, 0, sizeof writer);
    fake_client_reset();
    now_ns = LIMPET_S_TO_NS(100);
    clock_offset_ns = offset_ns;
    recorded_total = 0;
    metrics_init(&metrics, &options, now_ns);
    series = metrics_open_proxy(&metrics, METRICS_PIPE, SLICE_LIT("/a"));
    endpoint = metrics_open_endpoint(&metrics, SLICE_LIT("/a"));
    log_init(&log_of_test, sink, NULL, LOG_DEBUG);
    timers_init(&timers, timer_heap, sizeof timer_heap / sizeof timer_heap[0]);
    writer_init(&writer, &config, &metrics, &client, &timers, &log_of_test, SLICE_LIT("vm"));
    set_time();
}

static inline void set_up_with_clock(uint64_t ttl_ns, uint32_t buffer_size, int64_t offset_ns)
{
    memset(windows, 0, sizeof windows);
    forget_log();
    window_count = 0;
    config = (struct config_influx){
        .enabled = true,
        .host = {.name = SLICE_LIT("influx"), .authority = SLICE_LIT("influx:8086"), .port = 8086},
        .ttl_ns = ttl_ns,
        .db = SLICE_LIT("krakend"),
        .buffer_size = buffer_size,
    };
    boot(offset_ns);
}

static inline void set_up(uint64_t ttl_ns, uint32_t buffer_size)
{
    set_up_with_clock(ttl_ns, buffer_size, UNIX_BASE_NS);
}

static inline struct fake_call *running(void)
{
    return fake_call_count > 0 && fake_calls[fake_call_count - 1].call != NULL
               ? &fake_calls[fake_call_count - 1]
               : NULL;
}

/* Keeps the call that runs, as the only one: the fake has room for some only. */
static inline void forget_ended_calls(void)
{
    static struct fake_call kept;
    if (fake_call_count < FAKE_CALLS_MAX - 10) {
        return;
    }
    if (running() != NULL) {
        kept = *running();
        fake_client_reset();
        fake_calls[0] = kept;
        fake_call_count = 1;
    } else {
        fake_client_reset();
    }
}

/* produced = written + dropped + waiting; one call at most; a call runs in the states that have
 * one. */
static inline void check_writer(void)
{
    size_t calls = 0;
    for (size_t i = 0; i < fake_call_count; i++) {
        calls += fake_calls[i].call != NULL ? 1 : 0;
    }
    bool calling = writer.state == WRITER_SENDING || writer.state == WRITER_PINGING;
    bool resting = writer.state == WRITER_RESTING || writer.state == WRITER_WAITING;
    CHECK_EQ_UINT(writer.store.windows_produced, window_count);
    CHECK_EQ_UINT(writer.store.windows_produced,
                  writer.store.windows_written + writer.store.windows_dropped +
                      store_count(&writer.store));
    CHECK_EQ_UINT(writer.store.windows_waiting, store_count(&writer.store));
    uint64_t dropped = 0;
    for (size_t i = 0; i < STORE_DROPS; i++) {
        dropped += writer.store.dropped[i];
    }
    CHECK_EQ_UINT(writer.store.windows_dropped, dropped);
    CHECK_EQ_UINT(calls, calling ? 1 : 0);
    CHECK_EQ_INT(timer_is_set(&writer.call_timer), calling);
    CHECK_EQ_INT(timer_is_set(&writer.timer), resting);
}

static inline void advance(uint64_t step_ns)
{
    now_ns += step_ns;
    set_time();
    timers_expire(&timers, now_ns, 8);
    check_writer();
}

static inline void record_requests(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t size = 10 + pick(1000);
        metrics_record_proxy(&metrics, series, true, false, 1000 + pick(1000000));
        metrics_record_response(&metrics, endpoint, 200, size, 1000 + pick(1000000));
    }
    recorded_total += count;
}

static inline void note_window(void)
{
    window_count++;
    windows[window_count].total = recorded_total;
    writer_window(&writer);
    check_writer();
}

/* Lets the running window end with `count` more requests in it. */
static inline void close_window(uint32_t count)
{
    record_requests(count);
    uint64_t due_ns = metrics_next_tick_ns(&metrics);
    if (due_ns > now_ns) {
        advance(due_ns - now_ns);
    }
    CHECK(metrics_tick(&metrics, now_ns));
    note_window();
}

/* At once, as a clean stop does. */
static inline void close_running_window(void)
{
    record_requests(1);
    metrics_close_window(&metrics, now_ns);
    note_window();
}

static inline void start(void)
{
    writer_start(&writer);
    struct fake_call *ping = running();
    CHECK(ping != NULL && writer.state == WRITER_PINGING);
    fake_call_connect(ping);
    fake_call_answer(ping, 204, "", "", true);
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
    check_writer();
}

/* Until the writer calls. */
static inline struct fake_call *next_call(void)
{
    for (unsigned i = 0; i < 1000 && running() == NULL; i++) {
        uint64_t due_ns = timers_next_ns(&timers);
        advance(due_ns > now_ns ? due_ns - now_ns : 0);
    }
    struct fake_call *f = running();
    CHECK(f != NULL);
    if (f == NULL) {
        abort();
    }
    return f;
}

/* Connects and takes the whole body, at most `room` bytes at a time. */
static inline void take_body(struct fake_call *f, size_t room)
{
    f->room = room;
    fake_call_connect(f);
    while (f->call != NULL && !f->sent_end && f->sent_len < f->request.length + 1) {
        f->room = room;
        f->request.event(f->request.ctx, f->call);
    }
    CHECK(f->sent_end);
    CHECK_EQ_UINT(f->sent_len, f->request.length);
    CHECK_EQ_INT(f->request.framing, FRAMING_LENGTH);
}

/* ---- What arrives -----------------------------------------------------------------------------
 */

static inline uint64_t hash(const char *bytes, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    }
    return h | 1u;
}

static inline long long stamp_of_line(const char *line, size_t len)
{
    size_t at = len;
    while (at > 0 && line[at - 1] != ' ') {
        at--;
    }
    return strtoll(line + at, NULL, 10);
}

/* The number of the window in `text`, by its totals; 0: none. */
static inline size_t find_window(const char *text, size_t len)
{
    static char copy[WINDOW_TEXT_MAX + 1];
    if (!CHECK(len <= WINDOW_TEXT_MAX)) {
        return 0;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    const char *line = strstr(copy, KEY);
    if (!CHECK(line != NULL)) {
        return 0;
    }
    char *end;
    long long count = strtoll(line + strlen(KEY), &end, 10);
    CHECK(strncmp(end, "i,total=", 8) == 0);
    long long total = strtoll(end + 8, NULL, 10);
    size_t low = 1;
    size_t high = window_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (windows[middle].total < total) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    CHECK_EQ_INT(windows[low].total, total);
    CHECK_EQ_INT(windows[low].total - windows[low - 1].total, count);
    return low;
}

static inline void note_arrived(const char *text, size_t len, long long stamp_s, bool acknowledged)
{
    size_t n = find_window(text, len);
    struct window *w = &windows[n];
    uint64_t text_hash = hash(text, len);
    CHECK(!w->acknowledged);
    CHECK(w->text_hash == 0 || w->text_hash == text_hash);
    w->text_hash = text_hash;
    w->stamp_s = stamp_s;
    w->acknowledged = acknowledged;
    for (size_t i = n - 1; i > 0 && i + 50 > n; i--) {
        CHECK(windows[i].text_hash == 0 || windows[i].stamp_s < stamp_s);
    }
    for (size_t i = n + 1; acknowledged && i <= window_count; i++) {
        CHECK(!windows[i].acknowledged);
    }
}

/* Takes a body apart: lines of one stamp are one window, in order. Returns how many. */
static inline size_t note_body(const struct fake_call *f, bool acknowledged)
{
    size_t found = 0;
    size_t from = 0;
    size_t at = 0;
    long long stamp_s = 0;
    while (at < f->sent_len) {
        const char *line = f->sent + at;
        size_t len = slice_find(slice_of(line, f->sent_len - at), '\n');
        CHECK(at + len < f->sent_len);
        long long stamp = stamp_of_line(line, len);
        if (at > 0 && stamp != stamp_s) {
            CHECK(stamp > stamp_s);
            note_arrived(f->sent + from, at - from, stamp_s, acknowledged);
            found++;
            from = at;
        }
        stamp_s = stamp;
        at += len + 1;
    }
    note_arrived(f->sent + from, at - from, stamp_s, acknowledged);
    return found + 1;
}

static inline void deliver(struct fake_call *f)
{
    uint64_t written = writer.store.windows_written;
    take_body(f, SIZE_MAX);
    size_t found = note_body(f, true);
    fake_call_answer(f, 204, "", "", true);
    CHECK_EQ_UINT(writer.store.windows_written, written + found);
    check_writer();
}

static inline void answer(struct fake_call *f, unsigned status, const char *fields,
                          const char *body)
{
    take_body(f, SIZE_MAX);
    note_body(f, false);
    fake_call_answer(f, status, fields, body, true);
    check_writer();
}

static inline void answer_next(unsigned status, const char *fields, const char *body)
{
    answer(next_call(), status, fields, body);
}

/* Everything that waits arrives. */
static inline void drain(void)
{
    while (spool_count(&writer.store.spool) > 0) {
        deliver(next_call());
        forget_ended_calls();
    }
}

static inline size_t acknowledged_count(void)
{
    size_t count = 0;
    for (size_t i = 1; i <= window_count; i++) {
        count += windows[i].acknowledged ? 1 : 0;
    }
    return count;
}

/* A writer that rests, with so many windows that wait. */
static inline void start_with(unsigned window_total, uint32_t buffer_size)
{
    set_up(LIMPET_S_TO_NS(20), buffer_size);
    start();
    for (unsigned i = 0; i < window_total; i++) {
        close_window(1 + i);
    }
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
}

#endif
