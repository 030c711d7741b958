/* The writer case by case: heads, body, answers, buffer, clock, stop. */
#include "writer_world.h"

#include "influx/request.h"
#include "metrics/service.h"

/* ---- Heads -------------------------------------------------------------------------------- */

static void check_head(const struct fake_call *f, const char *head)
{
    CHECK_EQ_TEXT(f->head, f->head_len, head);
}

static void test_heads(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    config.base_path = SLICE_LIT("/influx/one");
    config.db = SLICE_LIT("my db&x=\xc3\xa9");
    /* RFC 7617 section 2. */
    config.username = SLICE_LIT("Aladdin");
    config.password = SLICE_LIT("open sesame");
    writer_start(&writer);
    fake_call_connect(running());
    CHECK_EQ_INT(running()->request.framing, FRAMING_NONE);
    check_head(running(), "GET /influx/one/ping?wait_for_leader=1s HTTP/1.1\r\n"
                          "Host: influx:8086\r\nUser-Agent: Limpet\r\n"
                          "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    fake_call_answer(running(), 204, "", "", true);
    close_window(1);
    struct fake_call *f = next_call();
    CHECK_EQ_TEXT(f->request.target.name.ptr, f->request.target.name.len, "influx");
    CHECK_EQ_UINT(f->request.target.port, 8086);
    CHECK(!f->request.target.tls && f->request.safe_to_repeat);
    fake_call_connect(f);
    check_head(f, "POST /influx/one/write?consistency=&db=my%20db%26x%3d%c3%a9&precision=s&rp= "
                  "HTTP/1.1\r\nHost: influx:8086\r\nUser-Agent: Limpet\r\n"
                  "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
}

static void test_head_without_user(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    start();
    close_window(1);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    check_head(f, "POST /write?consistency=&db=krakend&precision=s&rp= HTTP/1.1\r\n"
                  "Host: influx:8086\r\nUser-Agent: Limpet\r\n");
}

/* InfluxDB 2.x's own way: bucket, organization, token; the token is in no log line. */
static void test_heads_v2(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    config.base_path = SLICE_LIT("/base");
    config.token = SLICE_LIT("t0ken==");
    config.org = SLICE_LIT("my org");
    config.bucket = SLICE_LIT("krakend/autogen");
    config.username = SLICE_LIT("not used");
    start();
    CHECK(logged("INFO: [SERVICE: InfluxDB] http://influx:8086/base: API version 2, bucket "
                 "\"krakend/autogen\", organization \"my org\", with a token\n"));
    close_window(1);
    struct fake_call *f = next_call();
    fake_call_connect(f);
    check_head(f, "POST /base/api/v2/write?bucket=krakend%2fautogen&org=my%20org&precision=s "
                  "HTTP/1.1\r\nHost: influx:8086\r\nUser-Agent: Limpet\r\n"
                  "Authorization: Token t0ken==\r\n");
    fake_call_fail(f, LIMPET_ERR_RESET);
    CHECK(logged(": a write failed: connection reset") && !logged("the windows wait") &&
          !logged("t0ken"));

    set_up(LIMPET_S_TO_NS(2), 0);
    config.token = SLICE_LIT("t");
    config.bucket = SLICE_LIT("b");
    start();
    close_window(1);
    f = next_call();
    fake_call_connect(f);
    check_head(f, "POST /api/v2/write?bucket=b&precision=s HTTP/1.1\r\nHost: influx:8086\r\n"
                  "User-Agent: Limpet\r\nAuthorization: Token t\r\n");
}

static void test_mode(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    writer_start(&writer);
    CHECK(logged("INFO: [SERVICE: InfluxDB] http://influx:8086: API version 1, database "
                 "\"krakend\", without a user name\n"));
    fake_call_connect(running());
    fake_call_answer(running(), 204, "X-Influxdb-Version: 1.6.7~rc0-and-much-more-of-it\n", "",
                     true);
    CHECK(logged("answers the ping: status 204, InfluxDB 1.6.7~rc0-and-much-more\n"));
    config.username = SLICE_LIT("u");
    config.host.tls = true;
    writer_start(&writer);
    CHECK(logged("https://influx:8086: API version 1, database \"krakend\", with user name and "
                 "password\n"));
}

/* RFC 4648 section 10, with the colon in the middle. */
static void test_basic(void)
{
    static const struct {
        const char *user, *password, *text;
    } rows[] = {
        {"", "", "Og=="},
        {"f", "", "Zjo="},
        {"f", "o", "Zjpv"},
        {"fo", "b", "Zm86Yg=="},
        {"test", "123\xc2\xa3", "dGVzdDoxMjPCow=="},
        {"\xff", "\xfe", "/zr+"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buf[64];
        struct out out;
        out_init(&out, buf, sizeof buf);
        request_put_basic(&out, slice_from_cstr(rows[i].user), slice_from_cstr(rows[i].password));
        CHECK_EQ_TEXT(buf, out_slice(&out).len, rows[i].text);
    }
}

/* ---- The body ----------------------------------------------------------------------------- */

/* However little the connection takes at a time, the same bytes go out. */
static void test_room(void)
{
    static const size_t rooms[] = {1, 2, 3, 7, 64, 127, 128, 129, 1000};
    static char body[65536];
    set_up(LIMPET_S_TO_NS(2), 1000000);
    start();
    close_window(3);
    close_window(4);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    CHECK_EQ_UINT(note_body(f, false), 2);
    size_t body_len = f->sent_len;
    memcpy(body, f->sent, body_len);
    fake_call_fail(f, LIMPET_ERR_RESET);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        f = next_call();
        take_body(f, rooms[i]);
        CHECK(f->sent_len >= body_len);
        CHECK_EQ_MEM(f->sent, body_len, body, body_len);
        fake_call_fail(f, LIMPET_ERR_RESET);
        check_writer();
    }
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
}

/* One request has at most LIMPET_INFLUX_BATCH_LEN bytes; the next follows at once. */
static void test_batch_bound(void)
{
    set_up(LIMPET_S_TO_NS(30), 1000000);
    start();
    for (unsigned i = 0; i < 12; i++) {
        close_window(1);
    }
    unsigned calls = 0;
    while (spool_count(&writer.store.spool) > 0) {
        struct fake_call *f = next_call();
        CHECK(f->request.length <= LIMPET_INFLUX_BATCH_LEN);
        deliver(f);
        calls++;
    }
    CHECK(calls > 1 && calls < 12);
    CHECK_EQ_UINT(acknowledged_count(), 12);
    CHECK_EQ_UINT(writer.store.windows_dropped, 0);
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
}

/* ---- Start -------------------------------------------------------------------------------- */

static void check_ping(unsigned status, int err, const char *line)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    writer_start(&writer);
    fake_call_connect(running());
    if (status != 0) {
        fake_call_answer(running(), status, "", "", true);
    } else {
        fake_call_fail(running(), err);
    }
    CHECK(logged(line));
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
    close_window(1);
    deliver(next_call());
    CHECK_EQ_UINT(writer.store.windows_written, 1);
}

static void test_ping(void)
{
    check_ping(204, 0,
               "INFO: [SERVICE: InfluxDB] http://influx:8086/ping?wait_for_leader=1s: "
               "answers the ping: status 204");
    check_ping(404, 0,
               "WARNING: [SERVICE: InfluxDB] http://influx:8086/ping?wait_for_leader=1s: "
               "the ping failed: status 404");
    check_ping(0, LIMPET_ERR_REFUSED, "the ping failed: connection refused");
}

/* Nobody answers the ping: its deadline ends it, windows wait meanwhile. */
static void test_ping_deadline(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    writer_start(&writer);
    close_window(1);
    CHECK_EQ_INT(writer.state, WRITER_PINGING);
    advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS));
    CHECK(logged("the ping failed: deadline exceeded"));
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
    deliver(next_call());
    CHECK_EQ_UINT(writer.store.windows_written, 1);
}

