/* HTTP/1.1 server: connection slots, deadlines, one request at a time per connection, answers in
 * order.
 *
 * A listener's slots are its own (struct server). The handler pulls the request body and pushes the
 * response; both sides bound each other: what is not consumed closes the client's window, what does
 * not fit is refused by server_write and `progress` follows. All calls happen in the loop's turn,
 * none in lwIP's.
 *
 * A message that the parser refuses is answered with its status and the connection closes. When all
 * slots are taken, the connection that has been idle for longest makes room for a new one; if none
 * is idle the new one is told 503 with Retry-After. */
#ifndef LIMPET_WEB_SERVER_H
#define LIMPET_WEB_SERVER_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "net/net.h"
#include "web/message.h"

struct server;
struct server_conn; /* fields below, private to server*.c but for `user` */

struct server_handler {
    void *ctx;
    /* A request head is complete. Answer now or later; head slices live until server_end. */
    void (*request)(void *ctx, struct server_conn *c);
    /* Body bytes are readable, the body ended, or there is room to write again. May come again
     * while nothing has changed. */
    void (*progress)(void *ctx, struct server_conn *c);
    /* The client is gone, or a deadline of this side passed, before server_end: forget the
     * connection. Called once at most, never inside a call of the handler.
     * err: LIMPET_ERR_RESET, _TIMEOUT, _IO of the transport; _TIMEOUT the client stalled, or
     * read_timeout_ms passed; _IO write_timeout_ms passed; _CLOSED
     * its body ended early, _SYNTAX bad chunks, _TOO_LONG above body_len_max. If no byte of a
     * response was sent the server answers itself: 408, 400 (_CLOSED, _SYNTAX) or 413. */
    void (*gone)(void *ctx, struct server_conn *c, int err);
};

struct server_options {
    uint32_t header_timeout_ms; /* first byte -> whole head: 408; accept -> first byte: closed */
    uint32_t stall_timeout_ms;  /* silence inside a body or a response that we wait for */
    uint32_t idle_timeout_ms;   /* between requests: closed */
    uint64_t body_len_max;      /* announced or counted, above it 413; UINT64_MAX = unlimited */
    const char *log_prefix;
    uint32_t read_timeout_ms;   /* first byte -> whole request: 408; 0 = none */
    uint32_t write_timeout_ms;  /* whole head -> whole response: reset; 0 = none */
    uint32_t head_len_max;      /* bytes of a head: above it 431; 0 = LIMPET_HEAD_LEN_MAX */
};

enum server_conn_state {
    CONN_FREE,
    CONN_IDLE,       /* kept alive, no byte of the next request; stands in the idle list */
    CONN_HEAD,       /* new, or a head has begun */
    CONN_HANDLING,   /* the handler has the request; nothing of its response is decided */
    CONN_RESPONDING, /* ... and the response's head is complete */
    CONN_ENDING,     /* response complete, not all of it taken by the transport */
    CONN_DRAINING,   /* reading the rest of the request's body away */
};

#define SERVER_FRAME_LEN 24u /* CR LF, 16 hex digits, CR LF and some */

struct server_conn {
    void *user; /* the handler's */
    struct server *server;
    struct transport *transport;
    enum server_conn_state state;
    struct timer timer;   /* fires at deadline_ns or earlier */
    uint64_t deadline_ns; /* TIMER_NEVER: none */
    uint64_t head_start_ns;
    uint64_t head_end_ns;
    size_t head_used; /* bytes of the request's head in buf */
    size_t head_scanned;
    struct body_reader body;
    struct slice body_data; /* decoded span shown by server_body_peek */
    uint64_t body_seen;
    size_t drain_left; /* payload that nobody read: so much more is read away */
    int failure;       /* of the request's body; told by the next step */
    bool owned;        /* the handler has it: request called, neither end nor gone */
    bool stepping;     /* inside conn_step: it will flush and go on */
    bool keep_alive;
    bool continue_due; /* 100 is expected and was not sent */
    bool body_wanted;  /* the handler found no body bytes */
    bool body_end_told;
    bool blocked;  /* a write was refused for want of room */
    bool moved;    /* bytes went in or out since the deadline was set */
    bool bodyless; /* HEAD, 204, 304: body bytes are counted and dropped */
    bool dated;    /* the handler wrote a Date */
    unsigned status;
    enum message_framing response_framing;
    uint64_t response_left; /* FRAMING_LENGTH: bytes still to write */
    size_t chunk_left;      /* FRAMING_CHUNKED: bytes still to write of the chunk that was begun */
    struct slice interim;   /* what is left of "100 Continue" */
    struct out out;         /* response head, in buf behind the request's */
    size_t out_sent;
    size_t frame_len; /* chunk framing that waits */
    size_t frame_sent;
    struct server_conn *next;     /* free list, idle list */
    struct server_conn *previous; /* idle list */
    char frame[SERVER_FRAME_LEN];
    struct message_head request;
    /* The request's head, then the response's: both live at the same time, since a handler reads
     * the one while it writes the other, but few need much of it. */
    char buf[LIMPET_HEAD_LEN_MAX + LIMPET_HEAD_OUT_LEN_MAX];
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
    struct server_conn *idle_first; /* idle for longest */
    struct server_conn *idle_last;
    size_t waiting; /* accepted without a slot, not looked at yet; at most LIMPET_REJECT_CONNS */
    size_t used;
    size_t used_max;
    uint64_t accepted;
    uint64_t refused_busy; /* told 503 or reset: no slot */
    uint64_t refused;      /* requests that the server answered itself: 400, 408, 413, ... */
    uint64_t write_timeouts; /* responses that took longer than write_timeout_ms: reset */
    uint64_t purged;       /* idle connections closed for a new one */
    uint64_t now_ns;
    int64_t unix_ns;     /* for the Date field; 0 = unknown, no field */
    int64_t date_unix_s; /* of the text below */
    char date[MESSAGE_DATE_LEN];
    bool stopping;
};

