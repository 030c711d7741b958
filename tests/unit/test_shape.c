#include "check.h"

#include "gateway/shape.h"

#include "base/json.h"

#include <stdlib.h>

static struct shape_scratch scratch;
static char bytes[1u << 20];

static int shape(const char *text, size_t len, size_t size, struct shape_result *result)
{
    memcpy(bytes, text, len);
    return shape_object(&scratch, bytes, len, size, result);
}

static const struct {
    const char *body;
    const char *want; /* NULL: refused */
    bool empty;
} values[] = {
    {"{\"a\":1,\"b\":{\"c\":[1,2,3]}}", "{\"a\":1,\"b\":{\"c\":[1,2,3]}}", false},
    {" \t\r\n{ \"a\" : 1 , \"b\" : [ ] }\n", "{\"a\":1,\"b\":[]}", false},
    {"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}", false},
    {"{\"a b\":\" x \\\" y \"}", "{\"a b\":\" x \\\" y \"}", false},
    {"{\"s\":\"a\\\\\"}", "{\"s\":\"a\\\\\"}", false},
    {"{\"n\":1.50,\"i\":12345678901234567890,\"e\":1E+2,\"z\":-0}",
     "{\"n\":1.50,\"i\":12345678901234567890,\"e\":1E+2,\"z\":-0}", false},
    {"{\"u\":\"\\u00e9\\ud83d\\ude00\"}", "{\"u\":\"\\u00e9\\ud83d\\ude00\"}", false},
    {"{\"u\":\"\xc3\xa9&<>\"}", "{\"u\":\"\xc3\xa9&<>\"}", false},
    {"{}", "{}", true},
    {" { } ", "{}", true},
    {"null", "null", true},
    {" null x", "null", true},
    /* Bytes after the first complete value. */
    {"{\"a\":1}garbage", "{\"a\":1}", false},
    {"{}{\"a\":1}", "{}", true},
    /* The last of equal keys stays, in its place. */
    {"{\"a\":1,\"a\":2}", "{\"a\":2}", false},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}", false},
    {"{\"a\":1,\"b\":2,\"a\":3,\"b\":4,\"c\":5}", "{\"a\":3,\"b\":4,\"c\":5}", false},
    {"{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":2}", false},
    {"{\"\\u0061\":1,\"x\":{},\"a\":[1, 2]}", "{\"x\":{},\"a\":[1,2]}", false},
    {"{\"\":1,\"\":2}", "{\"\":2}", false},
    {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "{\"\xf0\x9f\x98\x80\":2}", false},
    {"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}", false},
    {"{\"a\":1,\"aa\":2,\"a\":3}", "{\"aa\":2,\"a\":3}", false},
    /* Deeper levels are copied as they stand. */
    {"{\"o\":{\"a\":1, \"a\":2}}", "{\"o\":{\"a\":1,\"a\":2}}", false},
    /* Invalid UTF-8, one U+FFFD a byte; two such keys are equal. */
    {"{\"u\":\"\xff\"}", "{\"u\":\"\xef\xbf\xbd\"}", false},
    {"{\"u\":\"\xe2\x82\"}", "{\"u\":\"\xef\xbf\xbd\xef\xbf\xbd\"}", false},
    {"{\"\xff\":1,\"\xfe\":2}", "{\"\xef\xbf\xbd\":2}", false},
    {"{\"\\ud800\":1,\"\xfe\":2}", "{\"\xef\xbf\xbd\":2}", false},
    {"", NULL, false},
    {"  ", NULL, false},
    {"hello", NULL, false},
    {"[1,2]", NULL, false},
    {"[]", NULL, false},
    {"\"x\"", NULL, false},
    {"1", NULL, false},
    {"true", NULL, false},
    {"nul", NULL, false},
    {"{\"a\":1", NULL, false},
    {"{\"a\":01}", NULL, false},
    {"{\"a\":1,}", NULL, false},
    {"{a:1}", NULL, false},
    {"\xef\xbb\xbf{}", NULL, false},
};

static void test_values(void)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct shape_result result;
        int err = shape(values[i].body, strlen(values[i].body), sizeof(bytes), &result);
        if (values[i].want == NULL) {
            CHECK_EQ_INT(err, LIMPET_ERR_SYNTAX);
            CHECK(result.error != NULL);
            continue;
        }
        CHECK_EQ_INT(err, LIMPET_OK);
        CHECK_EQ_TEXT(bytes, result.len, values[i].want);
        CHECK(result.empty == values[i].empty);
        /* Shaping what was shaped changes nothing. */
        err = shape(values[i].want, strlen(values[i].want), sizeof(bytes), &result);
        CHECK_EQ_INT(err, LIMPET_OK);
        CHECK_EQ_TEXT(bytes, result.len, values[i].want);
    }
}

