/* The writer: the same bytes in every form and buffer size, each failure at every byte, and
 * formats. */
#include "base/out.h"

#include "check.h"

#include <math.h>

#define TEXT_LEN_MAX 4096

/* A sink that takes `limit` bytes and then fails. */
struct fake_sink {
    char bytes[TEXT_LEN_MAX];
    size_t len;
    size_t limit;
    size_t calls;
    size_t calls_after_error;
    bool failed;
};

static int fake_flush(void *ctx, const char *bytes, size_t len)
{
    struct fake_sink *sink = ctx;
    CHECK(len > 0);
    sink->calls++;
    sink->calls_after_error += sink->failed;
    if (len > sink->limit - sink->len) {
        sink->failed = true;
        return LIMPET_ERR_IO;
    }
    memcpy(sink->bytes + sink->len, bytes, len);
    sink->len += len;
    return LIMPET_OK;
}

/* Something of everything, with pieces of 1 to 60 bytes. */
static void compose(struct out *out)
{
    out_text(out, "{\"");
    out_json_escaped(out, SLICE_LIT("a\n<b>\xFF\xE2\x80\xA8"), true);
    out_text(out, "\":");
    out_u64(out, UINT64_MAX);
    out_char(out, ',');
    out_i64(out, INT64_MIN);
    out_put(out, SLICE_LIT("one piece that is longer than the smaller buffers of this test"));
    out_double(out, -271189.1947795856, 6);
    out_hex(out, 0xBEEF, 8);
    out_u64_pad(out, 7, 3);
    out_json_string(out, SLICE_LIT("\"q\""));
    out_put(out, SLICE_EMPTY);
    out_text(out, "");
    out_duration_ms(out, 90500);
}

static const char composed[] =
    "{\"a\\n\\u003cb\\u003e\xEF\xBF\xBD\\u2028\":18446744073709551615,-9223372036854775808"
    "one piece that is longer than the smaller buffers of this test-271189.1947795856"
    "0000beef007\"\\\"q\\\"\"1m30.5s";
#define COMPOSED_LEN (sizeof(composed) - 1)

static void a_buffer_of_any_size_holds_the_beginning(void)
{
    char buf[COMPOSED_LEN + 2];
    for (size_t size = 0; size <= COMPOSED_LEN + 1; size++) {
        struct out out;
        memset(buf, '#', sizeof(buf));
        out_init(&out, size == 0 ? NULL : buf, size);
        compose(&out);
        size_t want = size < COMPOSED_LEN ? size : COMPOSED_LEN;
        CHECK_EQ_INT(out_err(&out), size < COMPOSED_LEN ? LIMPET_ERR_FULL : LIMPET_OK);
        CHECK_EQ_INT(out_finish(&out), out_err(&out));
        CHECK_EQ_MEM(out_slice(&out).ptr, out_slice(&out).len, composed, want);
        CHECK_EQ_UINT(out.total, want);
        CHECK(buf[size] == '#');
    }
}

static void after_the_first_error_nothing_is_written(void)
{
    char buf[4];
    struct out out;
    out_init(&out, buf, sizeof(buf));
    out_text(&out, "abc");
    out_text(&out, "de");
    CHECK_EQ_INT(out_err(&out), LIMPET_ERR_FULL);
    compose(&out);
    CHECK_EQ_TEXT(out_slice(&out).ptr, out_slice(&out).len, "abcd");
    out_rewind(&out, 1);
    CHECK_EQ_INT(out_err(&out), LIMPET_OK);
    out_text(&out, "xyz");
    CHECK_EQ_TEXT(out_slice(&out).ptr, out_slice(&out).len, "axyz");
    CHECK_EQ_INT(out_err(&out), LIMPET_OK);
    CHECK_EQ_UINT(out.total, 4);
}

static void counting_counts_the_same(void)
{
    struct out out;
    out_init_count(&out);
    compose(&out);
    CHECK_EQ_INT(out_err(&out), LIMPET_OK);
    CHECK_EQ_INT(out_finish(&out), LIMPET_OK);
    CHECK_EQ_UINT(out.total, COMPOSED_LEN);
    CHECK_EQ_UINT(out_slice(&out).len, 0);
}

