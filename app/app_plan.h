/* What a loaded configuration takes of each table, and how far the buffer for InfluxDB reaches.
 *
 * For `limpetd check`: fills the table of metrics as app_init does, plays one busy window through
 * them and measures its record. Needs no network and starts nothing; the app cannot be started
 * afterwards. */
#ifndef LIMPET_APP_PLAN_H
#define LIMPET_APP_PLAN_H

#include "app.h"

/* A table of the configuration or the metrics. Or a pool that fills at run time: `used` says
 * nothing there. */
struct app_plan_table {
    const char *name;  /* "endpoints" */
    const char *limit_name; /* "LIMPET_ENDPOINTS_MAX": where the limit is written */
    bool is_pool;
    size_t used;
    size_t limit;
    size_t bytes; /* of the whole table, used or not */
};

enum { APP_PLAN_TABLES = 23 };

/* In a busy window each endpoint answers with two status codes, and each pipe and backend both
 * delivers and fails: real windows are shorter. */
struct app_plan {
    struct app_plan_table tables[APP_PLAN_TABLES];
    size_t app_bytes; /* sizeof(struct app): all tables and what is around them */
    size_t endpoint_series;
    size_t proxy_series;
    size_t series; /* metrics in /__stats before the first answer; a distribution is one */

    /* InfluxDB; 0 when it is off. */
    size_t record_bytes; /* of a busy window in the buffer */
    size_t record_points;
    uint64_t windows;     /* that memory holds, as long as none was tried in vain */
    uint64_t windows_failed; /* that stay once InfluxDB refused or missed them: buffer_size */
};

/* After app_load. Of the options the port's values count. LIMPET_ERR_FULL: the metrics table is too
 * small (plan->tables shows which); LIMPET_ERR_RANGE: a path has too many parts. */
LIMPET_WARN_UNUSED
int app_plan(struct app *app, const struct app_options *options, struct app_plan *plan);

#endif
