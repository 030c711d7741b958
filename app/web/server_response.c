/* The way out: interim answers, heads, bodies in their framing, and the server's own answers. */
#include "web/server_conn.h"

#include <assert.h>

/* Room below which a chunk is not made to fit it: framing would be most of what is sent. */
#define CHUNK_MIN 64u
/* Size line and the CR LF behind the chunk. */
#define CHUNK_FRAMING_LEN 20u

static bool push_bytes(struct server_conn *c, struct slice *rest, bool more);
static void frame_add(struct server_conn *c, struct slice bytes);
static bool is_server_field(struct slice name);
static void choose_framing(struct server_conn *c);
static bool may_keep_alive(const struct server_conn *c);
static void write_server_fields(struct server_conn *c);
static void write_framing_fields(struct server_conn *c);
static void write_date_field(struct server_conn *c);
static size_t write_chunked(struct server_conn *c, const char *bytes, size_t len);
static void begin_chunk(struct server_conn *c, size_t len, size_t room);
static void end_response(struct server_conn *c);

/* ---- For the handler ------------------------------------------------------------------------ */

void server_begin(struct server_conn *c, unsigned status, enum message_framing framing,
                  uint64_t length)
{
    assert(c->owned && c->state == CONN_HANDLING);
    assert(status >= 200 && status <= 999);
    out_init(&c->out, c->buf + c->head_used, sizeof(c->buf) - c->head_used);
    c->out_sent = 0;
    c->response_framing = framing;
    c->response_left = framing == FRAMING_LENGTH ? length : 0;
    c->bodyless =
        status == 204 || status == 304 || slice_equal(c->request.method, SLICE_LIT("HEAD"));
    c->dated = false;
    c->status = status;
    message_write_status_line(&c->out, status);
}

void server_field(struct server_conn *c, struct slice name, struct slice value)
{
    assert(c->owned && c->state == CONN_HANDLING);
    if (!is_server_field(name)) {
        c->dated = c->dated || slice_equal_nocase(name, SLICE_LIT("Date"));
        message_write_field(&c->out, name, value);
    }
}

int server_head_end(struct server_conn *c)
{
    assert(c->owned && c->state == CONN_HANDLING);
    choose_framing(c);
    c->keep_alive = c->request.keep_alive && may_keep_alive(c);
    write_server_fields(c);
    if (out_err(&c->out) != LIMPET_OK) {
        return LIMPET_ERR_TOO_LONG;
    }
    c->state = CONN_RESPONDING;
    c->continue_due = false;
    if (!c->stepping) {
        transport_again(c->transport); /* a head whose body is long in coming should not wait */
    }
    return LIMPET_OK;
}

size_t server_write(struct server_conn *c, const char *bytes, size_t len)
{
    assert(c->owned && c->state == CONN_RESPONDING);
    assert(c->response_framing != FRAMING_LENGTH || len <= c->response_left);
    size_t taken = 0;
    if (c->bodyless) {
        taken = len;
    } else if (c->response_framing == FRAMING_CHUNKED) {
        taken = write_chunked(c, bytes, len);
    } else if (response_push(c)) {
        bool more = c->response_framing != FRAMING_LENGTH || c->response_left > len;
        taken = transport_write(c->transport, bytes, len, more);
    }
    if (c->response_framing == FRAMING_LENGTH) {
        c->response_left -= taken;
    }
    c->moved = c->moved || taken > 0;
    c->blocked = taken < len;
    if (!c->stepping) {
        conn_watch(c);
        transport_again(c->transport); /* flushes, unless server_end comes first */
    }
    return taken;
}

void server_end(struct server_conn *c)
{
    assert(c->owned && c->state == CONN_RESPONDING);
    bool missing = c->chunk_left > 0 || c->response_left > 0;
    if (missing && !c->bodyless) {
        server_cut(c);
        return;
    }
    if (c->response_framing == FRAMING_CHUNKED && !c->bodyless) {
        frame_add(c, SLICE_LIT("0\r\n\r\n"));
    }
    c->owned = false;
    end_response(c);
}

void server_cut(struct server_conn *c)
{
    assert(c->owned);
    c->owned = false;
    conn_abort(c);
}

void server_answer(struct server_conn *c, unsigned status, struct slice content_type,
                   struct slice body)
{
    server_begin(c, status, FRAMING_LENGTH, body.len);
    if (content_type.len > 0) {
        server_field(c, SLICE_LIT("Content-Type"), content_type);
    }
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    size_t head_len = out_slice(&c->out).len;
    if (!c->bodyless) {
        out_put(&c->out, body);
    }
    if (out_err(&c->out) == LIMPET_OK) {
        c->response_left = 0;
    } else {
        out_rewind(&c->out, head_len);
        size_t taken = server_write(c, body.ptr, body.len);
        (void)taken; /* not all: server_end cuts */
    }
    server_end(c);
}

