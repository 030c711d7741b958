/* For the alert that was received and the state of the handshake, which mbedTLS has no functions
 * to ask for. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "tls/reason.h"

#include "mbedtls/entropy.h"
#include "mbedtls/error.h"

#define PREFIX "[SERVICE: TLS]"

struct reason {
    int code;
    const char *text;
};

static void write_reason(struct out *out, const struct tls_conn *conn, int code);
static void write_verify(struct out *out, const struct tls_conn *conn, uint32_t flags);
static void write_code(struct out *out, const struct tls_conn *conn, int code);
static uint64_t *counter_of(const struct tls_conn *conn, int code, struct tls_failures *failures);
static uint32_t verify_flags(const struct tls_conn *conn, int code);
static bool may_be_memory(const struct tls_conn *conn, int code);
static bool is_memory(const struct tls_conn *conn, int code);
static bool is_end(const struct tls_conn *conn, int code);
static bool said_already(struct tls_conn *conn, int code);

/* ---- Public ---------------------------------------------------------------------------------- */

void reason_tell(struct tls_conn *conn, int code)
{
    struct tls *tls = conn->tls;
    (*counter_of(conn, code, &tls->failures))++;
    if (said_already(conn, code)) {
        tls->logs_suppressed++;
        return;
    }
    struct out *out = log_begin(tls->log, LOG_ERROR, PREFIX);
    out_put(out, conn->target.name);
    out_char(out, ':');
    out_u64(out, conn->target.port);
    out_text(out, ": ");
    write_reason(out, conn, code);
    log_end(tls->log);
}

/* ---- What happened --------------------------------------------------------------------------- */

/* Flags of the chain; 0 when it was not looked at or is good. */
static uint32_t verify_flags(const struct tls_conn *conn, int code)
{
    bool refused = code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
                   code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
    uint32_t flags = refused ? mbedtls_ssl_get_verify_result(&conn->ssl) : 0;
    return flags == UINT32_MAX ? 0 : flags;
}

#define WEAK                                                                                       \
    (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY)
#define DATES (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)
#define USAGE                                                                                      \
    (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |                         \
     MBEDTLS_X509_BADCERT_NS_CERT_TYPE)

static uint64_t *counter_of(const struct tls_conn *conn, int code, struct tls_failures *failures)
{
    uint32_t flags = verify_flags(conn, code);
    if (may_be_memory(conn, code)) {
        return &failures->memory;
    }
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        return &failures->authority;
    }
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        return &failures->name;
    }
    if ((flags & DATES) != 0) {
        return &failures->date;
    }
    if ((flags & WEAK) != 0) {
        return &failures->weak;
    }
    if (flags != 0) {
        return &failures->usage;
    }
    if (is_memory(conn, code)) {
        return &failures->memory;
    }
    return code == 0 || is_end(conn, code) ? &failures->unfinished : &failures->protocol;
}

/* mbedTLS adds a low-level code (below 0x80) to a high-level one; both sets have their own for want
 * of memory. */
