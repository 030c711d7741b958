/* The strategy over backend calls of one request, counted as layer "pipe".
 *
 * One backend: its result is the pipe's. */
#ifndef LIMPET_GATEWAY_PIPE_H
#define LIMPET_GATEWAY_PIPE_H

#include "gateway/backend.h"

enum pipe_state {
    PIPE_READY,
    PIPE_RUNNING,
    PIPE_STREAM,   /* no-op: head and body can be pulled */
    PIPE_COMPLETE, /* json: pipe_take_body; no-op: everything was pulled */
    PIPE_FAILED,
};

/* Embedded by the exchange; zero-initialise. */
struct pipe {
    enum pipe_state state;
    bool counted;
    struct gateway *gateway;
    struct proxy_series *series;
    uint64_t start_ns;
    void (*event)(void *ctx);
    void *ctx;
    struct backend backend;
};

/* Starts the backends of endpoint `index`. As backend_start. */
void pipe_start(struct pipe *pipe, struct gateway *gateway, uint16_t index,
                const struct origin *origin, void (*event)(void *ctx), void *ctx);
void pipe_push(struct pipe *pipe); /* request body bytes became readable */
/* Takes back what still runs; a pipe that was not counted yet counts as an error. */
void pipe_end(struct pipe *pipe);
/* COMPLETE: the answer's body, to be given back to the pool. `empty`: nothing that completes it. */
struct body *pipe_take_body(struct pipe *pipe, bool *empty);
/* STREAM: as backend_head, backend_peek, backend_consume; `state` follows. */
const struct message_head *pipe_head(const struct pipe *pipe);
struct slice pipe_peek(struct pipe *pipe);
void pipe_consume(struct pipe *pipe, size_t len);

#endif
