#include "host_net.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP4_LOOPBACK 0x7F000001u

static struct config config;

/* A listening socket on a free port; the port. */
static int listen_somewhere(uint32_t ip4, uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip4)};
    socklen_t len = sizeof(address);
    const int on = 1; /* as every server does, and libslirp */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_overlap(void)
{
    CHECK(host_net_overlap(0x0A000200u, 0xFFFFFF00u, 0x0A000263u, 0xFFFFFF00u));
    CHECK(!host_net_overlap(0x0A000200u, 0xFFFFFF00u, 0x0A000363u, 0xFFFFFF00u));
    CHECK(host_net_overlap(0x0A000200u, 0xFFFFFF00u, 0x0A636363u, 0xFF000000u)); /* wider */
    CHECK(host_net_overlap(0x0A000200u, 0xFFFFFF00u, 0x0A000201u, 0xFFFFFFFFu)); /* one address */
    CHECK(!host_net_overlap(0x0A000200u, 0xFFFFFF00u, 0xC0A80001u, 0xFFFF0000u));
}

static void test_choose_avoids_backends(void)
{
    config.host_count = 0;
    uint32_t first = host_net_choose(&config);
    CHECK((first & 0xFFu) == 0);
    char text[INET_ADDRSTRLEN];
    struct in_addr backend = {.s_addr = htonl(first | 77u)};
    inet_ntop(AF_INET, &backend, text, sizeof(text));
    config.host_count = 1;
    config.hosts[0].name = slice_from_cstr(text);
    CHECK(host_net_choose(&config) != first);
    config.hosts[0].name = SLICE_LIT("backend.example");
    CHECK(host_net_choose(&config) == first);
}

static void test_try_listen(void)
{
    uint16_t taken;
    uint16_t free_port;
    size_t failed = 99;
    int error = 0;
    int fd = listen_somewhere(IP4_LOOPBACK, &taken);
    close(listen_somewhere(IP4_LOOPBACK, &free_port));
    struct config_listen entries[] = {{IP4_LOOPBACK, free_port}, {IP4_LOOPBACK, taken}};
    CHECK(host_net_try_listen(entries, 1, &failed, &error) == LIMPET_OK);
    CHECK(host_net_try_listen(entries, 1, &failed, &error) == LIMPET_OK); /* let go again */
    CHECK(host_net_try_listen(entries, 2, &failed, &error) == LIMPET_ERR_BUSY);
    CHECK(failed == 1 && error == EADDRINUSE);
    entries[1].ip4 = 0; /* all addresses: that one included */
    CHECK(host_net_try_listen(entries, 2, &failed, &error) == LIMPET_ERR_BUSY && failed == 1);
    close(fd);
    CHECK(host_net_try_listen(entries, 2, &failed, &error) == LIMPET_OK);
    entries[1] = entries[0]; /* the two against each other */
    CHECK(host_net_try_listen(entries, 2, &failed, &error) == LIMPET_ERR_BUSY && failed == 1);
    entries[0].ip4 = 0xC0000201u; /* 192.0.2.1 is nobody's (RFC 5737) */
    CHECK(host_net_try_listen(entries, 1, &failed, &error) == LIMPET_ERR_BUSY && failed == 0);
    CHECK(error == EADDRNOTAVAIL);
}

/* The server's side of a connection that it closed first stays in TIME_WAIT. */
static void test_time_wait_is_not_taken(void)
{
    uint16_t port;
    size_t failed;
    int error;
    int listener = listen_somewhere(IP4_LOOPBACK, &port);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(IP4_LOOPBACK);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0);
    int server = accept(listener, NULL, NULL);
    char byte;
    close(server);
    CHECK(read(client, &byte, 1) == 0);
    close(client);
    close(listener);
    const struct config_listen entry = {IP4_LOOPBACK, port};
    CHECK(host_net_try_listen(&entry, 1, &failed, &error) == LIMPET_OK);
}

int main(void)
{
    test_overlap();
    test_choose_avoids_backends();
    test_try_listen();
    test_time_wait_is_not_taken();
    return check_result();
}
