/* The answer of /metrics: text, escapes, order, pieces, windows. That real parsers take it:
 * tests/integration/test_prometheus.py. */
#include "stats_table.h"

static bool has(const char *text, const char *line)
{
    return CHECK(strstr(text, line) != NULL) || (fprintf(stderr, "    %s\n", line), false);
}

static struct endpoint_series *open_one(struct table *t, const char *name)
{
    (void)metrics_open_proxy(&t->metrics, METRICS_PIPE, slice_from_cstr(name));
    return metrics_open_endpoint(&t->metrics, slice_from_cstr(name));
}

static void test_text(void)
{
    struct table *t = new_table();
    struct endpoint_series *s = open_one(t, "/p/:id");
    begin(t);
    for (int i = 1; i <= 4; i++) {
        metrics_record_response(&t->metrics, s, 200, 25 * i, 1500000 * i);
    }
    metrics_record_response(&t->metrics, s, 9999, 0, 1);
    metrics_connected(&t->metrics);
    char *text = answer_of(t, STATS_TEXT);
    CHECK(strstr(text, "quantile") == NULL); /* no window has closed */
    free(text);
    (void)metrics_tick(&t->metrics, T);
    metrics_connected(&t->metrics);
    text = answer_of(t, STATS_TEXT);
    has(text,
        "\n# HELP krakend_router_connected_total krakend.router.connected-total and connected\n"
        "# TYPE krakend_router_connected_total counter\nkrakend_router_connected_total 2\n");
    has(text, "\nkrakend_router_connected_window 1\n");
    has(text, "\nkrakend_router_responses_total{endpoint=\"/p/:id\",status=\"200\"} 4\n"
              "krakend_router_responses_total{endpoint=\"/p/:id\",status=\"other\"} 1\n");
    has(text, "\nkrakend_router_response_size_bytes{endpoint=\"/p/:id\",quantile=\"0.5\"} 50\n");
    has(text, "\nkrakend_router_response_size_bytes_sum{endpoint=\"/p/:id\"} 250\n"
              "krakend_router_response_size_bytes_count{endpoint=\"/p/:id\"} 5\n");
    has(text,
        "\nkrakend_router_response_time_seconds{endpoint=\"/p/:id\",quantile=\"0.999\"} 0.006\n");
    has(text, "\nkrakend_router_response_time_seconds_sum{endpoint=\"/p/:id\"} 0.015000001\n");
    has(text, "\n# TYPE krakend_proxy_latency_seconds summary\n");
    has(text, "\nlimpet_metrics_window_late_max_seconds 0\n");
    has(text, "\n# HELP limpet_metrics_windows_late_total limpet.metrics.windows_late\n");
    CHECK(strstr(text, "UNIT") == NULL && strstr(text, "EOF") == NULL);
    free(text);
    text = answer_of(t, STATS_OPENMETRICS);
    has(text, "\n# TYPE krakend_router_responses counter\nkrakend_router_responses_total{");
    has(text, "\n# TYPE krakend_proxy_latency_seconds summary\n"
              "# UNIT krakend_proxy_latency_seconds seconds\n");
    CHECK(strcmp(text + strlen(text) - 6, "# EOF\n") == 0);
    free(text);
    free(t);
}

/* A series whose pool was empty has no quantiles, but all the rest. */
static void test_empty_pool(void)
{
    struct table *t = new_table();
    struct endpoint_series *s = open_one(t, "/a");
    begin(t);
    t->metrics.pool.free = NULL;
    metrics_record_response(&t->metrics, s, 200, 7, 5);
    (void)metrics_tick(&t->metrics, T);
    char *text = answer_of(t, STATS_TEXT);
    CHECK(strstr(text, "quantile") == NULL);
    has(text, "\nkrakend_router_response_size_bytes_sum{endpoint=\"/a\"} 7\n");
    has(text, "\nkrakend_router_response_time_seconds_sum{endpoint=\"/a\"} 5e-09\n");
    free(text);
    free(t);
}

static void test_escapes(void)
{
    struct table *t = new_table();
    (void)open_one(t, "/a\"b\\c\nd\xC3\xA4\x01\xFF\xC3");
    begin(t);
    char *text = answer_of(t, STATS_TEXT);
    has(text, "{endpoint=\"/a\\\"b\\\\c\\nd\xC3\xA4\x01\xEF\xBF\xBD\xEF\xBF\xBD\"} 0\n");
    free(text);
    free(t);
}

/* ---- Order, pieces ----------------------------------------------------------------------------
 */

static const char *const hostile[] = {
    "/a", "/a.size", "/a.status.200.count", "/a.time.m", "/a.size.99",
    "/",  "/a.",     "/a.size.count.size",  "/b",        "/a.status"};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static struct table *hostile_table(void)
{
    struct table *t = new_table();
    for (size_t i = 0; i < HOSTILE; i++) {
        (void)open_one(t, hostile[i]);
    }
    begin(t);
    return t;
}

