#include "gateway/shape.h"

#include "base/byte.h"
#include "base/json.h"
#include "gateway/shape_text.h"

#include <assert.h>
#include <string.h>

/* A body being shaped. */
struct shaping {
    struct keyset *set;
    const struct shape_rules *rules;
    char *bytes;
    size_t len;
    size_t size;
    struct slice top; /* the object that the rules are about; in bytes */
    bool blanked;     /* members of it were overwritten with blanks */
    struct shape_result *result;
};

static int decode(struct shaping *s);
static int apply(struct shaping *s);
static int look_into(struct shaping *s, struct slice object);
static struct slice find_target(const struct shaping *s);
static int filter(struct shaping *s);
static int emit(struct shaping *s);

static int fail(struct shape_result *result, int err, const char *text, size_t at)
{
    result->error = text;
    result->error_at = at;
    return err;
}

static int fail_long(struct shaping *s)
{
    return fail(s->result, LIMPET_ERR_TOO_LONG, "no room for the shaped body", 0);
}

int shape_body(struct shape_scratch *scratch, const struct shape_rules *rules, char *bytes,
               size_t len, size_t size, struct shape_result *result)
{
    assert(len <= size);
    *result = (struct shape_result){0};
    struct shaping s = {
        .set = &scratch->set,
        .rules = rules,
        .bytes = bytes,
        .len = len,
        .size = size,
        .result = result,
    };
    int err = decode(&s);
    if (err == LIMPET_OK) {
        err = apply(&s);
    }
    result->len = s.len;
    result->null = s.len == 4;
    result->empty = result->null || s.len == 2;
    return err;
}

int shape_object(struct shape_scratch *scratch, char *bytes, size_t len, size_t size,
                 struct shape_result *result)
{
    static const struct config_shape none;
    const struct shape_rules rules = {.shape = &none, .encoding = ENCODING_JSON};
    return shape_body(scratch, &rules, bytes, len, size, result);
}

/* ---- Decoding ---------------------------------------------------------------------------------
 */

/* What stands around the value so that it is an object. */
static int wrap_value(struct shaping *s, enum json_type type)
{
    enum encoding encoding = s->rules->encoding;
    bool list = encoding == ENCODING_JSON && s->rules->shape->is_collection;
    bool object = type == JSON_OBJECT || (type == JSON_NULL && encoding == ENCODING_JSON);
    struct slice prefix = SLICE_LIT("{\"collection\":");
    if (list && type != JSON_ARRAY && type != JSON_NULL) {
        return fail(s->result, LIMPET_ERR_SYNTAX, "expected a list", 0);
    }
    if (!list && object) {
        return LIMPET_OK;
    }
    if (!list && encoding == ENCODING_JSON) {
        return fail(s->result, LIMPET_ERR_SYNTAX, "expected an object", 0);
    }
    if (!list && type != JSON_ARRAY) {
        prefix = SLICE_LIT("{\"result\":");
    }
    int err = shape_text_wrap(s->bytes, &s->len, s->size, prefix, SLICE_LIT("}"));
    return err == LIMPET_OK ? err : fail_long(s);
}

static int decode_json(struct shaping *s)
{
    struct slice value;
    struct json_error error;
    int used = json_scan(slice_of(s->bytes, s->len), JSON_UTF8_REPLACE, &value, &error);
    if (used < 0) {
        return fail(s->result, used, error.text, error.offset);
    }
    enum json_type type = json_type_of(value);
    s->len = shape_text_tidy(s->bytes, value);
    if (shape_text_repair_utf8(s->bytes, &s->len, s->size) != LIMPET_OK) {
        return fail(s->result, LIMPET_ERR_TOO_LONG, "no room to replace invalid UTF-8", 0);
    }
    return wrap_value(s, type);
}

static int decode(struct shaping *s)
{
    if (s->rules->encoding != ENCODING_STRING) {
        return decode_json(s);
    }
    int err =
        shape_quote(s->bytes, &s->len, s->size, SLICE_LIT("{\"content\":\""), SLICE_LIT("\"}"));
    return err == LIMPET_OK ? err : fail_long(s);
}