static void test_off(void)
{
    set_up(LIMPET_S_TO_NS(2), 0);
    config.enabled = false;
    writer_start(&writer);
    writer_window(&writer);
    CHECK(writer_stopped(&writer));
    writer_stop(&writer);
    writer_give_up(&writer);
    CHECK_EQ_INT(writer.state, WRITER_OFF);
    CHECK_EQ_UINT(fake_call_count, 0);
    CHECK_EQ_UINT(writer.store.windows_produced, 0);
}

/* ---- Outcomes ----------------------------------------------------------------------------- */

static void test_partial(void)
{
    start_with(2, 0);
    answer_next(400, "", "{\"error\":\"partial write: conflict dropped=3\"}\n");
    CHECK_EQ_UINT(writer.store.windows_written, 2);
    CHECK_EQ_UINT(writer.points_refused, 3);
    CHECK(writer.points_written > 10);
    CHECK(
        logged("WARNING: [SERVICE: InfluxDB] "
               "http://influx:8086/write?consistency=&db=krakend&precision=s&rp=: some points were "
               "refused for good: status 400, points refused 3: "
               "{\"error\":\"partial write: conflict "
               "dropped=3\"}\n"));
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
}

/* InfluxDB 1.x when all points are older than the retention: no window was written. */
static void test_partial_takes_nothing(void)
{
    start_with(2, 0);
    answer_next(400, "", "{\"error\":\"partial write: beyond retention dropped=100000\"}");
    CHECK_EQ_UINT(writer.store.windows_written, 0);
    CHECK_EQ_UINT(writer.store.windows_dropped, 2);
    CHECK_EQ_UINT(writer.points_written, 0);
    CHECK(writer.points_refused > 10);
    CHECK(logged("2 windows dropped: InfluxDB will never take"));
}

