/* The strict front over a connection: each request of the table, and framing fields in every
 * combination, however the bytes come. One request in is one answer out, or a refusal and the end.
 */
#include "check.h"

#include "request_cases.h"
#include "server_world.h"

static const char smuggled[] = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

static void note(const char *raw, size_t len, const struct fake_peer *peer)
{
    check_print_bytes("sent", raw, len);
    check_print_bytes("got ", peer->out, peer->out_len);
    fprintf(stderr, "    closed %d, aborted %d\n", peer->closed, peer->aborted);
}

static bool is_tls(const struct request_case *c)
{
    return c->raw[0] == '\x16';
}

static bool refused_right(const struct request_case *c, const struct fake_peer *peer)
{
    bool right = CHECK_EQ_UINT(world.smuggled, 0);
    right = CHECK_EQ_UINT(world.server.used, 0) && right;
    if (is_tls(c)) {
        return CHECK(peer->closed && peer->out_len == 0) && right;
    }
    return CHECK(world_got(peer, c->status, NULL, true)) && right;
}

/* The table's accepted rows are for a handler that reads the body; then the next request counts. */
static bool accepted_right(const struct fake_peer *peer)
{
    static struct world_answer answer;
    size_t at = 0;
    bool right = CHECK(world_next_answer(peer, &at, false, &answer));
    if (answer.head.status == 100) {
        right = CHECK(world_next_answer(peer, &at, false, &answer)) && right;
    }
    right = CHECK_EQ_UINT(answer.head.status, 200) && right;
    if (peer->t == NULL) { /* HTTP/1.0 */
        return CHECK(at == peer->out_len && world.smuggled == 0) && right;
    }
    right = CHECK(world_next_answer(peer, &at, false, &answer)) && right;
    return CHECK(at == peer->out_len && world.smuggled == 1) && right;
}

static void send_row(const struct request_case *c, size_t cut, size_t piece, size_t room)
{
    world_begin();
    struct fake_peer *peer = world_join();
    peer->piece = piece;
    peer->room = room == 0 ? SIZE_MAX : room;
    peer->room_again = room;
    fake_peer_send(peer, c->raw, cut);
    world_run();
    fake_peer_send(peer, c->raw + cut, c->len - cut);
    fake_peer_text(peer, smuggled);
    world_run();
    bool head = slice_starts_with(slice_of(c->raw, c->len), SLICE_LIT("HEAD "));
    bool right = c->status != 200 ? refused_right(c, peer) : head || accepted_right(peer);
    if (!right) {
        fprintf(stderr, "row %d, cut %zu, piece %zu, room %zu\n", (int)(c - request_cases), cut,
                piece, room);
        note(c->raw, c->len, peer);
    }
    world_end();
}

static void every_row_has_its_answer(void)
{
    for (size_t row = 0; row < request_cases_len; row++) {
        const struct request_case *c = &request_cases[row];
        send_row(c, 0, 0, 0);
        send_row(c, 0, 1, 0);
        send_row(c, 0, 0, 1);
        send_row(c, 0, 7, 5);
        for (size_t cut = 1; cut < c->len; cut++) {
            send_row(c, cut, 0, 0);
        }
    }
}

/* ---- Framing in every combination ------------------------------------------------------------ */

enum kind { KIND_NONE, KIND_LENGTH, KIND_CHUNKED, KIND_BAD };

struct field {
    const char *text;
    enum kind kind;
    unsigned length;
};

static const struct field lengths[] = {
    {"", KIND_NONE, 0},
    {"Content-Length: 0\r\n", KIND_LENGTH, 0},
    {"Content-Length: 5\r\n", KIND_LENGTH, 5},
    {"content-length:05\t\r\n", KIND_LENGTH, 5},
    {"Content_Length: 5\r\n", KIND_NONE, 0},
    {"Content-Length: +5\r\n", KIND_BAD, 0},
    {"Content-Length: 5, 5\r\n", KIND_BAD, 0},
    {"Content-Length: 5\r\nContent-Length: 0\r\n", KIND_BAD, 0},
    {"Content-Length : 5\r\n", KIND_BAD, 0},
    {"Content-Length:\v5\r\n", KIND_BAD, 0},
    {"X: y\r\n Content-Length: 5\r\n", KIND_BAD, 0},
    {"X: y\rContent-Length: 5\r\n", KIND_BAD, 0},
    {"X: y\nContent-Length: 5\r\n", KIND_BAD, 0},
};

