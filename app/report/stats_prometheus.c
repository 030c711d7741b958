/* The table for Prometheus: text format 0.0.4 and OpenMetrics 1.0. See report/stats.h.
 *
 * Names are made from those of the table, by rule: dots become underscores, capitals small letters,
 * and a word that names a unit (ns, us, ms, s, bytes) goes to the end as the base unit, in which
 * the value is shown. HELP is the key in /__stats. All series of one name must stand together, so
 * the responses, whose keys are sorted by endpoint, are passed over once for each of their three
 * names.
 */
#include "base/utf8.h"
#include "report/format.h"
#include "report/index.h"

#include <assert.h>
#include <string.h>

static bool at_end(const struct stats *stats, const struct stats_position *at);
static unsigned read_line(const struct stats *stats, const struct stats_position *at,
                          struct metrics_view *view);
static void next_line(const struct stats *stats, struct stats_position *at);
static void put_items(struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view, unsigned first, unsigned end);
static void put_text(struct stats *stats, struct out *out, const struct stats_position *at,
                     const struct metrics_view *view);
static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view);
static void put_head(struct out *out, const struct stats_position *at,
                     const struct metrics_view *view);
static void put_name(struct out *out, const struct metrics_view *view);
static void put_words(struct out *out, struct slice name);
static const struct unit *find_unit(const struct metrics_view *view);
static const struct unit *unit_of_word(struct slice word);
static struct slice next_word(struct slice *rest);
static void put_labels(struct out *out, const struct metrics_view *view, const char *quantile);
static void put_label(struct out *out, const char *name, struct slice value);
static void put_number(struct out *out, double v, const struct unit *unit);

const struct stats_write stats_write_prometheus = {
    .at_end = at_end,
    .read_line = read_line,
    .next_line = next_line,
    .put_items = put_items,
    .put_text = put_text,
    .put_value = put_value,
};

/* Prometheus is indifferent; 21 is where Go's formats of numbers for machines begin to have
 * exponents. */
#define EXPONENT_MIN 21

/* Items of a line: its head; then a sample, or those of a summary. Items may be empty. */
enum { ITEM_HEAD, ITEM_SAMPLE };
enum {
    ITEM_QUANTILES = 1,
    ITEM_SUM = ITEM_QUANTILES + METRICS_PERCENTILES,
    ITEM_COUNT,
    ITEM_SUMMARY_END,
};

static const char *const quantiles[METRICS_PERCENTILES] = {"0.1", "0.25", "0.5",  "0.75",
                                                           "0.9", "0.95", "0.99", "0.999"};

/* ---- What is shown, and where -----------------------------------------------------------------
 */

enum {
    PASS_ALL, /* but the responses */
    PASS_CODES,
    PASS_SIZES,
    PASS_TIMES,
    PASS_EOF,
    PASS_END,
    PASS_NONE, /* not shown */
};

/* By family. `help` without a name of its own: the prefix of a key, as `name` is that of a name. */
struct family {
    uint8_t pass;
    bool own_name;
    const char *name;
    const char *help;
};
#define RESPONSE "krakend.router.response.<endpoint>."
#define PROXY(what)                                                                                \
    "krakend.proxy." what ".layer.<layer>.name.<name>.complete.<complete>.error.<error>"
