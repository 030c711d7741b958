/* security/cors: which pages of other origins may use the gateway (the Fetch standard), answered as
 * the reference's library (rs/cors) does.
 *
 * It stands in front of the router: every answer that a handler gives has its fields, those for 404
 * and for /__health included, and a preflight is answered before a path is looked up, counted by no
 * layer. Where it is configured its fields are the only ones: a no-op backend's own
 * Access-Control-* are left out, since browsers refuse two. */
#ifndef LIMPET_GATEWAY_CORS_H
#define LIMPET_GATEWAY_CORS_H

#include "config/config.h"
#include "web/server.h"

struct gateway;

/* Is it a preflight, to be answered with `success_status` and no more? Counts it. Not with
 * options_passthrough: then the request goes on. */
bool cors_takes(struct gateway *gateway, const struct server_conn *c);
/* The fields of an answer, between server_begin and server_head_end. */
void cors_write_fields(const struct config *config, struct server_conn *c);
/* A field that no backend may set. */
bool cors_is_own_field(const struct config *config, struct slice name);

#endif