/* A body cut at any byte is refused, never shown in part. */
static void test_cut_bodies(void)
{
    static const char body[] = "{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\xc3\xa9\",\"d\":-1.5e3}";
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        struct shape_result result;
        CHECK_EQ_INT(shape(body, len, sizeof(bytes), &result), LIMPET_ERR_SYNTAX);
        CHECK_EQ_UINT(result.error_at, len);
    }
}

static void test_depth(void)
{
    char body[2 * LIMPET_JSON_DEPTH_MAX + 16];
    for (size_t depth = 1; depth <= LIMPET_JSON_DEPTH_MAX; depth++) {
        size_t len = 0;
        memcpy(body, "{\"a\":", 5);
        len = 5;
        memset(body + len, '[', depth);
        len += depth;
        memset(body + len, ']', depth);
        len += depth;
        body[len++] = '}';
        struct shape_result result;
        int want = depth < LIMPET_JSON_DEPTH_MAX ? LIMPET_OK : LIMPET_ERR_DEPTH;
        CHECK_EQ_INT(shape(body, len, sizeof(bytes), &result), want);
    }
}

/* Replacing needs two bytes more for each bad one: exactly enough is enough. */
static void test_room(void)
{
    static const char body[] = "{ \"k\" : \"\xff.\xfe\" }";
    static const char want[] = "{\"k\":\"\xef\xbf\xbd.\xef\xbf\xbd\"}";
    for (size_t size = sizeof(body) - 1; size < 40; size++) {
        struct shape_result result;
        bytes[size] = 'X';
        int err = shape(body, sizeof(body) - 1, size, &result);
        CHECK_EQ_INT(err, size >= sizeof(want) - 1 ? LIMPET_OK : LIMPET_ERR_TOO_LONG);
        CHECK(bytes[size] == 'X');
        if (err == LIMPET_OK) {
            CHECK_EQ_TEXT(bytes, result.len, want);
        }
    }
}

static size_t write_members(char *to, size_t count, unsigned distinct)
{
    size_t len = 0;
    to[len++] = '{';
    for (size_t i = 0; i < count; i++) {
        len += (size_t)sprintf(to + len, "%s\"k%u\":%zu", i > 0 ? "," : "",
                               (unsigned)(i * 7919u % distinct), i);
    }
    to[len++] = '}';
    return len;
}

static void test_many_keys(void)
{
    static char body[1u << 19];
    static const unsigned distinct_counts[] = {1, 2, 3, 100, 997, 4096, 60000};
    for (size_t i = 0; i < sizeof(distinct_counts) / sizeof(distinct_counts[0]); i++) {
        unsigned distinct = distinct_counts[i];
        const size_t count = 5000;
        size_t len = write_members(body, count, distinct);
        struct shape_result result;
        CHECK_EQ_INT(shape(body, len, sizeof(bytes), &result), LIMPET_OK);
        struct json_iter iter;
        struct json_member member;
        json_iter_init(&iter, slice_of(bytes, result.len));
        size_t members = 0;
        long last = -1;
        while (json_iter_next(&iter, &member)) {
            long value = strtol(member.value.ptr, NULL, 10);
            long key = strtol(member.key.ptr + 1, NULL, 10);
            CHECK(value > last && value * 7919L % (long)distinct == key);
            CHECK(value + (long)distinct >= (long)count); /* the last one of its key */
            last = value;
            members++;
        }
        CHECK_EQ_UINT(members, distinct < count ? distinct : count);
    }
    size_t len = write_members(body, LIMPET_JSON_KEYS_MAX, 1u << 20);
    struct shape_result result;
    CHECK_EQ_INT(shape(body, len, sizeof(bytes), &result), LIMPET_OK);
    len = write_members(body, LIMPET_JSON_KEYS_MAX + 1, 1u << 20);
    CHECK_EQ_INT(shape(body, len, sizeof(bytes), &result), LIMPET_ERR_TOO_LONG);
}

int main(void)
{
    test_values();
    test_cut_bodies();
    test_depth();
    test_room();
    test_many_keys();
    return check_result();
}