void server_init(struct server *server, struct net *net, struct timers *timers, struct log *log,
                 struct server_conn *conns, size_t conns_len, const struct server_handler *handler,
                 const struct server_options *options);
LIMPET_WARN_UNUSED
int server_start(struct server *server, uint16_t port); /* errors of net_listen */
/* Stops listening, closes idle connections; running requests may end (their answers say close).
 * `used` is 0 when the last one has. */
void server_stop(struct server *server);
/* Before timers and steps of a turn. */
void server_set_time(struct server *server, uint64_t now_ns, int64_t unix_ns);

/* ---- For the handler ----------------------------------------------------------------------- */

const struct message_head *server_request(const struct server_conn *c);
/* Host byte order; 127.0.0.1 for the host itself. */
uint32_t server_peer_ip4(const struct server_conn *c);

/* Request body, decoded. peek: next span, empty = none now; consume at most its length. A span is
 * valid until the next call for this connection. The first peek that finds nothing answers
 * Expect: 100-continue. */
struct slice server_body_peek(struct server_conn *c);
void server_body_consume(struct server_conn *c, size_t len);
bool server_body_done(const struct server_conn *c); /* everything was consumed */

/* Response: begin, fields, head_end, write..., end. FRAMING_LENGTH with its length, FRAMING_CHUNKED
 * (sent as close-delimited to an HTTP/1.0 client), FRAMING_CLOSE, FRAMING_NONE (no body: written as
 * Content-Length 0 where a body could be). Content-Length, Transfer-Encoding and Connection are
 * written by the server, the handler's are left out; Date where the handler writes none. Until
 * server_head_end said LIMPET_OK the handler may begin again. A head longer than
 * LIMPET_HEAD_OUT_LEN_MAX (more fits when the request's head was short): server_head_end returns
 * LIMPET_ERR_TOO_LONG and nothing was sent: begin again with another answer. */
void server_begin(struct server_conn *c, unsigned status, enum message_framing framing,
                  uint64_t length);
void server_field(struct server_conn *c, struct slice name, struct slice value);
LIMPET_WARN_UNUSED
int server_head_end(struct server_conn *c);
/* Returns how many bytes were taken; less than `len`: no room now, `progress` follows, and the
 * bytes that were not taken come first next time (a chunk that was begun is theirs). */
LIMPET_WARN_UNUSED
size_t server_write(struct server_conn *c, const char *bytes, size_t len);
/* The response is complete (with FRAMING_LENGTH all bytes were written; else as server_cut). The
 * connection goes on with the next request, or closes; `c` must not be used by the handler any
 * more. Of an unread request body at most LIMPET_DRAIN_LEN_MAX is read away to keep the connection.
 */
void server_end(struct server_conn *c);
/* The response cannot be completed: the client must see that it is cut (RST or early close). `c`
 * must not be used by the handler any more. */
void server_cut(struct server_conn *c);
/* A whole small answer: begin, Content-Type (when not empty), body, end. The body is copied behind
 * the head: LIMPET_HEAD_OUT_LEN_MAX less about 200 bytes always fit. */
void server_answer(struct server_conn *c, unsigned status, struct slice content_type,
                   struct slice body);

#endif
