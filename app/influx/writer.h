/* The InfluxDB writer: one state machine that delivers closed windows, oldest first, each once.
 *
 * The windows wait in influx/store. Every `ttl`, at a phase that comes from the host name, those
 * that wait are sent in batches; the text is made while it is sent. A window is written when the
 * server took at least one of its points. What fails is tried again with exponential back-off,
 * slowly where somebody has to change something first (login, database, a redirect); what the
 * server will never take is searched for by halves and dropped after its answer. Windows in flight
 * never leave: when one more does not fit then, it is the new one that is lost. */
#ifndef LIMPET_INFLUX_WRITER_H
#define LIMPET_INFLUX_WRITER_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "config/config.h"
#include "influx/batch.h"
#include "influx/bisect.h"
#include "influx/outcome.h"
#include "influx/store.h"
#include "metrics/metrics.h"
#include "web/client.h"

enum writer_state {
    WRITER_OFF,     /* telemetry/influx is not configured */
    WRITER_PINGING, /* asks once at the start who is there */
    WRITER_RESTING, /* until the next ttl */
    WRITER_SENDING, /* a batch is on its way */
    WRITER_WAITING, /* for the next try after a failure */
    WRITER_STOPPED,
};

/* For static placement; read the counters, do not touch the fields. */
struct writer {
    const struct config_influx *config;
    const struct metrics *metrics;
    struct client *client;
    struct timers *timers;
    struct log *log;
    struct slice host_name;
    enum writer_state state;
    bool stopping;
    struct client_call call;
    struct timer timer;      /* next push or next try */
    struct timer call_timer; /* deadline of the request */
    uint64_t next_push_ns;   /* start + phase + n x ttl, n = 1, 2, ... */
    uint64_t now_ns;
    int64_t unix_ns; /* 0 = the wall clock is not known */
    uint32_t jitter; /* state of the back-off's random walk */

    struct batch batch;   /* in flight; count 0: none */
    struct bisect bisect; /* how many windows the next one takes */

    /* The answer. */
    unsigned status;
    uint32_t retry_after_s;
    char version[24]; /* of the server, when it says so */
    struct outcome_text text;
    uint64_t refused; /* points of the batch, as the answer says */
    size_t answer_len;
    char answer[LIMPET_INFLUX_ANSWER_LEN_MAX]; /* start of its body or Location, for the log */

    unsigned failures;      /* in a row */
    bool slow;              /* trying again soon is of no use */
    unsigned logged_status; /* of the last failure that was logged at full length */
    struct store store;
    const struct port_storage *storage; /* NULL = none */
    uint64_t points_written;
    uint64_t points_refused;
    uint64_t bytes_written; /* bodies that were taken */
    uint64_t writes_ok;
    uint64_t writes_failed;
    uint64_t writes_by_class[6]; /* by the first digit of the status; [0]: no answer */
    uint64_t backoff_ms;         /* wait before the next try; 0 = none */
    uint64_t last_success_s;     /* when a write was last taken, seconds since 1970; 0 = never */
    uint64_t last_success_ns;    /* the same, monotonic; before the first: the start */
    uint64_t last_success_age_s; /* at the last close of a window */
};

/* influx->enabled false: everything below does nothing. `host_name` must outlive the writer. */
void writer_init(struct writer *writer, const struct config_influx *influx,
                 const struct metrics *metrics, struct client *client, struct timers *timers,
                 struct log *log, struct slice host_name);
/* Shows the counters below limpet.influx.; both must stay. Before the
 * first reader of the table; the writer may still be all zero. */
void writer_add_values(const struct writer *writer, struct metrics *metrics);
/* With storage windows, counters and sequence numbers go on over restarts, whatever the way they
 * come. It must stay. Before writer_start. */
void writer_use_storage(struct writer *writer, const struct port_storage *storage);
/* Start: what waits in storage comes back; the ping, and the first push between one ttl and two.
 * After writer_set_time. */
void writer_start(struct writer *writer);
/* Once a turn, before timers and events. unix_ns 0: the wall clock is not known. */
void writer_set_time(struct writer *writer, uint64_t now_ns, int64_t unix_ns);
/* Right after metrics_tick() or metrics_close_window() closed a window. */
void writer_window(struct writer *writer);
/* Clean stop: pushes what waits, without resting and without trying again after a failure. What is
 * left waits in storage for the next start, or is dropped without one. */
void writer_stop(struct writer *writer);
void writer_give_up(
    struct writer *writer); /* the stop's deadline: counts and logs what is dropped */
bool writer_stopped(const struct writer *writer); /* also true when the writer is off */

#endif
