/* Closing a window and showing the running and the closed one, from every state that the fields can
 * hold within these bounds:
 *
 *   count    0, 1, 2 .. KEPT, KEPT+1 .. 2^32-1; the values that are kept: any
 *   sums     any bits; minimum and maximum: any, both units
 *   slot     none, or one, with percentiles of a closed window or without
 *   buckets  any counts; M1 and M2: halved 0 to 7 times, 0 to 3 carries
 *
 * One value has the variance 0; from two on no 128 bits give more than 2^127. */
#include "states.h"

static double shown;

static void use(const struct metrics_summary *summary)
{
    for (unsigned i = 0; i < METRICS_PERCENTILES; i++) {
        shown = summary->percentile[i];
    }
    shown = summary->mean;
    shown = summary->std_dev;
    shown = summary->variance;
}

static enum histogram_unit any_unit(void)
{
    return any_bool() ? HISTOGRAM_NS : HISTOGRAM_BYTES;
}

static void close_one(bool with_slot, uint32_t count_min, uint32_t count_max)
{
    fill_pool();
    struct histogram h = any_histogram(with_slot, count_min, count_max);
    struct histogram_frozen frozen = {.count = 0};
    struct metrics_summary summary;
    enum histogram_unit unit = any_unit();
    histogram_summarize(&h, unit, &summary);
    use(&summary);
    histogram_close(&pool, &h, &frozen, unit);
    assert(h.count == 0);
    histogram_summarize_frozen(&h, &frozen, unit, &summary);
    use(&summary);
}

int main(void)
{
    close_one(false, 0, 0);
    close_one(false, 1, 1);
    close_one(false, 2, UINT32_MAX);
    close_one(true, 0, 0);
    close_one(true, 1, 1);
    close_one(true, 2, HISTOGRAM_KEPT);
    close_one(true, HISTOGRAM_KEPT + 1u, UINT32_MAX);
    return shown > 0;
}
