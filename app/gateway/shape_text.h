/* Bytes of JSON moved about in place: the tools of gateway/shape. Not for other rooms. */
#ifndef LIMPET_GATEWAY_SHAPE_TEXT_H
#define LIMPET_GATEWAY_SHAPE_TEXT_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>

/* Moves the tokens of `value`, an accepted one that members may have been blanked out of, to
 * to[0..): without white space and without commas that separate nothing. `to` is not behind
 * value.ptr. Returns their length. */
size_t shape_text_tidy(char *to, struct slice value);
/* Writes U+FFFD for each bad byte of bytes[0..*len). LIMPET_ERR_TOO_LONG: no room. */
LIMPET_WARN_UNUSED
int shape_text_repair_utf8(char *bytes, size_t *len, size_t size);
/* Puts prefix and suffix around bytes[0..*len). LIMPET_ERR_TOO_LONG: no room. */
LIMPET_WARN_UNUSED
int shape_text_wrap(char *bytes, size_t *len, size_t size, struct slice prefix,
                    struct slice suffix);

#endif
