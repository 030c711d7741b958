#include "gateway/pipe.h"

#include "gateway/gateway.h"
#include "gateway/render.h"

#include <assert.h>
#include <string.h>

/* Parts of the endpoint's timeout (lura: merging.go, concurrent.go). */
#define MERGE_PERCENT 85u
#define CONCURRENT_PERCENT 75u

static void hold_request(struct pipe *pipe);
static void start_backends(struct pipe *pipe);
static void start_backend(struct pipe *pipe, uint16_t position);
static void on_backend(void *ctx);
static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns);
static void give_call(struct pipe *pipe, struct backend *b);
static void settle_answer(struct pipe *pipe, struct backend *b);
static void settle_failure(struct pipe *pipe, struct backend *b);
static void go_on(struct pipe *pipe);
static void finish(struct pipe *pipe);

static const struct config_endpoint *endpoint_of(const struct pipe *pipe)
{
    return pipe->origin->endpoint;
}

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

/* ---- Start ------------------------------------------------------------------------------------
 */

static bool needs_whole_request(const struct pipe *pipe)
{
    const struct message_head *request = server_request(pipe->origin->conn);
    bool body = request->framing == FRAMING_CHUNKED ||
                (request->framing == FRAMING_LENGTH && request->content_length > 0);
    return body &&
           (endpoint_of(pipe)->backend_count > 1 || endpoint_of(pipe)->concurrent_calls > 1);
}

void pipe_start(struct pipe *pipe, struct gateway *gateway, uint16_t index,
                const struct origin *origin, void (*event)(void *ctx), void *ctx)
{
    assert(pipe->state == PIPE_READY);
    pipe->gateway = gateway;
    pipe->origin = origin;
    pipe->series = gateway->pipe_series[index];
    pipe->start_ns = gateway->now_ns;
    pipe->status = 500;
    pipe->event = event;
    pipe->ctx = ctx;
    if (needs_whole_request(pipe)) {
        pipe->state = PIPE_HOLDING;
        hold_request(pipe);
    } else {
        start_backends(pipe);
    }
}

static void fail_request(struct pipe *pipe, unsigned status, const char *text)
{
    struct out *out = gateway_log(pipe->gateway, LOG_ERROR, endpoint_of(pipe));
    out_text(out, text);
    log_end(pipe->gateway->log);
    pipe->status = status;
    pipe->state = PIPE_FAILED;
    render_problem(pipe, text);
    count(pipe, false, true);
}

static void hold_request(struct pipe *pipe)
{
    struct server_conn *conn = pipe->origin->conn;
    if (pipe->request == NULL) {
        pipe->request = gateway_take_body(pipe->gateway);
    }
    if (pipe->request == NULL) {
        pipe->busy = true;
        fail_request(pipe, 503, "no memory for the request's body");
        return;
    }
    for (;;) {
        struct slice span = server_body_peek(conn);
        if (span.len == 0) {
            break;
        }
        if (span.len > LIMPET_BODY_LEN_MAX - pipe->request->len) {
            fail_request(pipe, 413, "the request's body is longer than the limit");
            return;
        }
        memcpy(pipe->request->bytes + pipe->request->len, span.ptr, span.len);
        pipe->request->len += span.len;
        server_body_consume(conn, span.len);
    }
    if (server_body_done(conn)) {
        start_backends(pipe);
    }
}

static void set_deadline(struct pipe *pipe)
{
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    uint64_t timeout_ns = LIMPET_MS_TO_NS(endpoint->timeout_ms);
    uint64_t merge_ns = pipe->start_ns + timeout_ns * MERGE_PERCENT / 100u;
    uint64_t calls_ns = pipe->gateway->now_ns + timeout_ns * CONCURRENT_PERCENT / 100u;
    uint64_t deadline_ns = endpoint->backend_count > 1 ? merge_ns : UINT64_MAX;
    if (endpoint->concurrent_calls > 1 && calls_ns < deadline_ns) {
        deadline_ns = calls_ns;
    }
    if (deadline_ns < UINT64_MAX) {
        timer_set(pipe->gateway->timers, &pipe->timer, deadline_ns, on_deadline, pipe);
    }
}

