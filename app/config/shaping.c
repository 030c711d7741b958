/* endpoints[].backend[]: what is done with bodies, what is forwarded; the fixed data of endpoints.
 */
#include "base/json.h"
#include "config/loader.h"

#include <string.h>

static void collection_read(struct loader *l, const struct node *found,
                            struct config_backend *backend);
static void target_read(struct loader *l, struct node node, struct config_shape *shape);
static void filter_read(struct loader *l, struct node list, bool allows,
                        struct config_shape *shape);
static void mapping_read(struct loader *l, struct node node, struct config_shape *shape);

void loader_read_shaping(struct loader *l, const struct node *found, struct config_backend *backend)
{
    struct config_shape *shape = &backend->shape;
    bool allows = node_ok(found[BACKEND_ALLOW]) && node_count(found[BACKEND_ALLOW]) > 0;
    collection_read(l, found, backend);
    target_read(l, found[BACKEND_TARGET], shape);
    filter_read(l, found[allows ? BACKEND_ALLOW : BACKEND_DENY], allows, shape);
    if (allows && node_ok(found[BACKEND_DENY]) && node_count(found[BACKEND_DENY]) > 0) {
        loader_warning(l, found[BACKEND_DENY].raw.ptr, "has no effect beside \"allow\"");
    }
    mapping_read(l, found[BACKEND_MAPPING], shape);
    if (value_text(l, found[BACKEND_GROUP], &shape->group)) {
        shape->group = loader_keep(l, shape->group, found[BACKEND_GROUP].raw.ptr);
    }
    loader_read_headers(l, found[BACKEND_INPUT_HEADERS], &backend->headers);
    loader_read_query(l, found[BACKEND_INPUT_QUERY], &backend->query);
}

/* A list stands for a JSON body only. */
static void collection_read(struct loader *l, const struct node *found,
                            struct config_backend *backend)
{
    backend->shape.is_collection = node_true(found[BACKEND_IS_COLLECTION]);
    if (backend->shape.is_collection && backend->encoding != ENCODING_JSON) {
        loader_warning(l, found[BACKEND_IS_COLLECTION].raw.ptr,
                       "has an effect with the encoding \"json\" only");
        backend->shape.is_collection = false;
    }
}

/* ---- Names --------------------------------------------------------------------------------- */

static void name_add(struct loader *l, struct slice name, const char *at,
                     struct config_names *names)
{
    struct config *config = l->config;
    name = loader_keep(l, name, at);
    if (loader_take(l, TABLE_NAMES, 1, at)) {
        config->names[config->name_count++] = name;
        names->count++;
    }
}

static void names_begin(const struct loader *l, struct config_names *names)
{
    names->first = l->config->name_count;
    names->count = 0;
}

void loader_read_names(struct loader *l, struct node list, struct config_names *names)
{
    struct node_iter iter;
    struct node_member member;
    struct slice name;
    names_begin(l, names);
    if (!node_ok(list)) {
        return;
    }
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (value_text(l, member.node, &name)) {
            name_add(l, name, member.node.raw.ptr, names);
        }
    }
}

static void pass_read(struct loader *l, struct node list, struct config_pass *pass)
{
    loader_read_names(l, list, &pass->names);
    pass->given = pass->names.count > 0;
    for (uint16_t i = 0; i < pass->names.count; i++) {
        struct slice name = l->config->names[pass->names.first + i];
        pass->all = pass->all || slice_equal(name, SLICE_LIT("*"));
    }
}

/* A token of RFC 9110; control characters are reported where the text is read. */
static bool is_field_name(struct slice name)
{
    struct slice delimiters = SLICE_LIT(" \"(),/:;<=>?@[\\]{}");
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] > 0x7f ||
            slice_find(delimiters, name.ptr[i]) < delimiters.len) {
            return false;
        }
    }
    return name.len > 0;
}

