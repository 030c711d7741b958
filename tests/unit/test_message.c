/* The parser of heads and bodies: the conformance table at every split, the limits, answers. */
#include "check.h"

#include "request_cases.h"
#include "web/message.h"

#include <stdlib.h>

static char storage[2 * LIMPET_HEAD_LEN_MAX];

/* ---- Driving ----------------------------------------------------------------------------------
 */

/* What a reader that gets `pieces` makes of a whole message: 200, the refusal, or 0 = wants more.
 */
struct feed {
    const char *raw;
    size_t len;
    size_t cut; /* the first piece; the rest comes as one, or byte by byte */
    bool bytewise;
    struct message_head head;
    size_t head_len;
    char body[512];
    size_t body_len;
};

static size_t next_end(const struct feed *feed, size_t have)
{
    if (feed->bytewise) {
        return have + 1;
    }
    return have < feed->cut ? feed->cut : feed->len;
}

static unsigned feed_body(struct feed *feed, struct body_reader *reader, size_t *at, size_t have)
{
    for (;;) {
        struct slice data;
        int64_t used = body_reader_next(reader, slice_of(storage + *at, have - *at), &data);
        if (used < 0) {
            return 400;
        }
        CHECK((size_t)used + data.len <= have - *at);
        CHECK(data.len == 0 || data.ptr == storage + *at + used);
        *at += (size_t)used;
        if (data.len == 0) {
            return reader->done ? 200 : 0;
        }
        CHECK(feed->body_len + data.len <= sizeof(feed->body));
        memcpy(feed->body + feed->body_len, data.ptr, data.len);
        feed->body_len += data.len;
        body_reader_take(reader, data.len);
        *at += data.len;
    }
}