/* ---- Rules ------------------------------------------------------------------------------------
 */

static int apply(struct shaping *s)
{
    const struct config_shape *shape = s->rules->shape;
    s->top = find_target(s);
    if (json_type_of(s->top) == JSON_OBJECT) {
        int err = shape->filter != 0 ? filter(s) : look_into(s, s->top);
        if (err != LIMPET_OK) {
            return err;
        }
    }
    return emit(s);
}

/* Of equal keys the last one stays. */
static int look_into(struct shaping *s, struct slice object)
{
    keyset_begin(s->set);
    if (keyset_add(s->set, s->bytes + (object.ptr - s->bytes), object.len) != LIMPET_OK) {
        return fail(s->result, LIMPET_ERR_TOO_LONG, "more keys than the limit", 0);
    }
    s->blanked = keyset_blank_replaced(s->set) > 0 || s->blanked;
    return LIMPET_OK;
}

/* The value of the last member of that name; empty when there is none. */
static struct slice find_last(struct slice object, struct slice name)
{
    struct json_iter iter;
    struct json_member member;
    struct slice found = SLICE_EMPTY;
    json_iter_init(&iter, object);
    while (json_iter_next(&iter, &member)) {
        if (json_string_equals(member.key, name)) {
            found = member.value;
        }
    }
    return found;
}

/* Without a target the whole body; an empty object where the path leads to no object. */
static struct slice find_target(const struct shaping *s)
{
    const struct config_names *path = &s->rules->shape->target;
    struct slice object = slice_of(s->bytes, s->len);
    for (uint16_t i = 0; i < path->count; i++) {
        object = json_type_of(object) == JSON_OBJECT
                     ? find_last(object, s->rules->config->names[path->first + i])
                     : SLICE_EMPTY;
    }
    bool found = path->count == 0 || json_type_of(object) == JSON_OBJECT;
    if (!found) {
        memcpy(s->bytes, "{}", 2); /* there are two bytes: it was an object or null */
        object = slice_of(s->bytes, 2);
    }
    return object;
}

/* ---- allow and deny ---------------------------------------------------------------------------
 */

struct level {
    struct json_iter iter;
    struct json_member member; /* that the level above it is in */
    uint16_t node;             /* its keys are the children of this node */
    bool keeps;                /* a member of it stays */
};

struct walk {
    struct level levels[LIMPET_JSON_DEPTH_MAX];
    size_t depth;
};

static uint16_t find_node(const struct config *config, uint16_t parent, struct slice key)
{
    uint16_t node = config->nodes[parent].child;
    while (node != 0 && !json_string_equals(key, config->nodes[node].name)) {
        node = config->nodes[node].next;
    }
    return node;
}

static int enter(struct shaping *s, struct walk *walk, struct slice object, uint16_t node)
{
    assert(walk->depth < LIMPET_JSON_DEPTH_MAX); /* it was scanned */
    struct level *level = &walk->levels[walk->depth++];
    level->node = node;
    level->keeps = false;
    json_iter_init(&level->iter, object);
    return look_into(s, object);
}

static void blank(struct shaping *s, const struct json_member *member)
{
    size_t from = (size_t)(member->key.ptr - 1 - s->bytes);
    size_t end = (size_t)(member->value.ptr + member->value.len - s->bytes);
    memset(s->bytes + from, ' ', end - from);
    s->blanked = true;
}

static void settle(struct shaping *s, struct level *level, bool stays)
{
    if (stays) {
        level->keeps = true;
    } else {
        blank(s, &level->member);
    }
}

