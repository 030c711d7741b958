#include "fakes/fake_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_call fake_calls[FAKE_CALLS_MAX];
size_t fake_call_count;

void fake_client_reset(void)
{
    memset(fake_calls, 0, sizeof(fake_calls));
    fake_call_count = 0;
}

static struct fake_call *fake_of(const struct client_call *call)
{
    for (size_t i = fake_call_count; i > 0; i--) {
        if (fake_calls[i - 1].call == call) {
            return &fake_calls[i - 1];
        }
    }
    abort(); /* not a call that was started */
}

static void run_event(struct fake_call *f)
{
    f->request.event(f->request.ctx, f->call);
}

void fake_client_turn(void)
{
    for (size_t i = 0; i < fake_call_count; i++) {
        bool again = fake_calls[i].again;
        fake_calls[i].again = false;
        if (again && fake_calls[i].call != NULL) {
            run_event(&fake_calls[i]);
        }
    }
}

/* ---- The test's side --------------------------------------------------------------------------
 */

void fake_call_connect(struct fake_call *f)
{
    struct out out;
    out_init(&out, f->head, sizeof(f->head));
    f->request.compose(f->request.ctx, &out);
    f->head_len = out_slice(&out).len;
    if (out_err(&out) != LIMPET_OK) {
        fake_call_fail(f, LIMPET_ERR_TOO_LONG);
        return;
    }
    bool body = f->request.framing != FRAMING_NONE;
    f->call->state = body ? CALL_SENDING : CALL_HEAD_DUE;
    run_event(f);
}

static void add_text(struct fake_call *f, size_t *len, const char *text)
{
    size_t text_len = strlen(text);
    assert(text_len < sizeof(f->answer) - *len);
    memcpy(f->answer + *len, text, text_len + 1);
    *len += text_len;
}

/* Composes the head as it would arrive, and parses it with the real parser. */
static void parse_answer(struct fake_call *f, unsigned status, const char *fields,
                         const char *framing)
{
    char line[32];
    size_t len = 0;
    snprintf(line, sizeof(line), "HTTP/1.1 %u \r\n", status);
    add_text(f, &len, line);
    for (const char *at = fields; *at != '\0'; at++) {
        char text[3] = {*at, '\0', '\0'};
        add_text(f, &len, *at == '\n' ? "\r\n" : text);
    }
    add_text(f, &len, framing);
    add_text(f, &len, "\r\n");
    size_t scanned = 0;
    int used = message_parse_response(slice_of(f->answer, len), &scanned, f->request.to_head,
                                      &f->response);
    assert(used == (int)len);
    (void)used;
}

void fake_call_answer(struct fake_call *f, unsigned status, const char *fields, const char *body,
                      bool complete)
{
    char framing[48] = "Transfer-Encoding: chunked\r\n";
    if (complete) {
        snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", strlen(body));
    }
    bool bodyless = status == 204 || status == 304;
    parse_answer(f, status, fields, bodyless ? "" : framing);
    if (f->response.framing == FRAMING_NONE) {
        body = "";
        complete = true;
    }
    f->call->state = CALL_BODY;
    f->body_at = 0;
    fake_call_more(f, slice_from_cstr(body), complete);
}

void fake_call_more(struct fake_call *f, struct slice body, bool complete)
{
    f->body = body;
    f->body_complete = complete;
    if (complete && f->body_at == body.len) {
        f->call->state = CALL_DONE;
    }
    run_event(f);
}

void fake_call_fail(struct fake_call *f, int err)
{
    f->call->state = CALL_FAILED;
    f->call->err = err;
    run_event(f);
}

/* ---- web/client.h -----------------------------------------------------------------------------
 */

void client_start(struct client *client, struct client_call *call,
                  const struct client_request *request)
{
    assert(call->state == CALL_IDLE && fake_call_count < FAKE_CALLS_MAX);
    struct fake_call *f = &fake_calls[fake_call_count++];
    f->call = call;
    f->request = *request;
    f->room = SIZE_MAX;
    call->client = client;
    call->outdated = false;
    call->request = *request;
    call->state = CALL_WAITING;
}

size_t client_write(struct client_call *call, const char *bytes, size_t len)
{
    struct fake_call *f = fake_of(call);
    assert(call->state == CALL_SENDING);
    assert(!f->sent_end && f->request.framing != FRAMING_NONE);
    size_t taken = len < f->room ? len : f->room;
    f->room -= f->room == SIZE_MAX ? 0 : taken;
    assert(f->sent_len + taken <= sizeof(f->sent));
    memcpy(f->sent + f->sent_len, bytes, taken);
    f->sent_len += taken;
    return taken;
}

void client_write_end(struct client_call *call)
{
    struct fake_call *f = fake_of(call);
    assert(!f->sent_end && call->state == CALL_SENDING);
    f->sent_end = true;
    call->state = CALL_HEAD_DUE;
}

const struct message_head *client_head(const struct client_call *call)
{
    assert(call->state == CALL_BODY || call->state == CALL_DONE);
    return &fake_of(call)->response;
}

struct slice client_peek(struct client_call *call)
{
    struct fake_call *f = fake_of(call);
    assert(call->state == CALL_BODY || call->state == CALL_DONE);
    return slice_skip(f->body, f->body_at);
}

void client_consume(struct client_call *call, size_t len)
{
    struct fake_call *f = fake_of(call);
    assert(len <= f->body.len - f->body_at);
    f->body_at += len;
    if (f->body_complete && f->body_at == f->body.len) {
        call->state = CALL_DONE;
    }
}

bool client_body_done(const struct client_call *call)
{
    return call->state == CALL_DONE;
}

void client_again(struct client_call *call)
{
    fake_of(call)->again = true;
}

void client_cancel(struct client_call *call)
{
    if (call->state == CALL_IDLE) {
        return;
    }
    struct fake_call *f = fake_of(call);
    f->completed = call->state == CALL_DONE;
    f->canceled = !f->completed;
    f->call = NULL;
    call->state = CALL_IDLE;
}
