/* HTTP/1.1 client: a pool of backend connections that calls take in turn.
 *
 * A call resolves, takes an idle connection to the same target or opens one (or waits in line for a
 * slot), sends a head that the caller composes and a body that the caller pushes, and shows the
 * answer's head and decoded body for pulling. Deadlines belong to the caller: client_cancel at any
 * time, from anywhere but inside compose. All events happen in the loop's turn. */
#ifndef LIMPET_WEB_CLIENT_H
#define LIMPET_WEB_CLIENT_H

#include "app_config.h"
#include "base/log.h"
#include "base/timer.h"
#include "net/net.h"
#include "web/message.h"

/* Whose certificates count where connections are encrypted. */
enum client_purpose { CLIENT_FOR_BACKENDS, CLIENT_FOR_INFLUX };

struct client_target {
    struct slice name; /* or IPv4 literal; must outlive the call and the idle connection */
    uint16_t port;
    bool tls;
    enum client_purpose purpose; /* connections are shared among those of one purpose only */
};

struct client_call;
struct client_conn;

/* Opens a connection to a target with tls set, as net_connect does one without. */
typedef int (*client_connect_fn)(void *ctx, const struct client_target *target, uint32_t ip4,
                                 void *owner, transport_step_fn step, struct transport **t);

struct client_request {
    struct client_target target;
    bool to_head;        /* method HEAD */
    bool safe_to_repeat; /* GET, HEAD, PUT, DELETE, OPTIONS (RFC 9110 section 9.2.2) and no body was
                          * pushed yet: a reused connection that turns out to be closed is replaced
                          * once */
    enum message_framing framing; /* of the request body: NONE, LENGTH, CHUNKED */
    uint64_t length;
    void *ctx;
    /* Writes request line and fields (Host included; Content-Length, Transfer-Encoding and the
     * empty line are added by the client). May run inside client_start, and twice (repeat). A head
     * that does not fit fails the call. */
    void (*compose)(void *ctx, struct out *head);
    /* Something changed: look at call->state and go on. Comes at least when the state becomes
     * SENDING, BODY (or DONE at once), DONE or FAILED, when there is room to write again, and when
     * there is more to peek. DONE and FAILED are told once, even if the caller has already seen
     * them after client_peek or client_consume. */
    void (*event)(void *ctx, struct client_call *call);
};

enum client_state {
    CALL_IDLE,     /* not started, or ended and taken back */
    CALL_WAITING,  /* for a name, a slot, a connection */
    CALL_SENDING,  /* head is on its way; client_write takes body bytes until client_write_end */
    CALL_HEAD_DUE, /* request sent, answer's head not complete */
    CALL_BODY,     /* client_head is valid; peek and consume until client_body_done. When the answer
                    * came before the whole request was sent, no more of that is taken */
    CALL_DONE,     /* the body was consumed to its end */
    CALL_FAILED,   /* call->err */
};

/* Embedded by the caller; zero-initialise. Read `state`, `err` and `outdated`; the rest is
 * private. */
struct client_call {
    enum client_state state;
    /* _RESOLVE _REFUSED _TIMEOUT (no answer to SYN) _RESET _CLOSED (before the answer's end)
     * _SYNTAX (ambiguous or malformed answer) _TOO_LONG (a head) _FULL _UNSUPPORTED _IO */
    int err;
    struct client *client;
    struct client_conn *conn;
    struct client_request request;
    uint64_t written; /* body bytes taken by client_write */
    bool repeated;
    bool outdated; /* with FAILED: a reused connection ended before any byte of the answer came. The
                    * peer may have closed it before it saw the request */
    struct client_line *line; /* it stands in, NULL: none */
    struct client_call *next; /* in that line */
};

/* First come, first served. */
struct client_line {
    struct client_call *first;
    struct client_call *last;
    size_t len;
};

enum client_conn_state {
    BACKEND_FREE,
    BACKEND_RESOLVING,
    BACKEND_CONNECTING,
    BACKEND_BUSY,
    BACKEND_IDLE,
};

