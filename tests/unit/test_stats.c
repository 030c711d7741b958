/* The answer of /__stats: keys against the reference, order under hostile names, buffers, pieces,
 * windows. */
#define _POSIX_C_SOURCE 200809L /* strdup */

#include "stats_keys.h"
#include "stats_table.h"

#define RECORDED_KEYS (sizeof(recorded_keys) / sizeof(recorded_keys[0]))

struct lines {
    char **key; /* without quotes */
    char **value;
    size_t count;
};

static void unescape(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        text += *text == '\\';
        *to++ = *text;
    }
    *to = '\0';
}

/* Takes the answer apart, strictly as it must be written. */
static struct lines parse(char *text)
{
    struct lines lines = {NULL, NULL, 0};
    CHECK(strncmp(text, "{\n\"", 3) == 0);
    size_t len = strlen(text);
    CHECK(len > 3 && strcmp(text + len - 3, "\n}\n") == 0);
    text[len - 3] = '\0';
    size_t size = 0;
    for (char *at = text + 2; at != NULL && *at != '\0';) {
        char *end = strstr(at, ",\n");
        if (end != NULL) {
            *end = '\0';
        }
        char *middle = strstr(at, "\": ");
        if (!CHECK(at[0] == '"' && middle != NULL)) {
            break;
        }
        *middle = '\0';
        unescape(at + 1);
        if (lines.count == size) {
            size = 2 * size + 64;
            lines.key = realloc(lines.key, size * sizeof(char *));
            lines.value = realloc(lines.value, size * sizeof(char *));
        }
        lines.key[lines.count] = at + 1;
        lines.value[lines.count++] = middle + 3;
        at = end != NULL ? end + 2 : NULL;
    }
    return lines;
}

static void free_lines(struct lines *lines)
{
    free(lines->key);
    free(lines->value);
}

static const char *value_of(const struct lines *lines, const char *key)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->key[i], key) == 0) {
            return lines->value[i];
        }
    }
    return NULL;
}

/* Strictly rising: sorted, and no key twice. */
static void check_sorted(const struct lines *lines)
{
    for (size_t i = 1; i < lines->count; i++) {
        if (!CHECK(strcmp(lines->key[i - 1], lines->key[i]) < 0)) {
            fprintf(stderr, "    %s\n    %s\n", lines->key[i - 1], lines->key[i]);
        }
    }
}

/* How many keys the table has, counted from its series. */
static size_t count_keys(const struct metrics *m)
{
    size_t keys = 2; /* cmdline, memstats */
    for (size_t i = 0; i < metrics_series_count(m); i++) {
        struct metrics_view view;
        if (metrics_series(m, i, &view)) {
            keys += view.kind == METRICS_HISTOGRAM ? 10 : view.kind == METRICS_TIMER ? 14 : 1;
        }
    }
    return keys;
}

