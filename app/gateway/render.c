#include "gateway/render.h"

#include "base/json.h"
#include "gateway/gateway.h"

#include <assert.h>
#include <string.h>

/* ---- Merging ----------------------------------------------------------------------------------
 */

int render_static(struct pipe *pipe)
{
    struct slice data = pipe->origin->endpoint->static_data;
    struct body *body = gateway_take_body(pipe->gateway);
    if (body == NULL || data.len > LIMPET_BODY_LEN_MAX) {
        gateway_give_body(pipe->gateway, body);
        return LIMPET_ERR_FULL;
    }
    memcpy(body->bytes, data.ptr, data.len);
    body->len = data.len;
    body->position = UINT16_MAX;
    struct body **last = &pipe->answers;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = body;
    return LIMPET_OK;
}

/* A null adds nothing to others. */
static void drop_nulls(struct pipe *pipe)
{
    struct body **link = &pipe->answers;
    while (pipe->answers->next != NULL && *link != NULL) {
        struct body *body = *link;
        if (body->null) {
            *link = body->next;
            gateway_give_body(pipe->gateway, body);
        } else {
            link = &body->next;
        }
    }
}

/* Two nulls are an empty object, one is a null. */
static void merge(struct pipe *pipe)
{
    struct shape_part parts[LIMPET_MERGE_MAX + 1u];
    size_t count = 0;
    bool several = pipe->answers->next != NULL;
    drop_nulls(pipe);
    if (several && pipe->answers->null) {
        memcpy(pipe->answers->bytes, "{}", 2);
        pipe->answers->len = 2;
        pipe->answers->null = false;
    }
    if (pipe->answers->next == NULL) {
        return;
    }
    for (struct body *body = pipe->answers; body != NULL; body = body->next) {
        parts[count++] = (struct shape_part){body->bytes, body->len};
    }
    int err = shape_merge(&pipe->gateway->shape, parts, count);
    assert(err == LIMPET_OK); /* the keys were counted as the answers came */
    (void)err;
    count = 0;
    for (struct body *body = pipe->answers; body != NULL; body = body->next) {
        body->len = parts[count++].len;
    }
}

/* ---- Encodings --------------------------------------------------------------------------------
 */

/* The objects become one: their inner braces turn into commas. Empty ones go. */
static void join(struct pipe *pipe, struct pipe_answer *answer)
{
    struct body **link = &pipe->answers;
    struct body *last = NULL;
    while (*link != NULL) {
        struct body *body = *link;
        if (body->len == 2) {
            *link = body->next;
            gateway_give_body(pipe->gateway, body);
            continue;
        }
        if (last != NULL) {
            last->bytes[last->at + last->len - 1] = ',';
            body->at = 1;
            body->len--;
        }
        last = body;
        link = &body->next;
    }
    answer->bodies = pipe->answers;
    answer->tail = last == NULL ? SLICE_LIT("{}") : SLICE_EMPTY;
    answer->empty = last == NULL;
    pipe->answers = NULL;
}

/* The member of that name in the merged answers: its body, alone, holds the value then. */
static struct body *take_member(struct pipe *pipe, struct slice name)
{
    struct body *found = NULL;
    for (struct body *body = pipe->answers; body != NULL; body = body->next) {
        struct json_iter iter;
        struct json_member member;
        json_iter_init(&iter, slice_of(body->bytes, body->len));
        while (found != body && json_iter_next(&iter, &member)) {
            if (json_string_equals(member.key, name)) {
                body->at = (size_t)(member.value.ptr - body->bytes);
                body->len = member.value.len;
                found = body;
            }
        }
    }
    while (pipe->answers != NULL) {
        struct body *body = pipe->answers;
        pipe->answers = body->next;
        body->next = NULL;
        if (body != found) {
            gateway_give_body(pipe->gateway, body);
        }
    }
    return found;
}

