/* Circuit breakers, as sony/gobreaker is used by the reference: closed, open, half-open.
 *
 * Closed: calls go through; more than max_errors failures in a row open it. With an interval the
 * count begins anew each time that it has passed. Open: no call goes through for the timeout.
 * Half-open from the first call after it: that call is a probe, others are refused until it is
 * known; its success closes, its failure opens. A result that belongs to a time before the last
 * change counts nothing. A call that was taken back counts neither way, and gives the probe's place
 * to the next one. */
#ifndef LIMPET_GATEWAY_BREAKER_H
#define LIMPET_GATEWAY_BREAKER_H

#include "app_config.h"
#include "base/log.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum breaker_result {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NOTHING, /* taken back by ourselves or by the client */
};

struct breaker {
    uint64_t until_ns; /* CLOSED with an interval: of the count; OPEN: of the timeout */
    uint32_t period;   /* a new one with each change and each count; > 0 */
    uint32_t failures; /* in a row */
    enum breaker_state state;
    bool probed; /* HALF_OPEN: the probe is under way */
};

/* For static placement; do not touch the fields. */
struct breakers {
    const struct config *config;
    struct log *log;
    uint32_t open;
    uint32_t half_open;
    uint64_t opened;  /* how often one opened */
    uint64_t refused; /* calls */
    struct breaker list[LIMPET_BREAKERS_MAX];
};

void breakers_init(struct breakers *b, const struct config *config, struct log *log,
                   uint64_t now_ns);
/* A call of breaker `number` (config_backend.breaker, not 0). NULL: it may go, and its result must
 * be told with this `period`. Else why not, static. */
const char *breakers_enter(struct breakers *b, uint16_t number, uint64_t now_ns, uint32_t *period);
void breakers_leave(struct breakers *b, uint16_t number, uint64_t now_ns, uint32_t period,
                    enum breaker_result result);

#endif
