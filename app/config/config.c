#include "config/config.h"

#include "config/loader.h"

#include <cjson_arena.h>

#include <assert.h>
#include <stdalign.h>
#include <string.h>

static bool text_check(struct findings *findings, struct slice text);
static bool escapes_check(struct findings *findings, struct slice text);
static int load(struct config *config, struct loader_scratch *scratch, void *arena,
                size_t arena_len, size_t *arena_used);
static bool tree_read(struct config *config, struct loader_scratch *scratch, void *arena,
                      size_t arena_len, size_t *arena_used);

static void report_whole(config_report_fn report, void *ctx, const char *text, size_t have,
                         size_t limit);

/* ---- Loading ------------------------------------------------------------------------------- */

int config_load(struct config *config, struct slice text, void *scratch, size_t scratch_len,
                config_report_fn report, void *report_ctx)
{
    memset(config, 0, offsetof(struct config, strings));
    config->text = text;
    out_init(&config->strings_out, config->strings, sizeof(config->strings));
    if (text.len > LIMPET_CONFIG_TEXT_LEN_MAX) {
        report_whole(report, report_ctx, "the file is too long, in bytes", text.len,
                     LIMPET_CONFIG_TEXT_LEN_MAX);
        return LIMPET_ERR_FULL;
    }
    size_t skip = (size_t)(-(uintptr_t)scratch & (alignof(struct loader_scratch) - 1));
    size_t head = skip + sizeof(struct loader_scratch);
    if (scratch_len < head) {
        report_whole(report, report_ctx, "the scratch memory is too small, in bytes", head,
                     scratch_len);
        return LIMPET_ERR_FULL;
    }
    struct loader_scratch *own = (struct loader_scratch *)(void *)((char *)scratch + skip);
    struct findings *findings = &own->findings;
    findings_init(findings, text);
    size_t arena_used = 0;
    bool valid = text_check(findings, text);
    int err = LIMPET_ERR_SYNTAX;
    if (valid) {
        err = load(config, own, (char *)scratch + head, scratch_len - head, &arena_used);
    }
    findings_report(findings, valid, report, report_ctx);
    memset(scratch, 0, head + arena_used);
    return err;
}

static int load(struct config *config, struct loader_scratch *scratch, void *arena,
                size_t arena_len, size_t *arena_used)
{
    if (!escapes_check(&scratch->findings, config->text)) {
        return LIMPET_ERR_SYNTAX;
    }
    if (!tree_read(config, scratch, arena, arena_len, arena_used)) {
        return LIMPET_ERR_FULL;
    }
    return scratch->findings.errors > 0 ? LIMPET_ERR_RANGE : LIMPET_OK;
}

static void report_whole(config_report_fn report, void *ctx, const char *text, size_t have,
                         size_t limit)
{
    char message[96];
    struct out out;
    out_init(&out, message, sizeof(message));
    out_text(&out, text);
    out_text(&out, ": ");
    out_u64(&out, have);
    out_text(&out, " needed, ");
    out_u64(&out, limit);
    out_text(&out, " available");
    struct config_finding told = {.kind = CONFIG_ERROR, .message = out_slice(&out)};
    report(ctx, &told);
}

/* False when cJSON had not enough memory (reported). */
static bool tree_read(struct config *config, struct loader_scratch *scratch, void *arena,
                      size_t arena_len, size_t *arena_used)
{
    struct findings *findings = &scratch->findings;
    struct loader loader = {.config = config, .findings = findings, .levels = &scratch->levels};
    struct json_error error;
    cjson_arena_begin(arena, arena_len);
    loader.root.item = cJSON_ParseWithLength(config->text.ptr, config->text.len);
    bool ok = loader.root.item != NULL;
    if (!ok) {
        struct out *out = finding_begin(findings, CONFIG_ERROR, NULL);
        out_text(out, "the scratch memory is too small for this file: ");
        out_u64(out, arena_len);
        out_text(out, " bytes (LIMPET_SCRATCH_LEN)");
        finding_end(findings);
    } else if (json_scan(config->text, JSON_UTF8_STRICT, &loader.root.raw, &error) <= 0) {
        assert(false); /* it was accepted before */
    } else if (!cJSON_IsObject(loader.root.item)) {
        finding_add(findings, CONFIG_ERROR, loader.root.raw.ptr, "expected an object");
    } else {
        loader_read_service(&loader);
        loader_report_tables(&loader);
    }
    *arena_used = cjson_arena_end();
    return ok;
}

/* ---- The text ------------------------------------------------------------------------------ */

static bool text_check(struct findings *findings, struct slice text)
{
    struct json_error error;
    if (json_check(text, &error) > 0) {
        return true;
    }
    finding_add(findings, CONFIG_ERROR, slice_skip(text, error.offset).ptr, error.text);
    return false;
}

static unsigned hex4(const char *digits)
{
    unsigned value = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned c = (unsigned char)digits[i];
        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10);
    }
    return value;
}

/* Of an accepted text: what follows a backslash at `at` that cJSON could not represent. Sets the
 * length of the escape. */
static const char *escape_problem(struct slice text, size_t at, size_t *len)
{
    const char *escape = text.ptr + at;
    *len = escape[1] == 'u' ? 6 : 2;
    if (escape[1] != 'u') {
        return NULL;
    }
    unsigned unit = hex4(escape + 2);
    if (unit == 0) {
        return "\\u0000 is not supported";
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        return NULL;
    }
    bool low_follows = at + 12 <= text.len && escape[6] == '\\' && escape[7] == 'u';
    unsigned low = low_follows ? hex4(escape + 8) : 0;
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
        return "half of a surrogate pair";
    }
    *len = 12;
    return NULL;
}

/* RFC 8259 allows them; no name or value of a configuration has a use for them, and cJSON none
 * either. */
static bool escapes_check(struct findings *findings, struct slice text)
{
    bool ok = true;
    size_t at = slice_find(text, '\\');
    while (at < text.len) {
        size_t len;
        const char *problem = escape_problem(text, at, &len);
        if (problem != NULL) {
            finding_add(findings, CONFIG_ERROR, text.ptr + at, problem);
            ok = false;
        }
        at += len;
        at += slice_find(slice_skip(text, at), '\\');
    }
    return ok;
}

/* ---- Small things -------------------------------------------------------------------------- */

void config_override_port(struct config *config, uint16_t port)
{
    assert(port != 0);
    config->listen.port = port;
}

struct slice method_name(enum method method)
{
    static const char names[][8] = {"GET",  "POST",    "PUT",     "PATCH", "DELETE",
                                    "HEAD", "OPTIONS", "CONNECT", "TRACE", "OTHER"};
    assert(method <= METHOD_OTHER);
    return slice_from_cstr(names[method]);
}

enum method method_from_name(struct slice name)
{
    for (int m = METHOD_GET; m < METHOD_OTHER; m++) {
        if (slice_equal(name, method_name((enum method)m))) {
            return (enum method)m;
        }
    }
    return METHOD_OTHER;
}