static const struct family families[] = {
    [METRICS_ROUTER_CONNECTED] = {PASS_ALL, true, "krakend_router_connected",
                                  "krakend.router.connected-total and connected"},
    [METRICS_ROUTER_DISCONNECTED] = {PASS_ALL, true, "krakend_router_disconnected",
                                     "krakend.router.disconnected-total and disconnected"},
    [METRICS_ROUTER_CONNECTED_TOTAL] = {PASS_NONE, true, "", ""},
    [METRICS_ROUTER_DISCONNECTED_TOTAL] = {PASS_NONE, true, "", ""},
    [METRICS_ROUTER_CONNECTED_GAUGE] = {PASS_ALL, true, "krakend_router_connected_window",
                                        "krakend.router.connected-gauge"},
    [METRICS_ROUTER_DISCONNECTED_GAUGE] = {PASS_ALL, true, "krakend_router_disconnected_window",
                                           "krakend.router.disconnected-gauge"},
    [METRICS_SERVICE] = {PASS_ALL, false, "krakend_service_", "krakend.service."},
    [METRICS_RESPONSE_STATUS] = {PASS_NONE, true, "", ""},
    [METRICS_RESPONSE_SIZE] = {PASS_SIZES, true, "krakend_router_response_size_bytes",
                               RESPONSE "size"},
    [METRICS_RESPONSE_TIME] = {PASS_TIMES, true, "krakend_router_response_time_seconds",
                               RESPONSE "time"},
    [METRICS_PROXY_REQUESTS] = {PASS_ALL, true, "krakend_proxy_requests", PROXY("requests")},
    [METRICS_PROXY_LATENCY] = {PASS_ALL, true, "krakend_proxy_latency_seconds", PROXY("latency")},
    [METRICS_RESPONSE_STATUS_CODE] = {PASS_CODES, true, "krakend_router_responses",
                                      RESPONSE "status.<status>.count"},
    [METRICS_LIMPET] = {PASS_ALL, false, "limpet_", "limpet."},
};
#undef RESPONSE
#undef PROXY

/* The reference's values that mean nothing here are not shown, nor the code that counts nothing. */
static bool is_shown(const struct stats *stats, const struct stats_position *at)
{
    struct index_entry entry = index_entry(stats, at->line - 1);
    struct metrics_view view;
    bool known = metrics_describe(stats->metrics, entry.id, &view);
    assert(known);
    (void)known;
    return families[view.family].pass == at->pass && entry.first == 0 && !view.constant;
}

static bool is_entry(const struct stats *stats, const struct stats_position *at)
{
    return at->pass < PASS_EOF && at->line > 0 && at->line <= stats->entry_count;
}

static bool at_end(const struct stats *stats, const struct stats_position *at)
{
    (void)stats;
    return at->pass == PASS_END || (at->pass == PASS_EOF && at->format == STATS_TEXT);
}

static unsigned read_line(const struct stats *stats, const struct stats_position *at,
                          struct metrics_view *view)
{
    if (!is_entry(stats, at)) {
        return at->pass == PASS_EOF ? 1 : 0;
    }
    bool known = metrics_series_by_id(stats->metrics, index_entry(stats, at->line - 1).id, view);
    assert(known);
    (void)known;
    return view->kind == METRICS_HISTOGRAM ? ITEM_SUMMARY_END : ITEM_SAMPLE + 1;
}

static void next_line(const struct stats *stats, struct stats_position *at)
{
    at->key = 0;
    if (is_entry(stats, at)) {
        struct metrics_view view;
        bool known = metrics_describe(stats->metrics, index_entry(stats, at->line - 1).id, &view);
        assert(known);
        (void)known;
        at->family = (uint8_t)(view.family + 1);
    }
    do {
        at->line++;
        if (at->pass >= PASS_EOF || at->line > stats->entry_count) {
            at->pass++;
            at->line = 0;
        }
    } while (at->pass < PASS_EOF && (at->line == 0 || !is_shown(stats, at)));
}

/* ---- Items ----------------------------------------------------------------------------------- */

static void put_items(struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view, unsigned first, unsigned end)
{
    struct stats_position item = *at;
    for (item.key = first; item.key < end; item.key++) {
        put_text(stats, out, &item, view);
        put_value(stats, out, &item, view);
    }
}

/* A quantile that nobody knows: none was recorded in the last window, or its pool was empty. */
static bool is_missing(const struct metrics_view *view, unsigned key)
{
    const struct metrics_summary *last = view->window_summary;
    return key < ITEM_SUM && (last == NULL || !last->have_percentiles);
}

