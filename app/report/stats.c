#include "report/stats.h"

#include "metrics/service.h"
#include "report/index.h"

#include <assert.h>
#include <string.h>

#define NO_KEY UINT32_MAX
/* As Go's %g, which the reference uses: exponent form from 1e+06 on. */
#define EXPONENT_MIN 6

static const size_t buffer_count = LIMPET_STATS_BUFFERS;

static void leave_readers(struct stats *stats, struct stats_reader *reader);
static struct stats_buffer *find_buffer(struct stats *stats);
static bool render(struct stats *stats, struct stats_buffer *buffer);
static bool at_end(const struct stats *stats, const struct stats_position *at);
static bool put_line(struct stats *stats, struct out *out, struct stats_position *at);
static void next_line(const struct stats *stats, struct stats_position *at);
static void put_key(struct stats *stats, struct out *out, const struct stats_position *at,
                    const struct metrics_view *view);
static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view);
static void put_cmdline(const struct stats *stats, struct out *out);
static void put_prefix(struct stats *stats, struct out *out, const struct metrics_view *view);
static void write_prefix(struct out *out, const struct metrics_view *view);
static void put_field(struct out *out, const struct metrics_view *view, enum index_field field);
static void put_float(struct out *out, double v);
static void fill_piece(struct stats *stats, struct stats_reader *reader);
static void fill_part(struct stats *stats, struct stats_reader *reader);
static void next_key(const struct stats *stats, struct stats_reader *reader);

/* Go's runtime.MemStats in the order of its fields. What stands before the number; a field without
 * a number is complete. Its arrays are of no use here and empty, which Go's decoder takes. */
struct memstats_field {
    const char *before;
    uint8_t which; /* enum metrics_service; or NO_NUMBER */
};
#define NO_NUMBER 255
static const struct memstats_field memstats[] = {
    {",\n\"memstats\": {\"Alloc\":", SERVICE_HEAP_ALLOC},
    {",\"TotalAlloc\":", SERVICE_TOTAL_ALLOC},
    {",\"Sys\":", SERVICE_SYS},
    {",\"Lookups\":0,\"Mallocs\":", SERVICE_MALLOCS},
    {",\"Frees\":", SERVICE_FREES},
    {",\"HeapAlloc\":", SERVICE_HEAP_ALLOC},
    {",\"HeapSys\":", SERVICE_HEAP_SYS},
    {",\"HeapIdle\":", SERVICE_HEAP_IDLE},
    {",\"HeapInuse\":", SERVICE_HEAP_ALLOC},
    {",\"HeapReleased\":0,\"HeapObjects\":", SERVICE_HEAP_OBJECTS},
    {",\"StackInuse\":", SERVICE_STACK_INUSE},
    {",\"StackSys\":", SERVICE_STACK_SYS},
    {",\"MSpanInuse\":0,\"MSpanSys\":0,\"MCacheInuse\":0,\"MCacheSys\":0", NO_NUMBER},
    {",\"BuckHashSys\":0,\"GCSys\":0,\"OtherSys\":0,\"NextGC\":0,\"LastGC\":0", NO_NUMBER},
    {",\"PauseTotalNs\":0,\"PauseNs\":[],\"PauseEnd\":[],\"NumGC\":0", NO_NUMBER},
    {",\"NumForcedGC\":0,\"GCCPUFraction\":0,\"EnableGC\":false", NO_NUMBER},
    {",\"DebugGC\":false,\"BySize\":[]}", NO_NUMBER},
};
#define MEMSTATS_FIELDS ((unsigned)(sizeof(memstats) / sizeof(memstats[0])))

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
    index_build(stats);
}

/* ---- One answer ------------------------------------------------------------------------------ */

