#include "gateway/backend.h"

#include "gateway/forward.h"
#include "gateway/gateway.h"
#include "gateway/uri.h"

#include <assert.h>
#include <string.h>

/* Bytes of a refused answer's body that the log shows. */
#define LOG_BODY_LEN 120u

static void start_call(struct backend *b, enum message_framing framing, uint64_t length);
static void compose(void *ctx, struct out *head);
static void on_call(void *ctx, struct client_call *call);
static void take_head(struct backend *b);
static void take_json_head(struct backend *b, const struct message_head *head);
static void read_body(struct backend *b);
static void finish_body(struct backend *b);
static void finish_refused(struct backend *b);

/* ---- Ends -------------------------------------------------------------------------------------
 */

/* Once a call: the layer, and the breaker inside of it. */
static void count(struct backend *b, bool complete, enum breaker_result result)
{
    struct gateway *gateway = b->gateway;
    uint64_t latency_ns = gateway->now_ns - b->start_ns;
    metrics_record_proxy(gateway->metrics, b->series, complete, result != BREAKER_SUCCESS,
                         (int64_t)latency_ns);
    if (b->period != 0) {
        breakers_leave(&gateway->breakers, b->config->breaker, gateway->now_ns, b->period, result);
    }
}

/* A no-op answer was counted with its head: what breaks later does not change that. Nobody gets the
 * part of a body, nor a redirect's target for one. */
static void fail(struct backend *b)
{
    if (b->state != BACKEND_STREAM) {
        count(b, false, BREAKER_FAILURE);
    }
    b->state = BACKEND_FAILED;
    gateway_leave_line(b->gateway, b);
    client_cancel(&b->call);
    gateway_give_body(b->gateway, b->body);
    b->body = NULL;
}

/* Begins the line that says why the call fails; ends with log_end. */
static struct out *log_failure(struct backend *b)
{
    struct out *out = gateway_log(b->gateway, LOG_ERROR, b->origin->endpoint);
    out_text(out, "backend ");
    out_put(out, b->host->authority);
    out_put(out, b->config->url_pattern);
    out_text(out, ": ");
    return out;
}

static void fail_text(struct backend *b, const char *text)
{
    b->error_text = text;
    out_text(log_failure(b), text);
    log_end(b->gateway->log);
    fail(b);
}

/* The call failed. Not the backend's fault: that we have no connection left. */
static void fail_call(struct backend *b)
{
    b->unreachable = b->call.err != LIMPET_ERR_FULL;
    fail_text(b, limpet_err_text(b->call.err));
}

static void fail_status(struct backend *b, unsigned status)
{
    struct slice body = slice_take(client_peek(&b->call), LOG_BODY_LEN);
    struct out *out = log_failure(b);
    out_text(out, "status ");
    out_u64(out, status);
    if (body.len > 0) {
        out_text(out, ", body: ");
        out_put(out, body);
    }
    log_end(b->gateway->log);
    b->error_text = "invalid status code";
    fail(b);
}

/* ---- Start ------------------------------------------------------------------------------------
 */

static uint16_t config_index(const struct origin *origin, uint16_t position)
{
    assert(position < origin->endpoint->backend_count);
    return (uint16_t)(origin->endpoint->backend_first + position);
}

/* As in the reference the breaker stands around the limit, which is a failure to it. */
static const char *refusal_of(struct backend *b)
{
    struct gateway *gateway = b->gateway;
    uint64_t now_ns = gateway->now_ns;
    const char *why = NULL;
    if (b->config->breaker != 0) {
        why = breakers_enter(&gateway->breakers, b->config->breaker, now_ns, &b->period);
    }
    if (why == NULL && b->config->rate != 0 &&
        !limits_admit_call(&gateway->limits, b->config->rate, now_ns)) {
        why = "ERROR: rate limit exceded"; /* the reference's spelling */
    }
    return why;
}

