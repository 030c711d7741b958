/* For the peer's certificate in a session, which mbedTLS has no function to free. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "tls/resume.h"

#include "mbedtls/platform.h"

#include <assert.h>
#include <string.h>

#define AGE_MAX_NS (UINT64_C(7) * 24 * 3600 * UINT64_C(1000000000))

static struct resume_slot *find(struct resume *resume, const struct resume_key *key);
static struct resume_slot *oldest(struct resume *resume);
static void clear(struct resume *resume, struct resume_slot *slot);
static void free_chain(mbedtls_ssl_session *session);

void resume_init(struct resume *resume)
{
    resume->count = 0;
    for (size_t i = 0; i < LIMPET_TLS_SESSIONS; i++) {
        resume->slots[i].used = false;
    }
}

bool resume_offer(struct resume *resume, const struct resume_key *key, uint64_t now_ns,
                  mbedtls_ssl_context *ssl, bool *dates_checked)
{
    struct resume_slot *slot = find(resume, key);
    if (slot == NULL) {
        return false;
    }
    if (now_ns - slot->kept_ns > AGE_MAX_NS) {
        clear(resume, slot);
        return false;
    }
    bool offered = mbedtls_ssl_set_session(ssl, &slot->session) == 0;
    *dates_checked = slot->dates_checked;
    if (slot->session.tls_version == MBEDTLS_SSL_VERSION_TLS1_3) {
        clear(resume, slot);
    }
    return offered;
}

bool resume_keep(struct resume *resume, const struct resume_key *key, uint64_t now_ns,
                 mbedtls_ssl_context *ssl, bool dates_checked)
{
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    int err = key->name.len <= RESUME_NAME_LEN_MAX ? mbedtls_ssl_get_session(ssl, &session) : -1;
    bool resumable = session.ticket_len > 0 || session.id_len > 0;
    if (err != 0 || !resumable) {
        mbedtls_ssl_session_free(&session);
        return false;
    }
    free_chain(&session);
    struct resume_slot *slot = find(resume, key);
    slot = slot == NULL ? oldest(resume) : slot;
    if (slot->used) {
        clear(resume, slot);
    }
    *slot = (struct resume_slot){.used = true,
                                 .dates_checked = dates_checked,
                                 .purpose = key->purpose,
                                 .port = key->port,
                                 .kept_ns = now_ns,
                                 .name_len = (uint8_t)key->name.len,
                                 .session = session};
    memcpy(slot->name, key->name.ptr, key->name.len);
    resume->count++;
    return true;
}

void resume_forget(struct resume *resume, const struct resume_key *key)
{
    struct resume_slot *slot = find(resume, key);
    if (slot != NULL) {
        clear(resume, slot);
    }
}

void resume_forget_undated(struct resume *resume)
{
    for (size_t i = 0; i < LIMPET_TLS_SESSIONS; i++) {
        struct resume_slot *slot = &resume->slots[i];
        if (slot->used && !slot->dates_checked) {
            clear(resume, slot);
        }
    }
}

void resume_free_chain(mbedtls_ssl_context *ssl)
{
    if (ssl->session != NULL) {
        free_chain(ssl->session);
    }
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static struct resume_slot *find(struct resume *resume, const struct resume_key *key)
{
    for (size_t i = 0; i < LIMPET_TLS_SESSIONS; i++) {
        struct resume_slot *slot = &resume->slots[i];
        if (slot->used && slot->port == key->port && slot->purpose == key->purpose &&
            slice_equal_nocase(slice_of(slot->name, slot->name_len), key->name)) {
            return slot;
        }
    }
    return NULL;
}

/* A free one first. */
static struct resume_slot *oldest(struct resume *resume)
{
    struct resume_slot *found = &resume->slots[0];
    for (size_t i = 0; i < LIMPET_TLS_SESSIONS; i++) {
        struct resume_slot *slot = &resume->slots[i];
        if (!slot->used) {
            return slot;
        }
        if (slot->kept_ns < found->kept_ns) {
            found = slot;
        }
    }
    return found;
}

static void clear(struct resume *resume, struct resume_slot *slot)
{
    assert(slot->used && resume->count > 0);
    mbedtls_ssl_session_free(&slot->session);
    slot->used = false;
    resume->count--;
}

static void free_chain(mbedtls_ssl_session *session)
{
    if (session->peer_cert != NULL) {
        mbedtls_x509_crt_free(session->peer_cert);
        mbedtls_free(session->peer_cert);
        session->peer_cert = NULL;
    }
}