/* Of several windows the oldest are older than the retention: only they are dropped. */
static void test_partial_retention(void)
{
    char body[100];
    start_with(3, 0);
    struct fake_call *f = next_call();
    snprintf(body, sizeof body, "partial write: points beyond retention policy dropped=%u",
             (unsigned)(writer.batch.points / 3 + 1));
    answer(f, 400, "", body);
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_REFUSED], 1);
    CHECK_EQ_UINT(writer.store.windows_written, 2);
    CHECK(logged("points refused"));
}

/* Without a number the points count as written, but somebody is told. */
static void test_partial_without_number(void)
{
    start_with(1, 0);
    answer_next(422, "", "{\"message\":\"partial write\"}");
    CHECK_EQ_UINT(writer.store.windows_written, 1);
    CHECK(logged("some points were refused"));
}

/* InfluxDB 3 names them instead, further on than the log shows. */
static void test_partial_named(void)
{
    start_with(1, 0);
    answer_next(400, "",
                "{\"error\":\"partial write of line protocol occurred\",\"data\":["
                "{\"original_line\":\"requests,complete=true,error=false,host=vm,"
                "layer=pipe,name=/a count=1i,total=1i 1795339220\",\"line_number\":2,"
                "\"error_message\":\"invalid column type\"},"
                "{\"original_line\":\"router\",\"line_number\":3}]}");
    CHECK_EQ_UINT(writer.store.windows_written, 1);
    CHECK_EQ_UINT(writer.points_refused, 2);
}

/* A refused batch is taken apart; only the window at fault is lost. */
static void test_refused(void)
{
    start_with(3, 0);
    char line[120];
    struct fake_call *f = next_call();
    snprintf(line, sizeof line,
             "rp=: 3 windows, %u bytes: refused; it is sent again in parts: status 400: unable to",
             (unsigned)writer.batch.body_len);
    answer(f, 400, "", "unable to parse");
    CHECK(logged(line));
    forget_log();
    CHECK_EQ_UINT(writer.store.windows_dropped, 0);
    CHECK_EQ_UINT(writer.batch.count, 1);
    deliver(next_call());
    answer_next(400, "", "unable to parse");
    CHECK(logged("1 window dropped: InfluxDB will never take"));
    CHECK(logged(" bytes: refused for good: status 400: unable to parse") && !logged("parts"));
    deliver(next_call());
    CHECK_EQ_UINT(writer.store.windows_written, 2);
    CHECK_EQ_UINT(writer.store.windows_dropped, 1);
    CHECK(windows[1].acknowledged && !windows[2].acknowledged && windows[3].acknowledged);
    close_window(1);
    close_window(1);
    deliver(next_call());
    CHECK_EQ_UINT(writer.store.windows_written, 4);
}