static void field_names_check(struct loader *l, struct node list)
{
    struct node_iter iter;
    struct node_member member;
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (!cJSON_IsString(member.node.item)) {
            continue;
        }
        struct slice name = node_string(member.node);
        if (!is_field_name(name)) {
            loader_error(l, member.node.raw.ptr, "no header field can have this name");
        } else if (slice_equal_nocase(name, SLICE_LIT("Host")) ||
                   slice_equal_nocase(name, SLICE_LIT("Content-Length"))) {
            loader_warning(l, member.node.raw.ptr,
                           "has no effect: the gateway writes this field itself");
        }
    }
}

void loader_read_headers(struct loader *l, struct node list, struct config_pass *pass)
{
    if (node_ok(list)) {
        field_names_check(l, list);
    }
    pass_read(l, list, pass);
}

void loader_read_query(struct loader *l, struct node list, struct config_pass *pass)
{
    pass_read(l, list, pass);
    struct slice *names = &l->config->names[pass->names.first];
    for (uint16_t i = 1; i < pass->names.count; i++) {
        struct slice name = names[i];
        uint16_t to = i;
        for (; to > 0 && slice_compare(name, names[to - 1]) < 0; to--) {
            names[to] = names[to - 1];
        }
        names[to] = name;
    }
}

static void target_read(struct loader *l, struct node node, struct config_shape *shape)
{
    struct slice rest;
    names_begin(l, &shape->target);
    if (!value_text(l, node, &rest) || rest.len == 0) {
        return;
    }
    for (;;) {
        struct slice part = slice_take(rest, slice_find(rest, '.'));
        name_add(l, part, node.raw.ptr, &shape->target);
        if (part.len == rest.len) {
            return;
        }
        rest = slice_skip(rest, part.len + 1);
    }
}

/* The new name ends before its first dot (lura, NewEntityFormatter). */
static void mapping_read(struct loader *l, struct node node, struct config_shape *shape)
{
    struct node_iter iter;
    struct node_member member;
    names_begin(l, &shape->mapping);
    if (!node_ok(node)) {
        return;
    }
    node_iter_init(&iter, node);
    while (node_iter_next(&iter, &member)) {
        if (!cJSON_IsString(member.node.item)) {
            loader_error(l, member.node.raw.ptr, "expected a string: the new name");
            continue;
        }
        struct slice to = node_string(member.node);
        name_add(l, member.name, member.name_at, &shape->mapping);
        name_add(l, slice_take(to, slice_find(to, '.')), member.node.raw.ptr, &shape->mapping);
    }
}

/* ---- allow and deny ------------------------------------------------------------------------ */

/* The key `name` below `parent`, new if need be; 0 when there is no room. */
static uint16_t node_below(struct loader *l, uint16_t parent, struct slice name, const char *at)
{
    struct config *config = l->config;
    uint16_t *link = &config->nodes[parent].child;
    while (*link != 0) {
        if (slice_equal(config->nodes[*link].name, name)) {
            return *link;
        }
        link = &config->nodes[*link].next;
    }
    name = loader_keep(l, name, at);
    if (!loader_take(l, TABLE_NODES, 1, at)) {
        return 0;
    }
    uint16_t index = ++config->node_count;
    config->nodes[index] = (struct config_node){.name = name};
    *link = index;
    return index;
}

/* Of two paths of which one begins with the other, `allow` takes the later one, as the reference;
 * `deny` the shorter one: it removes more. */
static void filter_add(struct loader *l, uint16_t root, struct slice path, bool allows,
                       const char *at)
{
    uint16_t index = root;
    for (;;) {
        struct slice part = slice_take(path, slice_find(path, '.'));
        uint16_t known = l->config->node_count;
        index = node_below(l, index, part, at);
        bool ends = index <= known && l->config->nodes[index].child == 0;
        if (index == 0 || (ends && !allows)) {
            return;
        }
        if (part.len == path.len) {
            l->config->nodes[index].child = 0;
            return;
        }
        path = slice_skip(path, part.len + 1);
    }
}