static unsigned feed_run(struct feed *feed)
{
    struct body_reader reader;
    size_t scanned = 0;
    size_t at = 0;
    feed->head_len = 0;
    feed->body_len = 0;
    memset(&feed->head, 0xA5, sizeof(feed->head));
    for (size_t have = 0; have < feed->len;) {
        size_t end = next_end(feed, have);
        memcpy(storage + have, feed->raw + have, end - have);
        have = end;
        if (feed->head_len == 0) {
            int parsed = message_parse_request(slice_of(storage, have), &scanned, &feed->head);
            if (parsed < 0) {
                CHECK(feed->head.refuse_text != NULL);
                return feed->head.refuse_status;
            }
            if (parsed == 0) {
                CHECK_EQ_UINT(scanned, have);
                continue;
            }
            feed->head_len = (size_t)parsed;
            at = feed->head_len;
            body_reader_init(&reader, &feed->head);
        }
        unsigned status = feed_body(feed, &reader, &at, have);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static unsigned parse_text(struct feed *feed, const char *text)
{
    *feed = (struct feed){.raw = text, .len = strlen(text), .cut = strlen(text)};
    return feed_run(feed);
}

/* ---- The table --------------------------------------------------------------------------------
 */

static void note_row(size_t row, size_t cut)
{
    fprintf(stderr, "row %zu, cut at %zu:\n", row, cut);
    check_print_bytes("raw", request_cases[row].raw, request_cases[row].len);
}

static void every_row_reads_the_same_at_every_split(void)
{
    static struct feed whole;
    static struct feed part;
    for (size_t row = 0; row < request_cases_len; row++) {
        const struct request_case *c = &request_cases[row];
        whole = (struct feed){.raw = c->raw, .len = c->len, .cut = c->len};
        if (!CHECK_EQ_UINT(feed_run(&whole), c->status)) {
            note_row(row, c->len);
        }
        for (size_t cut = 0; cut < c->len; cut++) {
            part = (struct feed){.raw = c->raw, .len = c->len, .cut = cut, .bytewise = cut == 0};
            bool same = CHECK_EQ_UINT(feed_run(&part), c->status) &&
                        (c->status != 200 ||
                         (CHECK_EQ_UINT(part.head_len, whole.head_len) &&
                          CHECK_EQ_UINT(part.head.field_count, whole.head.field_count) &&
                          CHECK_EQ_MEM(part.body, part.body_len, whole.body, whole.body_len)));
            if (!same) {
                note_row(row, cut);
            }
        }
    }
}

/* An accepted message is not accepted when its end is missing. */
static void every_accepted_row_is_needed_to_its_last_byte(void)
{
    static struct feed feed;
    for (size_t row = 0; row < request_cases_len; row++) {
        const struct request_case *c = &request_cases[row];
        for (size_t len = 0; c->status == 200 && len < c->len; len++) {
            feed = (struct feed){.raw = c->raw, .len = len, .cut = len};
            if (!CHECK_EQ_UINT(feed_run(&feed), 0)) {
                note_row(row, len);
            }
        }
    }
}

/* Each byte of a small request replaced by each value: accepted or refused, never both ways. */
static void every_byte_value_at_every_place(void)
{
    static const char plain[] = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n";
    static struct feed whole;
    static struct feed part;
    char raw[sizeof(plain)];
    for (size_t at = 0; at + 1 < sizeof(plain); at++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(raw, plain, sizeof(plain));
            raw[at] = (char)value;
            whole = (struct feed){.raw = raw, .len = sizeof(plain) - 1, .cut = sizeof(plain) - 1};
            part = (struct feed){.raw = raw, .len = sizeof(plain) - 1, .bytewise = true};
            unsigned status = feed_run(&whole);
            if (!CHECK_EQ_UINT(feed_run(&part), status)) {
                fprintf(stderr, "byte %zu = 0x%02x\n", at, value);
            }
        }
    }
}

/* ---- What is filled in ------------------------------------------------------------------------
 */

static void the_head_is_filled(void)
{
    static struct feed feed;
    CHECK_EQ_UINT(parse_text(&feed, "PUT /a/%41?b=c?d HTTP/1.1\r\nHost:\texample.org:8080 \r\n"
                                    "X-One: 1\r\nx-one: 2\r\nContent-Length: 5\r\n"
                                    "Expect: 100-Continue\r\n\r\nhello"),
                  200);
    const struct message_head *head = &feed.head;
    CHECK_EQ_TEXT(head->method.ptr, head->method.len, "PUT");
    CHECK_EQ_TEXT(head->target.ptr, head->target.len, "/a/%41?b=c?d");
    CHECK_EQ_TEXT(head->path.ptr, head->path.len, "/a/%41");
    CHECK_EQ_TEXT(head->query.ptr, head->query.len, "b=c?d");
    CHECK_EQ_TEXT(head->host.ptr, head->host.len, "example.org:8080");
    CHECK_EQ_UINT(head->version_minor, 1);
    CHECK_EQ_INT(head->framing, FRAMING_LENGTH);
    CHECK_EQ_UINT(head->content_length, 5);
    CHECK(head->keep_alive && head->expect_continue);
    CHECK_EQ_UINT(head->field_count, 5);
    struct slice value = message_find(head, SLICE_LIT("X-ONE"));
    CHECK(value.ptr == message_field(head, 1).value.ptr);
    CHECK_EQ_TEXT(value.ptr, value.len, "1");
    CHECK(message_find(head, SLICE_LIT("X-Two")).ptr == NULL);
    CHECK_EQ_TEXT(feed.body, feed.body_len, "hello");
}

static void keep_alive_follows_version_and_connection(void)
{
    static const struct {
        const char *head;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.5\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    static struct feed feed;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ_UINT(parse_text(&feed, rows[i].head), 200);
        if (!CHECK_EQ_INT(feed.head.keep_alive, rows[i].keep_alive)) {
            fprintf(stderr, "%s", rows[i].head);
        }
    }
}

static void continue_is_expected_with_a_body_in_http_1_1_only(void)
{
    static struct feed feed;
    parse_text(&feed, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    CHECK(!feed.head.expect_continue);
    parse_text(&feed,
               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    CHECK(!feed.head.expect_continue);
    parse_text(&feed, "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na");
    CHECK(!feed.head.expect_continue);
    parse_text(&feed, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                      "Expect: 100-continue\r\n\r\n0\r\n\r\n");
    CHECK(feed.head.expect_continue);
}

static void hop_by_hop_fields_are_known(void)
{
    static const char *const hop[] = {"connection", "Keep-Alive",          "TE",
                                      "trailer",    "Transfer-Encoding",   "Upgrade",
                                      "X-Mine",     "Proxy-Authorization", "proxy-connection",
                                      "other"};
    static const char *const end_to_end[] = {"Host", "X-Mine2", "Proxy", "Prox", "", "Accept"};
    static struct feed feed;
    parse_text(&feed, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close,x-mine\r\nX: other\r\n"
                      "Connection: Other\r\n\r\n");
    for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++) {
        CHECK(message_is_hop_by_hop(&feed.head, slice_from_cstr(hop[i])));
    }
    for (size_t i = 0; i < sizeof(end_to_end) / sizeof(end_to_end[0]); i++) {
        CHECK(!message_is_hop_by_hop(&feed.head, slice_from_cstr(end_to_end[i])));
    }
    parse_text(&feed, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(!message_is_hop_by_hop(&feed.head, SLICE_LIT("X-Mine")));
}

/* ---- Limits -----------------------------------------------------------------------------------
 */

static char long_raw[2 * LIMPET_HEAD_LEN_MAX];

/* "GET /aaa... HTTP/1.1" of that length, and the rest of a head. */
static size_t make_request_line(size_t line_len)
{
    memset(long_raw, 'a', line_len);
    memcpy(long_raw, "GET /", 5);
    memcpy(long_raw + line_len - 9, " HTTP/1.1", 9);
    memcpy(long_raw + line_len, "\r\nHost: a\r\n\r\n", 13);
    return line_len + 13;
}

static unsigned feed_long(size_t len, size_t piece)
{
    static struct feed feed;
    feed = (struct feed){.raw = long_raw, .len = len, .cut = len, .bytewise = piece == 1};
    return feed_run(&feed);
}

static void a_request_line_has_a_limit(void)
{
    for (size_t piece = 0; piece <= 1; piece++) {
        CHECK_EQ_UINT(feed_long(make_request_line(LIMPET_REQUEST_LINE_MAX), piece), 200);
        CHECK_EQ_UINT(feed_long(make_request_line(LIMPET_REQUEST_LINE_MAX + 1), piece), 414);
        make_request_line(2 * LIMPET_REQUEST_LINE_MAX);
        CHECK_EQ_UINT(feed_long(LIMPET_REQUEST_LINE_MAX + 2, piece), 414);
        long_raw[77] = '\x01';
        CHECK_EQ_UINT(feed_long(LIMPET_REQUEST_LINE_MAX + 2, piece), 400);
    }
}

/* A head of exactly that length, filled up by one field or by many. */
static size_t make_head(size_t len, size_t value_len)
{
    size_t at = 0;
    memcpy(long_raw, "GET / HTTP/1.1\r\nHost: a\r\n", 25);
    for (at = 25; at + 2 < len;) {
        size_t left = len - 2 - at;
        size_t line = left < 2 * (value_len + 4) ? left : value_len + 4;
        memset(long_raw + at, 'x', line);
        long_raw[at + 1] = ':';
        memcpy(long_raw + at + line - 2, "\r\n", 2);
        at += line;
    }
    memcpy(long_raw + at, "\r\n", 2);
    return len;
}

static void a_head_has_a_limit(void)
{
    size_t lens[] = {20000, LIMPET_HEAD_LEN_MAX / 60};
    for (size_t i = 0; i < 2; i++) {
        for (size_t piece = 0; piece <= 1; piece++) {
            CHECK_EQ_UINT(feed_long(make_head(LIMPET_HEAD_LEN_MAX, lens[i]), piece), 200);
            CHECK_EQ_UINT(feed_long(make_head(LIMPET_HEAD_LEN_MAX + 1, lens[i]), piece), 431);
            CHECK_EQ_UINT(feed_long(make_head(LIMPET_HEAD_LEN_MAX + 2, lens[i]), piece), 431);
            CHECK_EQ_UINT(feed_long(make_head(LIMPET_HEAD_LEN_MAX + 900, lens[i]), piece), 431);
        }
    }
    /* A buffer of LIMPET_HEAD_LEN_MAX never fills up without an error. */
    make_head(LIMPET_HEAD_LEN_MAX + 1, 20000);
    CHECK_EQ_UINT(feed_long(LIMPET_HEAD_LEN_MAX, 0), 431);
    CHECK_EQ_UINT(feed_long(LIMPET_HEAD_LEN_MAX - 1, 0), 0);
    make_head(LIMPET_HEAD_LEN_MAX + 1, 20000);
    long_raw[LIMPET_HEAD_LEN_MAX - 5] = '\x01';
    CHECK_EQ_UINT(feed_long(LIMPET_HEAD_LEN_MAX, 0), 400);
    CHECK_EQ_UINT(feed_long(LIMPET_HEAD_LEN_MAX, 1), 400);
}

static void fields_are_counted(void)
{
    for (size_t count = LIMPET_FIELDS_MAX - 1; count <= LIMPET_FIELDS_MAX; count++) {
        size_t at = 25;
        memcpy(long_raw, "GET / HTTP/1.1\r\nHost: a\r\n", at);
        for (size_t i = 0; i < count; i++) {
            memcpy(long_raw + at, "a:b\r\n", 5);
            at += 5;
        }
        memcpy(long_raw + at, "\r\n", 2);
        CHECK_EQ_UINT(feed_long(at + 2, 0), count < LIMPET_FIELDS_MAX ? 200 : 431);
    }
}

static int read_chunks(size_t len)
{
    static struct message_head head;
    struct body_reader reader;
    struct slice data;
    head = (struct message_head){.framing = FRAMING_CHUNKED};
    body_reader_init(&reader, &head);
    for (size_t at = 0; at < len;) {
        int64_t used = body_reader_next(&reader, slice_of(long_raw + at, len - at), &data);
        if (used < 0) {
            return (int)used;
        }
        if (data.len > 0) {
            body_reader_take(&reader, data.len);
        }
        at += (size_t)used + data.len;
        if (reader.done) {
            return 1;
        }
    }
    return 0;
}

static void chunk_extensions_and_trailers_have_limits(void)
{
    for (size_t over = 0; over <= 1; over++) {
        /* "1;aaa...\r": what is counted begins behind the semicolon and ends with the CR. */
        size_t ext = LIMPET_CHUNK_LINE_MAX + over;
        memset(long_raw, 'a', ext + 2);
        memcpy(long_raw, "1;", 2);
        memcpy(long_raw + 2 + ext - 1, "\r\nx\r\n0\r\n\r\n", 10);
        CHECK_EQ_INT(read_chunks(2 + ext - 1 + 10), over == 0 ? 1 : LIMPET_ERR_TOO_LONG);
        /* The trailer and the empty line behind it but for its LF count. */
        size_t trailer = LIMPET_HEAD_LEN_MAX - 2 + over;
        memset(long_raw, 'a', trailer + 3);
        memcpy(long_raw, "0\r\nX:", 5);
        memcpy(long_raw + 3 + trailer - 2, "\r\n\r\n", 4);
        CHECK_EQ_INT(read_chunks(3 + trailer + 2), over == 0 ? 1 : LIMPET_ERR_TOO_LONG);
    }
    /* Many small extensions are as much as a long one. */
    size_t at = 0;
    while (at + 8 <= sizeof(long_raw)) {
        memcpy(long_raw + at, "1;a\r\nx\r\n", 8);
        at += 8;
    }
    CHECK_EQ_INT(read_chunks(at), 0);
    at = 0;
    while (at + 12 <= sizeof(long_raw)) {
        memcpy(long_raw + at, "1;a=bcdefg\r\nx\r\n", 12);
        at += 12;
    }
    CHECK(read_chunks(at) < 0);
}

/* ---- Answers ----------------------------------------------------------------------------------
 */

struct answer_case {
    const char *raw;
    bool to_head;
    int err;
    unsigned status;
    enum message_framing framing;
    uint64_t length;
    bool keep_alive;
};

static const struct answer_case answer_cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, 0, 200, FRAMING_LENGTH, 3, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 0, 200, FRAMING_LENGTH, 0, true},
    {"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", false, 0, 200, FRAMING_LENGTH, 3, true},
    {"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", false, 0, 200, FRAMING_LENGTH, 3, true},
    {"HTTP/1.1 200 OK\r\n\r\n", false, 0, 200, FRAMING_CLOSE, 0, false},
    {"HTTP/1.0 200 OK\r\n\r\n", false, 0, 200, FRAMING_CLOSE, 0, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", false, 0, 200, FRAMING_LENGTH, 3, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", false, 0, 200,
     FRAMING_LENGTH, 3, true},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", false, 0, 200, FRAMING_CLOSE, 0, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, 200, FRAMING_CHUNKED, 0,
     true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", false, 0, 200,
     FRAMING_CHUNKED, 0, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, 0, 200, FRAMING_NONE, 3, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 0, 200, FRAMING_NONE, 0, true},
    {"HTTP/1.1 200 OK\r\n\r\n", true, 0, 200, FRAMING_NONE, 0, true},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, 0, 204, FRAMING_NONE, 0, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 0, 204, FRAMING_NONE, 0, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false, 0, 204, FRAMING_NONE, 3, false},
    {"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, 204, FRAMING_NONE, 0, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", false, 0, 304, FRAMING_NONE, 3,
     true},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, 0, 100, FRAMING_NONE, 0, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false, 0, 103, FRAMING_NONE, 0, true},
    {"HTTP/1.1 999 \xc3\xa9\t!\r\nContent-Length: 1\r\n\r\n", false, 0, 999, FRAMING_LENGTH, 1,
     true},
    {"HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", false, 0,
     200, FRAMING_LENGTH, 1, true},
    {"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false,
     LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", false, LIMPET_ERR_SYNTAX,
     0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, LIMPET_ERR_UNSUPPORTED,
     0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0,
     0, 0},
    {"HTTP/2.0 200 OK\r\n\r\n", false, LIMPET_ERR_UNSUPPORTED, 0, 0, 0, 0},
    {"http/1.1 200 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/0.1 200 O\x01K\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 20 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 099 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 2000 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 +20 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1  200 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1\t200 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200\tOK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\nContent-Length: 3\n\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0,
     0, 0},
    {"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
    {"<html><body>hello</body></html>\r\n\r\n", false, LIMPET_ERR_SYNTAX, 0, 0, 0, 0},
};