/* 413 may come before the body is complete. */
static void test_too_large(void)
{
    start_with(3, 0);
    struct fake_call *f = next_call();
    CHECK_EQ_UINT(writer.batch.count, 3);
    f->room = 100;
    fake_call_connect(f);
    fake_call_answer(f, 413, "", "too large", true);
    CHECK_EQ_UINT(writer.batch.count, 1);
    deliver(next_call());
    CHECK_EQ_UINT(writer.batch.count, 2);
    answer_next(413, "", "");
    answer_next(413, "", "");
    CHECK_EQ_UINT(writer.store.windows_dropped, 1);
    deliver(next_call());
    CHECK_EQ_UINT(writer.store.windows_written, 2);
}

/* A 2xx to a request that was not sent to its end cannot mean that it was written. */
static void test_early_success(void)
{
    start_with(2, 1000000);
    struct fake_call *f = next_call();
    f->room = 100;
    fake_call_connect(f);
    fake_call_answer(f, 204, "", "", true);
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
    CHECK_EQ_UINT(spool_count(&writer.store.spool), 2);
    drain();
    CHECK_EQ_UINT(writer.store.windows_written, window_count);
}

/* The time from a failure to the next try. */
static uint64_t wait_ns(void)
{
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
    uint64_t due_ns = timers_next_ns(&timers);
    CHECK(due_ns >= now_ns);
    return due_ns - now_ns;
}

static void test_backoff(void)
{
    start_with(1, 1000000);
    uint64_t whole_ns = LIMPET_S_TO_NS(4); /* ttl / 5 */
    for (unsigned i = 0; i < 12; i++) {
        answer_next(i % 2 == 0 ? 500 : 503, "", "");
        CHECK(wait_ns() <= whole_ns && wait_ns() >= whole_ns / 4 * 3);
        whole_ns = whole_ns < LIMPET_S_TO_NS(150) ? 2 * whole_ns : LIMPET_S_TO_NS(300);
    }
    CHECK_EQ_UINT(writer.writes_failed, 12);
    forget_log();
    drain();
    CHECK(logged("takes windows again: status 204"));
    close_window(1);
    answer_next(500, "", "");
    CHECK(wait_ns() <= LIMPET_S_TO_NS(4));
}

static void test_retry_after(void)
{
    start_with(1, 1000000);
    answer_next(429, "Retry-After: 77\n", "");
    CHECK_EQ_UINT(wait_ns(), LIMPET_S_TO_NS(77));
    answer_next(503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\n", "");
    CHECK(wait_ns() <= LIMPET_S_TO_NS(8));
    answer_next(503, "Retry-After: soon\n", "");
    CHECK(wait_ns() <= LIMPET_S_TO_NS(16));
    answer_next(503, "Retry-After: 86401\n", "");
    CHECK_EQ_UINT(wait_ns(), LIMPET_S_TO_NS(86400));
    struct fake_call *f = next_call();
    char field[64] = "Retry-After: ";
    message_write_date(field + 13, (clock_offset_ns + (int64_t)now_ns) / 1000000000 + 90);
    strcat(field, "\n");
    answer(f, 503, field, "");
    CHECK(wait_ns() >= LIMPET_S_TO_NS(89) && wait_ns() <= LIMPET_S_TO_NS(90));
    answer_next(503, "Retry-After: 1\n", "");
    CHECK_EQ_UINT(wait_ns(), LIMPET_S_TO_NS(1));
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
}

/* What somebody has to change first is tried slowly; a changed answer is followed at once. */
static void test_slow(void)
{
    start_with(1, 1000000);
    uint64_t whole_ns = LIMPET_S_TO_NS(LIMPET_INFLUX_SLOW_S);
    for (unsigned i = 0; i < 6; i++) {
        answer_next(401 + i % 2 * 2, "", "");
        CHECK(wait_ns() <= whole_ns && wait_ns() >= whole_ns / 4 * 3);
        whole_ns = whole_ns < LIMPET_S_TO_NS(150) ? 2 * whole_ns : LIMPET_S_TO_NS(300);
    }
    answer_next(404, "Retry-After: 5\n", "");
    CHECK_EQ_UINT(wait_ns(), LIMPET_S_TO_NS(5));
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
}

static void test_redirect(void)
{
    start_with(1, 1000000);
    answer_next(307, "Location: https://elsewhere/write\n", "<html>");
    CHECK(logged("redirects are not followed; the windows wait: status 307: "
                 "https://elsewhere/write\n"));
    CHECK(wait_ns() > LIMPET_S_TO_NS(LIMPET_INFLUX_SLOW_S / 2));
    drain();
}

/* Many windows, one of them refused: its halves are looked through, all others arrive. */
static void test_bisect(void)
{
    start_with(0, 1000000);
    for (unsigned i = 0; i < 16; i++) {
        close_running_window();
    }
    unsigned requests = 0;
    while (spool_count(&writer.store.spool) > 0) {
        struct fake_call *f = next_call();
        size_t first = writer.store.windows_written + writer.store.windows_dropped + 1;
        bool holds_it = first <= 11 && first + writer.batch.count > 11;
        requests++;
        if (holds_it) {
            answer(f, 422, "", "unable to parse");
        } else {
            deliver(f);
        }
    }
    CHECK(requests <= 2 * 4 + 8);
    CHECK(!windows[11].acknowledged);
    CHECK_EQ_UINT(acknowledged_count(), 15);
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_REFUSED], 1);
}

