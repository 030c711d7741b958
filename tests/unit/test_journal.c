/* The log on a storage that is cut at every byte of every write, and at every pair of places. */
#include "check.h"
#include "influx/journal.h"

#include <string.h>

enum { SECTOR_LEN = 768, SECTORS = 5, STORAGE_LEN = SECTOR_LEN * SECTORS, WINDOWS_MAX = 64 };

struct flash {
    uint8_t bytes[STORAGE_LEN];
    uint64_t budget; /* bytes that programs and erases may still change, then the power is gone */
    bool dead;
};

static struct flash flash;
static uint64_t changed; /* bytes so far */
static uint64_t synced_seq;
static bool set_bits; /* a program that needs an erase: never */

static bool flash_read(void *ctx, uint32_t at, void *bytes, size_t len)
{
    struct flash *f = ctx;
    CHECK(at + len <= STORAGE_LEN);
    memcpy(bytes, f->bytes + at, len);
    return true;
}

static bool spend(struct flash *f)
{
    f->dead = f->dead || f->budget == 0;
    f->budget -= f->dead ? 0 : 1;
    changed += f->dead ? 0 : 1;
    return !f->dead;
}

static bool flash_program(void *ctx, uint32_t at, const void *bytes, size_t len)
{
    struct flash *f = ctx;
    CHECK(at + len <= STORAGE_LEN);
    for (size_t i = 0; i < len && spend(f); i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];
        set_bits = set_bits || (f->bytes[at + i] & byte) != byte;
        f->bytes[at + i] &= byte;
    }
    return !f->dead;
}

static bool flash_erase(void *ctx, uint32_t sector)
{
    struct flash *f = ctx;
    CHECK(sector < SECTORS);
    for (size_t i = 0; i < SECTOR_LEN; i++) {
        uint8_t *byte = &f->bytes[sector * SECTOR_LEN + i];
        if (*byte != 0xFF && spend(f)) {
            *byte = 0xFF;
        }
    }
    return !f->dead;
}

static bool flash_sync(void *ctx)
{
    return !((struct flash *)ctx)->dead;
}

static const struct port_storage storage = {&flash,        SECTOR_LEN,  SECTORS,   flash_read,
                                            flash_program, flash_erase, flash_sync};

static void power_on(uint64_t budget)
{
    flash.budget = budget;
    flash.dead = false;
}

static void erase_all(void)
{
    memset(flash.bytes, 0xFF, sizeof flash.bytes);
    changed = 0;
    synced_seq = 0;
}

static struct slice record_of(uint64_t seq)
{
    static char bytes[128];
    size_t len = 20 + (size_t)(seq * 7 % 60);
    memset(bytes, (int)('a' + seq % 26), len);
    return slice_of(bytes, len);
}

static void write_bytes(void *ctx, struct out *out)
{
    const struct slice *bytes = ctx;
    out_put(out, *bytes);
}

static void append(struct journal *j, uint64_t seq, struct slice record)
{
    uint64_t failures = j->failures;
    bool appended = journal_append(j, seq, record.len, write_bytes, &record);
    CHECK(appended || j->failures > failures || j->storage == NULL);
}

/* Windows from the next one on; every third time what waits but the last two leaves. Stops when the
 * power goes. */
static void work(struct journal *j, unsigned windows)
{
    for (unsigned i = 0; i < windows && !flash.dead; i++) {
        uint64_t seq = j->counters.produced + 1;
        append(j, seq, record_of(seq));
        if (flash.dead) {
            break;
        }
        synced_seq = seq;
        if (seq % 3 == 0) {
            struct journal_counters c = j->counters;
            c.left_seq = seq - 2;
            c.written = seq - 2;
            journal_note(j, &c);
        }
    }
}

