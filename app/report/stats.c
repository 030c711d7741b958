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
static unsigned read_line(const struct stats *stats, size_t line, struct metrics_view *view);
static void next_line(const struct stats *stats, struct stats_position *at);
static void put_keys(struct stats *stats, struct out *out, const struct metrics_view *view,
                     size_t line, unsigned first, unsigned end);
static void put_memstats(const struct stats *stats, struct out *out, unsigned field);
static void put_cmdline(const struct stats *stats, struct out *out);
static void put_series(struct stats *stats, struct out *out, const struct metrics_view *view,
                       unsigned first, unsigned end);
static bool keep_prefix(struct stats *stats, const struct metrics_view *view);
static void put_stem(struct out *out, const struct index_key *key);
static void write_prefix(struct out *out, const struct metrics_view *view);
static void put_field(struct out *out, const struct metrics_view *view, enum index_field field);
static double field_value(const struct metrics_view *view, enum index_field field);
static void fill_piece(struct stats *stats, struct stats_reader *reader);
static void fill_part(struct stats *stats, struct stats_reader *reader);
static void put_key(struct stats *stats, struct out *out, const struct stats_position *at,
                    const struct metrics_view *view);
static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view);
static void next_key(const struct stats *stats, struct stats_reader *reader, unsigned end);

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

/* The keys of a line, as many as fit whole. True: all of them, and `at` stands at the next line. */
static bool put_line(struct stats *stats, struct out *out, struct stats_position *at)
{
    struct metrics_view view;
    unsigned end = read_line(stats, at->line, &view);
    size_t before = out_slice(out).len;
    put_keys(stats, out, &view, at->line, at->key, end);
    if (out_err(out) == LIMPET_OK) {
        next_line(stats, at);
        return true;
    }
    out_rewind(out, before);
    for (; at->key < end; at->key++) {
        before = out_slice(out).len;
        put_keys(stats, out, &view, at->line, at->key, at->key + 1);
        if (out_err(out) != LIMPET_OK) {
            out_rewind(out, before);
            break;
        }
    }
    return false;
}

/* Returns where the keys of the line end. Reads the series of an entry; the view of other lines is
 * left alone. */
static unsigned read_line(const struct stats *stats, size_t line, struct metrics_view *view)
{
    if (!is_entry(stats, line)) {
        return line == memstats_line(stats) ? MEMSTATS_FIELDS : 1;
    }
    struct index_entry entry = index_entry(stats, line - 1);
    bool known = metrics_series_by_id(stats->metrics, entry.id, view);
    assert(known);
    (void)known;
    return entry.first + entry.count;
}

static void next_line(const struct stats *stats, struct stats_position *at)
{
    at->line++;
    at->key = is_entry(stats, at->line) ? index_entry(stats, at->line - 1).first : 0;
}

static void put_keys(struct stats *stats, struct out *out, const struct metrics_view *view,
                     size_t line, unsigned first, unsigned end)
{
    if (is_entry(stats, line)) {
        put_series(stats, out, view, first, end);
    } else if (line == 0) {
        put_cmdline(stats, out);
    } else if (line > memstats_line(stats)) {
        out_text(out, "\n}\n");
    } else {
        for (unsigned field = first; field < end; field++) {
            out_text(out, memstats[field].before);
            put_memstats(stats, out, field);
        }
    }
}