/* One buffer for the request's head and then for the answer's. */
#define CLIENT_BUF_LEN                                                                             \
    (LIMPET_HEAD_LEN_MAX > LIMPET_HEAD_OUT_LEN_MAX ? LIMPET_HEAD_LEN_MAX : LIMPET_HEAD_OUT_LEN_MAX)

struct client_conn {
    enum client_conn_state state;
    struct client *client;
    struct client_call *call;
    struct transport *transport;
    struct client_target target;
    struct timer idle_timer;
    struct client_conn *next; /* free list, or idle list from the last used one */
    struct client_conn *previous;
    bool reused;  /* had a call before this one */
    bool spoiled; /* must not be used again: the request was not sent to its end */
    bool flush_due;
    uint8_t interim_count; /* 1xx heads skipped */
    uint8_t frame_len;     /* chunk framing that waits for room */
    uint8_t frame_sent;
    char frame[24];
    uint64_t chunk_left; /* bytes of the announced chunk of the request's body */
    size_t out_len;      /* request's head in buf */
    size_t out_sent;
    size_t head_len; /* answer's head in buf */
    size_t head_scanned;
    struct message_head response;
    struct body_reader body;
    size_t body_shown; /* bytes of body that stand first in the transport */
    char buf[CLIENT_BUF_LEN];
};

/* For static placement; do not touch the fields. */
struct client {
    struct net *net;
    struct timers *timers;
    struct log *log;
    struct client_conn *conns;
    size_t conns_len;
    struct client_conn *free;
    struct client_conn *idle_first;
    struct client_conn *idle_last;
    struct client_conn *stepping;   /* whose step runs */
    struct client_line waiting;     /* for a slot */
    struct client_line waiting_tls; /* for an encrypted connection, or a slot */
    struct client_line due;         /* whose event has to come from the loop */
    client_connect_fn connect_tls;
    void *connect_tls_ctx;
    size_t tls_limit; /* encrypted connections at the same time, idle ones included */
    size_t tls_used;
    struct timer kick; /* serves both lines in this turn or the next */
    size_t used;       /* connections that exist, idle ones included */
    size_t used_max;
    uint64_t opened;
    uint64_t reused;
    uint64_t waited; /* calls that found no free slot at once */
    uint64_t now_ns;
};

void client_init(struct client *client, struct net *net, struct timers *timers, struct log *log,
                 struct client_conn *conns, size_t conns_len);
/* For targets with tls; without it they fail with LIMPET_ERR_UNSUPPORTED. At most `conns_max` of
 * them are open at the same time, others wait in line. Before the first call. */
void client_set_connector(struct client *client, client_connect_fn connect, void *ctx,
                          size_t conns_max);
void client_set_time(struct client *client, uint64_t now_ns);

/* Starts. The call must be CALL_IDLE; its memory must stay until client_cancel, or FAILED. Never
 * calls `event` inside; when nothing can be done at all, FAILED follows by `event`. */
void client_start(struct client *client, struct client_call *call,
                  const struct client_request *request);
LIMPET_WARN_UNUSED
size_t client_write(struct client_call *call, const char *bytes, size_t len); /* 0 = no room now */
/* The body is complete. With FRAMING_LENGTH and fewer bytes the call fails (_CLOSED). Only SENDING
 * has an end; else no effect. */
void client_write_end(struct client_call *call);
/* In CALL_BODY and CALL_DONE; its slices live until client_cancel. */
const struct message_head *client_head(const struct client_call *call);
/* Decoded body; empty = none now, or the state has become DONE or FAILED. Valid until consume,
 * cancel. */
struct slice client_peek(struct client_call *call);
void client_consume(struct client_call *call, size_t len); /* at most what peek showed */
bool client_body_done(const struct client_call *call);
/* Gives the connection back (kept for reuse only when request and answer are complete, else
 * closed). Also after DONE or FAILED, and inside `event`; no event follows. The call is CALL_IDLE
 * then. */
void client_cancel(struct client_call *call);
/* Asks for an `event` of a call that runs, from the loop: the caller had to wait for something of
 * its own. */
void client_again(struct client_call *call);
void client_close_idle(struct client *client); /* clean stop */

#endif