/* After a boot: everything that was synced and still waits is there, once, in order, unchanged. */
static void check_contents(const struct journal *j)
{
    struct journal_cursor cursor = {0};
    struct journal_record record;
    uint64_t next = j->counters.left_seq + 1;
    CHECK(j->counters.produced >= synced_seq);
    CHECK_EQ_UINT(j->counters.written, j->counters.left_seq);
    while (journal_next(j, &cursor, &record)) {
        char bytes[SECTOR_LEN];
        CHECK_EQ_UINT(record.seq, next);
        next = record.seq + 1;
        CHECK_EQ_INT(journal_read(j, &record, bytes), LIMPET_OK);
        struct slice want = record_of(record.seq);
        CHECK_EQ_MEM(bytes, record.len, want.ptr, want.len);
    }
    CHECK_EQ_UINT(next, j->counters.produced + 1);
}

/* Sectors erased since the start, and since the storage was new. */
static void test_erased(void)
{
    struct journal j;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    CHECK_EQ_UINT(j.sector_order + j.erased, 0);
    work(&j, 40);
    uint32_t ever = j.sector_order;
    CHECK(ever > SECTORS);
    CHECK_EQ_UINT(j.erased, ever);
    journal_open(&j, &storage, 7);
    CHECK_EQ_UINT(j.erased, 0);
    CHECK_EQ_UINT(j.sector_order, ever);
}

static void test_every_cut(void)
{
    struct journal j;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    work(&j, 40);
    uint64_t all = changed;
    CHECK(j.erased > SECTORS && j.failures == 0);
    for (uint64_t cut = 0; cut <= all; cut++) {
        erase_all();
        power_on(cut);
        journal_open(&j, &storage, 7);
        work(&j, 40);
        power_on(UINT64_MAX);
        journal_open(&j, &storage, 7);
        check_contents(&j);
        work(&j, 12);
        journal_open(&j, &storage, 7);
        check_contents(&j);
    }
}

/* Two cuts: the second while `again` windows are written after the first. */
static void cut_twice(unsigned windows, unsigned again, uint64_t cut_max, uint64_t step)
{
    struct journal j;
    for (uint64_t cut = 0; cut <= cut_max; cut += step) {
        uint64_t second = 0;
        bool cut_again = true;
        while (cut_again) {
            erase_all();
            power_on(cut);
            journal_open(&j, &storage, 7);
            work(&j, windows);
            power_on(second);
            journal_open(&j, &storage, 7);
            check_contents(&j);
            work(&j, again);
            cut_again = flash.dead;
            power_on(UINT64_MAX);
            journal_open(&j, &storage, 7);
            check_contents(&j);
            second += step;
        }
    }
}

/* Every pair of a short log; of one that comes round, every 11th place. */
static void test_every_pair(void)
{
    struct journal j;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    work(&j, 4);
    cut_twice(4, 2, changed, 1);
    cut_twice(20, 3, 2600, 11);
}

/* Dates come back in the order in which they were noted, whatever lies between them. */
static void test_dates(void)
{
    struct journal j;
    struct journal_cursor cursor = {0};
    struct journal_date date;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    for (uint32_t boot = 1; boot <= 12; boot++) {
        work(&j, 2);
        date = (struct journal_date){boot, -(int64_t)boot * INT64_C(1000000000000)};
        journal_append_date(&j, &date);
    }
    journal_sync(&j);
    journal_open(&j, &storage, 7);
    uint32_t last = 0;
    while (journal_next_date(&j, &cursor, &date)) {
        CHECK(last == 0 || date.boot == last + 1);
        CHECK_EQ_INT(date.start_unix_ns, -(int64_t)date.boot * INT64_C(1000000000000));
        last = date.boot;
    }
    CHECK_EQ_UINT(last, 12);
    check_contents(&j);
}

