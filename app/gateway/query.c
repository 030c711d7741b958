#include "gateway/query.h"

#include "gateway/uri.h"

_Static_assert(LIMPET_JSON_KEYS_MAX >= LIMPET_REQUEST_LINE_MAX / 2u,
               "the parameters of the longest query can be sorted");

/* ---- Parameters -------------------------------------------------------------------------------
 */

struct param {
    struct slice key; /* as sent */
    struct slice value;
};

/* The parameter that stands first. */
static struct param param_of(struct slice query)
{
    struct slice text = slice_take(query, slice_find(query, '&'));
    size_t equals = slice_find(text, '=');
    return (struct param){slice_take(text, equals), slice_skip(text, equals + 1)};
}

static bool is_param(struct slice text)
{
    return text.len > 0 && slice_find(text, ';') == text.len && uri_escapes_valid(text);
}

/* The next decoded byte; -1 at the end. */
static int next_byte(struct slice *raw)
{
    bool blank = raw->len > 0 && raw->ptr[0] == '+';
    int byte = uri_next_byte(raw);
    return blank ? ' ' : byte;
}

static int compare_keys(struct slice a, struct slice b)
{
    for (;;) {
        int byte_a = next_byte(&a);
        int byte_b = next_byte(&b);
        if (byte_a != byte_b || byte_a < 0) {
            return byte_a - byte_b;
        }
    }
}

static bool has_name(struct slice key, struct slice plain)
{
    for (size_t i = 0; i < plain.len; i++) {
        if (next_byte(&key) != (unsigned char)plain.ptr[i]) {
            return false;
        }
    }
    return key.len == 0;
}

static bool passes(const struct config *config, const struct config_pass *pass, struct slice key)
{
    bool found = pass->all;
    for (uint16_t i = 0; !found && i < pass->names.count; i++) {
        found = has_name(key, config->names[pass->names.first + i]);
    }
    return found;
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

static bool param_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct slice *query = ctx;
    int order =
        compare_keys(param_of(slice_skip(*query, a)).key, param_of(slice_skip(*query, b)).key);
    return order != 0 ? order < 0 : a < b;
}

static size_t collect(struct keyset *set, const struct config *config,
                      const struct config_pass *endpoint, const struct config_pass *backend,
                      struct slice query)
{
    size_t count = 0;
    size_t at = 0;
    while (at < query.len && count < LIMPET_JSON_KEYS_MAX) {
        struct slice rest = slice_skip(query, at);
        size_t len = slice_find(rest, '&');
        struct slice key = param_of(rest).key;
        if (is_param(slice_take(rest, len)) && passes(config, endpoint, key) &&
            (!backend->given || passes(config, backend, key))) {
            set->keys[count++] = (keyset_offset)at;
        }
        at += len + 1;
    }
    return count;
}

static void write_decoded(struct out *out, struct slice raw)
{
    for (;;) {
        int byte = next_byte(&raw);
        if (byte < 0) {
            return;
        }
        char plain = (char)byte;
        uri_write_plain_query(out, slice_of(&plain, 1));
    }
}

void query_write(struct out *out, struct keyset *set, const struct config *config,
                 const struct config_pass *endpoint, const struct config_pass *backend,
                 struct slice query, char mark)
{
    if (!endpoint->given) {
        return;
    }
    size_t count = collect(set, config, endpoint, backend, query);
    keyset_sort(set->keys, count, param_before, &query);
    for (size_t i = 0; i < count; i++) {
        struct param param = param_of(slice_skip(query, set->keys[i]));
        out_char(out, mark);
        write_decoded(out, param.key);
        out_char(out, '=');
        write_decoded(out, param.value);
        mark = '&';
    }
}
