/* Nodes and sections: one JSON object against one section of the table of keys. */
#include "base/num.h"
#include "config/loader.h"

#include <assert.h>
#include <string.h>

static void member_read(struct loader *l, enum section section, const struct node_member *member,
                        struct node *found);
static void report_unknown(struct loader *l, enum section section,
                           const struct node_member *member);
static void report_duplicate(struct loader *l, const struct key *key,
                             const struct node_member *member, struct node first);
static bool type_check(struct loader *l, const struct key *key, struct node node);
static void status_check(struct loader *l, const struct key *key, const struct node_member *member);

/* ---- Nodes --------------------------------------------------------------------------------- */

void node_iter_init(struct node_iter *iter, struct node container)
{
    assert(node_ok(container));
    json_iter_init(&iter->raw, container.raw);
    iter->next = container.item->child;
}

bool node_iter_next(struct node_iter *iter, struct node_member *member)
{
    struct json_member raw;
    bool more = json_iter_next(&iter->raw, &raw);
    assert(more == (iter->next != NULL)); /* the scanner and cJSON see the same members */
    if (!more) {
        return false;
    }
    member->node = (struct node){.item = iter->next, .raw = raw.value};
    member->name = slice_from_cstr(iter->next->string);
    member->name_at = iter->next->string == NULL ? NULL : raw.key.ptr - 1;
    iter->next = iter->next->next;
    return true;
}

bool node_ok(struct node node)
{
    return node.item != NULL;
}

bool node_given(struct node node)
{
    return node.raw.ptr != NULL;
}

size_t node_count(struct node list)
{
    size_t count = 0;
    for (const cJSON *item = list.item->child; item != NULL; item = item->next) {
        count++;
    }
    return count;
}

struct slice node_string(struct node node)
{
    assert(cJSON_IsString(node.item));
    assert(node.raw.len >= 2);
    struct slice inside = slice_of(node.raw.ptr + 1, node.raw.len - 2);
    bool verbatim = slice_find(inside, '\\') == inside.len;
    return verbatim ? inside : slice_from_cstr(node.item->valuestring);
}

bool node_true(struct node node)
{
    return node_ok(node) && cJSON_IsTrue(node.item);
}

/* ---- Sections ------------------------------------------------------------------------------ */

void section_read(struct loader *l, enum section section, struct node object, struct node *found,
                  size_t count)
{
    size_t key_count;
    keys_of(section, &key_count);
    assert(count == key_count);
    memset(found, 0, count * sizeof(*found));
    if (!node_ok(object)) {
        return;
    }
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, object);
    while (node_iter_next(&iter, &member)) {
        member_read(l, section, &member, found);
    }
}

static void member_read(struct loader *l, enum section section, const struct node_member *member,
                        struct node *found)
{
    if (keys_is_comment(member->name)) {
        return;
    }
    int index = keys_find(section, member->name);
    if (index < 0) {
        report_unknown(l, section, member);
        return;
    }
    size_t count;
    const struct key *key = &keys_of(section, &count)[index];
    if (node_given(found[index])) {
        report_duplicate(l, key, member, found[index]);
        return;
    }
    found[index] = member->node;
    if (!type_check(l, key, member->node)) {
        found[index].item = NULL;
        return;
    }
    status_check(l, key, member);
}

static void report_unknown(struct loader *l, enum section section, const struct node_member *member)
{
    struct out *out = loader_error_begin(l, member->name_at);
    out_text(out, "unknown key ");
    finding_quote(out, member->name);
    bool elsewhere = false;
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        if (keys_find((enum section)s, member->name) >= 0) {
            out_text(out, elsewhere ? ", " : " here; it belongs to: ");
            out_text(out, keys_place((enum section)s));
            elsewhere = true;
        }
    }
    /* Nobody reads the suggestions behind the first findings; each costs a comparison with all
     * keys. */
    bool wanted = !elsewhere && l->findings->errors < LIMPET_FINDINGS_MAX;
    const struct key *nearest = wanted ? keys_nearest(section, member->name) : NULL;
    if (nearest != NULL) {
        out_text(out, "; did you mean \"");
        out_text(out, nearest->status == KEY_RENAMED ? nearest->fallback : nearest->name);
        out_text(out, "\"?");
    }
    finding_end(l->findings);
}

static void report_duplicate(struct loader *l, const struct key *key,
                             const struct node_member *member, struct node first)
{
    struct slice text = l->config->text;
    struct out *out = loader_error_begin(l, member->name_at);
    out_text(out, "duplicate key ");
    finding_quote(out, member->name);
    if (!slice_equal(member->name, slice_from_cstr(key->name))) {
        out_text(out, ", another name of \"");
        out_text(out, key->name);
        out_char(out, '"');
    }
    out_text(out, "; the first one is in line ");
    out_u64(out, json_place_of(text, (size_t)(first.raw.ptr - text.ptr)).line);
    finding_end(l->findings);
}

/* ---- Types --------------------------------------------------------------------------------- */

