/* The body of one write: the oldest windows of the spool as line protocol.
 *
 * The text is made while it is sent and never kept: a line that found no room is made again when
 * there is some, and what was taken of it is passed over. The same records give the same bytes each
 * time. Records of a batch must not leave the spool while it is sent. */
#ifndef LIMPET_INFLUX_BATCH_H
#define LIMPET_INFLUX_BATCH_H

#include "influx/lines.h"
#include "influx/spool.h"
#include "web/client.h"

/* For static placement; read count, points, body_len, taken and sent, do not touch the fields. */
struct batch {
    const struct spool *spool;
    const struct metrics *metrics;
    struct slice host_name;
    size_t count; /* records, the oldest of the spool; 0 = none is chosen */
    uint64_t points;
    uint64_t body_len; /* bytes */
    uint64_t taken;    /* of them, by the connection */
    bool sent;         /* to its end */

    struct client_call *call;
    struct spool_cursor begun; /* records whose lines were or are being sent */
    struct lines lines;
    size_t line_sent; /* bytes of the current line that were taken */
    size_t line_skip; /* of them, still to be passed over while it is made again */
};

void batch_init(struct batch *batch, const struct spool *spool, const struct metrics *metrics,
                struct slice host_name);
/* Takes the oldest windows up to LIMPET_INFLUX_BATCH_LEN bytes of text and `count_max` windows, at
 * least one, up to the first that has no date. The oldest must be there and have one. */
void batch_choose(struct batch *batch, size_t count_max);
/* At the start of a request: its body begins at the first byte again. */
void batch_rewind(struct batch *batch, struct client_call *call);
/* Whenever the call may have room: sends as much as it takes, and the end of the body. */
void batch_send(struct batch *batch);

#endif
