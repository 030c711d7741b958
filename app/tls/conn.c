#include "tls/conn.h"

#include "net/pool.h"
#include "tls/reason.h"
#include "tls/resume.h"
#include "tls/verify.h"

#include "mbedtls/platform_util.h"

#include <assert.h>
#include <string.h>

/* Messages behind the handshake (tickets, new keys) that are read in one go. */
#define MESSAGES_MAX 4u

static void begin_handshake(struct tls_conn *conn);
static bool is_plain_host(const struct tls_conn *conn);
static bool has_to_wait(const struct tls_conn *conn, int code);
static void handshake_turn(struct tls_conn *conn);
static void handshake_done(struct tls_conn *conn);
static void open_step(struct tls_conn *conn);
static bool fill(struct tls_conn *conn);
static bool seal(struct tls_conn *conn);
static void keep_session(struct tls_conn *conn);
static struct resume_key key_of(const struct tls_conn *conn);
static void refuse(struct tls_conn *conn, int code);
static void end(struct tls_conn *conn, int err);
static void close_inner(struct tls_conn *conn, bool abort);
static void give_back(struct tls_conn *conn);
static int bio_send(void *ctx, const unsigned char *bytes, size_t len);
static int bio_receive(void *ctx, unsigned char *bytes, size_t len);

/* ---- Steps of the transport below ------------------------------------------------------------ */

void conn_step(void *owner, struct transport *inner)
{
    struct tls_conn *conn = owner;
    assert(conn->inner == inner);
    if (conn->state == TLS_CONN_CONNECTING && inner->state == TRANSPORT_OPEN) {
        begin_handshake(conn);
    } else if (conn->state == TLS_CONN_CONNECTING && inner->state == TRANSPORT_FAILED) {
        end(conn, inner->err);
    } else if (conn->state == TLS_CONN_HANDSHAKE) {
        handshake_turn(conn);
    } else if (conn->state == TLS_CONN_OPEN) {
        open_step(conn);
    }
}

