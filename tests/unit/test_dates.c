/* The date of a window, case by case: clock unknown, late, stepped, wrong, lost; over restarts. */
#define COLLECTION_NS LIMPET_S_TO_NS(60)
#include "restart_world.h"

#define MINUTE_S 60
#define HOUR_NS INT64_C(3600000000000)

static void live(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        live_window();
    }
}

static void check_stamps_true(size_t from, size_t to)
{
    for (size_t i = from; i <= to; i++) {
        CHECK_EQ_INT(lived[i].stamp_s, lived[i].closed_s);
    }
}

/* Dated from the monotonic clock, however late; nothing of it is an estimate. */
static void test_late_clock(void)
{
    for (int storage = 0; storage < 2; storage++) {
        first_start(LIMPET_S_TO_NS(60), 1000000, storage == 1, false);
        live(5);
        CHECK_EQ_UINT(writer.store.windows_written, 0);
        set_clock(true, 0);
        live(2);
        deliver_all();
        check_all_arrived();
        check_stamps_true(1, 7);
        CHECK_EQ_UINT(writer.store.windows_estimated, 0);
    }
}

/* Starts that never knew the time: in order, with their own distances, ending before this start. */
static void test_estimate(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, false);
    live(3);
    start_again(HOUR_NS, false);
    live(2);
    start_again(HOUR_NS, false);
    live(1);
    CHECK_EQ_UINT(store_count(&writer.store), 6);
    long long start_s = boot_truth_ns / INT64_C(1000000000) + 100; /* boot() begins at 100 s */
    set_clock(true, 0);
    CHECK_EQ_UINT(writer.store.windows_estimated, 5);
    live(1);
    deliver_all();
    check_all_arrived();
    check_stamps_true(6, 7);
    CHECK_EQ_INT(lived[5].stamp_s, start_s - 1);
    CHECK_EQ_INT(lived[4].stamp_s, start_s - 1 - MINUTE_S);
    CHECK_EQ_INT(lived[3].stamp_s, start_s - 1 - 2 * MINUTE_S - 1);
    CHECK_EQ_INT(lived[1].stamp_s, lived[3].stamp_s - 2 * MINUTE_S);
}

/* Sent with its date and not acknowledged: after further starts, whose clocks say other things, it
 * is still the same point (note_lines checks that). */
static void test_date_stays(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, false);
    live(3);
    start_again(HOUR_NS, false);
    live(1);
    set_clock(true, 0);
    live(1);
    lose_answer(next_call());
    for (unsigned i = 0; i < 3; i++) {
        fake_flash_cut(i);
        start_again(HOUR_NS, i > 0);
        set_clock(true, (int64_t)i * 7 * HOUR_NS);
        CHECK_EQ_UINT(writer.store.windows_estimated, 0);
        live(1);
        lose_answer(next_call());
    }
    deliver_all();
    check_all_arrived();
}

/* The power goes at the moment when the clock becomes known: the dates are in storage, or nothing
 * was sent with them. */
static void test_cut_while_dating(void)
{
    for (uint32_t choice = 0; choice < 50; choice++) {
        first_start(LIMPET_S_TO_NS(60), 1000000, true, false);
        live(2);
        start_again(HOUR_NS, false);
        live(2);
        set_clock(true, 0);
        fake_flash_cut(choice);
        start_again(HOUR_NS, true);
        live(1);
        deliver_all();
        check_all_arrived();
    }
}

/* The option: only windows whose date is known are sent. */
static void test_drop_estimated(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(2);
    start_again(HOUR_NS, false);
    live(3);
    config.drop_estimated = true;
    start_again(HOUR_NS, false);
    live(1);
    CHECK_EQ_UINT(store_count(&writer.store), 6);
    set_clock(true, 0);
    deliver_all();
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_UNDATED], 3);
    CHECK_EQ_UINT(writer.store.windows_written, 3);
    CHECK_EQ_UINT(writer.store.windows_estimated, 0);
    CHECK(logged("3 windows dropped: of an earlier start, and their time is not known"));
    CHECK(lived[1].acknowledged && lived[2].acknowledged && lived[6].acknowledged);
    check_stamps_true(1, 2);
    check_stamps_true(6, 6);
}

/* A clock a year back in time at the next start: stamps go on behind those that were. */
static void test_clock_behind(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(3);
    deliver_all();
    start_again(HOUR_NS, false);
    live(2);
    set_clock(true, -5 * HOUR_NS);
    live(2);
    start_again(HOUR_NS, true);
    live(1);
    deliver_all();
    check_all_arrived();
    CHECK_EQ_INT(lived[4].stamp_s, lived[3].stamp_s + 1);
    CHECK_EQ_INT(lived[5].stamp_s, lived[4].stamp_s + MINUTE_S);
    CHECK_EQ_INT(lived[6].stamp_s, lived[5].stamp_s + 1);
    check_stamps_true(8, 8);
}

/* The clock becomes known a minute after the build: nothing is dated before that. */
static void test_build(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, false);
    live(5);
    start_again(HOUR_NS, false);
    live(5);
    set_clock(true,
              LIMPET_BUILD_UNIX_S * INT64_C(1000000000) + 60 * INT64_C(1000000000) - truth_ns());
    deliver_all();
    check_all_arrived();
    CHECK_EQ_INT(lived[1].stamp_s, LIMPET_BUILD_UNIX_S);
}

/* Storage that took no dates: those windows were sent with dates that nobody knows any more. They
 * are never sent with others. */
static void test_lost_date(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, false);
    live(2);
    start_again(HOUR_NS, false);
    fake_flash.failing = true;
    set_clock(true, 0);
    CHECK(logged("the storage takes no windows (full or broken): they wait in memory only"));
    fake_flash.failing = false;
    live(2);
    CHECK(logged("the storage takes windows again"));
    lose_answer(next_call());
    start_again(HOUR_NS, true);
    deliver_all();
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_UNDATED], 2);
    CHECK_EQ_UINT(writer.store.windows_written, 2);
    check_stamps_true(3, 4);
}

/* Without storage a restart loses what waited; numbers begin again. */
static void test_without_storage(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, false, false);
    live(4);
    set_clock(true, 0);
    deliver_all();
    check_all_arrived();
    check_stamps_true(1, 4);
}

int main(void)
{
    test_late_clock();
    test_estimate();
    test_date_stays();
    test_cut_while_dating();
    test_drop_estimated();
    test_clock_behind();
    test_build();
    test_lost_date();
    test_without_storage();
    return check_result();
}
