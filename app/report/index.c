#include "report/index.h"

#include <assert.h>
#include <string.h>

static void insert_series(struct stats *stats, const struct metrics_view *view);
static size_t find_place(const struct stats *stats, const struct index_key *key);
static void split_before(struct stats *stats, size_t at, const struct index_key *key);
static bool has_series(const struct stats *stats, const struct metrics_view *view);
static unsigned run_before(const struct stats *stats, size_t at, struct index_key *key,
                           const struct index_suffix *suffixes, unsigned first, unsigned count);
static void insert_entry(struct stats *stats, size_t at, const struct index_entry *entry);
static void open_gap(struct stats *stats, size_t at);
static uint32_t pack(const struct index_entry *entry);
static void key_at(const struct stats *stats, size_t at, unsigned suffix, struct metrics_view *view,
                   struct index_key *key);
static int compare(const struct index_key *a, const struct index_key *b);
static void proxy_key(const struct metrics_view *view, struct index_key *key);
static void response_key(const struct metrics_view *view, struct index_key *key);

#define SUFFIX(text, field)                                                                        \
    {                                                                                              \
        {text, sizeof(text) - 1}, text "\": ", sizeof(text) + 2, field                             \
    }

static const struct index_suffix number_suffixes[] = {SUFFIX("", FIELD_COUNT)};

static const struct index_suffix histogram_suffixes[] = {
    SUFFIX("50-percentile", FIELD_50),
    SUFFIX("75-percentile", FIELD_75),
    SUFFIX("95-percentile", FIELD_95),
    SUFFIX("99-percentile", FIELD_99),
    SUFFIX("999-percentile", FIELD_999),
    SUFFIX("count", FIELD_COUNT),
    SUFFIX("max", FIELD_MAX),
    SUFFIX("mean", FIELD_MEAN),
    SUFFIX("min", FIELD_MIN),
    SUFFIX("std-dev", FIELD_STD_DEV),
};

static const struct index_suffix timer_suffixes[] = {
    SUFFIX("50-percentile", FIELD_50),
    SUFFIX("75-percentile", FIELD_75),
    SUFFIX("95-percentile", FIELD_95),
    SUFFIX("99-percentile", FIELD_99),
    SUFFIX("999-percentile", FIELD_999),
    SUFFIX("count", FIELD_COUNT),
    SUFFIX("fifteen-minute", FIELD_FIFTEEN_MINUTE),
    SUFFIX("five-minute", FIELD_FIVE_MINUTE),
    SUFFIX("max", FIELD_MAX),
    SUFFIX("mean", FIELD_MEAN),
    SUFFIX("mean-rate", FIELD_MEAN_RATE),
    SUFFIX("min", FIELD_MIN),
    SUFFIX("one-minute", FIELD_ONE_MINUTE),
    SUFFIX("std-dev", FIELD_STD_DEV),
};