/* Two hosts that start together push apart, each between one ttl and two after the start. */
static void test_phase(void)
{
    static const char *const hosts[] = {"limpet-0200000000a1", "limpet-0200000000a2", "vm", ""};
    uint64_t least_ns = UINT64_MAX;
    uint64_t most_ns = 0;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        set_up(LIMPET_S_TO_NS(20), 0);
        writer.host_name = slice_from_cstr(hosts[i]);
        start();
        uint64_t wait = writer.next_push_ns - now_ns;
        CHECK(wait >= LIMPET_MS_TO_NS(20200) && wait < LIMPET_MS_TO_NS(40200));
        least_ns = wait < least_ns ? wait : least_ns;
        most_ns = wait > most_ns ? wait : most_ns;
    }
    CHECK(most_ns - least_ns > LIMPET_S_TO_NS(5));
}

/* One line per change of state, however long it lasts; the windows stay. */
static void test_keep(void)
{
    static const unsigned rows[] = {301, 401, 403, 404, 500};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[80];
        start_with(1, 1000000);
        snprintf(line, sizeof line, "the windows wait: status %u: why\n", rows[i]);
        answer_next(rows[i], "Location: why\n", "why\nmore");
        CHECK(logged("ERROR: [SERVICE: InfluxDB] ") && logged(line));
        forget_log();
        answer_next(rows[i], "", "why");
        CHECK(!logged("the windows wait"));
        CHECK_EQ_UINT(writer.store.windows_dropped, 0);
        drain();
    }
}

static void test_deadline(void)
{
    start_with(1, 1000000);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    note_body(f, false);
    advance(LIMPET_MS_TO_NS(LIMPET_INFLUX_TIMEOUT_MS) - 1);
    CHECK_EQ_INT(writer.state, WRITER_SENDING);
    advance(1);
    CHECK(f->canceled);
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
    CHECK(logged("the windows wait: deadline exceeded\n"));
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
}

/* The answer's body in pieces: its start is kept, all of it is taken. */
static void test_long_answer(void)
{
    static char text[5000];
    start_with(1, 1000000);
    memset(text, 'x', sizeof text - 1);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    fake_call_answer(f, 500, "", "xx", false);
    CHECK_EQ_INT(writer.state, WRITER_SENDING);
    fake_call_more(f, slice_of(text, 3000), false);
    fake_call_more(f, slice_from_cstr(text), true);
    CHECK(f->completed);
    CHECK_EQ_UINT(writer.answer_len, LIMPET_INFLUX_ANSWER_LEN_MAX);
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
}

/* Moves when a window closes: before the first success it is the time since the start, then since
 * the last one, until there is a new one. */
