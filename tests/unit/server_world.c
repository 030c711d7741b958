#include "server_world.h"

#include <assert.h>
#include <string.h>

struct server_world world;

/* server_conn.user: what the handler is doing with the request; NULL: it has none. */
enum work { WORK_NONE, WORK_ECHO, WORK_BIG, WORK_LATER, WORK_FULL };

struct task {
    struct server_conn *c;
    enum work work;
    size_t left;
    bool cut;
};

static struct task tasks[WORLD_CONNS];

/* ---- The handler ---------------------------------------------------------------------------- */

static struct task *task_of(struct server_conn *c)
{
    return c->user;
}

static void release(struct server_conn *c)
{
    assert(task_of(c) != NULL && task_of(c)->c == c);
    task_of(c)->c = NULL;
    c->user = NULL;
    world.owned--;
}

static void finish(struct server_conn *c)
{
    release(c);
    world.ended++;
    server_end(c);
}

static void answer(struct server_conn *c, unsigned status, struct slice body)
{
    release(c);
    world.ended++;
    server_answer(c, status, SLICE_LIT("text/plain"), body);
}

static void go_on_echo(struct server_conn *c)
{
    for (;;) {
        struct slice span = server_body_peek(c);
        if (span.len == 0) {
            break;
        }
        size_t taken = server_write(c, span.ptr, span.len);
        server_body_consume(c, taken);
        if (taken < span.len) {
            return;
        }
    }
    if (server_body_done(c)) {
        finish(c);
    }
}

static void go_on_full(struct server_conn *c)
{
    for (;;) {
        struct slice span = server_body_peek(c);
        if (span.len == 0) {
            break;
        }
        size_t kept = sizeof(world.body) - world.body_len;
        kept = span.len < kept ? span.len : kept;
        memcpy(world.body + world.body_len, span.ptr, kept);
        world.body_len += kept;
        server_body_consume(c, span.len);
    }
    if (server_body_done(c)) {
        answer(c, 200, SLICE_LIT("full"));
    }
}

static void go_on_big(struct server_conn *c)
{
    char piece[1000];
    struct task *task = task_of(c);
    while (task->left > 0) {
        size_t len = task->left < sizeof(piece) ? task->left : sizeof(piece);
        for (size_t i = 0; i < len; i++) {
            piece[i] = (char)('a' + (world.big_len - task->left + i) % 26);
        }
        size_t taken = server_write(c, piece, len);
        task->left -= taken;
        if (taken < len) {
            return;
        }
    }
    if (task->cut) {
        release(c);
        world.ended++;
        server_cut(c);
    } else {
        finish(c);
    }
}

static void go_on(struct server_conn *c)
{
    switch (task_of(c)->work) {
    case WORK_ECHO:
        go_on_echo(c);
        break;
    case WORK_BIG:
        go_on_big(c);
        break;
    case WORK_FULL:
        go_on_full(c);
        break;
    case WORK_NONE:
    case WORK_LATER:
    default:
        break;
    }
}

static void begin(struct server_conn *c, enum work work, enum message_framing framing, size_t len)
{
    task_of(c)->work = work;
    task_of(c)->left = len;
    server_begin(c, 200, framing, len);
    server_field(c, SLICE_LIT("X-Test"), SLICE_LIT("yes"));
    int err = server_head_end(c);
    assert(err == LIMPET_OK);
    (void)err;
    go_on(c);
}

static void wide(struct server_conn *c)
{
    static char value[LIMPET_HEAD_LEN_MAX + LIMPET_HEAD_OUT_LEN_MAX];
    memset(value, 'v', sizeof(value));
    server_begin(c, 200, FRAMING_CLOSE, 0);
    server_field(c, SLICE_LIT("X"), slice_of(value, sizeof(value)));
    int err = server_head_end(c);
    assert(err == LIMPET_ERR_TOO_LONG);
    (void)err;
    answer(c, 500, SLICE_LIT("wide"));
}

static bool path_is(const struct server_conn *c, const char *path)
{
    return slice_equal(server_request(c)->path, slice_from_cstr(path));
}

static void dispatch(struct server_conn *c)
{
    if (path_is(c, "/echo")) {
        begin(c, WORK_ECHO, FRAMING_CHUNKED, 0);
    } else if (path_is(c, "/big")) {
        begin(c, WORK_BIG, FRAMING_LENGTH, world.big_len);
    } else if (path_is(c, "/chunks")) {
        begin(c, WORK_BIG, FRAMING_CHUNKED, world.big_len);
    } else if (path_is(c, "/close")) {
        begin(c, WORK_BIG, FRAMING_CLOSE, world.big_len);
    } else if (path_is(c, "/cut")) {
        task_of(c)->cut = true;
        begin(c, WORK_BIG, FRAMING_CHUNKED, world.big_len);
    } else if (path_is(c, "/later")) {
        task_of(c)->work = WORK_LATER;
        world.later = c;
    } else if (path_is(c, "/wide")) {
        wide(c);
    } else if (path_is(c, "/none")) {
        answer(c, 204, SLICE_EMPTY);
    } else if (path_is(c, "/hello") || path_is(c, "/deaf")) {
        answer(c, 200, slice_skip(server_request(c)->path, 1));
    } else {
        world.smuggled += path_is(c, "/smuggled");
        task_of(c)->work = WORK_FULL;
        world.body_len = 0;
        go_on(c);
    }
}

static void on_request(void *ctx, struct server_conn *c)
{
    assert(ctx == &world && c->user == NULL);
    struct task *task = &tasks[c - world.conns];
    assert(task->c == NULL);
    *task = (struct task){.c = c};
    c->user = task;
    world.requests++;
    world.owned++;
    dispatch(c);
}