static void check_answer(struct table *t)
{
    char *text = answer_of(t, STATS_JSON);
    char *same = strdup(text);
    struct lines lines = parse(text);
    CHECK_EQ_UINT(lines.count, count_keys(&t->metrics));
    check_sorted(&lines);
    CHECK_EQ_STR(lines.key[0], "cmdline");
    CHECK_EQ_STR(lines.key[lines.count - 1], "memstats");
    free_lines(&lines);
    free(text);
    for (size_t step = 1; step < 5000; step = step * 7 + 3) {
        char *pieces = pieces_of(t, STATS_JSON, step);
        CHECK_EQ_STR(pieces, same);
        free(pieces);
    }
    free(same);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void test_values(void)
{
    struct table *t = new_table();
    struct metrics *m = &t->metrics;
    struct endpoint_series *s = metrics_open_endpoint(m, SLICE_LIT("/p/:id"));
    struct proxy_series *p = metrics_open_proxy(m, METRICS_BACKEND, SLICE_LIT("/e/{{.Id}}?a=\"b"));
    begin(t);
    for (int i = 1; i <= 4; i++) {
        metrics_record_response(m, s, 200, i * 25, 1000000 * i);
        metrics_record_proxy(m, p, true, false, 624369 + i % 2);
    }
    metrics_record_response(m, s, 404, -1, 1);
    metrics_connected(m);
    metrics_set_service(m, SERVICE_HEAP_ALLOC, 4096);
    (void)metrics_tick(m, T);
    char *text = answer_of(t, STATS_JSON);
    CHECK(strncmp(text,
                  "{\n\"cmdline\": [\"limpetd\",\"run\",\"-c\","
                  "\"a\\u003cb\\u003e\\\"c.json\"],\n\"krakend.",
                  70) == 0);
    struct lines lines = parse(text);
    static const char *const expected[][2] = {
        {"krakend.router.connected", "0"},
        {"krakend.router.connected-total", "1"},
        {"krakend.router.connected-gauge", "1"},
        {"krakend.router.response./p/:id.status", "0"},
        {"krakend.router.response./p/:id.status.200.count", "4"},
        {"krakend.router.response./p/:id.status.404.count", "1"},
        {"krakend.router.response./p/:id.size.count", "5"},
        {"krakend.router.response./p/:id.size.min", "-1"},
        {"krakend.router.response./p/:id.size.max", "100"},
        {"krakend.router.response./p/:id.size.mean", "49.8"},
        {"krakend.router.response./p/:id.size.50-percentile", "50"},
        {"krakend.router.response./p/:id.size.75-percentile", "87.5"},
        {"krakend.router.response./p/:id.time.max", "4e+06"},
        {"krakend.router.response./p/:id.time.999-percentile", "4e+06"},
        {"krakend.proxy.latency.layer.backend.name./e/{{.Id}}?a=\"b.complete.true.error.false.mean",
         "624369.5"},
        {"krakend.proxy.latency.layer.backend.name./e/{{.Id}}?a=\"b.complete.true.error.false.std-"
         "dev",
         "0.5"},
        {"krakend.proxy.latency.layer.backend.name./e/{{.Id}}?a=\"b.complete.true.error.true.mean",
         "0"},
        {"krakend.proxy.requests.layer.backend.name./e/{{.Id}}?a=\"b.complete.true.error.false",
         "4"},
        {"krakend.proxy.requests.layer.backend.name./e/{{.Id}}?a=\"b.complete.true.error.true",
         "0"},
        {"krakend.service.runtime.MemStats.Alloc", "4096"},
        {"krakend.service.runtime.MemStats.GCCPUFraction", "0"},
        {"krakend.service.runtime.ReadMemStats.count", "1"},
        {"krakend.service.runtime.ReadMemStats.mean-rate", "0.1"},
        {"limpet.metrics.windows", "1"},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (!CHECK_EQ_STR(value_of(&lines, expected[i][0]), expected[i][1])) {
            fprintf(stderr, "    %s\n", expected[i][0]);
        }
    }
    const char *memstats = value_of(&lines, "memstats");
    CHECK(strncmp(memstats, "{\"Alloc\":4096,\"TotalAlloc\":0,", 29) == 0);
    CHECK_EQ_STR(strstr(memstats, "\"BySize\""), "\"BySize\":[]}");
    free_lines(&lines);
    free(text);
    check_answer(t);
    free(t);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Names that make keys of one series sort between those of another. */
static const char *const hostile[] = {
    "/a",
    "/a.size",
    "/a.status",
    "/a.status.200",
    "/a.status.200.count",
    "/a.size.count",
    "/a.size.count.size",
    "/a.time",
    "/a.time.m",
    "/a.size.",
    "/a.size.50",
    "/a.size.99",
    "/a.size.99-percentile",
    "/a.size.999",
    "/a.size.max.size",
    "/a.",
    "/",
    "/a.complete",
    "/a.complete.true",
    "/a.complete.true.error.false",
    "/a.complete.true.error.false.count",
    "/a.complete.true.error.false.complete.true.error.false",
    "/a.size.size",
    "/a.size.size.size",
    "/a.size.size.size.size.mean.size",
    "/a.time.time.max",
    "/a\"b",
    "/a\\b",
    "/\xC3\xA4",
    "/A",
    "/a/",
    "/a-",
    "/a.statu",
    "/a.status.",
    "/a.status.404.count.size",
    "/a.status.other",
    "/b.size",
    "/b",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void open_hostile(struct metrics *m, size_t start, size_t step)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        struct slice name = slice_from_cstr(hostile[(start + i * step) % HOSTILE]);
        (void)metrics_open_endpoint(m, name);
        (void)metrics_open_proxy(m, METRICS_PIPE, name);
        (void)metrics_open_proxy(m, METRICS_BACKEND, name);
    }
}

/* A name splits one piece at most, whatever it is: what LIMPET_STATS_ENTRIES counts with. */
static void check_pieces(const struct table *t)
{
    size_t most = t->metrics.endpoint_count + t->metrics.proxy_count;
    struct metrics_view view;
    for (size_t i = 0; i < metrics_series_count(&t->metrics); i++) {
        most += metrics_series(&t->metrics, i, &view);
    }
    CHECK(t->stats.entry_count > most / 2);
    CHECK(t->stats.entry_count <= most);
}

static void test_hostile_names(void)
{
    for (size_t step = 1; step < 12; step += 4) { /* no common factor with 38 names */
        struct table *t = new_table();
        open_hostile(&t->metrics, step, step);
        begin(t);
        check_answer(t);
        check_pieces(t);
        for (size_t i = 0; i < t->metrics.endpoint_count; i++) {
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 200 + (unsigned)i, 1, 1);
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 404, 1, 1);
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 9999, 1, 1);
            if (i % 19 == 0) {
                check_answer(t);
            }
        }
        check_answer(t);
        check_pieces(t);
        free(t);
    }
}

