/* The InfluxDB writer: one state machine that delivers closed windows, oldest first, each once.
 *
 * writer_window() turns the window that has just closed into one compact record in the spool (influx/spool); the
 * text is made while it is sent (influx/lines), and the same record always gives the same bytes. */
#ifndef LIMPET_INFLUX_WRITER_H
#define LIMPET_INFLUX_WRITER_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "config/config.h"
#include "influx/spool.h"
#include "metrics/metrics.h"
#include "web/client.h"

enum writer_state { WRITER_OFF, WRITER_RESTING, WRITER_SENDING, WRITER_WAITING, WRITER_STOPPED };

/* For static placement; do not touch the fields. */
struct writer {
    const struct config_influx *config;
    const struct metrics *metrics;
    struct client *client;
    struct timers *timers;
    struct log *log;
    struct slice host_name;
    enum writer_state state;
    struct client_call call;
    struct timer timer;        /* next push, or back-off */
    struct timer call_timer;   /* deadline of the request */
    struct spool spool;
    struct slice record;       /* being sent; points into the spool */
    size_t line_cursor;        /* next line of the record to write */
    uint64_t body_len;         /* of the request, counted in a first pass */
    uint64_t body_sent;
    unsigned failures;         /* in a row */
    uint64_t windows_produced;
    uint64_t windows_written;
    uint64_t windows_dropped;  /* produced = written + dropped + in the spool, always */
    uint64_t points_written;
    uint64_t points_refused;
    uint64_t writes_ok;
    uint64_t writes_failed;
    uint64_t now_ns;
    int64_t unix_ns;
    int64_t last_stamp_ns;     /* stamps strictly increase */
    bool stopping;
};

/* influx->enabled false: everything below does nothing. */
void writer_init(struct writer *writer, const struct config_influx *influx, const struct metrics *metrics,
                 struct client *client, struct timers *timers, struct log *log, struct slice host_name);
void writer_set_time(struct writer *writer, uint64_t now_ns, int64_t unix_ns);
/* Right after metrics_tick() closed a window. */
void writer_window(struct writer *writer);
/* Clean stop: push what waits now, without resting; writer_stopped() when done or given up. */
void writer_stop(struct writer *writer);
void writer_give_up(struct writer *writer); /* deadline of the stop: counts and logs what is dropped */
bool writer_stopped(const struct writer *writer);

#endif
