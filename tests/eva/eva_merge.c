/* Merging two histograms, from every state that their fields can hold within these bounds:
 *
 *   counts   into: 0, 1, 2, half of KEPT, KEPT-1, KEPT, KEPT+1 .. 2^32-1
 *            from: 0, what still fits beside them, what does not, KEPT+1 .. 2^32-1
 *   slot     each with or without; the values that are kept: any
 *   sums     any bits; minimum and maximum: any, both units
 *   buckets  any counts; M1 and M2: halved 0 to 7 times, 0 to 3 carries */
#include "states.h"

static void merge_one(bool into_slot, uint32_t into_min, uint32_t into_max, bool from_slot,
                      uint32_t from_min, uint32_t from_max)
{
    fill_pool();
    struct histogram into = any_histogram(into_slot, into_min, into_max);
    struct histogram from = any_histogram(from_slot, from_min, from_max);
    if (any_bool()) {
        histogram_merge(&pool, &into, &from, HISTOGRAM_BYTES);
    } else {
        histogram_merge(&pool, &into, &from, HISTOGRAM_NS);
    }
}

/* Into a histogram with `count` values that are kept. */
static void merge_into(uint32_t count)
{
    merge_one(true, count, count, true, 0, 0);
    if (count < HISTOGRAM_KEPT) {
        merge_one(true, count, count, true, 1, HISTOGRAM_KEPT - count);
    }
    if (count > 0) {
        merge_one(true, count, count, true, HISTOGRAM_KEPT - count + 1u, HISTOGRAM_KEPT);
    }
    merge_one(true, count, count, true, HISTOGRAM_KEPT + 1u, UINT32_MAX);
    merge_one(true, count, count, false, 1, UINT32_MAX);
}

int main(void)
{
    merge_into(0);
    merge_into(1);
    merge_into(2);
    merge_into(HISTOGRAM_KEPT / 2u);
    merge_into(HISTOGRAM_KEPT - 1u);
    merge_into(HISTOGRAM_KEPT);
    merge_one(true, HISTOGRAM_KEPT + 1u, UINT32_MAX, true, 1, HISTOGRAM_KEPT);
    merge_one(true, HISTOGRAM_KEPT + 1u, UINT32_MAX, true, HISTOGRAM_KEPT + 1u, UINT32_MAX);
    merge_one(false, 0, 0, true, 1, UINT32_MAX);
    merge_one(false, 1, UINT32_MAX, true, 1, UINT32_MAX);
    merge_one(false, 0, 0, false, 1, UINT32_MAX);
    return 0;
}
