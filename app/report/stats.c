#include "report/stats.h"

#include "metrics/service.h"
#include "report/format.h"
#include "report/index.h"

#include <assert.h>
#include <string.h>

#define NO_KEY UINT32_MAX

static const size_t buffer_count = LIMPET_STATS_BUFFERS;

static void leave_readers(struct stats *stats, struct stats_reader *reader);
static struct stats_buffer *find_buffer(struct stats *stats, enum stats_format format);
static bool render(struct stats *stats, struct stats_buffer *buffer, enum stats_format format);
static bool at_end(const struct stats *stats, const struct stats_position *at);
static bool put_line(struct stats *stats, struct out *out, struct stats_position *at);
static void fill_piece(struct stats *stats, struct stats_reader *reader);
static void fill_part(struct stats *stats, struct stats_reader *reader);
static void next_item(const struct stats *stats, struct stats_position *at, unsigned end);

/* Answers that were rendered or shared are not among them: a scrape would change the table it
 * reads. */
static const struct metrics_value values[] = {
    METRICS_FIELD(METRICS_COUNTER, "stats.answers_cut", struct stats, cut),
    METRICS_FIELD(METRICS_COUNTER, "stats.answers_in_pieces", struct stats, pieced),
};

void report_stats_init(struct stats *stats, struct metrics *metrics, const char *const *argv,
                       int argc)
{
    memset(stats, 0, offsetof(struct stats, buffers));
    for (size_t i = 0; i < buffer_count; i++) {
        stats->buffers[i].generation = 0;
        stats->buffers[i].readers = 0;
    }
    stats->metrics = metrics;
    stats->argv = argv;
    stats->argc = argc;
    stats->key_id = NO_KEY;
    metrics_add_values(metrics, values, sizeof(values) / sizeof(values[0]), stats);
    index_build(stats);
}

/* ---- One answer ------------------------------------------------------------------------------ */

void report_stats_open(struct stats *stats, struct stats_reader *reader, enum stats_format format)
{
    assert(!reader->open);
    memset(reader, 0, offsetof(struct stats_reader, piece));
    reader->open = true;
    reader->position.format = (uint8_t)format;
    index_update(stats);
    reader->buffer = find_buffer(stats, format);
    if (reader->buffer != NULL) {
        reader->buffer->readers++;
        return;
    }
    stats->pieced++;
    reader->window_seq = metrics_window(stats->metrics)->seq;
    reader->next = stats->readers;
    stats->readers = reader;
    metrics_hold_begin(stats->metrics);
}

bool report_stats_length(const struct stats_reader *reader, uint64_t *len)
{
    assert(reader->open);
    *len = reader->buffer != NULL ? reader->buffer->len : 0;
    return reader->buffer != NULL;
}

int report_stats_peek(struct stats *stats, struct stats_reader *reader, struct slice *bytes)
{
    assert(reader->open);
    if (reader->buffer != NULL) {
        *bytes = slice_skip(slice_of(reader->buffer->bytes, reader->buffer->len), reader->at);
        return bytes->len > 0;
    }
    if (reader->at == reader->piece_len && !at_end(stats, &reader->position)) {
        if (metrics_window(stats->metrics)->seq != reader->window_seq) {
            stats->cut++;
            return LIMPET_ERR_CANCELED;
        }
        fill_piece(stats, reader);
    }
    *bytes = slice_skip(slice_of(reader->piece, reader->piece_len), reader->at);
    return bytes->len > 0;
}

void report_stats_consume(struct stats_reader *reader, size_t len)
{
    assert(reader->open);
    assert(len <= (reader->buffer != NULL ? reader->buffer->len : reader->piece_len) - reader->at);
    reader->at += len;
}

void report_stats_close(struct stats *stats, struct stats_reader *reader)
{
    if (!reader->open) {
        return;
    }
    reader->open = false;
    if (reader->buffer != NULL) {
        assert(reader->buffer->readers > 0);
        reader->buffer->readers--;
        return;
    }
    leave_readers(stats, reader);
    metrics_hold_end(stats->metrics);
}

static void leave_readers(struct stats *stats, struct stats_reader *reader)
{
    struct stats_reader **link = &stats->readers;
    while (*link != reader) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = reader->next;
}

/* ---- Rendered at once ------------------------------------------------------------------------ */

/* A buffer with the table as it is now: there already, or made. NULL: none is free, or it is too
 * small. */
