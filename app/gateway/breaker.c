#include "gateway/breaker.h"

#include <assert.h>

/* Counts anew, from now on; results of calls that are under way will not match any more. */
static void begin_period(struct breaker *b, const struct config_breaker *config, uint64_t now_ns)
{
    uint64_t length_ns = b->state == BREAKER_OPEN ? config->timeout_ns : config->interval_ns;
    bool ends = b->state != BREAKER_HALF_OPEN && length_ns > 0;
    b->until_ns = ends ? now_ns + length_ns : UINT64_MAX;
    b->period += b->period == UINT32_MAX ? 2 : 1;
    b->failures = 0;
    b->probed = false;
}

void breakers_init(struct breakers *b, const struct config *config, struct log *log,
                   uint64_t now_ns)
{
    b->config = config;
    b->log = log;
    b->open = 0;
    b->half_open = 0;
    b->opened = 0;
    b->refused = 0;
    for (uint16_t i = 0; i < config->breaker_count; i++) {
        b->list[i] = (struct breaker){.state = BREAKER_CLOSED};
        begin_period(&b->list[i], &config->breakers[i], now_ns);
    }
}

static void log_change(const struct breakers *b, const struct config_breaker *config,
                       enum breaker_state from, enum breaker_state to)
{
    static const char words[][10] = {"closed", "open", "half-open"};
    if (!config->log_change) {
        return;
    }
    struct out *out = log_begin(b->log, LOG_WARN, "[CB]");
    out_text(out, "Circuit breaker named '");
    out_put(out, config->name);
    out_text(out, "' went from '");
    out_text(out, words[from]);
    out_text(out, "' to '");
    out_text(out, words[to]);
    out_char(out, '\'');
    log_end(b->log);
}

static void change(struct breakers *b, uint16_t index, enum breaker_state to, uint64_t now_ns)
{
    const struct config_breaker *config = &b->config->breakers[index];
    struct breaker *breaker = &b->list[index];
    enum breaker_state from = breaker->state;
    b->open += (uint32_t)(to == BREAKER_OPEN) - (uint32_t)(from == BREAKER_OPEN);
    b->half_open += (uint32_t)(to == BREAKER_HALF_OPEN) - (uint32_t)(from == BREAKER_HALF_OPEN);
    b->opened += to == BREAKER_OPEN;
    breaker->state = to;
    begin_period(breaker, config, now_ns);
    log_change(b, config, from, to);
}

/* What time alone changes, seen when somebody looks. */
static struct breaker *look(struct breakers *b, uint16_t number, uint64_t now_ns)
{
    assert(number > 0 && number <= b->config->breaker_count);
    uint16_t index = (uint16_t)(number - 1u);
    struct breaker *breaker = &b->list[index];
    if (breaker->until_ns >= now_ns) {
        return breaker;
    }
    if (breaker->state == BREAKER_OPEN) {
        change(b, index, BREAKER_HALF_OPEN, now_ns);
    } else {
        begin_period(breaker, &b->config->breakers[index], now_ns);
    }
    return breaker;
}

const char *breakers_enter(struct breakers *b, uint16_t number, uint64_t now_ns, uint32_t *period)
{
    struct breaker *breaker = look(b, number, now_ns);
    if (breaker->state == BREAKER_OPEN) {
        b->refused++;
        return "circuit breaker is open";
    }
    if (breaker->probed) {
        b->refused++;
        return "too many requests";
    }
    breaker->probed = breaker->state == BREAKER_HALF_OPEN;
    *period = breaker->period;
    return NULL;
}

void breakers_leave(struct breakers *b, uint16_t number, uint64_t now_ns, uint32_t period,
                    enum breaker_result result)
{
    struct breaker *breaker = look(b, number, now_ns);
    uint16_t index = (uint16_t)(number - 1u);
    if (period != breaker->period) {
        return;
    }
    bool half_open = breaker->state == BREAKER_HALF_OPEN;
    if (result == BREAKER_NOTHING) {
        breaker->probed = false;
    } else if (result == BREAKER_SUCCESS) {
        breaker->failures = 0;
        if (half_open) {
            change(b, index, BREAKER_CLOSED, now_ns);
        }
    } else if (half_open || ++breaker->failures > b->config->breakers[index].errors_max) {
        change(b, index, BREAKER_OPEN, now_ns);
    }
}
