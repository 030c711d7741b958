/* Where in the text: from an offset to the JSON path that a user can follow.
 *
 * Found by walking the text again, only when there is something to report. */
#ifndef LIMPET_CONFIG_PLACE_H
#define LIMPET_CONFIG_PLACE_H

#include "base/out.h"
#include "base/slice.h"

/* Writes the path of the value that starts at `at`, or of the member whose key starts there (at its
 * quote): endpoints[0].backend[0].url_pattern. A key that would not read well behind a dot is
 * written as
 * ["key"]. The root has the empty path. `text` was accepted by json_check; `at` points into it. */
void place_path(struct out *path, struct slice text, const char *at);

#endif