static struct stats_buffer *find_buffer(struct stats *stats, enum stats_format format)
{
    struct stats_buffer *free = NULL;
    for (size_t i = 0; i < buffer_count; i++) {
        struct stats_buffer *buffer = &stats->buffers[i];
        if (buffer->generation == metrics_generation(stats->metrics) && buffer->format == format) {
            stats->shared++;
            return buffer;
        }
        if (buffer->readers == 0) {
            free = buffer;
        }
    }
    return free != NULL && render(stats, free, format) ? free : NULL;
}

static bool render(struct stats *stats, struct stats_buffer *buffer, enum stats_format format)
{
    struct out out;
    struct stats_position at = {.format = (uint8_t)format};
    out_init(&out, buffer->bytes, sizeof(buffer->bytes));
    while (!at_end(stats, &at) && put_line(stats, &out, &at)) {
    }
    buffer->format = format;
    buffer->len = out_slice(&out).len;
    buffer->generation = at_end(stats, &at) ? metrics_generation(stats->metrics) : 0;
    stats->rendered += buffer->generation != 0;
    return buffer->generation != 0;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static const struct stats_write *write_of(const struct stats_position *at)
{
    return at->format == STATS_JSON ? &stats_write_json : &stats_write_prometheus;
}

static bool at_end(const struct stats *stats, const struct stats_position *at)
{
    return write_of(at)->at_end(stats, at);
}

/* The items of a line, as many as fit whole. True: all of them, and `at` stands at the next line.
 */
static bool put_line(struct stats *stats, struct out *out, struct stats_position *at)
{
    const struct stats_write *write = write_of(at);
    struct metrics_view view;
    unsigned end = write->read_line(stats, at, &view);
    size_t before = out_slice(out).len;
    write->put_items(stats, out, at, &view, at->key, end);
    if (out_err(out) == LIMPET_OK) {
        write->next_line(stats, at);
        return true;
    }
    out_rewind(out, before);
    for (; at->key < end; at->key++) {
        before = out_slice(out).len;
        write->put_items(stats, out, at, &view, at->key, at->key + 1);
        if (out_err(out) != LIMPET_OK) {
            out_rewind(out, before);
            break;
        }
    }
    return false;
}

/* ---- Piece by piece ---------------------------------------------------------------------------
 */

/* Whole items as far as they fit; one that is longer than a piece goes in parts. */
static void fill_piece(struct stats *stats, struct stats_reader *reader)
{
    struct out out;
    out_init(&out, reader->piece, sizeof(reader->piece));
    while (reader->key_done == 0 && !at_end(stats, &reader->position) &&
           put_line(stats, &out, &reader->position)) {
    }
    reader->at = 0;
    reader->piece_len = out_slice(&out).len;
    if (reader->piece_len == 0) {
        fill_part(stats, reader);
    }
}

/* The part of a long item: what is passed over, and where the rest goes. */
struct part {
    size_t skip;
    char *to;
    size_t room;
    size_t len;
};

static int take_part(void *ctx, const char *bytes, size_t len)
{
    struct part *part = ctx;
    size_t skip = len < part->skip ? len : part->skip;
    size_t room = part->room - part->len;
    size_t taken = len - skip < room ? len - skip : room;
    memcpy(part->to + part->len, bytes + skip, taken);
    part->skip -= skip;
    part->len += taken;
    return skip + taken == len ? LIMPET_OK : LIMPET_ERR_FULL;
}

/* The next part of an item that is longer than a piece. Its number is kept as text from the first
 * part on, so that the parts belong together. */
static void fill_part(struct stats *stats, struct stats_reader *reader)
{
    struct out out;
    struct stats_position *at = &reader->position;
    const struct stats_write *write = write_of(at);
    struct metrics_view view;
    unsigned end = write->read_line(stats, at, &view);
    if (reader->key_done == 0) {
        out_init(&out, reader->value, sizeof(reader->value));
        write->put_value(stats, &out, at, &view);
        reader->value_len = out_slice(&out).len;
    }
    struct part part = {
        .skip = reader->key_done, .to = reader->piece, .room = sizeof(reader->piece)};
    out_init_flush(&out, NULL, 0, take_part, &part);
    write->put_text(stats, &out, at, &view);
    out_bytes(&out, reader->value, reader->value_len);
    reader->piece_len = part.len;
    reader->key_done += part.len;
    if (out_err(&out) == LIMPET_OK) {
        reader->key_done = 0;
        next_item(stats, at, end);
    }
}

static void next_item(const struct stats *stats, struct stats_position *at, unsigned end)
{
    at->key++;
    if (at->key == end) {
        write_of(at)->next_line(stats, at);
    }
}