/* The keys at start are the reference's, and ours below limpet. */
static void test_recorded_keys(void)
{
    struct table *t = new_table();
    (void)metrics_open_endpoint(&t->metrics, SLICE_LIT("/p/:id/:name"));
    (void)metrics_open_proxy(&t->metrics, METRICS_PIPE, SLICE_LIT("/p/:id/:name"));
    (void)metrics_open_proxy(&t->metrics, METRICS_BACKEND, SLICE_LIT("/echo/p"));
    begin(t);
    char *text = answer_of(t, STATS_JSON);
    struct lines lines = parse(text);
    size_t at = 0;
    for (size_t i = 0; i < lines.count - 1; i++) {
        if (strncmp(lines.key[i], "limpet.", 7) != 0) {
            CHECK(at < RECORDED_KEYS);
            CHECK_EQ_STR(lines.key[i], recorded_keys[at]);
            at++;
        }
    }
    CHECK_EQ_UINT(at, RECORDED_KEYS);
    CHECK_EQ_STR(lines.key[lines.count - 1], "memstats");
    free_lines(&lines);
    free(text);
    free(t);
}

/* ---- Sharing and pieces -----------------------------------------------------------------------
 */

static void test_sharing(void)
{
    struct table *t = new_table();
    struct endpoint_series *s = metrics_open_endpoint(&t->metrics, SLICE_LIT("/a"));
    begin(t);
    report_stats_open(&t->stats, &t->reader, STATS_JSON);
    report_stats_open(&t->stats, &t->others[0], STATS_JSON);
    CHECK_EQ_UINT(t->stats.rendered, 1);
    CHECK_EQ_UINT(t->stats.shared, 1);
    CHECK(t->reader.buffer != NULL && t->reader.buffer == t->others[0].buffer);
    uint64_t len;
    CHECK(report_stats_length(&t->reader, &len));
    struct slice bytes;
    CHECK(report_stats_peek(&t->stats, &t->reader, &bytes) == 1 && bytes.len == len);
    /* The table moves on: the slow readers keep theirs, new ones see the new table. */
    char *old = strndup(bytes.ptr, bytes.len);
    for (size_t i = 1; i < LIMPET_STATS_BUFFERS + 2; i++) {
        metrics_record_response(&t->metrics, s, 200, 1, 1);
        report_stats_open(&t->stats, &t->others[i], STATS_JSON);
        CHECK((t->others[i].buffer != NULL) == (i < LIMPET_STATS_BUFFERS));
    }
    CHECK_EQ_UINT(t->stats.rendered, LIMPET_STATS_BUFFERS);
    CHECK_EQ_UINT(t->stats.pieced, 2);
    CHECK_EQ_UINT(t->metrics.holds, 2);
    char *text = read_rest(&t->stats, &t->reader, 100);
    CHECK_EQ_STR(text, old);
    free(text);
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS + 2; i++) {
        report_stats_close(&t->stats, &t->others[i]);
        report_stats_close(&t->stats, &t->others[i]);
    }
    CHECK_EQ_UINT(t->metrics.holds, 0);
    CHECK(t->stats.readers == NULL);
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        CHECK_EQ_UINT(t->stats.buffers[i].readers, 0);
    }
    free(old);
    free(t);
}

/* Opens an answer in pieces and leaves the buffers as they were. */
static void open_in_pieces(struct table *t, struct stats_reader *reader)
{
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        t->stats.buffers[i].readers++;
        t->stats.buffers[i].generation = 0;
    }
    report_stats_open(&t->stats, reader, STATS_JSON);
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        t->stats.buffers[i].readers--;
    }
}