static void put_text(struct stats *stats, struct out *out, const struct stats_position *at,
                     const struct metrics_view *view)
{
    if (!is_entry(stats, at)) {
        out_text(out, "# EOF\n");
        return;
    }
    if (at->key == ITEM_HEAD) {
        put_head(out, at, view);
        return;
    }
    if (view->kind != METRICS_HISTOGRAM) {
        put_name(out, view);
        out_text(out, view->kind == METRICS_GAUGE ? "" : "_total");
        put_labels(out, view, NULL);
    } else if (at->key < ITEM_SUM) {
        if (is_missing(view, at->key)) {
            return;
        }
        put_name(out, view);
        put_labels(out, view, quantiles[at->key - ITEM_QUANTILES]);
    } else {
        put_name(out, view);
        out_text(out, at->key == ITEM_SUM ? "_sum" : "_count");
        put_labels(out, view, NULL);
    }
    out_char(out, ' ');
}

static void put_value(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view)
{
    if (!is_entry(stats, at) || at->key == ITEM_HEAD) {
        return;
    }
    const struct unit *unit = find_unit(view);
    if (view->kind == METRICS_HISTOGRAM) {
        if (is_missing(view, at->key)) {
            return;
        }
        struct metrics_totals totals = metrics_totals(stats->metrics, view->id);
        if (at->key == ITEM_COUNT) {
            out_u64(out, totals.count);
        } else if (at->key == ITEM_SUM) {
            put_number(out, totals.sum, unit);
        } else {
            put_number(out, view->window_summary->percentile[at->key - ITEM_QUANTILES], unit);
        }
    } else if (view->kind == METRICS_TIMER) {
        out_u64(out, view->summary->count);
    } else if (unit != NULL) {
        put_number(out, (double)view->value, unit);
    } else {
        bool router = view->family <= METRICS_ROUTER_DISCONNECTED;
        out_i64(out, view->value + (router ? view->window_total : 0));
    }
    out_char(out, '\n');
}

/* ---- Heads ----------------------------------------------------------------------------------- */

struct unit {
    struct slice word; /* of a name */
    const char *name;
    double divisor;
};
#define WORD(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct unit units[] = {
    {WORD("bytes"), "_bytes", 1},  {WORD("ns"), "_seconds", 1e9}, {WORD("us"), "_seconds", 1e6},
    {WORD("ms"), "_seconds", 1e3}, {WORD("s"), "_seconds", 1},
};
#undef WORD
enum { UNIT_BYTES, UNIT_NS };

/* Before the first series of a name. In OpenMetrics the name of a counter ends before _total. */
static void put_head(struct out *out, const struct stats_position *at,
                     const struct metrics_view *view)
{
    const struct family *family = &families[view->family];
    if (family->own_name && at->family == view->family + 1) {
        return;
    }
    bool open = at->format == STATS_OPENMETRICS;
    bool counts = view->kind == METRICS_COUNTER || view->kind == METRICS_TIMER;
    const char *end = counts && !open ? "_total " : " ";
    const struct unit *unit = find_unit(view);
    out_text(out, "# HELP ");
    put_name(out, view);
    out_text(out, end);
    out_text(out, family->help);
    if (!family->own_name) {
        out_put(out, view->name);
    }
    out_text(out, "\n# TYPE ");
    put_name(out, view);
    out_text(out, end);
    if (view->kind == METRICS_HISTOGRAM) {
        out_text(out, "summary\n");
    } else {
        out_text(out, counts ? "counter\n" : "gauge\n");
    }
    if (open && unit != NULL) {
        out_text(out, "# UNIT ");
        put_name(out, view);
        out_char(out, ' ');
        out_text(out, unit->name + 1);
        out_char(out, '\n');
    }
}

static void put_name(struct out *out, const struct metrics_view *view)
{
    const struct family *family = &families[view->family];
    out_text(out, family->name);
    if (family->own_name) {
        return;
    }
    put_words(out, view->name);
    const struct unit *unit = find_unit(view);
    if (unit != NULL) {
        out_text(out, unit->name);
    }
}

