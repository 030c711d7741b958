/* The client over real TCP: lwIP below it, a raw-API backend at the far end. */
#include "check.h"

#include "fakes/lwip_world.h"
#include "web/client.h"

#include "lwip/tcp.h"

#define PORT 8080
#define CONNS 4
#define BIG_LEN (1024u * 1024u)

static struct net net;
static struct log test_log;
static struct timers timers;
static struct timer *timer_heap[CONNS + 4];
static struct client client;
static struct client_conn conns[CONNS];

static bool log_sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    (void)line;
    return true;
}

/* ---- Backend -------------------------------------------------------------------------------- */

enum then { THEN_KEEP, THEN_CLOSE, THEN_ABORT };

static struct {
    struct tcp_pcb *listening;
    struct tcp_pcb *pcb; /* the latest */
    const char *answer;
    size_t big_len;   /* so many bytes of body behind it */
    size_t answer_at; /* bytes of request after which it answers; 0: at its empty line */
    enum then then;
    size_t accepted;
    size_t requests;
    size_t got;
    size_t sent;
    bool answering;
    char tail[4];
} backend;

static char big_byte(size_t at)
{
    return (char)('a' + at % 23);
}

static void backend_send(void)
{
    static char piece[8000];
    while (backend.sent < backend.big_len && tcp_sndbuf(backend.pcb) > 0) {
        size_t len = backend.big_len - backend.sent;
        len = len < sizeof(piece) ? len : sizeof(piece);
        len = len < tcp_sndbuf(backend.pcb) ? len : tcp_sndbuf(backend.pcb);
        for (size_t i = 0; i < len; i++) {
            piece[i] = big_byte(backend.sent + i);
        }
        if (tcp_write(backend.pcb, piece, (u16_t)len, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        backend.sent += len;
    }
    tcp_output(backend.pcb);
}

static err_t backend_answer(struct tcp_pcb *pcb)
{
    size_t len = strlen(backend.answer);
    CHECK_EQ_INT(tcp_write(pcb, backend.answer, (u16_t)len, TCP_WRITE_FLAG_COPY), ERR_OK);
    backend.sent = 0;
    backend.answering = true;
    backend.requests++;
    backend_send();
    if (backend.then == THEN_CLOSE) {
        tcp_close(pcb);
        backend.pcb = NULL;
    }
    return ERR_OK;
}

static bool backend_saw_empty_line(const struct pbuf *p)
{
    bool seen = false;
    for (u16_t i = 0; i < p->tot_len; i++) {
        memmove(backend.tail, backend.tail + 1, 3);
        backend.tail[3] = (char)pbuf_get_at(p, i);
        seen = seen || memcmp(backend.tail, "\r\n\r\n", 4) == 0;
    }
    return seen;
}

static err_t backend_on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg;
    (void)err;
    if (p == NULL) {
        tcp_close(pcb);
        backend.pcb = backend.pcb == pcb ? NULL : backend.pcb;
        return ERR_OK;
    }
    bool empty_line = backend_saw_empty_line(p);
    backend.got += p->tot_len;
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    bool due = backend.answer_at > 0 ? backend.got >= backend.answer_at : empty_line;
    return due && !backend.answering ? backend_answer(pcb) : ERR_OK;
}

static err_t backend_on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)arg;
    (void)len;
    if (backend.answering && pcb == backend.pcb) {
        backend_send();
    }
    return ERR_OK;
}

static void backend_on_err(void *arg, err_t err)
{
    (void)arg;
    (void)err;
    backend.pcb = NULL;
}

static err_t backend_on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    CHECK_EQ_INT(err, ERR_OK);
    backend.accepted++;
    backend.pcb = pcb;
    backend.got = 0;
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, backend_on_recv);
    tcp_sent(pcb, backend_on_sent);
    tcp_err(pcb, backend_on_err);
    return ERR_OK;
}

static void backend_listen(void)
{
    memset(&backend, 0, sizeof(backend));
    struct tcp_pcb *pcb = tcp_new();
    ip_set_option(pcb, SOF_REUSEADDR);
    CHECK_EQ_INT(tcp_bind(pcb, IP_ADDR_ANY, PORT), ERR_OK);
    backend.listening = tcp_listen(pcb);
    tcp_accept(backend.listening, backend_on_accept);
}

/* ---- Caller --------------------------------------------------------------------------------- */

static struct caller {
    struct client_call call;
    size_t upload_len; /* chunked */
    size_t uploaded;
    bool hold;
    bool same;
    size_t got;
    unsigned status;
} caller;

static void compose(void *ctx, struct out *head)
{
    (void)ctx;
    out_text(head, "GET / HTTP/1.1\r\nHost: h\r\n");
}

static void upload(void)
{
    static const char piece[5000];
    while (caller.call.state == CALL_SENDING && caller.uploaded < caller.upload_len) {
        size_t left = caller.upload_len - caller.uploaded;
        size_t len = left < sizeof(piece) ? left : sizeof(piece);
        size_t taken = client_write(&caller.call, piece, len);
        caller.uploaded += taken;
        if (taken < len) {
            return;
        }
    }
    client_write_end(&caller.call);
}

static void read_all(void)
{
    struct slice span = client_peek(&caller.call);
    while (span.len > 0) {
        for (size_t i = 0; i < span.len; i++) {
            caller.same = caller.same && span.ptr[i] == big_byte(caller.got + i);
        }
        caller.got += span.len;
        client_consume(&caller.call, span.len);
        span = client_peek(&caller.call);
    }
}

