/* Values that are sampled: krakend.service.* (what the reference tells about Go's memory, with the
 * meaning that it can have here) and limpet.* (what every room counts about itself).
 *
 * krakend.service. moves at the tick only. limpet. moves at the tick and when metrics_sample() is
 * called, once a second. A reader never samples, so an unchanged table stays unchanged. */
#ifndef LIMPET_METRICS_SERVICE_H
#define LIMPET_METRICS_SERVICE_H

#include "app_config.h"
#include "metrics/metrics.h"

#include <stddef.h>
#include <stdint.h>

/* ---- krakend.service. -------------------------------------------------------------------------
 */

/* What the caller knows; every other name of the reference stays 0. Bytes unless said. */
enum metrics_service {
    SERVICE_HEAP_ALLOC,   /* MemStats.Alloc, HeapAlloc, HeapInuse: used of all arenas and pools */
    SERVICE_HEAP_SYS,     /* MemStats.HeapSys: size of them */
    SERVICE_HEAP_IDLE,    /* MemStats.HeapIdle: free of them */
    SERVICE_HEAP_OBJECTS, /* MemStats.HeapObjects: blocks in use */
    SERVICE_TOTAL_ALLOC,  /* MemStats.TotalAlloc: ever handed out */
    SERVICE_MALLOCS,      /* MemStats.Mallocs: blocks taken since the last tick */
    SERVICE_FREES,        /* MemStats.Frees: blocks given back since the last tick */
    SERVICE_SYS,          /* MemStats.Sys: memory of the whole program */
    SERVICE_STACK_INUSE,  /* MemStats.StackInuse: stack high water */
    SERVICE_STACK_SYS,    /* MemStats.StackSys: stack size */
    SERVICE_GOROUTINES,   /* NumGoroutine: live connections and exchanges (a number) */
    SERVICE_THREADS,      /* NumThread (a number) */
    SERVICE_VALUES,
};

/* From the sampler; visible at once. */
void metrics_set_service(struct metrics *m, enum metrics_service which, int64_t value);
int64_t metrics_service(const struct metrics *m, enum metrics_service which);

/* Runs at the start of each tick, before anything moves: the place to call metrics_set_service and
 * to refresh fields that limpet. values point to. NULL (the default) = none. */
typedef void (*metrics_sampler_fn)(void *ctx, struct metrics *m);
void metrics_set_sampler(struct metrics *m, metrics_sampler_fn sampler, void *ctx);

/* ---- limpet. ----------------------------------------------------------------------------------
 */

/* One value of a struct: where it lies and what it is called. A table of them is constant and may
 * lie in flash; only the sampled number costs RAM. */
struct metrics_value {
    const char *name; /* below limpet.; static */
    uint8_t kind;     /* METRICS_COUNTER or METRICS_GAUGE */
    uint8_t
        size; /* bytes of the field, 1, 2, 4 or 8, unsigned; 0 = the number is `offset` itself */
    uint32_t offset; /* of the field */
};

/* METRICS_FIELD(METRICS_COUNTER, "log.lines_dropped", struct log, lines_dropped) */
#define METRICS_FIELD(kind, name, type, field)                                                     \
    {                                                                                              \
        (name), (kind), sizeof(((const type *)0)->field), (uint32_t)offsetof(type, field)          \
    }
/* A limit that is known at compile time: METRICS_CONSTANT("pool.exchanges.limit", LIMPET_EXCHANGES)
 */
#define METRICS_CONSTANT(name, number)                                                             \
    {                                                                                              \
        (name), METRICS_GAUGE, 0, (uint32_t)(number)                                               \
    }

/* Adds the values of the struct at `base`; both must stay. No two values of the whole table may
 * have the same name. Before the first reader. A table that does not fit is left out, and
 * metrics_room tells. */
void metrics_add_values(struct metrics *m, const struct metrics_value *values, size_t count,
                        const void *base);

/* Takes all limpet. values as they are now. Once a second. */
void metrics_sample(struct metrics *m);

/* ---- Private ----------------------------------------------------------------------------------
 */

/* A board has less than 2 GB. */
#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_L
typedef int64_t metrics_service_value;
#else
typedef int32_t metrics_service_value;
#endif

/* Part of struct metrics. The reference's two timers of the collection count the same events here.
 */
struct metrics_service_state {
    metrics_service_value value[SERVICE_VALUES];
    metrics_sampler_fn sampler;
    void *sampler_ctx;
    uint32_t collections;  /* events of the timers */
    uint32_t pending;      /* of them: in no step of the averages yet */
    uint64_t collected_ns; /* time from the start to the last of them */
    double rate[3];        /* moving averages over 1, 5 and 15 minutes, per second */
};

/* The series below krakend.service., in the order of their names. */
struct metrics_service_row {
    const char *name;
    uint8_t kind;
    uint8_t which; /* SERVICE_VALUES = always 0 */
    bool bytes;
};
#define METRICS_SERVICE_ROWS 36
extern const struct metrics_service_row metrics_service_rows[METRICS_SERVICE_ROWS];

struct metrics_rates metrics_service_rates(const struct metrics *m);

#endif
