#include "config/finding.h"

#include "base/json.h"
#include "config/place.h"

#include <assert.h>
#include <string.h>

_Static_assert(LIMPET_FINDING_LEN_MAX <= UINT8_MAX, "finding.text_len is 8 bit");

/* Bytes of a user's text that a message repeats. */
#define QUOTE_LEN_MAX 48
#define PATH_LEN_MAX 256

static const char cut_mark[] = "...";
#define CUT_MARK_LEN (sizeof(cut_mark) - 1)

static bool stays_before(const struct finding *a, const struct finding *b);
static void report_one(const struct findings *findings, const struct finding *finding, bool tree,
                       config_report_fn report, void *ctx);
static void report_left_out(const struct findings *findings, config_report_fn report, void *ctx);

/* ---- Collecting ---------------------------------------------------------------------------- */

void findings_init(struct findings *findings, struct slice text)
{
    memset(findings, 0, offsetof(struct findings, list));
    findings->text = text;
}

struct out *finding_begin(struct findings *findings, enum config_finding_kind kind, const char *at)
{
    struct finding *draft = &findings->draft;
    draft->kind = (uint8_t)kind;
    draft->at = at;
    out_init(&findings->out, draft->text, sizeof(draft->text) - CUT_MARK_LEN);
    return &findings->out;
}

void finding_end(struct findings *findings)
{
    struct finding *draft = &findings->draft;
    size_t len = out_slice(&findings->out).len;
    if (out_err(&findings->out) != LIMPET_OK) {
        while (len > 0 && ((unsigned char)draft->text[len - 1] & 0x80u) != 0) {
            len--; /* never half a character */
        }
        memcpy(draft->text + len, cut_mark, CUT_MARK_LEN);
        len += CUT_MARK_LEN;
    }
    draft->text_len = (uint8_t)len;
    draft->order = findings->added++;
    findings->errors += draft->kind == CONFIG_ERROR;

    if (findings->count < LIMPET_FINDINGS_MAX) {
        findings->list[findings->count++] = *draft;
        return;
    }
    struct finding *last = &findings->list[0];
    for (size_t i = 1; i < findings->count; i++) {
        last = stays_before(last, &findings->list[i]) ? &findings->list[i] : last;
    }
    bool kept = stays_before(draft, last);
    findings->left_out[kept ? last->kind : draft->kind]++;
    if (kept) {
        *last = *draft;
    }
}

void finding_add(struct findings *findings, enum config_finding_kind kind, const char *at,
                 const char *text)
{
    out_text(finding_begin(findings, kind, at), text);
    finding_end(findings);
}

static bool stands_before(const struct finding *a, const struct finding *b)
{
    if (a->at != b->at) {
        return (uintptr_t)a->at < (uintptr_t)b->at; /* NULL, the whole file, comes first */
    }
    return a->order < b->order;
}

static bool stays_before(const struct finding *a, const struct finding *b)
{
    return a->kind != b->kind ? a->kind < b->kind : stands_before(a, b);
}

/* ---- Reporting ----------------------------------------------------------------------------- */

void findings_report(const struct findings *findings, bool tree, config_report_fn report, void *ctx)
{
    const struct finding *previous = NULL;
    for (size_t n = 0; n < findings->count; n++) {
        const struct finding *next = NULL;
        for (size_t i = 0; i < findings->count; i++) {
            const struct finding *candidate = &findings->list[i];
            bool left = previous == NULL || stands_before(previous, candidate);
            if (left && (next == NULL || stands_before(candidate, next))) {
                next = candidate;
            }
        }
        assert(next != NULL);
        report_one(findings, next, tree, report, ctx);
        previous = next;
    }
    report_left_out(findings, report, ctx);
}

static void report_one(const struct findings *findings, const struct finding *finding, bool tree,
                       config_report_fn report, void *ctx)
{
    char path_text[PATH_LEN_MAX];
    struct out path;
    struct config_finding told = {.kind = (enum config_finding_kind)finding->kind,
                                  .message = slice_of(finding->text, finding->text_len)};
    out_init(&path, path_text, sizeof(path_text));
    if (finding->at != NULL) {
        size_t offset = (size_t)(finding->at - findings->text.ptr);
        struct json_place place = json_place_of(findings->text, offset);
        told.line = place.line;
        told.column = place.column;
    }
    if (finding->at != NULL && tree) {
        place_path(&path, findings->text, finding->at);
    }
    told.path = out_slice(&path);
    report(ctx, &told);
}

static void report_left_out(const struct findings *findings, config_report_fn report, void *ctx)
{
    static const char names[][9] = {"error", "warning", "note"};
    for (size_t kind = 0; kind <= CONFIG_NO_EFFECT; kind++) {
        char text[48];
        struct out out;
        if (findings->left_out[kind] == 0) {
            continue;
        }
        out_init(&out, text, sizeof(text));
        out_text(&out, "and ");
        out_u64(&out, findings->left_out[kind]);
        out_text(&out, " more ");
        out_text(&out, names[kind]);
        out_text(&out, findings->left_out[kind] > 1 ? "s" : "");
        struct config_finding told = {.kind = (enum config_finding_kind)kind,
                                      .message = out_slice(&out)};
        report(ctx, &told);
    }
}

/* ---- Helpers of messages ------------------------------------------------------------------- */

/* The first QUOTE_LEN_MAX bytes, without half a character at the end. */
static struct slice beginning_of(struct slice s)
{
    struct slice part = slice_take(s, QUOTE_LEN_MAX);
    while (part.len > 0 && part.len < s.len && ((unsigned char)s.ptr[part.len] & 0xC0u) == 0x80u) {
        part.len--;
    }
    return part;
}

void finding_quote(struct out *out, struct slice s)
{
    struct slice part = beginning_of(s);
    out_char(out, '"');
    out_json_escaped(out, part, false);
    out_text(out, part.len < s.len ? "...\"" : "\"");
}

void finding_value(struct out *out, struct slice raw)
{
    switch (json_type_of(raw)) {
    case JSON_OBJECT:
        out_text(out, "an object");
        break;
    case JSON_ARRAY:
        out_text(out, raw.len == 2 ? "an empty list" : "a list");
        break;
    default:
        out_put(out, beginning_of(raw));
        out_text(out, raw.len > QUOTE_LEN_MAX ? "..." : "");
        break;
    }
}
