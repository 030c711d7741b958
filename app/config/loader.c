/* What all parts of config_load share: findings and the tables of struct config. */
#include "config/loader.h"

#include <assert.h>

/* ---- Findings ------------------------------------------------------------------------------ */

struct out *loader_error_begin(struct loader *l, const char *at)
{
    return finding_begin(l->findings, CONFIG_ERROR, at);
}

void loader_error(struct loader *l, const char *at, const char *text)
{
    finding_add(l->findings, CONFIG_ERROR, at, text);
}

void loader_warning(struct loader *l, const char *at, const char *text)
{
    finding_add(l->findings, CONFIG_WARNING, at, text);
}

void loader_report_overrun(struct loader *l, const char *at, const struct overrun *overrun)
{
    struct out *out = loader_error_begin(l, at);
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

bool loader_line_fits(struct loader *l, const char *at, size_t path_len, size_t line_max,
                      const char *option)
{
    size_t needed = path_len + sizeof("DELETE  HTTP/1.1\r\n") - 1;
    if (needed <= line_max) {
        return true;
    }
    struct overrun overrun = {"bytes of a request line", option, needed, line_max};
    loader_report_overrun(l, at, &overrun);
    return false;
}

void loader_report_address(struct loader *l, const char *at, struct slice text, const char *problem)
{
    struct out *out = loader_error_begin(l, at);
    bool secret = slice_find(text, '@') < text.len; /* user:password@host */
    finding_quote(out, secret ? SLICE_LIT("...") : text);
    out_text(out, ": ");
    out_text(out, problem);
    finding_end(l->findings);
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
    [TABLE_NAMES] = {"names in lists", "LIMPET_NAMES_MAX", LIMPET_NAMES_MAX},
    [TABLE_NODES] = {"keys of allow and deny", "LIMPET_FILTER_NODES_MAX",
                     LIMPET_FILTER_NODES_MAX - 1u},
    [TABLE_RATES] = {"rate limits", "LIMPET_RATES_MAX", LIMPET_RATES_MAX},
    [TABLE_BREAKERS] = {"circuit breakers", "LIMPET_BREAKERS_MAX", LIMPET_BREAKERS_MAX},
    [TABLE_STRINGS] = {"bytes of composed strings", "LIMPET_CONFIG_STRINGS_LEN_MAX",
                       LIMPET_CONFIG_STRINGS_LEN_MAX},
};

bool loader_take(struct loader *l, enum table table, size_t count, const char *at)
{
    struct table_use *use = &l->use[table];
    use->needed += count;
    if (use->needed <= table_limits[table].max) {
        return true;
    }
    use->at = use->at == NULL ? at : use->at;
    return false;
}

void loader_report_tables(struct loader *l)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (l->use[i].at != NULL) {
            struct overrun overrun = {table_limits[i].what, table_limits[i].option,
                                      l->use[i].needed, table_limits[i].max};
            loader_report_overrun(l, l->use[i].at, &overrun);
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
    return loader_take(l, TABLE_STRINGS, len, at) ? &l->config->strings_out : NULL;
}

struct slice loader_composed(struct loader *l, size_t len)
{
    struct slice all = out_slice(&l->config->strings_out);
    assert(out_err(&l->config->strings_out) == LIMPET_OK);
    assert(len <= all.len);
    return slice_skip(all, all.len - len);
}
