#include "gateway/echo.h"

#include "gateway/builtin.h"
#include "gateway/gateway.h"
#include "gateway/uri.h"

/* Strings are escaped byte by byte here; shape_object replaces invalid UTF-8 at the end. */
static void write_json_byte(struct out *out, char c)
{
    if (c == '"' || c == '\\') {
        out_char(out, '\\');
        out_char(out, c);
    } else if ((unsigned char)c < 0x20) {
        out_text(out, "\\u00");
        out_hex(out, (unsigned char)c, 2);
    } else {
        out_char(out, c);
    }
}

static void write_json_text(struct out *out, struct slice text)
{
    out_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        write_json_byte(out, text.ptr[i]);
    }
    out_char(out, '"');
}

/* Go's canonical form: "x-one" is shown as "X-One". */
static void write_field_name(struct out *out, struct slice name)
{
    bool upper = true;
    out_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        char folded = (char)(c | 0x20);
        if (folded >= 'a' && folded <= 'z') {
            c = upper ? (char)(folded - 0x20) : folded;
        }
        upper = c == '-';
        write_json_byte(out, c);
    }
    out_char(out, '"');
}

/* The values of all fields of this name, from the i-th field on. */
static void write_field_values(struct out *out, const struct message_head *head, size_t i)
{
    struct slice name = message_field(head, i).name;
    const char *comma = "";
    out_char(out, '[');
    for (; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        if (slice_equal_nocase(field.name, name)) {
            out_text(out, comma);
            write_json_text(out, field.value);
            comma = ",";
        }
    }
    out_char(out, ']');
}

static void write_headers(struct out *out, const struct message_head *head)
{
    const char *comma = "";
    for (size_t i = 0; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        bool first = message_find(head, field.name).ptr == field.value.ptr;
        if (first && !slice_equal_nocase(field.name, SLICE_LIT("Host"))) {
            out_text(out, comma);
            write_field_name(out, field.name);
            out_char(out, ':');
            write_field_values(out, head, i);
            comma = ",";
        }
    }
}

struct query_pair {
    struct slice name; /* raw */
    struct slice value;
};

/* Empty pairs ("a&&b") are left out. */
static bool next_pair(struct slice *query, struct query_pair *pair)
{
    while (query->len > 0 && query->ptr[0] == '&') {
        *query = slice_skip(*query, 1);
    }
    if (query->len == 0) {
        return false;
    }
    struct slice text = slice_take(*query, slice_find(*query, '&'));
    *query = slice_skip(*query, text.len + 1);
    size_t equals = slice_find(text, '=');
    pair->name = slice_take(text, equals);
    pair->value = slice_skip(text, equals + 1);
    return true;
}

static void write_query_text(struct out *out, struct slice raw)
{
    bool valid = uri_escapes_valid(raw);
    out_char(out, '"');
    while (raw.len > 0) {
        bool plus = raw.ptr[0] == '+';
        int byte = valid ? uri_next_byte(&raw) : (unsigned char)raw.ptr[0];
        raw = valid ? raw : slice_skip(raw, 1);
        write_json_byte(out, plus ? ' ' : (char)byte);
    }
    out_char(out, '"');
}

static bool named_before(struct slice query, struct slice upto, struct slice name)
{
    struct query_pair pair;
    while (query.ptr < upto.ptr && next_pair(&query, &pair)) {
        if (slice_equal(pair.name, name)) {
            return pair.name.ptr != name.ptr;
        }
    }
    return false;
}

static void write_query_values(struct out *out, struct slice query, struct slice name)
{
    struct query_pair pair;
    const char *comma = "";
    out_char(out, '[');
    while (next_pair(&query, &pair)) {
        if (slice_equal(pair.name, name)) {
            out_text(out, comma);
            write_query_text(out, pair.value);
            comma = ",";
        }
    }
    out_char(out, ']');
}

/* Names are grouped at quadratic cost, so only so many pairs are looked at as a head has fields. */
static void write_query(struct out *out, struct slice query)
{
    struct slice rest = query;
    struct query_pair pair;
    const char *comma = "";
    for (size_t i = 0; i < LIMPET_FIELDS_MAX && next_pair(&rest, &pair); i++) {
        if (!named_before(query, rest, pair.name)) {
            out_text(out, comma);
            write_query_text(out, pair.name);
            out_char(out, ':');
            write_query_values(out, query, pair.name);
            comma = ",";
        }
    }
}

static void write_raw_path(struct out *out, struct slice raw)
{
    out_char(out, '"');
    while (raw.len > 0) {
        write_json_byte(out, (char)uri_next_byte(&raw));
    }
    out_char(out, '"');
}

/* Everything but the body, which comes last. */
static void write_echo_head(struct out *out, const struct message_head *request)
{
    out_text(out, "{\"req_uri\":");
    write_json_text(out, request->target);
    out_text(out, ",\"req_uri_details\":{\"fragment\":\"\",\"host\":");
    write_json_text(out, request->host);
    out_text(out, ",\"path\":");
    write_raw_path(out, request->path);
    out_text(out, ",\"query\":");
    write_json_text(out, request->query);
    out_text(out, ",\"scheme\":\"\",\"user\":\"\"},\"req_method\":");
    write_json_text(out, request->method);
    out_text(out, ",\"req_querystring\":{");
    write_query(out, request->query);
    out_text(out, "},\"req_headers\":{");
    write_headers(out, request);
    out_text(out, "},\"req_body\":\"");
}

void echo_start(struct exchange *x)
{
    if (!builtin_take_body(x)) {
        return;
    }
    struct out out;
    out_init(&out, x->body->bytes, LIMPET_BODY_LEN_MAX);
    write_echo_head(&out, server_request(x->origin.conn));
    x->body->len = out_slice(&out).len;
    x->state = EXCHANGE_READING;
    if (out_err(&out) != LIMPET_OK) {
        builtin_answer(x, 500, false, SLICE_EMPTY, SLICE_EMPTY);
        return;
    }
    echo_read(x);
}

static void answer_echo(struct exchange *x, struct out *out)
{
    out_text(out, "\"}");
    x->body->len += out_slice(out).len;
    struct shape_result result = {0};
    int err = out_err(out);
    if (err == LIMPET_OK) {
        err = shape_object(&x->gateway->shape, x->body->bytes, x->body->len, LIMPET_BODY_LEN_MAX,
                           &result);
    }
    if (err != LIMPET_OK) {
        builtin_answer(x, 413, false, SLICE_EMPTY, SLICE_EMPTY);
        return;
    }
    builtin_answer(x, 200, false, BUILTIN_JSON, slice_of(x->body->bytes, result.len));
}

void echo_read(struct exchange *x)
{
    struct server_conn *conn = x->origin.conn;
    struct body *body = x->body;
    struct out out;
    for (;;) {
        out_init(&out, body->bytes + body->len, LIMPET_BODY_LEN_MAX - body->len);
        struct slice span = server_body_peek(conn);
        if (span.len == 0) {
            break;
        }
        for (size_t i = 0; i < span.len; i++) {
            write_json_byte(&out, span.ptr[i]);
        }
        if (out_err(&out) != LIMPET_OK) {
            builtin_answer(x, 413, false, SLICE_EMPTY, SLICE_EMPTY);
            return;
        }
        body->len += out_slice(&out).len;
        server_body_consume(conn, span.len);
    }
    if (server_body_done(conn)) {
        answer_echo(x, &out);
    }
}
