#include "host_net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MASK_24 0xFFFFFF00u
#define TRY_MAX 4u

static bool host_uses(uint32_t network, const struct ifaddrs *interfaces);
static bool config_names(uint32_t network, const struct config *config);
static int listen_on(const struct config_listen *entry);

uint32_t host_net_choose(const struct config *config)
{
    /* slirp's customary network first, then some that are rarely met (RFC 1918). */
    static const uint32_t candidates[] = {0x0A000200u, 0x0A8F0200u, 0xAC1FF300u, 0xC0A8F300u};
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0) {
        interfaces = NULL;
    }
    uint32_t chosen = candidates[0];
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (!host_uses(candidates[i], interfaces) && !config_names(candidates[i], config)) {
            chosen = candidates[i];
            break;
        }
    }
    if (interfaces != NULL) {
        freeifaddrs(interfaces);
    }
    return chosen;
}

bool host_net_overlap(uint32_t a, uint32_t a_mask, uint32_t b, uint32_t b_mask)
{
    return ((a ^ b) & a_mask & b_mask) == 0;
}

static bool host_uses(uint32_t network, const struct ifaddrs *interfaces)
{
    for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_netmask == NULL || i->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        struct sockaddr_in address;
        struct sockaddr_in mask;
        memcpy(&address, i->ifa_addr, sizeof(address));
        memcpy(&mask, i->ifa_netmask, sizeof(mask));
        if (host_net_overlap(network, MASK_24, ntohl(address.sin_addr.s_addr),
                             ntohl(mask.sin_addr.s_addr))) {
            return true;
        }
    }
    return false;
}

static bool in_network(uint32_t network, struct slice name)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (name.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && (ntohl(address.s_addr) & MASK_24) == network;
}

static bool config_names(uint32_t network, const struct config *config)
{
    for (size_t i = 0; i < config->host_count; i++) {
        if (in_network(network, config->hosts[i].name)) {
            return true;
        }
    }
    return config->influx.enabled && in_network(network, config->influx.host.name);
}

int host_net_try_listen(const struct config_listen *entries, size_t count, size_t *failed,
                        int *error)
{
    int fds[TRY_MAX];
    size_t open_count = 0;
    assert(count <= TRY_MAX);
    while (open_count < count) {
        fds[open_count] = listen_on(&entries[open_count]);
        if (fds[open_count] < 0) {
            *error = errno;
            *failed = open_count;
            break;
        }
        open_count++;
    }
    for (size_t i = 0; i < open_count; i++) {
        close(fds[i]);
    }
    return open_count == count ? LIMPET_OK : LIMPET_ERR_BUSY;
}

/* SO_REUSEADDR as libslirp does: on Linux it passes over TIME_WAIT, not over a listener. */
static int listen_on(const struct config_listen *entry)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(entry->port)};
    address.sin_addr.s_addr = htonl(entry->ip4);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0) {
        return fd;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
