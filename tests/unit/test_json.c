/* The JSON scanner: conformance (json_cases.c), each text cut at every byte, error places and
 * texts, walking, and strings. */
#include "base/json.h"

#include "check.h"
#include "json_cases.h"

#include <stdlib.h>

static struct slice s(const char *text)
{
    return slice_from_cstr(text);
}

/* A copy in a block of its exact size, so that the sanitizer sees a read behind the end. */
static struct slice exact_copy(struct slice text)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    CHECK(copy != NULL);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return slice_of(copy, text.len);
}

static void drop_copy(struct slice text)
{
    free((void *)(uintptr_t)text.ptr);
}

/* ---- Grammar -------------------------------------------------------------------------------- */

static void valid_texts_are_accepted(void)
{
    for (size_t i = 0; i < json_valid_count; i++) {
        struct slice text = exact_copy(json_valid[i]);
        struct json_error error = {0, NULL};
        int used = json_check(text, &error);
        if (!CHECK(used > 0 && (size_t)used <= text.len)) {
            fprintf(stderr, "    valid text %zu: %s at %zu\n", i, error.text, error.offset);
        }
        struct slice value;
        CHECK_EQ_INT(json_scan(text, JSON_UTF8_REPLACE, &value, NULL), used);
        CHECK(value.ptr + value.len == text.ptr + used);
        CHECK(json_type_of(value) != JSON_NONE);
        drop_copy(text);
    }
}

static void invalid_texts_are_refused(void)
{
    for (size_t i = 0; i < json_invalid_count; i++) {
        struct slice text = exact_copy(json_invalid[i]);
        struct json_error error = {SIZE_MAX, NULL};
        int used = json_check(text, &error);
        if (!CHECK_EQ_INT(used, LIMPET_ERR_SYNTAX)) {
            fprintf(stderr, "    invalid text %zu\n", i);
        }
        CHECK(error.text != NULL && error.offset <= text.len);
        drop_copy(text);
    }
}

/* Does the text end in a number, whose beginning may be a number too? */
static bool is_number(struct slice value)
{
    return json_type_of(value) == JSON_NUMBER;
}

/* Every beginning of a valid text is refused at its end, until the value is complete. */
static void a_text_cut_anywhere_is_refused_at_its_end(void)
{
    for (size_t i = 0; i < json_valid_count; i++) {
        struct slice value;
        int used = json_scan(json_valid[i], JSON_UTF8_STRICT, &value, NULL);
        for (size_t len = 0; len < json_valid[i].len; len++) {
            struct slice text = exact_copy(slice_take(json_valid[i], len));
            struct json_error error = {SIZE_MAX, NULL};
            int got = json_check(text, &error);
            if (len >= (size_t)used) {
                CHECK_EQ_INT(got, used);
            } else if (got > 0) {
                CHECK(is_number(value));
            } else {
                CHECK_EQ_INT(got, LIMPET_ERR_SYNTAX);
                CHECK_EQ_UINT(error.offset, len);
            }
            drop_copy(text);
        }
    }
}

/* What follows the first complete value is not looked at by json_scan. */
static void scanning_stops_behind_the_value(void)
{
    struct slice value;
    CHECK_EQ_INT(json_scan(s(" {\"a\":1} x"), JSON_UTF8_STRICT, &value, NULL), 8);
    CHECK(slice_equal(value, s("{\"a\":1}")));
    CHECK_EQ_INT(json_scan(s("[]]"), JSON_UTF8_STRICT, &value, NULL), 2);
    CHECK_EQ_INT(json_scan(s("12 13"), JSON_UTF8_STRICT, &value, NULL), 2);
    CHECK_EQ_INT(json_scan(s("\"a\"\""), JSON_UTF8_STRICT, &value, NULL), 3);
}

static void nest(char *text, size_t depth, bool objects)
{
    char *at = text;
    for (size_t i = 0; i < depth; i++) {
        const char *open = objects && i % 2 == 1 ? "{\"k\":" : "[";
        at = strcpy(at, open) + strlen(open);
    }
    *at++ = '1';
    for (size_t i = depth; i > 0; i--) {
        *at++ = objects && i % 2 == 0 ? '}' : ']';
    }
    *at = '\0';
}

