/* Sessions that servers let us resume: which server, for what purpose, until when.
 *
 * A session of TLS 1.3 is used once (RFC 8446 appendix C.4): whoever takes it has it, and the
 * server gives a new one. One of TLS 1.2 stays until it is replaced. */
#ifndef LIMPET_TLS_RESUME_H
#define LIMPET_TLS_RESUME_H

#include "app_config.h"
#include "base/slice.h"

#include "mbedtls/ssl.h"

#include <stdbool.h>
#include <stdint.h>

#define RESUME_NAME_LEN_MAX 64u /* longer names are never resumed */

struct resume_key {
    struct slice name;
    uint16_t port;
    uint8_t purpose;
};

struct resume_slot {
    bool used;
    bool dates_checked; /* of the chain that was seen when the session began */
    uint8_t purpose;
    uint8_t name_len;
    uint16_t port;
    uint64_t kept_ns;
    char name[RESUME_NAME_LEN_MAX];
    mbedtls_ssl_session session;
};

/* For static placement; do not touch the fields. */
struct resume {
    size_t count;
    struct resume_slot slots[LIMPET_TLS_SESSIONS];
};

void resume_init(struct resume *resume);
/* Offers the server what there is; true when there was something. `now_ns` to leave out what is
 * older than a server may accept (7 days, RFC 8446 section 4.6.1). */
bool resume_offer(struct resume *resume, const struct resume_key *key, uint64_t now_ns,
                  mbedtls_ssl_context *ssl, bool *dates_checked);
/* Keeps the session that the server has just given; false: there is none, or no memory. */
bool resume_keep(struct resume *resume, const struct resume_key *key, uint64_t now_ns,
                 mbedtls_ssl_context *ssl, bool dates_checked);
/* Drops the session: the server went wrong while it was used. */
void resume_forget(struct resume *resume, const struct resume_key *key);
/* The clock is known now: sessions whose chains were never dated are dropped. */
void resume_forget_undated(struct resume *resume);

/* The peer's chain is needed until the handshake is over; a connection keeps up to 12 kB of it for
 * nothing. */
void resume_free_chain(mbedtls_ssl_context *ssl);

#endif
