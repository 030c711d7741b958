#include "influx/batch.h"

#include <assert.h>

static bool next_record(struct batch *batch);
static bool send_line(struct batch *batch);
static int flush_line(void *ctx, const char *bytes, size_t len);

/* ---- Choosing ---------------------------------------------------------------------------------
 */

void batch_init(struct batch *batch, const struct spool *spool, const struct metrics *metrics,
                struct slice host_name)
{
    *batch = (struct batch){.spool = spool, .metrics = metrics, .host_name = host_name};
}

void batch_choose(struct batch *batch, size_t count_max)
{
    struct spool_cursor cursor = {0};
    struct slice record;
    struct lines lines;
    batch->count = 0;
    batch->points = 0;
    batch->body_len = 0;
    while (batch->count < count_max && spool_next(batch->spool, &cursor, &record)) {
        uint64_t len = 0;
        lines_init(&lines, batch->metrics, batch->host_name, record);
        uint32_t points = lines_measure(&lines, &len);
        bool fits = batch->count == 0 || batch->body_len + len <= LIMPET_INFLUX_BATCH_LEN;
        if (!fits || lines.stamp_s == 0) {
            break;
        }
        batch->body_len += len;
        batch->points += points;
        batch->count++;
    }
    assert(batch->count > 0);
}

/* ---- Sending ----------------------------------------------------------------------------------
 */

void batch_rewind(struct batch *batch, struct client_call *call)
{
    batch->call = call;
    batch->sent = false;
    batch->taken = 0;
    batch->begun = (struct spool_cursor){0};
    batch->lines.entry.kind = RECORD_END;
    batch->line_sent = 0;
}

void batch_send(struct batch *batch)
{
    while (batch->lines.entry.kind != RECORD_END || next_record(batch)) {
        if (!send_line(batch)) {
            return;
        }
    }
    batch->sent = true;
    client_write_end(batch->call);
}

static bool next_record(struct batch *batch)
{
    struct slice record;
    if (batch->begun.count == batch->count || !spool_next(batch->spool, &batch->begun, &record)) {
        return false;
    }
    lines_init(&batch->lines, batch->metrics, batch->host_name, record);
    return true;
}

/* Sends what is missing of the current line; false: no room for all of it now. */
static bool send_line(struct batch *batch)
{
    char staging[128];
    struct out out;
    struct lines next = batch->lines;
    batch->line_skip = batch->line_sent;
    out_init_flush(&out, staging, sizeof staging, flush_line, batch);
    (void)lines_next(&next, &out);
    if (out_finish(&out) != LIMPET_OK) {
        return false;
    }
    batch->lines = next;
    batch->line_sent = 0;
    return true;
}

static int flush_line(void *ctx, const char *bytes, size_t len)
{
    struct batch *batch = ctx;
    size_t skip = batch->line_skip < len ? batch->line_skip : len;
    batch->line_skip -= skip;
    size_t taken = skip < len ? client_write(batch->call, bytes + skip, len - skip) : 0;
    batch->line_sent += taken;
    batch->taken += taken;
    return taken == len - skip ? LIMPET_OK : LIMPET_ERR_BUSY;
}
