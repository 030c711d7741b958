/* The metrics listener over scripted peers: paths, methods, HEAD, slow and broken readers. */
#include "check.h"

#include "fakes/fake_net.h"
#include "metrics/registry.h"
#include "report/listener.h"

#define PORT 8090

static struct net net;
static struct timers timers;
static struct timer *heap[LIMPET_STATS_CONNS + 1];
static struct log test_log;
static struct server server;
static struct server_conn conns[LIMPET_STATS_CONNS];
static struct metrics metrics;
static struct report report;

static bool no_log(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    (void)line;
    return true;
}

static void begin(void)
{
    static const char *const argv[] = {"limpetd", "run"};
    const struct metrics_options measured = {.collection_time_ns = LIMPET_S_TO_NS(60)};
    const struct server_options options = {3000, 10000, 60000, 0, "[TEST]", 0, 0, 0};
    log_init(&test_log, no_log, NULL, LOG_DEBUG);
    timers_init(&timers, heap, sizeof(heap) / sizeof(heap[0]));
    net_init(&net, &test_log, 0);
    metrics_init(&metrics, &measured, LIMPET_S_TO_NS(1));
    CHECK(metrics_open_endpoint(&metrics, SLICE_LIT("/a")) != NULL);
    report_init(&report, &metrics, argv, 2);
    struct server_handler handler = report_handler(&report);
    server_init(&server, &net, &timers, &test_log, conns, LIMPET_STATS_CONNS, &handler, &options);
    server_set_time(&server, LIMPET_S_TO_NS(1), 0);
    CHECK_EQ_INT(server_start(&server, PORT), LIMPET_OK);
}

static void end(void)
{
    for (size_t i = 0; i < fake_net.peers_len; i++) {
        fake_peer_fail(&fake_net.peers[i], LIMPET_ERR_RESET);
    }
    fake_net_run(&net);
    size_t free_count = 0;
    for (struct report_answer *answer = report.free; answer != NULL; answer = answer->next) {
        CHECK(!answer->reader.open);
        free_count++;
    }
    CHECK_EQ_UINT(free_count, LIMPET_STATS_CONNS);
    CHECK_EQ_UINT(server.used, 0);
    CHECK(report.stats.readers == NULL);
    fake_net_end();
}

static struct fake_peer *ask(const char *method, const char *target, size_t room)
{
    char text[200];
    begin();
    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, target);
    struct fake_peer *peer = fake_net_accept(&net, PORT);
    peer->room = room == 0 ? SIZE_MAX : room;
    peer->room_again = room;
    fake_peer_text(peer, text);
    fake_net_run(&net);
    return peer;
}

static bool starts(const struct fake_peer *peer, const char *text)
{
    return slice_starts_with(slice_of(peer->out, peer->out_len), slice_from_cstr(text));
}

/* Behind the head; NULL when there is no whole head. */
static const char *body_of(struct fake_peer *peer)
{
    peer->out[peer->out_len] = '\0';
    const char *blank = strstr(peer->out, "\r\n\r\n");
    return blank == NULL ? NULL : blank + 4;
}

static const char good_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n";

static void both_forms_of_the_path_are_served(void)
{
    static const char *const paths[] = {"/__stats", "/__stats/", "/__stats/?a=b"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct fake_peer *peer = ask("GET", paths[i], 0);
        const char *body = body_of(peer);
        CHECK(starts(peer, good_head));
        CHECK(body != NULL && strncmp(body, "{\n\"cmdline\": [\"limpetd\",\"run\"],\n", 32) == 0);
        CHECK(body != NULL && strcmp(peer->out + peer->out_len - 3, "\n}\n") == 0);
        CHECK(strstr(peer->out, "\"krakend.router.response./a.status\": 0") != NULL);
        CHECK(!peer->closed);
        end();
    }
}

static void head_is_get_without_the_body(void)
{
    static char head[1024];
    struct fake_peer *peer = ask("GET", "/__stats", 0);
    size_t len = (size_t)(body_of(peer) - peer->out);
    CHECK(len < sizeof(head));
    memcpy(head, peer->out, len);
    end();
    peer = ask("HEAD", "/__stats", 0);
    CHECK_EQ_MEM(peer->out, peer->out_len, head, len);
    end();
}

static void other_paths_and_methods_are_refused(void)
{
    static const char *const paths[] = {"/", "/__stats/x", "/__statz", "/__stats%2f", "//__stats"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct fake_peer *peer = ask("GET", paths[i], 0);
        CHECK(starts(peer, "HTTP/1.1 404 Not Found\r\n"));
        end();
    }
    static const char *const methods[] = {"POST", "DELETE", "OPTIONS", "get"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct fake_peer *peer = ask(methods[i], "/__stats", 0);
        CHECK(starts(peer, "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"));
        end();
    }
}

static void other_letters_are_redirected(void)
{
    static const char *const paths[] = {"/__Stats", "/__STATS/", "/__sTats?a=b"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct fake_peer *peer = ask("GET", paths[i], 0);
        CHECK(starts(peer, "HTTP/1.1 301 Moved Permanently\r\nLocation: /__stats\r\n"));
        end();
        peer = ask("POST", paths[i], 0);
        CHECK(starts(peer, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /__stats\r\n"));
        end();
    }
}

static void a_slow_reader_gets_the_same(void)
{
    struct fake_peer *peer = ask("GET", "/__stats", 0);
    size_t len = peer->out_len;
    end();
    static const size_t rooms[] = {1, 7, 100, 4000};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        peer = ask("GET", "/__stats", rooms[i]);
        fake_peer_grant(peer, SIZE_MAX - 1); /* more turns than one run has */
        fake_net_run(&net);
        CHECK_EQ_UINT(peer->out_len, len);
        end();
    }
}

static void a_reader_that_goes_away_leaves_nothing(void)
{
    struct fake_peer *peer = ask("GET", "/__stats", 0);
    size_t len = peer->out_len;
    end();
    for (size_t at = 1; at < len; at += 97) {
        begin();
        peer = fake_net_accept(&net, PORT);
        peer->fail_at_out = at;
        fake_peer_text(peer, "GET /__stats HTTP/1.1\r\nHost: a\r\n\r\n");
        fake_net_run(&net);
        CHECK_EQ_UINT(server.used, 0);
        end();
    }
}

static void every_connection_has_an_answer_of_its_own(void)
{
    begin();
    for (size_t i = 0; i < LIMPET_STATS_CONNS; i++) {
        struct fake_peer *peer = fake_net_accept(&net, PORT);
        peer->room = 10 * i;
        fake_peer_text(peer, "GET /__stats HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    fake_net_run(&net);
    for (size_t i = 0; i < LIMPET_STATS_CONNS; i++) {
        fake_peer_grant(&fake_net.peers[i], SIZE_MAX);
    }
    fake_net_run(&net);
    for (size_t i = 0; i < LIMPET_STATS_CONNS; i++) {
        CHECK(starts(&fake_net.peers[i], good_head));
        CHECK_EQ_UINT(fake_net.peers[i].out_len, fake_net.peers[0].out_len);
    }
    end();
}

int main(void)
{
    both_forms_of_the_path_are_served();
    head_is_get_without_the_body();
    other_paths_and_methods_are_refused();
    other_letters_are_redirected();
    a_slow_reader_gets_the_same();
    a_reader_that_goes_away_leaves_nothing();
    every_connection_has_an_answer_of_its_own();
    return check_result();
}
