/* Values of a section: their ranges; and the findings and tables that all parts share. */
#include "base/num.h"
#include "config/loader.h"

#include <assert.h>
#include <string.h>

/* ---- Ranges -------------------------------------------------------------------------------- */

static struct out *bound_begin(struct loader *l, struct node node, const char *text)
{
    struct out *out = error_begin(l, node.raw.ptr);
    out_text(out, text);
    return out;
}

static void bound_end(struct loader *l, struct out *out, struct node node)
{
    out_text(out, ", got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}

void read_number(struct loader *l, struct node node, uint64_t min, uint64_t max, uint64_t *value)
{
    if (!node_ok(node)) {
        return;
    }
    uint64_t number = 0;
    bool negative = node.raw.ptr[0] == '-';
    int err = negative ? LIMPET_OK : num_parse_u64(node.raw, max, &number);
    assert(err != LIMPET_ERR_SYNTAX); /* the type was checked */
    if (err == LIMPET_ERR_RANGE) {
        struct out *out = bound_begin(l, node, "must be at most ");
        out_u64(out, max);
        bound_end(l, out, node);
    } else if (negative || number < min) {
        struct out *out = bound_begin(l, node, "must be at least ");
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

uint64_t read_duration_ns(struct loader *l, struct node node, uint64_t min_ns)
{
    uint64_t ns = 0;
    return node_ok(node) && duration_in_range(l, node, min_ns, true, &ns) ? ns : 0;
}

void read_interval_ns(struct loader *l, struct node node, uint64_t min_ns, uint64_t *value)
{
    uint64_t ns = 0;
    if (node_ok(node) && duration_in_range(l, node, min_ns, false, &ns)) {
        *value = ns;
    }
}

bool read_text(struct loader *l, struct node node, struct slice *value)
{
    if (!node_ok(node)) {
        return false;
    }
    struct slice s = node_string(node);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            error_add(l, node.raw.ptr, "must not hold control characters");
            return false;
        }
    }
    *value = s;
    return true;
}

/* ---- Findings ------------------------------------------------------------------------------ */

struct out *error_begin(struct loader *l, const char *at)
{
    return finding_begin(l->findings, CONFIG_ERROR, at);
}

void error_add(struct loader *l, const char *at, const char *text)
{
    finding_add(l->findings, CONFIG_ERROR, at, text);
}

void warning_add(struct loader *l, const char *at, const char *text)
{
    finding_add(l->findings, CONFIG_WARNING, at, text);
}

/* ---- Tables of struct config --------------------------------------------------------------- */

static const struct table_limit {
    char what[28];
    char option[32];
    size_t max;
} table_limits[TABLE_COUNT] = {
    [TABLE_ENDPOINTS] = {"endpoints", "LIMPET_ENDPOINTS_MAX", LIMPET_ENDPOINTS_MAX},
    [TABLE_BACKENDS] = {"backends", "LIMPET_BACKENDS_MAX", LIMPET_BACKENDS_MAX},
    [TABLE_HOSTS] = {"different hosts", "LIMPET_HOSTS_MAX", LIMPET_HOSTS_MAX},
    [TABLE_HOST_REFS] = {"entries of host lists", "LIMPET_HOST_REFS_MAX", LIMPET_HOST_REFS_MAX},
    [TABLE_SEGMENTS] = {"pieces of paths", "LIMPET_SEGMENTS_MAX", LIMPET_SEGMENTS_MAX},
    [TABLE_STRINGS] = {"bytes of composed strings", "LIMPET_CONFIG_STRINGS_LEN_MAX",
                       LIMPET_CONFIG_STRINGS_LEN_MAX},
};

bool table_take(struct loader *l, enum table table, size_t count, const char *at)
{
    struct table_use *use = &l->use[table];
    use->needed += count;
    if (use->needed <= table_limits[table].max) {
        return true;
    }
    use->at = use->at == NULL ? at : use->at;
    return false;
}

void report_overrun(struct loader *l, const char *at, const struct overrun *overrun)
{
    struct out *out = error_begin(l, at);
    out_text(out, "too many ");
    out_text(out, overrun->what);
    out_text(out, ": ");
    out_u64(out, overrun->needed);
    out_text(out, " needed, ");
    out_u64(out, overrun->available);
    out_text(out, " available (");
    out_text(out, overrun->option);
    out_char(out, ')');
    finding_end(l->findings);
}

void tables_report(struct loader *l)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (l->use[i].at != NULL) {
            struct overrun overrun = {table_limits[i].what, table_limits[i].option,
                                      l->use[i].needed, table_limits[i].max};
            report_overrun(l, l->use[i].at, &overrun);
        }
    }
}

static bool in_text(const struct loader *l, struct slice s)
{
    uintptr_t begin = (uintptr_t)l->config->text.ptr;
    uintptr_t at = (uintptr_t)s.ptr;
    return at >= begin && at + s.len <= begin + l->config->text.len;
}

struct slice loader_keep(struct loader *l, struct slice s, const char *at)
{
    if (s.len == 0 || in_text(l, s)) {
        return s;
    }
    struct out *out = loader_compose(l, s.len, at);
    if (out == NULL) {
        return SLICE_EMPTY;
    }
    out_put(out, s);
    return loader_composed(l, s.len);
}

struct out *loader_compose(struct loader *l, size_t len, const char *at)
{
    return table_take(l, TABLE_STRINGS, len, at) ? &l->config->strings_out : NULL;
}

struct slice loader_composed(struct loader *l, size_t len)
{
    struct slice all = out_slice(&l->config->strings_out);
    assert(out_err(&l->config->strings_out) == LIMPET_OK);
    assert(len <= all.len);
    return slice_skip(all, all.len - len);
}
