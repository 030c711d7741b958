/* What the two kinds of profile supply to histogram.c, besides the inline functions of their
 * headers. */
#ifndef LIMPET_METRICS_HISTOGRAM_PROFILE_H
#define LIMPET_METRICS_HISTOGRAM_PROFILE_H

#include "metrics/histogram.h"

/* Slot state of an empty set of buckets. */
void histogram_clear_counts(struct histogram_slot *slot);
/* How many values a bucket stands for. */
uint32_t histogram_weight_of(const struct histogram_slot *slot, unsigned bucket);
void histogram_weight_add(struct histogram_slot *slot, unsigned bucket, uint32_t weight);

/* Bytes or ns. */
int64_t histogram_shown(histogram_value v, enum histogram_unit unit);
/* What stands for all values of a bucket, in bytes or ns; min and max are of all values. */
double histogram_bucket_value(unsigned bucket, enum histogram_unit unit, int64_t min, int64_t max);

void histogram_merge_moments(struct histogram *into, const struct histogram *from);
/* Everything but the percentiles. count > 0. */
void histogram_freeze_moments(const struct histogram *h, struct histogram_frozen *frozen);
/* count, min, max, mean, variance. */
void histogram_show_moments(const struct histogram_frozen *frozen, enum histogram_unit unit,
                            struct metrics_summary *summary);

#endif