static int parse_answer(const struct answer_case *c, size_t cut, bool bytewise,
                        struct message_head *head)
{
    size_t len = strlen(c->raw);
    size_t scanned = 0;
    int parsed = 0;
    memset(head, 0xA5, sizeof(*head));
    for (size_t have = bytewise ? 1 : cut; have <= len && parsed == 0;) {
        memcpy(storage, c->raw, have);
        parsed = message_parse_response(slice_of(storage, have), &scanned, c->to_head, head);
        have = bytewise ? have + 1 : (have < len ? len : len + 1);
    }
    return parsed;
}

static void every_answer_reads_the_same_at_every_split(void)
{
    static struct message_head head;
    for (size_t i = 0; i < sizeof(answer_cases) / sizeof(answer_cases[0]); i++) {
        const struct answer_case *c = &answer_cases[i];
        size_t len = strlen(c->raw);
        for (size_t cut = 0; cut <= len; cut++) {
            int parsed = parse_answer(c, cut, cut == 0, &head);
            bool same = CHECK_EQ_INT(parsed, c->err != 0 ? c->err : (int)len);
            if (c->err == 0) {
                same = CHECK_EQ_UINT(head.status, c->status) && same;
                same = CHECK_EQ_INT(head.framing, c->framing) && same;
                same = CHECK_EQ_UINT(head.content_length, c->length) && same;
                same = CHECK_EQ_INT(head.keep_alive, c->keep_alive) && same;
            }
            if (!same) {
                fprintf(stderr, "cut at %zu: %s\n", cut, c->raw);
            }
        }
    }
}

