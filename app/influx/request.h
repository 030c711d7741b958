/* The heads of the requests to InfluxDB: the write and the ping.
 *
 * Version 1 is /write with a database and Basic login: InfluxDB 1.x, and 2.x and 3.x where they are
 * compatible. Version 2 is /api/v2/write with bucket, organization and API token: 2.x, and 3.x. */
#ifndef LIMPET_INFLUX_REQUEST_H
#define LIMPET_INFLUX_REQUEST_H

#include "base/out.h"
#include "config/config.h"

enum request_mode { REQUEST_V1, REQUEST_V2 };
enum request_mode request_mode(const struct config_influx *influx);

/* The request target of a write: base path, where to, precision in seconds. Also for the log: holds
 * no secret. */
void request_put_write_target(struct out *out, const struct config_influx *influx);
void request_put_ping_target(struct out *out, const struct config_influx *influx);
/* Request line and fields, without the framing fields and the empty line at the end. */
void request_put_write_head(struct out *out, const struct config_influx *influx);
void request_put_ping_head(struct out *out, const struct config_influx *influx);
/* "username:password" in base64 with padding (RFC 7617, RFC 4648 section 4). */
void request_put_basic(struct out *out, struct slice username, struct slice password);

#endif
