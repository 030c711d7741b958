/* The writer on a slow link, and on a connection that was over. */
#include "writer_world.h"

/* The deadline counts from the last bytes that the connection took. */
static void test_slow_upload(void)
{
    start_with(3, 1000000);
    struct fake_call *f = next_call();
    f->room = 100;
    fake_call_connect(f);
    while (!f->sent_end) {
        advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS) - 1);
        CHECK_EQ_INT(writer.state, WRITER_SENDING);
        f->request.event(f->request.ctx, f->call); /* nothing was taken: no progress */
        f->room = 1000;
        f->request.event(f->request.ctx, f->call);
    }
    advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS) - 1);
    CHECK_EQ_UINT(note_body(f, true), 3);
    fake_call_answer(f, 204, "", "", true);
    CHECK_EQ_UINT(writer.store.windows_written, 3);
    CHECK_EQ_UINT(writer.writes_failed, 0);
}

/* What was not answered in time goes in smaller and smaller parts, down to one window; they grow
 * again. When nothing of it was taken nothing is learned. */
static void test_unanswered_is_halved(void)
{
    start_with(0, 1000000);
    for (unsigned i = 0; i < 9; i++) {
        close_running_window();
    }
    size_t count = 0;
    for (unsigned i = 0; i < 6; i++) {
        struct fake_call *f = next_call();
        CHECK(i > 0 || writer.batch.count >= 4);
        count = i == 0 ? writer.batch.count : i > 1 && count > 1 ? count / 2 : count;
        CHECK_EQ_UINT(writer.batch.count, count);
        if (i > 0) {
            take_body(f, SIZE_MAX);
            note_body(f, false);
        }
        advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS));
        CHECK_EQ_INT(writer.state, WRITER_WAITING);
    }
    deliver(next_call());
    CHECK_EQ_UINT(writer.batch.count, 2);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    note_body(f, true);
    advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS) / 2 + 1);
    fake_call_answer(f, 204, "", "", true);
    CHECK_EQ_UINT(writer.batch.count, 3);
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
}

/* A kept connection that turns out to be dead costs nothing, however far its request was. */
static void test_outdated_connection(void)
{
    start_with(2, 0);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    note_body(f, false);
    f->call->outdated = true;
    fake_call_fail(f, LIMPET_ERR_RESET);
    check_writer();
    CHECK_EQ_INT(writer.state, WRITER_SENDING);
    CHECK_EQ_UINT(writer.writes_failed, 0);
    deliver(running());
    CHECK_EQ_UINT(writer.store.windows_written, 2);
    CHECK_EQ_UINT(writer.writes_by_class[0], 0);
}

int main(void)
{
    test_slow_upload();
    test_unanswered_is_halved();
    test_outdated_connection();
    return check_result();
}