static void depth_is_bounded(void)
{
    static char text[8 * LIMPET_JSON_DEPTH_MAX + 64];
    for (size_t depth = 0; depth <= LIMPET_JSON_DEPTH_MAX + 2; depth++) {
        for (int objects = 0; objects < 2; objects++) {
            nest(text, depth, objects != 0);
            struct json_error error = {0, NULL};
            int got = json_check(s(text), &error);
            bool fits = depth <= LIMPET_JSON_DEPTH_MAX;
            CHECK_EQ_INT(got, fits ? (int)strlen(text) : LIMPET_ERR_DEPTH);
            CHECK(fits || strchr("[{", text[error.offset]) != NULL);
            CHECK(fits || objects != 0 || error.offset == LIMPET_JSON_DEPTH_MAX);
        }
    }
    struct slice value; /* brackets that close make room again */
    CHECK(json_scan(s("[[],[],[[]],[{}],[{\"a\":[]},{\"b\":{}}]]"), JSON_UTF8_STRICT, &value,
                    NULL) > 0);
}

static void errors_name_place_and_expectation(void)
{
    static const struct {
        const char *text;
        size_t offset;
        const char *what;
    } cases[] = {
        {"", 0, "expected a value, found the end of the text"},
        {"  ", 2, "expected a value, found the end of the text"},
        {"\xEF\xBB\xBF{}", 0, "byte order mark in front of the value"},
        {"[1 2]", 3, "expected ',' or ']' after an array element"},
        {"{\"a\":1 \"b\":2}", 7, "expected ',' or '}' after an object member"},
        {"[1}", 2, "expected ',' or ']' after an array element"},
        {"{\"a\":1]", 6, "expected ',' or '}' after an object member"},
        {"[1,]", 3, "expected a value after ',' in an array"},
        {"{\"a\":1,}", 7, "expected a key in double quotes after ',' in an object"},
        {"{a:1}", 1, "expected a key in double quotes or '}' after '{'"},
        {"{\"a\" 1}", 5, "expected ':' after a key"},
        {"{\"a\":}", 5, "expected a value after ':'"},
        {"[,1]", 1, "expected a value or ']' after '['"},
        {"[1", 2, "expected ',' or ']' after an array element, found the end of the text"},
        {"{\"a", 3, "expected '\"' at the end of a string, found the end of the text"},
        {"[1, // one\n2]", 4, "comments are not allowed"},
        {"/* x */ 1", 0, "comments are not allowed"},
        {"[01]", 2, "no digit may follow a leading 0"},
        {"[-x]", 2, "expected a digit after '-'"},
        {"[1.]", 3, "expected a digit after '.'"},
        {"[1e+]", 4, "expected a digit in the exponent"},
        {"[trux]", 4, "expected 'true'"},
        {"[nul", 4, "expected 'null'"},
        {"[\"a\nb\"]", 3, "control character in a string, expected an escape"},
        {"[\"\\x41\"]", 3, "expected one of \" \\ / b f n r t u after '\\'"},
        {"[\"\\u00g0\"]", 6, "expected four hex digits after '\\u'"},
        {"[\"ab\xFF\"]", 4, "invalid UTF-8 in a string"},
        {"{} {}", 3, "bytes after the value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_error error = {SIZE_MAX, NULL};
        CHECK_EQ_INT(json_check(s(cases[i].text), &error), LIMPET_ERR_SYNTAX);
        CHECK_EQ_STR(error.text, cases[i].what);
        CHECK_EQ_UINT(error.offset, cases[i].offset);
    }
}

/* All sequences of one and two bytes above 0x7F, and three and four at the borders, against the
 * table of RFC 3629. */
static bool well_formed(const unsigned char *b, size_t len)
{
    bool tail = true;
    for (size_t i = 1; i < len; i++) {
        tail = tail && (b[i] & 0xC0) == 0x80;
    }
    if (len == 1 || !tail) {
        return len == 1 && b[0] < 0x80;
    }
    unsigned rune = len == 2 ? b[0] & 0x1Fu : (len == 3 ? b[0] & 0x0Fu : b[0] & 0x07u);
    unsigned lead = len == 2 ? 0xC0 : (len == 3 ? 0xE0 : 0xF0);
    unsigned mask = len == 2 ? 0xE0 : (len == 3 ? 0xF0 : 0xF8);
    static const unsigned first[5] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 1; i < len; i++) {
        rune = rune << 6 | (b[i] & 0x3Fu);
    }
    return (b[0] & mask) == lead && rune >= first[len] && rune <= 0x10FFFF &&
           (rune < 0xD800 || rune > 0xDFFF);
}