void report_stats_open(struct stats *stats, struct stats_reader *reader)
{
    assert(!reader->open);
    memset(reader, 0, offsetof(struct stats_reader, piece));
    reader->open = true;
    index_update(stats);
    reader->buffer = find_buffer(stats);
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
static struct stats_buffer *find_buffer(struct stats *stats)
{
    struct stats_buffer *free = NULL;
    for (size_t i = 0; i < buffer_count; i++) {
        struct stats_buffer *buffer = &stats->buffers[i];
        if (buffer->generation == metrics_generation(stats->metrics)) {
            stats->shared++;
            return buffer;
        }
        if (buffer->readers == 0) {
            free = buffer;
        }
    }
    return free != NULL && render(stats, free) ? free : NULL;
}

static bool render(struct stats *stats, struct stats_buffer *buffer)
{
    struct out out;
    struct stats_position at = {0, 0};
    out_init(&out, buffer->bytes, sizeof(buffer->bytes));
    while (!at_end(stats, &at) && put_line(stats, &out, &at)) {
    }
    buffer->len = out_slice(&out).len;
    buffer->generation = at_end(stats, &at) ? metrics_generation(stats->metrics) : 0;
    stats->rendered += buffer->generation != 0;
    return buffer->generation != 0;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Line 0 is cmdline, then one for each entry of the index, memstats, and the end. */
static size_t memstats_line(const struct stats *stats)
{
    return stats->entry_count + 1;
}

static bool is_entry(const struct stats *stats, size_t line)
{
    return line > 0 && line < memstats_line(stats);
}

static bool at_end(const struct stats *stats, const struct stats_position *at)
{
    return at->line > memstats_line(stats) + 1;
}

static unsigned first_key(const struct stats *stats, size_t line)
{
    return is_entry(stats, line) ? index_entry(stats, line - 1).first : 0;
}

static unsigned end_key(const struct stats *stats, size_t line)
{
    if (is_entry(stats, line)) {
        struct index_entry entry = index_entry(stats, line - 1);
        return entry.first + entry.count;
    }
    return line == memstats_line(stats) ? MEMSTATS_FIELDS : 1;
}

/* The series of an entry; the view is left alone on the other lines. */
static void read_series(const struct stats *stats, size_t line, struct metrics_view *view)
{
    if (is_entry(stats, line)) {
        bool known = metrics_series_by_id(stats->metrics, index_entry(stats, line - 1).id, view);
        assert(known);
        (void)known;
    }
}

/* The keys of a line, as many as fit whole. True: all of them, and `at` stands at the next line. */
static bool put_line(struct stats *stats, struct out *out, struct stats_position *at)
{
    struct metrics_view view;
    read_series(stats, at->line, &view);
    for (unsigned end = end_key(stats, at->line); at->key < end; at->key++) {
        size_t before = out_slice(out).len;
        put_key(stats, out, at, &view);
        put_value(stats, out, at, &view);
        if (out_err(out) != LIMPET_OK) {
            out_rewind(out, before);
            return false;
        }
    }
    next_line(stats, at);
    return true;
}

static void next_line(const struct stats *stats, struct stats_position *at)
{
    at->line++;
    at->key = first_key(stats, at->line);
}

/* Everything before the number. */
static void put_key(struct stats *stats, struct out *out, const struct stats_position *at,
                    const struct metrics_view *view)
{
    if (is_entry(stats, at->line)) {
        unsigned count;
        put_prefix(stats, out, view);
        out_put(out, index_suffixes(view->kind, &count)[at->key].end);
    } else if (at->line == 0) {
        put_cmdline(stats, out);
    } else if (at->line == memstats_line(stats)) {
        out_text(out, memstats[at->key].before);
    } else {
        out_text(out, "\n}\n");
    }
}

static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view)
{
    if (is_entry(stats, at->line)) {
        unsigned count;
        put_field(out, view, index_suffixes(view->kind, &count)[at->key].field);
    } else if (at->line == memstats_line(stats) && memstats[at->key].which != NO_NUMBER) {
        out_i64(out,
                metrics_service(stats->metrics, (enum metrics_service)memstats[at->key].which));
    }
}

static void put_cmdline(const struct stats *stats, struct out *out)
{
    out_text(out, "{\n\"cmdline\": [");
    for (int i = 0; i < stats->argc; i++) {
        out_text(out, i == 0 ? "\"" : ",\"");
        out_json_escaped(out, slice_from_cstr(stats->argv[i]), true);
        out_char(out, '"');
    }
    out_char(out, ']');
}

/* Separator, quote and the key up to its suffix. Neighbouring keys share it, so it is made once. */
static void put_prefix(struct stats *stats, struct out *out, const struct metrics_view *view)
{
    if (stats->key_id != view->id) {
        struct out key;
        out_init(&key, stats->key, sizeof(stats->key));
        write_prefix(&key, view);
        if (out_err(&key) != LIMPET_OK) {
            stats->key_id = NO_KEY;
            write_prefix(out, view);
            return;
        }
        stats->key_id = view->id;
        stats->key_len = out_slice(&key).len;
    }
    out_bytes(out, stats->key, stats->key_len);
}

static void write_prefix(struct out *out, const struct metrics_view *view)
{
    struct index_key key;
    index_key(view, &key);
    out_bytes(out, ",\n\"", 3);
    out_put(out, key.part[KEY_PREFIX]);
    out_json_escaped(out, key.part[KEY_NAME], false);
    out_put(out, key.part[KEY_TAIL]);
}

static void put_field(struct out *out, const struct metrics_view *view, enum index_field field)
{
    /* Percentiles that stand in the summary, in the order of the fields: 0.5 0.75 0.95 0.99 0.999.
     */
    static const uint8_t places[] = {2, 3, 5, 6, 7};
    const struct metrics_summary *summary = view->summary;
    switch (field) {
    case FIELD_COUNT:
        if (view->kind == METRICS_GAUGE_FLOAT) {
            put_float(out, view->value_float);
        } else if (summary != NULL) {
            out_u64(out, summary->count);
        } else {
            out_i64(out, view->value);
        }
        break;
    case FIELD_MAX:
        put_float(out, (double)summary->max);
        break;
    case FIELD_MIN:
        put_float(out, (double)summary->min);
        break;
    case FIELD_MEAN:
        put_float(out, summary->mean);
        break;
    case FIELD_STD_DEV:
        put_float(out, summary->std_dev);
        break;
    case FIELD_MEAN_RATE:
        put_float(out, view->rates.mean);
        break;
    case FIELD_ONE_MINUTE:
        put_float(out, view->rates.one_minute);
        break;
    case FIELD_FIVE_MINUTE:
        put_float(out, view->rates.five_minute);
        break;
    case FIELD_FIFTEEN_MINUTE:
        put_float(out, view->rates.fifteen_minute);
        break;
    default:
        put_float(out, summary->percentile[places[field]]);
        break;
    }
}

static void put_float(struct out *out, double v)
{
    out_double(out, v, EXPONENT_MIN);
}

/* ---- Piece by piece ---------------------------------------------------------------------------
 */

/* Whole keys as far as they fit; a key that is longer than a piece goes in parts. */
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

/* The part of a long key: what is passed over, and where the rest goes. */
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

/* The next part of a key that is longer than a piece. Its number is kept as text from the first
 * part on, so that the parts belong together. */
static void fill_part(struct stats *stats, struct stats_reader *reader)
{
    struct out out;
    struct metrics_view view;
    read_series(stats, reader->position.line, &view);
    if (reader->key_done == 0) {
        out_init(&out, reader->value, sizeof(reader->value));
        put_value(stats, &out, &reader->position, &view);
        reader->value_len = out_slice(&out).len;
    }
    struct part part = {
        .skip = reader->key_done, .to = reader->piece, .room = sizeof(reader->piece)};
    out_init_flush(&out, NULL, 0, take_part, &part);
    put_key(stats, &out, &reader->position, &view);
    out_bytes(&out, reader->value, reader->value_len);
    reader->piece_len = part.len;
    reader->key_done += part.len;
    if (out_err(&out) == LIMPET_OK) {
        next_key(stats, reader);
    }
}

static void next_key(const struct stats *stats, struct stats_reader *reader)
{
    reader->key_done = 0;
    reader->position.key++;
    if (reader->position.key == end_key(stats, reader->position.line)) {
        next_line(stats, &reader->position);
    }
}
