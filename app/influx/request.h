/* The heads of the requests to InfluxDB 1.x: /write and /ping. */
#ifndef LIMPET_INFLUX_REQUEST_H
#define LIMPET_INFLUX_REQUEST_H

#include "base/out.h"
#include "config/config.h"

/* The request target of a write: base path, database, precision in seconds. Also for the log. */
void request_put_write_target(struct out *out, const struct config_influx *influx);
void request_put_ping_target(struct out *out, const struct config_influx *influx);
/* Request line and fields, without the framing fields and the empty line at the end. */
void request_put_write_head(struct out *out, const struct config_influx *influx);
void request_put_ping_head(struct out *out, const struct config_influx *influx);
/* "username:password" in base64 with padding (RFC 7617, RFC 4648 section 4). */
void request_put_basic(struct out *out, struct slice username, struct slice password);

#endif
