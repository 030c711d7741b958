/* Endpoint paths and url_patterns: text with {params}. Pure functions over text. */
#ifndef LIMPET_CONFIG_PATH_H
#define LIMPET_CONFIG_PATH_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The {params} of one endpoint, in their order. */
struct path_params {
    struct slice names[LIMPET_PARAMS_MAX];
    uint8_t count;
};

struct path_piece {
    bool is_param;
    struct slice text; /* literal, or the name without braces */
};

/* The next piece of `rest`, which is moved on. 1: a piece, 0: the end, LIMPET_ERR_SYNTAX: a brace
 * without its partner, an empty name, or a name of other bytes than letters, digits and - _ . : /.
 */
LIMPET_WARN_UNUSED
int path_next(struct slice *rest, struct path_piece *piece);

/* Index of the first byte that an endpoint path (its text between params) must not hold, or s.len.
 */
size_t path_find_bad(struct slice s);
/* The same of a url_pattern, which may hold a query and %XX. */
size_t path_find_bad_in_url(struct slice s);

/* Rules of a whole endpoint path; NULL, or what is wrong (static): an empty, "." or ".." segment, a
 * param that is not a whole segment, a path that the gateway keeps for itself. Counts the segments.
 */
const char *path_check(struct slice path, size_t *segment_count);

/* Do both match the same requests? Names of params do not count. */
bool path_same_route(struct slice a, struct slice b);

/* Index of a param, or -1. */
int path_param_find(const struct path_params *params, struct slice name);

/* The metric names of the reference: {id} becomes :id in an endpoint, {{.Id}} in a url_pattern. */
void path_write_endpoint_name(struct out *out, struct slice path);
void path_write_backend_name(struct out *out, struct slice url_pattern);

#endif
