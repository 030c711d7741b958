#include "config/place.h"

#include "base/json.h"

#include <assert.h>

static bool step_into(struct slice *value, const char *at, struct out *path);
static void write_key(struct out *path, struct slice key, bool first);

void place_path(struct out *path, struct slice text, const char *at)
{
    assert(at >= text.ptr && at <= text.ptr + text.len);
    struct slice value;
    struct json_error error;
    if (json_scan(text, JSON_UTF8_STRICT, &value, &error) <= 0) {
        return;
    }
    /* Each turn goes one level down; the scanner has bounded the levels. */
    while (at > value.ptr && step_into(&value, at, path)) {
    }
}

/* Writes the step to the member that holds `at`. True when `at` is in its value: `value` is it
 * then. */
static bool step_into(struct slice *value, const char *at, struct out *path)
{
    enum json_type type = json_type_of(*value);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        return false;
    }
    bool first = path->used == 0;
    struct json_iter iter;
    struct json_member member;
    json_iter_init(&iter, *value);
    for (uint64_t index = 0; json_iter_next(&iter, &member); index++) {
        const char *begin = type == JSON_OBJECT ? member.key.ptr - 1 : member.value.ptr;
        if (at < begin || at >= member.value.ptr + member.value.len) {
            continue;
        }
        if (type == JSON_OBJECT) {
            write_key(path, member.key, first);
        } else {
            out_char(path, '[');
            out_u64(path, index);
            out_char(path, ']');
        }
        *value = member.value;
        return at >= member.value.ptr;
    }
    return false;
}

static bool reads_well(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           slice_find(SLICE_LIT("_-/@$#"), c) < 6;
}

/* `key` is raw: its escapes are good inside quotes too. */
static void write_key(struct out *path, struct slice key, bool first)
{
    bool plain = key.len > 0;
    for (size_t i = 0; i < key.len; i++) {
        plain = plain && reads_well(key.ptr[i]);
    }
    if (plain) {
        out_text(path, first ? "" : ".");
        out_put(path, key);
        return;
    }
    out_text(path, "[\"");
    out_put(path, key);
    out_text(path, "\"]");
}
