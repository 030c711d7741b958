#include "gateway/exchange.h"

#include "gateway/access_log.h"
#include "gateway/cors.h"
#include "gateway/echo.h"
#include "gateway/gateway.h"

#include <assert.h>
#include <string.h>

#define TEXT_PLAIN SLICE_LIT("text/plain; charset=utf-8")

static void on_pipe(void *ctx);
static void on_timeout(struct timer *timer, void *ctx, uint64_t now_ns);
static void answer_pipe(struct exchange *x);
static void answer_error(struct exchange *x, unsigned status);
static void begin_stream(struct exchange *x);
static void stream(struct exchange *x);
static void send_payload(struct exchange *x);
static void finish(struct exchange *x);
static void cut(struct exchange *x);

/* ---- Start ------------------------------------------------------------------------------------
 */

void exchange_start(struct exchange *x, const struct route *route)
{
    assert(route->kind == ROUTE_ENDPOINT);
    struct gateway *gateway = x->gateway;
    const struct config_endpoint *endpoint = &gateway->config->endpoints[route->endpoint];
    x->counted = true;
    x->endpoint = route->endpoint;
    x->origin.endpoint = endpoint;
    memcpy(x->origin.params, route->params, route->param_count * sizeof(route->params[0]));
    x->state = EXCHANGE_WAITING;
    metrics_connected(gateway->metrics);
    unsigned refusal = limits_admit(&gateway->limits, &x->origin, gateway->now_ns);
    if (refusal != 0) {
        exchange_answer(x, &(struct answer){.status = refusal});
        return;
    }
    timer_set(gateway->timers, &x->timer, x->start_ns + LIMPET_MS_TO_NS(endpoint->timeout_ms),
              on_timeout, x);
    pipe_start(&x->pipe, gateway, route->endpoint, &x->origin, on_pipe, x);
    if (x->pipe.state == PIPE_FAILED || x->pipe.state == PIPE_COMPLETE) {
        on_pipe(x);
    }
}

/* ---- Events -----------------------------------------------------------------------------------
 */

static void on_pipe(void *ctx)
{
    struct exchange *x = ctx;
    if (x->state == EXCHANGE_STREAMING) {
        stream(x);
        return;
    }
    assert(x->state == EXCHANGE_WAITING);
    switch (x->pipe.state) {
    case PIPE_STREAM:
        begin_stream(x);
        break;
    case PIPE_COMPLETE:
        answer_pipe(x);
        break;
    case PIPE_FAILED:
        answer_error(x, x->pipe.status);
        break;
    default:
        break;
    }
}

void exchange_progress(struct exchange *x)
{
    switch (x->state) {
    case EXCHANGE_WAITING:
        pipe_push(&x->pipe);
        break;
    case EXCHANGE_READING:
        echo_read(x);
        break;
    case EXCHANGE_SENDING:
        send_payload(x);
        break;
    case EXCHANGE_STREAMING:
        pipe_push(&x->pipe);
        stream(x);
        break;
    default:
        break;
    }
}

/* The endpoint's timeout bounds the whole exchange, streaming included, as in the reference; not
 * the sending of an answer that is complete: that is bounded by the server's own deadline. */
static void on_timeout(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    struct exchange *x = ctx;
    assert(x->state == EXCHANGE_WAITING || x->state == EXCHANGE_STREAMING);
    struct out *out = gateway_log(x->gateway, LOG_ERROR, x->origin.endpoint);
    out_text(out, x->status == 0 ? "no answer within " : "answer cut, not complete within ");
    out_duration_ms(out, x->origin.endpoint->timeout_ms);
    log_end(x->gateway->log);
    if (x->status == 0) {
        pipe_expire(&x->pipe);
        on_pipe(x);
    } else {
        cut(x);
    }
}

/* ---- Answers ----------------------------------------------------------------------------------
 */

static void write_version(const struct exchange *x)
{
    bool hidden = x->gateway->config->router.version_hidden;
    server_field(x->origin.conn, SLICE_LIT("X-Krakend"),
                 hidden ? SLICE_LIT("Version undefined") : SLICE_LIT("Version " LIMPET_VERSION));
}

static void write_completed(struct server_conn *c, bool completed)
{
    server_field(c, SLICE_LIT("X-Krakend-Completed"),
                 completed ? SLICE_LIT("true") : SLICE_LIT("false"));
}

