/* Whom we trust: PEM files with certificates of authorities, left where they are.
 *
 * A parsed certificate costs about 3 kB, Debian's bundle has 150 of them. So only their places are
 * kept, with a hash of their names; the one or two that a chain asks for are parsed while it is
 * verified, and freed with it. */
#ifndef LIMPET_TLS_TRUST_H
#define LIMPET_TLS_TRUST_H

#include "app_config.h"
#include "base/err.h"
#include "base/slice.h"

#include "mbedtls/x509_crt.h"

#include <stdint.h>

/* Base64 of one certificate, between the lines of PEM. */
struct trust_entry {
    const char *pem;
    uint32_t pem_len;
    uint32_t subject_hash;
};

/* For static placement; do not touch the fields. */
struct trust {
    size_t count;
    size_t skipped; /* certificates that mbedTLS cannot read */
    bool exhausted; /* the last trust_find found no memory */
    struct trust_entry entries[LIMPET_TLS_AUTHORITIES];
};

void trust_init(struct trust *trust);
/* Adds all certificates of a PEM text, which must stay. LIMPET_ERR_FULL: more than
 * LIMPET_TLS_AUTHORITIES, or the arena is used up; LIMPET_ERR_NOT_FOUND: none could be read. */
LIMPET_WARN_UNUSED
int trust_add(struct trust *trust, struct slice pem);
/* mbedTLS's callback (ctx is the trust): a list of those that could have signed `child`. */
int trust_find(void *ctx, const mbedtls_x509_crt *child, mbedtls_x509_crt **candidates);
/* This very certificate is in the list. */
bool trust_has(const struct trust *trust, const mbedtls_x509_crt *certificate);

#endif