static void test_age_of_success(void)
{
    start_with(1, 5);
    CHECK_EQ_UINT(writer.last_success_age_s, 1);
    deliver(next_call());
    for (unsigned i = 0; i < 5; i++) {
        close_window(1);
    }
    uint64_t age_s = writer.last_success_age_s;
    CHECK(age_s >= 3 && age_s <= 5);
    close_window(1);
    CHECK_EQ_UINT(writer.last_success_age_s, age_s + 1);
    deliver(next_call());
    CHECK_EQ_UINT(writer.last_success_age_s, age_s + 1);
    close_window(1);
    CHECK(writer.last_success_age_s <= 1);
}

/* Everything that the writer tells about itself, by name. */
static void test_values(void)
{
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"influx.windows_produced", 4}, {"influx.windows_written", 1},
        {"influx.windows_buffered", 1}, {"influx.windows_dropped", 2},
        {"influx.dropped.refused", 1},  {"influx.dropped.no_buffer", 1},
        {"influx.writes_2xx", 1},       {"influx.writes_4xx", 2},
        {"influx.writes_5xx", 1},       {"influx.writes_unanswered", 1},
        {"influx.writes_3xx", 0},       {"influx.spool_bytes_limit", LIMPET_SPOOL_LEN},
    };
    start_with(2, 1);
    writer_add_values(&writer, &metrics);
    answer_next(400, "", "unable to parse");
    deliver(next_call());
    answer_next(400, "", "unable to parse");
    close_window(1);
    answer_next(500, "", "");
    close_window(1);
    fake_call_fail(next_call(), LIMPET_ERR_REFUSED);
    metrics_sample(&metrics);
    size_t found = 0;
    for (size_t i = 0; i < metrics_series_count(&metrics); i++) {
        struct metrics_view view;
        for (size_t n = 0; n < sizeof rows / sizeof rows[0] && metrics_series(&metrics, i, &view);
             n++) {
            if (view.family == METRICS_LIMPET &&
                slice_equal(view.name, slice_from_cstr(rows[n].name))) {
                CHECK_EQ_INT(view.value, rows[n].value);
                found++;
            }
        }
    }
    CHECK_EQ_UINT(found, sizeof rows / sizeof rows[0]);
    CHECK(writer.last_success_s > 0 && writer.backoff_ms > 0 && writer.bytes_written > 0);
}

/* ---- The buffer --------------------------------------------------------------------------- */

static void test_buffer_size(void)
{
    start_with(2, 0);
    answer_next(500, "", "");
    CHECK_EQ_UINT(writer.store.windows_dropped, 2);
    CHECK(logged("2 windows dropped: buffer_size allows no more failed datapoints"));
    start_with(3, 1);
    answer_next(500, "", "");
    CHECK_EQ_UINT(writer.store.windows_dropped, 2);
    drain();
    CHECK_EQ_UINT(writer.store.windows_written, window_count - 2);
    CHECK(!windows[1].acknowledged && !windows[2].acknowledged && windows[3].acknowledged);
}

/* The ring is full while a batch is in flight: that goes on to its end, however long it takes, and
 * new windows are lost meanwhile; without one the oldest leave. */
static void test_full_in_flight(void)
{
    start_with(1, 1000000);
    struct fake_call *f = next_call();
    take_body(f, SIZE_MAX);
    size_t in_flight = note_body(f, true);
    while (writer.store.windows_dropped < 5) {
        close_running_window();
    }
    CHECK(!f->canceled && writer.state == WRITER_SENDING);
    CHECK(logged("1 window dropped: the buffer is full"));
    fake_call_answer(f, 204, "", "", true);
    CHECK_EQ_UINT(writer.store.windows_written, in_flight);
    answer_next(503, "Retry-After: 9999\n", "");
    size_t waiting = spool_count(&writer.store.spool);
    uint64_t dropped = writer.store.dropped[STORE_DROP_MEMORY];
    while (writer.store.dropped[STORE_DROP_MEMORY] < dropped + 5) {
        close_running_window();
    }
    CHECK(spool_count(&writer.store.spool) + 5 >= waiting);
    CHECK_EQ_INT(writer.state, WRITER_WAITING);
    drain();
    CHECK(!windows[2].acknowledged && windows[window_count].acknowledged);
    CHECK_EQ_UINT(acknowledged_count(), writer.store.windows_written);
    CHECK_EQ_UINT(window_count, writer.store.windows_written + writer.store.windows_dropped);
}