static void start_backends(struct pipe *pipe)
{
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    pipe->state = PIPE_RUNNING;
    if (endpoint->static_strategy != STATIC_NEVER) {
        pipe->key_count = shape_count_keys(endpoint->static_data);
    }
    set_deadline(pipe);
    uint16_t first = endpoint->sequential ? 1 : endpoint->backend_count;
    for (uint16_t i = 0; i < first; i++) {
        start_backend(pipe, i);
    }
}

static bool merges(const struct pipe *pipe)
{
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    return endpoint->backend_count > 1 || endpoint->static_strategy != STATIC_NEVER;
}

static void start_call(struct pipe *pipe, struct backend *b, uint16_t position)
{
    const struct backend_start start = {
        .origin = pipe->origin,
        .position = position,
        .request = pipe->request,
        .answers = pipe->answers,
        .key_count = merges(pipe) ? &pipe->key_count : NULL,
        .event = on_backend,
        .owner = pipe,
    };
    b->next = pipe->calls;
    pipe->calls = b;
    backend_start(b, pipe->gateway, &start);
}

/* Calls that were refused before they began: no event tells. */
static void settle_refused(struct pipe *pipe, uint16_t position)
{
    struct backend *refused = NULL;
    struct backend *next;
    for (struct backend *b = pipe->calls; b != NULL; b = next) {
        next = b->next;
        if (b->position == position && b->state == BACKEND_FAILED) {
            if (refused != NULL) {
                give_call(pipe, refused);
            }
            refused = b;
        }
    }
    if (refused != NULL) {
        settle_failure(pipe, refused);
    }
}

/* All calls that there is memory for; at the first that there is none for the rest is not tried. */
static void start_backend(struct pipe *pipe, uint16_t position)
{
    unsigned started = 0;
    for (; started < endpoint_of(pipe)->concurrent_calls; started++) {
        struct backend *b = gateway_take_call(pipe->gateway);
        if (b == NULL) {
            backend_count_refused(pipe->gateway, pipe->origin, position);
            break;
        }
        start_call(pipe, b, position);
    }
    if (started == 0) {
        settle_failure(pipe, NULL);
    } else {
        settle_refused(pipe, position);
    }
}

/* ---- Calls ------------------------------------------------------------------------------------
 */

static void give_call(struct pipe *pipe, struct backend *b)
{
    struct backend **link = &pipe->calls;
    while (*link != b) {
        link = &(*link)->next;
    }
    *link = b->next;
    backend_end(b, pipe->late);
    gateway_give_call(pipe->gateway, b);
}

/* Another call of the same backend: one that runs, or one that has answered incompletely. */
static struct backend *find_sibling(const struct pipe *pipe, const struct backend *b, bool running)
{
    for (struct backend *other = pipe->calls; other != NULL; other = other->next) {
        if (other != b && other->position == b->position && backend_is_running(other) == running) {
            return other;
        }
    }
    return NULL;
}

static void give_siblings(struct pipe *pipe, const struct backend *b)
{
    struct backend *next;
    for (struct backend *other = pipe->calls; other != NULL; other = next) {
        next = other->next;
        if (other != b && other->position == b->position) {
            give_call(pipe, other);
        }
    }
}

static void follow_stream(struct pipe *pipe, struct backend *b)
{
    switch (b->state) {
    case BACKEND_STREAM:
        give_siblings(pipe, b);
        timer_cancel(pipe->gateway->timers, &pipe->timer);
        pipe->state = PIPE_STREAM;
        count(pipe, true, false);
        break;
    case BACKEND_COMPLETE:
        pipe->state = PIPE_COMPLETE;
        break;
    case BACKEND_FAILED:
        pipe->state = PIPE_FAILED;
        break;
    default:
        break;
    }
}

static void on_backend(void *ctx)
{
    struct backend *b = ctx;
    struct pipe *pipe = b->owner;
    if (pipe->state == PIPE_STREAM || b->state == BACKEND_STREAM) {
        follow_stream(pipe, b);
    } else if (b->state == BACKEND_COMPLETE) {
        settle_answer(pipe, b);
    } else if (b->state == BACKEND_FAILED) {
        settle_failure(pipe, b);
    } else {
        return;
    }
    pipe->event(pipe->ctx);
}

