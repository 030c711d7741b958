/* The circuit breaker against gobreaker's own rules, written down once more as it words them
 * (counts, generation, expiry), over random calls whose results come in any order. */
#include "gateway/breaker.h"

#include "check.h"

#define S UINT64_C(1000000000)
#define CALLS 24u

static struct config config;
static struct breakers breakers;
static struct log sink;
static char lines[8192];
static size_t lines_len;
static uint64_t seed = 99;

static uint64_t below(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % limit;
}

static bool keep_line(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    if (lines_len + line.len + 2 < sizeof(lines)) {
        memcpy(lines + lines_len, line.ptr, line.len);
        lines_len += line.len;
        lines[lines_len++] = '\n';
    }
    lines[lines_len] = '\0';
    return true;
}

static void start(uint64_t interval_s, uint64_t timeout_s, uint32_t errors_max, bool log_change)
{
    config.breaker_count = 1;
    config.breakers[0] = (struct config_breaker){
        .name = SLICE_LIT("cb"),
        .interval_ns = interval_s * S,
        .timeout_ns = timeout_s * S,
        .errors_max = errors_max,
        .log_change = log_change,
    };
    lines_len = 0;
    lines[0] = '\0';
    log_init(&sink, keep_line, NULL, LOG_DEBUG);
    breakers_init(&breakers, &config, &sink, 0);
}

/* ---- The model ------------------------------------------------------------------------------- */

static struct {
    enum breaker_state state;
    uint64_t generation;
    uint64_t requests;
    uint64_t exclusions;
    uint64_t consecutive_failures;
    bool expires;
    uint64_t expiry_ns;
    uint64_t opened;
} model;

static void model_generation(uint64_t now_ns)
{
    const struct config_breaker *c = &config.breakers[0];
    model.generation++;
    model.requests = 0;
    model.exclusions = 0;
    model.consecutive_failures = 0;
    model.expires =
        model.state == BREAKER_OPEN || (model.state == BREAKER_CLOSED && c->interval_ns > 0);
    model.expiry_ns = now_ns + (model.state == BREAKER_OPEN ? c->timeout_ns : c->interval_ns);
}

static void model_set(enum breaker_state state, uint64_t now_ns)
{
    model.opened += state == BREAKER_OPEN;
    model.state = state;
    model_generation(now_ns);
}

static void model_current(uint64_t now_ns)
{
    bool expired = model.expires && model.expiry_ns < now_ns;
    if (expired && model.state == BREAKER_CLOSED) {
        model_generation(now_ns);
    } else if (expired) {
        model_set(BREAKER_HALF_OPEN, now_ns);
    }
}

/* 0 = refused. */
static uint64_t model_enter(uint64_t now_ns)
{
    model_current(now_ns);
    bool full = model.requests - model.exclusions >= 1;
    if (model.state == BREAKER_OPEN || (model.state == BREAKER_HALF_OPEN && full)) {
        return 0;
    }
    model.requests++;
    return model.generation;
}

static void model_leave(uint64_t generation, enum breaker_result result, uint64_t now_ns)
{
    model_current(now_ns);
    if (generation != model.generation) {
        return;
    }
    if (result == BREAKER_NOTHING) {
        model.exclusions++;
    } else if (result == BREAKER_SUCCESS) {
        model.consecutive_failures = 0;
        if (model.state == BREAKER_HALF_OPEN) {
            model_set(BREAKER_CLOSED, now_ns);
        }
    } else {
        model.consecutive_failures++;
        if (model.state == BREAKER_HALF_OPEN ||
            model.consecutive_failures > config.breakers[0].errors_max) {
            model_set(BREAKER_OPEN, now_ns);
        }
    }
}

/* ---- Random calls ---------------------------------------------------------------------------- */

struct call {
    uint64_t generation; /* 0 = not under way */
    uint32_t period;
};

static bool agree(void)
{
    const struct breaker *b = &breakers.list[0];
    return b->state == model.state && breakers.open == (model.state == BREAKER_OPEN) &&
           breakers.half_open == (model.state == BREAKER_HALF_OPEN) &&
           breakers.opened == model.opened;
}

