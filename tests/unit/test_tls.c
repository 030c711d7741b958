/* The TLS room against a real server: openssl s_server behind a socket, a scripted transport in
 * between, so that names, the clock, entropy and memory can be whatever a test wants. */
#include "check.h"
#include "fakes/fake_net.h"
#include "port/port.h"
#include "tls/tls.h"

#include "mbedtls/memory_buffer_alloc.h"
#include "mbedtls/platform.h"
#include "psa/crypto.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS INT64_C(1000000000)
#define DAY_NS (INT64_C(86400) * NS)
#define WAIT_MS 5000
#define WINDOW 100 /* bytes: less than any record with a certificate or a body */

static struct net net;
static struct log log_under_test;
static char said[8192];
static struct tls tls;
static bool entropy = true;

static struct {
    char folder[64];
    char ca[16384];
    size_t ca_len;
    uint16_t port;
    pid_t server;
} world;

/* ---- What the room asks of others ---------------------------------------------------------- */

bool port_entropy(void *buf, size_t len)
{
    return entropy && getrandom(buf, len, 0) == (ssize_t)len;
}

static bool sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%.*s\n", (int)line.len, line.ptr);
    return true;
}

/* ---- A server ------------------------------------------------------------------------------ */

static void run(const char *command)
{
    char text[1024];
    snprintf(text, sizeof(text), "cd %s && { %s; } > /dev/null 2>&1", world.folder, command);
    CHECK_EQ_INT(system(text), 0);
}