/* Reads some bytes away; false at the end. */
static bool skip_bytes(struct table *t, struct stats_reader *reader, size_t len, char *to)
{
    struct slice bytes;
    while (len > 0 && report_stats_peek(&t->stats, reader, &bytes) > 0) {
        size_t taken = bytes.len < len ? bytes.len : len;
        memcpy(to, bytes.ptr, taken);
        to += taken;
        report_stats_consume(reader, taken);
        len -= taken;
    }
    *to = '\0';
    return len == 0;
}

/* New status codes appear at every point of an answer in pieces: no key is lost or repeated. */
static void test_codes_between_pieces(void)
{
    for (size_t at = 0; at < 26000; at += 1777) {
        struct table *t = new_table();
        open_hostile(&t->metrics, 0, 1);
        t->metrics.endpoint_count = 8;
        t->metrics.proxy_count = 4;
        begin(t);
        size_t before = count_keys(&t->metrics);
        char *text = malloc(1u << 20);
        open_in_pieces(t, &t->reader);
        if (!skip_bytes(t, &t->reader, at, text)) {
            report_stats_close(&t->stats, &t->reader);
            free(text);
            free(t);
            break;
        }
        for (unsigned i = 0; i < 8; i++) {
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 200 + i, 0, 0);
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 500, 0, 0);
        }
        report_stats_open(&t->stats, &t->others[0],
                          STATS_JSON); /* the codes are put in their places */
        report_stats_close(&t->stats, &t->others[0]);
        char *rest = read_rest(&t->stats, &t->reader, SIZE_MAX);
        strcat(text, rest);
        free(rest);
        struct lines lines = parse(text);
        check_sorted(&lines);
        CHECK(lines.count >= before && lines.count <= before + 16);
        size_t codes = 0;
        for (size_t i = 0; i < lines.count; i++) {
            bool code = strstr(lines.key[i], ".status.2") != NULL ||
                        strstr(lines.key[i], ".status.500") != NULL;
            codes += code && lines.value[i][0] == '1';
        }
        CHECK_EQ_UINT(lines.count - codes, before);
        free_lines(&lines);
        free(text);
        free(t);
    }
}

static void test_window_between_pieces(void)
{
    struct table *t = new_table();
    struct metrics *m = &t->metrics;
    open_hostile(m, 0, 1);
    begin(t);
    char *start = malloc(1u << 20);
    open_in_pieces(t, &t->reader);
    CHECK(skip_bytes(t, &t->reader, 5000, start));
    CHECK(!metrics_tick(m, T)); /* held back */
    char *rest = read_rest(&t->stats, &t->reader, SIZE_MAX);
    CHECK(rest != NULL);
    free(rest);
    CHECK(metrics_tick(m, T + 1));
    open_in_pieces(t, &t->reader);
    CHECK(skip_bytes(t, &t->reader, 5000, start));
    CHECK(metrics_tick(m, 2 * T + LIMPET_MS_TO_NS(LIMPET_WINDOW_HOLD_MS)));
    rest = read_rest(&t->stats, &t->reader, SIZE_MAX);
    CHECK(rest == NULL); /* cut */
    CHECK_EQ_UINT(t->stats.cut, 1);
    CHECK_EQ_UINT(m->holds, 0);
    free(start);
    free(t);
}

/* A key that is longer than a piece, also escaped, and longer than what is kept of a key. */
static void test_long_names(void)
{
    struct table *t = new_table();
    static char name[3 * LIMPET_STATS_PIECE_LEN];
    memset(name, '"', sizeof(name));
    name[0] = '/';
    struct proxy_series *p =
        metrics_open_proxy(&t->metrics, METRICS_PIPE, slice_of(name, sizeof(name)));
    (void)metrics_open_endpoint(&t->metrics, slice_of(name, LIMPET_STATS_KEY_LEN - 20));
    begin(t);
    for (int i = 0; i < 100; i++) {
        metrics_record_proxy(&t->metrics, p, true, false, 123456789 + i);
    }
    check_answer(t);
    free(t);
}

int main(void)
{
    test_values();
    test_hostile_names();
    test_recorded_keys();
    test_sharing();
    test_codes_between_pieces();
    test_window_between_pieces();
    test_long_names();
    return check_result();
}
