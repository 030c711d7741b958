/* What a request of Prometheus accepts. Part of report/listener. */
#ifndef LIMPET_REPORT_ACCEPT_H
#define LIMPET_REPORT_ACCEPT_H

#include "web/message.h"

#include <stdbool.h>

/* Does an Accept field name application/openmetrics-text, without version or with 1.0.0, and no
 * less than text/plain? (RFC 9110 section 12.5.1; wildcards mean the text format.) */
bool accept_openmetrics(const struct message_head *request);

#endif