bool reason_is_memory(int code)
{
    int high = -(-code & 0x7F80);
    int low = -(-code & 0x7F);
    return high == MBEDTLS_ERR_SSL_ALLOC_FAILED || high == MBEDTLS_ERR_X509_ALLOC_FAILED ||
           high == MBEDTLS_ERR_PK_ALLOC_FAILED || high == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
           high == MBEDTLS_ERR_MD_ALLOC_FAILED || high == MBEDTLS_ERR_CIPHER_ALLOC_FAILED ||
           low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

/* A message that is larger than its buffer: one that comes (bad input), or ours. */
static bool is_too_long(int code)
{
    return code == MBEDTLS_ERR_SSL_BAD_INPUT_DATA || code == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
}

/* When memory ends while a signature is checked, mbedTLS says that it is bad, or something general.
 * The longest block that a check asks for is below 8 kB (RSA-4096). */
static bool may_be_memory(const struct tls_conn *conn, int code)
{
    bool vague = (verify_flags(conn, code) & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 ||
                 (-code & 0x7F80) == 0 || (-code >= 0x3880 && -code <= 0x5100);
    return code != 0 && vague && conn->tls->arena_peak + 8192u > LIMPET_TLS_ARENA_LEN;
}

/* Trust that could not be looked up counts too. */
static bool is_memory(const struct tls_conn *conn, int code)
{
    return reason_is_memory(code) || is_too_long(code) ||
           (code == MBEDTLS_ERR_X509_FATAL_ERROR && conn->profile->trust.exhausted);
}

static bool is_end(const struct tls_conn *conn, int code)
{
    return code == MBEDTLS_ERR_SSL_CONN_EOF && conn->heard == sizeof(conn->heard_bytes);
}

/* ---- Once is enough -------------------------------------------------------------------------- */

uint32_t reason_hash(const struct tls_target *target)
{
    uint32_t hash = target->port;
    for (size_t i = 0; i < target->name.len; i++) {
        hash = hash * 31u + (unsigned char)target->name.ptr[i];
    }
    return hash == 0 ? 1 : hash;
}

/* A backend that is asked a hundred times a second fails as often. */
static bool said_already(struct tls_conn *conn, int code)
{
    struct tls *tls = conn->tls;
    uint32_t hash = (uint32_t)code * 31u + verify_flags(conn, code);
    hash = hash * 31u + reason_hash(&conn->target);
    bool again = hash == tls->logged_hash && tls->logged_ns != 0 &&
                 tls->now_ns - tls->logged_ns < LIMPET_MS_TO_NS(LIMPET_TLS_LOG_AGAIN_MS);
    if (!again) {
        tls->logged_hash = hash;
        tls->logged_ns = tls->now_ns;
    }
    return again;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void write_arena(struct out *out, size_t used)
{
    out_u64(out, used);
    out_text(out, " of ");
    out_u64(out, LIMPET_TLS_ARENA_LEN);
    out_text(out, " bytes were used (LIMPET_TLS_ARENA_LEN)");
}

static void write_reason(struct out *out, const struct tls_conn *conn, int code)
{
    uint32_t flags = verify_flags(conn, code);
    if (flags != 0) {
        write_verify(out, conn, flags);
    } else {
        write_code(out, conn, code);
    }
    if (may_be_memory(conn, code)) {
        out_text(out, "; or memory is too short to tell: ");
        write_arena(out, conn->tls->arena_peak);
    }
}

static void write_verify(struct out *out, const struct tls_conn *conn, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *text;
    } words[] = {
        {MBEDTLS_X509_BADCERT_NOT_TRUSTED,
         "its certificate leads to no authority that is trusted here"},
        {MBEDTLS_X509_BADCERT_EXPIRED, "a certificate has expired"},
        {MBEDTLS_X509_BADCERT_FUTURE, "a certificate is not valid yet"},
        {MBEDTLS_X509_BADCERT_BAD_MD, "a certificate is signed with a weak hash (SHA-1 or older)"},
        {MBEDTLS_X509_BADCERT_BAD_PK, "a certificate has a kind of key that is not accepted"},
        {MBEDTLS_X509_BADCERT_BAD_KEY, "a key is too short (RSA below 2048 bits) or on a curve "
                                       "that is not accepted"},
        {MBEDTLS_X509_BADCERT_KEY_USAGE, "its key may not be used like this (keyUsage)"},
        {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE,
         "its certificate is not for servers (extendedKeyUsage)"},
        {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, "its certificate is not for servers (nsCertType)"},
        {MBEDTLS_X509_BADCERT_OTHER, "a certificate was refused"},
    };
    const char *between = "";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((flags & words[i].flag) != 0) {
            out_text(out, between);
            out_text(out, words[i].text);
            between = "; ";
        }
    }
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        out_text(out, between);
        out_text(out, "certificate is for ");
        out_text(out, conn->tls->names);
        out_text(out, conn->peer_is_ip ? ", not the address " : ", not ");
        out_put(out, conn->target.name);
    }
}

static const char *waits_for(const struct tls_conn *conn)
{
    switch (conn->ssl.state) {
    case MBEDTLS_SSL_HELLO_REQUEST:
    case MBEDTLS_SSL_CLIENT_HELLO:
    case MBEDTLS_SSL_SERVER_HELLO:
        return "the server's hello";
    case MBEDTLS_SSL_ENCRYPTED_EXTENSIONS:
        return "the server's extensions";
    case MBEDTLS_SSL_CERTIFICATE_REQUEST:
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
        return "the server's certificate";
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
        return "the server's key exchange";
    case MBEDTLS_SSL_SERVER_HELLO_DONE:
        return "the end of the server's hello";
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
        return "the proof that the server has the key of its certificate";
    case MBEDTLS_SSL_NEW_SESSION_TICKET:
    case MBEDTLS_SSL_SERVER_CHANGE_CIPHER_SPEC:
    case MBEDTLS_SSL_SERVER_FINISHED:
        return "the server's finished";
    default:
        return "room to send our part";
    }
}

static const char *alert_text(unsigned alert)
{
    static const struct reason words[] = {
        {10, "unexpected message"},    {20, "bad record MAC"},
        {22, "record overflow"},       {40, "handshake failure: no common cipher or parameters"},
        {42, "bad certificate"},       {43, "unsupported certificate"},
        {44, "certificate revoked"},   {45, "certificate expired"},
        {46, "certificate unknown"},   {47, "illegal parameter"},
        {48, "unknown authority"},     {49, "access denied"},
        {50, "decode error"},          {51, "decrypt error"},
        {70, "no common version"},     {71, "insufficient security"},
        {80, "internal error"},        {86, "inappropriate fallback"},
        {90, "user canceled"},         {109, "missing extension"},
        {110, "unsupported extension"}, {112, "unrecognized name"},
        {115, "unknown PSK identity"}, {116, "a client certificate is required"},
        {120, "no application protocol"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].code == (int)alert) {
            return words[i].text;
        }
    }
    return "unknown alert";
}