/* Looks at the next member of the deepest level, or leaves that. */
static int walk_step(struct shaping *s, struct walk *walk)
{
    const struct config *config = s->rules->config;
    bool allows = s->rules->shape->allows;
    struct level *level = &walk->levels[walk->depth - 1];
    if (!json_iter_next(&level->iter, &level->member)) {
        walk->depth--;
        if (walk->depth > 0) {
            settle(s, level - 1, !allows || level->keeps);
        }
        return LIMPET_OK;
    }
    uint16_t node = find_node(config, level->node, level->member.key);
    if (node == 0 || config->nodes[node].child == 0) {
        settle(s, level, (node != 0) == allows);
        return LIMPET_OK;
    }
    if (json_type_of(level->member.value) == JSON_OBJECT) {
        return enter(s, walk, level->member.value, node);
    }
    settle(s, level, !allows);
    return LIMPET_OK;
}

static int filter(struct shaping *s)
{
    struct walk walk;
    walk.depth = 0;
    int err = enter(s, &walk, s->top, s->rules->shape->filter);
    while (err == LIMPET_OK && walk.depth > 0) {
        err = walk_step(s, &walk);
    }
    return err;
}

/* ---- mapping ----------------------------------------------------------------------------------
 */

/* The keys of mapping are in the scratch memory by rule: where the key stands that it renames;
 * NOWHERE = not in this body. */
#define NOWHERE ((keyset_offset)UINT32_MAX)

static struct slice mapping_name(const struct shaping *s, size_t rule, size_t side)
{
    return s->rules->config->names[s->rules->shape->mapping.first + 2 * rule + side];
}

static size_t mapping_count(const struct shaping *s)
{
    return s->rules->shape->mapping.count / 2u;
}

/* The rule that renames this member; mapping_count() when there is none. */
static size_t find_rule(const struct shaping *s, const struct json_member *member)
{
    size_t count = mapping_count(s);
    uint32_t at = (uint32_t)(member->key.ptr - 1 - s->bytes);
    for (size_t rule = 0; rule < count; rule++) {
        if (s->set->keys[rule] == at) {
            return rule;
        }
    }
    return count;
}

/* Does a rule from `first` on give some member this name? */
static bool is_taken(const struct shaping *s, size_t first, struct slice raw_key,
                     struct slice plain_key)
{
    for (size_t rule = first; rule < mapping_count(s); rule++) {
        struct slice to = mapping_name(s, rule, 1);
        bool same =
            raw_key.ptr != NULL ? json_string_equals(raw_key, to) : slice_equal(plain_key, to);
        if (same && s->set->keys[rule] != NOWHERE) {
            return true;
        }
    }
    return false;
}

/* A former name goes also if it is the new one: lura assigns, then deletes. */
static bool is_to_itself(const struct shaping *s, size_t rule)
{
    return slice_equal(mapping_name(s, rule, 0), mapping_name(s, rule, 1));
}

/* Finds what is renamed, and takes out what has the new name already: all rules at once, of two
 * with one new name the later one. */
