/* More windows wait than RAM or even storage has room for: RAM holds about 20 here, storage some
 * 60. */
#define COLLECTION_NS LIMPET_S_TO_NS(60)
#include "restart_world.h"

#define HOUR_NS INT64_C(3600000000000)

static uint64_t lost(void)
{
    return writer.store.dropped[STORE_DROP_MEMORY] + writer.store.dropped[STORE_DROP_STORAGE];
}

static size_t arrived(void)
{
    size_t count = 0;
    long long last_s = 0;
    for (size_t i = 1; i <= window_count; i++) {
        count += lived[i].acknowledged ? 1 : 0;
        CHECK(!lived[i].acknowledged || lived[i].stamp_s > last_s);
        last_s = lived[i].acknowledged ? lived[i].stamp_s : last_s;
    }
    return count;
}

static void live(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        live_window();
        forget_ended_calls();
    }
}

/* Twice what RAM holds: storage has the rest, over a restart too. */
static void test_behind_ram(bool restart)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(40);
    size_t in_ram = spool_count(&writer.store.spool);
    CHECK(in_ram > 5 && in_ram < 30);
    CHECK_EQ_UINT(store_count(&writer.store), 40);
    if (restart) {
        start_again(HOUR_NS, true);
        CHECK_EQ_UINT(store_count(&writer.store), 40);
    }
    live(5);
    deliver_all();
    check_all_arrived();
    for (size_t i = 1; i <= window_count; i++) {
        CHECK_EQ_INT(lived[i].stamp_s, lived[i].closed_s);
    }
}

/* A start that knew no time, all of it behind what RAM holds, and one more that does: both get
 * their dates, in storage, and keep them when the power goes. */
static void test_dates_behind_ram(uint32_t cut)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(25);
    start_again(HOUR_NS, false);
    live(10);
    start_again(HOUR_NS, false);
    live(5);
    set_clock(true, 0);
    CHECK_EQ_UINT(writer.store.windows_estimated, 10);
    if (cut > 0) {
        fake_flash_cut(cut);
        start_again(HOUR_NS, false);
        set_clock(true, -HOUR_NS);
        CHECK_EQ_UINT(writer.store.windows_estimated, 0);
    }
    lose_answer(next_call());
    deliver_all();
    check_all_arrived();
    for (size_t i = 36; i <= 40; i++) {
        CHECK_EQ_INT(lived[i].stamp_s, lived[i].closed_s);
    }
}

/* Storage is full too: RAM keeps the oldest, the log keeps the newest, what is between is counted.
 */
static void test_full(bool restart)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(200);
    CHECK(writer.store.dropped[STORE_DROP_MEMORY] > 50);
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_STORAGE], 0);
    CHECK(logged("dropped: the buffer is full"));
    if (restart) {
        start_again(HOUR_NS, true);
    }
    deliver_all();
    CHECK_EQ_UINT(arrived() + lost(), window_count);
    CHECK(lived[window_count].acknowledged);
    CHECK(restart || lived[1].acknowledged);
}

/* Storage that takes nothing: the oldest leave RAM, as without it. */
static void test_failing(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live(3);
    fake_flash.failing = true;
    live(60);
    CHECK(writer.store.dropped[STORE_DROP_MEMORY] > 10);
    fake_flash.failing = false;
    live(30);
    deliver_all();
    CHECK_EQ_UINT(arrived() + lost(), window_count);
    CHECK(lived[window_count].acknowledged);
}

/* Everything at random; the identity is checked at every step (check_writer). Starts or a storage
 * that fails: the next start cannot know of windows that no storage took. */
static void test_random(uint32_t run_seed)
{
    bool restarts = run_seed % 2 == 0;
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    seed = run_seed;
    while (window_count < 400) {
        uint32_t what = pick(100);
        if (what < 3 && restarts) {
            fake_flash_cut(pick(1u << 24));
            start_again((int64_t)pick(7200) * INT64_C(1000000000), pick(3) == 0);
        } else if (what < 6) {
            set_clock(true, 0);
        } else if (what < 8 && !restarts) {
            fake_flash.failing = !fake_flash.failing;
        } else if (what < 11 && running() != NULL) {
            lose_answer(running());
        } else if (what < 13 && writer.store.clock_known) {
            fake_flash.failing = false;
            deliver_all();
        } else {
            live_window();
        }
        forget_ended_calls();
    }
    fake_flash.failing = false;
    set_clock(true, 0);
    deliver_all();
    CHECK(arrived() + writer.store.windows_dropped >= window_count);
    CHECK(lived[window_count].acknowledged || !restarts);
}

int main(void)
{
    for (int restart = 0; restart < 2; restart++) {
        test_behind_ram(restart == 1);
        test_full(restart == 1);
    }
    for (uint32_t cut = 0; cut < 20; cut++) {
        test_dates_behind_ram(cut);
    }
    test_failing();
    for (uint32_t i = 1; i <= 30; i++) {
        test_random(i);
    }
    return check_result();
}