/* Words that name a unit are left out. A capital behind a small letter begins a word too. */
static void put_words(struct out *out, struct slice name)
{
    const char *before = "";
    while (name.len > 0) {
        struct slice word = next_word(&name);
        if (unit_of_word(word) != NULL) {
            continue;
        }
        out_text(out, before);
        before = "_";
        for (size_t i = 0; i < word.len; i++) {
            bool capital = word.ptr[i] >= 'A' && word.ptr[i] <= 'Z';
            if (capital && i > 0 && word.ptr[i - 1] >= 'a') {
                out_char(out, '_');
            }
            out_char(out, (char)(capital ? word.ptr[i] - 'A' + 'a' : word.ptr[i]));
        }
    }
}

static const struct unit *find_unit(const struct metrics_view *view)
{
    const struct unit *unit = NULL;
    struct slice name = view->name;
    switch (view->family) {
    case METRICS_RESPONSE_SIZE:
        return &units[UNIT_BYTES];
    case METRICS_RESPONSE_TIME:
    case METRICS_PROXY_LATENCY:
        return &units[UNIT_NS];
    case METRICS_LIMPET:
        while (unit == NULL && name.len > 0) {
            unit = unit_of_word(next_word(&name));
        }
        return unit;
    default:
        return view->bytes ? &units[UNIT_BYTES] : NULL;
    }
}

static const struct unit *unit_of_word(struct slice word)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (slice_equal(word, units[i].word)) {
            return &units[i];
        }
    }
    return NULL;
}

static struct slice next_word(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && memchr("._-", rest->ptr[len], 3) == NULL) {
        len++;
    }
    struct slice word = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, len < rest->len ? len + 1 : len);
    return word;
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void put_labels(struct out *out, const struct metrics_view *view, const char *quantile)
{
    static const char *const bools[2] = {"\",complete=\"false\",error=\"",
                                         "\",complete=\"true\",error=\""};
    switch (view->family) {
    case METRICS_PROXY_REQUESTS:
    case METRICS_PROXY_LATENCY:
        out_text(out, view->layer == METRICS_PIPE ? "{layer=\"pipe\"," : "{layer=\"backend\",");
        put_label(out, "name=\"", view->name);
        out_text(out, bools[view->complete]);
        out_text(out, view->error ? "true" : "false");
        break;
    case METRICS_RESPONSE_STATUS_CODE:
        put_label(out, "{endpoint=\"", view->name);
        out_text(out, "\",status=\"");
        if (view->status == 0) {
            out_text(out, "other");
        } else {
            out_u64(out, view->status);
        }
        break;
    case METRICS_RESPONSE_SIZE:
    case METRICS_RESPONSE_TIME:
        put_label(out, "{endpoint=\"", view->name);
        break;
    default:
        return;
    }
    if (quantile != NULL) {
        out_text(out, "\",quantile=\"");
        out_text(out, quantile);
    }
    out_text(out, "\"}");
}

/* `name` with what stands before the value. Both formats escape \ " and line feed, and nothing
 * else; malformed UTF-8 becomes U+FFFD. */
static void put_label(struct out *out, const char *name, struct slice value)
{
    const char *end = value.ptr + value.len;
    out_text(out, name);
    for (const char *at = value.ptr; at < end;) {
        int len = utf8_len(at, end);
        if (len <= 0) {
            out_text(out, UTF8_REPLACEMENT);
            at++;
            continue;
        }
        if (*at == '\\' || *at == '"' || *at == '\n') {
            out_char(out, '\\');
        }
        if (*at == '\n') {
            out_char(out, 'n');
        } else {
            out_bytes(out, at, (size_t)len);
        }
        at += len;
    }
}

static void put_number(struct out *out, double v, const struct unit *unit)
{
    out_double(out, v / unit->divisor, EXPONENT_MIN);
}
