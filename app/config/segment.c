/* Paths as the configuration keeps them: cleaned, in pieces. */
#include "base/num.h"
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

bool loader_response_param(struct slice name, uint64_t *number, struct slice *path)
{
    struct slice prefix = SLICE_LIT("resp");
    size_t under = slice_find(name, '_');
    struct slice digits = slice_skip(slice_take(name, under), prefix.len);
    *path = slice_skip(name, under + 1);
    return slice_starts_with(name, prefix) && path->len > 0 &&
           num_parse_u64(digits, UINT8_MAX, number) == LIMPET_OK;
}

static void segment_add_param(struct config *config, struct config_segment segment,
                              const struct path_params *params)
{
    int index = path_param_find(params, segment.text);
    if (index >= 0) {
        segment.param = (uint8_t)index;
    } else {
        uint64_t number = 0;
        bool ok = loader_response_param(segment.text, &number, &segment.text);
        assert(ok); /* it was checked */
        (void)ok;
        segment.kind = SEGMENT_RESPONSE;
        segment.param = (uint8_t)number;
    }
    segment_add(config, segment);
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
            segment_add_param(config, segment, params);
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
