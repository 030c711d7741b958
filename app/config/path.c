#include "config/path.h"

#include <assert.h>

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, struct slice set)
{
    return slice_find(set, c) < set.len;
}

/* ---- Pieces -------------------------------------------------------------------------------- */

/* The reference's pattern of a param in a url_pattern: \{([\w\-\.:/]+)\}. */
static bool is_param_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_letter_or_digit(name.ptr[i]) && !is_one_of(name.ptr[i], SLICE_LIT("-_.:/"))) {
            return false;
        }
    }
    return name.len > 0;
}

int path_next(struct slice *rest, struct path_piece *piece)
{
    if (rest->len == 0) {
        return 0;
    }
    piece->is_param = rest->ptr[0] == '{';
    if (!piece->is_param) {
        piece->text = slice_take(*rest, slice_find(*rest, '{'));
        *rest = slice_skip(*rest, piece->text.len);
        return slice_find(piece->text, '}') < piece->text.len ? LIMPET_ERR_SYNTAX : 1;
    }
    size_t end = slice_find(*rest, '}');
    piece->text = slice_skip(slice_take(*rest, end), 1);
    if (end == rest->len || !is_param_name(piece->text)) {
        return LIMPET_ERR_SYNTAX;
    }
    *rest = slice_skip(*rest, end + 1);
    return 1;
}

int path_param_find(const struct path_params *params, struct slice name)
{
    for (int i = 0; i < params->count; i++) {
        if (slice_equal(params->names[i], name)) {
            return i;
        }
    }
    return -1;
}

/* ---- Bytes --------------------------------------------------------------------------------- */

/* RFC 3986 section 3.3 without what the reference's schema forbids (* ? & %) and ':', which its
 * router takes for a param. */
size_t path_find_bad(struct slice s)
{
    size_t i = 0;
    while (i < s.len &&
           (is_letter_or_digit(s.ptr[i]) || is_one_of(s.ptr[i], SLICE_LIT("/-._~!$'()+,;=@")))) {
        i++;
    }
    return i;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

size_t path_find_bad_in_url(struct slice s)
{
    struct slice allowed = SLICE_LIT("/-._~!$&'()*+,;=:@?[]");
    size_t i = 0;
    while (i < s.len) {
        bool escape =
            s.ptr[i] == '%' && i + 2 < s.len && is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]);
        if (!escape && !is_letter_or_digit(s.ptr[i]) && !is_one_of(s.ptr[i], allowed)) {
            break;
        }
        i += escape ? 3 : 1;
    }
    return i;
}

/* ---- Endpoint paths ------------------------------------------------------------------------ */

static const char *segment_check(struct slice segment, bool last)
{
    if (segment.len == 0) {
        return last ? NULL : "must not hold an empty segment (//)";
    }
    if (slice_equal(segment, SLICE_LIT(".")) || slice_equal(segment, SLICE_LIT(".."))) {
        return "must not hold \".\" or \"..\": clients remove them";
    }
    size_t brace = slice_find(segment, '{');
    bool whole = brace == 0 && slice_find(segment, '}') == segment.len - 1;
    if (brace < segment.len && !whole) {
        return "a {param} must be a whole segment, as in \"/a/{b}/c\"";
    }
    return NULL;
}

static bool is_reserved_name(struct slice segment)
{
    return slice_equal(segment, SLICE_LIT("__debug")) ||
           slice_equal(segment, SLICE_LIT("__echo")) || slice_equal(segment, SLICE_LIT("__health"));
}

const char *path_check(struct slice path, size_t *segment_count)
{
    assert(path.len > 0 && path.ptr[0] == '/');
    struct slice rest = path;
    *segment_count = 0;
    while (rest.len > 0) {
        (*segment_count)++;
        rest = slice_skip(rest, 1); /* the slash */
        struct slice segment = slice_take(rest, slice_find(rest, '/'));
        rest = slice_skip(rest, segment.len);
        const char *problem = segment_check(segment, rest.len == 0);
        if (problem != NULL) {
            return problem;
        }
        /* The reference's pattern is not anchored at the start: /__(debug|echo|health)(/.*)?$ */
        if (is_reserved_name(segment)) {
            return "/__debug, /__echo and /__health are reserved";
        }
    }
    return NULL;
}

bool path_same_route(struct slice a, struct slice b)
{
    while (a.len > 0 && b.len > 0) {
        if (a.ptr[0] != b.ptr[0]) {
            return false;
        }
        bool param = a.ptr[0] == '{';
        a = slice_skip(a, param ? slice_find(a, '}') + 1 : 1);
        b = slice_skip(b, param ? slice_find(b, '}') + 1 : 1);
    }
    return a.len == b.len;
}

/* ---- Metric names -------------------------------------------------------------------------- */

void path_write_endpoint_name(struct out *out, struct slice path)
{
    struct path_piece piece;
    while (path_next(&path, &piece) == 1) {
        out_text(out, piece.is_param ? ":" : "");
        out_put(out, piece.text);
    }
}

void path_write_backend_name(struct out *out, struct slice url_pattern)
{
    struct path_piece piece;
    while (path_next(&url_pattern, &piece) == 1) {
        if (!piece.is_param) {
            out_put(out, piece.text);
            continue;
        }
        char first = piece.text.ptr[0];
        out_text(out, "{{.");
        out_char(out, first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first);
        out_put(out, slice_skip(piece.text, 1));
        out_text(out, "}}");
    }
}