/* Up to what ends the name of a sample; of one of a summary without _sum and _count. */
static size_t family_len(const char *line)
{
    size_t len = strcspn(line, "{ ");
    len -= len > 4 && strncmp(line + len - 4, "_sum", 4) == 0 ? 4 : 0;
    return len - (len > 6 && strncmp(line + len - 6, "_count", 6) == 0 ? 6 : 0);
}

/* Each sample stands below the head of its own name, each head is there once, and no sample twice.
 * Returns the number of samples. */
static size_t check_order(char *text)
{
    static char *lines[20000];
    size_t count = 0;
    const char *family = "";
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            family = line + 7;
        } else if (line[0] != '#') {
            size_t len = family_len(line);
            bool total = len > 6 && strncmp(line + len - 6, "_total", 6) == 0;
            size_t open = len - (total && family[len - 6] == ' ' ? 6 : 0); /* OpenMetrics */
            CHECK(strncmp(line, family, open) == 0 && family[open] == ' ');
        }
        lines[count] = line;
        line[strcspn(line, "#") == 0 ? strlen(line) : (size_t)(strrchr(line, ' ') - line)] = '\0';
        for (size_t i = 0; i < count; i++) {
            if (!CHECK(strcmp(lines[i], line) != 0)) {
                fprintf(stderr, "    %s\n", line);
            }
        }
        count += count + 1 < sizeof(lines) / sizeof(lines[0]);
    }
    return count;
}

static void check_same_in_pieces(struct table *t)
{
    for (enum stats_format format = STATS_TEXT; format <= STATS_OPENMETRICS; format++) {
        char *text = answer_of(t, format);
        for (size_t step = 1; step < 5000; step = step * 7 + 3) {
            char *pieces = pieces_of(t, format, step);
            CHECK_EQ_STR(pieces, text);
            free(pieces);
        }
        free(text);
    }
}

static void test_order(void)
{
    struct table *t = hostile_table();
    for (size_t i = 0; i < HOSTILE; i++) {
        metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 200 + (unsigned)i % 3, 1, 1);
        check_same_in_pieces(t);
    }
    (void)metrics_tick(&t->metrics, T);
    check_same_in_pieces(t);
    char *text = answer_of(t, STATS_TEXT);
    CHECK(check_order(text) > 400);
    free(text);
    free(t);
}

static void test_long_names(void)
{
    static char name[3 * LIMPET_STATS_PIECE_LEN];
    struct table *t = new_table();
    memset(name, '"', sizeof(name));
    struct slice all = slice_of(name, sizeof(name));
    struct proxy_series *p = metrics_open_proxy(&t->metrics, METRICS_PIPE, all);
    (void)metrics_open_endpoint(&t->metrics, all);
    begin(t);
    metrics_record_proxy(&t->metrics, p, true, false, 123456789);
    (void)metrics_tick(&t->metrics, T);
    check_same_in_pieces(t);
    free(t);
}

/* ---- What happens between pieces ---------------------------------------------------------------
 */

/* Opens in pieces and reads `len` bytes to `text`; false: the answer is shorter. */
static bool read_some(struct table *t, size_t len, char *text)
{
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        t->stats.buffers[i].readers++;
    }
    report_stats_open(&t->stats, &t->reader, STATS_OPENMETRICS);
    size_t done = 0;
    struct slice bytes;
    while (done < len && report_stats_peek(&t->stats, &t->reader, &bytes) > 0) {
        size_t taken = bytes.len < len - done ? bytes.len : len - done;
        memcpy(text + done, bytes.ptr, taken);
        report_stats_consume(&t->reader, taken);
        done += taken;
    }
    text[done] = '\0';
    return done == len;
}

static void test_codes_between_pieces(void)
{
    static char text[1u << 20];
    size_t at = 0;
    for (; at < sizeof(text); at += 977) {
        struct table *t = hostile_table();
        if (!read_some(t, at, text)) {
            report_stats_close(&t->stats, &t->reader);
            free(t);
            break;
        }
        for (unsigned i = 0; i < HOSTILE; i++) {
            metrics_record_response(&t->metrics, &t->metrics.endpoints[i], 200 + i, 0, 0);
        }
        report_stats_open(&t->stats, &t->others[0], STATS_JSON); /* finds the places of the codes */
        char *rest = read_rest(&t->stats, &t->reader, SIZE_MAX);
        strcat(text, rest);
        free(rest);
        size_t lines = check_order(text);
        CHECK(lines > 250);
        report_stats_close(&t->stats, &t->others[0]);
        free(t);
    }
    CHECK(at > 20 * 977);
}

static void test_window_between_pieces(void)
{
    static char text[1u << 20];
    struct table *t = hostile_table();
    CHECK(read_some(t, 5000, text));
    CHECK(!metrics_tick(&t->metrics, T)); /* waits */
    CHECK(metrics_tick(&t->metrics, T + LIMPET_MS_TO_NS(LIMPET_WINDOW_HOLD_MS)));
    CHECK(read_rest(&t->stats, &t->reader, SIZE_MAX) == NULL); /* cut */
    free(t);
}

int main(void)
{
    test_text();
    test_empty_pool();
    test_escapes();
    test_order();
    test_long_names();
    test_codes_between_pieces();
    test_window_between_pieces();
    return check_result();
}
