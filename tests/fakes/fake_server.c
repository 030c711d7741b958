#include "fakes/fake_server.h"

#include <assert.h>
#include <string.h>

static struct fake_conn *fake_of(const struct server_conn *c)
{
    union {
        const struct server_conn *in;
        struct fake_conn *out;
    } cast = {c};
    return cast.out;
}

void fake_conn_init(struct fake_conn *f, const char *method, const char *target)
{
    memset(f, 0, sizeof(*f));
    struct message_head *head = &f->conn.request;
    head->method = slice_from_cstr(method);
    head->target = slice_from_cstr(target);
    size_t mark = slice_find(head->target, '?');
    head->path = slice_take(head->target, mark);
    head->query = slice_skip(head->target, mark + 1);
    head->host = SLICE_LIT("gateway.test:8080");
    head->version_minor = 1;
    head->keep_alive = true;
    f->peer_ip4 = 0x0A000205u;
    f->room = SIZE_MAX;
    f->body_complete = true;
    fake_conn_field(f, "Host", "gateway.test:8080");
}

/* Where the text stands in f->request. */
static uint16_t keep_request_text(struct fake_conn *f, const char *text)
{
    size_t at = f->request_len;
    size_t len = strlen(text);
    assert(len < sizeof(f->request) - at);
    memcpy(f->request + at, text, len);
    f->request_len += len;
    return (uint16_t)at;
}

void fake_conn_field(struct fake_conn *f, const char *name, const char *value)
{
    struct message_head *head = &f->conn.request;
    assert(head->field_count < LIMPET_FIELDS_MAX);
    head->bytes = f->request;
    head->fields[head->field_count++] = (struct message_place){
        .name_at = keep_request_text(f, name),
        .name_len = (uint16_t)strlen(name),
        .value_at = keep_request_text(f, value),
        .value_len = (uint16_t)strlen(value),
    };
}

const char *fake_conn_answer_field(const struct fake_conn *f, const char *name)
{
    static char value[1024];
    struct slice rest = slice_of(f->fields, f->fields_len);
    while (rest.len > 0) {
        struct slice line = slice_take(rest, slice_find(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        size_t colon = slice_find(line, ':');
        if (slice_equal_nocase(slice_take(line, colon), slice_from_cstr(name))) {
            struct slice text = slice_skip(line, colon + 2);
            assert(text.len < sizeof(value));
            memcpy(value, text.ptr, text.len);
            value[text.len] = '\0';
            return value;
        }
    }
    return NULL;
}

/* ---- web/server.h -----------------------------------------------------------------------------
 */

const struct message_head *server_request(const struct server_conn *c)
{
    return &c->request;
}

uint32_t server_peer_ip4(const struct server_conn *c)
{
    return fake_of(c)->peer_ip4;
}

struct slice server_body_peek(struct server_conn *c)
{
    struct fake_conn *f = fake_of(c);
    assert(f->end == FAKE_OPEN);
    return slice_skip(f->body, f->body_at);
}

void server_body_consume(struct server_conn *c, size_t len)
{
    struct fake_conn *f = fake_of(c);
    assert(len <= f->body.len - f->body_at);
    f->body_at += len;
}

bool server_body_done(const struct server_conn *c)
{
    const struct fake_conn *f = fake_of(c);
    return f->body_complete && f->body_at == f->body.len;
}

void server_begin(struct server_conn *c, unsigned status, enum message_framing framing,
                  uint64_t length)
{
    struct fake_conn *f = fake_of(c);
    assert(f->end == FAKE_OPEN && !f->head_done);
    f->status = status;
    f->framing = framing;
    f->length = length;
    f->fields_len = 0;
}

static void add_text(struct fake_conn *f, struct slice text)
{
    assert(f->fields_len + text.len < sizeof(f->fields));
    memcpy(f->fields + f->fields_len, text.ptr, text.len);
    f->fields_len += text.len;
}

void server_field(struct server_conn *c, struct slice name, struct slice value)
{
    struct fake_conn *f = fake_of(c);
    assert(!f->head_done && name.len > 0);
    add_text(f, name);
    add_text(f, SLICE_LIT(": "));
    if (value.len > 0) {
        add_text(f, value);
    }
    add_text(f, SLICE_LIT("\n"));
}

int server_head_end(struct server_conn *c)
{
    struct fake_conn *f = fake_of(c);
    int err = f->head_err;
    f->head_err = LIMPET_OK;
    f->head_done = err == LIMPET_OK;
    return err;
}

size_t server_write(struct server_conn *c, const char *bytes, size_t len)
{
    struct fake_conn *f = fake_of(c);
    assert(f->end == FAKE_OPEN && f->head_done);
    size_t taken = len < f->room ? len : f->room;
    f->room -= f->room == SIZE_MAX ? 0 : taken;
    size_t kept = sizeof(f->bytes) - f->bytes_len;
    kept = taken < kept ? taken : kept;
    memcpy(f->bytes + f->bytes_len, bytes, kept);
    f->bytes_len += kept;
    f->written += taken;
    assert(f->framing != FRAMING_LENGTH || f->written <= f->length);
    return taken;
}

void server_end(struct server_conn *c)
{
    struct fake_conn *f = fake_of(c);
    assert(f->end == FAKE_OPEN && f->head_done);
    assert(f->framing != FRAMING_LENGTH || f->written == f->length);
    f->end = FAKE_ENDED;
}

void server_cut(struct server_conn *c)
{
    struct fake_conn *f = fake_of(c);
    assert(f->end == FAKE_OPEN);
    f->end = FAKE_CUT;
}

void server_answer(struct server_conn *c, unsigned status, struct slice content_type,
                   struct slice body)
{
    server_begin(c, status, FRAMING_LENGTH, body.len);
    if (content_type.len > 0) {
        server_field(c, SLICE_LIT("Content-Type"), content_type);
    }
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    if (body.len > 0) {
        size_t taken = server_write(c, body.ptr, body.len);
        assert(taken == body.len);
        (void)taken;
    }
    server_end(c);
}