static void a_body_ends_with_its_connection_only_when_it_may(void)
{
    static struct message_head head;
    struct body_reader reader;
    struct slice data;
    head = (struct message_head){.framing = FRAMING_CLOSE};
    body_reader_init(&reader, &head);
    CHECK_EQ_INT(body_reader_next(&reader, SLICE_LIT("abc"), &data), 0);
    CHECK_EQ_UINT(data.len, 3);
    body_reader_take(&reader, 2);
    CHECK(!reader.done);
    CHECK_EQ_INT(body_reader_end(&reader), LIMPET_OK);
    CHECK(reader.done);
    CHECK_EQ_INT(body_reader_next(&reader, SLICE_LIT("abc"), &data), 0);
    CHECK_EQ_UINT(data.len, 0);
    head = (struct message_head){.framing = FRAMING_LENGTH, .content_length = 3};
    body_reader_init(&reader, &head);
    CHECK_EQ_INT(body_reader_next(&reader, SLICE_LIT("abcd"), &data), 0);
    CHECK_EQ_UINT(data.len, 3);
    body_reader_take(&reader, 2);
    CHECK_EQ_INT(body_reader_end(&reader), LIMPET_ERR_CLOSED);
    body_reader_take(&reader, 1);
    CHECK_EQ_INT(body_reader_end(&reader), LIMPET_OK);
    head = (struct message_head){.framing = FRAMING_NONE};
    body_reader_init(&reader, &head);
    CHECK(reader.done);
    CHECK_EQ_INT(body_reader_next(&reader, SLICE_LIT("abc"), &data), 0);
    CHECK_EQ_UINT(data.len, 0);
}