static void make_certificates(void)
{
    strcpy(world.folder, "/tmp/limpet-test-tls.XXXXXX");
    CHECK(mkdtemp(world.folder) != NULL);
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key"
        " -out ca.pem -subj /CN=root -days 300");
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key"
        " -out own.csr -subj /CN=somebody");
    run("echo subjectAltName=DNS:*.example.test,DNS:Plain.test,IP:192.0.2.7 > names");
    run("openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 100"
        " -extfile names -out own.pem");
    char path[128];
    snprintf(path, sizeof(path), "%s/ca.pem", world.folder);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    if (file != NULL) {
        world.ca_len = fread(world.ca, 1, sizeof(world.ca), file);
        fclose(file);
    }
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(world.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ_INT(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_EQ_INT(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void start_server(const char *version)
{
    char port[8];
    world.port = free_port();
    snprintf(port, sizeof(port), "%u", world.port);
    world.server = fork();
    if (world.server == 0) {
        if (chdir(world.folder) == 0 && freopen("/dev/null", "w", stdout) != NULL &&
            freopen("/dev/null", "w", stderr) != NULL) {
            execlp("openssl", "openssl", "s_server", "-accept", port, "-cert", "own.pem", "-key",
                   "own.key", "-www", version, (char *)NULL);
        }
        _exit(1);
    }
    int fd = -1;
    for (int i = 0; i < WAIT_MS / 10 && fd < 0; i++) {
        fd = dial();
        if (fd < 0) {
            poll(NULL, 0, 10);
        }
    }
    CHECK(fd >= 0);
    close(fd);
}

static void stop_server(void)
{
    kill(world.server, SIGKILL);
    waitpid(world.server, NULL, 0);
}

/* ---- A connection -------------------------------------------------------------------------- */

static void ignore_step(void *owner, struct transport *t)
{
    (void)owner;
    (void)t;
}

/* Carries what is there between the scripted transport and the server. As TCP does, it lets in no
 * more than `window` bytes that were not consumed. */
static void carry(struct transport *t, int fd, size_t window)
{
    struct fake_peer *peer = fake_net_latest();
    char bytes[4096];
    fake_net_run(&net);
    if (peer->out_len > 0) {
        CHECK_EQ_INT(send(fd, peer->out, peer->out_len, MSG_NOSIGNAL), peer->out_len);
        fake_peer_forget_out(peer);
    }
    size_t room = window - (peer->in_len - peer->in_used);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (room > 0 && t->state != TRANSPORT_FAILED && !t->eof && poll(&wait, 1, 1) == 1) {
        ssize_t len = recv(fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 0);
        if (len > 0) {
            fake_peer_send(peer, bytes, (size_t)len);
        } else {
            fake_peer_eof(peer);
        }
    }
}

/* Until the handshake has an end. */
static void pump(struct transport *t, int fd)
{
    fake_peer_connected(fake_net_latest());
    for (int ms = 0; ms < WAIT_MS && t->state == TRANSPORT_CONNECTING; ms++) {
        carry(t, fd, SIZE_MAX);
    }
}

/* The state that the handshake ends in. */
static enum transport_state handshake(const char *name)
{
    const struct tls_target target = {.name = slice_from_cstr(name), .port = world.port};
    struct transport *t;
    said[0] = '\0';
    tls.logged_ns = 0;
    CHECK_EQ_INT(tls_connect(&tls, &target, NULL, ignore_step, &t), LIMPET_OK);
    int fd = dial();
    pump(t, fd);
    enum transport_state state = t->state;
    transport_close(t);
    close(fd);
    return state;
}

static int64_t now_ns(void)
{
    return (int64_t)time(NULL) * NS;
}

static void begin(void)
{
    mbedtls_psa_crypto_free(); /* has blocks in the arena */
    memset(&tls, 0, sizeof(tls));
    net_init(&net, &log_under_test, 0);
    tls_init(&tls, &net, &log_under_test);
    struct tls_identity identity = {.authorities_count = 1};
    identity.authorities[0] = slice_of(world.ca, world.ca_len);
    CHECK_EQ_INT(tls_set_identity(&tls, TLS_FOR_BACKENDS, &identity), LIMPET_OK);
    tls_set_time(&tls, 1, now_ns());
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void test_names(void)
{
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        {"a.example.test", true},     {"A.Example.TEST", true},    {"a.example.test.", true},
        {"plain.test", true},         {"192.0.2.7", true},         {"a.b.example.test", false},
        {"example.test", false},      {".example.test", false},    {"a.example.tes", false},
        {"a.example.test.x", false},  {"x.plain.test", false},     {"192.0.2.8", false},
        {"::1", false},               {"aexample.test", false},    {"somebody", false},
    };
    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool good = handshake(cases[i].name) == TRANSPORT_OPEN;
        if (good != cases[i].good) {
            fprintf(stderr, "%s: %s\n", cases[i].name, said);
        }
        CHECK(good == cases[i].good);
        CHECK(good == (strstr(said, "certificate is for *.example.test, Plain.test, 192.0.2.7") ==
                       NULL));
    }
}

static void test_dates(void)
{
    begin();
    tls_set_time(&tls, 1, now_ns() + 101 * DAY_NS);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_FAILED);
    CHECK(strstr(said, "has expired") != NULL);
    tls_set_time(&tls, 1, now_ns() - DAY_NS);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_FAILED);
    CHECK(strstr(said, "not valid yet") != NULL);
    CHECK_EQ_UINT(tls.failures.date, 2);
    tls_set_time(&tls, 1, now_ns() + 99 * DAY_NS);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_OPEN);
    CHECK_EQ_UINT(tls.handshakes_undated, 0);
}

/* Counted while the clock is not known; what was begun then is not resumed after it. */
static void test_clock_unknown(void)
{
    begin();
    tls_set_time(&tls, 1, 0);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_OPEN);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_OPEN);
    CHECK_EQ_UINT(tls.handshakes_undated, tls.handshakes_full);
    CHECK_EQ_UINT(tls.handshakes_full + tls.handshakes_resumed, 2);
    uint64_t full = tls.handshakes_full;
    tls_set_time(&tls, 2, now_ns());
    CHECK_EQ_UINT(tls.resume.count, 0);
    CHECK_EQ_INT(handshake("plain.test"), TRANSPORT_OPEN);
    CHECK_EQ_UINT(tls.handshakes_full, full + 1);
    CHECK_EQ_UINT(tls.handshakes_undated, full);
}

