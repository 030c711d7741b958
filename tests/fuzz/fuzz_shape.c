/* shape_body on any bytes, under some rules. Whatever they are, what is accepted is valid JSON
 * within the buffer; what was denied is not in it under any spelling. Without rules, what it
 * accepts is one squeezed JSON object (or null) with valid UTF-8 and no two equal keys at the top,
 * and shaping that again changes nothing. The buffer has no byte to spare. */
#include "base/json.h"
#include "gateway/shape.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct shape_scratch scratch;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_keys(struct slice object)
{
    struct json_iter outer;
    struct json_member member;
    json_iter_init(&outer, object);
    while (json_iter_next(&outer, &member)) {
        struct json_iter inner = outer;
        struct json_member later;
        while (json_iter_next(&inner, &later)) {
            check(json_string_compare(member.key, later.key) != 0);
        }
    }
}

static void check_result(char *bytes, size_t size, const struct shape_result *result)
{
    struct json_error error;
    struct slice shaped = slice_of(bytes, result->len);
    check(json_check(shaped, &error) == (int)shaped.len);
    check(result->empty == (shaped.len == 2 || shaped.ptr[0] == 'n'));
    if (json_type_of(shaped) == JSON_OBJECT) {
        check_keys(shaped);
    }
    char *again = malloc(size + 1);
    check(again != NULL);
    memcpy(again, bytes, result->len);
    struct shape_result second;
    check(shape_object(&scratch, again, result->len, size, &second) == LIMPET_OK);
    check(second.len == result->len && memcmp(again, bytes, second.len) == 0);
    free(again);
}

/* ---- Rules ------------------------------------------------------------------------------------
 */

static struct config config;

static uint16_t add_node(const char *name, uint16_t child, uint16_t next)
{
    uint16_t index = ++config.node_count;
    config.nodes[index] = (struct config_node){slice_from_cstr(name), child, next};
    return index;
}

static struct config_names add_names(const char *const *names, uint16_t count)
{
    struct config_names run = {config.name_count, count};
    for (uint16_t i = 0; i < count; i++) {
        config.names[config.name_count++] = slice_from_cstr(names[i]);
    }
    return run;
}

/* a, b.c: taken out or all that stays; then a few renamed, and a group. */
static void make_rules(struct config_shape *shape, uint8_t choice)
{
    static const char *const mapping[] = {"a", "d", "d", "a longer name \"\n", "", "a"};
    static const char *const target[] = {"b", "c"};
    config.node_count = 0;
    config.name_count = 0;
    *shape = (struct config_shape){.is_collection = (choice & 32) != 0};
    if ((choice & 1) != 0) {
        uint16_t c = add_node("c", 0, 0);
        uint16_t b = add_node("b", c, 0);
        uint16_t a = add_node("a", 0, b);
        shape->filter = add_node("", a, 0);
        shape->allows = (choice & 2) != 0;
    }
    if ((choice & 4) != 0) {
        shape->mapping = add_names(mapping, sizeof(mapping) / sizeof(mapping[0]));
    }
    if ((choice & 8) != 0) {
        shape->target = add_names(target, 2);
    }
    shape->group = (choice & 16) != 0 ? SLICE_LIT("g\"") : SLICE_EMPTY;
}

static void check_denied(struct slice object)
{
    struct json_iter outer;
    struct json_iter inner;
    struct json_member member;
    struct json_member below;
    json_iter_init(&outer, object);
    while (json_iter_next(&outer, &member)) {
        check(!json_string_equals(member.key, SLICE_LIT("a")));
        if (!json_string_equals(member.key, SLICE_LIT("b")) ||
            json_type_of(member.value) != JSON_OBJECT) {
            continue;
        }
        json_iter_init(&inner, member.value);
        while (json_iter_next(&inner, &below)) {
            check(!json_string_equals(below.key, SLICE_LIT("c")));
        }
    }
}

static void check_ruled(uint8_t choice, char *bytes, size_t len, size_t room)
{
    struct config_shape shape;
    struct shape_result result;
    struct json_error error;
    make_rules(&shape, choice);
    const struct shape_rules rules = {&config, &shape,
                                      (choice & 64) != 0    ? ENCODING_SAFE_JSON
                                      : (choice & 128) != 0 ? ENCODING_STRING
                                                            : ENCODING_JSON};
    if (shape_body(&scratch, &rules, bytes, len, room, &result) != LIMPET_OK) {
        check(result.error != NULL && result.error_at <= len);
        return;
    }
    check(result.len <= room);
    struct slice shaped = slice_of(bytes, result.len);
    check(json_check(shaped, &error) == (int)shaped.len);
    if (json_type_of(shaped) == JSON_OBJECT) {
        check_keys(shaped);
        if ((choice & (1 | 2 | 4 | 16)) == 1) {
            check_denied(shaped);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 8192) {
        return 0;
    }
    /* The first bytes: spare bytes of the buffer, for what is added; the rules. */
    size_t len = size - 2;
    size_t room = len + data[0];
    char *bytes = malloc(room + 1);
    check(bytes != NULL);
    memcpy(bytes, data + 2, len);
    struct shape_result result;
    if (data[1] != 0) {
        check_ruled(data[1], bytes, len, room);
    } else if (shape_object(&scratch, bytes, len, room, &result) == LIMPET_OK) {
        check(result.len <= room);
        check_result(bytes, room, &result);
    } else {
        check(result.error != NULL && result.error_at <= len);
    }
    free(bytes);
    return 0;
}
