/* HTTP/1.1 client: a pool of backend connections that calls take in turn.
 *
 * A call resolves, takes an idle connection to the same target or opens one (or waits in line for a
 * slot), sends a head that the caller composes and a body that the caller pushes, and shows the answer's
 * head and decoded body for pulling. Deadlines belong to the caller: client_cancel at any time, from
 * anywhere but inside compose. All events happen in the loop's turn. */
#ifndef LIMPET_WEB_CLIENT_H
#define LIMPET_WEB_CLIENT_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "net/net.h"
#include "web/message.h"

struct client_target {
    struct slice name; /* host name or IPv4 literal; must outlive the call and the idle connection */
    uint16_t port;
    bool tls;
};

struct client_call;
struct client_conn;

struct client_request {
    struct client_target target;
    bool to_head;        /* method HEAD */
    bool safe_to_repeat; /* GET, HEAD, PUT, DELETE, OPTIONS (RFC 9110 section 9.2.2) and no body was pushed yet:
                          * a reused connection that turns out to be closed is replaced once */
    enum message_framing framing; /* of the request body: NONE, LENGTH, CHUNKED */
    uint64_t length;
    void *ctx;
    /* Writes request line and fields (Host included; Content-Length, Transfer-Encoding and Connection are
     * added by the client). May be called twice (repeat). A head that does not fit fails the call. */
    void (*compose)(void *ctx, struct out *head);
    /* Something changed: look at call->state and go on. */
    void (*event)(void *ctx, struct client_call *call);
};

enum client_state {
    CALL_IDLE,     /* not started, or ended and taken back */
    CALL_WAITING,  /* for a name, a slot, a connection */
    CALL_SENDING,  /* head is on its way; client_write takes body bytes */
    CALL_HEAD_DUE, /* request sent, answer's head not complete */
    CALL_BODY,     /* client_head is valid; peek and consume until client_body_done */
    CALL_DONE,     /* the body was consumed to its end */
    CALL_FAILED,   /* call->err */
};

/* Embedded by the caller; zero-initialise. Read `state` and `err`; the rest is private. */
struct client_call {
    enum client_state state;
    int err; /* _RESOLVE _REFUSED _RESET _CLOSED _SYNTAX _TOO_LONG _FULL _UNSUPPORTED */
    struct client *client;
    struct client_conn *conn;
    struct client_request request;
    uint64_t written;  /* body bytes taken by client_write */
    bool answered;     /* head complete (may come before the request was sent) */
    bool body_ended;   /* client_write_end was called */
    bool repeated;
    struct client_call *next; /* waiting line */
};

enum client_conn_state { BACKEND_FREE, BACKEND_RESOLVING, BACKEND_CONNECTING, BACKEND_BUSY, BACKEND_IDLE };

struct client_conn {
    enum client_conn_state state;
    struct client *client;
    struct client_call *call;
    struct transport *transport;
    struct client_target target;
    struct timer idle_timer;
    bool reused;
    struct message_head response;
    struct body_reader body;
    size_t head_used;
    size_t head_scanned;
    size_t body_at;
    struct slice body_data;
    struct out out;
    size_t out_sent;
    uint64_t last_used_ns;
    struct client_conn *next;
    char head_buf[LIMPET_HEAD_LEN_MAX];
    char out_buf[LIMPET_HEAD_OUT_LEN_MAX];
};

/* For static placement; do not touch the fields. */
struct client {
    struct net *net;
    struct timers *timers;
    struct log *log;
    struct client_conn *conns;
    size_t conns_len;
    struct client_call *waiting_first;
    struct client_call *waiting_last;
    size_t used;
    size_t used_max;
    uint64_t opened;
    uint64_t reused;
    uint64_t waited; /* calls that found no free slot at once */
    uint64_t now_ns;
};

void client_init(struct client *client, struct net *net, struct timers *timers, struct log *log,
                 struct client_conn *conns, size_t conns_len);
void client_set_time(struct client *client, uint64_t now_ns);

/* Starts. The call's memory must stay until DONE, FAILED or client_cancel. Never calls `event` inside. */
void client_start(struct client *client, struct client_call *call, const struct client_request *request);
LIMPET_WARN_UNUSED
size_t client_write(struct client_call *call, const char *bytes, size_t len); /* body; 0 = no room now */
void client_write_end(struct client_call *call); /* the body is complete */
const struct message_head *client_head(const struct client_call *call); /* from CALL_BODY on */
struct slice client_peek(struct client_call *call); /* decoded body; empty = none now */
void client_consume(struct client_call *call, size_t len);
bool client_body_done(const struct client_call *call);
/* Gives the connection back (kept for reuse only when request and answer are complete, else closed). Also after DONE
 * or FAILED; no event follows. The call is CALL_IDLE then. */
void client_cancel(struct client_call *call);
void client_close_idle(struct client *client); /* clean stop */

#endif