/* Records that are larger than the TCP window, in the handshake and in the answer. */
static void test_small_window(void)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    const struct tls_target target = {.name = SLICE_LIT("plain.test"), .port = world.port};
    struct transport *t;
    size_t got = 0;
    begin();
    CHECK_EQ_INT(tls_connect(&tls, &target, NULL, ignore_step, &t), LIMPET_OK);
    int fd = dial();
    fake_peer_connected(fake_net_latest());
    for (int turn = 0; turn < WAIT_MS && t->state == TRANSPORT_CONNECTING; turn++) {
        carry(t, fd, WINDOW);
    }
    CHECK_EQ_INT(t->state, TRANSPORT_OPEN);
    CHECK_EQ_UINT(transport_write(t, request, sizeof(request) - 1, false), sizeof(request) - 1);
    transport_flush(t);
    for (int turn = 0; turn < WAIT_MS && t->state == TRANSPORT_OPEN && !t->eof; turn++) {
        carry(t, fd, WINDOW);
        for (struct slice s = transport_peek(t); s.len > 0; s = transport_peek(t)) {
            CHECK(got > 0 || slice_starts_with(s, SLICE_LIT("HTTP/1.0 200 ok")));
            got += s.len;
            transport_consume(t, s.len);
        }
    }
    CHECK(t->eof);
    CHECK(got > 10 * WINDOW);
    transport_close(t);
    close(fd);
}

static void test_no_entropy(void)
{
    const struct tls_target target = {.name = SLICE_LIT("plain.test"), .port = 1};
    struct transport *t;
    said[0] = '\0';
    entropy = false;
    memset(&tls, 0, sizeof(tls));
    net_init(&net, &log_under_test, 0);
    tls_init(&tls, &net, &log_under_test);
    entropy = true;
    CHECK(strstr(said, "no entropy") != NULL);
    CHECK_EQ_INT(tls_connect(&tls, &target, NULL, ignore_step, &t), LIMPET_ERR_TLS);
    CHECK_EQ_UINT(tls.refused, 1);
    CHECK_EQ_UINT(net.used, 0);
}

/* Less and less memory: each handshake succeeds or says what is missing, and gives all back. */
static void test_memory(void)
{
    begin();
    unsigned good = 0;
    unsigned bad = 0;
    for (size_t left = 64; left > 0; left--) {
        size_t used;
        size_t after;
        size_t blocks;
        resume_init(&tls.resume);
        mbedtls_memory_buffer_alloc_cur_get(&used, &blocks);
        void *ballast = mbedtls_calloc(1, LIMPET_TLS_ARENA_LEN - used - left * 1024u);
        if (ballast == NULL) {
            continue; /* the heads of the blocks need some, too */
        }
        bool opened = handshake("plain.test") == TRANSPORT_OPEN;
        good += opened;
        bad += !opened;
        if (!opened && strstr(said, "LIMPET_TLS_ARENA_LEN") == NULL) {
            fprintf(stderr, "with %zu kB: %s\n", left, said);
        }
        CHECK(opened || strstr(said, "LIMPET_TLS_ARENA_LEN") != NULL);
        for (size_t i = 0; i < LIMPET_TLS_SESSIONS; i++) {
            if (tls.resume.slots[i].used) {
                mbedtls_ssl_session_free(&tls.resume.slots[i].session);
            }
        }
        mbedtls_free(ballast);
        mbedtls_memory_buffer_alloc_cur_get(&after, &blocks);
        CHECK_EQ_UINT(after, used);
    }
    CHECK(good > 5 && bad > 5);
    CHECK_EQ_UINT(tls.failures.memory, bad);
    fprintf(stderr, "%u handshakes fit, %u did not\n", good, bad);
}

static void test_all(const char *version)
{
    start_server(version);
    test_names();
    test_dates();
    test_clock_unknown();
    test_small_window();
    test_memory();
    stop_server();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_init(&log_under_test, sink, NULL, LOG_DEBUG);
    test_no_entropy();
    make_certificates();
    test_all("-tls1_2");
    test_all("-tls1_3");
    char text[128];
    snprintf(text, sizeof(text), "rm -rf %s", world.folder);
    CHECK_EQ_INT(system(text), 0);
    return check_result();
}
