/* The writer over the real HTTP client, the wire cut at every byte: of the request and of each kind
 * of answer, by a reset, by the server's end, and by silence until the deadline. After each cut the
 * server is well again; then every window has arrived, in order, a repeat had the same bytes (after
 * silence in parts), and produced = written + dropped + waiting held in every turn. */
#include "check.h"
#include "fakes/fake_net.h"
#include "influx/writer.h"
#include "metrics/registry.h"

#include <stdlib.h>

#define UNIX_BASE_NS INT64_C(1795339220500000000)
#define KEY "requests,complete=true,error=false,host=vm,layer=pipe,name=/a count="
#define CONNS 2
#define WINDOWS_A_CASE 2
#define BODY_LEN_MAX 16384
#define STEPS_MAX 2000
#define PARTIAL_WRITE                                                                              \
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 45\r\n\r\n"                                       \
    "{\"error\":\"partial write: refused dropped=2\"}\n"

enum cut_kind { CUT_RESET, CUT_END, CUT_SILENCE, CUT_KINDS };

/* What happens to the first request of a case. */
struct cut {
    enum cut_kind kind;
    size_t request_at; /* bytes that go through; SIZE_MAX: all */
    const char *answer;
    size_t answer_at; /* bytes of it */
};

static struct metrics metrics;
static struct proxy_series *series;
static struct net net;
static struct timers timers;
static struct timer *timer_heap[CONNS + 8];
static struct client client;
static struct client_conn conns[CONNS];
static struct log test_log;
static struct config_influx config;
static struct writer writer;
static uint64_t now_ns;
static uint64_t window_count;
static long long recorded_total;
static unsigned outdated; /* cases in which a kept connection was over */

static struct {
    struct cut cut;
    bool cut_due;            /* the next write is the one */
    struct fake_peer *hung;  /* it gets no more answer */
    size_t writes;           /* whole ones, in this case */
    size_t acknowledged;     /* of them, so that the writer could know */
    size_t request_len;      /* of the longest whole one */
    char body[BODY_LEN_MAX]; /* what arrived of the points of this case */
    size_t body_len;
    size_t lines_len;  /* of it, in whole requests */
    size_t body_at;    /* of it, acknowledged: where the next write begins */
    long long stamp_s; /* of the newest window that arrived */
    long long sum;     /* of count where layer='pipe' */
    uint64_t windows;
} server;

/* ---- The world --------------------------------------------------------------------------------
 */

static bool sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    (void)line;
    return true;
}

static void set_up(void)
{
    const struct metrics_options options = {.collection_time_ns = LIMPET_S_TO_NS(1)};
    now_ns = LIMPET_S_TO_NS(100);
    config = (struct config_influx){
        .enabled = true,
        .host = {.name = SLICE_LIT("influx"), .authority = SLICE_LIT("influx:8086"), .port = 8086},
        .ttl_ns = LIMPET_S_TO_NS(1),
        .db = SLICE_LIT("krakend"),
        .buffer_size = 1000000,
    };
    log_init(&test_log, sink, NULL, LOG_DEBUG);
    net_init(&net, &test_log, 0);
    fake_net.resolve_ip4 = UINT32_C(0x0A000002);
    timers_init(&timers, timer_heap, sizeof timer_heap / sizeof timer_heap[0]);
    client_init(&client, &net, &timers, &test_log, conns, CONNS);
    metrics_init(&metrics, &options, now_ns);
    series = metrics_open_proxy(&metrics, METRICS_PIPE, SLICE_LIT("/a"));
    writer_init(&writer, &config, &metrics, &client, &timers, &test_log, SLICE_LIT("vm"));
}

static void set_time(void)
{
    client_set_time(&client, now_ns);
    writer_set_time(&writer, now_ns, UNIX_BASE_NS + (int64_t)now_ns);
}

static void close_window(void)
{
    for (uint64_t i = 0; i <= window_count % 4; i++) {
        metrics_record_proxy(&metrics, series, true, false, 1000);
        recorded_total++;
    }
    window_count++;
    metrics_close_window(&metrics, now_ns);
    writer_window(&writer);
}

/* ---- The server -------------------------------------------------------------------------------
 */

static const char *find(const char *text, size_t len, const char *what)
{
    size_t what_len = strlen(what);
    for (size_t at = 0; at + what_len <= len; at++) {
        if (memcmp(text + at, what, what_len) == 0) {
            return text + at;
        }
    }
    return NULL;
}