static void filter_read(struct loader *l, struct node list, bool allows, struct config_shape *shape)
{
    struct node_iter iter;
    struct node_member member;
    struct slice path;
    if (!node_ok(list) || node_count(list) == 0) {
        return;
    }
    shape->allows = allows;
    shape->filter = node_below(l, 0, SLICE_EMPTY, list.raw.ptr);
    l->config->nodes[0].child = 0;
    node_iter_init(&iter, list);
    while (shape->filter != 0 && node_iter_next(&iter, &member)) {
        if (value_text(l, member.node, &path)) {
            filter_add(l, shape->filter, path, allows, member.node.raw.ptr);
        }
    }
}

/* ---- static -------------------------------------------------------------------------------- */

static void strategy_read(struct loader *l, struct node node, enum static_strategy *strategy)
{
    static const char words[][12] = {"", "always", "success", "errored", "complete", "incomplete"};
    *strategy = STATIC_ALWAYS;
    if (!node_ok(node)) {
        return;
    }
    for (size_t i = STATIC_ALWAYS; i <= STATIC_INCOMPLETE; i++) {
        if (slice_equal(node_string(node), slice_from_cstr(words[i]))) {
            *strategy = (enum static_strategy)i;
            return;
        }
    }
    struct out *out = loader_error_begin(l, node.raw.ptr);
    out_text(out, "expected always, success, errored, complete or incomplete, got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}

/* Without the white space between its tokens: counted first, then written. */
static size_t write_squeezed(struct out *out, struct slice json)
{
    bool string = false;
    size_t len = 0;
    for (size_t i = 0; i < json.len; i++) {
        bool escape = string && json.ptr[i] == '\\';
        string = string != (json.ptr[i] == '"');
        size_t take = escape ? 2 : 1;
        if (string || memchr(" \t\r\n", json.ptr[i], 4) == NULL) {
            len += take;
            if (out != NULL) {
                out_bytes(out, json.ptr + i, take);
            }
        }
        i += take - 1;
    }
    return len;
}

struct slice loader_squeeze(struct loader *l, struct slice json)
{
    size_t len = write_squeezed(NULL, json);
    struct out *out = loader_compose(l, len, json.ptr);
    if (out == NULL) {
        return SLICE_EMPTY;
    }
    (void)write_squeezed(out, json);
    return loader_composed(l, len);
}

/* The merge takes the keys of the data as they are. */
static void data_keys_check(struct loader *l, struct node data)
{
    struct json_iter iter;
    struct json_iter before;
    struct json_member member;
    struct json_member other;
    json_iter_init(&iter, data.raw);
    while (json_iter_next(&iter, &member)) {
        json_iter_init(&before, data.raw);
        while (json_iter_next(&before, &other) && other.key.ptr != member.key.ptr) {
            if (json_string_compare(other.key, member.key) == 0) {
                loader_error(l, member.key.ptr - 1, "the same key twice");
                return;
            }
        }
    }
}

void loader_read_static(struct loader *l, struct node node, struct config_endpoint *endpoint)
{
    struct node found[STATIC_KEYS];
    enum static_strategy strategy;
    section_read(l, SECTION_STATIC, node, found, STATIC_KEYS);
    if (!node_ok(node)) {
        return;
    }
    if (!node_given(found[STATIC_DATA])) {
        loader_error(l, node.raw.ptr, "\"data\" is missing");
    }
    strategy_read(l, found[STATIC_STRATEGY], &strategy);
    if (!node_ok(found[STATIC_DATA])) {
        return;
    }
    data_keys_check(l, found[STATIC_DATA]);
    if (endpoint->output_encoding == ENCODING_NO_OP) {
        loader_warning(l, node.raw.ptr, "has no effect: the output_encoding is \"no-op\"");
        return;
    }
    endpoint->static_strategy = strategy;
    endpoint->static_data = loader_squeeze(l, found[STATIC_DATA].raw);
}