static void write_optional(struct server_conn *c, struct slice name, struct slice value)
{
    if (value.len > 0) {
        server_field(c, name, value);
    }
}

static int write_head(struct exchange *x, const struct answer *answer, uint64_t length)
{
    struct server_conn *c = x->origin.conn;
    server_begin(c, answer->status, FRAMING_LENGTH, length);
    write_optional(c, SLICE_LIT("Content-Type"), answer->content_type);
    write_optional(c, SLICE_LIT("Location"), answer->location);
    write_optional(c, SLICE_LIT("Allow"), answer->allow);
    cors_write_fields(x->gateway->config, c);
    if (answer->version) {
        write_version(x);
    }
    if (answer->completed_field) {
        write_completed(c, answer->completed);
    }
    if (answer->cache_ttl_s > 0) {
        char text[sizeof("public, max-age=4294967295")];
        struct out out;
        out_init(&out, text, sizeof(text));
        out_text(&out, "public, max-age=");
        out_u64(&out, answer->cache_ttl_s);
        server_field(c, SLICE_LIT("Cache-Control"), out_slice(&out));
    }
    if (answer->busy) {
        server_field(c, SLICE_LIT("Retry-After"), SLICE_LIT("1"));
    }
    return server_head_end(c);
}

/* Of the pieces behind the first body. */
static uint64_t bodies_len(const struct body *first)
{
    uint64_t len = 0;
    for (const struct body *body = first; body != NULL && body->next != NULL; body = body->next) {
        len += body->next->len;
    }
    return len;
}

void exchange_answer(struct exchange *x, const struct answer *answer)
{
    static const struct answer bare = {.status = 500};
    assert(x->status == 0);
    timer_cancel(x->gateway->timers, &x->timer);
    pipe_end(&x->pipe);
    uint64_t length = answer->payload.len + answer->tail.len + bodies_len(x->body);
    int err = write_head(x, answer, length);
    if (err != LIMPET_OK) {
        answer = &bare;
        gateway_give_bodies(x->gateway, x->body);
        x->body = NULL;
        err = write_head(x, answer, 0);
    }
    assert(err == LIMPET_OK);
    x->status = answer->status;
    x->payload = answer->payload;
    x->tail = answer->tail;
    x->state = EXCHANGE_SENDING;
    send_payload(x);
}

static struct slice piece_of(const struct body *body)
{
    return body != NULL ? slice_of(body->bytes + body->at, body->len) : SLICE_EMPTY;
}

static void answer_pipe(struct exchange *x)
{
    struct pipe_answer from;
    pipe_take_answer(&x->pipe, &from);
    bool completed = x->pipe.complete && !from.empty;
    x->body = from.bodies;
    struct answer answer = {
        .status = 200,
        .content_type = from.text ? TEXT_PLAIN : SLICE_LIT("application/json; charset=utf-8"),
        .version = true,
        .completed_field = true,
        .completed = completed,
        .cache_ttl_s = completed ? x->origin.endpoint->cache_ttl_s : 0,
        .payload = piece_of(from.bodies),
        .tail = from.tail,
    };
    exchange_answer(x, &answer);
}

/* The reference's server takes what has no type for text. */
static struct slice type_of_problems(const struct pipe *pipe)
{
    const struct body *problems = pipe->problems;
    if (pipe->refused_body && (problems->type_len > 0 || problems->len == 0)) {
        return slice_of(problems->bytes + problems->len, problems->type_len);
    }
    return TEXT_PLAIN;
}

static void answer_error(struct exchange *x, unsigned status)
{
    struct answer answer = {
        .status = status,
        .version = true,
        .completed_field = true,
        .busy = x->pipe.busy,
    };
    struct body *problems = x->pipe.problems;
    if (problems != NULL) {
        answer.payload = piece_of(problems);
        answer.content_type = type_of_problems(&x->pipe);
        x->pipe.problems = NULL;
        x->body = problems;
    }
    exchange_answer(x, &answer);
}

/* The next piece, when there is one. */
static bool take_piece(struct exchange *x)
{
    struct body *next = x->body != NULL ? x->body->next : NULL;
    if (next != NULL) {
        gateway_give_body(x->gateway, x->body);
        x->body = next;
        x->payload = piece_of(next);
        return true;
    }
    x->payload = x->tail;
    x->tail = SLICE_EMPTY;
    return x->payload.len > 0;
}

