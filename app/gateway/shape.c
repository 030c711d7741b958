#include "gateway/shape.h"

#include "base/byte.h"
#include "base/json.h"
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

static int fail(struct shape_result *result, int err, const char *text, size_t at)
{
    result->error = text;
    result->error_at = at;
    return err;
}

/* ---- White space and UTF-8 --------------------------------------------------------------------
 */

/* Behind the closing quote of the string that begins at `at`. The value was scanned: there is one.
 */
static const char *string_end(const char *at)
{
    for (at++; *at != '"'; at++) {
        at += *at == '\\';
    }
    return at + 1;
}

/* Moves the tokens of `value` to bytes[0..) without white space between them; returns their length.
 */
static size_t squeeze(char *bytes, struct slice value)
{
    size_t to = 0;
    const char *at = value.ptr;
    const char *end = value.ptr + value.len;
    while (at < end) {
        if (byte_is(*at, BYTE_SPACE)) {
            at++;
            continue;
        }
        const char *run = at;
        while (at < end && !byte_is(*at, BYTE_SPACE)) {
            at = *at == '"' ? string_end(at) : at + 1;
        }
        memmove(bytes + to, run, (size_t)(at - run));
        to += (size_t)(at - run);
    }
    return to;
}

/* How many bytes start no well-formed sequence. */
static size_t count_bad_utf8(struct slice text)
{
    size_t bad = 0;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end;) {
        int len = (unsigned char)*at < 0x80 ? 1 : utf8_len(at, end);
        bad += len <= 0;
        at += len > 0 ? len : 1;
    }
    return bad;
}

/* Writes U+FFFD for each bad byte. The text moves to the end of its new space first, so that
 * writing never overtakes reading. */
static int replace_bad_utf8(char *bytes, size_t *len, size_t size)
{
    const size_t growth = sizeof(UTF8_REPLACEMENT) - 2; /* 3 bytes for 1 */
    size_t bad = count_bad_utf8(slice_of(bytes, *len));
    if (bad == 0) {
        return LIMPET_OK;
    }
    if (bad > (size - *len) / growth) {
        return LIMPET_ERR_TOO_LONG;
    }
    const char *at = bytes + bad * growth;
    const char *end = at + *len;
    memmove(bytes + bad * growth, bytes, *len);
    *len += bad * growth;
    while (at < end) {
        int run = utf8_len(at, end);
        const char *from = run > 0 ? at : UTF8_REPLACEMENT;
        size_t run_len = run > 0 ? (size_t)run : sizeof(UTF8_REPLACEMENT) - 1;
        memmove(bytes, from, run_len);
        bytes += run_len;
        at += run > 0 ? run : 1;
    }
    return LIMPET_OK;
}

/* ---- Equal keys -------------------------------------------------------------------------------
 */

/* The raw key whose opening quote stands at `offset`. */
static struct slice key_at(const char *bytes, uint32_t offset)
{
    const char *quote = bytes + offset;
    return slice_of(quote + 1, (size_t)(string_end(quote) - quote) - 2);
}

typedef bool (*before_fn)(const char *bytes, uint32_t a, uint32_t b);

/* By key; equal ones by place, so that the last comes last. */
static bool key_before(const char *bytes, uint32_t a, uint32_t b)
{
    int order = json_string_compare(key_at(bytes, a), key_at(bytes, b));
    return order != 0 ? order < 0 : a < b;
}

static bool place_before(const char *bytes, uint32_t a, uint32_t b)
{
    (void)bytes;
    return a < b;
}

static void sift_down(const char *bytes, uint32_t *keys, size_t at, size_t count, before_fn before)
{
    uint32_t key = keys[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && before(bytes, keys[child], keys[child + 1])) {
            child++;
        }
        if (!before(bytes, key, keys[child])) {
            break;
        }
        keys[at] = keys[child];
        at = child;
    }
    keys[at] = key;
}

