/* The request that a backend gets: its target with values filled in, and the fields that go on.
 *
 * As the reference forwards: nothing but Content-Type unless the endpoint lists names, then those;
 * X-Forwarded-For and X-Forwarded-Host are always ours; a backend's own list filters what is left.
 */
#ifndef LIMPET_GATEWAY_FORWARD_H
#define LIMPET_GATEWAY_FORWARD_H

#include "gateway/backend.h"

/* Path and query of the backend's url_pattern, and the parameters that go on. */
void forward_write_target(const struct backend *b, struct out *out);
/* The fields behind Host, each with its end of line. */
void forward_write_fields(const struct backend *b, struct out *head);

#endif