static void begin_handshake(struct tls_conn *conn)
{
    struct tls *tls = conn->tls;
    conn->state = TLS_CONN_HANDSHAKE;
    tls_reset_peak(tls);
    conn->outer->peer_ip4 = conn->inner->peer_ip4;
    conn->outer->peer_port = conn->inner->peer_port;
    int err = mbedtls_ssl_setup(&conn->ssl, is_plain_host(conn) ? &conn->profile->config_plain
                                                                : &conn->profile->config);
    if (err == 0 && verify_begin(conn) != LIMPET_OK) {
        err = MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    if (err != 0) {
        refuse(conn, err);
        return;
    }
    mbedtls_ssl_set_bio(&conn->ssl, conn, bio_send, bio_receive, NULL);
    mbedtls_ssl_set_verify(&conn->ssl, verify_certificate, conn);
    const struct resume_key key = key_of(conn);
    (void)resume_offer(&tls->resume, &key, tls->now_ns, &conn->ssl, &conn->dates_checked);
    handshake_turn(conn);
}

/* A server of TLS 1.2 that follows its own order may sign with RSA-PSS, which mbedTLS refuses
 * there: we come again without offering it, and do so at once the next time. A server of TLS 1.3 is
 * not led back to 1.2 by that. */
static bool is_plain_host(const struct tls_conn *conn)
{
    const struct tls *tls = conn->tls;
    uint32_t hash = reason_hash(&conn->target);
    bool found = false;
    for (size_t i = 0; i < LIMPET_TLS_PLAIN_HOSTS; i++) {
        found = found || tls->plain_hosts[i] == hash;
    }
    return found;
}

static bool note_plain_host(struct tls_conn *conn, int code)
{
    struct tls *tls = conn->tls;
    bool old = mbedtls_ssl_get_version_number(&conn->ssl) == MBEDTLS_SSL_VERSION_TLS1_2;
    if (code != MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER || !old || is_plain_host(conn)) {
        return false;
    }
    tls->plain_hosts[tls->plain_next] = reason_hash(&conn->target);
    tls->plain_next = (tls->plain_next + 1) % LIMPET_TLS_PLAIN_HOSTS;
    return true;
}

/* With a new connection below, unseen by the owner. */
static void begin_again(struct tls_conn *conn)
{
    close_inner(conn, false);
    mbedtls_ssl_init(&conn->ssl);
    conn->state = TLS_CONN_CONNECTING;
    conn->heard = 0;
    conn->certificate_shown = false;
    int err = net_connect(conn->tls->net, conn->target.ip4, conn->target.port, conn, conn_step,
                          &conn->inner);
    if (err != LIMPET_OK) {
        conn->inner = NULL;
        end(conn, err);
    }
}

/* For the peer, or for room. mbedTLS also wants to be called again when it has read a ticket and
 * not looked at it yet: no event would come for that. */
static bool has_to_wait(const struct tls_conn *conn, int code)
{
    bool pending = mbedtls_ssl_check_pending(&conn->ssl) != 0;
    return code == MBEDTLS_ERR_SSL_WANT_WRITE || (code == MBEDTLS_ERR_SSL_WANT_READ && !pending);
}

static void handshake_turn(struct tls_conn *conn)
{
    int code = mbedtls_ssl_handshake_step(&conn->ssl);
    transport_flush(conn->inner);
    if (has_to_wait(conn, code)) {
        return;
    }
    if (code != 0 && note_plain_host(conn, code)) {
        begin_again(conn);
    } else if (code != 0 && code != MBEDTLS_ERR_SSL_WANT_READ) {
        refuse(conn, code);
    } else if (mbedtls_ssl_is_handshake_over(&conn->ssl)) {
        handshake_done(conn);
    } else {
        transport_again(conn->inner);
    }
}

static void handshake_done(struct tls_conn *conn)
{
    struct tls *tls = conn->tls;
    conn->state = TLS_CONN_OPEN;
    conn->outer->state = TRANSPORT_OPEN;
    if (conn->certificate_shown) {
        tls->handshakes_full++;
        tls->handshakes_undated += !conn->dates_checked;
    } else {
        tls->handshakes_resumed++;
    }
    if (mbedtls_ssl_get_version_number(&conn->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
        keep_session(conn); /* that of 1.3 comes later, when the server likes */
    }
    resume_free_chain(&conn->ssl);
    pool_ready(conn->outer);
    transport_again(conn->inner); /* what came already has no event of its own any more */
}

static void open_step(struct tls_conn *conn)
{
    if (conn->sealing && seal(conn)) {
        transport_flush(conn->inner);
    }
    if (conn->state == TLS_CONN_OPEN) {
        (void)fill(conn);
    }
    pool_ready(conn->outer);
}

/* ---- Receive --------------------------------------------------------------------------------- */

/* Decrypts the next bytes once the last ones are consumed. False: there are none. */
static bool fill(struct tls_conn *conn)
{
    unsigned messages = 0;
    while (conn->state == TLS_CONN_OPEN && conn->in_used == conn->in_len) {
        int code = mbedtls_ssl_read(&conn->ssl, (unsigned char *)conn->in, sizeof(conn->in));
        if (code > 0) {
            conn->in_len = (size_t)code;
            conn->in_used = 0;
        } else if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session(conn);
            resume_free_chain(&conn->ssl);
        } else if (has_to_wait(conn, code)) {
            return false;
        } else if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            conn->outer->eof = true;
            conn->state = TLS_CONN_ENDED;
            pool_ready(conn->outer);
        } else if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF) {
            /* Without close_notify somebody else may have cut it. */
            bool failed = conn->inner->state == TRANSPORT_FAILED;
            end(conn, failed ? conn->inner->err : LIMPET_ERR_CLOSED);
        } else if (code != MBEDTLS_ERR_SSL_WANT_READ) {
            refuse(conn, code);
        }
        messages++;
        if (messages == MESSAGES_MAX && conn->state == TLS_CONN_OPEN) {
            transport_again(conn->inner);
            break;
        }
    }
    return conn->in_used < conn->in_len;
}

static struct slice op_peek(struct transport *t)
{
    struct tls_conn *conn = t->pcb;
    (void)fill(conn);
    return slice_of(conn->in + conn->in_used, conn->in_len - conn->in_used);
}

static void op_consume(struct transport *t, size_t len)
{
    struct tls_conn *conn = t->pcb;
    assert(len <= conn->in_len - conn->in_used);
    conn->in_used += len;
}

/* ---- Send ------------------------------------------------------------------------------------ */

/* Makes one record of what was gathered. False: it waits for room (and nothing more is taken until
 * it went: mbedTLS wants the same bytes again), or the connection has ended. */
static bool seal(struct tls_conn *conn)
{
    while (conn->out_len > 0) {
        int code = mbedtls_ssl_write(&conn->ssl, (const unsigned char *)conn->out, conn->out_len);
        conn->sealing = code == MBEDTLS_ERR_SSL_WANT_WRITE || code == MBEDTLS_ERR_SSL_WANT_READ;
        if (conn->sealing) {
            return false;
        }
        if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session(conn);
            continue;
        }
        if (code <= 0) {
            refuse(conn, code);
            return false;
        }
        assert((size_t)code <= conn->out_len);
        conn->out_len -= (size_t)code;
        memmove(conn->out, conn->out + code, conn->out_len);
    }
    return true;
}

static size_t op_room(const struct transport *t)
{
    const struct tls_conn *conn = t->pcb;
    bool takes = t->state == TRANSPORT_OPEN && conn->state == TLS_CONN_OPEN && !conn->sealing;
    return takes ? sizeof(conn->out) - conn->out_len : 0;
}

