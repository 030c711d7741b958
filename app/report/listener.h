/* The metrics listener: GET /__stats and /__stats/ on a server of its own. */
#ifndef LIMPET_REPORT_LISTENER_H
#define LIMPET_REPORT_LISTENER_H

#include "app_config.h"
#include "metrics/metrics.h"
#include "report/stats.h"
#include "web/server.h"

/* For static placement; do not touch the fields. */
struct report {
    struct stats stats;
    struct log *log;
};

void report_init(struct report *report, struct metrics *metrics, struct log *log,
                 const char *const *argv, int argc);
/* The handler to give to server_init. */
struct server_handler report_handler(struct report *report);

#endif