void backend_start(struct backend *b, struct gateway *gateway, const struct backend_start *start)
{
    assert(b->state == BACKEND_READY);
    const struct config *config = gateway->config;
    uint16_t index = config_index(start->origin, start->position);
    b->gateway = gateway;
    b->config = &config->backends[index];
    b->series = gateway->backend_series[index];
    b->origin = start->origin;
    b->position = start->position;
    b->request = start->request;
    b->answers = start->answers;
    b->key_count = start->key_count;
    b->event = start->event;
    b->ctx = start->ctx != NULL ? start->ctx : b;
    b->owner = start->owner;
    b->no_op = b->config->encoding == ENCODING_NO_OP;
    b->method = b->config->method;
    b->start_ns = gateway->now_ns;
    b->state = BACKEND_ASKED;
    uint16_t turn = gateway->host_next[index];
    gateway->host_next[index] = (uint16_t)((turn + 1u) % b->config->host_count);
    b->host = &config->hosts[config->host_refs[b->config->host_first + turn]];
    const char *refusal = refusal_of(b);
    if (refusal != NULL) {
        fail_text(b, refusal);
        return;
    }
    if (b->request != NULL) {
        start_call(b, FRAMING_LENGTH, b->request->len);
        return;
    }
    const struct message_head *request = server_request(b->origin->conn);
    start_call(b, request->framing, request->content_length);
}

void backend_count_refused(struct gateway *gateway, const struct origin *origin, uint16_t position)
{
    uint16_t index = config_index(origin, position);
    struct out *out = gateway_log(gateway, LOG_ERROR, origin->endpoint);
    out_text(out, "backend ");
    out_put(out, gateway->config->backends[index].url_pattern);
    out_text(out, ": too many calls at the same time");
    log_end(gateway->log);
    metrics_record_proxy(gateway->metrics, gateway->backend_series[index], false, true, 0);
}

bool backend_is_running(const struct backend *b)
{
    return b->state == BACKEND_ASKED || b->state == BACKEND_READING;
}

/* RFC 9110 section 9.2.2. */
static bool is_idempotent(enum method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_PUT ||
           method == METHOD_DELETE || method == METHOD_OPTIONS;
}

static bool is_bodyless(enum message_framing framing, uint64_t length)
{
    return framing == FRAMING_NONE || (framing == FRAMING_LENGTH && length == 0);
}

static void start_call(struct backend *b, enum message_framing framing, uint64_t length)
{
    struct client_request request = {
        .target = {.name = b->host->name, .port = b->host->port, .tls = b->host->tls},
        .to_head = b->method == METHOD_HEAD,
        .safe_to_repeat = is_idempotent(b->method) && is_bodyless(framing, length),
        .framing = framing,
        .length = length,
        .ctx = b,
        .compose = compose,
        .event = on_call,
    };
    b->request_sent = is_bodyless(framing, length);
    client_start(b->gateway->client, &b->call, &request);
}

static void compose(void *ctx, struct out *head)
{
    const struct backend *b = ctx;
    out_put(head, method_name(b->method));
    out_char(head, ' ');
    if (b->target_len > 0) {
        out_bytes(head, b->body->bytes, b->target_len);
    } else {
        forward_write_target(b, head);
    }
    out_text(head, " HTTP/1.1\r\nHost: ");
    out_put(head, b->host->authority);
    out_text(head, "\r\n");
    forward_write_fields(b, head);
}

/* ---- Events -----------------------------------------------------------------------------------
 */

static void on_call(void *ctx, struct client_call *call)
{
    struct backend *b = ctx;
    if (b->state == BACKEND_COMPLETE || b->state == BACKEND_FAILED) {
        return;
    }
    if (call->state == CALL_FAILED) {
        fail_call(b);
    } else {
        backend_push(b);
        if (b->state == BACKEND_ASKED && (call->state == CALL_BODY || call->state == CALL_DONE)) {
            take_head(b);
        }
        if (b->state == BACKEND_READING) {
            read_body(b);
        }
    }
    b->event(b->ctx);
}

static void push_held(struct backend *b)
{
    struct slice rest = slice_skip(slice_of(b->request->bytes, b->request->len), b->request_at);
    b->request_at += client_write(&b->call, rest.ptr, rest.len);
    if (b->request_at == b->request->len) {
        b->request_sent = true;
        client_write_end(&b->call);
    }
}

void backend_push(struct backend *b)
{
    if (b->call.state != CALL_SENDING || b->request_sent) {
        return;
    }
    if (b->request != NULL) {
        push_held(b);
        return;
    }
    struct server_conn *conn = b->origin->conn;
    for (;;) {
        struct slice span = server_body_peek(conn);
        if (span.len == 0) {
            break;
        }
        size_t taken = client_write(&b->call, span.ptr, span.len);
        server_body_consume(conn, taken);
        if (taken < span.len) {
            return;
        }
    }
    if (server_body_done(conn)) {
        b->request_sent = true;
        client_write_end(&b->call);
    }
}

