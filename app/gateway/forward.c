#include "gateway/forward.h"

#include "base/json.h"
#include "gateway/gateway.h"
#include "gateway/query.h"
#include "gateway/uri.h"

#define AGENT "Limpet Version " LIMPET_VERSION

/* ---- Target -----------------------------------------------------------------------------------
 */

/* One plain byte run into the path or the query. */
struct target_writer {
    struct out *out;
    bool in_query;
};

static int write_plain(void *ctx, const char *bytes, size_t len)
{
    const struct target_writer *writer = ctx;
    if (writer->in_query) {
        uri_write_plain_value(writer->out, slice_of(bytes, len));
    } else {
        uri_write_plain_path(writer->out, slice_of(bytes, len));
    }
    return LIMPET_OK;
}

/* The value at a dotted path of an earlier backend's answer; empty when there is none. */
static struct slice find_response(const struct backend *b, const struct config_segment *segment)
{
    const struct body *part = b->answers;
    while (part != NULL && part->position != segment->param) {
        part = part->next;
    }
    struct slice value = part == NULL ? SLICE_EMPTY : slice_of(part->bytes, part->len);
    struct slice path = segment->text;
    while (path.len > 0 && json_type_of(value) == JSON_OBJECT) {
        struct json_iter iter;
        struct json_member member;
        struct slice key = slice_take(path, slice_find(path, '.'));
        json_iter_init(&iter, value);
        value = SLICE_EMPTY;
        while (json_iter_next(&iter, &member)) {
            value = json_string_equals(member.key, key) ? member.value : value;
        }
        path = slice_skip(path, key.len + 1);
    }
    return path.len > 0 ? SLICE_EMPTY : value;
}

/* Strings as they are, other values as they are written; null as Go prints it. */
static void write_scalar(struct out *plain, struct slice value)
{
    enum json_type type = json_type_of(value);
    if (type == JSON_STRING) {
        json_unescape(plain, slice_of(value.ptr + 1, value.len - 2));
    } else if (type == JSON_NULL) {
        out_text(plain, "<nil>");
    } else {
        out_put(plain, value);
    }
}

/* {resp0_a.b}: elements of a list are joined by commas. Where there is no such value the reference
 * leaves the placeholder. */
static void write_response(const struct backend *b, const struct config_segment *segment,
                           struct out *out)
{
    struct target_writer writer = {out, segment->in_query};
    struct out plain;
    out_init_flush(&plain, NULL, 0, write_plain, &writer);
    struct slice value = find_response(b, segment);
    if (value.len == 0) {
        out_text(&plain, "{{.Resp");
        out_u64(&plain, segment->param);
        out_char(&plain, '_');
        out_put(&plain, segment->text);
        out_text(&plain, "}}");
        return;
    }
    if (json_type_of(value) != JSON_ARRAY) {
        write_scalar(&plain, value);
        return;
    }
    struct json_iter iter;
    struct json_member member;
    bool first = true;
    json_iter_init(&iter, value);
    while (json_iter_next(&iter, &member)) {
        out_text(out, first ? "" : ",");
        first = false;
        write_scalar(&plain, member.value);
    }
}

void forward_write_target(const struct backend *b, struct out *out)
{
    const struct config *config = b->gateway->config;
    bool query = false;
    for (uint16_t i = 0; i < b->config->segment_count; i++) {
        const struct config_segment *segment = &config->segments[b->config->segment_first + i];
        query = segment->in_query;
        if (segment->kind == SEGMENT_TEXT) {
            uri_write_text(out, segment->text);
        } else if (segment->kind == SEGMENT_RESPONSE) {
            write_response(b, segment, out);
        } else if (segment->in_query) {
            uri_write_query_value(out, b->origin->params[segment->param]);
        } else {
            uri_write_segment(out, b->origin->params[segment->param]);
        }
    }
    query_write(out, &b->gateway->shape.set, config, &b->origin->endpoint->query, &b->config->query,
                server_request(b->origin->conn)->query, query ? '&' : '?');
}

/* ---- Fields -----------------------------------------------------------------------------------
 */

static bool lists(const struct config *config, const struct config_pass *pass, struct slice name)
{
    bool found = pass->all;
    for (uint16_t i = 0; !found && i < pass->names.count; i++) {
        found = slice_equal_nocase(name, config->names[pass->names.first + i]);
    }
    return found;
}

