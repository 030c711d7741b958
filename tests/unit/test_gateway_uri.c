#include "check.h"

#include "gateway/uri.h"

static char buf[4096];

static const char *text_of(struct out *out)
{
    CHECK(out_err(out) == LIMPET_OK);
    size_t len = out_slice(out).len;
    buf[len] = '\0';
    return buf;
}

static void test_escapes(void)
{
    static const struct {
        const char *raw;
        bool valid;
    } cases[] = {
        {"", true},    {"abc", true},  {"%41", true},   {"%4a%4A", true}, {"%", false},
        {"%4", false}, {"%4g", false}, {"%g4", false},  {"a%", false},    {"%%41", false},
        {"%25", true}, {"%2", false},  {"/%2F/", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(uri_escapes_valid(slice_from_cstr(cases[i].raw)) == cases[i].valid);
    }
    struct slice raw = SLICE_LIT("a%00%fF");
    CHECK_EQ_INT(uri_next_byte(&raw), 'a');
    CHECK_EQ_INT(uri_next_byte(&raw), 0);
    CHECK_EQ_INT(uri_next_byte(&raw), 255);
    CHECK_EQ_INT(uri_next_byte(&raw), -1);
}

static void test_equals(void)
{
    CHECK(uri_equals(SLICE_LIT("%6Fk"), SLICE_LIT("ok"), false));
    CHECK(!uri_equals(SLICE_LIT("OK"), SLICE_LIT("ok"), false));
    CHECK(uri_equals(SLICE_LIT("O%4B"), SLICE_LIT("ok"), true));
    CHECK(!uri_equals(SLICE_LIT("okk"), SLICE_LIT("ok"), true));
    CHECK(!uri_equals(SLICE_LIT("o"), SLICE_LIT("ok"), true));
    CHECK(uri_equals(SLICE_EMPTY, SLICE_EMPTY, false));
    CHECK(!uri_equals(SLICE_LIT("@"), SLICE_LIT("`"), true));
    CHECK(uri_contains(SLICE_LIT("a%3fb"), '?'));
    CHECK(!uri_contains(SLICE_LIT("a%3eb"), '?'));
    CHECK(!uri_contains(SLICE_EMPTY, 'x'));
}

static void test_write(void)
{
    struct out out;
    out_init(&out, buf, sizeof(buf));
    uri_write_segment(&out, SLICE_LIT("a%20b%2Fc&d=e;f+g%7e%C3%A9%22"));
    CHECK_EQ_STR(text_of(&out), "a%20b%2Fc&d=e;f+g~%C3%A9%22");
    out_init(&out, buf, sizeof(buf));
    uri_write_query_value(&out, SLICE_LIT("a%20b/c&d=e;f+g%23%3F,"));
    CHECK_EQ_STR(text_of(&out), "a%20b/c%26d%3De%3Bf%2Bg%23?,");
    out_init(&out, buf, sizeof(buf));
    uri_write_plain_path(&out, SLICE_LIT("/a b/%41?"));
    CHECK_EQ_STR(text_of(&out), "/a%20b/%2541%3F");
    out_init(&out, buf, sizeof(buf));
    uri_write_text(&out, SLICE_LIT("/a b?x=%41&y\x7f\xc3"));
    CHECK_EQ_STR(text_of(&out), "/a%20b?x=%41&y%7F%C3");
}

static void test_parse_location(void)
{
    static const struct {
        const char *value;
        int err;
        bool has_host, tls;
        unsigned port;
        const char *name, *authority, *rest;
    } cases[] = {
        {"/ok", 0, false, false, 0, "", "", "/ok"},
        {"ok?a=b:c#frag", 0, false, false, 0, "", "", "ok?a=b:c"},
        {"", 0, false, false, 0, "", "", ""},
        {"#x", 0, false, false, 0, "", "", ""},
        {"./a:b", 0, false, false, 0, "", "", "./a:b"},
        {"http://h/x", 0, true, false, 80, "h", "h", "/x"},
        {"HTTPS://h.example:444?q", 0, true, true, 444, "h.example", "h.example:444", "?q"},
        {"//10.0.0.1:99", 0, true, false, 99, "10.0.0.1", "10.0.0.1:99", ""},
        {"ftp://h/", LIMPET_ERR_UNSUPPORTED, 0, 0, 0, "", "", ""},
        {"javascript:alert(1)", LIMPET_ERR_UNSUPPORTED, 0, 0, 0, "", "", ""},
        {"http://u:p@h/", LIMPET_ERR_UNSUPPORTED, 0, 0, 0, "", "", ""},
        {"http://[::1]/", LIMPET_ERR_UNSUPPORTED, 0, 0, 0, "", "", ""},
        {"http:/x", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http:///x", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http://h:0/", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http://h:65536/", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http://h:/", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http://a b/", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
        {"http://a\\b/", LIMPET_ERR_SYNTAX, 0, 0, 0, "", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri_location got;
        int err = uri_parse_location(slice_from_cstr(cases[i].value), false, &got);
        CHECK_EQ_INT(err, cases[i].err);
        if (err != LIMPET_OK) {
            continue;
        }
        CHECK(got.has_host == cases[i].has_host && got.tls == cases[i].tls);
        CHECK(!got.has_host || got.port == cases[i].port);
        CHECK(slice_equal(got.name, slice_from_cstr(cases[i].name)));
        CHECK(slice_equal(got.authority, slice_from_cstr(cases[i].authority)));
        CHECK(slice_equal(got.rest, slice_from_cstr(cases[i].rest)));
    }
    struct uri_location got;
    CHECK(uri_parse_location(SLICE_LIT("//h/"), true, &got) == LIMPET_OK);
    CHECK(got.tls && got.port == 443);
    CHECK(uri_parse_location(SLICE_LIT("/x"), true, &got) == LIMPET_OK && got.tls);
}

/* RFC 3986 section 5.4, as far as paths and queries of the same scheme go. */
static void test_targets(void)
{
    static const struct {
        const char *base, *location, *want;
    } cases[] = {
        {"/b/c/d;p?q", "g", "/b/c/g"},
        {"/b/c/d;p?q", "./g", "/b/c/g"},
        {"/b/c/d;p?q", "g/", "/b/c/g/"},
        {"/b/c/d;p?q", "/g", "/g"},
        {"/b/c/d;p?q", "?y", "/b/c/d;p?y"},
        {"/b/c/d;p?q", "g?y", "/b/c/g?y"},
        {"/b/c/d;p?q", "g#s", "/b/c/g"},
        {"/b/c/d;p?q", "", "/b/c/d;p?q"},
        {"/b/c/d;p?q", ".", "/b/c/"},
        {"/b/c/d;p?q", "..", "/b/"},
        {"/b/c/d;p?q", "../g", "/b/g"},
        {"/b/c/d;p?q", "../..", "/"},
        {"/b/c/d;p?q", "../../../../g", "/g"},
        {"/b/c/d;p?q", "/./g", "/g"},
        {"/b/c/d;p?q", "/../g", "/g"},
        {"/b/c/d;p?q", "g.", "/b/c/g."},
        {"/b/c/d;p?q", "..g", "/b/c/..g"},
        {"/b/c/d;p?q", "./../g", "/b/g"},
        {"/b/c/d;p?q", "g/./h", "/b/c/g/h"},
        {"/b/c/d;p?q", "g/../h", "/b/c/h"},
        {"/b/c/d;p?q", "g?y/./x", "/b/c/g?y/./x"},
        {"/b/c/d;p?q", "http://h", "/"},
        {"/b/c/d;p?q", "http://h?z", "/?z"},
        {"/b/c/d;p?q", "http://h/a/../b c", "/b%20c"},
        {"/x", "y\x80", "/y%80"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri_location location;
        CHECK(uri_parse_location(slice_from_cstr(cases[i].location), false, &location) == 0);
        struct out out;
        out_init(&out, buf, sizeof(buf));
        uri_write_target(&out, slice_from_cstr(cases[i].base), &location);
        CHECK_EQ_STR(text_of(&out), cases[i].want);
        /* No room at each size: an error, never a byte behind the end. */
        for (size_t size = 0; size < strlen(cases[i].want); size++) {
            buf[size] = 'X';
            out_init(&out, buf, size);
            uri_write_target(&out, slice_from_cstr(cases[i].base), &location);
            CHECK(out_err(&out) == LIMPET_ERR_FULL && buf[size] == 'X');
        }
    }
}

int main(void)
{
    test_escapes();
    test_equals();
    test_write();
    test_parse_location();
    test_targets();
    return check_result();
}