/* Cipher and parameters were agreed on by then: servers of TLS 1.2 have no alert of their own for
 * it. */
static bool wants_certificate(const struct tls_conn *conn)
{
    return conn->ssl.in_msg[1] == MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE &&
           conn->certificate_shown && conn->profile->config.key_cert == NULL;
}

static void write_memory(struct out *out, const struct tls_conn *conn, int code)
{
    if (is_too_long(code)) {
        out_text(out, "a message does not fit into ");
        out_u64(out, LIMPET_TLS_IN_LEN);
        out_text(out, " bytes (LIMPET_TLS_IN_LEN) or ours into ");
        out_u64(out, LIMPET_TLS_OUT_LEN);
        out_text(out, " bytes (LIMPET_TLS_OUT_LEN): a chain is too long");
        return;
    }
    out_text(out, "the handshake does not fit into memory: ");
    write_arena(out, conn->tls->arena_peak);
}

static bool speaks_tls(const struct tls_conn *conn)
{
    return conn->heard == 0 || (conn->heard_bytes[0] >= 20 && conn->heard_bytes[0] <= 24);
}

static void write_end(struct out *out, const struct tls_conn *conn)
{
    const struct transport *inner = conn->inner;
    out_text(out, "waited for ");
    out_text(out, waits_for(conn));
    out_text(out, ", but ");
    out_text(out, inner != NULL && inner->state == TRANSPORT_FAILED
                      ? limpet_err_text(inner->err)
                      : "the server closed the connection");
}

static const struct reason code_words[] = {
    {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, "no common version of TLS (1.2 and 1.3 are known)"},
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, "no common cipher or parameters"},
    {MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER, "the server chose what was not offered"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "a message of the handshake is out of order"},
    {MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION, "an extension that was not asked for"},
    {MBEDTLS_ERR_SSL_DECODE_ERROR, "a malformed message"},
    {MBEDTLS_ERR_SSL_INVALID_RECORD, "a malformed record"},
    {MBEDTLS_ERR_SSL_INVALID_MAC, "a record was changed on its way"},
    {MBEDTLS_ERR_SSL_BAD_CERTIFICATE, "its certificate cannot be used"},
    {MBEDTLS_ERR_X509_FATAL_ERROR, "its chain is too long or cannot be looked at"},
    {MBEDTLS_ERR_X509_INVALID_EXTENSIONS,
     "a certificate has malformed extensions, or a critical one that is unknown"},
    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG, "a certificate is signed in a way that is not known"},
    {MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE, "a key is on a curve that is not accepted"},
    {MBEDTLS_ERR_PK_SIG_LEN_MISMATCH, "a signature has the wrong length"},
    {MBEDTLS_ERR_RSA_VERIFY_FAILED, "a signature is wrong"},
    {MBEDTLS_ERR_ECP_VERIFY_FAILED, "a signature is wrong"},
    {MBEDTLS_ERR_ENTROPY_SOURCE_FAILED, "no entropy"},
};

/* The table's text for a code or its high part, else that of its module (error.h lists them). */
static const char *text_of(int code)
{
    int high = -code & 0x7F80;
    const char *text = "the handshake failed";
    if (high >= 0x2080 && high <= 0x3000) {
        text = "a certificate is malformed";
    } else if (high >= 0x3880 && high <= 0x3F80) {
        text = "a key is malformed or of a kind that is not known";
    }
    for (size_t i = 0; i < sizeof(code_words) / sizeof(code_words[0]); i++) {
        if (-high == code_words[i].code || code == code_words[i].code) {
            text = code_words[i].text;
        }
    }
    return text;
}

static void write_code(struct out *out, const struct tls_conn *conn, int code)
{
    if (code == 0) {
        out_text(out, "given up while waiting for ");
        out_text(out, waits_for(conn));
    } else if (is_memory(conn, code)) {
        write_memory(out, conn, code);
    } else if (!speaks_tls(conn)) {
        out_text(out, "the server does not speak TLS on this port; its first bytes are \"");
        out_bytes(out, (const char *)conn->heard_bytes, conn->heard);
        out_char(out, '"');
    } else if (code == MBEDTLS_ERR_SSL_CONN_EOF) {
        write_end(out, conn);
    } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        out_text(out, "the server refused: ");
        out_text(out, wants_certificate(conn)
                          ? "handshake failure: perhaps for want of a client certificate"
                          : alert_text(conn->ssl.in_msg[1]));
        out_text(out, " (alert ");
        out_u64(out, conn->ssl.in_msg[1]);
        out_char(out, ')');
    } else {
        out_text(out, text_of(code));
        out_text(out, " (mbedTLS -0x");
        out_hex(out, (uint64_t)-code, 4);
        out_char(out, ')');
    }
}