static size_t op_write(struct transport *t, const char *bytes, size_t len, bool more)
{
    struct tls_conn *conn = t->pcb;
    size_t taken = 0;
    while (taken < len && op_room(t) > 0) {
        size_t left = len - taken;
        size_t piece = left < op_room(t) ? left : op_room(t);
        memcpy(conn->out + conn->out_len, bytes + taken, piece);
        conn->out_len += piece;
        taken += piece;
        if ((conn->out_len == sizeof(conn->out) || !more) && !seal(conn)) {
            break;
        }
    }
    return taken;
}

static void op_flush(struct transport *t)
{
    struct tls_conn *conn = t->pcb;
    if (conn->state == TLS_CONN_OPEN && !conn->sealing) {
        (void)seal(conn);
    }
    if (conn->inner != NULL) {
        transport_flush(conn->inner);
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static void keep_session(struct tls_conn *conn)
{
    struct tls *tls = conn->tls;
    const struct resume_key key = key_of(conn);
    if (resume_keep(&tls->resume, &key, tls->now_ns, &conn->ssl, conn->dates_checked)) {
        tls->sessions_kept++;
    }
}

static struct resume_key key_of(const struct tls_conn *conn)
{
    return (struct resume_key){.name = conn->target.name,
                               .port = conn->target.port,
                               .purpose = (uint8_t)conn->target.purpose};
}

/* ---- End ------------------------------------------------------------------------------------- */

/* mbedTLS found something wrong; where there is an alert for it, it has sent that. */
static void refuse(struct tls_conn *conn, int code)
{
    const struct resume_key key = key_of(conn);
    tls_sample(conn->tls);
    reason_tell(conn, code);
    resume_forget(&conn->tls->resume, &key);
    end(conn, LIMPET_ERR_TLS);
}

/* The owner is told by FAILED; what was decrypted can still be peeked. */
static void end(struct tls_conn *conn, int err)
{
    assert(err < 0);
    conn->outer->state = TRANSPORT_FAILED;
    conn->outer->err = err;
    conn->sealing = false;
    conn->out_len = 0;
    close_inner(conn, false);
    pool_ready(conn->outer);
}

static void close_inner(struct tls_conn *conn, bool abort)
{
    conn->state = TLS_CONN_ENDED;
    if (conn->inner != NULL && abort) {
        transport_abort(conn->inner);
    } else if (conn->inner != NULL) {
        transport_close(conn->inner);
    }
    conn->inner = NULL;
    mbedtls_ssl_free(&conn->ssl);
}

static void give_back(struct tls_conn *conn)
{
    struct tls *tls = conn->tls;
    mbedtls_platform_zeroize(conn->in, sizeof(conn->in));
    mbedtls_platform_zeroize(conn->out, sizeof(conn->out));
    conn->outer->pcb = NULL;
    pool_give(conn->outer);
    conn->outer = NULL;
    conn->state = TLS_CONN_FREE;
    conn->next = tls->free;
    tls->free = conn;
    tls->used--;
}

/* A peer that has said that it is done gets our close_notify too (RFC 8446 section 6.1). */
static void op_close(struct transport *t)
{
    struct tls_conn *conn = t->pcb;
    if (conn->state == TLS_CONN_HANDSHAKE) {
        reason_tell(conn, 0);
    }
    bool said = t->state == TRANSPORT_OPEN && conn->inner != NULL;
    if (said && !conn->sealing && seal(conn) && conn->inner != NULL) {
        (void)mbedtls_ssl_close_notify(&conn->ssl);
    }
    close_inner(conn, false);
    give_back(conn);
}

static void op_abort(struct transport *t)
{
    struct tls_conn *conn = t->pcb;
    if (conn->state == TLS_CONN_HANDSHAKE) {
        reason_tell(conn, 0);
    }
    close_inner(conn, true);
    give_back(conn);
}

const struct transport_ops conn_ops = {
    .peek = op_peek,
    .consume = op_consume,
    .write = op_write,
    .room = op_room,
    .flush = op_flush,
    .close = op_close,
    .abort = op_abort,
};

/* ---- What mbedTLS reads and writes ----------------------------------------------------------- */

static int bio_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct tls_conn *conn = ctx;
    if (conn->inner->state != TRANSPORT_OPEN) {
        return (int)len; /* lost; but what the peer said before it went may tell why */
    }
    size_t taken = transport_write(conn->inner, (const char *)bytes, len, true);
    return taken == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : (int)taken;
}

/* Consumed as it is copied: a record larger than TCP's window keeps that open. */
static int bio_receive(void *ctx, unsigned char *bytes, size_t len)
{
    struct tls_conn *conn = ctx;
    struct slice there = slice_take(transport_peek(conn->inner), len);
    if (there.len == 0) {
        bool over = conn->inner->eof || conn->inner->state == TRANSPORT_FAILED;
        return over ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ;
    }
    for (size_t i = 0; i < there.len && conn->heard < sizeof(conn->heard_bytes); i++) {
        conn->heard_bytes[conn->heard++] = (uint8_t)there.ptr[i];
    }
    memcpy(bytes, there.ptr, there.len);
    transport_consume(conn->inner, there.len);
    return (int)there.len;
}