static const struct field codings[] = {
    {"", KIND_NONE, 0},
    {"Transfer-Encoding: chunked\r\n", KIND_CHUNKED, 0},
    {"transfer-ENCODING:\tChunked \r\n", KIND_CHUNKED, 0},
    {"Transfer_Encoding: chunked\r\n", KIND_NONE, 0},
    {"Transfer-Encoding: identity\r\n", KIND_BAD, 0},
    {"Transfer-Encoding: chunked, identity\r\n", KIND_BAD, 0},
    {"Transfer-Encoding: x, chunked\r\n", KIND_BAD, 0},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", KIND_BAD, 0},
    {"Transfer-Encoding : chunked\r\n", KIND_BAD, 0},
    {"Transfer-Encoding: \fchunked\r\n", KIND_BAD, 0},
    {"Transfer-Encoding:\r\n chunked\r\n", KIND_BAD, 0},
    {"X: y\rTransfer-Encoding: chunked\r\n", KIND_BAD, 0},
    {"X: y\nTransfer-Encoding: chunked\r\n", KIND_BAD, 0},
    {" Transfer-Encoding: chunked\r\n", KIND_BAD, 0},
};

static const char *const starts[] = {
    "POST /full HTTP/1.1\r\nHost: a\r\n", "GET /full HTTP/1.1\r\nHost: a\r\n",
    "POST /deaf HTTP/1.1\r\nHost: a\r\n", "POST /full HTTP/1.0\r\nConnection: keep-alive\r\n",
    "POST /full HTTP/1.2\r\nHost: a\r\n",
};

/* Read by length 5 it is one thing, by chunks another, with no body a third. */
static const struct {
    const char *text;
    bool whole[KIND_BAD]; /* read so, it ends where the next request begins */
} bodies[] = {
    {"", {true, false, false}},
    {"0\r\n\r\n", {false, true, true}},
    {"5\r\nhe:lo\r\n0\r\n\r\n", {false, false, true}},
    {"he:lo", {false, true, false}},
    {"00000\r\n\r\n", {false, true, true}}, /* empty lines are skipped */
};

static enum kind framing_of(const char *start, const struct field *length,
                            const struct field *coding)
{
    bool old = strstr(start, "HTTP/1.0") != NULL;
    if (length->kind == KIND_BAD || coding->kind == KIND_BAD ||
        (coding->kind == KIND_CHUNKED && (length->kind == KIND_LENGTH || old))) {
        return KIND_BAD;
    }
    return coding->kind == KIND_NONE ? length->kind : coding->kind;
}

/* As many answers as requests were taken, and one more for a refusal that is the last. */
static bool answers_are_right(const struct fake_peer *peer)
{
    static struct world_answer answer;
    size_t answers = 0;
    for (size_t at = 0; at < peer->out_len; answers++) {
        if (!world_next_answer(peer, &at, false, &answer)) {
            return false;
        }
    }
    return world.server.refused <= 1 && answers == world.ended + world.server.refused &&
           world.owned <= 1 && (world.server.refused == 0 || peer->closed);
}

static void combine(const char *start, const struct field *length, const struct field *coding,
                    size_t body, bool coding_first)
{
    char raw[512];
    enum kind kind = framing_of(start, length, coding);
    int len = snprintf(raw, sizeof(raw), "%s%s%s\r\n%s%s", start,
                       coding_first ? coding->text : length->text,
                       coding_first ? length->text : coding->text, bodies[body].text, smuggled);
    world_begin();
    struct fake_peer *peer = world_join();
    fake_peer_send(peer, raw, (size_t)len);
    world_run();
    bool right = CHECK(answers_are_right(peer));
    bool taken = kind == KIND_CHUNKED ? world.requests > 0 : kind != KIND_BAD;
    right = CHECK_EQ_INT(world.requests > 0, taken) && right;
    kind = kind == KIND_LENGTH && length->length == 0 ? KIND_NONE : kind;
    bool next = kind != KIND_BAD && bodies[body].whole[kind];
    right = CHECK_EQ_UINT(world.smuggled, next) && right;
    if (!right) {
        note(raw, (size_t)len, peer);
    }
    world_end();
}

static void combine_bodies(const char *start, const struct field *length,
                           const struct field *coding)
{
    for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
        combine(start, length, coding, b, false);
        combine(start, length, coding, b, true);
    }
}

static void framing_has_one_reading(void)
{
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
            for (size_t t = 0; t < sizeof(codings) / sizeof(codings[0]); t++) {
                combine_bodies(starts[s], &lengths[l], &codings[t]);
            }
        }
    }
}

int main(void)
{
    every_row_has_its_answer();
    framing_has_one_reading();
    return check_result();
}
