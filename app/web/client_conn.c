#include "web/client_conn.h"

#include <assert.h>
#include <string.h>

/* A server may send several 1xx heads (RFC 9110 section 15.2); nobody needs more, and without a
 * bound one could keep a call busy for ever. */
#define INTERIM_MAX 16u

/* "ffffffff" CR LF and the CR LF behind the data. */
#define CHUNK_FRAME_LEN 12u
#define CHUNK_LEN_MAX 0xFFFFFFFFu

static void write_framing(struct out *out, const struct client_request *request);
static bool send_some(struct client_conn *conn, const char *bytes, size_t len, size_t *sent);
static void frame_put(struct client_conn *conn, struct slice text);
static size_t write_chunk(struct client_conn *conn, const char *bytes, size_t len);
static void announce_chunk(struct client_conn *conn, size_t len);
static int take_head_bytes(struct client_conn *conn, struct slice bytes);
static int take_head(struct client_conn *conn);
static int refuse(const struct client_conn *conn, int err, const char *why);
static int body_state(struct client_conn *conn);

/* ---- Request -------------------------------------------------------------------------------- */

int client_conn_compose(struct client_conn *conn)
{
    const struct client_request *request = &conn->call->request;
    struct out out;
    out_init(&out, conn->buf, LIMPET_HEAD_OUT_LEN_MAX);
    request->compose(request->ctx, &out);
    write_framing(&out, request);
    if (out_err(&out) != LIMPET_OK) {
        return LIMPET_ERR_TOO_LONG;
    }
    conn->out_len = out_slice(&out).len;
    conn->out_sent = 0;
    return LIMPET_OK;
}

/* HTTP/1.1 connections persist without a field that says so (RFC 9112 section 9.3). */
static void write_framing(struct out *out, const struct client_request *request)
{
    if (request->framing == FRAMING_LENGTH) {
        out_text(out, "Content-Length: ");
        out_u64(out, request->length);
        out_text(out, "\r\n");
    } else if (request->framing == FRAMING_CHUNKED) {
        out_text(out, "Transfer-Encoding: chunked\r\n");
    }
    out_text(out, "\r\n");
}

bool client_conn_send(struct client_conn *conn)
{
    if (conn->spoiled) {
        return false;
    }
    if (!send_some(conn, conn->buf, conn->out_len, &conn->out_sent)) {
        return false;
    }
    size_t frame_sent = conn->frame_sent;
    bool sent = send_some(conn, conn->frame, conn->frame_len, &frame_sent);
    conn->frame_sent = (uint8_t)frame_sent;
    return sent;
}

static bool send_some(struct client_conn *conn, const char *bytes, size_t len, size_t *sent)
{
    if (*sent < len) {
        size_t taken = transport_write(conn->transport, bytes + *sent, len - *sent, true);
        *sent += taken;
        conn->flush_due = true;
    }
    return *sent == len;
}

size_t client_conn_write(struct client_conn *conn, const char *bytes, size_t len)
{
    const struct client_request *request = &conn->call->request;
    if (!client_conn_send(conn)) {
        return 0;
    }
    if (request->framing == FRAMING_CHUNKED) {
        return write_chunk(conn, bytes, len);
    }
    uint64_t left = request->length - conn->call->written;
    size_t piece = len < left ? len : (size_t)left;
    conn->flush_due = true;
    return transport_write(conn->transport, bytes, piece, true);
}

/* A chunk is announced with as much as there is room for. Should less be taken then (lwIP's memory
 * is short), the rest of the chunk goes with the next bytes. */
static size_t write_chunk(struct client_conn *conn, const char *bytes, size_t len)
{
    if (conn->chunk_left == 0) {
        announce_chunk(conn, len);
    }
    if (conn->chunk_left == 0 || !client_conn_send(conn)) {
        return 0;
    }
    size_t piece = len < conn->chunk_left ? len : (size_t)conn->chunk_left;
    size_t taken = transport_write(conn->transport, bytes, piece, true);
    conn->flush_due = true;
    conn->chunk_left -= taken;
    if (conn->chunk_left == 0) {
        frame_put(conn, SLICE_LIT("\r\n"));
        (void)client_conn_send(conn);
    }
    return taken;
}

static void announce_chunk(struct client_conn *conn, size_t len)
{
    size_t room = transport_write_room(conn->transport);
    if (room <= CHUNK_FRAME_LEN) {
        return; /* some is in flight: a step follows */
    }
    size_t piece = len < room - CHUNK_FRAME_LEN ? len : room - CHUNK_FRAME_LEN;
    piece = piece < CHUNK_LEN_MAX ? piece : CHUNK_LEN_MAX;
    char text[CHUNK_FRAME_LEN];
    struct out out;
    out_init(&out, text, sizeof(text));
    out_hex(&out, piece, 1);
    out_text(&out, "\r\n");
    frame_put(conn, out_slice(&out));
    conn->chunk_left = piece;
}

/* Behind what still waits there: at most the end of a chunk. */
static void frame_put(struct client_conn *conn, struct slice text)
{
    if (conn->frame_sent == conn->frame_len) {
        conn->frame_sent = 0;
        conn->frame_len = 0;
    }
    assert(text.len <= sizeof(conn->frame) - conn->frame_len);
    memcpy(conn->frame + conn->frame_len, text.ptr, text.len);
    conn->frame_len = (uint8_t)(conn->frame_len + text.len);
}

