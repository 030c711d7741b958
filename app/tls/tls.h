/* Encrypted connections to servers: TLS 1.2 and 1.3 with mbedTLS over another transport.
 *
 * A connection is a transport like any other; it becomes OPEN when the handshake is done, the chain
 * of the server leads to a trusted authority and its certificate is for the name that was asked
 * for. Nothing turns that off. The dates of certificates are checked as soon as the wall clock is
 * known; handshakes before are counted, and their sessions are not resumed after it.
 *
 * One handshake step a turn, so that others get theirs in between. Deadlines belong to the caller:
 * transport_abort at any time. All memory of mbedTLS is the arena; when it is used up, the
 * handshake fails with that reason, and nothing else.
 *
 * Differs from the TCP kind in one thing: transport_close hands on what it can at that moment; what
 * TCP has no room for is lost, and the peer sees an end without close_notify. */
#ifndef LIMPET_TLS_TLS_H
#define LIMPET_TLS_TLS_H

#include "app_config.h"
#include "base/log.h"
#include "net/net.h"
#include "tls/resume.h"
#include "tls/trust.h"

#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections of one purpose: whom they trust and who they say we are. */
struct tls_profile {
    struct tls *tls;
    struct trust trust;
    mbedtls_ssl_config config;
    mbedtls_ssl_config config_plain; /* without RSA-PSS, see conn.c */
    mbedtls_x509_crt own_chain;
    mbedtls_pk_context own_key;
};

/* What a profile is made of: PEM texts, which must stay in place. */
struct tls_identity {
    struct slice authorities[LIMPET_TLS_FILES];
    size_t authorities_count;
    struct slice system; /* authorities too, may be empty; those that do not fit are left out */
    struct slice own_chain; /* empty: no client certificate */
    struct slice own_key;   /* not encrypted */
};

/* Which purpose: the index into tls->profiles. */
enum tls_purpose { TLS_FOR_BACKENDS, TLS_FOR_INFLUX, TLS_PURPOSES };

/* Where a connection goes. `name` (host name or address) must outlive it. */
struct tls_target {
    struct slice name;
    uint32_t ip4; /* of `name`, host byte order */
    uint16_t port;
    enum tls_purpose purpose;
};

enum tls_conn_state {
    TLS_CONN_FREE,
    TLS_CONN_CONNECTING,
    TLS_CONN_HANDSHAKE,
    TLS_CONN_OPEN,
    TLS_CONN_ENDED, /* failed, or the peer has said that it is done; mbedTLS's part is freed */
};

struct tls_conn {
    enum tls_conn_state state;
    struct tls *tls;
    struct tls_conn *next; /* free list */
    struct transport *outer;
    struct transport *inner; /* NULL once it is closed */
    struct tls_profile *profile;
    struct tls_target target;
    bool peer_is_ip;         /* the name is an address: compared with iPAddress, never sent */
    bool certificate_shown;  /* the server proved itself anew; else the session was resumed */
    bool dates_checked;      /* of the chain, or of that behind the session resumed */
    bool sealing;            /* a record waits for room in TCP */
    uint8_t heard;           /* first bytes of the peer, to tell what it speaks */
    uint8_t heard_bytes[4];
    size_t in_len;
    size_t in_used;
    size_t out_len;
    mbedtls_ssl_context ssl;
    char in[LIMPET_TLS_READ_LEN];
    char out[LIMPET_TLS_WRITE_LEN];
};

/* Why handshakes failed. */
struct tls_failures {
    uint64_t authority;   /* the chain does not lead to a trusted one */
    uint64_t name;        /* certificate for somebody else */
    uint64_t date;        /* expired, or not valid yet */
    uint64_t weak;        /* key or signature too weak */
    uint64_t usage;       /* not for a server, or not an authority */
    uint64_t memory;      /* arena or message buffer too small */
    uint64_t protocol;    /* no TLS, no common version or cipher, alert, malformed */
    uint64_t unfinished;  /* the peer went away or stayed silent in the middle */
};

/* For static placement; read the counters, do not touch the fields. */
struct tls {
    struct net *net;
    struct log *log;
    int64_t unix_ns; /* 0: not known */
    uint64_t now_ns;
    bool usable; /* false: no entropy, or psa_crypto_init failed */
    uint64_t handshakes_full;
    uint64_t handshakes_resumed;
    uint64_t handshakes_undated; /* of the full ones, without a look at the dates */
    uint64_t refused;            /* no slot, or no entropy */
    uint64_t sessions_kept;      /* that servers gave us */
    uint64_t logs_suppressed;
    struct tls_failures failures;
    size_t used;
    size_t used_max;
    size_t arena_used;
    size_t arena_max;  /* ever */
    size_t arena_peak; /* since the last handshake began */
    uint32_t logged_hash; /* the last reason, for whom, when */
    uint64_t logged_ns;
    char names[160]; /* whom the certificate that was just looked at is for */
    struct tls_conn *free;
    uint32_t plain_hosts[LIMPET_TLS_PLAIN_HOSTS]; /* hashes of name and port */
    size_t plain_next;
    struct tls_profile profiles[TLS_PURPOSES];
    struct resume resume;
    struct tls_conn conns[LIMPET_TLS_CONNS];
    /* 8-byte aligned; each block has a head of 56 B on 64 bit, 28 B on 32 bit. */
    uint64_t arena[LIMPET_TLS_ARENA_LEN / sizeof(uint64_t)];
};

/* One struct tls a program: mbedTLS's allocator has one arena. Without entropy it logs that and
 * refuses all connections. */
void tls_init(struct tls *tls, struct net *net, struct log *log);
/* Once a turn. unix_ns 0: the wall clock is not known. */
void tls_set_time(struct tls *tls, uint64_t now_ns, int64_t unix_ns);
/* Reads the identity's PEM texts. Without it a purpose trusts nobody. LIMPET_ERR_SYNTAX: own
 * certificate or key malformed or not a pair; LIMPET_ERR_FULL: too many authorities or arena too
 * small; LIMPET_ERR_NOT_FOUND: no authority in one of its files; logged. */
LIMPET_WARN_UNUSED
int tls_set_identity(struct tls *tls, enum tls_purpose purpose,
                     const struct tls_identity *identity);
/* As net_connect; LIMPET_ERR_FULL too when LIMPET_TLS_CONNS are open, LIMPET_ERR_TLS without
 * entropy. A handshake that fails shows as FAILED with LIMPET_ERR_TLS, its reason is in the log. */
LIMPET_WARN_UNUSED
int tls_connect(struct tls *tls, const struct tls_target *target, void *owner,
                transport_step_fn step, struct transport **t);
/* Refreshes arena_used, arena_max, arena_peak. */
void tls_sample(struct tls *tls);
void tls_reset_peak(struct tls *tls);

#endif
