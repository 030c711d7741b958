/* security/cors, of the service's extra_config. */
#include "config/loader.h"

#include <string.h>

static void origins_read(struct loader *l, struct node list, struct config_cors *cors);
static void methods_read(struct loader *l, struct node list, struct config_cors *cors);
static void headers_check(struct loader *l, struct node list);
static bool holds_star(const struct config *config, const struct config_names *names);
static struct slice joined_read(struct loader *l, struct node list);

void loader_read_cors(struct loader *l, struct node node)
{
    struct config_cors *cors = &l->config->cors;
    struct node found[CORS_KEYS];
    uint64_t status = 204;
    section_read(l, SECTION_CORS, node, found, CORS_KEYS);
    cors->enabled = node_ok(node);
    cors->credentials = node_true(found[CORS_CREDENTIALS]);
    cors->private_network = node_true(found[CORS_PRIVATE_NETWORK]);
    cors->passthrough = node_true(found[CORS_PASSTHROUGH]);
    cors->debug = node_true(found[CORS_DEBUG]);
    origins_read(l, found[CORS_ORIGINS], cors);
    methods_read(l, found[CORS_METHODS], cors);
    headers_check(l, found[CORS_HEADERS]);
    loader_read_names(l, found[CORS_HEADERS], &cors->headers);
    cors->any_header = cors->headers.count == 0 || holds_star(l->config, &cors->headers);
    headers_check(l, found[CORS_EXPOSE]);
    cors->exposed = joined_read(l, found[CORS_EXPOSE]);
    value_cache_ttl_s(l, found[CORS_MAX_AGE], &cors->max_age_s);
    value_number(l, found[CORS_SUCCESS_STATUS], 200, 299, &status);
    cors->success_status = (uint16_t)status;
    if (cors->credentials && cors->any_origin) {
        loader_warning(l, found[CORS_CREDENTIALS].raw.ptr,
                       "browsers send no credentials where every origin is allowed");
    }
}

static bool holds_star(const struct config *config, const struct config_names *names)
{
    for (uint16_t i = 0; i < names->count; i++) {
        if (slice_equal(config->names[names->first + i], SLICE_LIT("*"))) {
            return true;
        }
    }
    return false;
}

static void origins_read(struct loader *l, struct node list, struct config_cors *cors)
{
    struct node_iter iter;
    struct node_member member;
    struct slice origin;
    loader_read_names(l, list, &cors->origins);
    cors->any_origin = cors->origins.count == 0 || holds_star(l->config, &cors->origins);
    if (!node_ok(list)) {
        return;
    }
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (!value_text(l, member.node, &origin)) {
            continue;
        }
        size_t star = slice_find(origin, '*');
        struct slice rest = slice_skip(origin, star + 1);
        if (slice_find(rest, '*') < rest.len) {
            loader_error(l, member.node.raw.ptr, "one * at most");
        }
    }
}

/* Of each method the bit of enum method. */
static void methods_read(struct loader *l, struct node list, struct config_cors *cors)
{
    unsigned bits = 1u << METHOD_OPTIONS;
    struct node_iter iter;
    struct node_member member;
    if (node_ok(list) && node_count(list) > 0) {
        node_iter_init(&iter, list);
        while (node_iter_next(&iter, &member)) {
            enum method method = METHOD_OPTIONS;
            if (cJSON_IsString(member.node.item)) {
                value_method(l, member.node, METHOD_OPTIONS, &method);
            }
            bits |= 1u << method;
        }
    } else {
        bits |= 1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_POST;
    }
    cors->methods = (uint16_t)bits;
}

/* RFC 9110 section 5.6.2; "*" is one, too. */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) {
            return false;
        }
    }
    return s.len > 0;
}

static void headers_check(struct loader *l, struct node list)
{
    struct node_iter iter;
    struct node_member member;
    struct slice name;
    if (!node_ok(list)) {
        return;
    }
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (value_text(l, member.node, &name) && !is_token(name)) {
            loader_error(l, member.node.raw.ptr, "is not the name of a header field");
        }
    }
}

/* Of names that were checked: "A, B". Counted first, then written. */
static void write_joined(struct out *out, struct node list)
{
    struct node_iter iter;
    struct node_member member;
    bool first = true;
    node_iter_init(&iter, list);
    while (node_iter_next(&iter, &member)) {
        if (cJSON_IsString(member.node.item)) {
            out_text(out, first ? "" : ", ");
            out_put(out, node_string(member.node));
            first = false;
        }
    }
}

static struct slice joined_read(struct loader *l, struct node list)
{
    struct out count;
    if (!node_ok(list)) {
        return SLICE_EMPTY;
    }
    out_init_count(&count);
    write_joined(&count, list);
    size_t len = (size_t)count.total;
    struct out *out = loader_compose(l, len, list.raw.ptr);
    if (out == NULL) {
        return SLICE_EMPTY;
    }
    write_joined(out, list);
    return loader_composed(l, len);
}