static void flushing_passes_all_with_any_staging_size(void)
{
    char buf[COMPOSED_LEN + 1];
    for (size_t size = 0; size <= sizeof(buf); size++) {
        static struct fake_sink sink;
        memset(&sink, 0, sizeof(sink));
        sink.limit = TEXT_LEN_MAX;
        struct out out;
        out_init_flush(&out, size == 0 ? NULL : buf, size, fake_flush, &sink);
        compose(&out);
        CHECK_EQ_UINT(out.total, COMPOSED_LEN);
        CHECK_EQ_INT(out_finish(&out), LIMPET_OK);
        CHECK_EQ_MEM(sink.bytes, sink.len, composed, COMPOSED_LEN);
        CHECK_EQ_UINT(out_slice(&out).len, 0);
        CHECK_EQ_INT(out_finish(&out), LIMPET_OK);
        CHECK(size <= COMPOSED_LEN || sink.calls == 1);
    }
}

/* The sink fails at byte k, for all k and a few staging sizes: sticky, and never asked again. */
static void a_failing_sink_is_left_alone(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 61, 62, 63, 64, 200};
    char buf[200];
    for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        for (size_t limit = 0; limit < COMPOSED_LEN; limit++) {
            static struct fake_sink sink;
            memset(&sink, 0, sizeof(sink));
            sink.limit = limit;
            struct out out;
            out_init_flush(&out, buf, sizes[n], fake_flush, &sink);
            compose(&out);
            compose(&out);
            CHECK_EQ_INT(out_finish(&out), LIMPET_ERR_IO);
            CHECK_EQ_INT(out_err(&out), LIMPET_ERR_IO);
            CHECK_EQ_UINT(sink.calls_after_error, 0);
            CHECK_EQ_MEM(sink.bytes, sink.len, composed, sink.len);
        }
    }
}

/* ---- Formats
 * ------------------------------------------------------------------------------------ */

static char text_buf[TEXT_LEN_MAX];
static struct out text_out;

static struct out *begin(void)
{
    memset(text_buf, 0, sizeof(text_buf));
    out_init(&text_out, text_buf, sizeof(text_buf) - 1);
    return &text_out;
}

static void integers(void)
{
    char want[64];
    uint64_t v = 1;
    for (int digits = 1; digits <= 20; digits++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t n = v + (uint64_t)(int64_t)step;
            snprintf(want, sizeof(want), "%ju", (uintmax_t)n);
            out_u64(begin(), n);
            CHECK_EQ_STR(text_buf, want);
            snprintf(want, sizeof(want), "%jd", (intmax_t)n);
            out_i64(begin(), (int64_t)n);
            CHECK_EQ_STR(text_buf, want);
            snprintf(want, sizeof(want), "%010ju", (uintmax_t)n);
            out_u64_pad(begin(), n, 10);
            CHECK_EQ_STR(text_buf, want);
            snprintf(want, sizeof(want), "%06jx", (uintmax_t)n);
            out_hex(begin(), n, 6);
            CHECK_EQ_STR(text_buf, want);
        }
        v *= 10;
    }
    out_u64_pad(begin(), 0, 0);
    CHECK_EQ_STR(text_buf, "0");
    out_u64_pad(begin(), 5, 25);
    CHECK_EQ_STR(text_buf, "0000000000000000000000005");
    out_hex(begin(), UINT64_MAX, 1);
    CHECK_EQ_STR(text_buf, "ffffffffffffffff");
    out_u64(begin(), UINT64_C(4294967296));
    CHECK_EQ_STR(text_buf, "4294967296");
    out_u64(begin(), UINT64_C(10000000000000001));
    CHECK_EQ_STR(text_buf, "10000000000000001");
}

