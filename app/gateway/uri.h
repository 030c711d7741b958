/* Pieces of request targets and URLs: percent escapes in and out, and the Location of a redirect.
 *
 * Pure functions over slices; nothing is decoded into a buffer. "Raw" text carries %XX escapes and
 * was accepted by uri_escapes_valid(); "plain" text stands for itself. */
#ifndef LIMPET_GATEWAY_URI_H
#define LIMPET_GATEWAY_URI_H

#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Each '%' is followed by two hex digits. */
bool uri_escapes_valid(struct slice raw);
/* The next decoded byte (0..255), taken off the front; -1 at the end. */
int uri_next_byte(struct slice *raw);
/* Decoded raw text equals the plain one; with `fold` ASCII letters are compared without case. */
bool uri_equals(struct slice raw, struct slice plain, bool fold);
/* The raw text decodes to this byte somewhere. */
bool uri_contains(struct slice raw, char byte);

/* Decodes and escapes anew: what may stand in a path segment or in the value of a query parameter
 * stays as it is, every other byte becomes %XX (RFC 3986 sections 3.3 and 3.4). `&`, `+`, `=` and
 * `;` are escaped in a query value, so that a value never adds a parameter. */
void uri_write_segment(struct out *out, struct slice raw);
void uri_write_query_value(struct out *out, struct slice raw);
/* As uri_write_segment for plain text, slashes kept. */
void uri_write_plain_path(struct out *out, struct slice plain);
/* As uri_write_query_value for plain text. */
void uri_write_plain_value(struct out *out, struct slice plain);
/* Plain text in a query: as Go's url.QueryEscape, a blank becomes '+'. */
void uri_write_plain_query(struct out *out, struct slice plain);
/* Text that is part of a target already: only bytes that may not stand in a request line are
 * escaped. */
void uri_write_text(struct out *out, struct slice text);

/* ---- Location ---------------------------------------------------------------------------------
 */

struct uri_location {
    bool has_host; /* false: the host that was asked */
    bool tls;
    uint16_t port;
    struct slice name;      /* host name or IPv4 literal */
    struct slice authority; /* name, and :port as written */
    struct slice rest;      /* path and query, fragment removed; may be relative or empty */
};

/* Reads a Location value (RFC 9110 section 10.2.2). LIMPET_ERR_UNSUPPORTED: other schemes than http
 * and https, user information, IPv6 literals. LIMPET_ERR_SYNTAX: no host, bad port. */
LIMPET_WARN_UNUSED
int uri_parse_location(struct slice value, bool base_tls, struct uri_location *location);
/* Writes the request target (path and query) that `location` means when found at `base_target`
 * (RFC 3986 section 5.2: merged, dot segments removed); bytes that may not stand in a request line
 * are escaped. `out` must be of the buffer form and empty, and not hold base_target. */
void uri_write_target(struct out *out, struct slice base_target,
                      const struct uri_location *location);

#endif