/* So much happened that the whole ring could not hold it: that window is lost, with the reason. */
static void test_too_long(void)
{
    static char names[200][8];
    start_with(0, 1000000);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(names[i], sizeof names[i], "/%zu", i);
        struct proxy_series *one =
            metrics_open_proxy(&metrics, METRICS_PIPE, slice_from_cstr(names[i]));
        CHECK(one != NULL);
        metrics_record_proxy(&metrics, one, true, false, (int64_t)i + 1);
    }
    close_window(1);
    CHECK_EQ_UINT(writer.store.dropped[STORE_DROP_TOO_LONG], 1);
    CHECK_EQ_UINT(store_count(&writer.store), 0);
    CHECK(logged("1 window dropped: it is larger than the buffer"));
}

/* ---- Time --------------------------------------------------------------------------------- */

/* Nothing is sent before the clock is known; then every window gets its own time. */
static void test_clock_unknown(void)
{
    set_up_with_clock(LIMPET_S_TO_NS(1), 0, 0);
    start();
    for (unsigned i = 0; i < 3; i++) {
        close_window(1);
    }
    CHECK_EQ_INT(writer.state, WRITER_RESTING);
    uint64_t first_close_ns = LIMPET_S_TO_NS(101);
    clock_offset_ns = UNIX_BASE_NS;
    close_window(1);
    clock_offset_ns = UNIX_BASE_NS + INT64_C(7000000000); /* what waits keeps its dates */
    set_time();
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
    for (unsigned i = 1; i <= 4; i++) {
        int64_t close_ns = UNIX_BASE_NS + (int64_t)(first_close_ns + LIMPET_S_TO_NS(i - 1));
        CHECK_EQ_INT(windows[i].stamp_s, close_ns / INT64_C(1000000000));
    }
}

/* Windows of the time before stay apart, also when they close in the same second, and from those
 * after when the clock turns out to be behind. */
static void test_clock_unknown_short_windows(void)
{
    set_up_with_clock(LIMPET_S_TO_NS(1), 0, 0);
    start();
    for (unsigned i = 0; i < 4; i++) {
        advance(LIMPET_MS_TO_NS(10));
        close_running_window();
    }
    clock_offset_ns = UNIX_BASE_NS;
    set_time();
    close_window(1);
    close_window(1);
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
    for (size_t i = 2; i <= window_count; i++) {
        CHECK(windows[i].stamp_s > windows[i - 1].stamp_s);
    }
}

/* Set back by an hour: stamps go on by a second a window. Lost: it goes on. */
static void test_clock_steps(void)
{
    start_with(1, 0);
    clock_offset_ns -= INT64_C(3600000000000);
    set_time();
    close_window(1);
    close_window(1);
    drain();
    long long stamp_s = windows[1].stamp_s;
    CHECK_EQ_INT(windows[2].stamp_s, stamp_s + 1);
    CHECK_EQ_INT(windows[3].stamp_s, stamp_s + 2);
    clock_offset_ns = 0;
    close_window(1);
    drain();
    CHECK_EQ_UINT(acknowledged_count(), window_count);
    CHECK_EQ_UINT(writer.store.windows_written, window_count);
}

/* ---- Stop --------------------------------------------------------------------------------- */

int main(void)
{
    test_heads();
    test_head_without_user();
    test_heads_v2();
    test_mode();
    test_basic();
    test_room();
    test_batch_bound();
    test_ping();
    test_ping_deadline();
    test_off();
    test_partial();
    test_partial_takes_nothing();
    test_partial_retention();
    test_partial_without_number();
    test_partial_named();
    test_refused();
    test_too_large();
    test_early_success();
    test_backoff();
    test_retry_after();
    test_slow();
    test_redirect();
    test_bisect();
    test_phase();
    test_keep();
    test_deadline();
    test_long_answer();
    test_age_of_success();
    test_values();
    test_buffer_size();
    test_full_in_flight();
    test_too_long();
    test_clock_unknown();
    test_clock_unknown_short_windows();
    test_clock_steps();
    return check_result();
}
