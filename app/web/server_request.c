/* Requests: heads, bodies, and what is wrong with them. */
#include "web/server_conn.h"

#include <assert.h>
#include <string.h>

/* Bytes copied before the parser looks: heads are mostly shorter, and what follows a head belongs
 * to its body or to the next request and was copied for nothing. */
#define HEAD_PIECE_LEN 512u
#define TLS_HANDSHAKE '\x16'

static bool head_input_ended(struct server_conn *c);
static void begin_head(struct server_conn *c);
static void start_request(struct server_conn *c);
static void advance_body(struct server_conn *c);
static bool looks_bad(const struct server_conn *c);

/* ---- Heads ---------------------------------------------------------------------------------- */

/* Takes from the transport exactly what belongs to the head. */
bool request_read_head(struct server_conn *c)
{
    struct transport *t = c->transport;
    for (struct slice s = transport_peek(t); s.len > 0; s = transport_peek(t)) {
        if (c->head_used == 0) {
            begin_head(c);
        }
        size_t left = LIMPET_HEAD_LEN_MAX - c->head_used;
        size_t piece = s.len < HEAD_PIECE_LEN ? s.len : HEAD_PIECE_LEN;
        piece = piece < left ? piece : left;
        memcpy(c->buf + c->head_used, s.ptr, piece);
        int len = message_parse_request(slice_of(c->buf, c->head_used + piece), &c->head_scanned,
                                        &c->request);
        size_t seen = len > 0 ? (size_t)len : c->head_used + piece;
        if (len >= 0 && seen > c->server->options.head_len_max) {
            request_refuse(c, 431, "head too long");
            return c->state != CONN_FREE;
        }
        if (len < 0) {
            bool tls = c->buf[0] == TLS_HANDSHAKE;
            request_refuse(c, c->request.refuse_status, tls ? NULL : c->request.refuse_text);
            return c->state != CONN_FREE;
        }
        if (len > 0) {
            transport_consume(t, (size_t)len - c->head_used);
            c->head_used = (size_t)len;
            start_request(c);
            return c->state != CONN_FREE;
        }
        transport_consume(t, piece);
        c->head_used += piece;
    }
    return head_input_ended(c);
}

/* Nothing more to read now. */
static bool head_input_ended(struct server_conn *c)
{
    if (c->transport->eof && c->head_used == 0) {
        conn_close(c);
        return false;
    }
    if (c->transport->eof) {
        request_refuse(c, 400, "request ends in its head");
        return true;
    }
    if (c->state == CONN_HEAD) {
        if (c->head_start_ns == 0) {
            c->head_start_ns = c->server->now_ns;
        }
        conn_deadline(c, c->head_start_ns + LIMPET_MS_TO_NS(c->server->options.header_timeout_ms));
    }
    return false;
}

static void begin_head(struct server_conn *c)
{
    conn_wake(c);
    c->head_start_ns = c->server->now_ns;
    c->head_scanned = 0;
}

static void start_request(struct server_conn *c)
{
    const struct server *server = c->server;
    response_reset(c);
    body_reader_init(&c->body, &c->request);
    c->body_data = SLICE_EMPTY;
    c->body_seen = 0;
    c->body_wanted = false;
    c->body_end_told = c->body.done;
    c->failure = LIMPET_OK;
    c->head_end_ns = server->now_ns;
    c->drain_left = LIMPET_DRAIN_LEN_MAX;
    c->keep_alive = c->request.keep_alive;
    c->continue_due = c->request.expect_continue;
    c->deadline_ns = TIMER_NEVER;
    c->state = CONN_HANDLING;
    if (c->body.framing == FRAMING_LENGTH && c->body.remaining > server->options.body_len_max) {
        request_refuse(c, 413, "body too long");
        return;
    }
    advance_body(c);
    if (c->failure == LIMPET_OK && looks_bad(c)) {
        c->failure = LIMPET_ERR_SYNTAX;
    }
    if (c->failure != LIMPET_OK) {
        request_fail(c, c->failure);
        return;
    }
    c->owned = true;
    server->handler.request(server->handler.ctx, c);
}

/* Answers by itself and closes; without a text only closes: who speaks TLS reads no answer. */
void request_refuse(struct server_conn *c, unsigned status, const char *text)
{
    struct server *server = c->server;
    struct out *out = log_begin(server->log, LOG_INFO, server->options.log_prefix);
    server->refused++;
    out_text(out, "refused ");
    net_ip4_text(out, server_peer_ip4(c));
    out_text(out, ": ");
    out_u64(out, status);
    out_char(out, ' ');
    out_text(out, text == NULL ? "TLS on the plain port" : text);
    log_end(server->log);
    if (text == NULL) {
        conn_close(c);
    } else {
        response_refuse(c, status, text);
    }
}

/* ---- Requests in work ----------------------------------------------------------------------- */

const struct message_head *server_request(const struct server_conn *c)
{
    return &c->request;
}

uint32_t server_peer_ip4(const struct server_conn *c)
{
    return net_peer_ip4(c->server->net, c->transport);
}