#undef SUFFIX
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct index_suffix *index_suffixes(enum metrics_kind kind, unsigned *count)
{
    switch (kind) {
    case METRICS_HISTOGRAM:
        *count = COUNT(histogram_suffixes);
        return histogram_suffixes;
    case METRICS_TIMER:
        *count = COUNT(timer_suffixes);
        return timer_suffixes;
    default:
        *count = COUNT(number_suffixes);
        return number_suffixes;
    }
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* Between two keys. */
#define LEAD ",\n\""
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void proxy_key(const struct metrics_view *view, struct index_key *key)
{
    static const struct slice requests[2] = {
        TEXT(LEAD "krakend.proxy.requests.layer.pipe.name."),
        TEXT(LEAD "krakend.proxy.requests.layer.backend.name."),
    };
    static const struct slice requests_tail[4] = {
        TEXT(".complete.false.error.false"),
        TEXT(".complete.false.error.true"),
        TEXT(".complete.true.error.false"),
        TEXT(".complete.true.error.true"),
    };
    static const struct slice latency[2] = {
        TEXT(LEAD "krakend.proxy.latency.layer.pipe.name."),
        TEXT(LEAD "krakend.proxy.latency.layer.backend.name."),
    };
    static const struct slice latency_tail[4] = {
        TEXT(".complete.false.error.false."),
        TEXT(".complete.false.error.true."),
        TEXT(".complete.true.error.false."),
        TEXT(".complete.true.error.true."),
    };
    unsigned layer = view->layer == METRICS_BACKEND;
    unsigned labels = (view->complete ? 2u : 0u) + view->error;
    bool counts = view->family == METRICS_PROXY_REQUESTS;
    key->lead = counts ? requests[layer] : latency[layer];
    key->part[KEY_TAIL] = counts ? requests_tail[labels] : latency_tail[labels];
}

static void response_key(const struct metrics_view *view, struct index_key *key)
{
    key->lead = SLICE_LIT(LEAD "krakend.router.response.");
    if (view->family == METRICS_RESPONSE_STATUS) {
        key->part[KEY_TAIL] = SLICE_LIT(".status");
    } else if (view->family == METRICS_RESPONSE_SIZE) {
        key->part[KEY_TAIL] = SLICE_LIT(".size.");
    } else if (view->family == METRICS_RESPONSE_TIME) {
        key->part[KEY_TAIL] = SLICE_LIT(".time.");
    } else {
        struct out out;
        out_init(&out, key->code, sizeof(key->code));
        out_text(&out, ".status.");
        if (view->status == 0) {
            out_text(&out, "other");
        } else {
            out_u64(&out, view->status);
        }
        out_text(&out, ".count");
        assert(out_err(&out) == LIMPET_OK);
        key->part[KEY_TAIL] = out_slice(&out);
    }
}

#undef TEXT

void index_key(const struct metrics_view *view, struct index_key *key)
{
    key->part[KEY_NAME] = view->name;
    key->part[KEY_TAIL] = SLICE_EMPTY;
    key->part[KEY_SUFFIX] = SLICE_EMPTY;
    switch (view->family) {
    case METRICS_PROXY_REQUESTS:
    case METRICS_PROXY_LATENCY:
        proxy_key(view, key);
        break;
    case METRICS_RESPONSE_STATUS:
    case METRICS_RESPONSE_STATUS_CODE:
    case METRICS_RESPONSE_SIZE:
    case METRICS_RESPONSE_TIME:
        response_key(view, key);
        break;
    case METRICS_SERVICE:
        key->lead = SLICE_LIT(LEAD "krakend.service.");
        if (view->kind == METRICS_HISTOGRAM || view->kind == METRICS_TIMER) {
            key->part[KEY_TAIL] = SLICE_LIT(".");
        }
        break;
    case METRICS_LIMPET:
        key->lead = SLICE_LIT(LEAD "limpet.");
        break;
    default:
        key->lead = SLICE_LIT(LEAD "krakend.router.");
        break;
    }
    key->part[KEY_PREFIX] = slice_skip(key->lead, sizeof(LEAD) - 1);
}

/* Bytewise over the whole keys, which exist in parts only. */
static int compare(const struct index_key *a, const struct index_key *b)
{
    struct slice left = a->part[0];
    struct slice right = b->part[0];
    unsigned a_next = 1;
    unsigned b_next = 1;
    for (;;) {
        while (left.len == 0 && a_next < KEY_PARTS) {
            left = a->part[a_next++];
        }
        while (right.len == 0 && b_next < KEY_PARTS) {
            right = b->part[b_next++];
        }
        if (left.len == 0 || right.len == 0) {
            return (left.len > 0) - (right.len > 0);
        }
        size_t len = left.len < right.len ? left.len : right.len;
        int order = memcmp(left.ptr, right.ptr, len);
        if (order != 0) {
            return order;
        }
        left = slice_skip(left, len);
        right = slice_skip(right, len);
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* Ids have 24 bits, suffixes 4. */
static uint32_t pack(const struct index_entry *entry)
{
    assert(entry->id < 1u << 24 && entry->first < 16u && entry->count < 16u);
    return entry->id << 8 | entry->first << 4 | entry->count;
}

struct index_entry index_entry(const struct stats *stats, size_t at)
{
    assert(at < stats->entry_count);
    uint32_t packed = stats->entries[at];
    return (struct index_entry){packed >> 8, packed >> 4 & 15u, packed & 15u};
}

/* The key of this suffix, counted from the entry's first one. The view is the key's memory. */
static void key_at(const struct stats *stats, size_t at, unsigned suffix, struct metrics_view *view,
                   struct index_key *key)
{
    struct index_entry entry = index_entry(stats, at);
    bool known = metrics_describe(stats->metrics, entry.id, view);
    assert(known);
    (void)known;
    unsigned count;
    const struct index_suffix *suffixes = index_suffixes(view->kind, &count);
    index_key(view, key);
    key->part[KEY_SUFFIX] = suffixes[entry.first + suffix].text;
}

/* All places behind `at` move up by one, and the answers that are being written with them. */
static void open_gap(struct stats *stats, size_t at)
{
    assert(stats->entry_count < LIMPET_STATS_ENTRIES);
    memmove(&stats->entries[at + 1], &stats->entries[at],
            (stats->entry_count - at) * sizeof(stats->entries[0]));
    stats->entry_count++;
    for (struct stats_reader *reader = stats->readers; reader != NULL; reader = reader->next) {
        reader->position.line += reader->position.line > at; /* line 1 is entry 0 */
    }
}

static void insert_entry(struct stats *stats, size_t at, const struct index_entry *entry)
{
    open_gap(stats, at);
    stats->entries[at] = pack(entry);
}

/* The first entry whose first key does not stand before this one. */
static size_t find_place(const struct stats *stats, const struct index_key *key)
{
    size_t low = 0;
    size_t high = stats->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct metrics_view view;
        struct index_key other;
        key_at(stats, middle, 0, &view, &other);
        if (compare(&other, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Splits the run before `at` where the key stands between its keys. */
static void split_before(struct stats *stats, size_t at, const struct index_key *key)
{
    struct index_entry before = index_entry(stats, at - 1);
    unsigned keep = 1;
    for (; keep < before.count; keep++) {
        struct metrics_view view;
        struct index_key other;
        key_at(stats, at - 1, keep, &view, &other);
        if (compare(&other, key) > 0) {
            break;
        }
    }
    if (keep == before.count) {
        return;
    }
    struct index_entry after = {before.id, before.first + keep, before.count - keep};
    insert_entry(stats, at, &after);
    before.count = keep;
    stats->entries[at - 1] = pack(&before);
    for (struct stats_reader *reader = stats->readers; reader != NULL; reader = reader->next) {
        struct stats_position *position = &reader->position;
        position->line +=
            position->format == STATS_JSON && position->line == at && position->key >= after.first;
    }
}

/* How many keys of the series, from `first` on, stand before the entry at `at`. */
static unsigned run_before(const struct stats *stats, size_t at, struct index_key *key,
                           const struct index_suffix *suffixes, unsigned first, unsigned count)
{
    if (at == stats->entry_count) {
        return count - first;
    }
    struct metrics_view view;
    struct index_key next;
    key_at(stats, at, 0, &view, &next);
    assert(compare(key, &next) < 0); /* two series with one name are a bug of ours */
    unsigned run = 1;
    for (; first + run < count; run++) {
        key->part[KEY_SUFFIX] = suffixes[first + run].text;
        if (compare(key, &next) > 0) {
            break;
        }
    }
    return run;
}

static void insert_series(struct stats *stats, const struct metrics_view *view)
{
    unsigned count;
    const struct index_suffix *suffixes = index_suffixes(view->kind, &count);
    struct index_key key;
    index_key(view, &key);
    for (unsigned first = 0; first < count;) {
        key.part[KEY_SUFFIX] = suffixes[first].text;
        size_t at = find_place(stats, &key);
        if (at > 0) {
            split_before(stats, at, &key);
        }
        unsigned run = run_before(stats, at, &key, suffixes, first, count);
        insert_entry(stats, at, &(struct index_entry){view->id, first, run});
        first += run;
    }
}

/* ---- Building -------------------------------------------------------------------------------- */

void index_build(struct stats *stats)
{
    const struct metrics *m = stats->metrics;
    stats->entry_count = 0;
    size_t count = metrics_series_count(m);
    for (size_t i = 0; i < count; i++) {
        struct metrics_view view;
        if (metrics_series(m, i, &view)) {
            insert_series(stats, &view);
        }
    }
    stats->status_count = metrics_status_count(m);
    stats->series_count = count;
}

void index_update(struct stats *stats)
{
    const struct metrics *m = stats->metrics;
    assert(metrics_series_count(m) == stats->series_count);
    if (metrics_status_count(m) == stats->status_count) {
        return;
    }
    size_t count = metrics_series_count(m);
    for (size_t i = 0; i < count; i++) {
        struct metrics_view view;
        if (metrics_series(m, i, &view) && view.family == METRICS_RESPONSE_STATUS_CODE &&
            !has_series(stats, &view)) {
            insert_series(stats, &view);
        }
    }
    stats->status_count = metrics_status_count(m);
}

/* Of a series with one key. */
static bool has_series(const struct stats *stats, const struct metrics_view *view)
{
    struct index_key key;
    index_key(view, &key);
    size_t at = find_place(stats, &key);
    return at < stats->entry_count && index_entry(stats, at).id == view->id;
}
