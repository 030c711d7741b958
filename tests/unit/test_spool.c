/* The ring against a plain list: random lengths, every order of pushes, pops and failures. */
#include "check.h"
#include "influx/spool.h"

#include <string.h>

enum { MODEL_MAX = 4096 };

struct model_record {
    size_t len;
    unsigned char fill;
    uint32_t points;
    bool failed;
};

/* What the ring should hold, oldest first. */
struct model {
    size_t count;
    struct model_record records[MODEL_MAX];
};

static struct spool spool;
static struct model model;
static uint32_t seed = 1;

static uint32_t pick(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void model_drop_first(size_t count)
{
    model.count -= count;
    memmove(model.records, model.records + count, model.count * sizeof model.records[0]);
}

static void push(size_t len)
{
    size_t dropped = 0;
    unsigned char fill = (unsigned char)pick(256);
    uint32_t points = pick(50);
    char *place = spool_reserve(&spool, len, &dropped);
    CHECK(place != NULL);
    CHECK(((uintptr_t)place & 7u) == 0);
    CHECK(dropped <= model.count);
    memset(place, fill, len);
    spool_commit(&spool, len, points);
    model_drop_first(dropped);
    model.records[model.count++] = (struct model_record){len, fill, points, false};
}

static void check_same(void)
{
    struct spool_cursor cursor = {0};
    size_t seen = 0;
    uint64_t failed_points = 0;
    struct slice record;
    while (spool_next(&spool, &cursor, &record)) {
        const struct model_record *want = &model.records[seen++];
        CHECK_EQ_UINT(record.len, want->len);
        bool same = true;
        for (size_t i = 0; i < record.len; i++) {
            same = same && (unsigned char)record.ptr[i] == want->fill;
        }
        CHECK(same);
        failed_points += want->failed ? want->points : 0;
    }
    CHECK_EQ_UINT(seen, model.count);
    CHECK_EQ_UINT(spool_count(&spool), model.count);
    CHECK_EQ_UINT(spool.failed_points, failed_points);
}

/* The rule of KrakenD's buffer_size, said on the list. */
static size_t model_fail(size_t count, uint64_t buffer_size)
{
    uint64_t points = 0;
    size_t failed = 0;
    for (size_t i = 0; i < model.count; i++) {
        model.records[i].failed = model.records[i].failed || i < count;
        points += model.records[i].failed ? model.records[i].points : 0;
        failed += model.records[i].failed ? 1 : 0;
    }
    size_t left = 0;
    while (left < failed && (buffer_size == 0 || (points > buffer_size && left + 1 < failed))) {
        points -= model.records[left++].points;
    }
    model_drop_first(left);
    return left;
}

static void fail(size_t count, uint64_t buffer_size)
{
    size_t left = spool_limit_failed(&spool, count, buffer_size);
    CHECK_EQ_UINT(left, model_fail(count, buffer_size));
}

static void test_random(size_t len_max)
{
    spool_init(&spool);
    model.count = 0;
    for (unsigned turn = 0; turn < 4000; turn++) {
        uint32_t what = pick(10);
        if (what < 6 && model.count + 1 < MODEL_MAX) {
            push(1 + pick((uint32_t)len_max));
        } else if (what < 8 && model.count > 0) {
            spool_pop(&spool);
            model_drop_first(1);
        } else if (model.count > 0) {
            static const uint64_t sizes[] = {0, 1, 30, 200, 1000000};
            fail(1 + pick((uint32_t)model.count), sizes[pick(5)]);
        }
        if (turn % 16 == 0) {
            check_same();
        }
    }
    check_same();
}

static void test_too_long(void)
{
    size_t dropped = 9;
    spool_init(&spool);
    model.count = 0;
    push(100);
    CHECK(spool_reserve(&spool, sizeof spool.ring, &dropped) == NULL);
    CHECK_EQ_UINT(dropped, 0);
    check_same();
    CHECK(spool_reserve(&spool, SIZE_MAX, &dropped) == NULL);
    check_same();
}

/* A record as long as the ring allows makes all others leave, and the next makes it leave. */
static void test_largest(void)
{
    spool_init(&spool);
    model.count = 0;
    push(10);
    push(20);
    push(sizeof spool.ring - 32);
    CHECK_EQ_UINT(model.count, 1);
    check_same();
    push(1);
    CHECK_EQ_UINT(model.count, 1);
    check_same();
}

/* The newest failed window stays even when it alone is more than buffer_size. */
static void test_newest_failed_stays(void)
{
    spool_init(&spool);
    model.count = 0;
    for (unsigned i = 0; i < 3; i++) {
        push(64);
    }
    fail(2, 1);
    CHECK_EQ_UINT(model.count, 2);
    check_same();
    fail(1, 0);
    CHECK_EQ_UINT(model.count, 1);
    check_same();
}

int main(void)
{
    test_random(300);
    test_random(sizeof spool.ring / 8);
    test_random(sizeof spool.ring / 2);
    test_too_long();
    test_largest();
    test_newest_failed_stays();
    return check_result();
}
