#include "report/listener.h"

#include "report/accept.h"

#include <assert.h>

static void on_request(void *ctx, struct server_conn *c);
static void on_progress(void *ctx, struct server_conn *c);
static void on_gone(void *ctx, struct server_conn *c, int err);
static bool is_stats_path(struct slice path);
static bool is_stats_path_nocase(struct slice path);
static void answer_bare(struct server_conn *c, unsigned status, struct slice name,
                        struct slice value);
static void begin_stats(struct report *report, struct server_conn *c, enum stats_format format);
static void send_stats(struct report *report, struct server_conn *c);
static void close_answer(struct report *report, struct server_conn *c);

/* ---- Life cycle ------------------------------------------------------------------------------ */

void report_init(struct report *report, struct metrics *metrics, const char *const *argv, int argc)
{
    report_stats_init(&report->stats, metrics, argv, argc);
    report->free = NULL;
    for (size_t i = LIMPET_STATS_CONNS; i > 0; i--) {
        report->answers[i - 1].next = report->free;
        report->free = &report->answers[i - 1];
    }
}

struct server_handler report_handler(struct report *report)
{
    return (struct server_handler){
        .ctx = report, .request = on_request, .progress = on_progress, .gone = on_gone};
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void on_request(void *ctx, struct server_conn *c)
{
    const struct message_head *request = server_request(c);
    bool get = slice_equal(request->method, SLICE_LIT("GET"));
    bool readable = get || slice_equal(request->method, SLICE_LIT("HEAD"));
    bool prometheus = slice_equal(request->path, SLICE_LIT("/metrics"));
    c->user = NULL;
    if (!prometheus && is_stats_path_nocase(request->path)) {
        answer_bare(c, get ? 301 : 307, SLICE_LIT("Location"), SLICE_LIT("/__stats"));
    } else if (!prometheus && !is_stats_path(request->path)) {
        server_answer(c, 404, SLICE_LIT("text/plain; charset=utf-8"),
                      SLICE_LIT("404 page not found; the metrics are at /__stats and /metrics\n"));
    } else if (!readable) {
        answer_bare(c, 405, SLICE_LIT("Allow"), SLICE_LIT("GET, HEAD"));
    } else if (!prometheus) {
        begin_stats(ctx, c, STATS_JSON);
    } else {
        begin_stats(ctx, c, accept_openmetrics(request) ? STATS_OPENMETRICS : STATS_TEXT);
    }
}

static void on_progress(void *ctx, struct server_conn *c)
{
    if (c->user != NULL) {
        send_stats(ctx, c);
    }
}

static void on_gone(void *ctx, struct server_conn *c, int err)
{
    (void)err;
    if (c->user != NULL) {
        close_answer(ctx, c);
    }
}

/* The reference serves /__stats and redirects the form with a slash; its documentation names the
 * form with the slash. Both are served. */
static bool is_stats_path(struct slice path)
{
    return slice_equal(path, SLICE_LIT("/__stats")) || slice_equal(path, SLICE_LIT("/__stats/"));
}

/* Written in other letters: redirected, as the reference does. */
static bool is_stats_path_nocase(struct slice path)
{
    return !is_stats_path(path) && (slice_equal_nocase(path, SLICE_LIT("/__stats")) ||
                                    slice_equal_nocase(path, SLICE_LIT("/__stats/")));
}

static void answer_bare(struct server_conn *c, unsigned status, struct slice name,
                        struct slice value)
{
    server_begin(c, status, FRAMING_LENGTH, 0);
    server_field(c, name, value);
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    server_end(c);
}

/* ---- The answer ------------------------------------------------------------------------------ */

#define TYPE(text)                                                                                 \
    {                                                                                              \
        text "; charset=utf-8", sizeof(text "; charset=utf-8") - 1                                 \
    }

static void begin_stats(struct report *report, struct server_conn *c, enum stats_format format)
{
    static const struct slice types[] = {
        [STATS_JSON] = TYPE("application/json"),
        [STATS_TEXT] = TYPE("text/plain; version=0.0.4"),
        [STATS_OPENMETRICS] = TYPE("application/openmetrics-text; version=1.0.0"),
    };
    struct report_answer *answer = report->free;
    assert(answer != NULL && "one answer a connection");
    report->free = answer->next;
    c->user = answer;
    report_stats_open(&report->stats, &answer->reader, format);
    uint64_t len = 0;
    bool known = report_stats_length(&answer->reader, &len);
    server_begin(c, 200, known ? FRAMING_LENGTH : FRAMING_CHUNKED, len);
    server_field(c, SLICE_LIT("Content-Type"), types[format]);
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    send_stats(report, c);
}

/* As far as there is room; goes on in `progress`. */
static void send_stats(struct report *report, struct server_conn *c)
{
    struct report_answer *answer = c->user;
    struct slice bytes;
    int more = report_stats_peek(&report->stats, &answer->reader, &bytes);
    while (more > 0) {
        size_t taken = server_write(c, bytes.ptr, bytes.len);
        report_stats_consume(&answer->reader, taken);
        if (taken < bytes.len) {
            return;
        }
        more = report_stats_peek(&report->stats, &answer->reader, &bytes);
    }
    close_answer(report, c);
    if (more == 0) {
        server_end(c);
    } else {
        server_cut(c);
    }
}

static void close_answer(struct report *report, struct server_conn *c)
{
    struct report_answer *answer = c->user;
    report_stats_close(&report->stats, &answer->reader);
    c->user = NULL;
    answer->next = report->free;
    report->free = answer;
}
