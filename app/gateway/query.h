/* The part of a client's query that goes on to a backend: filtered, sorted, encoded anew.
 *
 * As Go's url.ParseQuery and Values.Encode: parameters stand between '&', '+' is a blank; one with
 * a
 * ';' or a broken %XX is left out; keys in the order of their bytes, equal ones in their order. */
#ifndef LIMPET_GATEWAY_QUERY_H
#define LIMPET_GATEWAY_QUERY_H

#include "base/out.h"
#include "config/config.h"
#include "gateway/keyset.h"

/* Writes "k=v&k=v" of those parameters that the endpoint and the backend let through, `mark` in
 * front of the first. `set` is memory for one call. */
void query_write(struct out *out, struct keyset *set, const struct config *config,
                 const struct config_pass *endpoint, const struct config_pass *backend,
                 struct slice query, char mark);

#endif