/* A field of the client. */
static bool passes(const struct backend *b, struct slice name)
{
    const struct config *config = b->gateway->config;
    const struct config_pass *endpoint = &b->origin->endpoint->headers;
    bool listed = endpoint->given ? lists(config, endpoint, name)
                                  : slice_equal_nocase(name, SLICE_LIT("Content-Type"));
    return listed && (!b->config->headers.given || lists(config, &b->config->headers, name));
}

/* A field of the gateway, which only the backend's list can hold back. */
static void write_own(const struct backend *b, struct out *head, struct slice name,
                      struct slice value)
{
    const struct config_pass *pass = &b->config->headers;
    if (value.len > 0 && (!pass->given || lists(b->gateway->config, pass, name))) {
        message_write_field(head, name, value);
    }
}

/* The request's framing is another one, Host and these are the gateway's own. */
static bool is_replaced(const struct message_head *request, struct slice name)
{
    static const char names[][20] = {
        "Host",       "Content-Length",  "Expect",           "Accept-Encoding",
        "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Via",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(name, slice_from_cstr(names[i]))) {
            return true;
        }
    }
    return message_is_hop_by_hop(request, name);
}

static bool is_credential(struct slice name)
{
    return slice_equal_nocase(name, SLICE_LIT("Authorization")) ||
           slice_equal_nocase(name, SLICE_LIT("Www-Authenticate")) ||
           slice_equal_nocase(name, SLICE_LIT("Cookie")) ||
           slice_equal_nocase(name, SLICE_LIT("Cookie2"));
}

/* As Go's CanonicalMIMEHeaderKey: first letters large, the others small. Names are tokens. */
static void write_canonical(struct out *out, struct slice name)
{
    bool first = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool small = c >= 'a' && c <= 'z';
        bool large = c >= 'A' && c <= 'Z';
        bool turn = first ? small : large;
        out_char(out, turn ? (char)(c ^ 0x20) : c);
        first = c == '-';
    }
}

static void write_client_field(struct out *head, const struct message_field *field)
{
    write_canonical(head, field->name);
    out_text(head, ": ");
    out_put(head, field->value);
    out_text(head, "\r\n");
}

static void write_agent(const struct backend *b, struct out *head)
{
    const struct message_head *request = server_request(b->origin->conn);
    struct slice agent = message_find(request, SLICE_LIT("User-Agent"));
    if (agent.ptr == NULL || !passes(b, SLICE_LIT("User-Agent"))) {
        message_write_field(head, SLICE_LIT("User-Agent"), SLICE_LIT(AGENT));
        return;
    }
    message_write_field(head, SLICE_LIT("User-Agent"), agent);
    write_own(b, head, SLICE_LIT("X-Forwarded-Via"), SLICE_LIT(AGENT));
}

/* A body that is looked into is asked for without coding; no-op passes on what the client takes. */
static void write_accept_encoding(const struct backend *b, struct out *head)
{
    const struct message_head *request = server_request(b->origin->conn);
    struct slice accepted = message_find(request, SLICE_LIT("Accept-Encoding"));
    if (!b->no_op) {
        message_write_field(head, SLICE_LIT("Accept-Encoding"), SLICE_LIT("identity"));
    } else if (accepted.ptr != NULL) {
        message_write_field(head, SLICE_LIT("Accept-Encoding"), accepted);
    }
}

void forward_write_fields(const struct backend *b, struct out *head)
{
    const struct message_head *request = server_request(b->origin->conn);
    char ip[sizeof("255.255.255.255")];
    struct out ip_out;
    out_init(&ip_out, ip, sizeof(ip));
    net_ip4_text(&ip_out, server_peer_ip4(b->origin->conn));
    write_agent(b, head);
    write_own(b, head, SLICE_LIT("X-Forwarded-For"), out_slice(&ip_out));
    write_own(b, head, SLICE_LIT("X-Forwarded-Host"), request->host);
    write_accept_encoding(b, head);
    for (size_t i = 0; i < request->field_count; i++) {
        struct message_field field = message_field(request, i);
        bool held_back = b->foreign && is_credential(field.name);
        if (!held_back && passes(b, field.name) && !is_replaced(request, field.name)) {
            write_client_field(head, &field);
        }
    }
}