/* ---- Out --------------------------------------------------------------------------------------
 */

static void heads_are_written_without_what_could_split_them(void)
{
    char buf[200];
    struct out out;
    out_init(&out, buf, sizeof(buf));
    message_write_status_line(&out, 404);
    message_write_status_line(&out, 299);
    message_write_field(&out, SLICE_LIT("X"), SLICE_LIT("a\tb \xff"));
    message_write_field(&out, SLICE_LIT("Y"), SLICE_LIT("a\r\nSet-Cookie: b\0c\x7f"));
    message_write_field(&out, SLICE_LIT("Z"), SLICE_EMPTY);
    CHECK_EQ_INT(out_err(&out), LIMPET_OK);
    CHECK_EQ_TEXT(out_slice(&out).ptr, out_slice(&out).len,
                  "HTTP/1.1 404 Not Found\r\nHTTP/1.1 299 Status\r\nX: a\tb \xff\r\n"
                  "Y: aSet-Cookie: bc\r\nZ: \r\n");
    CHECK_EQ_STR(message_reason(100), "Continue");
    CHECK_EQ_STR(message_reason(200), "OK");
    CHECK_EQ_STR(message_reason(511), "Network Authentication Required");
    CHECK_EQ_STR(message_reason(0), "Status");
    CHECK_EQ_STR(message_reason(1000), "Status");
    for (unsigned status = 100; status < 1000; status++) {
        CHECK(message_reason(status)[0] >= 'A' && message_reason(status)[0] <= 'Z');
    }
}

int main(void)
{
    every_row_reads_the_same_at_every_split();
    every_accepted_row_is_needed_to_its_last_byte();
    every_byte_value_at_every_place();
    the_head_is_filled();
    keep_alive_follows_version_and_connection();
    continue_is_expected_with_a_body_in_http_1_1_only();
    hop_by_hop_fields_are_known();
    a_request_line_has_a_limit();
    a_head_has_a_limit();
    fields_are_counted();
    chunk_extensions_and_trailers_have_limits();
    every_answer_reads_the_same_at_every_split();
    a_body_ends_with_its_connection_only_when_it_may();
    heads_are_written_without_what_could_split_them();
    return check_result();
}