static const char *type_wanted(enum key_type type)
{
    switch (type) {
    case KEY_STRING:
    case KEY_SECRET:
        return "a string";
    case KEY_BOOL:
        return "true or false";
    case KEY_NUMBER:
        return "a whole number";
    case KEY_REAL:
        return "a number";
    case KEY_DURATION:
        return "a duration such as \"60s\" (units ns us ms s m h)";
    case KEY_STRINGS:
        return "a list of strings";
    case KEY_OBJECT:
        return "an object";
    case KEY_OBJECTS:
        return "a list of objects";
    case KEY_ANY:
        break;
    }
    return "a value";
}

static void report_type(struct loader *l, enum key_type type, struct node node)
{
    struct out *out = loader_error_begin(l, node.raw.ptr);
    out_text(out, "expected ");
    out_text(out, type_wanted(type));
    if (type != KEY_SECRET) {
        out_text(out, ", got ");
        finding_value(out, node.raw);
    }
    finding_end(l->findings);
}

/* JSON has one kind of numbers; 8080.0 and 8e3 are no whole ones to the reference either. */
static bool is_whole(struct slice raw)
{
    uint64_t value;
    size_t sign = raw.ptr[0] == '-';
    return num_parse_u64(slice_skip(raw, sign), UINT64_MAX, &value) != LIMPET_ERR_SYNTAX;
}

static bool is_duration(struct node node)
{
    uint64_t ns;
    return cJSON_IsString(node.item) &&
           num_parse_duration_ns(node_string(node), &ns) != LIMPET_ERR_SYNTAX;
}

static bool has_type(enum key_type type, struct node node)
{
    switch (type) {
    case KEY_STRING:
    case KEY_SECRET:
        return cJSON_IsString(node.item);
    case KEY_BOOL:
        return cJSON_IsBool(node.item);
    case KEY_NUMBER:
        return cJSON_IsNumber(node.item) && is_whole(node.raw);
    case KEY_REAL:
        return cJSON_IsNumber(node.item);
    case KEY_DURATION:
        return is_duration(node);
    case KEY_OBJECT:
        return cJSON_IsObject(node.item);
    case KEY_STRINGS:
    case KEY_OBJECTS:
        return cJSON_IsArray(node.item);
    case KEY_ANY:
        break;
    }
    return true;
}

/* A list stays usable when some of its elements are not: the good ones are looked into. */
static bool type_check(struct loader *l, const struct key *key, struct node node)
{
    enum key_type type = (enum key_type)key->type;
    if (!has_type(type, node)) {
        report_type(l, type, node);
        return false;
    }
    if (type != KEY_STRINGS && type != KEY_OBJECTS) {
        return true;
    }
    enum key_type element = type == KEY_STRINGS ? KEY_STRING : KEY_OBJECT;
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, node);
    while (node_iter_next(&iter, &member)) {
        if (!has_type(element, member.node)) {
            report_type(l, element, member.node);
        }
    }
    return true;
}

/* ---- What is supported --------------------------------------------------------------------- */

static bool is_empty_value(enum key_type type, struct node node)
{
    uint64_t ns;
    switch (json_type_of(node.raw)) {
    case JSON_FALSE:
        return true;
    case JSON_NUMBER:
        return slice_equal(node.raw, SLICE_LIT("0"));
    case JSON_STRING:
        return node.raw.len == 2 ||
               (type == KEY_DURATION &&
                num_parse_duration_ns(node_string(node), &ns) == LIMPET_OK && ns == 0);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return node.item->child == NULL;
    default:
        return false;
    }
}

/* An empty value means the default to the reference, whatever the default is. */
static bool is_default(const struct key *key, struct node node)
{
    struct slice fallback = slice_from_cstr(key->fallback);
    return fallback.len > 0 &&
           (slice_equal(node.raw, fallback) || is_empty_value((enum key_type)key->type, node));
}

static void report_unsupported(struct loader *l, const struct key *key, struct node node)
{
    struct out *out = loader_error_begin(l, node.raw.ptr);
    bool has_default = key->fallback[0] != '\0';
    out_char(out, '"');
    out_text(out, key->name);
    out_text(out, has_default ? "\" other than " : "\"");
    out_text(out, key->fallback);
    out_text(out, key->status == KEY_LATER ? " is not supported yet" : " is not supported");
    if (has_default) {
        out_text(out, ", got ");
        finding_value(out, node.raw);
    }
    finding_end(l->findings);
}

static void status_check(struct loader *l, const struct key *key, const struct node_member *member)
{
    struct out *out;
    switch ((enum key_status)key->status) {
    case KEY_USED:
        break;
    case KEY_NO_EFFECT:
        finding_add(l->findings, CONFIG_NO_EFFECT, member->name_at, "has no effect here");
        break;
    case KEY_LATER:
    case KEY_NEVER:
        if (!is_default(key, member->node)) {
            report_unsupported(l, key, member->node);
        }
        break;
    case KEY_RENAMED:
        out = loader_error_begin(l, member->name_at);
        finding_quote(out, member->name);
        out_text(out, " is called \"");
        out_text(out, key->fallback);
        out_text(out, "\" since version 3");
        finding_end(l->findings);
        break;
    }
}

void section_idle(struct loader *l, const struct node *found, const uint8_t *keys, size_t count,
                  const char *text)
{
    for (size_t i = 0; i < count; i++) {
        struct node node = found[keys[i]];
        if (node_ok(node) && !is_empty_value(KEY_DURATION, node)) { /* "0s", too */
            loader_warning(l, node.raw.ptr, text);
        }
    }
}