int client_conn_write_end(struct client_conn *conn)
{
    const struct client_request *request = &conn->call->request;
    bool cut = request->framing == FRAMING_LENGTH && conn->call->written < request->length;
    if (cut || conn->chunk_left > 0) {
        return LIMPET_ERR_CLOSED;
    }
    if (request->framing == FRAMING_CHUNKED) {
        frame_put(conn, SLICE_LIT("0\r\n\r\n"));
    }
    (void)client_conn_send(conn);
    return LIMPET_OK;
}

/* ---- Answer: head --------------------------------------------------------------------------- */

int client_conn_read_head(struct client_conn *conn)
{
    for (;;) {
        struct slice bytes = transport_peek(conn->transport);
        if (bytes.len == 0) {
            return 0;
        }
        /* The buffer is the answer's now. A peer that answers half a head will not get the rest. */
        conn->spoiled = conn->spoiled || conn->out_sent < conn->out_len;
        conn->out_sent = conn->out_len;
        int result = take_head_bytes(conn, bytes);
        if (result != 0) {
            return result;
        }
    }
}

/* Copies the bytes behind what there is of the head, parses, and consumes what belongs to the head.
 * 1: the final head is complete; 0: look at the next bytes. */
static int take_head_bytes(struct client_conn *conn, struct slice bytes)
{
    size_t before = conn->head_len;
    bytes = slice_take(bytes, LIMPET_HEAD_LEN_MAX - before);
    if (bytes.len == 0) {
        return refuse(conn, LIMPET_ERR_TOO_LONG, "head too long");
    }
    memcpy(conn->buf + before, bytes.ptr, bytes.len);
    struct slice head = slice_of(conn->buf, before + bytes.len);
    int len = message_parse_response(head, &conn->head_scanned, conn->call->request.to_head,
                                     &conn->response);
    if (len < 0) {
        return refuse(conn, len, conn->response.refuse_text);
    }
    conn->head_len = len > 0 ? (size_t)len : head.len;
    assert(conn->head_len > before || len == 0);
    transport_consume(conn->transport, conn->head_len - before);
    return len > 0 ? take_head(conn) : 0;
}

/* Interim heads are skipped; 101 answers a question that we never ask. */
static int take_head(struct client_conn *conn)
{
    if (conn->response.status >= 200) {
        body_reader_init(&conn->body, &conn->response);
        conn->body_shown = 0;
        return 1;
    }
    conn->interim_count++;
    if (conn->response.status == 101) {
        return refuse(conn, LIMPET_ERR_SYNTAX, "101, but no other protocol was asked for");
    }
    if (conn->interim_count > INTERIM_MAX) {
        return refuse(conn, LIMPET_ERR_SYNTAX, "too many interim answers");
    }
    conn->head_len = 0;
    conn->head_scanned = 0;
    return 0;
}

static int refuse(const struct client_conn *conn, int err, const char *why)
{
    struct log *log = conn->client->log;
    struct out *out = log_begin(log, LOG_WARN, "[SERVICE: Client]");
    out_text(out, "answer of ");
    out_put(out, conn->target.name);
    out_char(out, ':');
    out_u64(out, conn->target.port);
    out_text(out, " refused: ");
    out_text(out, why);
    log_end(log);
    return err;
}

/* ---- Answer: body --------------------------------------------------------------------------- */

int client_conn_read_body(struct client_conn *conn)
{
    for (;;) {
        struct slice bytes = transport_peek(conn->transport);
        struct slice data = SLICE_EMPTY;
        int64_t framing = body_reader_next(&conn->body, bytes, &data);
        if (framing < 0) {
            return refuse(conn, (int)framing, "malformed chunks");
        }
        assert((uint64_t)framing <= bytes.len);
        if (framing == 0) {
            conn->body_shown = data.len;
            return data.len > 0 ? 0 : body_state(conn);
        }
        transport_consume(conn->transport, (size_t)framing);
    }
}

/* Nothing to show. At the end of the input only a body that is delimited by it is complete, and not
 * if the connection was reset. */
static int body_state(struct client_conn *conn)
{
    if (conn->body.done) {
        return 1;
    }
    if (!client_conn_is_over(conn)) {
        return 0;
    }
    bool whole =
        conn->transport->state == TRANSPORT_OPEN && body_reader_end(&conn->body) == LIMPET_OK;
    return whole ? 1 : client_conn_end_err(conn);
}

void client_conn_consume(struct client_conn *conn, size_t len)
{
    assert(len <= conn->body_shown);
    conn->body_shown -= len;
    body_reader_take(&conn->body, len);
    transport_consume(conn->transport, len);
}

/* ---- End ------------------------------------------------------------------------------------ */

bool client_conn_is_over(const struct client_conn *conn)
{
    bool ended = conn->transport->eof || conn->transport->state == TRANSPORT_FAILED;
    return ended && transport_peek(conn->transport).len == 0;
}

int client_conn_end_err(const struct client_conn *conn)
{
    return conn->transport->state == TRANSPORT_FAILED ? conn->transport->err : LIMPET_ERR_CLOSED;
}

bool client_conn_is_reusable(const struct client_conn *conn)
{
    bool kept = conn->response.keep_alive && conn->response.framing != FRAMING_CLOSE;
    bool open = conn->transport->state == TRANSPORT_OPEN && !conn->transport->eof;
    return kept && open && !conn->spoiled && transport_peek(conn->transport).len == 0;
}
