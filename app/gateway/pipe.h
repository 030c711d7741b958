/* The strategy over backend calls of one request, counted as layer "pipe".
 *
 * One backend: its result is the pipe's. Several: all at once and merged as they come, within 85 %
 * of the timeout; or one after the other (sequential). Each backend is called concurrent_calls
 * times within 75 % of the timeout, and its first complete answer counts. Fixed data comes last. */
#ifndef LIMPET_GATEWAY_PIPE_H
#define LIMPET_GATEWAY_PIPE_H

#include "base/timer.h"
#include "gateway/backend.h"

enum pipe_state {
    PIPE_READY,
    PIPE_HOLDING, /* the request's body is read, so that each backend gets the whole of it */
    PIPE_RUNNING,
    PIPE_STREAM,   /* no-op: head and body can be pulled */
    PIPE_COMPLETE, /* no-op: everything was pulled; else an answer: pipe_take_answer */
    PIPE_FAILED,
};

/* Embedded by the exchange; zero-initialise. */
struct pipe {
    enum pipe_state state;
    bool counted;
    bool late;         /* what still runs has failed: its time is over */
    bool partial;      /* an answer is not a complete one */
    bool complete;     /* COMPLETE: nothing is missing */
    bool busy;         /* FAILED: for want of memory; the client may try again */
    unsigned status;   /* FAILED: what the client gets */
    uint16_t position; /* sequential: the backend that is asked */
    uint16_t settled;  /* backends whose result is known */
    uint16_t failed;   /* of these */
    uint16_t unreachable; /* of these: no answer at all */
    struct gateway *gateway;
    const struct origin *origin;
    struct proxy_series *series;
    uint64_t start_ns;
    void (*event)(void *ctx);
    void *ctx;
    struct backend *calls; /* that run, and incomplete answers that wait for a better one */
    struct body *request;  /* the request's body when several calls get it */
    struct body *answers;  /* in the order in which they came */
    struct body
        *problems;      /* FAILED, with return_error_msg: what clients are told; NULL = nothing */
    bool refused_body;  /* `problems` is the backend's own body, with its Content-Type */
    size_t key_count;   /* of the answers */
    struct timer timer; /* the calls' part of the timeout */
};

/* An answer in pieces: the bodies, then `tail`; together one value. */
struct pipe_answer {
    struct body *bodies; /* NULL = none; to be given back to the pool */
    struct slice tail;   /* static */
    bool text;           /* it is no JSON */
    bool empty;          /* nothing in it that completes an answer */
};

/* Starts the backends of endpoint `index`. As backend_start; what cannot be started at all shows in
 * `state` at once, without an event. */
void pipe_start(struct pipe *pipe, struct gateway *gateway, uint16_t index,
                const struct origin *origin, void (*event)(void *ctx), void *ctx);
/* Request body bytes became readable. An event may follow inside. */
void pipe_push(struct pipe *pipe);
/* Takes back what still runs; a pipe that was not counted yet counts as an error. */
void pipe_end(struct pipe *pipe);
/* Not STREAM: the time of the request is over. COMPLETE or FAILED on return, without event. */
void pipe_expire(struct pipe *pipe);
/* COMPLETE, not no-op. */
void pipe_take_answer(struct pipe *pipe, struct pipe_answer *answer);
/* STREAM: as backend_head, backend_peek, backend_consume; `state` follows. */
const struct message_head *pipe_head(const struct pipe *pipe);
struct slice pipe_peek(struct pipe *pipe);
void pipe_consume(struct pipe *pipe, size_t len);

#endif
