/* The writer at a clean stop: what is buffered is pushed, or counted as dropped. */
#include "writer_world.h"

static void test_stop_pushes(void)
{
    start_with(9, 0);
    close_running_window();
    writer_stop(&writer);
    CHECK(!writer_stopped(&writer));
    while (!writer_stopped(&writer)) {
        CHECK_EQ_INT(writer.state, WRITER_SENDING);
        deliver(running());
    }
    CHECK_EQ_UINT(writer.store.windows_written, 10);
    CHECK_EQ_UINT(timers.count, 0);
}

static void test_stop_with_nothing(void)
{
    start_with(0, 0);
    writer_stop(&writer);
    CHECK_EQ_INT(writer.state, WRITER_STOPPED);
    CHECK_EQ_UINT(timers.count, 0);
    writer_stop(&writer);
    writer_give_up(&writer);
    writer_window(&writer);
    CHECK_EQ_UINT(writer.store.windows_produced, 0);
}

static void test_stop_while_pinging(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    writer_start(&writer);
    close_running_window();
    writer_stop(&writer);
    CHECK(fake_calls[0].canceled);
    deliver(running());
    CHECK(writer_stopped(&writer));
    CHECK_EQ_UINT(writer.store.windows_written, 1);
}

/* The batch in flight is waited for; what came after it follows. */
static void test_stop_in_flight(void)
{
    start_with(1, 0);
    struct fake_call *f = next_call();
    fake_call_connect(f);
    note_body(f, true);
    close_running_window();
    writer_stop(&writer);
    CHECK(!f->canceled);
    fake_call_answer(f, 204, "", "", true);
    deliver(running());
    CHECK(writer_stopped(&writer));
    CHECK_EQ_UINT(writer.store.windows_written, 2);
}

/* One failure is enough: no back-off, what is left is counted and logged. */
static void test_stop_fails(void)
{
    start_with(3, 1000000);
    answer_next(500, "", "");
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
    writer_stop(&writer);
    answer(running(), 500, "", "");
    CHECK(writer_stopped(&writer));
    CHECK(logged("3 windows dropped: stopped before InfluxDB took them"));
    CHECK_EQ_UINT(writer.store.windows_dropped, 3);
    CHECK_EQ_UINT(timers.count, 0);
    check_writer();
}

static void test_give_up_in_flight(void)
{
    start_with(2, 1000000);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    writer_stop(&writer);
    writer_give_up(&writer);
    CHECK(f->canceled && writer_stopped(&writer));
    CHECK_EQ_UINT(writer.store.windows_dropped, 2);
    CHECK_EQ_UINT(timers.count, 0);
    check_writer();
}

static void test_stop_without_clock(void)
{
    set_up_with_clock(LIMPET_S_TO_NS(2), 0, 0);
    start();
    close_running_window();
    writer_stop(&writer);
    CHECK(writer_stopped(&writer));
    CHECK_EQ_UINT(writer.store.windows_dropped, 1);
    CHECK(logged("1 window dropped: stopped"));
}

int main(void)
{
    test_stop_pushes();
    test_stop_with_nothing();
    test_stop_while_pinging();
    test_stop_in_flight();
    test_stop_fails();
    test_give_up_in_flight();
    test_stop_without_clock();
    return check_result();
}