static void check_sequence(const unsigned char *bytes, size_t len)
{
    char text[8] = {'"'};
    memcpy(text + 1, bytes, len);
    text[1 + len] = '"';
    struct slice whole = slice_of(text, len + 2);
    bool good = well_formed(bytes, len);
    struct json_error error = {0, NULL};
    CHECK_EQ_INT(json_check(whole, &error), good ? (int)len + 2 : LIMPET_ERR_SYNTAX);
    CHECK(good || error.offset == 1);
    struct slice value;
    CHECK_EQ_INT(json_scan(whole, JSON_UTF8_REPLACE, &value, NULL), (int)len + 2);
}

static void utf8_is_checked_strictly(void)
{
    static const unsigned char edges[] = {0x41, 0x7F, 0x80, 0x8F, 0x90,
                                          0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    size_t n = sizeof(edges);
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        unsigned char b[4] = {(unsigned char)lead};
        check_sequence(b, 1);
        for (unsigned second = 0x80; second < 0x100; second++) {
            b[1] = (unsigned char)second;
            check_sequence(b, 2);
        }
        for (size_t i = 0; lead >= 0xE0 && i < n * n * n; i++) {
            b[1] = edges[i % n];
            b[2] = edges[i / n % n];
            b[3] = edges[i / n / n];
            if (lead < 0xF0) {
                check_sequence(b, 3);
            } else {
                check_sequence(b, 4);
            }
        }
    }
}

/* ---- Walking -------------------------------------------------------------------------------- */

static void types_are_told_by_the_first_byte(void)
{
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {
        {"", JSON_NONE},       {"null", JSON_NULL}, {"true", JSON_TRUE},
        {"false", JSON_FALSE}, {"-1", JSON_NUMBER}, {"0", JSON_NUMBER},
        {"\"\"", JSON_STRING}, {"[]", JSON_ARRAY},  {"{}", JSON_OBJECT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(json_type_of(s(cases[i].text)) == cases[i].type);
    }
}

static void members_come_in_order_without_their_insides(void)
{
    struct slice value;
    struct json_iter iter;
    struct json_member m;
    CHECK(
        json_scan(
            s(" { \"a\" : [1, {\"x\":\"]}\"}] ,\n\"b\\\"\":-1.5e3,\"\":\"\\\\\", \"d\" : null } "),
            JSON_UTF8_STRICT, &value, NULL) > 0);
    static const char *const want[][2] = {
        {"a", "[1, {\"x\":\"]}\"}]"}, {"b\\\"", "-1.5e3"}, {"", "\"\\\\\""}, {"d", "null"}};
    json_iter_init(&iter, value);
    for (size_t i = 0; i < 4; i++) {
        CHECK(json_iter_next(&iter, &m));
        CHECK_EQ_TEXT(m.key.ptr, m.key.len, want[i][0]);
        CHECK_EQ_TEXT(m.value.ptr, m.value.len, want[i][1]);
    }
    CHECK(!json_iter_next(&iter, &m));
    CHECK(!json_iter_next(&iter, &m));
}

static void elements_come_in_order(void)
{
    struct json_iter iter;
    struct json_member m;
    static const char *const want[] = {"1", "[ ]", "\",\"", "{\"a\":{}}", "true"};
    json_iter_init(&iter, s("[1 , [ ],\",\",{\"a\":{}}\t,true\n]"));
    for (size_t i = 0; i < 5; i++) {
        CHECK(json_iter_next(&iter, &m));
        CHECK_EQ_UINT(m.key.len, 0);
        CHECK_EQ_TEXT(m.value.ptr, m.value.len, want[i]);
    }
    CHECK(!json_iter_next(&iter, &m));
    json_iter_init(&iter, s("[ ]"));
    CHECK(!json_iter_next(&iter, &m));
    json_iter_init(&iter, s("{ }"));
    CHECK(!json_iter_next(&iter, &m));
}

/* Each member of each valid container is itself a value that the scanner takes whole. */
static void members_of_valid_texts_are_values(void)
{
    for (size_t i = 0; i < json_valid_count; i++) {
        struct slice value;
        CHECK(json_scan(json_valid[i], JSON_UTF8_STRICT, &value, NULL) > 0);
        enum json_type type = json_type_of(value);
        if (type != JSON_ARRAY && type != JSON_OBJECT) {
            continue;
        }
        struct json_iter iter;
        struct json_member m;
        json_iter_init(&iter, value);
        while (json_iter_next(&iter, &m)) {
            struct slice inner;
            CHECK_EQ_INT(json_scan(m.value, JSON_UTF8_STRICT, &inner, NULL), (int)m.value.len);
            CHECK(slice_equal(inner, m.value));
        }
    }
}

/* ---- Strings -------------------------------------------------------------------------------- */

struct string_case {
    struct slice raw;
    struct slice plain;
};

#define T(literal)                                                                                 \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct string_case strings[] = {
    {T(""), T("")},
    {T("abc"), T("abc")},
    {T("\\u0061bc"), T("abc")},
    {T("a\\u0062c"), T("abc")},
    {T("\\\"\\\\\\/\\b\\f\\n\\r\\t"), T("\"\\/\b\f\n\r\t")},
    {T("\\u0000x"), T("\0x")},
    {T("\\u00e9\\u20AC"), T("\xC3\xA9\xE2\x82\xAC")},
    {T("\xC3\xA9\xE2\x82\xAC"), T("\xC3\xA9\xE2\x82\xAC")},
    {T("\\uD83D\\uDE00"), T("\xF0\x9F\x98\x80")},
    {T("\\uDBFF\\uDFFF"), T("\xF4\x8F\xBF\xBF")},
    {T("\\uD800\\uDC00"), T("\xF0\x90\x80\x80")},
    /* Surrogates alone, the wrong way round, and high, then a pair. */
    {T("\\uD800"), T("\xEF\xBF\xBD")},
    {T("\\uDC00"), T("\xEF\xBF\xBD")},
    {T("\\uDE00\\uD83D"), T("\xEF\xBF\xBD\xEF\xBF\xBD")},
    {T("\\uD83D\\uD83D\\uDE00"), T("\xEF\xBF\xBD\xF0\x9F\x98\x80")},
    {T("\\uD800\\u0041"), T("\xEF\xBF\xBD\x41")},
    {T("\\uD800\\n"), T("\xEF\xBF\xBD\n")},
    {T("\\uD800x"), T("\xEF\xBF\xBDx")},
    {T("\\uFFFF\\uFFFD"), T("\xEF\xBF\xBF\xEF\xBF\xBD")},
    /* Invalid UTF-8: one U+FFFD a byte. */
    {T("\xFF"), T("\xEF\xBF\xBD")},
    {T("a\xE2\x82"), T("a\xEF\xBF\xBD\xEF\xBF\xBD")},
    {T("\xC0\x80z"), T("\xEF\xBF\xBD\xEF\xBF\xBDz")},
    {T("\xED\xA0\x80"), T("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")},
};
#define STRING_COUNT (sizeof(strings) / sizeof(strings[0]))

