/* HTTP/1.1 server: connection slots, deadlines, one request at a time per connection, answers in order.
 *
 * A listener's slots are its own (struct server). The handler pulls the request body and pushes the response;
 * both sides bound each other: what is not consumed closes the client's window, what does not fit is
 * refused by server_write and `progress` follows. All calls happen in the loop's turn, none in lwIP's. */
#ifndef LIMPET_WEB_SERVER_H
#define LIMPET_WEB_SERVER_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "net/net.h"
#include "web/message.h"

struct server;
struct server_conn; /* fields below, private to server.c but for `user` */

struct server_handler {
    void *ctx;
    /* A request head is complete. Answer now or later; head slices live until server_end. */
    void (*request)(void *ctx, struct server_conn *c);
    /* Body bytes are readable, the body ended, or there is room to write again. */
    void (*progress)(void *ctx, struct server_conn *c);
    /* The client is gone, or a deadline of this side passed, before server_end: forget the connection.
     * err: LIMPET_ERR_RESET, _CLOSED, _TIMEOUT, _SYNTAX (bad chunked body; 400 was answered if possible). */
    void (*gone)(void *ctx, struct server_conn *c, int err);
};

struct server_options {
    uint32_t header_timeout_ms; /* accept or first byte -> whole head; then 408 */
    uint32_t stall_timeout_ms;  /* silence inside a body or a response */
    uint32_t idle_timeout_ms;   /* between requests */
    uint64_t body_len_max;      /* announced or counted, above it 413; UINT64_MAX = unlimited */
    const char *log_prefix;
};

enum server_conn_state {
    CONN_FREE, CONN_HEAD, CONN_HANDLING, CONN_RESPONDING, CONN_DRAINING, CONN_IDLE, CONN_CLOSING,
};

struct server_conn {
    void *user; /* the handler's */
    struct server *server;
    struct transport *transport;
    enum server_conn_state state;
    struct timer timer;
    struct message_head request;
    struct body_reader body;
    size_t head_used;    /* bytes in head_buf */
    size_t head_scanned;
    size_t head_len;     /* of the current request's head; the rest of head_buf is body or the next request */
    size_t body_at;      /* read position behind the head in head_buf */
    struct slice body_data; /* decoded span shown by server_body_peek */
    uint64_t body_seen;
    uint64_t response_left; /* FRAMING_LENGTH: bytes still to write */
    enum message_framing response_framing;
    bool response_head_only; /* HEAD, 204, 304: body bytes are counted and dropped */
    bool keep_alive;
    bool continue_due;
    struct out out; /* head composed into out_buf */
    size_t out_sent;
    struct server_conn *next; /* free list */
    char head_buf[LIMPET_HEAD_LEN_MAX];
    char out_buf[LIMPET_HEAD_OUT_LEN_MAX];
};

/* For static placement; do not touch the fields. */
struct server {
    struct net *net;
    struct timers *timers;
    struct log *log;
    struct net_listener listener;
    struct server_handler handler;
    struct server_options options;
    struct server_conn *conns;
    size_t conns_len;
    struct server_conn *free;
    size_t used;
    size_t used_max;
    uint64_t accepted;
    uint64_t refused_busy; /* told 503 or reset: no slot */
    uint64_t now_ns;
    int64_t unix_ns; /* for the Date field; 0 = unknown, no field */
    bool stopping;
};

void server_init(struct server *server, struct net *net, struct timers *timers, struct log *log,
                 struct server_conn *conns, size_t conns_len, const struct server_handler *handler,
                 const struct server_options *options);
LIMPET_WARN_UNUSED
int server_start(struct server *server, uint16_t port); /* errors of net_listen */
/* Stops listening, closes idle connections; running requests may end (the last answer says close). */
void server_stop(struct server *server);
/* Before timers and steps of a turn. */
void server_set_time(struct server *server, uint64_t now_ns, int64_t unix_ns);

/* ---- For the handler -------------------------------------------------------------------------- */

const struct message_head *server_request(const struct server_conn *c);
uint32_t server_peer_ip4(const struct server_conn *c); /* host byte order; 127.0.0.1 for the host itself */

/* Request body, decoded. peek: next span, empty = none now; consume at most its length. */
struct slice server_body_peek(struct server_conn *c);
void server_body_consume(struct server_conn *c, size_t len);
bool server_body_done(const struct server_conn *c); /* everything was consumed */

/* Response: begin, fields, head_end, write..., end. FRAMING_LENGTH with its length, FRAMING_CHUNKED (sent as
 * close-delimited to an HTTP/1.0 client), FRAMING_NONE. Date, Content-Length, Transfer-Encoding and
 * Connection are written by the server. A head longer than LIMPET_HEAD_OUT_LEN_MAX: server_head_end
 * returns LIMPET_ERR_TOO_LONG and nothing was sent: begin again with another answer. */
void server_begin(struct server_conn *c, unsigned status, enum message_framing framing, uint64_t length);
void server_field(struct server_conn *c, struct slice name, struct slice value);
LIMPET_WARN_UNUSED
int server_head_end(struct server_conn *c);
/* Returns how many bytes were taken; 0 = no room now, `progress` follows. */
LIMPET_WARN_UNUSED
size_t server_write(struct server_conn *c, const char *bytes, size_t len);
/* The response is complete (with FRAMING_LENGTH all bytes were written). The connection goes on with the
 * next request, or closes; `c` must not be used by the handler any more. An unread request body is drained
 * up to a bound, else the connection closes after the response. */
void server_end(struct server_conn *c);
/* The response cannot be completed: the client must see that it is cut (RST or early close). */
void server_cut(struct server_conn *c);
/* A whole small answer: begin, Content-Type (when not empty), body, end. */
void server_answer(struct server_conn *c, unsigned status, struct slice content_type, struct slice body);

#endif
