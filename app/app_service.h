/* What the application says about itself: krakend.service.* at each tick, and limpet.* of its
 * pools, tables, connections and of lwIP, once a second.
 *
 * All numbers are read where they stand; nothing is counted here but what no room can count. */
#ifndef LIMPET_APP_SERVICE_H
#define LIMPET_APP_SERVICE_H

#include "app_config.h"
#include "base/err.h"
#include "base/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct app_options;

/* Part of struct app. Zero-initialised; do not touch the fields. */
struct app_service {
    struct timer timer;        /* once a second */
    uint64_t start_ns;         /* of app_init, monotonic */
    uint64_t now_ns;           /* of this turn */
    uint64_t uptime_s;         /* at the last tick: an idle table stays as it is between two */
    uint64_t turn_due_ns;      /* when the next turn was asked for */
    uint64_t turn_late_ns_max; /* longest that a turn came after that time */
    uint32_t names_asked;      /* being asked for, at the last sample */
    bool clock_known;          /* the wall clock */
    uint8_t reset_reason;      /* enum port_reset */
    uint32_t boots;
};

/* Adds the values. `app` may be zeroed. */
void app_service_add_values(struct app *app);
/* Starts to sample. When all rooms have been initialised, before the first reader of the table. */
void app_service_init(struct app *app, const struct app_options *options, uint64_t now_ns);
/* Each turn, first. unix_ns 0: the wall clock is not known. */
uint64_t app_service_turn(struct app *app, uint64_t now_ns, int64_t unix_ns);
/* Each turn, last: when the next one is due. */
void app_service_due(struct app *app, uint64_t next_ns);
/* LIMPET_ERR_FULL: the metrics table is too small; each part of it that is, is logged with what is
 * needed and what there is. */
LIMPET_WARN_UNUSED
int app_service_check_room(struct app *app);

#endif