static void unescaping_decodes(void)
{
    for (size_t i = 0; i < STRING_COUNT; i++) {
        struct slice raw = exact_copy(strings[i].raw);
        char buf[64];
        for (size_t size = 0; size <= strings[i].plain.len + 1; size++) {
            struct out out;
            out_init(&out, buf, size);
            json_unescape(&out, raw);
            struct slice want = slice_take(strings[i].plain, size);
            CHECK_EQ_MEM(out_slice(&out).ptr, out_slice(&out).len, want.ptr, want.len);
            CHECK((out_err(&out) == LIMPET_OK) == (size >= strings[i].plain.len));
        }
        drop_copy(raw);
    }
}

static void equality_is_that_of_the_unescaped_text(void)
{
    for (size_t i = 0; i < STRING_COUNT; i++) {
        for (size_t k = 0; k < STRING_COUNT; k++) {
            bool want = slice_equal(strings[i].plain, strings[k].plain);
            CHECK(json_string_equals(strings[i].raw, strings[k].plain) == want);
        }
        for (size_t len = 0; len < strings[i].plain.len; len++) {
            CHECK(!json_string_equals(strings[i].raw, slice_take(strings[i].plain, len)));
        }
    }
    CHECK(!json_string_equals(s("abc"), s("abcd")));
    CHECK(!json_string_equals(s("ab\\u0063d"), s("abcx")));
    /* Raw bytes that are the same but invalid are not the same text. */
    CHECK(!json_string_equals(s("\xFF"), s("\xFF")));
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void order_is_that_of_the_unescaped_text(void)
{
    for (size_t i = 0; i < STRING_COUNT; i++) {
        for (size_t k = 0; k < STRING_COUNT; k++) {
            int want = sign(slice_compare(strings[i].plain, strings[k].plain));
            struct slice a = exact_copy(strings[i].raw);
            struct slice b = exact_copy(strings[k].raw);
            CHECK_EQ_INT(sign(json_string_compare(a, b)), want);
            drop_copy(a);
            drop_copy(b);
        }
    }
    CHECK(json_string_compare(s("ab"), s("a\\u0063")) < 0);
    CHECK(json_string_compare(s("ab"), s("a")) > 0);
    CHECK(json_string_compare(s("a"), s("\\u0061b")) < 0);
}

/* Runs of plain bytes are skipped eight at a time: each byte at each place of each length, in
 * strings that are read, walked and written. */
static void every_byte_at_every_place(void)
{
    char text[32];
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t len = 1; len <= 18; len++) {
            for (size_t place = 0; place < len; place++) {
                memset(text, 'x', sizeof(text));
                text[0] = '"';
                text[1 + place] = (char)byte;
                text[1 + len] = '"';
                struct slice value;
                struct json_error error;
                int got = json_scan(slice_of(text, len + 2), JSON_UTF8_REPLACE, &value, &error);
                bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
                CHECK(got == (int)len + 2 ? plain : byte == '"' || (!plain && got < 0));
                CHECK(byte != '"' || got == (int)place + 2);
                CHECK(byte >= 0x20 || error.offset == place + 1);
            }
        }
    }
}