/* Bytes of head and body that `peer` got, 0 while the request is not whole. */
static size_t whole_request(const struct fake_peer *peer, size_t *head_len)
{
    const char *end = find(peer->out, peer->out_len, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    *head_len = (size_t)(end - peer->out) + 4;
    const char *field = find(peer->out, *head_len, "Content-Length: ");
    size_t body_len = field == NULL ? 0 : strtoul(field + 16, NULL, 10);
    return peer->out_len >= *head_len + body_len ? *head_len + body_len : 0;
}

/* Windows that arrive for the first time come in order; lines of one stamp are one window. */
static void take_line(const char *line, size_t len)
{
    size_t at = len;
    while (at > 0 && line[at - 1] != ' ') {
        at--;
    }
    long long stamp_s = strtoll(line + at, NULL, 10);
    CHECK(stamp_s >= server.stamp_s);
    server.windows += stamp_s > server.stamp_s;
    server.stamp_s = stamp_s;
    if (find(line, len, KEY) == line) {
        server.sum += strtoll(line + strlen(KEY), NULL, 10);
    }
}

static void take_bytes(const char *body, size_t len);

static void take_body(const char *body, size_t len)
{
    server.writes++;
    CHECK(len > 0 && body[len - 1] == '\n');
    take_bytes(body, len);
    size_t end = server.body_at + len;
    while (server.lines_len < end) {
        const char *line = server.body + server.lines_len;
        size_t line_len = slice_find(slice_of(line, end - server.lines_len), '\n');
        take_line(line, line_len);
        server.lines_len += line_len + 1;
    }
}

/* Of a write, perhaps not all: where something arrived before, the same again. */
static void take_bytes(const char *body, size_t len)
{
    size_t known = server.body_len - server.body_at;
    size_t same = len < known ? len : known;
    CHECK(server.body_at + len <= BODY_LEN_MAX);
    CHECK_EQ_MEM(body, same, server.body + server.body_at, same);
    memcpy(server.body + server.body_at, body, len);
    server.body_len += len - same;
}

static void hang_up(struct fake_peer *peer)
{
    server.cut_due = false;
    server.hung = peer;
    if (server.cut.kind == CUT_RESET) {
        fake_peer_fail(peer, LIMPET_ERR_RESET);
    } else if (server.cut.kind == CUT_END) {
        fake_peer_eof(peer);
    }
}

/* Only so many bytes of the request come through. */
static void cut_request(struct fake_peer *peer)
{
    const char *end = find(peer->out, peer->out_len, "\r\n\r\n");
    if (end != NULL) {
        take_bytes(end + 4, peer->out_len - (size_t)(end + 4 - peer->out));
    }
    hang_up(peer);
}

static void answer(struct fake_peer *peer, size_t head_len, size_t len)
{
    const char *text = "HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n";
    size_t text_len = strlen(text);
    bool cut = false;
    bool is_write = find(peer->out, head_len, "POST ") == peer->out;
    if (is_write) {
        take_body(peer->out + head_len, len - head_len);
        server.request_len = len > server.request_len ? len : server.request_len;
        cut = server.cut_due;
    }
    if (cut) {
        text = server.cut.answer;
        text_len = server.cut.answer_at;
    }
    fake_peer_forget_out(peer);
    fake_peer_send(peer, text, text_len);
    if (is_write && (!cut || text_len == strlen(text))) {
        server.acknowledged++;
        server.body_at += len - head_len;
    }
    if (cut && text_len < strlen(text)) {
        fake_net_run(&net); /* else a reset would overtake it */
        hang_up(peer);
    }
    server.cut_due = server.cut_due && !is_write;
}

/* Its turn for one connection; whether it did anything. */
static bool serve(struct fake_peer *peer)
{
    size_t head_len = 0;
    bool cut = server.cut_due && server.cut.request_at != SIZE_MAX;
    if (peer == server.hung && peer->t != NULL && peer->t->state == TRANSPORT_CONNECTING) {
        server.hung = NULL; /* the slot is another connection already */
    }
    if (peer->t == NULL || peer == server.hung) {
        return false;
    }
    if (peer->t->state == TRANSPORT_CONNECTING) {
        peer->room = cut ? server.cut.request_at : SIZE_MAX;
        fake_peer_connected(peer);
        return true;
    }
    if (cut && peer->room == 0) {
        cut_request(peer);
        return true;
    }
    size_t len = whole_request(peer, &head_len);
    if (len == 0) {
        return false;
    }
    CHECK_EQ_UINT(len, peer->out_len);
    answer(peer, head_len, len);
    return true;
}

static bool serve_all(void)
{
    bool busy = false;
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        struct fake_peer *peer = &fake_net.peers[i];
        busy |= serve(peer);
        if (peer == server.hung && peer->t == NULL) {
            server.hung = NULL; /* the slot may be another connection soon */
        }
    }
    return busy;
}

