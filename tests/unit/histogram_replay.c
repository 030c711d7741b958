/* Records the 64-bit integers on standard input (bytes or ns, in the machine's byte order) in one
 * histogram and prints its summary: a name and a number a line, doubles exactly (%a). For
 * test_histogram_oracle.py. */
#include "metrics/histogram.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    enum histogram_unit unit =
        argc > 1 && strcmp(argv[1], "bytes") == 0 ? HISTOGRAM_BYTES : HISTOGRAM_NS;
    static struct histogram_slot slots[1];
    struct histogram_pool pool;
    struct histogram h = {.count = 0};
    struct histogram_frozen frozen;
    struct metrics_summary s;
    histogram_pool_init(&pool, slots, 1);
    int64_t value;
    while (fread(&value, sizeof(value), 1, stdin) == 1) {
        if (unit == HISTOGRAM_BYTES) {
            histogram_record_bytes(&pool, &h, value);
        } else {
            histogram_record_ns(&pool, &h, value);
        }
    }
    struct metrics_summary live;
    histogram_summarize(&h, unit, &live);
    histogram_close(&pool, &h, &frozen, unit);
    histogram_summarize_frozen(&h, &frozen, unit, &s);
    printf("kept %u\n", HISTOGRAM_KEPT);
    printf("count %" PRIu64 "\nmin %" PRId64 "\nmax %" PRId64 "\n", s.count, s.min, s.max);
    printf("mean %a\nstd_dev %a\nvariance %a\n", s.mean, s.std_dev, s.variance);
    for (size_t i = 0; i < METRICS_PERCENTILES; i++) {
        printf("p%zu %a\nlive%zu %a\n", i, s.percentile[i], i, live.percentile[i]);
    }
    printf("saturated %" PRIu64 "\n", pool.saturated);
    return 0;
}