static bool all_empty(const struct pipe *pipe)
{
    const struct body *body = pipe->answers;
    while (body != NULL && (body->null || body->len == 2)) {
        body = body->next;
    }
    return body == NULL;
}

static void render_collection(struct pipe *pipe, struct pipe_answer *answer)
{
    answer->empty = all_empty(pipe);
    answer->bodies = answer->empty ? NULL : take_member(pipe, SLICE_LIT("collection"));
    answer->tail = answer->bodies == NULL ? SLICE_LIT("[]") : SLICE_EMPTY;
}

static int put_front(void *ctx, const char *bytes, size_t len)
{
    struct body *body = ctx;
    memmove(body->bytes + body->len, bytes, len);
    body->len += len;
    return LIMPET_OK;
}

/* In place: no character becomes longer. */
static void unescape(struct body *body)
{
    struct slice raw = slice_of(body->bytes + body->at + 1, body->len - 2);
    struct out out;
    body->at = 0;
    body->len = 0;
    out_init_flush(&out, NULL, 0, put_front, body);
    json_unescape(&out, raw);
}

/* What is no string is an empty text (lura, stringRender). */
static void render_text(struct pipe *pipe, struct pipe_answer *answer)
{
    answer->text = true;
    if (pipe->answers->text) {
        answer->bodies = pipe->answers;
        pipe->answers = NULL;
        return;
    }
    answer->empty = all_empty(pipe);
    struct body *body = answer->empty ? NULL : take_member(pipe, SLICE_LIT("content"));
    if (body != NULL && body->bytes[body->at] == '"') {
        unescape(body);
        answer->bodies = body;
    } else {
        gateway_give_body(pipe->gateway, body);
    }
}

void render_answer(struct pipe *pipe, struct pipe_answer *answer)
{
    *answer = (struct pipe_answer){0};
    if (pipe->answers == NULL) {
        answer->tail = SLICE_LIT("{}");
        answer->empty = true;
        return;
    }
    enum encoding encoding = pipe->origin->endpoint->output_encoding;
    merge(pipe);
    if (encoding == ENCODING_JSON_COLLECTION) {
        render_collection(pipe, answer);
    } else if (encoding == ENCODING_STRING) {
        render_text(pipe, answer);
    } else if (pipe->answers->null) {
        answer->bodies = pipe->answers;
        answer->empty = true;
        pipe->answers = NULL;
    } else {
        join(pipe, answer);
    }
}

/* ---- Problems ---------------------------------------------------------------------------------
 */

static void add_problem(struct pipe *pipe, struct slice text)
{
    if (pipe->problems == NULL) {
        pipe->problems = gateway_take_body(pipe->gateway);
    }
    if (pipe->problems == NULL) {
        return;
    }
    struct body *body = pipe->problems;
    struct out out;
    out_init(&out, body->bytes + body->len, LIMPET_BODY_LEN_MAX - body->len);
    out_text(&out, body->len > 0 ? "\n" : "");
    out_put(&out, text);
    body->len += out_slice(&out).len;
}

void render_problem(struct pipe *pipe, const char *text)
{
    if (pipe->gateway->config->router.return_error_msg && text != NULL) {
        add_problem(pipe, slice_from_cstr(text));
    }
}

void render_failure(struct pipe *pipe, struct backend *b)
{
    const struct config_endpoint *endpoint = pipe->origin->endpoint;
    bool first = endpoint->backend_count == 1 || (endpoint->sequential && b->position == 0);
    bool code = b->refused != 0 && b->config->error_code;
    struct body *body = backend_take_body(b);
    if (code && first) {
        pipe->status = b->refused;
    }
    if (body == NULL) {
        render_problem(pipe, b->error_text);
    } else if (first && pipe->problems == NULL) {
        pipe->problems = body;
        pipe->refused_body = true;
    } else {
        add_problem(pipe, slice_of(body->bytes, body->len));
        gateway_give_body(pipe->gateway, body);
    }
}
