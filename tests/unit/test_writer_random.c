/* Thousands of windows against a server and a link that do whatever they like: at every step
 * produced = written + dropped + waiting, and what was answered 204 arrived once, in order, with
 * the same bytes each time it was sent. */
#include "writer_world.h"

/* ---- Everything at once -----------------------------------------------------------------------
 */

/* The server's turn: it does one thing of those that happen. */
static void serve(struct fake_call *f)
{
    static const struct {
        unsigned status;
        const char *fields, *body;
    } rows[] = {
        {500, "", "internal"},  {503, "Retry-After: 3\n", ""},
        {429, "", ""},          {400, "", "unable to parse"},
        {413, "", ""},          {401, "Retry-After: 2\n", "authorization"},
        {404, "", "not found"}, {503, "", "unavailable"},
    };
    uint32_t what = pick(100);
    if (writer.state == WRITER_PINGING || what < 8) {
        fake_call_fail(f, LIMPET_ERR_REFUSED);
    } else if (what < 14) {
        f->room = pick((uint32_t)f->request.length);
        fake_call_connect(f);
        fake_call_fail(f, LIMPET_ERR_RESET);
    } else if (what < 20) {
        f->room = pick((uint32_t)f->request.length);
        fake_call_connect(f);
        fake_call_answer(f, what < 17 ? 413 : 204, "", "", true);
    } else if (what < 30) {
        /* The server took it, but its answer was lost. */
        take_body(f, 1 + pick(5000));
        note_body(f, false);
        fake_call_fail(f, LIMPET_ERR_RESET);
    } else if (what < 34) {
        take_body(f, SIZE_MAX);
        note_body(f, true);
        fake_call_answer(f, 400, "", "partial write: dropped=2", true);
    } else if (what < 55) {
        size_t row = pick(sizeof rows / sizeof rows[0]);
        take_body(f, 1 + pick(5000));
        note_body(f, false);
        fake_call_answer(f, rows[row].status, rows[row].fields, rows[row].body, true);
    } else {
        take_body(f, what < 60 ? 1 + pick(100) : SIZE_MAX);
        note_body(f, true);
        fake_call_answer(f, 204, "", "", true);
    }
    check_writer();
}

static void test_random(uint32_t run_seed, uint64_t ttl_ns, uint32_t buffer_size)
{
    set_up(ttl_ns, buffer_size);
    seed = run_seed;
    writer_start(&writer);
    bool up = true;
    while (window_count < 1500) {
        record_requests(1 + pick(4));
        advance(LIMPET_MS_TO_NS(pick(700)));
        up = pick(60) == 0 ? !up : up;
        if (pick(200) == 0) {
            clock_offset_ns += (int64_t)pick(7200) * INT64_C(1000000000) - INT64_C(3600000000000);
        }
        if (metrics_tick(&metrics, now_ns)) {
            note_window();
        }
        struct fake_call *f = running();
        if (f != NULL && up) {
            serve(f);
        }
        forget_ended_calls();
    }
    size_t waiting = spool_count(&writer.store.spool);
    CHECK(waiting < window_count);
    while (!writer_stopped(&writer)) {
        if (!writer.stopping) {
            writer_stop(&writer);
        } else {
            deliver(running());
            forget_ended_calls();
        }
    }
    CHECK_EQ_UINT(spool_count(&writer.store.spool), 0);
    CHECK_EQ_UINT(acknowledged_count(), writer.store.windows_written);
    CHECK_EQ_UINT(window_count, writer.store.windows_written + writer.store.windows_dropped);
    CHECK(writer.store.windows_written > 100);
    CHECK_EQ_UINT(timers.count, 0);
}

int main(void)
{
    for (uint32_t i = 1; i <= 4; i++) {
        test_random(i, LIMPET_S_TO_NS(i), i == 1 ? 0 : 50 * i * i * i);
    }
    return check_result();
}