static void take_answer(struct pipe *pipe, struct backend *b)
{
    struct body *body = backend_take_body(b);
    struct body **last = &pipe->answers;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    body->next = NULL;
    *last = body;
    pipe->partial = pipe->partial || b->partial;
}

/* An incomplete answer waits while a better one may come. Beside a call that failed it is an answer
 * and a failure, of which a merge takes the failure only (lura: concurrent.go, merging.go). */
static void settle_answer(struct pipe *pipe, struct backend *b)
{
    bool failed = b->partial && b->error_text != NULL;
    if (b->partial && find_sibling(pipe, b, true) != NULL) {
        return;
    }
    if (failed && endpoint_of(pipe)->backend_count > 1) {
        render_problem(pipe, b->error_text);
    } else {
        take_answer(pipe, b);
    }
    pipe->failed = (uint16_t)(pipe->failed + failed);
    pipe->settled++;
    give_siblings(pipe, b);
    give_call(pipe, b);
    go_on(pipe);
}

static void tell_siblings(const struct pipe *pipe, const struct backend *b)
{
    for (struct backend *other = pipe->calls; other != NULL; other = other->next) {
        if (other->position == b->position) {
            other->error_text = b->error_text;
        }
    }
}

/* `b` is NULL when there was no memory for the call. */
static void settle_failure(struct pipe *pipe, struct backend *b)
{
    if (b != NULL) {
        tell_siblings(pipe, b);
    }
    if (b != NULL && find_sibling(pipe, b, true) != NULL) {
        give_call(pipe, b);
        return;
    }
    struct backend *partial = b != NULL ? find_sibling(pipe, b, false) : NULL;
    if (partial != NULL) {
        give_call(pipe, b);
        settle_answer(pipe, partial);
        return;
    }
    pipe->settled++;
    pipe->failed++;
    if (b == NULL) {
        render_problem(pipe, "too many calls at the same time");
    } else {
        pipe->unreachable = (uint16_t)(pipe->unreachable + b->unreachable);
        render_failure(pipe, b);
        give_call(pipe, b);
    }
    go_on(pipe);
}

static void go_on(struct pipe *pipe)
{
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    if (pipe->settled == endpoint->backend_count ||
        (endpoint->sequential && (pipe->failed > 0 || pipe->partial))) {
        finish(pipe);
    } else if (endpoint->sequential) {
        pipe->position++;
        set_deadline(pipe);
        start_backend(pipe, pipe->position);
    }
}

/* What has not answered is an error; incomplete answers that waited for better ones count. */
static void give_up(struct pipe *pipe)
{
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    struct backend *next;
    pipe->late = true;
    for (struct backend *b = pipe->calls; b != NULL; b = next) {
        next = b->next;
        if (backend_is_running(b)) {
            give_call(pipe, b);
        }
    }
    pipe->late = false;
    while (pipe->state == PIPE_RUNNING && pipe->calls != NULL) {
        settle_answer(pipe, pipe->calls);
    }
    if (pipe->state == PIPE_RUNNING) {
        uint16_t missing =
            endpoint->sequential ? 1 : (uint16_t)(endpoint->backend_count - pipe->settled);
        pipe->failed = (uint16_t)(pipe->failed + missing);
        pipe->late = true;
        render_problem(pipe, "context deadline exceeded");
        finish(pipe);
    }
}

static void on_deadline(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    struct pipe *pipe = ctx;
    const struct config_endpoint *endpoint = endpoint_of(pipe);
    struct out *out = gateway_log(pipe->gateway, LOG_ERROR, endpoint);
    out_text(out, "answers missing at the deadline of the backends: ");
    out_u64(out, (uint64_t)endpoint->backend_count - pipe->settled);
    log_end(pipe->gateway->log);
    give_up(pipe);
    pipe->event(pipe->ctx);
}

/* ---- Result -----------------------------------------------------------------------------------
 */

static bool static_matches(const struct pipe *pipe, bool answered, bool complete)
{
    switch (endpoint_of(pipe)->static_strategy) {
    case STATIC_NEVER:
        return false;
    case STATIC_ALWAYS:
        return true;
    case STATIC_SUCCESS:
        return pipe->failed == 0;
    case STATIC_ERRORED:
        return pipe->failed > 0;
    case STATIC_COMPLETE:
        return complete && pipe->failed == 0;
    case STATIC_INCOMPLETE:
        return !answered || !complete;
    }
    return false;
}

