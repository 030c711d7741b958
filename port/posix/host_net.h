/* Questions about the host's own network, asked before slirp starts. */
#ifndef LIMPET_POSIX_HOST_NET_H
#define LIMPET_POSIX_HOST_NET_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A /24 for slirp that is neither on an interface of the host nor holds a backend that the
 * configuration names by address: 10.0.2.0 where possible. Host byte order. */
uint32_t host_net_choose(const struct config *config);

/* Whether two networks, given as any address in them and their masks, have an address in common. */
bool host_net_overlap(uint32_t a, uint32_t a_mask, uint32_t b, uint32_t b_mask);

/* Tries to listen where each entry says, all at the same time, then lets go. LIMPET_OK, or
 * LIMPET_ERR_BUSY: *failed is the first that cannot be and *error its errno. What is left of old
 * connections (TIME_WAIT) does not count as taken. */
LIMPET_WARN_UNUSED
int host_net_try_listen(const struct config_listen *entries, size_t count, size_t *failed,
                        int *error);

#endif