static void send_payload(struct exchange *x)
{
    do {
        if (x->payload.len > 0) {
            size_t taken = server_write(x->origin.conn, x->payload.ptr, x->payload.len);
            x->size += taken;
            x->payload = slice_skip(x->payload, taken);
        }
        if (x->payload.len > 0) {
            return;
        }
    } while (take_piece(x));
    finish(x);
}

/* ---- no-op ------------------------------------------------------------------------------------
 */

/* The server writes Content-Length and Connection itself; ours stand for the gateway's fields
 * of a backend that is a gateway too. */
static bool is_own_field(const struct config *config, struct slice name)
{
    return cors_is_own_field(config, name) ||
           slice_equal_nocase(name, SLICE_LIT("Content-Length")) ||
           slice_equal_nocase(name, SLICE_LIT("X-Krakend")) ||
           slice_equal_nocase(name, SLICE_LIT("X-Krakend-Completed"));
}

static int write_stream_head(struct exchange *x, const struct message_head *head)
{
    const struct config *config = x->gateway->config;
    struct server_conn *c = x->origin.conn;
    enum message_framing framing = head->framing == FRAMING_CLOSE ? FRAMING_CHUNKED : head->framing;
    server_begin(c, head->status, framing, head->content_length);
    cors_write_fields(config, c);
    write_version(x);
    write_completed(c, false);
    for (size_t i = 0; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        if (!is_own_field(config, field.name) && !message_is_hop_by_hop(head, field.name)) {
            server_field(c, field.name, field.value);
        }
    }
    return server_head_end(c);
}

static void begin_stream(struct exchange *x)
{
    const struct message_head *head = pipe_head(&x->pipe);
    if (write_stream_head(x, head) != LIMPET_OK) {
        struct out *out = gateway_log(x->gateway, LOG_ERROR, x->origin.endpoint);
        out_text(out, "the head of the backend's answer is longer than the limit");
        log_end(x->gateway->log);
        answer_error(x, 500);
        return;
    }
    x->status = head->status;
    x->state = EXCHANGE_STREAMING;
    stream(x);
}

static void stream(struct exchange *x)
{
    for (;;) {
        struct slice span = pipe_peek(&x->pipe);
        if (span.len == 0) {
            break;
        }
        size_t taken = server_write(x->origin.conn, span.ptr, span.len);
        pipe_consume(&x->pipe, taken);
        x->size += taken;
        if (taken < span.len) {
            return;
        }
    }
    if (x->pipe.state == PIPE_COMPLETE) {
        finish(x);
    } else if (x->pipe.state == PIPE_FAILED) {
        cut(x);
    }
}

/* ---- Ends -------------------------------------------------------------------------------------
 */

/* Counts, and gives everything back: the exchange must not be used any more. Everything is counted
 * before the last byte can leave, so that a read of the metrics after the answer is complete. */
static struct server_conn *close_exchange(struct exchange *x)
{
    struct gateway *gateway = x->gateway;
    struct server_conn *conn = x->origin.conn;
    timer_cancel(gateway->timers, &x->timer);
    pipe_end(&x->pipe);
    gateway_give_bodies(gateway, x->body);
    if (x->counted) {
        uint64_t time_ns = gateway->now_ns - x->start_ns;
        metrics_record_response(gateway->metrics, gateway->endpoint_series[x->endpoint], x->status,
                                (int64_t)x->size, (int64_t)time_ns);
        metrics_disconnected(gateway->metrics);
    }
    access_log_write(x);
    gateway_give_exchange(gateway, x);
    return conn;
}

static void finish(struct exchange *x)
{
    server_end(close_exchange(x));
}

static void cut(struct exchange *x)
{
    server_cut(close_exchange(x));
}

/* What the server answers in our place when the request's body breaks off; a client that is gone is
 * recorded as 500, as in the reference. */
static unsigned status_of_failure(int err)
{
    switch (err) {
    case LIMPET_ERR_SYNTAX:
    case LIMPET_ERR_CLOSED:
        return 400;
    case LIMPET_ERR_TIMEOUT:
        return 408;
    case LIMPET_ERR_TOO_LONG:
        return 413;
    default:
        return 500;
    }
}

void exchange_gone(struct exchange *x, int err)
{
    if (x->status == 0) {
        x->status = status_of_failure(err);
    }
    (void)close_exchange(x);
}