static bool random_step(struct call *calls, uint64_t now_ns, unsigned failing)
{
    struct call *call = &calls[below(CALLS)];
    if (call->generation != 0) {
        enum breaker_result result = below(100) < failing ? BREAKER_FAILURE : BREAKER_SUCCESS;
        result = below(12) == 0 ? BREAKER_NOTHING : result;
        model_leave(call->generation, result, now_ns);
        breakers_leave(&breakers, 1, now_ns, call->period, result);
        call->generation = 0;
        return agree();
    }
    call->generation = model_enter(now_ns);
    const char *refusal = breakers_enter(&breakers, 1, now_ns, &call->period);
    return agree() && (refusal == NULL) == (call->generation != 0);
}

static void test_random(void)
{
    unsigned long opened = 0;
    for (int round = 0; round < 400; round++) {
        struct call calls[CALLS] = {{0}};
        start(below(3), 1 + below(3), (uint32_t)below(4), false);
        model.state = BREAKER_CLOSED;
        model.generation = 0;
        model.opened = 0;
        model_generation(0);
        uint64_t now_ns = below(2) == 0 ? below(S) : (UINT64_C(1) << 63);
        unsigned failing = (unsigned)below(101);
        bool ok = true;
        for (int step = 0; ok && step < 2000; step++) {
            const uint64_t waits[] = {0, 0, below(S / 4), S, S + 1, 2 * S, 3 * S + 1};
            now_ns += waits[below(below(6) == 0 ? 7 : 3)];
            ok = random_step(calls, now_ns, failing);
        }
        CHECK(ok);
        opened += breakers.opened;
    }
    CHECK(opened > 10000);
}

/* ---- One life ---------------------------------------------------------------------------------
 */

static const char *call_at(uint64_t now_ns, enum breaker_result result)
{
    uint32_t period = 0;
    const char *refusal = breakers_enter(&breakers, 1, now_ns, &period);
    if (refusal == NULL) {
        breakers_leave(&breakers, 1, now_ns, period, result);
    }
    return refusal;
}

static void test_life(void)
{
    uint32_t probe = 0;
    uint32_t other = 0;
    start(60, 10, 2, true);
    CHECK(call_at(S, BREAKER_FAILURE) == NULL);
    CHECK(call_at(S, BREAKER_FAILURE) == NULL);
    CHECK(call_at(S, BREAKER_SUCCESS) == NULL); /* in a row: begins anew */
    CHECK(call_at(S, BREAKER_FAILURE) == NULL);
    CHECK(call_at(S, BREAKER_FAILURE) == NULL);
    CHECK(call_at(S, BREAKER_NOTHING) == NULL);
    CHECK_EQ_UINT(breakers.open, 0);
    CHECK(call_at(S, BREAKER_FAILURE) == NULL);
    CHECK_EQ_UINT(breakers.open, 1);
    CHECK_EQ_STR(call_at(11 * S, BREAKER_SUCCESS), "circuit breaker is open");
    CHECK(breakers_enter(&breakers, 1, 11 * S + 1, &probe) == NULL);
    CHECK_EQ_UINT(breakers.half_open, 1);
    CHECK_EQ_STR(breakers_enter(&breakers, 1, 11 * S + 2, &other), "too many requests");
    breakers_leave(&breakers, 1, 11 * S + 3, probe, BREAKER_NOTHING);
    CHECK(breakers_enter(&breakers, 1, 11 * S + 4, &probe) == NULL);
    breakers_leave(&breakers, 1, 12 * S, probe, BREAKER_FAILURE);
    CHECK_EQ_STR(call_at(22 * S, BREAKER_SUCCESS), "circuit breaker is open");
    CHECK(call_at(22 * S + 1, BREAKER_SUCCESS) == NULL);
    CHECK_EQ_UINT(breakers.open + breakers.half_open, 0);
    CHECK_EQ_UINT(breakers.opened, 2);
    CHECK_EQ_UINT(breakers.refused, 3);
    CHECK_EQ_STR(lines,
                 "WARNING: [CB] Circuit breaker named 'cb' went from 'closed' to 'open'\n"
                 "WARNING: [CB] Circuit breaker named 'cb' went from 'open' to 'half-open'\n"
                 "WARNING: [CB] Circuit breaker named 'cb' went from 'half-open' to 'open'\n"
                 "WARNING: [CB] Circuit breaker named 'cb' went from 'open' to 'half-open'\n"
                 "WARNING: [CB] Circuit breaker named 'cb' went from 'half-open' to 'closed'\n");
}

int main(void)
{
    test_life();
    test_random();
    return check_result();
}
