/* One call of a backend, counted: the request that it gets, redirects, and what its answer means.
 *
 * Not no-op: the body is held in a pool body and shaped; only 200 and 201 are good. With
 * return_error_details another status is an answer, too, but not a complete one.
 * no-op: any answer is good; its body is not held, the exchange pulls it through backend_peek.
 * The call is counted once (layer "backend"): when its body is complete, when a no-op answer's head
 * is there, when it fails, or when it is taken back before any of these. */
#ifndef LIMPET_GATEWAY_BACKEND_H
#define LIMPET_GATEWAY_BACKEND_H

#include "app_config.h"
#include "config/config.h"
#include "gateway/body.h"
#include "metrics/metrics.h"
#include "web/client.h"
#include "web/server.h"

struct gateway;

/* What backends use of the client's request. The exchange owns it; it stays while calls run. */
struct origin {
    struct server_conn *conn;
    const struct config_endpoint *endpoint;
    struct slice params[LIMPET_PARAMS_MAX]; /* raw, in the request's head */
};

enum backend_state {
    BACKEND_READY,    /* not started, or taken back */
    BACKEND_ASKED,    /* no answer yet */
    BACKEND_READING,  /* the body is coming */
    BACKEND_STREAM,   /* no-op: head and body can be pulled */
    BACKEND_COMPLETE, /* `body` is the shaped value; no-op: the stream was pulled to its end */
    BACKEND_FAILED,   /* counted and logged */
};

/* From the pool of struct gateway. Read `state` and what says so; the rest is private. */
struct backend {
    enum backend_state state;
    bool no_op;
    bool partial; /* COMPLETE: it answered, with an error (return_error_details) */
    bool request_sent;
    bool lined_up; /* for a body: the answer's head waits in its connection */
    bool foreign; /* redirected to a host that credentials are not meant for */
    uint8_t redirects;
    uint32_t period;        /* of its breaker, 0 = it has none or did not let the call through */
    uint16_t position;      /* in its endpoint; for the pipe */
    unsigned refused;       /* status that is no good one, 0 = none; FAILED: return_error_code */
    bool unreachable;       /* FAILED: it gave no answer in HTTP, or broke it off */
    const char *error_text; /* FAILED: why, static; else why another call failed, for the pipe */
    struct backend *next;   /* free list; the pipe's list */
    struct backend *line_next;
    void *owner;            /* the pipe */
    const struct body *request; /* the request's body, held; NULL = it streams from the client */
    size_t request_at;
    const struct body *answers; /* of earlier backends (sequential) */
    size_t *key_count;          /* of the merged answer so far; NULL = nothing is merged */
    enum method method;
    struct gateway *gateway;
    const struct origin *origin;
    const struct config_backend *config;
    const struct config_host *host;
    struct proxy_series *series;
    struct body *body;
    size_t target_len; /* > 0: redirected to this target, in `body` until the answer comes */
    uint64_t start_ns;
    void (*event)(void *ctx);
    void *ctx;
    struct client_call call;
};

/* Starts the call of the backend `position` of the origin's endpoint; `request`, `answers`: see
 * above. `event` follows when something changed, never from inside this call: what its breaker or
 * its rate limit refuses is FAILED on return. The backend stays in place until backend_end. */
struct backend_start {
    const struct origin *origin;
    uint16_t position;
    const struct body *request;
    const struct body *answers;
    size_t *key_count;
    void (*event)(void *ctx);
    void *ctx; /* NULL: the call itself */
    void *owner;
};
void backend_start(struct backend *b, struct gateway *gateway, const struct backend_start *start);
/* The call that there is no memory for: counted as an error. */
void backend_count_refused(struct gateway *gateway, const struct origin *origin, uint16_t position);
/* It has an answer to come. */
bool backend_is_running(const struct backend *b);
/* Request body bytes became readable. */
void backend_push(struct backend *b);
/* Gives back connection and body; a call that still ran counts as an error, and for its breaker
 * only if its time was over (`late`): otherwise somebody lost interest. No event follows. */
void backend_end(struct backend *b, bool late);
/* COMPLETE: takes the shaped body over; FAILED: the refused answer's whole body, or NULL. The
 * caller gives it back to the pool. */
struct body *backend_take_body(struct backend *b);

/* no-op, STREAM: the answer's head, and its decoded body. Empty = none now, or the body ended: then
 * `state` is COMPLETE. A body that is cut makes it FAILED. */
const struct message_head *backend_head(const struct backend *b);
struct slice backend_peek(struct backend *b);
void backend_consume(struct backend *b, size_t len);

#endif