static void event(void *ctx, struct client_call *call)
{
    (void)ctx;
    upload();
    if (call->state == CALL_BODY || call->state == CALL_DONE) {
        caller.status = client_head(call)->status;
    }
    if (!caller.hold) {
        read_all();
    }
}

static void start(size_t upload_len)
{
    client_cancel(&caller.call);
    backend.answering = false;
    backend.got = 0;
    caller = (struct caller){.upload_len = upload_len, .same = true};
    struct client_request request = {
        .target = {.name = SLICE_LIT("10.0.0.1"), .port = PORT},
        .safe_to_repeat = upload_len == 0,
        .framing = upload_len > 0 ? FRAMING_CHUNKED : FRAMING_NONE,
        .compose = compose,
        .event = event,
    };
    client_start(&client, &caller.call, &request);
}

static void settle(void)
{
    bool moved = true;
    for (unsigned i = 0; moved && i < 100000; i++) {
        moved = world_pump();
        if (backend.then == THEN_ABORT && backend.answering && backend.pcb != NULL) {
            tcp_abort(backend.pcb); /* behind its answer, which is on the wire */
        }
        moved = net_poll(&net, 64) || moved;
        moved = timers_expire(&timers, 1, 10) > 0 || moved;
    }
}

/* Until the call has ended; lwIP's timers go on. */
static void finish(enum client_state want)
{
    for (unsigned i = 0; i < 400 && caller.call.state < CALL_DONE; i++) {
        settle();
        world_run(50);
    }
    settle();
    CHECK_EQ_INT(caller.call.state, want);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void test_reuse(void)
{
    backend.answer = OK_HEAD "Content-Length: 3\r\n\r\nabc";
    for (size_t i = 0; i < 50; i++) {
        start(0);
        settle();
        CHECK_EQ_INT(caller.call.state, CALL_DONE);
        CHECK(caller.same && caller.got == 3);
    }
    CHECK_EQ_UINT(backend.accepted, 1);
    CHECK_EQ_UINT(client.opened, 1);
}

/* Not read, it stays at the backend but for a window; read, it all comes. */
static void test_big_answer(void)
{
    backend.answer = OK_HEAD "Content-Length: 1048576\r\n\r\n";
    backend.big_len = BIG_LEN;
    start(0);
    caller.hold = true;
    settle();
    world_run(1000);
    settle();
    CHECK_EQ_INT(caller.call.state, CALL_BODY);
    CHECK(backend.sent <= (size_t)TCP_WND + TCP_SND_BUF);
    caller.hold = false;
    read_all();
    finish(CALL_DONE);
    CHECK(caller.same);
    CHECK_EQ_UINT(caller.got, BIG_LEN);
    backend.big_len = 0;
}

static void test_big_upload(void)
{
    backend.answer = OK_HEAD "Content-Length: 0\r\n\r\n";
    backend.answer_at = BIG_LEN + 1000; /* with the framing it is some more */
    start(BIG_LEN);
    finish(CALL_DONE);
    CHECK_EQ_UINT(caller.uploaded, BIG_LEN);
    backend.answer_at = 0;
}

/* 413 and away, in the middle of an upload: the answer counts. */
static void test_answer_and_reset(void)
{
    backend.answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nabc";
    backend.answer_at = BIG_LEN / 4;
    backend.then = THEN_ABORT;
    start(BIG_LEN);
    finish(CALL_DONE);
    CHECK_EQ_UINT(caller.status, 413);
    CHECK_EQ_UINT(caller.got, 3);
    CHECK(caller.uploaded < BIG_LEN);
    client_cancel(&caller.call);
    CHECK_EQ_UINT(client.used, 0);
    backend.then = THEN_KEEP;
    backend.answer_at = 0;
}

static void test_until_close(void)
{
    backend.answer = OK_HEAD "\r\nabcd";
    backend.then = THEN_CLOSE;
    start(0);
    finish(CALL_DONE);
    CHECK(caller.same && caller.got == 4);
    client_cancel(&caller.call);
    CHECK_EQ_UINT(client.used, 0);
    backend.then = THEN_KEEP;
}

/* The backend resets the connection when the next request is on its way to it. */
static void test_stale(void)
{
    backend.answer = OK_HEAD "Content-Length: 3\r\n\r\nabc";
    start(0);
    finish(CALL_DONE);
    client_cancel(&caller.call);
    size_t accepted = backend.accepted;
    start(0);
    CHECK_EQ_INT(caller.call.state, CALL_HEAD_DUE);
    tcp_abort(backend.pcb);
    finish(CALL_DONE);
    CHECK(caller.call.repeated);
    CHECK(caller.same && caller.got == 3);
    CHECK_EQ_UINT(backend.accepted, accepted + 1);
}

static void test_nobody_listens(void)
{
    client_cancel(&caller.call);
    client_close_idle(&client);
    settle();
    CHECK_EQ_INT(tcp_close(backend.listening), ERR_OK);
    start(0);
    finish(CALL_FAILED);
    CHECK_EQ_INT(caller.call.err, LIMPET_ERR_REFUSED);
    CHECK_EQ_UINT(client.used, 0);
    CHECK_EQ_UINT(net.used, 0);
    CHECK(world_is_clean());
}

int main(void)
{
    world_init();
    log_init(&test_log, log_sink, NULL, LOG_DEBUG);
    net_init(&net, &test_log, 0);
    timers_init(&timers, timer_heap, sizeof(timer_heap) / sizeof(timer_heap[0]));
    client_init(&client, &net, &timers, &test_log, conns, CONNS);
    backend_listen();
    test_reuse();
    test_big_answer();
    test_big_upload();
    test_answer_and_reset();
    test_until_close();
    test_stale();
    test_nobody_listens();
    return check_result();
}