/* Heap sort: n log n whatever the keys are, no recursion, no memory. */
static void sort_keys(const char *bytes, uint32_t *keys, size_t count, before_fn before)
{
    for (size_t i = count / 2; i > 0; i--) {
        sift_down(bytes, keys, i - 1, count, before);
    }
    for (size_t last = count; last > 1; last--) {
        uint32_t largest = keys[0];
        keys[0] = keys[last - 1];
        keys[last - 1] = largest;
        sift_down(bytes, keys, 0, last - 1, before);
    }
}

/* Leaves those members in keys[0..) that a later equal one replaces, in their order; returns how
 * many. */
static size_t find_replaced(const char *bytes, uint32_t *keys, size_t count)
{
    sort_keys(bytes, keys, count, key_before);
    size_t replaced = 0;
    for (size_t i = 1; i < count; i++) {
        struct slice key = key_at(bytes, keys[i - 1]);
        if (json_string_compare(key, key_at(bytes, keys[i])) == 0) {
            keys[replaced++] = keys[i - 1];
        }
    }
    sort_keys(bytes, keys, replaced, place_before);
    return replaced;
}

/* Takes the members at keys[0..count) out of the squeezed object; returns its new length. */
static size_t remove_members(char *bytes, size_t len, const uint32_t *keys, size_t count)
{
    struct json_iter iter;
    struct json_member member;
    json_iter_init(&iter, slice_of(bytes, len));
    size_t to = 1;
    size_t removed = 0;
    while (json_iter_next(&iter, &member)) {
        const char *from = member.key.ptr - 1;
        if (removed < count && from == bytes + keys[removed]) {
            removed++;
            continue;
        }
        if (to > 1) {
            bytes[to++] = ',';
        }
        size_t member_len = (size_t)(member.value.ptr + member.value.len - from);
        memmove(bytes + to, from, member_len);
        to += member_len;
    }
    assert(removed == count);
    bytes[to++] = '}';
    return to;
}

static int keep_last_of_equal_keys(struct shape_scratch *scratch, char *bytes, size_t *len)
{
    struct json_iter iter;
    struct json_member member;
    json_iter_init(&iter, slice_of(bytes, *len));
    size_t count = 0;
    while (json_iter_next(&iter, &member)) {
        if (count == LIMPET_JSON_KEYS_MAX) {
            return LIMPET_ERR_TOO_LONG;
        }
        scratch->keys[count++] = (uint32_t)(member.key.ptr - 1 - bytes);
    }
    size_t replaced = find_replaced(bytes, scratch->keys, count);
    if (replaced > 0) {
        *len = remove_members(bytes, *len, scratch->keys, replaced);
    }
    return LIMPET_OK;
}

/* ---- The whole --------------------------------------------------------------------------------
 */

int shape_object(struct shape_scratch *scratch, char *bytes, size_t len, size_t size,
                 struct shape_result *result)
{
    assert(len <= size);
    *result = (struct shape_result){0};
    struct slice value;
    struct json_error error;
    int used = json_scan(slice_of(bytes, len), JSON_UTF8_REPLACE, &value, &error);
    if (used < 0) {
        return fail(result, used, error.text, error.offset);
    }
    enum json_type type = json_type_of(value);
    if (type != JSON_OBJECT && type != JSON_NULL) {
        return fail(result, LIMPET_ERR_SYNTAX, "expected an object", 0);
    }
    result->len = squeeze(bytes, value);
    if (type == JSON_NULL) {
        result->empty = true;
        return LIMPET_OK;
    }
    if (replace_bad_utf8(bytes, &result->len, size) != LIMPET_OK) {
        return fail(result, LIMPET_ERR_TOO_LONG, "no room to replace invalid UTF-8", 0);
    }
    if (keep_last_of_equal_keys(scratch, bytes, &result->len) != LIMPET_OK) {
        return fail(result, LIMPET_ERR_TOO_LONG, "more keys than the limit", 0);
    }
    result->empty = result->len == 2;
    return LIMPET_OK;
}