/* ---- For server.c --------------------------------------------------------------------------- */

void response_reset(struct server_conn *c)
{
    out_init(&c->out, c->buf, sizeof(c->buf));
    c->out_sent = 0;
    c->frame_len = 0;
    c->frame_sent = 0;
    c->chunk_left = 0;
    c->response_left = 0;
    c->response_framing = FRAMING_NONE;
    c->bodyless = false;
    c->blocked = false;
    c->interim = SLICE_EMPTY;
}

bool response_push(struct server_conn *c)
{
    struct slice head = slice_skip(out_slice(&c->out), c->out_sent);
    struct slice frame = slice_of(c->frame + c->frame_sent, c->frame_len - c->frame_sent);
    bool more = c->state == CONN_RESPONDING && c->response_left > 0;
    if (!push_bytes(c, &c->interim, head.len > 0)) {
        return false;
    }
    if (c->state != CONN_RESPONDING && c->state != CONN_ENDING) {
        return true; /* a head that is being composed is not the transport's yet */
    }
    bool pushed = push_bytes(c, &head, more || frame.len > 0);
    c->out_sent = out_slice(&c->out).len - head.len;
    if (!pushed || !push_bytes(c, &frame, c->state == CONN_RESPONDING)) {
        c->frame_sent = c->frame_len - frame.len;
        return false;
    }
    c->frame_len = 0;
    c->frame_sent = 0;
    return true;
}

bool response_waits(const struct server_conn *c)
{
    bool head = c->state != CONN_HANDLING && c->out_sent < out_slice(&c->out).len;
    return c->interim.len > 0 || head || c->frame_sent < c->frame_len;
}

void response_continue(struct server_conn *c)
{
    c->continue_due = false;
    c->interim = SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n");
    (void)response_push(c);
    if (!c->stepping) {
        transport_flush(c->transport);
    }
}

void response_refuse(struct server_conn *c, unsigned status, const char *text)
{
    struct slice interim = c->interim; /* begun: it must be completed first */
    assert(!c->owned);
    bool to_head = c->state != CONN_HEAD && slice_equal(c->request.method, SLICE_LIT("HEAD"));
    response_reset(c);
    c->interim = interim;
    c->keep_alive = false;
    message_write_status_line(&c->out, status);
    message_write_field(&c->out, SLICE_LIT("Content-Type"), SLICE_LIT("text/plain; charset=utf-8"));
    c->response_framing = FRAMING_LENGTH;
    c->response_left = slice_from_cstr(text).len + 1;
    write_server_fields(c);
    if (!to_head) {
        out_text(&c->out, text);
        out_char(&c->out, '\n');
    }
    c->response_left = 0;
    assert(out_err(&c->out) == LIMPET_OK);
    end_response(c);
}

/* ---- Pushing -------------------------------------------------------------------------------- */

static bool push_bytes(struct server_conn *c, struct slice *rest, bool more)
{
    if (rest->len == 0) {
        return true;
    }
    size_t taken = transport_write(c->transport, rest->ptr, rest->len, more);
    *rest = slice_skip(*rest, taken);
    c->moved = c->moved || taken > 0;
    return rest->len == 0;
}

static void frame_add(struct server_conn *c, struct slice bytes)
{
    struct out out;
    out_init(&out, c->frame + c->frame_len, sizeof(c->frame) - c->frame_len);
    out_put(&out, bytes);
    assert(out_err(&out) == LIMPET_OK);
    c->frame_len += bytes.len;
}

/* From inside a step the loop there goes on; from outside, what follows waits for a step. */
static void end_response(struct server_conn *c)
{
    c->state = CONN_ENDING;
    if (c->stepping) {
        return;
    }
    bool pushed = response_push(c);
    transport_flush(c->transport);
    if (pushed) {
        conn_response_sent(c);
    }
    if (c->state == CONN_FREE) {
        return;
    }
    conn_watch(c);
    if (transport_peek(c->transport).len > 0 || c->transport->eof) {
        transport_again(c->transport);
    }
}

/* ---- The head ------------------------------------------------------------------------------- */