static void put_memstats(const struct stats *stats, struct out *out, unsigned field)
{
    if (memstats[field].which != NO_NUMBER) {
        out_i64(out, metrics_service(stats->metrics, (enum metrics_service)memstats[field].which));
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

/* ---- Keys of a series -------------------------------------------------------------------------
 */

/* The keys of a series share all but their suffix. That part is made once and kept, and the suffix
 * of each key is written behind it. Half of a table and more are distributions without a value,
 * whose numbers are all 0: their lines are one copy each. */
static void put_series(struct stats *stats, struct out *out, const struct metrics_view *view,
                       unsigned first, unsigned end)
{
    unsigned count;
    const struct index_suffix *suffixes = index_suffixes(view->kind, &count);
    bool kept = keep_prefix(stats, view);
    bool empty = view->kind == METRICS_HISTOGRAM && view->summary->count == 0;
    for (unsigned i = first; i < end; i++) {
        const struct index_suffix *suffix = &suffixes[i];
        if (kept) {
            char *behind = stats->key + stats->key_len;
            memcpy(behind, suffix->end, INDEX_END_LEN_MAX);
            behind[suffix->end_len] = '0';
            out_bytes(out, stats->key, stats->key_len + suffix->end_len + empty);
        } else {
            write_prefix(out, view);
            out_bytes(out, suffix->end, suffix->end_len);
        }
        if (!kept || !empty) {
            put_field(out, view, suffix->field);
        }
    }
}

/* False: it is too long to be kept. Neighbours often share family and name too: then only the tail
 * is new. */
static bool keep_prefix(struct stats *stats, const struct metrics_view *view)
{
    if (stats->key_id == view->id) {
        return true;
    }
    const size_t size = sizeof(stats->key) - INDEX_END_LEN_MAX - 1;
    struct index_key key;
    struct out out;
    index_key(view, &key);
    if (stats->stem_lead != key.lead.ptr || stats->stem_name != view->name.ptr) {
        out_init(&out, stats->key, size);
        put_stem(&out, &key);
        stats->stem_lead = out_err(&out) == LIMPET_OK ? key.lead.ptr : NULL;
        stats->stem_name = view->name.ptr;
        stats->stem_len = out_slice(&out).len;
    }
    out_init(&out, stats->key + stats->stem_len, size - stats->stem_len);
    out_put(&out, key.part[KEY_TAIL]);
    bool kept = stats->stem_lead != NULL && out_err(&out) == LIMPET_OK;
    stats->key_len = stats->stem_len + out_slice(&out).len;
    stats->key_id = kept ? view->id : NO_KEY;
    return kept;
}

static void put_stem(struct out *out, const struct index_key *key)
{
    out_put(out, key->lead);
    out_json_escaped(out, key->part[KEY_NAME], false);
}

static void write_prefix(struct out *out, const struct metrics_view *view)
{
    struct index_key key;
    index_key(view, &key);
    put_stem(out, &key);
    out_put(out, key.part[KEY_TAIL]);
}

static void put_field(struct out *out, const struct metrics_view *view, enum index_field field)
{
    if (field != FIELD_COUNT || view->kind == METRICS_GAUGE_FLOAT) {
        out_double(out, field_value(view, field), EXPONENT_MIN);
    } else if (view->summary != NULL) {
        out_u64(out, view->summary->count);
    } else {
        out_i64(out, view->value);
    }
}

/* What is shown as a float. */
static double field_value(const struct metrics_view *view, enum index_field field)
{
    /* Of the fields 0.5 0.75 0.95 0.99 0.999. */
    static const uint8_t places[] = {2, 3, 5, 6, 7};
    switch (field) {
    case FIELD_COUNT:
        return view->value_float;
    case FIELD_MAX:
        return (double)view->summary->max;
    case FIELD_MIN:
        return (double)view->summary->min;
    case FIELD_MEAN:
        return view->summary->mean;
    case FIELD_STD_DEV:
        return view->summary->std_dev;
    case FIELD_MEAN_RATE:
        return view->rates.mean;
    case FIELD_ONE_MINUTE:
        return view->rates.one_minute;
    case FIELD_FIVE_MINUTE:
        return view->rates.five_minute;
    case FIELD_FIFTEEN_MINUTE:
        return view->rates.fifteen_minute;
    default:
        return view->summary->percentile[places[field]];
    }
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
    unsigned end = read_line(stats, reader->position.line, &view);
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
        next_key(stats, reader, end);
    }
}

/* Everything before the number. */
static void put_key(struct stats *stats, struct out *out, const struct stats_position *at,
                    const struct metrics_view *view)
{
    if (is_entry(stats, at->line)) {
        unsigned count;
        const struct index_suffix *suffix = index_suffixes(view->kind, &count) + at->key;
        write_prefix(out, view);
        out_bytes(out, suffix->end, suffix->end_len);
    } else if (at->line == memstats_line(stats)) {
        out_text(out, memstats[at->key].before);
    } else {
        put_keys(stats, out, view, at->line, 0, 1);
    }
}

static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view)
{
    if (is_entry(stats, at->line)) {
        unsigned count;
        put_field(out, view, index_suffixes(view->kind, &count)[at->key].field);
    } else if (at->line == memstats_line(stats)) {
        put_memstats(stats, out, at->key);
    }
}

static void next_key(const struct stats *stats, struct stats_reader *reader, unsigned end)
{
    reader->key_done = 0;
    reader->position.key++;
    if (reader->position.key == end) {
        next_line(stats, &reader->position);
    }
}
