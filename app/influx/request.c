#include "influx/request.h"

static void put_common(struct out *out, const struct config_influx *influx);
static void put_query_value(struct out *out, struct slice value);
static unsigned char credential_byte(struct slice username, struct slice password, size_t i);
static bool is_unreserved(char c);

/* ---- Public -----------------------------------------------------------------------------------
 */

enum request_mode request_mode(const struct config_influx *influx)
{
    return influx->token.len > 0 ? REQUEST_V2 : REQUEST_V1;
}

/* Version 1: the same parameters in the same order as the reference's client sends them. */
void request_put_write_target(struct out *out, const struct config_influx *influx)
{
    out_put(out, influx->base_path);
    if (request_mode(influx) == REQUEST_V2) {
        out_text(out, "/api/v2/write?bucket=");
        put_query_value(out, influx->bucket);
        if (influx->org.len > 0) {
            out_text(out, "&org=");
            put_query_value(out, influx->org);
        }
        out_text(out, "&precision=s");
        return;
    }
    out_text(out, "/write?consistency=&db=");
    put_query_value(out, influx->db);
    out_text(out, "&precision=s&rp=");
}

void request_put_ping_target(struct out *out, const struct config_influx *influx)
{
    out_put(out, influx->base_path);
    out_text(out, "/ping?wait_for_leader=1s");
}

void request_put_write_head(struct out *out, const struct config_influx *influx)
{
    out_text(out, "POST ");
    request_put_write_target(out, influx);
    put_common(out, influx);
}

void request_put_ping_head(struct out *out, const struct config_influx *influx)
{
    out_text(out, "GET ");
    request_put_ping_target(out, influx);
    put_common(out, influx);
}

void request_put_basic(struct out *out, struct slice username, struct slice password)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = username.len + 1 + password.len;
    for (size_t at = 0; at < len; at += 3) {
        uint32_t group = 0;
        for (size_t i = at; i < at + 3; i++) {
            group = group << 8 | credential_byte(username, password, i);
        }
        out_char(out, alphabet[group >> 18]);
        out_char(out, alphabet[group >> 12 & 63u]);
        out_char(out, at + 1 < len ? alphabet[group >> 6 & 63u] : '=');
        out_char(out, at + 2 < len ? alphabet[group & 63u] : '=');
    }
}

/* ---- Helpers ----------------------------------------------------------------------------------
 */

static void put_common(struct out *out, const struct config_influx *influx)
{
    out_text(out, " HTTP/1.1\r\nHost: ");
    out_put(out, influx->host.authority);
    out_text(out, "\r\nUser-Agent: Limpet\r\n");
    if (request_mode(influx) == REQUEST_V2) {
        out_text(out, "Authorization: Token ");
        out_put(out, influx->token);
        out_text(out, "\r\n");
    } else if (influx->username.len > 0) {
        out_text(out, "Authorization: Basic ");
        request_put_basic(out, influx->username, influx->password);
        out_text(out, "\r\n");
    }
}

static void put_query_value(struct out *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (is_unreserved(value.ptr[i])) {
            out_char(out, value.ptr[i]);
        } else {
            out_char(out, '%');
            out_hex(out, (unsigned char)value.ptr[i], 2);
        }
    }
}

/* Byte i of "username:password"; 0 behind its end. */
static unsigned char credential_byte(struct slice username, struct slice password, size_t i)
{
    if (i < username.len) {
        return (unsigned char)username.ptr[i];
    }
    if (i == username.len) {
        return ':';
    }
    size_t at = i - username.len - 1;
    return at < password.len ? (unsigned char)password.ptr[at] : 0;
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool digit = c >= '0' && c <= '9';
    return letter || digit || c == '-' || c == '.' || c == '_' || c == '~';
}
