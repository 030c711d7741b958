/* lwIP's network interface on Linux without privileges: Ethernet frames to and from libslirp, which
 * is a NAT in user space and speaks to the world through ordinary sockets of this process.
 *
 * slirp gives the address (DHCP) and the name server; <network>.2 is the host itself, its 127.0.0.1
 * included. Ports are published by slirp_netif_publish. One instance, one thread; lwIP must be
 * initialised first. */
#ifndef LIMPET_POSIX_NETIF_SLIRP_H
#define LIMPET_POSIX_NETIF_SLIRP_H

#include "app_config.h"
#include "base/log.h"
#include "closing.h"
#include "rx_frames.h"

#include "lwip/netif.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Sockets of slirp in one poll: two a pcb (a client that never closes its half keeps one after lwIP
 * has forgotten it), listeners, DNS. When they are used up, new clients wait in the kernel's
 * backlog. */
#define SLIRP_POLL_FDS (2u * LIMPET_TCP_PCBS + 192u)

/* Descriptors that slirp may have open, polled or not (it keeps those of connections in TIME_WAIT).
 * When they, or what RLIMIT_NOFILE allows, are used up, new clients wait in the kernel's backlog as
 * well. */
#define SLIRP_SOCKETS_MAX 16384u

/* Gateway and metrics listener. */
#define SLIRP_FORWARDS 2u

/* libslirp 4.x makes one (IPv6 router advertisement), and only with IPv6 on. */
#define SLIRP_TIMERS 4u

/* Sockets kept for each listener below SLIRP_POLL_FDS: what can be accepted and opened in a turn.
 */
#define SLIRP_ACCEPT_RESERVE 64u

/* With fewer descriptors the gateway would accept nobody, or a few only. */
#define SLIRP_SOCKETS_MIN ((SLIRP_FORWARDS + 1u) * SLIRP_ACCEPT_RESERVE)

/* IP packets: one segment of lwIP's. libslirp's default of 1500 costs a send() per 1460 bytes: 128
 * KB answers went from 1.3k/s to 10.9k/s with large ones. Not more than lwIP's own MSS, because on
 * connections that we open libslirp forgets the MSS we announced and sends what its MTU allows. */
#define SLIRP_MTU (ETHER_FRAME_LEN_MAX - 14u)

struct Slirp;
struct slirp_timer {
    void (*fire)(void *opaque); /* NULL: slot is free */
    void *opaque;
    int64_t expire_ms; /* INT64_MAX: not set */
};

struct slirp_forward {
    uint32_t host_ip4; /* 0 = all addresses; host byte order */
    uint16_t port;     /* 0 = slot is free */
    int fd;            /* slirp's listening socket */
};

/* For static placement, zero-initialised; do not touch the fields. */
struct slirp_netif {
    struct netif netif;
    struct Slirp *slirp;
    struct pbuf *rx[RX_FRAMES]; /* ring: received, not yet given to lwIP */
    size_t rx_first;
    size_t rx_count;
    bool acks_due;                     /* frames were received since the last wait */
    struct pollfd fds[SLIRP_POLL_FDS]; /* [0] is the caller's wake_fd */
    size_t fd_count;
    size_t fd_count_before;                         /* of the poll before this one */
    uint64_t open_sockets[SLIRP_SOCKETS_MAX / 64u]; /* a bit a descriptor */
    size_t open_count;
    size_t open_max;
    bool host_write_waits; /* some host socket does not take what slirp holds for it */
    struct slirp_forward forwards[SLIRP_FORWARDS];
    struct slirp_timer timers[SLIRP_TIMERS];
    uint64_t rx_dropped; /* frames: no buffer left, or longer than one */
    uint64_t tx_dropped; /* frames: longer than ETHER_FRAME_LEN_MAX */
    uint8_t tx_frame[ETHER_FRAME_LEN_MAX];
    struct closing closing;
    struct rx_frames rx_frames;
};

/* Starts slirp with the network network_ip4/24 (host byte order), adds the netif as lwIP's default
 * one and asks for an address. LIMPET_ERR_IO: libslirp or lwIP refused. */
LIMPET_WARN_UNUSED
int slirp_netif_open(struct slirp_netif *n, uint32_t network_ip4);
bool slirp_netif_has_address(const struct slirp_netif *n);
uint32_t slirp_netif_ip4(const struct slirp_netif *n); /* host byte order; 0 before there is one */
uint32_t slirp_netif_loopback_ip4(uint32_t network_ip4); /* what the host's 127.0.0.1 is called */

/* Makes lwIP's port `port` reachable on the host at host_ip4 (0 = all addresses), same port number.
 * LIMPET_ERR_FULL: more than SLIRP_FORWARDS. LIMPET_ERR_IO: not bound; errno says why. */
LIMPET_WARN_UNUSED
int slirp_netif_publish(struct slirp_netif *n, uint32_t host_ip4, uint16_t port);
/* Closes the host's listening sockets; running connections go on. */
void slirp_netif_unpublish(struct slirp_netif *n);

/* Hands at most `budget` received frames to lwIP. True: more are waiting. */
bool slirp_netif_receive(struct slirp_netif *n, size_t budget);
/* Waits for the host's sockets, wake_fd or the time, whichever is first, and lets slirp work. */
void slirp_netif_wait(struct slirp_netif *n, int wake_fd, uint64_t timeout_ns);
/* Everything that lwIP was given to send has been taken by the host's sockets (as of the last
 * wait). */
bool slirp_netif_sent_all(const struct slirp_netif *n);
/* Closes every socket of slirp and takes the netif away. */
void slirp_netif_close(struct slirp_netif *n);

#endif
