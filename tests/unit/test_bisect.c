/* Finding the refused windows among many: every place of one, every pair, all. */
#include "check.h"
#include "influx/bisect.h"

#include <stdint.h>

enum { WINDOWS_MAX = 300 };

static bool bad[WINDOWS_MAX];

static unsigned log2_up(size_t n)
{
    unsigned log = 0;
    while ((size_t)1 << log < n) {
        log++;
    }
    return log;
}

static bool any_bad(size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        if (bad[i]) {
            return true;
        }
    }
    return false;
}

/* Delivers n windows, at most `batch_max` at once and `long_max` before 413; returns the requests.
 * Only windows that are bad are dropped. */
static size_t deliver(size_t n, size_t batch_max, size_t long_max)
{
    struct bisect b;
    bisect_init(&b);
    size_t requests = 0;
    for (size_t at = 0; at < n; requests++) {
        size_t count = bisect_count(&b);
        CHECK(count >= 1 && requests <= 3 * n + 10);
        count = count < batch_max ? count : batch_max;
        count = count < n - at ? count : n - at;
        if (count > long_max) {
            bisect_too_long(&b, count);
        } else if (!any_bad(at, count)) {
            bisect_taken(&b, count);
            at += count;
        } else {
            bisect_refused(&b, count);
            CHECK(count > 1 || bad[at]);
            at += count == 1 ? 1 : 0;
        }
    }
    return requests;
}

static void test_one(void)
{
    for (size_t n = 1; n <= WINDOWS_MAX; n++) {
        for (size_t i = 0; i < n; i++) {
            bad[i] = true;
            CHECK(deliver(n, SIZE_MAX, SIZE_MAX) <= 2 * log2_up(n) + 8);
            bad[i] = false;
        }
        CHECK_EQ_UINT(deliver(n, SIZE_MAX, SIZE_MAX), 1);
    }
}

static void test_pairs(void)
{
    for (size_t n = 2; n <= 40; n++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < i; k++) {
                bad[i] = bad[k] = true;
                CHECK(deliver(n, SIZE_MAX, SIZE_MAX) <= 2 * (2 * log2_up(n) + 8));
                bad[i] = bad[k] = false;
            }
        }
    }
}

static void test_all(void)
{
    for (size_t n = 1; n <= WINDOWS_MAX; n++) {
        bad[n - 1] = true;
        CHECK(deliver(n, SIZE_MAX, SIZE_MAX) <= n + log2_up(n) + 1);
    }
    for (size_t i = 1; i < WINDOWS_MAX; i += 2) {
        bad[i] = false;
    }
    CHECK(deliver(WINDOWS_MAX, SIZE_MAX, SIZE_MAX) <= 2 * WINDOWS_MAX);
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        bad[i] = false;
    }
}

/* Batches bounded in bytes, and a server that takes only so much. */
static void test_bounds(void)
{
    for (size_t bound = 1; bound <= 64; bound++) {
        size_t batches = (100 + bound - 1) / bound;
        CHECK_EQ_UINT(deliver(100, bound, SIZE_MAX), batches);
        CHECK(deliver(100, SIZE_MAX, bound) <= 2 * batches + log2_up(100) + 1);
        bad[57] = true;
        CHECK(deliver(100, bound, SIZE_MAX) <= batches + 2 * log2_up(bound) + 8);
        CHECK(deliver(100, SIZE_MAX, bound) <= 2 * batches + 3 * log2_up(100) + 8);
        bad[57] = false;
    }
}

/* Windows that leave by themselves are not suspected any more. */
static void test_left(void)
{
    struct bisect b;
    bisect_init(&b);
    bisect_refused(&b, 8);
    CHECK_EQ_UINT(bisect_count(&b), 4);
    bisect_left(&b, 5);
    CHECK_EQ_UINT(bisect_count(&b), 1);
    bisect_left(&b, 100);
    CHECK_EQ_UINT(bisect_count(&b), 1);
    bisect_taken(&b, 1);
    CHECK_EQ_UINT(bisect_count(&b), 2);
}

/* One window that is too long alone does not make all that follow go one by one. */
static void test_length_grows(void)
{
    struct bisect b;
    bisect_init(&b);
    CHECK(!bisect_knows(&b));
    bisect_too_long(&b, 8);
    bisect_too_long(&b, 4);
    bisect_too_long(&b, 2);
    CHECK(bisect_knows(&b));
    CHECK_EQ_UINT(bisect_count(&b), 1);
    bisect_too_long(&b, 1);
    CHECK_EQ_UINT(bisect_count(&b), 1);
    bisect_taken(&b, 1);
    CHECK_EQ_UINT(bisect_count(&b), 2);
    bisect_taken(&b, 2);
    CHECK_EQ_UINT(bisect_count(&b), 3);
    size_t batches = 0;
    for (size_t windows = 0; windows < 1440; batches++) {
        windows += bisect_count(&b);
        bisect_taken(&b, bisect_count(&b));
    }
    CHECK(batches <= 54); /* a day of minutes */
    bisect_init(&b);
    bisect_taken(&b, 1);
    CHECK_EQ_UINT(bisect_count(&b), SIZE_MAX);
}

int main(void)
{
    test_one();
    test_pairs();
    test_all();
    test_bounds();
    test_left();
    test_length_grows();
    return check_result();
}
