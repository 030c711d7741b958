#include "tls/tls.h"

#include "net/pool.h"
#include "port/port.h"
#include "tls/conn.h"

#include "mbedtls/entropy.h"
#include "mbedtls/memory_buffer_alloc.h"
#include "mbedtls/platform.h"
#include "mbedtls/psa_util.h"
#include "psa/crypto.h"

#include <assert.h>
#include <string.h>

#define PREFIX "[SERVICE: TLS]"

static bool take_first_keys(void);
static void init_profile(struct tls *tls, struct tls_profile *profile);
static void copy_config(struct tls_profile *profile);
static int set_own(struct tls *tls, struct tls_profile *profile,
                   const struct tls_identity *identity);
static void log_identity(struct tls *tls, enum tls_purpose purpose, const char *text);

/* Forward secrecy and authenticated encryption only. */
static const int ciphers[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

/* TLS 1.3 takes RSA as PSS only. mbedTLS 3.6.6 offers PSS, but does not take it in TLS 1.2: servers
 * that follow our order must find the old form first. */
#define SIGNATURES                                                                                 \
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,          \
        MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,                  \
        MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512
static const uint16_t signatures_plain[] = {SIGNATURES, MBEDTLS_TLS1_3_SIG_NONE};
static const uint16_t signatures[] = {SIGNATURES,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
                                      MBEDTLS_TLS1_3_SIG_NONE};

/* ---- Begin ----------------------------------------------------------------------------------- */

void tls_init(struct tls *tls, struct net *net, struct log *log)
{
    tls->net = net;
    tls->log = log;
    for (size_t i = LIMPET_TLS_CONNS; i > 0; i--) {
        tls->conns[i - 1].next = tls->free;
        tls->free = &tls->conns[i - 1];
    }
    mbedtls_memory_buffer_alloc_init((unsigned char *)tls->arena, sizeof(tls->arena));
    resume_init(&tls->resume);
    tls->usable = psa_crypto_init() == PSA_SUCCESS && take_first_keys();
    if (!tls->usable) {
        log_line(log, LOG_ERROR, PREFIX, "no entropy: https:// connections will be refused");
    }
    for (size_t i = 0; i < TLS_PURPOSES; i++) {
        init_profile(tls, &tls->profiles[i]);
    }
}

/* PSA keeps the block of its first keys for ever: let it lie at the arena's start, not in the
 * middle of what the first handshake leaves. */
static bool take_first_keys(void)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t key;
    const uint8_t data = 0;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_RAW_DATA);
    return psa_import_key(&attributes, &data, 1, &key) == PSA_SUCCESS &&
           psa_destroy_key(key) == PSA_SUCCESS;
}

static void init_profile(struct tls *tls, struct tls_profile *profile)
{
    mbedtls_ssl_config *config = &profile->config;
    profile->tls = tls;
    trust_init(&profile->trust);
    mbedtls_x509_crt_init(&profile->own_chain);
    mbedtls_pk_init(&profile->own_key);
    mbedtls_ssl_config_init(config);
    int err = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT,
                                          MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    assert(err == 0);
    (void)err;
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_cb(config, trust_find, &profile->trust);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    mbedtls_ssl_conf_sig_algs(config, signatures);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    copy_config(profile);
}

/* Neither of the two is ever freed. */
static void copy_config(struct tls_profile *profile)
{
    profile->config_plain = profile->config;
    mbedtls_ssl_conf_sig_algs(&profile->config_plain, signatures_plain);
}

/* Called by mbedTLS's generator when it is seeded. Fewer bytes than asked for are never given. */
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *out_len);
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *out_len)
{
    (void)data;
    *out_len = 0;
    if (!port_entropy(output, len)) {
        return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    }
    *out_len = len;
    return 0;
}

_Noreturn void tls_arena_broken(int code)
{
    (void)code;
    assert(false && "the arena's lists");
    for (;;) {
    }
}

void tls_set_time(struct tls *tls, uint64_t now_ns, int64_t unix_ns)
{
    if (tls->unix_ns == 0 && unix_ns != 0) {
        resume_forget_undated(&tls->resume);
    }
    tls->now_ns = now_ns;
    tls->unix_ns = unix_ns;
    tls_sample(tls);
}

void tls_sample(struct tls *tls)
{
    size_t blocks;
    mbedtls_memory_buffer_alloc_cur_get(&tls->arena_used, &blocks);
    mbedtls_memory_buffer_alloc_max_get(&tls->arena_peak, &blocks);
    tls->arena_max = tls->arena_peak > tls->arena_max ? tls->arena_peak : tls->arena_max;
}

void tls_reset_peak(struct tls *tls)
{
    tls_sample(tls);
    mbedtls_memory_buffer_alloc_max_reset();
}

