/* The metrics listener: GET and HEAD of /__stats, /__stats/ and, for Prometheus, /metrics, on a
 * server of its own.
 *
 * Other paths are 404, other methods 405 with Allow. One reader of the table a connection, so a
 * slot of the listener is all that an answer needs. */
#ifndef LIMPET_REPORT_LISTENER_H
#define LIMPET_REPORT_LISTENER_H

#include "app_config.h"
#include "metrics/metrics.h"
#include "report/stats.h"
#include "web/server.h"

/* An answer on its way. */
struct report_answer {
    struct report_answer *next; /* free list */
    struct stats_reader reader;
};

/* For static placement; do not touch the fields. */
struct report {
    struct stats stats;
    struct report_answer *free;
    struct report_answer answers[LIMPET_STATS_CONNS];
};

/* When every series is opened and every value added. `argv` (argc strings) and `metrics` must stay.
 */
void report_init(struct report *report, struct metrics *metrics, const char *const *argv, int argc);
/* The handler to give to server_init, for a server of at most LIMPET_STATS_CONNS connections. */
struct server_handler report_handler(struct report *report);

#endif