void backend_end(struct backend *b, bool late)
{
    if (b->state == BACKEND_READY) {
        return;
    }
    if (backend_is_running(b)) {
        count(b, false, late ? BREAKER_FAILURE : BREAKER_NOTHING);
    }
    gateway_leave_line(b->gateway, b);
    client_cancel(&b->call);
    gateway_give_body(b->gateway, b->body);
    b->body = NULL;
    b->state = BACKEND_READY;
}

struct body *backend_take_body(struct backend *b)
{
    assert(b->state == BACKEND_COMPLETE || b->state == BACKEND_FAILED);
    struct body *body = b->body;
    b->body = NULL;
    return body;
}

/* ---- Redirects --------------------------------------------------------------------------------
 */

/* As Go's http.Client: 301, 302 and 303 go on with GET (HEAD stays HEAD) and without body, 307 and
 * 308 as they were, if there was no body that would have to be sent again. */
static bool is_followed(const struct backend *b, const struct message_head *head)
{
    bool as_get = head->status == 301 || head->status == 302 || head->status == 303;
    bool as_is = head->status == 307 || head->status == 308;
    bool bodyless = is_bodyless(b->call.request.framing, b->call.request.length);
    struct slice location = message_find(head, SLICE_LIT("Location"));
    return location.len > 0 && (as_get || (as_is && bodyless));
}

/* The next target, put into the body in place of the last one. */
static int write_redirect(struct backend *b, const struct uri_location *location)
{
    char *bytes = b->body->bytes;
    struct out out;
    if (b->target_len == 0) {
        out_init(&out, bytes, LIMPET_BODY_LEN_MAX);
        forward_write_target(b, &out);
        if (out_err(&out) != LIMPET_OK) {
            return out_err(&out);
        }
        b->target_len = out_slice(&out).len;
    }
    out_init(&out, bytes + b->target_len, LIMPET_BODY_LEN_MAX - b->target_len);
    uri_write_target(&out, slice_of(bytes, b->target_len), location);
    if (out_err(&out) != LIMPET_OK) {
        return out_err(&out);
    }
    struct slice target = out_slice(&out);
    b->target_len = target.len;
    memmove(bytes, target.ptr, target.len);
    return LIMPET_OK;
}

/* The host itself or one below it: Go's http.Client keeps credentials for these only. */
static bool is_home(const struct config_host *home, struct slice name)
{
    size_t front = name.len > home->name.len ? name.len - home->name.len : 0;
    bool below = front == 0 || name.ptr[front - 1] == '.';
    return below && slice_equal_nocase(slice_skip(name, front), home->name);
}

static int resolve_redirect(struct backend *b, struct slice value)
{
    struct uri_location location;
    int err = uri_parse_location(value, b->host->tls, &location);
    if (err != LIMPET_OK) {
        return err;
    }
    if (b->body == NULL) {
        b->body = gateway_take_body(b->gateway);
    }
    if (b->body == NULL) {
        return LIMPET_ERR_FULL;
    }
    err = write_redirect(b, &location);
    if (err == LIMPET_OK && location.has_host) {
        b->foreign = b->foreign || !is_home(b->host, location.name);
        err = gateway_redirect_host(b->gateway, location.authority, location.name, location.port,
                                    location.tls, &b->host);
    }
    return err;
}

static void follow(struct backend *b, const struct message_head *head)
{
    if (b->redirects == LIMPET_REDIRECTS_MAX) {
        fail_text(b, "too many redirects");
        return;
    }
    struct slice value = message_find(head, SLICE_LIT("Location"));
    bool as_is = head->status == 307 || head->status == 308;
    int err = resolve_redirect(b, value);
    if (err != LIMPET_OK) {
        struct out *out = log_failure(b);
        out_text(out, "redirect to ");
        out_put(out, value);
        out_text(out, ": ");
        out_text(out, limpet_err_text(err));
        log_end(b->gateway->log);
        b->error_text = limpet_err_text(err);
        fail(b);
        return;
    }
    b->redirects++;
    b->method = as_is || b->method == METHOD_HEAD ? b->method : METHOD_GET;
    client_cancel(&b->call);
    start_call(b, FRAMING_NONE, 0);
}

/* ---- The answer -------------------------------------------------------------------------------
 */

