/* The reference's form of the table. See report/stats.h. */
#include "report/format.h"

#include "metrics/service.h"
#include "report/index.h"

#include <assert.h>
#include <string.h>

#define NO_KEY UINT32_MAX
/* As Go's %g, which the reference uses: exponent form from 1e+06 on. */
#define EXPONENT_MIN 6

static bool at_end(const struct stats *stats, const struct stats_position *at);
static unsigned read_line(const struct stats *stats, const struct stats_position *at,
                          struct metrics_view *view);
static void next_line(const struct stats *stats, struct stats_position *at);
static void put_keys(struct stats *stats, struct out *out, const struct stats_position *at,
                     const struct metrics_view *view, unsigned first, unsigned end);
static void put_key(struct stats *stats, struct out *out, const struct stats_position *at,
                    const struct metrics_view *view);
static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view);
static void put_memstats(const struct stats *stats, struct out *out, unsigned field);
static void put_cmdline(const struct stats *stats, struct out *out);
static void put_series(struct stats *stats, struct out *out, const struct metrics_view *view,
                       unsigned first, unsigned end);
static bool keep_prefix(struct stats *stats, const struct metrics_view *view);
static void put_stem(struct out *out, const struct index_key *key);
static void write_prefix(struct out *out, const struct metrics_view *view);
static void put_field(struct out *out, const struct metrics_view *view, enum index_field field);
static double field_value(const struct metrics_view *view, enum index_field field);

const struct stats_write stats_write_json = {
    .at_end = at_end,
    .read_line = read_line,
    .next_line = next_line,
    .put_items = put_keys,
    .put_text = put_key,
    .put_value = put_value,
};

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

/* Returns where the keys of the line end. Reads the series of an entry; the view of other lines is
 * left alone. */
static unsigned read_line(const struct stats *stats, const struct stats_position *at,
                          struct metrics_view *view)
{
    if (!is_entry(stats, at->line)) {
        return at->line == memstats_line(stats) ? MEMSTATS_FIELDS : 1;
    }
    struct index_entry entry = index_entry(stats, at->line - 1);
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

static void put_keys(struct stats *stats, struct out *out, const struct stats_position *at,
                     const struct metrics_view *view, unsigned first, unsigned end)
{
    if (is_entry(stats, at->line)) {
        put_series(stats, out, view, first, end);
    } else if (at->line == 0) {
        put_cmdline(stats, out);
    } else if (at->line > memstats_line(stats)) {
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

/* ---- A key in two parts -----------------------------------------------------------------------
 */

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
        put_keys(stats, out, at, view, 0, 1);
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