/* Tells the handler what has changed. */
bool request_serve(struct server_conn *c)
{
    bool pushed = response_push(c);
    advance_body(c);
    if (c->failure != LIMPET_OK) {
        request_fail(c, c->failure);
        return c->state != CONN_FREE;
    }
    bool room = c->blocked && pushed && transport_write_room(c->transport) > 0;
    bool body_ended = c->body.done && !c->body_end_told;
    if (room || body_ended || c->body_data.len > 0) {
        c->blocked = c->blocked && !room;
        c->body_end_told = c->body.done;
        c->server->handler.progress(c->server->handler.ctx, c);
    }
    return c->state != CONN_HANDLING && c->state != CONN_RESPONDING && c->state != CONN_FREE;
}

struct slice server_body_peek(struct server_conn *c)
{
    assert(c->owned);
    advance_body(c);
    if (c->failure != LIMPET_OK) {
        transport_again(c->transport); /* told by a step, not inside the handler's call */
    } else if (c->body_data.len == 0 && !c->body.done) {
        c->body_wanted = true;
        if (c->continue_due) {
            response_continue(c);
        }
    }
    if (!c->stepping) {
        conn_watch(c);
    }
    return c->body_data;
}

void server_body_consume(struct server_conn *c, size_t len)
{
    assert(c->owned && len <= c->body_data.len);
    if (len == 0) {
        return;
    }
    transport_consume(c->transport, len);
    body_reader_take(&c->body, len);
    c->body_seen += len;
    c->moved = true;
    advance_body(c);
    if (c->failure != LIMPET_OK) {
        transport_again(c->transport);
    }
}

bool server_body_done(const struct server_conn *c)
{
    return c->body.done;
}

/* Consumes framing up to the next payload and shows that. */
static void advance_body(struct server_conn *c)
{
    struct transport *t = c->transport;
    c->body_data = SLICE_EMPTY;
    while (!c->body.done && c->failure == LIMPET_OK) {
        struct slice s = transport_peek(t);
        struct slice data;
        if (s.len == 0) {
            c->failure = t->eof ? LIMPET_ERR_CLOSED : LIMPET_OK;
            return;
        }
        int64_t framing = body_reader_next(&c->body, s, &data);
        if (framing < 0) {
            c->failure = LIMPET_ERR_SYNTAX;
            return;
        }
        uint64_t left = c->server->options.body_len_max - c->body_seen;
        if (c->body.framing == FRAMING_CHUNKED && c->body.remaining > left) {
            c->failure = LIMPET_ERR_TOO_LONG;
            return;
        }
        c->continue_due = false; /* the body is coming without it (RFC 9110 section 10.1.1) */
        if (framing > 0) {
            transport_consume(t, (size_t)framing);
            c->moved = true;
            continue; /* the span has moved */
        }
        c->body_data = data;
        c->body_wanted = false;
        return;
    }
}

/* The body as far as its first span shows it: nobody hears of a request that came in one piece and
 * is bad at its end, even if nobody would have read that far. */
static bool looks_bad(const struct server_conn *c)
{
    struct body_reader ahead = c->body;
    struct slice rest = ahead.done ? SLICE_EMPTY : transport_peek(c->transport);
    while (rest.len > 0 && !ahead.done) {
        struct slice data;
        int64_t framing = body_reader_next(&ahead, rest, &data);
        if (framing < 0) {
            return true;
        }
        if (data.len > 0) {
            body_reader_take(&ahead, data.len);
        }
        rest = slice_skip(rest, (size_t)framing + data.len);
    }
    return false;
}

/* Tells the handler, and the client if nothing else was told yet. */
void request_fail(struct server_conn *c, int err)
{
    bool answerable =
        c->state == CONN_HANDLING || (c->state == CONN_RESPONDING && c->out_sent == 0);
    if (c->owned) {
        c->owned = false;
        c->server->handler.gone(c->server->handler.ctx, c, err);
    }
    if (!answerable) {
        conn_abort(c);
    } else if (err == LIMPET_ERR_TIMEOUT) {
        request_refuse(c, 408, "body took too long");
    } else if (err == LIMPET_ERR_TOO_LONG) {
        request_refuse(c, 413, "body too long");
    } else {
        request_refuse(c, 400, err == LIMPET_ERR_CLOSED ? "request ends in its body" : "bad chunk");
    }
}

/* ---- What the handler did not read ----------------------------------------------------------- */

bool request_drain(struct server_conn *c)
{
    for (advance_body(c); c->body_data.len > 0; advance_body(c)) {
        size_t len = c->body_data.len;
        if (len > c->drain_left) {
            conn_close(c);
            return false;
        }
        c->drain_left -= len;
        transport_consume(c->transport, len);
        body_reader_take(&c->body, len);
        c->body_seen += len;
    }
    if (c->failure != LIMPET_OK) {
        conn_close(c);
        return false;
    }
    if (c->body.done) {
        conn_idle(c);
        return c->state != CONN_FREE;
    }
    return false;
}