/* A null is no data: in a merge its answer is not complete (lura, combineData). */
static bool has_null(const struct pipe *pipe)
{
    const struct body *body = pipe->answers;
    while (body != NULL && !body->null) {
        body = body->next;
    }
    return body != NULL && endpoint_of(pipe)->backend_count > 1;
}

/* What the client gets where there is no answer; a status that return_error_code brought stays. */
static unsigned failure_status(const struct pipe *pipe)
{
    const struct config_router *router = &pipe->gateway->config->router;
    unsigned status = 0;
    if (pipe->late) {
        status = router->timeout_status;
    } else if (pipe->unreachable == pipe->failed) {
        status = router->bad_gateway_status;
    }
    return status != 0 ? status : pipe->status;
}

/* A sequence whose first backend fails has no answer. */
static void finish(struct pipe *pipe)
{
    bool answered = pipe->answers != NULL;
    bool whole = pipe->settled == endpoint_of(pipe)->backend_count && pipe->failed == 0;
    pipe->complete = answered && whole && !pipe->partial && !has_null(pipe);
    timer_cancel(pipe->gateway->timers, &pipe->timer);
    gateway_give_body(pipe->gateway, pipe->request);
    pipe->request = NULL;
    if (static_matches(pipe, answered, pipe->complete)) {
        if (render_static(pipe) != LIMPET_OK) {
            pipe->failed++;
            pipe->complete = false;
        }
        answered = true;
    }
    pipe->state = answered ? PIPE_COMPLETE : PIPE_FAILED;
    pipe->status = failure_status(pipe);
    count(pipe, pipe->complete, pipe->failed > 0);
}

void pipe_take_answer(struct pipe *pipe, struct pipe_answer *answer)
{
    assert(pipe->state == PIPE_COMPLETE);
    render_answer(pipe, answer);
}

/* Fixed data stands for a backend that is late; a request that has not come whole has no answer. */
void pipe_expire(struct pipe *pipe)
{
    assert(pipe->state == PIPE_RUNNING || pipe->state == PIPE_HOLDING);
    if (pipe->state == PIPE_RUNNING) {
        give_up(pipe);
        return;
    }
    pipe->late = true;
    pipe->status = failure_status(pipe);
    pipe->state = PIPE_FAILED;
    render_problem(pipe, "context deadline exceeded");
}

/* ---- The exchange's side ----------------------------------------------------------------------
 */

void pipe_push(struct pipe *pipe)
{
    if (pipe->state == PIPE_HOLDING) {
        hold_request(pipe);
        if (pipe->state != PIPE_HOLDING) {
            pipe->event(pipe->ctx);
        }
    } else if (pipe->calls != NULL && pipe->request == NULL) {
        backend_push(pipe->calls);
    }
}

void pipe_end(struct pipe *pipe)
{
    if (pipe->state == PIPE_READY) {
        return;
    }
    timer_cancel(pipe->gateway->timers, &pipe->timer);
    while (pipe->calls != NULL) {
        give_call(pipe, pipe->calls);
    }
    gateway_give_body(pipe->gateway, pipe->request);
    gateway_give_bodies(pipe->gateway, pipe->answers);
    gateway_give_bodies(pipe->gateway, pipe->problems);
    pipe->request = NULL;
    pipe->answers = NULL;
    pipe->problems = NULL;
    count(pipe, false, true);
    pipe->state = PIPE_READY;
}

const struct message_head *pipe_head(const struct pipe *pipe)
{
    assert(pipe->calls != NULL);
    return backend_head(pipe->calls);
}

struct slice pipe_peek(struct pipe *pipe)
{
    assert(pipe->calls != NULL);
    struct slice span = backend_peek(pipe->calls);
    if (pipe->calls->state != BACKEND_STREAM) {
        follow_stream(pipe, pipe->calls);
    }
    return span;
}

void pipe_consume(struct pipe *pipe, size_t len)
{
    backend_consume(pipe->calls, len);
}
