/* The access log: one line a request, at level DEBUG, when it ends:
 *
 *     DEBUG: [SERVICE: Gateway] 192.0.2.1 GET /users/7?x=1 200 321 bytes 4 ms
 *
 * The address is the client's (gateway/client_ip.h), the status that of the answer (for who went
 * away: that which is counted), the time from the head to the end of the answer. */
#ifndef LIMPET_GATEWAY_ACCESS_LOG_H
#define LIMPET_GATEWAY_ACCESS_LOG_H

#include "gateway/exchange.h"

/* Nothing with disable_access_log, and of a path in logger_skip_paths. */
void access_log_write(const struct exchange *x);

#endif
