#include "gateway/pipe.h"

#include "gateway/gateway.h"

#include <assert.h>

static void on_backend(void *ctx);

static void count(struct pipe *pipe, bool complete, bool error)
{
    if (pipe->counted) {
        return;
    }
    pipe->counted = true;
    uint64_t latency_ns = pipe->gateway->now_ns - pipe->start_ns;
    metrics_record_proxy(pipe->gateway->metrics, pipe->series, complete, error,
                         (int64_t)latency_ns);
}

void pipe_start(struct pipe *pipe, struct gateway *gateway, uint16_t index,
                const struct origin *origin, void (*event)(void *ctx), void *ctx)
{
    assert(pipe->state == PIPE_READY);
    const struct config_endpoint *endpoint = &gateway->config->endpoints[index];
    pipe->gateway = gateway;
    pipe->series = gateway->pipe_series[index];
    pipe->start_ns = gateway->now_ns;
    pipe->event = event;
    pipe->ctx = ctx;
    pipe->state = PIPE_RUNNING;
    bool no_op = endpoint->output_encoding == ENCODING_NO_OP;
    backend_start(&pipe->backend, gateway, endpoint->backend_first, no_op, origin, on_backend,
                  pipe);
}

/* Where the backend stands is where the pipe stands. */
static void follow_backend(struct pipe *pipe)
{
    switch (pipe->backend.state) {
    case BACKEND_STREAM:
        pipe->state = PIPE_STREAM;
        count(pipe, true, false);
        break;
    case BACKEND_COMPLETE:
        pipe->state = PIPE_COMPLETE;
        count(pipe, true, false);
        break;
    case BACKEND_FAILED:
        pipe->state = PIPE_FAILED;
        count(pipe, false, true);
        break;
    default:
        break;
    }
}

static void on_backend(void *ctx)
{
    struct pipe *pipe = ctx;
    follow_backend(pipe);
    pipe->event(pipe->ctx);
}

void pipe_push(struct pipe *pipe)
{
    backend_push(&pipe->backend);
}

void pipe_end(struct pipe *pipe)
{
    if (pipe->state == PIPE_READY) {
        return;
    }
    backend_end(&pipe->backend);
    count(pipe, false, true);
    pipe->state = PIPE_READY;
}

struct body *pipe_take_body(struct pipe *pipe, bool *empty)
{
    assert(pipe->state == PIPE_COMPLETE);
    *empty = pipe->backend.empty;
    return backend_take_body(&pipe->backend);
}

const struct message_head *pipe_head(const struct pipe *pipe)
{
    return backend_head(&pipe->backend);
}

struct slice pipe_peek(struct pipe *pipe)
{
    struct slice span = backend_peek(&pipe->backend);
    follow_backend(pipe);
    return span;
}

void pipe_consume(struct pipe *pipe, size_t len)
{
    backend_consume(&pipe->backend, len);
}