static void prepare_mapping(struct shaping *s)
{
    struct json_iter iter;
    struct json_member member;
    size_t count = mapping_count(s);
    for (size_t rule = 0; rule < count; rule++) {
        s->set->keys[rule] = NOWHERE;
    }
    json_iter_init(&iter, s->top);
    while (json_iter_next(&iter, &member)) {
        for (size_t rule = 0; rule < count; rule++) {
            if (json_string_equals(member.key, mapping_name(s, rule, 0))) {
                s->set->keys[rule] = (keyset_offset)(member.key.ptr - 1 - s->bytes);
            }
        }
    }
    json_iter_init(&iter, s->top);
    while (json_iter_next(&iter, &member)) {
        size_t rule = find_rule(s, &member);
        bool out = rule < count ? is_to_itself(s, rule) ||
                                      is_taken(s, rule + 1, SLICE_EMPTY, mapping_name(s, rule, 1))
                                : is_taken(s, 0, member.key, SLICE_EMPTY);
        if (out) {
            blank(s, &member);
        }
    }
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

static size_t quoted_len(struct slice name)
{
    struct out out;
    out_init_count(&out);
    out_json_string(&out, name);
    return (size_t)out.total;
}

/* How much longer than the object its new text may be, at most. */
static size_t growth(const struct shaping *s)
{
    size_t bytes = 0;
    for (size_t rule = 0; rule < mapping_count(s); rule++) {
        bytes += quoted_len(mapping_name(s, rule, 1));
    }
    return bytes + (s->rules->shape->group.len > 0 ? quoted_len(s->rules->shape->group) + 3 : 0);
}

/* The members of `object`, some of them renamed, with braces. `shift`: how far they have moved
 * since prepare_mapping. */
static void write_members(struct shaping *s, struct slice object, size_t shift, struct out *out)
{
    struct json_iter iter;
    struct json_member member;
    bool first = true;
    out_char(out, '{');
    json_iter_init(&iter, object);
    while (json_iter_next(&iter, &member)) {
        struct json_member before = member;
        before.key.ptr -= shift;
        size_t rule = find_rule(s, &before);
        out_text(out, first ? "" : ",");
        first = false;
        if (rule < mapping_count(s)) {
            out_json_string(out, mapping_name(s, rule, 1));
        } else {
            size_t len = shape_text_tidy(out->buf + out->used,
                                         slice_of(member.key.ptr - 1, member.key.len + 2));
            out->used += len;
        }
        out_char(out, ':');
        out->used += shape_text_tidy(out->buf + out->used, member.value);
    }
    out_char(out, '}');
}

/* The object moves to the end of the buffer first, so that writing never overtakes reading. */
static int emit_longer(struct shaping *s)
{
    struct slice group = s->rules->shape->group;
    bool object = json_type_of(s->top) == JSON_OBJECT;
    if (growth(s) > s->size - s->top.len) {
        return fail_long(s);
    }
    struct out out;
    size_t from = (size_t)(s->top.ptr - s->bytes);
    size_t to = s->size - s->top.len;
    memmove(s->bytes + to, s->top.ptr, s->top.len);
    struct slice moved = slice_of(s->bytes + to, s->top.len);
    out_init(&out, s->bytes, s->size);
    if (group.len > 0) {
        out_char(&out, '{');
        out_json_string(&out, group);
        out_char(&out, ':');
    }
    if (object && mapping_count(s) > 0) {
        write_members(s, moved, to - from, &out);
    } else {
        out.used += shape_text_tidy(out.buf + out.used, moved);
    }
    out_text(&out, group.len > 0 ? "}" : "");
    s->len = out.used;
    assert(out_err(&out) == LIMPET_OK);
    return LIMPET_OK;
}

static int emit(struct shaping *s)
{
    bool object = json_type_of(s->top) == JSON_OBJECT;
    bool renames = object && mapping_count(s) > 0;
    if (renames) {
        if (mapping_count(s) > LIMPET_JSON_KEYS_MAX) {
            return fail_long(s);
        }
        prepare_mapping(s);
    }
    if (renames || s->rules->shape->group.len > 0) {
        return emit_longer(s);
    }
    if (s->blanked) {
        s->len = shape_text_tidy(s->bytes, s->top);
        return LIMPET_OK;
    }
    memmove(s->bytes, s->top.ptr, s->top.len);
    s->len = s->top.len;
    return LIMPET_OK;
}

/* ---- Merging ----------------------------------------------------------------------------------
 */

int shape_merge(struct shape_scratch *scratch, struct shape_part *parts, size_t count)
{
    struct keyset *set = &scratch->set;
    keyset_begin(set);
    for (size_t i = 0; i < count; i++) {
        if (keyset_add(set, parts[i].bytes, parts[i].len) != LIMPET_OK) {
            return LIMPET_ERR_TOO_LONG;
        }
    }
    if (keyset_blank_replaced(set) == 0) {
        return LIMPET_OK;
    }
    for (size_t i = 0; i < count; i++) {
        parts[i].len = shape_text_tidy(parts[i].bytes, slice_of(parts[i].bytes, parts[i].len));
    }
    return LIMPET_OK;
}

size_t shape_count_keys(struct slice object)
{
    struct json_iter iter;
    struct json_member member;
    size_t count = 0;
    json_iter_init(&iter, object);
    while (json_iter_next(&iter, &member)) {
        count++;
    }
    return count;
}
