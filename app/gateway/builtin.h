/* Answers that come from no endpoint: /__health, /__debug/, redirects, OPTIONS, 400, 404, 405.
 * None of them is counted, as in the reference. */
#ifndef LIMPET_GATEWAY_BUILTIN_H
#define LIMPET_GATEWAY_BUILTIN_H

#include "gateway/exchange.h"

#define BUILTIN_JSON SLICE_LIT("application/json; charset=utf-8")

/* Any route but ROUTE_ENDPOINT. */
void builtin_start(struct exchange *x, const struct route *route);

/* A body from the pool to compose an answer in, held by the exchange. False: there is none, and the
 * answer 503 is on its way. */
LIMPET_WARN_UNUSED
bool builtin_take_body(struct exchange *x);
/* An answer of one text, static or in the exchange's body. `gateway_fields`: X-Krakend and
 * X-Krakend-Completed: false. */
void builtin_answer(struct exchange *x, unsigned status, bool gateway_fields, struct slice type,
                    struct slice text);

#endif