/* ---- A case -----------------------------------------------------------------------------------
 */

static void turn(void)
{
    bool busy = false;
    set_time();
    timers_expire(&timers, now_ns, 8);
    fake_net_run(&net);
    busy = serve_all();
    CHECK_EQ_UINT(writer.store.windows_produced, window_count);
    CHECK_EQ_UINT(writer.store.windows_produced, writer.store.windows_written +
                                                     writer.store.windows_dropped +
                                                     spool_count(&writer.store.spool));
    if (!busy && timers_next_ns(&timers) > now_ns) {
        now_ns = timers_next_ns(&timers);
    }
}

/* Two windows; the first write of them meets `cut`, or nothing (NULL). */
static void run_case(const struct cut *cut, bool reuse)
{
    unsigned steps = 0;
    uint64_t failed = writer.writes_failed;
    uint64_t reused = client.reused;
    server.cut_due = cut != NULL;
    server.cut = cut != NULL ? *cut : (struct cut){.request_at = SIZE_MAX};
    server.writes = 0;
    server.acknowledged = 0;
    server.body_len = 0;
    server.lines_len = 0;
    server.body_at = 0;
    if (!reuse) {
        client_close_idle(&client);
    }
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        fake_net.peers[i].room = server.cut.request_at; /* of an idle connection */
    }
    for (unsigned i = 0; i < WINDOWS_A_CASE; i++) {
        now_ns += LIMPET_S_TO_NS(1) / WINDOWS_A_CASE;
        set_time();
        close_window();
    }
    while (spool_count(&writer.store.spool) > 0 && steps < STEPS_MAX) {
        turn();
        steps++;
    }
    CHECK(steps < STEPS_MAX);
    CHECK(!server.cut_due);
    bool in_parts = cut != NULL && cut->kind == CUT_SILENCE;
    CHECK(server.acknowledged == 1 || (in_parts && server.acknowledged == WINDOWS_A_CASE));
    CHECK_EQ_UINT(server.body_at, server.body_len);
    if (client.reused > reused && !in_parts && server.cut.answer_at == 0) {
        CHECK_EQ_UINT(writer.writes_failed, failed); /* the connection was too old, no more */
        outdated++;
    }
    CHECK_EQ_UINT(server.windows, window_count);
    CHECK_EQ_INT(server.sum, recorded_total);
    CHECK_EQ_UINT(writer.store.windows_written, window_count);
}

static void run_all_kinds(struct cut cut)
{
    for (unsigned kind = 0; kind < CUT_KINDS && check_state.failed == 0; kind++) {
        cut.kind = (enum cut_kind)kind;
        run_case(&cut, true);
        run_case(&cut, false);
        if (check_state.failed > 0) {
            fprintf(stderr, "cut of kind %u at %zu of the request, %zu of the answer: %s\n", kind,
                    cut.request_at, cut.answer_at, cut.answer);
        }
    }
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

static void test_request_cut(void)
{
    run_case(NULL, false);
    size_t len = server.request_len;
    size_t cases = 0;
    for (size_t at = 0; at < len && check_state.failed == 0; at++) {
        run_all_kinds((struct cut){.request_at = at, .answer = ""});
        cases++;
        len = server.request_len;
    }
    CHECK(cases > 1000 || check_state.failed > 0);
    CHECK_EQ_UINT(writer.store.windows_dropped, 0);
}

static void test_answer_cut(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        PARTIAL_WRITE,
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        size_t len = strlen(answers[i]);
        for (size_t at = 0; at <= len && check_state.failed == 0; at++) {
            run_all_kinds(
                (struct cut){.request_at = SIZE_MAX, .answer = answers[i], .answer_at = at});
        }
    }
    /* Only where that answer came to its end, whatever else the cut was. */
    CHECK_EQ_UINT(writer.points_refused, 2 * CUT_KINDS * 2);
    CHECK_EQ_UINT(writer.store.windows_dropped, 0);
}

int main(void)
{
    set_up();
    set_time();
    writer_start(&writer);
    test_request_cut();
    test_answer_cut();
    CHECK(outdated > 2000);
    printf("%llu windows\n", (unsigned long long)window_count);
    fake_net_end();
    return check_result();
}