static bool is_server_field(struct slice name)
{
    return slice_equal_nocase(name, SLICE_LIT("Connection")) ||
           slice_equal_nocase(name, SLICE_LIT("Content-Length")) ||
           slice_equal_nocase(name, SLICE_LIT("Transfer-Encoding"));
}

/* HTTP/1.0 knows no chunks; 204 has neither field (RFC 9112 section 6.1, RFC 9110 section 8.6). */
static void choose_framing(struct server_conn *c)
{
    if (c->status == 204 || (c->status == 304 && c->response_framing != FRAMING_LENGTH)) {
        c->response_framing = FRAMING_NONE;
        c->response_left = 0;
    } else if (c->response_framing == FRAMING_CHUNKED && c->request.version_minor == 0) {
        c->response_framing = FRAMING_CLOSE;
    } else if (c->response_framing == FRAMING_NONE && !c->bodyless) {
        c->response_framing = FRAMING_LENGTH;
        c->response_left = 0;
    }
}

/* Not when the response ends with the connection; not when the client may or may not send a body
 * that it asked leave for (RFC 9110 section 10.1.1); not when too much of a body is left to read.
 */
static bool may_keep_alive(const struct server_conn *c)
{
    bool endless = c->response_framing == FRAMING_CLOSE && !c->bodyless;
    bool long_rest = c->body.framing == FRAMING_LENGTH && c->body.remaining > LIMPET_DRAIN_LEN_MAX;
    return !endless && !c->continue_due && !long_rest && !c->server->stopping && c->failure == 0;
}

static void write_server_fields(struct server_conn *c)
{
    write_date_field(c);
    write_framing_fields(c);
    if (!c->keep_alive) {
        message_write_field(&c->out, SLICE_LIT("Connection"), SLICE_LIT("close"));
    } else if (c->request.version_minor == 0) {
        message_write_field(&c->out, SLICE_LIT("Connection"), SLICE_LIT("keep-alive"));
    }
    out_text(&c->out, "\r\n");
}

static void write_framing_fields(struct server_conn *c)
{
    if (c->response_framing == FRAMING_LENGTH) {
        out_text(&c->out, "Content-Length: ");
        out_u64(&c->out, c->response_left);
        out_text(&c->out, "\r\n");
    } else if (c->response_framing == FRAMING_CHUNKED) {
        message_write_field(&c->out, SLICE_LIT("Transfer-Encoding"), SLICE_LIT("chunked"));
    }
}

/* The text is made once a second. */
static void write_date_field(struct server_conn *c)
{
    struct server *server = c->server;
    int64_t unix_s = server->unix_ns / 1000000000;
    if (unix_s <= 0 || c->dated) {
        return;
    }
    if (server->date_unix_s != unix_s) {
        server->date_unix_s = unix_s;
        message_write_date(server->date, unix_s);
    }
    message_write_field(&c->out, SLICE_LIT("Date"), slice_of(server->date, MESSAGE_DATE_LEN));
}

/* ---- Chunks --------------------------------------------------------------------------------- */

/* Until all is taken or the transport has no room: what is refused must be its doing, since only
 * then an event follows. */
static size_t write_chunked(struct server_conn *c, const char *bytes, size_t len)
{
    size_t taken = 0;
    while (taken < len && response_push(c)) {
        if (c->chunk_left == 0) {
            size_t room = transport_write_room(c->transport);
            if (room == 0) {
                break;
            }
            begin_chunk(c, len - taken, room);
            continue;
        }
        size_t piece = len - taken < c->chunk_left ? len - taken : c->chunk_left;
        size_t now = transport_write(c->transport, bytes + taken, piece, true);
        taken += now;
        c->chunk_left -= now;
        if (c->chunk_left == 0) {
            frame_add(c, SLICE_LIT("\r\n"));
        } else if (now < piece) {
            break;
        }
    }
    (void)response_push(c);
    return taken;
}

/* As long as fits into the room, so that a chunk is seldom left half. */
static void begin_chunk(struct server_conn *c, size_t len, size_t room)
{
    size_t fitting = room > CHUNK_MIN + CHUNK_FRAMING_LEN ? room - CHUNK_FRAMING_LEN : CHUNK_MIN;
    size_t size = len < fitting ? len : fitting;
    unsigned digits = 1;
    while (digits < 2 * sizeof(size) && size >> (4 * digits) != 0) {
        digits++;
    }
    struct out line;
    char text[2 * sizeof(size) + 2];
    out_init(&line, text, sizeof(text));
    out_hex(&line, size, digits);
    out_text(&line, "\r\n");
    frame_add(c, out_slice(&line));
    c->chunk_left = size;
}
