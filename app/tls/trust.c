#include "tls/trust.h"

#include "tls/reason.h"

#include "mbedtls/base64.h"
#include "mbedtls/platform.h"

#include <string.h>

#define BEGIN SLICE_LIT("-----BEGIN CERTIFICATE-----")
#define END SLICE_LIT("-----END CERTIFICATE-----")

static struct slice next_pem(struct slice *text);
static size_t find(struct slice text, struct slice what);
static int parse(struct slice pem, mbedtls_x509_crt *certificate);
static int add(struct trust *trust, struct slice pem);
static uint32_t hash_of(const mbedtls_x509_buf *name);
static bool same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b);
static int append(mbedtls_x509_crt **list, struct slice pem);

/* ---- Public ---------------------------------------------------------------------------------- */

void trust_init(struct trust *trust)
{
    trust->count = 0;
    trust->skipped = 0;
}

int trust_add(struct trust *trust, struct slice pem)
{
    size_t before = trust->count;
    for (struct slice one = next_pem(&pem); one.len > 0; one = next_pem(&pem)) {
        int err = add(trust, one);
        if (err == LIMPET_ERR_FULL) {
            return err;
        }
        trust->skipped += err != LIMPET_OK;
    }
    return trust->count > before ? LIMPET_OK : LIMPET_ERR_NOT_FOUND;
}

int trust_find(void *ctx, const mbedtls_x509_crt *child, mbedtls_x509_crt **candidates)
{
    struct trust *trust = ctx;
    uint32_t hash = hash_of(&child->issuer_raw);
    *candidates = NULL;
    trust->exhausted = false;
    for (size_t i = 0; i < trust->count; i++) {
        const struct trust_entry *entry = &trust->entries[i];
        if (entry->subject_hash != hash) {
            continue;
        }
        /* Another name with the same hash does no harm: mbedTLS compares them. */
        int err = append(candidates, slice_of(entry->pem, entry->pem_len));
        if (reason_is_memory(err)) {
            trust->exhausted = true;
            return err; /* mbedTLS frees the list */
        }
    }
    return 0;
}

bool trust_has(const struct trust *trust, const mbedtls_x509_crt *certificate)
{
    uint32_t hash = hash_of(&certificate->subject_raw);
    bool found = false;
    for (size_t i = 0; i < trust->count && !found; i++) {
        const struct trust_entry *entry = &trust->entries[i];
        mbedtls_x509_crt own;
        mbedtls_x509_crt_init(&own);
        found = entry->subject_hash == hash &&
                parse(slice_of(entry->pem, entry->pem_len), &own) == 0 &&
                same(&own.raw, &certificate->raw);
        mbedtls_x509_crt_free(&own);
    }
    return found;
}

/* ---- The text -------------------------------------------------------------------------------- */

/* The base64 of the next certificate, its lines included; empty: no further one. */
static struct slice next_pem(struct slice *text)
{
    size_t begin = find(*text, BEGIN);
    if (begin == text->len) {
        return SLICE_EMPTY;
    }
    struct slice rest = slice_skip(*text, begin + BEGIN.len);
    size_t end = find(rest, END);
    *text = slice_skip(rest, end);
    return end < rest.len ? slice_take(rest, end) : SLICE_EMPTY;
}

static size_t find(struct slice text, struct slice what)
{
    for (size_t at = 0; at < text.len; at++) {
        at += slice_find(slice_skip(text, at), '-');
        if (slice_starts_with(slice_skip(text, at), what)) {
            return at;
        }
    }
    return text.len;
}

/* Into the arena. mbedTLS's error, MBEDTLS_ERR_X509_ALLOC_FAILED when that is used up. */
static int parse(struct slice pem, mbedtls_x509_crt *certificate)
{
    const unsigned char *text = (const unsigned char *)pem.ptr;
    size_t len = 0;
    (void)mbedtls_base64_decode(NULL, 0, &len, text, pem.len); /* 0 when it is malformed */
    unsigned char *der = len == 0 ? NULL : mbedtls_calloc(1, len);
    if (der == NULL) {
        return len == 0 ? MBEDTLS_ERR_X509_INVALID_FORMAT : MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    int err = mbedtls_base64_decode(der, len, &len, text, pem.len);
    if (err == 0) {
        err = mbedtls_x509_crt_parse_der(certificate, der, len);
    }
    mbedtls_free(der);
    return err;
}

/* ---- The index ------------------------------------------------------------------------------- */

static int add(struct trust *trust, struct slice pem)
{
    if (trust->count == LIMPET_TLS_AUTHORITIES) {
        return LIMPET_ERR_FULL;
    }
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    int err = parse(pem, &certificate);
    if (err == 0) {
        trust->entries[trust->count] =
            (struct trust_entry){.pem = pem.ptr,
                                 .pem_len = (uint32_t)pem.len,
                                 .subject_hash = hash_of(&certificate.subject_raw)};
        trust->count++;
    }
    mbedtls_x509_crt_free(&certificate);
    if (reason_is_memory(err)) {
        return LIMPET_ERR_FULL;
    }
    return err == 0 ? LIMPET_OK : LIMPET_ERR_SYNTAX;
}

/* FNV-1a over the DER of the name. Names are compared as bytes (RFC 5280 section 4.1.2.6). */
static uint32_t hash_of(const mbedtls_x509_buf *name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < name->len; i++) {
        hash = (hash ^ name->p[i]) * UINT32_C(16777619);
    }
    return hash;
}

static bool same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* mbedTLS frees each element of the list: the first is allocated here, the others by its parser. */
static int append(mbedtls_x509_crt **list, struct slice pem)
{
    if (*list == NULL) {
        *list = mbedtls_calloc(1, sizeof(**list));
        if (*list == NULL) {
            return MBEDTLS_ERR_X509_ALLOC_FAILED;
        }
        mbedtls_x509_crt_init(*list);
    }
    return parse(pem, *list);
}
