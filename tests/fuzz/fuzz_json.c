/* Any bytes as JSON, against a guard page: the scanner, the walk over what it accepted, and strings
 * keep the promises of json.h. */
#define _GNU_SOURCE
#include "base/json.h"

#include "fuzz/guarded.h"

#include <stdio.h>

static struct guarded input;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}
#define MUST(cond) must((cond), #cond)

static int scan_at(const char *bytes, size_t len, enum json_utf8 utf8, struct slice *value)
{
    struct json_error error = {SIZE_MAX, NULL};
    int used = json_scan(slice_of(bytes, len), utf8, value, &error);
    if (used > 0) {
        MUST((size_t)used <= len);
        MUST(value->len > 0 && value->ptr + value->len == bytes + used);
        return used;
    }
    MUST(used == LIMPET_ERR_SYNTAX || used == LIMPET_ERR_DEPTH);
    MUST(error.offset <= len && error.text != NULL);
    struct json_place place = json_place_of(slice_of(bytes, len), error.offset);
    MUST(place.line >= 1 && place.column >= 1 && place.line + place.column <= len + 2);
    return used;
}

/* A string is itself when unescaped; escaped and unescaped again it stays the same. */
static void check_string(struct slice raw)
{
    size_t room = 3 * raw.len + 1; /* one bad byte becomes three */
    char *plain = malloc(room);
    char *raw_again = malloc(2 * room + 6 * raw.len);
    MUST(plain != NULL && raw_again != NULL);
    struct out plain_out;
    struct out again_out;
    out_init(&plain_out, plain, room);
    json_unescape(&plain_out, raw);
    MUST(out_err(&plain_out) == LIMPET_OK);
    MUST(json_string_equals(raw, out_slice(&plain_out)));
    MUST(json_string_compare(raw, raw) == 0);

    out_init(&again_out, raw_again, 2 * room + 6 * raw.len);
    out_json_escaped(&again_out, out_slice(&plain_out), (raw.len & 1) != 0);
    MUST(out_err(&again_out) == LIMPET_OK);
    MUST(json_string_equals(out_slice(&again_out), out_slice(&plain_out)));
    MUST(json_string_compare(out_slice(&again_out), raw) == 0);
    free(plain);
    free(raw_again);
}

/* The members in order, each a value of its own that ends inside of its container. */
static void check_members(struct slice container, enum json_utf8 utf8)
{
    struct json_iter iter;
    struct json_member member;
    const char *behind = container.ptr + 1;
    json_iter_init(&iter, container);
    while (json_iter_next(&iter, &member)) {
        struct slice value;
        MUST(member.value.ptr >= behind);
        behind = member.value.ptr + member.value.len;
        MUST(behind < container.ptr + container.len);
        MUST(scan_at(member.value.ptr, member.value.len, utf8, &value) == (int)member.value.len);
        check_string(member.key);
    }
}

static void check_value(struct slice value, enum json_utf8 utf8)
{
    switch (json_type_of(value)) {
    case JSON_STRING:
        check_string(slice_of(value.ptr + 1, value.len - 2));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        check_members(value, utf8);
        break;
    default:
        break;
    }
}

static void check(const char *bytes, size_t len, enum json_utf8 utf8)
{
    struct slice value;
    int used = scan_at(bytes, len, utf8, &value);
    if (used > 0) {
        struct slice again;
        check_value(value, utf8);
        MUST(scan_at(value.ptr, value.len, utf8, &again) == (int)value.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = guarded_copy(&input, data, size);
    check(bytes, size, JSON_UTF8_STRICT);
    check(bytes, size, JSON_UTF8_REPLACE);
    struct slice value;
    int used = json_scan(slice_of(bytes, size), JSON_UTF8_STRICT, &value, NULL);
    int whole = json_check(slice_of(bytes, size), NULL);
    MUST(whole == used || (used > 0 && whole == LIMPET_ERR_SYNTAX));
    /* What is fine strictly is fine tolerantly, and the same bytes. */
    MUST(used <= 0 || json_scan(slice_of(bytes, size), JSON_UTF8_REPLACE, &value, NULL) == used);
    return 0;
}
