#include "base/timer.h"

#include <assert.h>

/* Places in the heap are 1-based: the children of place n are 2n and 2n + 1, and 0 means "not
 * set". */

static void put(struct timers *timers, struct timer *timer, size_t slot)
{
    timers->heap[slot - 1] = timer;
    timer->slot = slot;
}

static struct timer *at(const struct timers *timers, size_t slot)
{
    return timers->heap[slot - 1];
}

static void sift_up(struct timers *timers, struct timer *timer, size_t slot)
{
    while (slot > 1 && at(timers, slot / 2)->deadline_ns > timer->deadline_ns) {
        put(timers, at(timers, slot / 2), slot);
        slot /= 2;
    }
    put(timers, timer, slot);
}

static void sift_down(struct timers *timers, struct timer *timer, size_t slot)
{
    for (;;) {
        size_t child = 2 * slot;
        if (child > timers->count) {
            break;
        }
        if (child < timers->count &&
            at(timers, child + 1)->deadline_ns < at(timers, child)->deadline_ns) {
            child++;
        }
        if (at(timers, child)->deadline_ns >= timer->deadline_ns) {
            break;
        }
        put(timers, at(timers, child), slot);
        slot = child;
    }
    put(timers, timer, slot);
}

/* `timer` goes to the free or own place `slot`; whichever way it has to move. */
static void settle(struct timers *timers, struct timer *timer, size_t slot)
{
    if (slot > 1 && at(timers, slot / 2)->deadline_ns > timer->deadline_ns) {
        sift_up(timers, timer, slot);
    } else {
        sift_down(timers, timer, slot);
    }
}

void timers_init(struct timers *timers, struct timer **heap, size_t heap_len)
{
    assert(heap != NULL && heap_len > 0);
    timers->heap = heap;
    timers->heap_len = heap_len;
    timers->count = 0;
    timers->count_max = 0;
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns, timer_fn fn,
               void *ctx)
{
    assert(fn != NULL);
    timer->deadline_ns = deadline_ns;
    timer->fn = fn;
    timer->ctx = ctx;
    if (timer->slot == 0) {
        assert(timers->count < timers->heap_len);
        timers->count++;
        if (timers->count > timers->count_max) {
            timers->count_max = timers->count;
        }
        sift_up(timers, timer, timers->count);
        return;
    }
    assert(at(timers, timer->slot) == timer);
    settle(timers, timer, timer->slot);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
    size_t slot = timer->slot;
    if (slot == 0) {
        return;
    }
    assert(slot <= timers->count && at(timers, slot) == timer);
    struct timer *last = at(timers, timers->count);
    timers->count--;
    timer->slot = 0;
    if (last != timer) {
        settle(timers, last, slot);
    }
}

bool timer_is_set(const struct timer *timer)
{
    return timer->slot != 0;
}

uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->count == 0 ? TIMER_NEVER : at(timers, 1)->deadline_ns;
}

/* The order stays, so the heap does. */
void timers_postpone(struct timers *timers, uint64_t by_ns)
{
    for (size_t i = 0; i < timers->count; i++) {
        uint64_t *deadline_ns = &timers->heap[i]->deadline_ns;
        *deadline_ns += *deadline_ns > 0 && by_ns < TIMER_NEVER - *deadline_ns ? by_ns : 0;
    }
}

size_t timers_expire(struct timers *timers, uint64_t now_ns, size_t budget)
{
    size_t expired = 0;
    while (expired < budget && timers->count > 0 && at(timers, 1)->deadline_ns <= now_ns) {
        struct timer *timer = at(timers, 1);
        timer_cancel(timers, timer);
        timer->fn(timer, timer->ctx, now_ns);
        expired++;
    }
    return expired;
}