static void on_progress(void *ctx, struct server_conn *c)
{
    assert(ctx == &world && c->user != NULL);
    go_on(c);
}

static void on_gone(void *ctx, struct server_conn *c, int err)
{
    assert(ctx == &world && err < 0);
    world.gone++;
    world.gone_err = err;
    world.later = world.later == c ? NULL : world.later;
    release(c);
}

void world_answer_later(void)
{
    struct server_conn *c = world.later;
    assert(c != NULL);
    world.later = NULL;
    answer(c, 200, SLICE_LIT("later"));
}

/* ---- The world ------------------------------------------------------------------------------ */

static bool no_log(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    assert(line.len > 0);
    return true;
}

void world_begin(void)
{
    struct server_options options = world.options;
    if (options.log_prefix == NULL) {
        options = (struct server_options){3000, 10000, 60000, UINT64_MAX, "[TEST]", 0, 0, 0};
    }
    memset(&world, 0, offsetof(struct server_world, conns));
    memset((char *)&world + offsetof(struct server_world, options), 0,
           sizeof(world) - offsetof(struct server_world, options));
    world.options = options;
    world.now_ns = LIMPET_S_TO_NS(1000);
    world.big_len = 5000;
    log_init(&world.log, no_log, NULL, LOG_DEBUG);
    timers_init(&world.timers, world.heap, sizeof(world.heap) / sizeof(world.heap[0]));
    net_init(&world.net, &world.log, 0x0A000202);
    struct server_handler handler = {&world, on_request, on_progress, on_gone};
    server_init(&world.server, &world.net, &world.timers, &world.log, world.conns, WORLD_CONNS,
                &handler, &options);
    server_set_time(&world.server, world.now_ns, INT64_C(784111777) * 1000000000);
    int err = server_start(&world.server, WORLD_PORT);
    assert(err == LIMPET_OK);
    (void)err;
}

void world_end(void)
{
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        fake_peer_fail(&fake_net.peers[i], LIMPET_ERR_RESET);
    }
    world_run();
    assert(world.owned == 0 && world.requests == world.ended + world.gone);
    assert(world.server.used == 0 && world.server.waiting == 0);
    assert(world.net.used == 0 && world.timers.count == 0);
    size_t free_count = 0;
    for (struct server_conn *c = world.server.free; c != NULL; c = c->next) {
        free_count++;
    }
    assert(free_count == WORLD_CONNS && world.server.idle_first == NULL);
    fake_net_end();
    world.options.log_prefix = NULL;
}

void world_run(void)
{
    fake_net_run(&world.net);
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        assert(fake_net.peers[i].t == NULL || fake_peer_flushed(&fake_net.peers[i]));
    }
}

/* As app_poll: deadlines are looked at with the time of the turn before. */
void world_wait(uint64_t ms)
{
    uint64_t end_ns = world.now_ns + LIMPET_MS_TO_NS(ms);
    while (world.now_ns < end_ns) {
        uint64_t before_ns = world.now_ns;
        world.now_ns += LIMPET_MS_TO_NS(100);
        server_set_time(&world.server, world.now_ns, 0);
        world_run();
        timers_expire(&world.timers, before_ns, 100);
    }
    world_run();
}

struct fake_peer *world_join(void)
{
    struct fake_peer *peer = fake_net_accept(&world.net, WORLD_PORT);
    return peer == NULL || peer->refused ? NULL : peer;
}

/* ---- Answers -------------------------------------------------------------------------------- */

static bool read_body(const struct fake_peer *peer, size_t *at, struct world_answer *answer)
{
    struct body_reader reader;
    body_reader_init(&reader, &answer->head);
    while (!reader.done) {
        struct slice data;
        struct slice rest = slice_of(peer->out + *at, peer->out_len - *at);
        int64_t used = body_reader_next(&reader, rest, &data);
        if (used < 0) {
            return false;
        }
        *at += (size_t)used;
        if (data.len == 0 && used == 0) {
            return peer->t == NULL && body_reader_end(&reader) == LIMPET_OK;
        }
        size_t kept = sizeof(answer->body) - answer->body_len;
        kept = data.len < kept ? data.len : kept;
        if (kept > 0) {
            memcpy(answer->body + answer->body_len, data.ptr, kept);
        }
        answer->body_len += kept;
        if (data.len > 0) {
            body_reader_take(&reader, data.len);
        }
        *at += data.len;
    }
    return true;
}

bool world_next_answer(const struct fake_peer *peer, size_t *at, bool to_head,
                       struct world_answer *answer)
{
    size_t scanned = 0;
    struct slice rest = slice_of(peer->out + *at, peer->out_len - *at);
    answer->body_len = 0;
    answer->complete = false;
    int len = message_parse_response(rest, &scanned, to_head, &answer->head);
    if (len <= 0 || (size_t)len >= sizeof(answer->head_text)) {
        return false;
    }
    memcpy(answer->head_text, rest.ptr, (size_t)len);
    answer->head_text[len] = '\0';
    *at += (size_t)len;
    answer->complete = read_body(peer, at, answer);
    return answer->complete;
}

bool world_got(const struct fake_peer *peer, unsigned status, const char *body, bool closed)
{
    static struct world_answer answer;
    size_t at = 0;
    do {
        if (!world_next_answer(peer, &at, false, &answer)) {
            return false;
        }
    } while (answer.head.status < 200);
    bool says_close = strstr(answer.head_text, "\r\nConnection: close\r\n") != NULL;
    bool same_body =
        body == NULL || slice_equal(slice_of(answer.body, answer.body_len), slice_from_cstr(body));
    return answer.head.status == status && at == peer->out_len && same_body &&
           says_close == closed && peer->closed == closed && !peer->aborted;
}
