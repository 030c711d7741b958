/* Paths as the configuration keeps them: cleaned, in pieces. */
#include "config/loader.h"

#include <assert.h>

struct slice loader_clean_path(struct loader *l, struct slice path, const char *at)
{
    if (path.len > 0 && path.ptr[0] == '/') {
        return loader_keep(l, path, at);
    }
    if (path.len == 0) {
        return SLICE_LIT("/");
    }
    struct out *out = loader_compose(l, path.len + 1, at);
    if (out == NULL) {
        return SLICE_EMPTY;
    }
    out_char(out, '/');
    out_put(out, path);
    return loader_composed(l, path.len + 1);
}

void loader_report_byte(struct loader *l, const char *at, struct slice path, size_t bad)
{
    unsigned char byte = (unsigned char)path.ptr[bad];
    struct out *out = loader_error_begin(l, at);
    if (byte >= 0x80) {
        out_text(
            out,
            "must be plain ASCII; write other characters as %XX of their UTF-8 in url_pattern");
    } else {
        out_text(out, "must not hold ");
        finding_quote(out, slice_of(path.ptr + bad, 1));
        out_text(out, byte == '%' ? " without two hex digits" : "");
        out_text(out, byte == '*' ? ": wildcards are not supported" : "");
    }
    finding_end(l->findings);
}

/* ---- Pieces -------------------------------------------------------------------------------- */

static size_t pieces_count(struct slice path)
{
    struct path_piece piece;
    size_t count = 0;
    bool query = false;
    while (path_next(&path, &piece) == 1) {
        size_t mark = piece.is_param ? piece.text.len : slice_find(piece.text, '?');
        bool cut = !query && mark > 0 && mark < piece.text.len;
        query = query || mark < piece.text.len;
        count += cut ? 2 : 1;
    }
    return count;
}

static void segment_add(struct config *config, struct config_segment segment)
{
    if (segment.text.len > 0) {
        config->segments[config->segment_count++] = segment;
    }
}

void loader_store_segments(struct loader *l, struct slice path, const struct path_params *params,
                           const char *at, uint16_t *first, uint16_t *count)
{
    struct config *config = l->config;
    struct path_piece piece;
    bool query = false;
    size_t needed = pieces_count(path);
    if (!loader_take(l, TABLE_SEGMENTS, needed, at)) {
        return;
    }
    *first = config->segment_count;
    while (path_next(&path, &piece) == 1) {
        struct config_segment segment = {
            .kind = SEGMENT_PARAM, .text = piece.text, .in_query = query};
        if (piece.is_param) {
            segment.param = (uint8_t)path_param_find(params, piece.text);
            segment_add(config, segment);
            continue;
        }
        size_t mark = query ? 0 : slice_find(piece.text, '?');
        segment.kind = SEGMENT_TEXT;
        segment.text = slice_take(piece.text, mark);
        segment_add(config, segment);
        query = query || mark < piece.text.len;
        segment.text = slice_skip(piece.text, mark);
        segment.in_query = query;
        segment_add(config, segment);
    }
    *count = (uint16_t)(config->segment_count - *first);
    assert(*count == needed);
}
