/* Metrics that only remember what was recorded, one text line a call. */
#ifndef FAKE_METRICS_H
#define FAKE_METRICS_H

#include "metrics/metrics.h"

/* "connected", "response /ok 200 25", "backend /ok true false", ... each with a newline. Times are
 * not in it: see fake_metrics_time_ns. */
extern char fake_metrics_log[16384];
extern int64_t fake_metrics_time_ns;   /* of the last record */
extern size_t fake_metrics_series_max; /* opening more gives NULL */

void fake_metrics_reset(void);  /* keeps the series */
void fake_metrics_forget(void); /* closes them all */

#endif
