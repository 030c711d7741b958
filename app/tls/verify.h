/* What is asked of a certificate beside the chain that mbedTLS checks: dates and names. */
#ifndef LIMPET_TLS_VERIFY_H
#define LIMPET_TLS_VERIFY_H

#include "tls/tls.h"

/* Hands the name to mbedTLS: it sends and compares it. An address is compared here only, as SNI
 * carries names only (RFC 6066 section 3). LIMPET_ERR_FULL: arena used up, name too long. */
LIMPET_WARN_UNUSED
int verify_begin(struct tls_conn *conn);
/* mbedTLS's callback for each certificate of a chain, ctx is the connection. */
int verify_certificate(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

#endif
