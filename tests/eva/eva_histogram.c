/* Recording into a histogram from every state that its fields can hold within these bounds, whether
 * or not some sequence of records leads to it:
 *
 *   value    any int64, both units
 *   count    0, 1 .. KEPT-1, KEPT, KEPT+1 .. 2^32-2, 2^32-1; the values that are kept: any
 *   sums     any bits; minimum and maximum: any
 *   slot     none, or one of a pool of 2 with 0, 1 or 2 in use
 *   buckets  any counts; M1 and M2: halved 0 to 7 times, 0 to 3 carries, each below 255 x 2^16
 *            (from there a record more can lead to a halving, which is not shown here) */
#include "states.h"

static void record_one(bool with_slot, uint32_t count_min, uint32_t count_max)
{
    fill_pool();
    struct histogram h = any_histogram(with_slot, count_min, count_max);
    if (any_bool()) {
        histogram_record_bytes(&pool, &h, any_i64());
    } else {
        histogram_record_ns(&pool, &h, any_i64());
    }
}

static void recording(void)
{
    record_one(false, 0, 0);
    record_one(false, 1, UINT32_MAX);
    record_one(true, 0, 0);
    record_one(true, 1, HISTOGRAM_KEPT - 1u);
    record_one(true, HISTOGRAM_KEPT, HISTOGRAM_KEPT);
    record_one(true, HISTOGRAM_KEPT + 1u, UINT32_MAX - 1u);
    record_one(true, UINT32_MAX, UINT32_MAX);
    fill_pool(); /* both slots are taken */
    (void)any_slot();
    (void)any_slot();
    struct histogram h = {.slot = NULL};
    histogram_record_ns(&pool, &h, any_i64());
}

int main(void)
{
    recording();
    return 0;
}
