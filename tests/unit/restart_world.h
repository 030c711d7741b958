/* The writer over restarts, on storage whose power can go.
 *
 * Every window holds one request whose latency is the window's number, so that its line names it
 * over all starts. `truth_ns` is the time that a perfect clock would show. */
#ifndef RESTART_WORLD_H
#define RESTART_WORLD_H

#include "fakes/fake_flash.h"
#include "writer_world.h"

#define TRUTH_BASE_NS INT64_C(1795339200000000000)

/* One window, by its number from 1. */
struct lived {
    long long closed_s; /* true time */
    long long stamp_s;  /* as it arrived; 0: never */
    uint64_t text_hash; /* of its lines when they first arrived */
    uint32_t boot;
    bool acknowledged;
};

static struct lived lived[WINDOWS_MAX + 1];
static int64_t boot_truth_ns; /* truth - monotonic, of this start */
static uint32_t boot_count;
static bool with_storage;

static inline int64_t truth_ns(void)
{
    return boot_truth_ns + (int64_t)now_ns;
}

/* The clock as this start sees it: `error_ns` off, or not known. */
static inline void set_clock(bool known, int64_t error_ns)
{
    clock_offset_ns = known ? boot_truth_ns + error_ns : 0;
    set_time();
}

/* Starts `off_ns` after the end of the start before. */
static inline void start_again(int64_t off_ns, bool clock_known)
{
    int64_t ended_ns = boot_count == 0 ? TRUTH_BASE_NS : truth_ns();
    boot(0);
    boot_truth_ns = ended_ns + off_ns - (int64_t)now_ns;
    boot_count++;
    set_clock(clock_known, 0);
    if (with_storage) {
        writer_use_storage(&writer, &fake_flash_storage);
    }
    writer_start(&writer);
    CHECK_EQ_UINT(writer.store.windows_produced, window_count);
    fake_call_connect(running());
    fake_call_answer(running(), 204, "", "", true);
    check_writer();
}

static inline void first_start(uint64_t ttl_ns, uint32_t buffer_size, bool storage,
                               bool clock_known)
{
    set_up(ttl_ns, buffer_size);
    memset(lived, 0, sizeof lived);
    fake_flash_new();
    with_storage = storage;
    boot_count = 0;
    start_again(0, clock_known);
}

/* The window ends at its time, with one request in it. */
static inline void live_window(void)
{
    metrics_record_proxy(&metrics, series, true, false, (int64_t)window_count + 1);
    uint64_t due_ns = metrics_next_tick_ns(&metrics);
    while (due_ns > now_ns) {
        uint64_t timer_ns = timers_next_ns(&timers);
        uint64_t next_ns = timer_ns < due_ns ? timer_ns : due_ns;
        if (running() != NULL) {
            fake_call_fail(running(), LIMPET_ERR_REFUSED);
        }
        advance(next_ns > now_ns ? next_ns - now_ns : 0);
        forget_ended_calls();
    }
    CHECK(metrics_tick(&metrics, now_ns));
    window_count++;
    lived[window_count] =
        (struct lived){.closed_s = (truth_ns() / INT64_C(1000000000)), .boot = boot_count};
    writer_window(&writer);
    check_writer();
}

/* ---- What arrives -----------------------------------------------------------------------------
 */

static inline size_t number_of(const char *text, size_t len)
{
    static const char key[] = "layer=pipe,name=/a max=";
    for (size_t at = 0; at + sizeof key < len; at++) {
        if (memcmp(text + at, key, sizeof key - 1) == 0) {
            return (size_t)strtoull(text + at + sizeof key - 1, NULL, 10);
        }
    }
    return 0;
}

static inline void note_lines(const char *text, size_t len, long long stamp_s, bool acknowledged)
{
    size_t n = number_of(text, len);
    if (!CHECK(n >= 1 && n <= window_count)) {
        return;
    }
    struct lived *w = &lived[n];
    uint64_t text_hash = hash(text, len);
    CHECK(w->text_hash == 0 || w->text_hash == text_hash);
    CHECK(w->stamp_s == 0 || w->stamp_s == stamp_s);
    w->text_hash = text_hash;
    w->stamp_s = stamp_s;
    w->acknowledged = w->acknowledged || acknowledged;
}

/* Takes the body of the write; `acknowledged`: the server keeps it. */
static inline void take_windows(struct fake_call *f, bool acknowledged)
{
    size_t from = 0;
    long long stamp_s = 0;
    take_body(f, SIZE_MAX);
    for (size_t at = 0; at < f->sent_len;) {
        size_t len = slice_find(slice_of(f->sent + at, f->sent_len - at), '\n');
        long long stamp = stamp_of_line(f->sent + at, len);
        if (at > from && stamp != stamp_s) {
            CHECK(stamp > stamp_s);
            note_lines(f->sent + from, at - from, stamp_s, acknowledged);
            from = at;
        }
        stamp_s = stamp;
        at += len + 1;
    }
    note_lines(f->sent + from, f->sent_len - from, stamp_s, acknowledged);
}

/* Everything is sent, the answer is lost. */
static inline void lose_answer(struct fake_call *f)
{
    take_windows(f, false);
    fake_call_fail(f, LIMPET_ERR_RESET);
}

static inline void deliver_all(void)
{
    while (store_count(&writer.store) > 0) {
        struct fake_call *f = next_call();
        take_windows(f, true);
        fake_call_answer(f, 204, "", "", true);
        check_writer();
        forget_ended_calls();
    }
}

/* Every window arrived, and the stamps strictly increase. */
static inline void check_all_arrived(void)
{
    for (size_t i = 1; i <= window_count; i++) {
        CHECK(lived[i].acknowledged);
        CHECK(lived[i].stamp_s > lived[i - 1].stamp_s);
        CHECK(lived[i].stamp_s >= LIMPET_BUILD_UNIX_S);
    }
    CHECK_EQ_UINT(writer.store.windows_dropped, 0);
    CHECK(!fake_flash.set_bits);
}

#endif