/* Another configuration: its records do not count, the numbers go on. */
static void test_fingerprint(void)
{
    struct journal j;
    struct journal_cursor cursor = {0};
    struct journal_record record;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    work(&j, 5);
    journal_open(&j, &storage, 8);
    CHECK_EQ_UINT(j.counters.produced, 5);
    CHECK(!journal_next(&j, &cursor, &record));
    append(&j, 6, record_of(6));
    journal_open(&j, &storage, 8);
    cursor = (struct journal_cursor){0};
    CHECK(journal_next(&j, &cursor, &record) && record.seq == 6);
}

/* Whatever is on the storage, opening ends and writing works. */
static void test_garbage(void)
{
    struct journal j;
    uint32_t seed = 1;
    for (unsigned run = 0; run < 200; run++) {
        erase_all();
        power_on(UINT64_MAX);
        journal_open(&j, &storage, 7);
        work(&j, 1 + run % 30);
        for (unsigned i = 0; i < 1 + run % 7 * 40; i++) {
            seed = seed * 1664525u + 1013904223u;
            flash.bytes[(seed >> 8) % STORAGE_LEN] = (uint8_t)seed;
        }
        journal_open(&j, &storage, 7);
        uint64_t seq = j.counters.produced + 1;
        append(&j, seq, record_of(seq));
        CHECK_EQ_UINT(j.failures, 0);
        journal_open(&j, &storage, 7);
        CHECK_EQ_UINT(j.counters.produced, seq);
    }
}

/* A bit of the second of three entries turns: only that record is lost, and no number goes back;
 * the next entry begins a new sector only when the changed one was the last. */
static void test_changed_bit(void)
{
    struct journal j;
    struct journal_record record;
    struct journal_cursor cursor = {0};
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        append(&j, seq, record_of(seq));
    }
    uint32_t at_end = j.at;
    CHECK(journal_next(&j, &cursor, &record) && journal_next(&j, &cursor, &record));
    CHECK_EQ_UINT(record.seq, 2);
    for (uint32_t bit = 0; bit < 8 * (16 + record.len); bit++) {
        if (bit / 32 == 1) {
            continue; /* kind and length: where the next entry begins */
        }
        uint8_t *byte = &flash.bytes[record.at - 16 + bit / 8];
        *byte ^= (uint8_t)(1u << bit % 8);
        journal_open(&j, &storage, 7);
        CHECK_EQ_UINT(j.counters.produced, 3);
        CHECK_EQ_UINT(j.at, at_end);
        struct journal_record found[2];
        cursor = (struct journal_cursor){0};
        CHECK(journal_next(&j, &cursor, &found[0]) && journal_next(&j, &cursor, &found[1]));
        CHECK_EQ_UINT(found[0].seq, 1);
        CHECK_EQ_UINT(found[1].seq, 3);
        CHECK(!journal_next(&j, &cursor, &found[0]));
        *byte ^= (uint8_t)(1u << bit % 8);
    }
    flash.bytes[at_end - 4] ^= 1u; /* of the last one */
    journal_open(&j, &storage, 7);
    CHECK_EQ_UINT(j.counters.produced, 2);
    CHECK_EQ_UINT(j.at, SECTOR_LEN);
}

static void test_too_long_and_off(void)
{
    static char bytes[SECTOR_LEN];
    struct journal j;
    erase_all();
    power_on(UINT64_MAX);
    journal_open(&j, &storage, 7);
    append(&j, 1, slice_of(bytes, sizeof bytes));
    CHECK_EQ_UINT(j.failures, 1);
    append(&j, 2, record_of(2));
    CHECK_EQ_UINT(j.records, 1);
    journal_open(&j, NULL, 7);
    append(&j, 1, record_of(1));
    journal_sync(&j);
    CHECK_EQ_UINT(j.records + j.failures, 0);
}

int main(void)
{
    test_erased();
    test_every_cut();
    test_every_pair();
    test_dates();
    test_fingerprint();
    test_garbage();
    test_changed_bit();
    test_too_long_and_off();
    CHECK(!set_bits);
    return check_result();
}
