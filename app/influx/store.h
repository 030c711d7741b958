/* The windows that wait for InfluxDB: numbered, dated, counted, and with storage kept over
 * restarts.
 *
 * store_add() turns the window that has just closed into one compact record in RAM (influx/spool)
 * and in storage (influx/journal), where there is one. When RAM is full it waits in storage only,
 * until there is room; when that is full too its log comes round, and the oldest of those are lost.
 * produced = written + dropped + waiting, at every moment and over all starts.
 *
 * Every window gets one date, before it is sent, and keeps it. With the wall clock known that is
 * its close time; windows that closed before are dated from the monotonic clock when it becomes
 * known. Those of earlier starts that never knew it get an estimated date: starts in order, each
 * window with its own distance from the others, the last one ending a second before this start.
 * Dates strictly increase, by a second at least, and none lies before LIMPET_BUILD_UNIX_S. Dates
 * that were given late are in storage before anything is sent with them. */
#ifndef LIMPET_INFLUX_STORE_H
#define LIMPET_INFLUX_STORE_H

#include "app_config.h"
#include "base/log.h"
#include "influx/journal.h"
#include "influx/spool.h"
#include "metrics/metrics.h"

#define STORE_LOG_PREFIX "[SERVICE: InfluxDB]"

/* Why a window was lost. */
enum store_drop {
    STORE_DROP_MEMORY,    /* RAM and storage were full: the oldest left, or came not in */
    STORE_DROP_NO_BUFFER, /* a failed delivery, and buffer_size allows no more */
    STORE_DROP_REFUSED,   /* InfluxDB will never take it */
    STORE_DROP_STOPPED,   /* still waiting at the end of a stop, and no storage to wait in */
    STORE_DROP_STORAGE,   /* a restart did not find its record, or not the series that it names */
    STORE_DROP_TOO_LONG,  /* longer than the whole spool */
    STORE_DROP_UNDATED,   /* of an earlier start, and no date could or should be estimated */
    STORE_DROPS,
};

/* For static placement; read the counters, do not touch the fields. */
struct store {
    const struct metrics *metrics;
    struct log *log;
    struct spool spool;
    struct journal journal;     /* the same windows in storage, when there is one, and newer ones */
    size_t stored;              /* windows in storage only: newer ones than RAM's newest */
    uint64_t newest_seq;        /* of RAM's newest, when there are such */
    struct journal_cursor tail; /* in storage, before the first of them */
    uint64_t tail_erased;       /* journal.erased when `tail` and `stored` were right */
    bool drop_estimated;
    bool clock_known;
    bool storage_failing;  /* as was last logged */
    uint32_t boot;         /* this start: 1, 2, 3 ... with storage; 0 = not opened yet */
    uint64_t start_ns;     /* monotonic: stamps without a date count from here */
    int64_t start_unix_ns; /* the same moment on the wall clock, as it is now; valid when known */
    int64_t last_stamp_s;  /* of the newest dated window, seconds since 1970 */
    uint64_t last_mono_ns; /* of the newest window without a date, of this start */
    uint64_t windows_produced;
    uint64_t windows_written;
    uint64_t windows_dropped;
    size_t windows_waiting;        /* store_count(), for /__stats/ */
    uint64_t windows_estimated;    /* got an estimated date, since the start */
    uint64_t dropped[STORE_DROPS]; /* of windows_dropped */
};

void store_init(struct store *store, const struct metrics *metrics, struct log *log);
/* At the start: what waits in storage comes back. `storage` must stay; NULL = none. With
 * `drop_estimated` windows whose date would be an estimate are dropped when their turn comes. */
void store_open(struct store *store, const struct port_storage *storage, bool drop_estimated,
                uint64_t now_ns);
/* Once a turn after store_open; unix_ns 0: the wall clock is not known (or not any more: it goes on
 * from the last one). */
void store_set_clock(struct store *store, uint64_t now_ns, int64_t unix_ns);

/* Right after the table closed a window. What is in flight stays: when the window does not fit
 * then, it is lost itself. Returns how many of the oldest left for it. */
size_t store_add(struct store *store, bool in_flight);

size_t store_count(const struct store *store);
/* Whether the oldest window may be sent. Windows before it that will never have a date are dropped
 * and counted first, `*left` of them. */
bool store_ready(struct store *store, size_t *left);
/* The oldest `count` leave: InfluxDB has taken them, or they are lost. */
void store_written(struct store *store, size_t count);
void store_drop(struct store *store, size_t count, enum store_drop why);
/* A delivery of the oldest `count` failed. Returns how many left because of buffer_size. */
size_t store_failed(struct store *store, size_t count, uint64_t buffer_size);
/* The end: what waits stays in storage, or is dropped without one. */
void store_close(struct store *store);

/* Seconds since 1970; 0: not known. */
uint64_t store_unix_s(const struct store *store, uint64_t now_ns);

#endif
