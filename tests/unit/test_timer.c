/* The timer heap against a plain list that is searched: same order, same next deadline. */
#include "base/timer.h"

#include "check.h"

#define TIMERS 64

struct owner {
    struct timer timer;
    int runs;
    uint64_t deadline_ns; /* 0: not set (the model) */
};

static struct owner owners[TIMERS];
static struct timer *heap[TIMERS];
static struct timers timers;
static uint64_t last_ran_ns;

static uint32_t random_next(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void start(void)
{
    memset(owners, 0, sizeof(owners));
    timers_init(&timers, heap, TIMERS);
    last_ran_ns = 0;
}

static void on_expired(struct timer *timer, void *ctx, uint64_t now_ns)
{
    struct owner *owner = ctx;
    CHECK(timer == &owner->timer);
    CHECK(!timer_is_set(timer));
    CHECK(owner->deadline_ns != 0 && owner->deadline_ns <= now_ns);
    CHECK(owner->deadline_ns >= last_ran_ns);
    last_ran_ns = owner->deadline_ns;
    owner->deadline_ns = 0;
    owner->runs++;
}

static void set(struct owner *owner, uint64_t deadline_ns)
{
    owner->deadline_ns = deadline_ns;
    timer_set(&timers, &owner->timer, deadline_ns, on_expired, owner);
}

static uint64_t model_next(void)
{
    uint64_t next = TIMER_NEVER;
    for (size_t i = 0; i < TIMERS; i++) {
        uint64_t deadline = owners[i].deadline_ns;
        next = deadline != 0 && deadline < next ? deadline : next;
    }
    return next;
}

static void heap_is_sound(void)
{
    size_t set_count = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        CHECK(timer_is_set(&owners[i].timer) == (owners[i].deadline_ns != 0));
        set_count += timer_is_set(&owners[i].timer);
    }
    CHECK_EQ_UINT(timers.count, set_count);
    for (size_t i = 0; i < timers.count; i++) {
        CHECK_EQ_UINT(heap[i]->slot, i + 1);
        CHECK(heap[(i + 1) / 2 == 0 ? 0 : (i + 1) / 2 - 1]->deadline_ns <= heap[i]->deadline_ns);
    }
    CHECK_EQ_UINT(timers_next_ns(&timers), model_next());
}

static void nothing_set_means_never(void)
{
    start();
    CHECK(timers_next_ns(&timers) == TIMER_NEVER);
    CHECK_EQ_UINT(timers_expire(&timers, TIMER_NEVER, 10), 0);
    timer_cancel(&timers, &owners[0].timer);
    CHECK(!timer_is_set(&owners[0].timer));
}

static void expires_at_its_deadline_and_once(void)
{
    start();
    set(&owners[0], 100);
    CHECK_EQ_UINT(timers_next_ns(&timers), 100);
    CHECK_EQ_UINT(timers_expire(&timers, 99, 10), 0);
    CHECK_EQ_UINT(timers_expire(&timers, 100, 10), 1);
    CHECK_EQ_UINT(timers_expire(&timers, 100, 10), 0);
    CHECK_EQ_INT(owners[0].runs, 1);
}

static void budget_bounds_a_turn(void)
{
    start();
    for (size_t i = 0; i < TIMERS; i++) {
        set(&owners[i], 1000 - i);
    }
    size_t ran = 0;
    for (size_t budget = 0; ran < TIMERS; budget++) {
        size_t left = TIMERS - ran;
        size_t now = timers_expire(&timers, 1000, budget);
        CHECK_EQ_UINT(now, budget < left ? budget : left);
        ran += now;
        heap_is_sound();
    }
}

static void set_again(struct timer *timer, void *ctx, uint64_t now_ns)
{
    int *runs = ctx;
    ++*runs;
    timer_set(&timers, timer, now_ns, set_again, ctx);
}

static void one_that_sets_itself_again_ends_with_the_budget(void)
{
    start();
    int runs = 0;
    timer_set(&timers, &owners[0].timer, 5, set_again, &runs);
    CHECK_EQ_UINT(timers_expire(&timers, 7, 3), 3);
    CHECK_EQ_INT(runs, 3);
    CHECK(timer_is_set(&owners[0].timer));
}

static void cancel_other(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    struct owner *other = ctx;
    timer_cancel(&timers, &other->timer);
    other->deadline_ns = 0;
}

static void a_timer_may_cancel_another_that_is_due(void)
{
    start();
    timer_set(&timers, &owners[0].timer, 1, cancel_other, &owners[1]);
    set(&owners[1], 2);
    CHECK_EQ_UINT(timers_expire(&timers, 10, 10), 1);
    CHECK_EQ_INT(owners[1].runs, 0);
}

/* Each place of a heap of each size is cancelled or moved both ways once. */
static void every_place_can_be_cancelled_and_moved(void)
{
    for (size_t count = 1; count <= TIMERS; count++) {
        for (size_t place = 0; place < count; place++) {
            start();
            for (size_t i = 0; i < count; i++) {
                set(&owners[i], 1000 + random_next() % 50);
            }
            struct owner *owner = heap[place]->ctx;
            set(owner, 1000 + random_next() % 50);
            heap_is_sound();
            set(owner, 1);
            heap_is_sound();
            set(owner, 5000);
            heap_is_sound();
            owner->deadline_ns = 0;
            timer_cancel(&timers, &owner->timer);
            heap_is_sound();
            CHECK_EQ_UINT(timers_expire(&timers, 5000, TIMERS), count - 1);
        }
    }
}

static void random_work_agrees_with_the_model(void)
{
    start();
    uint64_t now_ns = 1;
    for (int step = 0; step < 20000; step++) {
        struct owner *owner = &owners[random_next() % TIMERS];
        uint32_t what = random_next() % 8;
        if (what < 4) {
            set(owner, now_ns + random_next() % 1000);
        } else if (what < 6) {
            owner->deadline_ns = 0;
            timer_cancel(&timers, &owner->timer);
        } else {
            now_ns += random_next() % 100;
            last_ran_ns = 0;
            (void)timers_expire(&timers, now_ns, TIMERS);
            CHECK(timers_next_ns(&timers) > now_ns);
        }
        heap_is_sound();
    }
}

/* The loop was busy: what waits for a peer gets that time back, what is due at once does not. */
static void a_busy_loop_postpones(void)
{
    start();
    for (size_t i = 1; i < TIMERS; i++) {
        set(&owners[i], 100 + i);
    }
    timers_postpone(&timers, 1000);
    CHECK_EQ_UINT(timers_next_ns(&timers), 1101);
    CHECK_EQ_UINT(timers_expire(&timers, 1100, TIMERS), 0);
    timers_postpone(&timers, TIMER_NEVER);
    CHECK_EQ_UINT(timers_next_ns(&timers), 1101);
    for (size_t i = 1; i < TIMERS; i++) {
        CHECK_EQ_UINT(owners[i].timer.deadline_ns, 1100 + i);
        timer_cancel(&timers, &owners[i].timer);
    }
    timer_set(&timers, &owners[0].timer, 0, on_expired, &owners[0]);
    timers_postpone(&timers, 1000);
    CHECK_EQ_UINT(timers_next_ns(&timers), 0);
    timer_cancel(&timers, &owners[0].timer);
}

int main(void)
{
    a_busy_loop_postpones();
    nothing_set_means_never();
    expires_at_its_deadline_and_once();
    budget_bounds_a_turn();
    one_that_sets_itself_again_ends_with_the_budget();
    a_timer_may_cancel_another_that_is_due();
    every_place_can_be_cancelled_and_moved();
    random_work_agrees_with_the_model();
    return check_result();
}
