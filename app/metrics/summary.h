/* What is shown of a distribution. */
#ifndef LIMPET_METRICS_SUMMARY_H
#define LIMPET_METRICS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

/* The percentiles that the reference shows, at /__stats and in InfluxDB, in the order of
 * metrics_summary.percentile: 0.1 0.25 0.5 0.75 0.9 0.95 0.99 0.999. */
#define METRICS_PERCENTILES 8

/* Exact count, min, max, mean and variance; the percentiles are missing (have_percentiles false,
 * each equal to max) when the pool of buckets was empty in that window. Nothing recorded: all is 0.
 */
struct metrics_summary {
    uint64_t count;
    int64_t min;
    int64_t max;
    double mean;
    double std_dev;
    double variance; /* population */
    bool have_percentiles;
    double percentile[METRICS_PERCENTILES];
};

#endif
