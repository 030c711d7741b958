/* The table of metrics of the application: every series, and every value of every room and of the
 * port. The one place that fills it, so that a plan and a running application cannot differ. */
#ifndef LIMPET_APP_METRICS_H
#define LIMPET_APP_METRICS_H

#include "app.h"

/* Initialises metrics, gateway and report, opens all series, adds all values and builds the index
 * of the table's readers; after log and timers, before the other rooms. What the options point to
 * must stay. Errors: as gateway_init; the values are added in any case. */
LIMPET_WARN_UNUSED
int app_metrics_open(struct app *app, const struct app_options *options, uint64_t now_ns);

#endif