static void doubles_as_go_writes_them(void)
{
    static const struct {
        double v;
        const char *exp6;
        const char *exp21;
    } cases[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {-1, "-1", "-1"},
        {25, "25", "25"},
        {0.5, "0.5", "0.5"},
        {0.1, "0.1", "0.1"},
        {944421, "944421", "944421"},
        {999999, "999999", "999999"},
        {1e6, "1e+06", "1000000"},
        {1482322, "1.482322e+06", "1482322"},
        {624369.5, "624369.5", "624369.5"},
        {271189.1947795856, "271189.1947795856", "271189.1947795856"},
        {1234567.8, "1.2345678e+06", "1234567.8"},
        {100, "100", "100"},
        {123000, "123000", "123000"},
        {0.0001, "0.0001", "0.0001"},
        {0.00012345, "0.00012345", "0.00012345"},
        {0.00001, "1e-05", "1e-05"},
        {0.000012345, "1.2345e-05", "1.2345e-05"},
        {1e20, "1e+20", "100000000000000000000"},
        {123456789012345680000.0, "1.2345678901234568e+20", "123456789012345680000"},
        {1e21, "1e+21", "1e+21"},
        {1e22, "1e+22", "1e+22"},
        {1e23, "1e+23", "1e+23"},
        {1e100, "1e+100", "1e+100"},
        {9007199254740991.0, "9.007199254740991e+15", "9007199254740991"},
        {9007199254740992.0, "9.007199254740992e+15", "9007199254740992"},
        {9007199254740994.0, "9.007199254740994e+15", "9007199254740994"},
        {2251799813685248.5, "2.2517998136852485e+15", "2251799813685248.5"},
        {18446744073709551616.0, "1.8446744073709552e+19", "18446744073709552000"},
        {5e-324, "5e-324", "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308", "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {-1.5e-7, "-1.5e-07", "-1.5e-07"},
        {1.0 / 3, "0.3333333333333333", "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666", "0.6666666666666666"},
        {NAN, "0", "0"},
        {-NAN, "0", "0"},
        {INFINITY, "0", "0"},
        {-INFINITY, "0", "0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out_double(begin(), cases[i].v, 6);
        CHECK_EQ_STR(text_buf, cases[i].exp6);
        out_double(begin(), cases[i].v, 21);
        CHECK_EQ_STR(text_buf, cases[i].exp21);
    }
    out_double(begin(), 12, 1);
    CHECK_EQ_STR(text_buf, "1.2e+01");
}

static void escaped(const char *in, size_t len, const char *plain, const char *html)
{
    out_json_escaped(begin(), slice_of(in, len), false);
    CHECK_EQ_STR(text_buf, plain);
    out_json_escaped(begin(), slice_of(in, len), true);
    CHECK_EQ_STR(text_buf, html);
}

static void json_strings(void)
{
    escaped("", 0, "", "");
    escaped("plain", 5, "plain", "plain");
    escaped("\"\\/", 3, "\\\"\\\\/", "\\\"\\\\/");
    escaped("\n\r\t", 3, "\\n\\r\\t", "\\n\\r\\t");
    escaped("\0\x01\x1F\x7F", 4, "\\u0000\\u0001\\u001f\x7F", "\\u0000\\u0001\\u001f\x7F");
    escaped("\b\f", 2, "\\u0008\\u000c", "\\u0008\\u000c");
    escaped("a<b>&c", 6, "a<b>&c", "a\\u003cb\\u003e\\u0026c");
    escaped("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
            "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    escaped("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA", 12,
            "\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA",
            "\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA");
    /* Overlong, surrogate, beyond U+10FFFF, cut: one U+FFFD a byte. */
    escaped("\xC0\xAF", 2, "\xEF\xBF\xBD\xEF\xBF\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD");
    escaped("\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    escaped("\xF4\x90\x80\x80", 4, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    escaped("x\xE2\x82", 3, "x\xEF\xBF\xBD\xEF\xBF\xBD", "x\xEF\xBF\xBD\xEF\xBF\xBD");
    out_json_string(begin(), SLICE_EMPTY);
    CHECK_EQ_STR(text_buf, "\"\"");
}

/* Eight bytes are looked at together: each byte at each place of each length. */
static void json_strings_with_each_byte_at_each_place(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char one[8] = {0};
        char c = (char)byte;
        out_json_escaped(begin(), slice_of(&c, 1), false);
        memcpy(one, text_buf, strlen(text_buf));
        for (size_t len = 1; len <= 18; len++) {
            for (size_t place = 0; place < len; place++) {
                char text[32];
                char want[64];
                memset(text, 'x', sizeof(text));
                text[place] = c;
                snprintf(want, sizeof(want), "%.*s%s%.*s", (int)place, "xxxxxxxxxxxxxxxxxx", one,
                         (int)(len - place - 1), "xxxxxxxxxxxxxxxxxx");
                out_json_escaped(begin(), slice_of(text, len), false);
                CHECK_EQ_STR(text_buf, want);
            }
        }
    }
}

static void durations(void)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ms"},
        {999, "999ms"},
        {1000, "1s"},
        {1500, "1.5s"},
        {1050, "1.05s"},
        {1005, "1.005s"},
        {59999, "59.999s"},
        {60000, "1m0s"},
        {90000, "1m30s"},
        {90010, "1m30.01s"},
        {3600000, "1h0m0s"},
        {3661000, "1h1m1s"},
        {86400000, "24h0m0s"},
        {UINT64_MAX, "5124095576030h25m51.615s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out_duration_ms(begin(), cases[i].ms);
        CHECK_EQ_STR(text_buf, cases[i].text);
    }
}

int main(void)
{
    a_buffer_of_any_size_holds_the_beginning();
    after_the_first_error_nothing_is_written();
    counting_counts_the_same();
    flushing_passes_all_with_any_staging_size();
    a_failing_sink_is_left_alone();
    integers();
    doubles_as_go_writes_them();
    json_strings();
    json_strings_with_each_byte_at_each_place();
    durations();
    return check_result();
}
