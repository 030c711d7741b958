/* One encrypted connection: the operations of its transport, and the steps of the one below. */
#ifndef LIMPET_TLS_CONN_H
#define LIMPET_TLS_CONN_H

#include "tls/tls.h"

extern const struct transport_ops conn_ops;

/* Step of the transport below. */
void conn_step(void *owner, struct transport *inner);

#endif
