/* Why there is no secure connection, in words, and counted by kind. */
#ifndef LIMPET_TLS_REASON_H
#define LIMPET_TLS_REASON_H

#include "tls/tls.h"

/* `code` is mbedTLS's error, 0: the caller gave up while the handshake waited for the peer. Counts
 * it, and logs it unless the same was said a moment ago. While conn->ssl still lives. */
void reason_tell(struct tls_conn *conn, int code);
/* Of name and port; never 0. */
uint32_t reason_hash(const struct tls_target *target);
/* mbedTLS's error means that the arena is used up. */
bool reason_is_memory(int code);

#endif