static void take_head(struct backend *b)
{
    const struct message_head *head = client_head(&b->call);
    if (is_followed(b, head)) {
        follow(b, head);
    } else if (b->no_op) {
        count(b, true, BREAKER_SUCCESS);
        gateway_give_body(b->gateway, b->body); /* of a redirect's target */
        b->body = NULL;
        b->state = BACKEND_STREAM;
    } else {
        take_json_head(b, head);
    }
}

/* The body of a refusing answer is looked at for return_error_details, and for return_error_code
 * when clients are told what went wrong. */
static bool wants_refused(struct backend *b, unsigned status)
{
    bool details = b->config->error_details.len > 0;
    b->refused = details || b->config->error_code ? status : 0;
    return details || (b->config->error_code && b->gateway->config->router.return_error_msg);
}

/* The exchange never holds another one, for which it would wait with this one in hand. */
static bool needs_one_body(const struct backend *b)
{
    const struct config_endpoint *endpoint = b->origin->endpoint;
    return endpoint->backend_count == 1 && endpoint->concurrent_calls <= 1 &&
           endpoint->static_strategy == STATIC_NEVER && b->request == NULL;
}

static void take_json_head(struct backend *b, const struct message_head *head)
{
    struct slice coding = message_find(head, SLICE_LIT("Content-Encoding"));
    if (head->status != 200 && head->status != 201 && !wants_refused(b, head->status)) {
        fail_status(b, head->status);
        return;
    }
    if (coding.ptr != NULL && !slice_equal_nocase(coding, SLICE_LIT("identity"))) {
        fail_text(b, "body has a Content-Encoding");
        return;
    }
    if (head->framing == FRAMING_LENGTH && head->content_length > LIMPET_BODY_LEN_MAX) {
        fail_text(b, "body is longer than the limit");
        return;
    }
    if (b->body == NULL && needs_one_body(b) && gateway_line_up(b->gateway, b)) {
        return;
    }
    if (b->body == NULL) {
        b->body = gateway_take_body(b->gateway);
        gateway_leave_line(b->gateway, b);
    }
    if (b->body == NULL) {
        fail_text(b, "no memory for the body");
        return;
    }
    b->target_len = 0;
    b->state = BACKEND_READING;
}

static void read_body(struct backend *b)
{
    struct body *body = b->body;
    for (;;) {
        struct slice span = client_peek(&b->call);
        if (span.len == 0) {
            break;
        }
        if (span.len > LIMPET_BODY_LEN_MAX - body->len) {
            fail_text(b, "body is longer than the limit");
            return;
        }
        memcpy(body->bytes + body->len, span.ptr, span.len);
        body->len += span.len;
        client_consume(&b->call, span.len);
    }
    if (client_body_done(&b->call)) {
        finish_body(b);
    } else if (b->call.state == CALL_FAILED) {
        fail_call(b);
    }
}

static bool is_unshaped(const struct config_shape *shape)
{
    return shape->filter == 0 && shape->target.count == 0 && shape->mapping.count == 0 &&
           shape->group.len == 0;
}

/* Text that nothing is done with and that goes to the client as text never becomes JSON. */
static bool is_plain_text(const struct backend *b)
{
    const struct config_endpoint *endpoint = b->origin->endpoint;
    return b->config->encoding == ENCODING_STRING && is_unshaped(&b->config->shape) &&
           endpoint->output_encoding == ENCODING_STRING && endpoint->backend_count == 1 &&
           endpoint->static_strategy == STATIC_NEVER;
}

static void fail_shape(struct backend *b, const struct shape_result *result)
{
    struct out *out = log_failure(b);
    out_text(out, "body at byte ");
    out_u64(out, result->error_at);
    out_text(out, ": ");
    out_text(out, result->error);
    log_end(b->gateway->log);
    b->error_text = result->error;
    fail(b);
}

/* A merged answer is one level: its keys are bounded as those of any other. */
static bool keys_fit(struct backend *b)
{
    struct slice body = slice_of(b->body->bytes, b->body->len);
    if (b->key_count == NULL || b->body->null) {
        return true;
    }
    size_t count = *b->key_count + shape_count_keys(body);
    if (count <= LIMPET_JSON_KEYS_MAX) {
        *b->key_count = count;
    }
    return count <= LIMPET_JSON_KEYS_MAX;
}

