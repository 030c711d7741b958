/* Values of a section: their ranges and words. */
#include "base/num.h"
#include "config/loader.h"

#include <assert.h>

/* Longest duration of a configuration, 41 days: timeout_ms stays within 32 bit. */
#define DURATION_MAX_NS LIMPET_S_TO_NS(1000u * 3600u)

/* ---- Ranges -------------------------------------------------------------------------------- */

static struct out *bound_begin(struct loader *l, struct node node, const char *text)
{
    struct out *out = loader_error_begin(l, node.raw.ptr);
    out_text(out, text);
    return out;
}

static void bound_end(struct loader *l, struct out *out, struct node node)
{
    out_text(out, ", got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}

void value_number(struct loader *l, struct node node, uint64_t min, uint64_t max, uint64_t *value)
{
    if (!node_ok(node)) {
        return;
    }
    uint64_t number = 0;
    bool negative = node.raw.ptr[0] == '-';
    int err = negative ? LIMPET_OK : num_parse_u64(node.raw, max, &number);
    assert(err != LIMPET_ERR_SYNTAX); /* the type was checked */
    if (err == LIMPET_ERR_RANGE) {
        struct out *out = bound_begin(l, node, min == max ? "must be " : "must be at most ");
        out_u64(out, max);
        bound_end(l, out, node);
    } else if (negative || number < min) {
        struct out *out = bound_begin(l, node, min == max ? "must be " : "must be at least ");
        out_u64(out, min);
        bound_end(l, out, node);
    } else {
        *value = number;
    }
}

/* `zero`: 0 is allowed whatever the bound is. */
static bool duration_in_range(struct loader *l, struct node node, uint64_t min_ns, bool zero,
                              uint64_t *ns)
{
    int err = num_parse_duration_ns(node_string(node), ns);
    assert(err != LIMPET_ERR_SYNTAX); /* the type was checked */
    if (err == LIMPET_ERR_RANGE || *ns > DURATION_MAX_NS) {
        bound_end(l, bound_begin(l, node, "must be at most 1000h"), node);
        return false;
    }
    if (*ns < min_ns && !(zero && *ns == 0)) {
        struct out *out = bound_begin(l, node, "must be at least ");
        out_duration_ms(out, min_ns / LIMPET_MS_TO_NS(1));
        bound_end(l, out, node);
        return false;
    }
    return true;
}

/* 0 = not given, 0, or refused. */
static uint64_t duration_ns(struct loader *l, struct node node, uint64_t min_ns)
{
    uint64_t ns = 0;
    return node_ok(node) && duration_in_range(l, node, min_ns, true, &ns) ? ns : 0;
}

void value_interval_ns(struct loader *l, struct node node, uint64_t min_ns, uint64_t *value)
{
    uint64_t ns = 0;
    if (node_ok(node) && duration_in_range(l, node, min_ns, false, &ns)) {
        *value = ns;
    }
}

/* An element of a list may have another type: section_read() has reported it. */
bool value_text(struct loader *l, struct node node, struct slice *value)
{
    if (!cJSON_IsString(node.item)) {
        return false;
    }
    struct slice s = node_string(node);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            loader_error(l, node.raw.ptr, "must not hold control characters");
            return false;
        }
    }
    *value = s;
    return true;
}

void value_timeout_ms(struct loader *l, struct node node, uint32_t *value)
{
    uint64_t ns = duration_ns(l, node, 1);
    if (ns != 0) {
        *value = (uint32_t)((ns + LIMPET_MS_TO_NS(1) - 1) / LIMPET_MS_TO_NS(1));
    }
}

void value_cache_ttl_s(struct loader *l, struct node node, uint32_t *value)
{
    uint64_t ns = duration_ns(l, node, LIMPET_S_TO_NS(1));
    if (ns % LIMPET_S_TO_NS(1) != 0) {
        struct out *out = finding_begin(l->findings, CONFIG_WARNING, node.raw.ptr);
        out_text(out, "only whole seconds count: max-age=");
        out_u64(out, ns / LIMPET_S_TO_NS(1));
        finding_end(l->findings);
    }
    if (ns != 0) {
        *value = (uint32_t)(ns / LIMPET_S_TO_NS(1));
    }
}

/* ---- Words --------------------------------------------------------------------------------- */

static const struct encoding_word {
    char word[16];
    bool backend;
    bool endpoint;
} encoding_words[] = {
    [ENCODING_JSON] = {"json", true, true},
    [ENCODING_NO_OP] = {"no-op", true, true},
    [ENCODING_STRING] = {"string", true, true},
    [ENCODING_SAFE_JSON] = {"safejson", true, false},
    [ENCODING_JSON_COLLECTION] = {"json-collection", false, true},
};
#define ENCODING_COUNT (sizeof(encoding_words) / sizeof(encoding_words[0]))

/* Known to the reference. */
static bool is_other_encoding(struct slice word)
{
    static const char others[][16] = {"fast-json", "xml", "rss", "yaml", "negotiate"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (slice_equal(word, slice_from_cstr(others[i]))) {
            return true;
        }
    }
    return false;
}

void value_encoding(struct loader *l, struct node node, bool backend, enum encoding *value)
{
    if (!node_ok(node)) {
        return;
    }
    struct slice word = node_string(node);
    for (size_t i = 0; i < ENCODING_COUNT; i++) {
        bool here = backend ? encoding_words[i].backend : encoding_words[i].endpoint;
        if (here && slice_equal(word, slice_from_cstr(encoding_words[i].word))) {
            *value = (enum encoding)i;
            return;
        }
    }
    struct out *out = loader_error_begin(l, node.raw.ptr);
    if (is_other_encoding(word)) {
        finding_quote(out, word);
        out_text(out, " is not supported yet: ");
    }
    out_text(out, backend
                      ? "expected \"json\", \"no-op\", \"string\" or \"safejson\", got "
                      : "expected \"json\", \"no-op\", \"string\" or \"json-collection\", got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}

void value_method(struct loader *l, struct node node, enum method last, enum method *value)
{
    if (!node_ok(node)) {
        return;
    }
    enum method method = method_from_name(node_string(node));
    if (method <= last) {
        *value = method;
        return;
    }
    struct out *out = loader_error_begin(l, node.raw.ptr);
    out_text(out, "expected one of");
    for (int m = METHOD_GET; m <= (int)last; m++) {
        out_char(out, ' ');
        out_put(out, method_name((enum method)m));
    }
    out_text(out, " in capitals, got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}
