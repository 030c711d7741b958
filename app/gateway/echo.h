/* /__echo/...: a JSON object that shows the request as it arrived: req_uri, req_uri_details,
 * req_method, req_querystring, req_headers, req_body (as KrakenD's, with `echo_endpoint`).
 *
 * The answer is composed in one body of the pool; a request that does not fit in there is 413. */
#ifndef LIMPET_GATEWAY_ECHO_H
#define LIMPET_GATEWAY_ECHO_H

#include "gateway/exchange.h"

void echo_start(struct exchange *x);
/* EXCHANGE_READING: body bytes of the request are there, or it ended. */
void echo_read(struct exchange *x);

#endif