static void complete(struct backend *b)
{
    if (!b->body->text && !keys_fit(b)) {
        fail_text(b, "more keys than the limit in the merged answer");
        return;
    }
    client_cancel(&b->call);
    b->body->at = 0;
    b->body->position = b->position;
    b->state = BACKEND_COMPLETE;
    count(b, !b->partial, BREAKER_SUCCESS);
}

static void finish_body(struct backend *b)
{
    struct body *body = b->body;
    struct shape_result result;
    if (b->refused != 0) {
        finish_refused(b);
        return;
    }
    body->text = is_plain_text(b);
    if (body->text) {
        complete(b);
        return;
    }
    const struct shape_rules rules = {b->gateway->config, &b->config->shape, b->config->encoding};
    int err = shape_body(&b->gateway->shape, &rules, body->bytes, body->len, LIMPET_BODY_LEN_MAX,
                         &result);
    if (err != LIMPET_OK) {
        fail_shape(b, &result);
        return;
    }
    body->len = result.len;
    body->null = result.null;
    complete(b);
}

/* ---- Refusing answers -------------------------------------------------------------------------
 */

static struct slice content_type(const struct backend *b)
{
    return message_find(client_head(&b->call), SLICE_LIT("Content-Type"));
}

static void write_details_begin(const struct backend *b, bool body, struct out *out)
{
    out_text(out, "{\"error_");
    out_json_escaped(out, b->config->error_details, false);
    out_text(out, "\":{\"http_status_code\":");
    out_u64(out, b->refused);
    out_text(out, body ? ",\"http_body\":\"" : "");
}

static void write_details_end(const struct backend *b, bool body, struct out *out)
{
    struct slice type = content_type(b);
    out_text(out, body ? "\"" : "");
    if (type.len > 0) {
        out_text(out, ",\"http_body_encoding\":");
        out_json_string(out, type);
    }
    out_text(out, "}}");
}

/* {"error_<name>": {"http_status_code", "http_body", "http_body_encoding"}}, what is empty left
 * out.
 */
static int write_details(struct backend *b)
{
    char begin[LIMPET_ERROR_NAME_LEN_MAX];
    char end[LIMPET_ERROR_NAME_LEN_MAX];
    struct out begin_out;
    struct out end_out;
    bool body = b->body->len > 0;
    out_init(&begin_out, begin, sizeof(begin));
    out_init(&end_out, end, sizeof(end));
    write_details_begin(b, body, &begin_out);
    write_details_end(b, body, &end_out);
    if (out_err(&begin_out) != LIMPET_OK || out_err(&end_out) != LIMPET_OK) {
        return LIMPET_ERR_TOO_LONG;
    }
    return shape_quote(b->body->bytes, &b->body->len, LIMPET_BODY_LEN_MAX, out_slice(&begin_out),
                       out_slice(&end_out));
}

static void finish_refused(struct backend *b)
{
    struct body *body = b->body;
    if (b->config->error_details.len > 0) {
        if (write_details(b) != LIMPET_OK) {
            fail_text(b, "no room for the details of the error");
            return;
        }
        b->partial = true;
        body->null = false;
        body->text = false;
        complete(b);
        return;
    }
    struct slice type = content_type(b);
    body->type_len = type.len <= LIMPET_BODY_LEN_MAX - body->len ? type.len : 0;
    if (body->type_len > 0) {
        memcpy(body->bytes + body->len, type.ptr, type.len);
    }
    b->body = NULL; /* a failure gives back what is no whole body; this one is whole */
    fail_status(b, b->refused);
    b->body = body;
}

/* ---- no-op ------------------------------------------------------------------------------------
 */

const struct message_head *backend_head(const struct backend *b)
{
    assert(b->state == BACKEND_STREAM);
    return client_head(&b->call);
}

struct slice backend_peek(struct backend *b)
{
    if (b->state != BACKEND_STREAM) {
        return SLICE_EMPTY;
    }
    struct slice span = client_peek(&b->call);
    if (span.len > 0) {
        return span;
    }
    if (client_body_done(&b->call)) {
        b->state = BACKEND_COMPLETE;
    } else if (b->call.state == CALL_FAILED) {
        fail_call(b);
    }
    return SLICE_EMPTY;
}

void backend_consume(struct backend *b, size_t len)
{
    assert(b->state == BACKEND_STREAM);
    client_consume(&b->call, len);
}
