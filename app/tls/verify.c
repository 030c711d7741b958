#include "tls/verify.h"

#include "mbedtls/oid.h"

#include <string.h>

#define NAME_LEN_MAX 255u
#define NS_PER_S INT64_C(1000000000)
#define S_PER_DAY INT64_C(86400)

static bool parse_ip4(struct slice s, uint8_t ip[4]);
static void check_dates(struct tls_conn *conn, const mbedtls_x509_crt *certificate,
                        uint32_t *flags);
static void check_name(struct tls_conn *conn, const mbedtls_x509_crt *certificate,
                       uint32_t *flags);
static bool is_for_address(const struct tls_conn *conn, const mbedtls_x509_crt *certificate);
static void note_names(struct tls *tls, const mbedtls_x509_crt *certificate);

/* ---- Begin ----------------------------------------------------------------------------------- */

int verify_begin(struct tls_conn *conn)
{
    struct slice name = conn->target.name;
    uint8_t ip[4];
    conn->peer_is_ip = parse_ip4(name, ip) || slice_find(name, ':') < name.len;
    if (conn->peer_is_ip) {
        return mbedtls_ssl_set_hostname(&conn->ssl, NULL) == 0 ? LIMPET_OK : LIMPET_ERR_FULL;
    }
    if (slice_ends_with(name, SLICE_LIT("."))) {
        name = slice_take(name, name.len - 1); /* the root; not part of names in certificates */
    }
    char text[NAME_LEN_MAX + 1];
    if (name.len == 0 || name.len > NAME_LEN_MAX) {
        return LIMPET_ERR_FULL;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return mbedtls_ssl_set_hostname(&conn->ssl, text) == 0 ? LIMPET_OK : LIMPET_ERR_FULL;
}

int verify_certificate(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct tls_conn *conn = ctx;
    conn->certificate_shown = true;
    if (depth == 0 && (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 &&
        trust_has(&conn->profile->trust, certificate)) {
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED; /* it is trusted itself */
    }
    check_dates(conn, certificate, flags);
    if (depth == 0) {
        check_name(conn, certificate, flags);
    }
    return 0;
}

/* ---- Dates ----------------------------------------------------------------------------------- */

/* The Gregorian calendar from the days since 1970 (Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days): years begin in March, eras have 400 years. */
static mbedtls_x509_time calendar(int64_t unix_s)
{
    int64_t days = unix_s / S_PER_DAY + 719468;
    int second = (int)(unix_s % S_PER_DAY);
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day = (int)(day_of_era - (365 * year + year / 4 - year / 100));
    int month = (5 * day + 2) / 153;
    return (mbedtls_x509_time){.year = (int)(year + era * 400 + (month >= 10 ? 1 : 0)),
                               .mon = month < 10 ? month + 3 : month - 9,
                               .day = day - (153 * month + 2) / 5 + 1,
                               .hour = second / 3600,
                               .min = second / 60 % 60,
                               .sec = second % 60};
}

static void check_dates(struct tls_conn *conn, const mbedtls_x509_crt *certificate,
                        uint32_t *flags)
{
    conn->dates_checked = conn->tls->unix_ns > 0;
    if (!conn->dates_checked) {
        return;
    }
    mbedtls_x509_time now = calendar(conn->tls->unix_ns / NS_PER_S);
    if (mbedtls_x509_time_cmp(&certificate->valid_to, &now) < 0) {
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    }
    if (mbedtls_x509_time_cmp(&certificate->valid_from, &now) > 0) {
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
    }
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* mbedTLS has compared host names already, with the common name too when there is no
 * subjectAltName: that is no name (RFC 9525 section 6.3). */
static void check_name(struct tls_conn *conn, const mbedtls_x509_crt *certificate,
                       uint32_t *flags)
{
    bool named = mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME);
    if (!named || (conn->peer_is_ip && !is_for_address(conn, certificate))) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if ((*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        note_names(conn->tls, certificate);
    }
}

static unsigned kind_of(const mbedtls_x509_buf *name)
{
    return (unsigned)name->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
}

/* ::1 is the one IPv6 address that can be a target. */
static bool is_for_address(const struct tls_conn *conn, const mbedtls_x509_crt *certificate)
{
    uint8_t ip[16] = {0};
    size_t len = parse_ip4(conn->target.name, ip) ? 4 : sizeof(ip);
    ip[15] = len == sizeof(ip) ? 1 : ip[15];
    for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name != NULL;
         name = name->next) {
        if (kind_of(&name->buf) == MBEDTLS_X509_SAN_IP_ADDRESS && name->buf.len == len &&
            memcmp(name->buf.p, ip, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool parse_ip4(struct slice s, uint8_t ip[4])
{
    size_t at = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t begin = at;
        for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9' && at < begin + 3; at++) {
            value = value * 10u + (unsigned)(s.ptr[at] - '0');
        }
        if (at == begin || value > 255u) {
            return false;
        }
        ip[i] = (uint8_t)value;
        if (i < 3 && (at >= s.len || s.ptr[at++] != '.')) {
            return false;
        }
    }
    return at == s.len;
}

static void put_name(struct out *out, const mbedtls_x509_buf *name)
{
    if (kind_of(name) == MBEDTLS_X509_SAN_DNS_NAME) {
        out_bytes(out, (const char *)name->p, name->len);
    } else if (kind_of(name) == MBEDTLS_X509_SAN_IP_ADDRESS && name->len == 4) {
        net_ip4_text(out, (uint32_t)name->p[0] << 24 | (uint32_t)name->p[1] << 16 |
                              (uint32_t)name->p[2] << 8 | name->p[3]);
    } else {
        out_text(out, "something else");
    }
}

/* For the log: "a.example, *.b.example"; cut where the room ends. */
static void note_names(struct tls *tls, const mbedtls_x509_crt *certificate)
{
    struct out out;
    out_init(&out, tls->names, sizeof(tls->names) - 1);
    if (!mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME)) {
        out_text(&out, "no host (it has no subjectAltName)");
    } else {
        for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name != NULL;
             name = name->next) {
            out_text(&out, name == &certificate->subject_alt_names ? "" : ", ");
            put_name(&out, &name->buf);
        }
    }
    tls->names[out_slice(&out).len] = '\0';
}