/* What out_json_escaped writes, json_unescape reads back: each byte and each rune. */
static void escaping_and_unescaping_are_inverse(void)
{
    for (uint32_t rune = 0; rune < 0x3000; rune++) {
        char plain[4] = {(char)rune};
        size_t len = 1;
        if (rune >= 0x80) {
            len = rune < 0x800 ? 2 : 3;
            plain[0] = (char)(rune < 0x800 ? 0xC0 | rune >> 6 : 0xE0 | rune >> 12);
            plain[1] = (char)(0x80 | (rune < 0x800 ? rune & 0x3F : (rune >> 6 & 0x3F)));
            plain[2] = (char)(0x80 | (rune & 0x3F));
        }
        for (int html = 0; html < 2; html++) {
            char buf[16];
            char back[16];
            struct out out;
            struct out back_out;
            out_init(&out, buf, sizeof(buf));
            out_init(&back_out, back, sizeof(back));
            out_json_escaped(&out, slice_of(plain, len), html != 0);
            json_unescape(&back_out, out_slice(&out));
            CHECK_EQ_MEM(back, out_slice(&back_out).len, plain, len);
            CHECK(json_string_equals(out_slice(&out), slice_of(plain, len)));
        }
    }
}

/* ---- Places --------------------------------------------------------------------------------- */

static void place_is(const char *text, size_t offset, uint32_t line, uint32_t column)
{
    struct json_place place = json_place_of(s(text), offset);
    CHECK_EQ_UINT(place.line, line);
    CHECK_EQ_UINT(place.column, column);
}

static void places_count_lines_and_characters(void)
{
    place_is("", 0, 1, 1);
    place_is("", 9, 1, 1);
    place_is("ab\ncd", 0, 1, 1);
    place_is("ab\ncd", 1, 1, 2);
    place_is("ab\ncd", 2, 1, 3);
    place_is("ab\ncd", 3, 2, 1);
    place_is("ab\ncd", 5, 2, 3);
    place_is("ab\ncd", 99, 2, 3);
    place_is("\r\n\n x", 4, 3, 2);
    place_is("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x", 9, 1, 4);
    place_is("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x", 6, 1, 3); /* inside: the character's own */
    place_is("\xFF\xFFx", 2, 1, 3);
    place_is("\xE2\x82", 2, 1, 3);
}

int main(void)
{
    valid_texts_are_accepted();
    invalid_texts_are_refused();
    a_text_cut_anywhere_is_refused_at_its_end();
    scanning_stops_behind_the_value();
    depth_is_bounded();
    errors_name_place_and_expectation();
    utf8_is_checked_strictly();
    types_are_told_by_the_first_byte();
    members_come_in_order_without_their_insides();
    elements_come_in_order();
    members_of_valid_texts_are_values();
    unescaping_decodes();
    equality_is_that_of_the_unescaped_text();
    order_is_that_of_the_unescaped_text();
    every_byte_at_every_place();
    escaping_and_unescaping_are_inverse();
    places_count_lines_and_characters();
    return check_result();
}
