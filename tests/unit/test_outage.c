/* InfluxDB is away for 24 hours, at speed: nothing is lost, whatever happens meanwhile. */
#define COLLECTION_NS LIMPET_S_TO_NS(60)
#include "restart_world.h"

#define HOUR_NS INT64_C(3600000000000)
#define DAY_WINDOWS (24u * 60u)

/* With what is only waiting: memory is what was there from the start, and used as computed. */
static void test_day(bool storage)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, storage, true);
    live_window();
    size_t each = writer.store.spool.used_bytes;
    for (unsigned i = 1; i < DAY_WINDOWS; i++) {
        live_window();
        CHECK(writer.store.spool.used_bytes <= (i + 1) * (each + 64));
        CHECK_EQ_UINT(store_count(&writer.store), i + 1);
    }
    CHECK(writer.writes_failed > 200);
    deliver_all();
    check_all_arrived();
    for (size_t i = 1; i <= window_count; i++) {
        CHECK_EQ_INT(lived[i].stamp_s, lived[i].closed_s);
    }
    if (storage) {
        /* One sync a window; a few more at the start and with each sector. */
        CHECK(fake_flash.syncs <= DAY_WINDOWS + 3 * writer.store.journal.erased + 3);
    }
}

/* A buffer for three windows: of those that were tried the newest stay, the rest is counted. */
static void test_small_buffer(void)
{
    first_start(LIMPET_S_TO_NS(60), 1000000, true, true);
    live_window();
    struct spool_cursor cursor = {0};
    struct slice record;
    CHECK(spool_next(&writer.store.spool, &cursor, &record));
    config.buffer_size = 3 * spool_points(&writer.store.spool, record);
    for (unsigned i = 1; i < DAY_WINDOWS; i++) {
        live_window();
        CHECK(writer.store.spool.failed_points <= config.buffer_size);
    }
    uint64_t dropped = writer.store.dropped[STORE_DROP_NO_BUFFER];
    CHECK(dropped > DAY_WINDOWS / 2 && dropped + 3 <= DAY_WINDOWS);
    deliver_all();
    CHECK_EQ_UINT(writer.store.windows_written + dropped, DAY_WINDOWS);
    for (size_t i = 1; i <= window_count; i++) {
        CHECK_EQ_INT(lived[i].acknowledged, i > dropped);
    }
}

/* Starts, cuts, a clock that is unknown, late or stepped, answers that are lost. `steps`: the clock
 * is wrong at times; without, the dates of windows whose start knew the time are the true ones. */
static void test_random(uint32_t run_seed, bool steps)
{
    bool known[400] = {false};
    first_start(LIMPET_S_TO_NS(60), 1000000, true, run_seed % 2 == 0);
    seed = run_seed;
    while (window_count < DAY_WINDOWS) {
        known[boot_count] = known[boot_count] || writer.store.clock_known;
        if (boot_count < 390 && pick(30) == 0) {
            fake_flash_cut(pick(1u << 24));
            start_again((int64_t)pick(7200) * INT64_C(1000000000), pick(3) == 0);
        } else if (pick(20) == 0) {
            set_clock(true, steps ? (int64_t)pick(20) * HOUR_NS - 10 * HOUR_NS : 0);
        } else if (running() != NULL && pick(2) == 0) {
            lose_answer(running());
        } else {
            live_window();
        }
        forget_ended_calls();
    }
    set_clock(true, 0);
    known[boot_count] = true;
    deliver_all();
    check_all_arrived();
    for (size_t i = 1; i <= window_count && !steps; i++) {
        CHECK(lived[i].stamp_s == lived[i].closed_s || !known[lived[i].boot]);
    }
    CHECK_EQ_UINT(writer.store.journal.failures, 0);
}

/* Every sector is erased as often as any other. */
static void check_wear(void)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < FLASH_SECTORS; i++) {
        least = fake_flash.erased[i] < least ? fake_flash.erased[i] : least;
        most = fake_flash.erased[i] > most ? fake_flash.erased[i] : most;
    }
    CHECK(most <= least + 1);
}

int main(void)
{
    test_day(false);
    test_day(true);
    test_small_buffer();
    check_wear();
    for (uint32_t i = 1; i <= 3; i++) {
        test_random(i, i % 2 == 0);
        check_wear();
    }
    return check_result();
}
