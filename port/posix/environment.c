#include "environment.h"

#include "base/json.h"
#include "config/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX SLICE_LIT("KRAKEND_")
#define INSERT_LEN_MAX 8192u

/* The scalar key of the root that a variable means; NULL when there is none. */
static const struct key *key_of(struct slice name)
{
    char lower[KEY_NAME_LEN_MAX];
    struct slice rest = slice_skip(name, PREFIX.len);
    size_t count;
    if (rest.len > sizeof(lower)) {
        return NULL;
    }
    for (size_t i = 0; i < rest.len; i++) {
        lower[i] = (char)tolower((unsigned char)rest.ptr[i]);
    }
    int index = keys_find(SECTION_ROOT, slice_of(lower, rest.len));
    const struct key *key = index < 0 ? NULL : &keys_of(SECTION_ROOT, &count)[index];
    bool scalar = key != NULL && (key->type == KEY_STRING || key->type == KEY_BOOL ||
                                  key->type == KEY_NUMBER || key->type == KEY_DURATION);
    return scalar ? key : NULL;
}

void environment_read(struct environment *environment)
{
    environment->count = 0;
    for (char **at = environ; *at != NULL; at++) {
        struct slice text = slice_from_cstr(*at);
        struct slice name = slice_take(text, slice_find(text, '='));
        if (!slice_starts_with(name, PREFIX)) {
            continue;
        }
        const struct key *key = key_of(name);
        if (key == NULL || environment->count == ENVIRONMENT_MAX) {
            fprintf(stderr, "limpetd: %.*s has no effect: no string, number or boolean of the "
                            "configuration's root has this name\n",
                    (int)name.len, name.ptr);
            continue;
        }
        environment->entries[environment->count++] =
            (struct environment_entry){name, slice_skip(text, name.len + 1), key->name};
    }
}

/* Numbers and booleans as they stand; what is none becomes a string, which the loader refuses. */
static void write_value(struct out *out, const struct environment_entry *entry)
{
    struct json_error error;
    const struct key *key = key_of(entry->name);
    bool text = key->type == KEY_STRING || key->type == KEY_DURATION;
    bool plain = !text && json_check(entry->value, &error) > 0 &&
                 entry->value.ptr[0] != '"' && entry->value.ptr[0] != '{' &&
                 entry->value.ptr[0] != '[';
    if (plain) {
        out_put(out, entry->value);
    } else {
        out_json_string(out, entry->value);
    }
}

/* Members of that name become comments: the first letter of their keys is replaced. */
static bool disguise(char *text, struct slice root, const char *key)
{
    struct json_iter iter;
    struct json_member member;
    bool any = false;
    json_iter_init(&iter, root);
    while (json_iter_next(&iter, &member)) {
        any = true;
        if (json_string_equals(member.key, slice_from_cstr(key))) {
            text[member.key.ptr - text] = '_';
        }
    }
    return any;
}

bool environment_apply(const struct environment *environment, char *text, size_t *len, size_t size)
{
    char insert[INSERT_LEN_MAX];
    struct out out;
    struct slice root;
    struct json_error error;
    if (environment->count == 0 || json_check(slice_of(text, *len), &error) <= 0 ||
        json_scan(slice_of(text, *len), JSON_UTF8_STRICT, &root, &error) <= 0 ||
        root.ptr[0] != '{') {
        return true;
    }
    out_init(&out, insert, sizeof(insert));
    for (size_t i = 0; i < environment->count; i++) {
        const struct environment_entry *entry = &environment->entries[i];
        bool more = disguise(text, root, entry->key) || i > 0;
        out_text(&out, more ? "," : "");
        out_json_string(&out, slice_from_cstr(entry->key));
        out_char(&out, ':');
        write_value(&out, entry);
    }
    struct slice made = out_slice(&out);
    if (out_err(&out) != LIMPET_OK || made.len > size - *len) {
        return false;
    }
    char *at = text + (root.ptr - text) + root.len - 1;
    memmove(at + made.len, at, *len - (size_t)(at - text));
    memcpy(at, made.ptr, made.len);
    *len += made.len;
    return true;
}

struct config_finding environment_place(const struct environment *environment,
                                        const struct config_finding *finding)
{
    struct config_finding placed = *finding;
    for (size_t i = 0; i < environment->count; i++) {
        if (slice_equal(finding->path, slice_from_cstr(environment->entries[i].key))) {
            placed.line = 0;
            placed.column = 0;
            placed.path = environment->entries[i].name;
        }
    }
    return placed;
}
