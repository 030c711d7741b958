/* Deadlines: a binary heap of timers that their owners embed.
 *
 * Setting, moving and cancelling cost O(log n); asking for the next one is O(1). Times are the
 * monotonic nanoseconds given to app_poll. The heap holds pointers: a timer must stay in place
 * while it is set. */
#ifndef LIMPET_BASE_TIMER_H
#define LIMPET_BASE_TIMER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer;
typedef void (*timer_fn)(struct timer *timer, void *ctx, uint64_t now_ns);

/* Embedded by the owner; zero-initialised = not set. Do not touch the fields. */
struct timer {
    uint64_t deadline_ns;
    timer_fn fn;
    void *ctx;
    size_t slot; /* 1-based place in the heap; 0 = not set */
};

struct timers {
    struct timer **heap; /* caller's array */
    size_t heap_len;
    size_t count;
    size_t count_max; /* most ever set at the same time */
};

void timers_init(struct timers *timers, struct timer **heap, size_t heap_len);
/* Sets or moves. The heap is sized for every timer that exists, so full is our bug (assert). */
void timer_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns, timer_fn fn,
               void *ctx);
void timer_cancel(struct timers *timers, struct timer *timer); /* no effect when not set */
bool timer_is_set(const struct timer *timer);
uint64_t timers_next_ns(const struct timers *timers); /* TIMER_NEVER when none is set */
/* Every deadline is `by_ns` later: the loop was busy for so long and nobody could be heard. Those
 * of 0 (as soon as possible) stay. */
void timers_postpone(struct timers *timers, uint64_t by_ns);
/* Runs at most `budget` expired timers (each is unset before its function runs); returns how
 * many. */
size_t timers_expire(struct timers *timers, uint64_t now_ns, size_t budget);

#endif