/* ---- Whom to trust, who we are --------------------------------------------------------------- */

int tls_set_identity(struct tls *tls, enum tls_purpose purpose,
                     const struct tls_identity *identity)
{
    struct tls_profile *profile = &tls->profiles[purpose];
    int err = LIMPET_OK;
    assert(identity->authorities_count <= LIMPET_TLS_FILES);
    for (size_t i = 0; i < identity->authorities_count && err == LIMPET_OK; i++) {
        err = trust_add(&profile->trust, identity->authorities[i]);
    }
    if (err == LIMPET_OK && identity->system.len > 0 &&
        trust_add(&profile->trust, identity->system) != LIMPET_OK) {
        log_identity(tls, purpose, "not all authorities of the system fit, or it has none");
    }
    if (err == LIMPET_ERR_FULL) {
        log_identity(tls, purpose, "more authorities than LIMPET_TLS_AUTHORITIES, or no memory");
    } else if (err != LIMPET_OK) {
        log_identity(tls, purpose, "a file of authorities has no certificate in PEM form");
    } else if (identity->own_chain.len > 0) {
        err = set_own(tls, profile, identity);
        if (err != LIMPET_OK) {
            log_identity(tls, purpose,
                         "client certificate or key unreadable, encrypted, or not a pair");
        }
    }
    return err;
}

/* mbedTLS wants PEM with a NUL behind it; files have none. */
static unsigned char *with_nul(struct slice text)
{
    unsigned char *copy = mbedtls_calloc(1, text.len + 1);
    if (copy != NULL) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

static int set_own(struct tls *tls, struct tls_profile *profile,
                   const struct tls_identity *identity)
{
    unsigned char *chain = with_nul(identity->own_chain);
    unsigned char *key = with_nul(identity->own_key);
    int err = chain == NULL || key == NULL ? MBEDTLS_ERR_X509_ALLOC_FAILED : 0;
    (void)tls;
    if (err == 0) {
        err = mbedtls_x509_crt_parse(&profile->own_chain, chain, identity->own_chain.len + 1);
    }
    if (err == 0) {
        err = mbedtls_pk_parse_key(&profile->own_key, key, identity->own_key.len + 1, NULL, 0,
                                   mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    }
    if (err == 0) {
        err = mbedtls_pk_check_pair(&profile->own_chain.pk, &profile->own_key,
                                    mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    }
    if (err == 0) {
        err = mbedtls_ssl_conf_own_cert(&profile->config, &profile->own_chain, &profile->own_key);
    }
    copy_config(profile);
    mbedtls_free(chain);
    if (key != NULL) {
        memset(key, 0, identity->own_key.len);
    }
    mbedtls_free(key);
    return err == 0 ? LIMPET_OK : LIMPET_ERR_SYNTAX;
}

static void log_identity(struct tls *tls, enum tls_purpose purpose, const char *text)
{
    struct out *out = log_begin(tls->log, LOG_ERROR, PREFIX);
    out_text(out, purpose == TLS_FOR_INFLUX ? "InfluxDB: " : "backends: ");
    out_text(out, text);
    log_end(tls->log);
}

/* ---- Connect --------------------------------------------------------------------------------- */

static struct tls_conn *take(struct tls *tls, const struct tls_target *target)
{
    struct tls_conn *conn = tls->free;
    struct transport *outer = conn == NULL ? NULL : pool_take(tls->net, &conn_ops);
    if (outer == NULL) {
        return NULL;
    }
    tls->free = conn->next;
    memset(conn, 0, offsetof(struct tls_conn, in));
    conn->state = TLS_CONN_CONNECTING;
    conn->tls = tls;
    conn->outer = outer;
    conn->profile = &tls->profiles[target->purpose];
    conn->target = *target;
    mbedtls_ssl_init(&conn->ssl);
    outer->pcb = conn;
    tls->used++;
    tls->used_max = tls->used > tls->used_max ? tls->used : tls->used_max;
    return conn;
}

int tls_connect(struct tls *tls, const struct tls_target *target, void *owner,
                transport_step_fn step, struct transport **t)
{
    if (!tls->usable) {
        tls->refused++;
        return LIMPET_ERR_TLS;
    }
    struct tls_conn *conn = take(tls, target);
    if (conn == NULL) {
        tls->refused++;
        return LIMPET_ERR_FULL;
    }
    int err =
        net_connect(tls->net, target->ip4, target->port, conn, conn_step, &conn->inner);
    if (err != LIMPET_OK) {
        conn->inner = NULL;
        transport_abort(conn->outer);
        return err;
    }
    transport_own(conn->outer, owner, step);
    *t = conn->outer;
    return LIMPET_OK;
}
