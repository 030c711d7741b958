#include "netif_slirp.h"

#include "base/err.h"
#include "clock.h"
#include "time_wait.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <slirp/libslirp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* libslirp listens with a backlog of 1: of 16 clients that connect at once 14 waited a second for
 * the kernel's second SYN. Linux cuts it to net.core.somaxconn. */
#define LISTEN_BACKLOG 512

/* The oldest interface with everything that we use; every libslirp >= 4.1 speaks it (bookworm
 * has 4.7, trixie 4.8). */
#define SLIRP_INTERFACE_VERSION 1u
#define SLIRP_NETMASK 0xFFFFFF00u

/* 4.9 renamed it for the sake of Windows. */
#if SLIRP_CHECK_VERSION(4, 9, 0)
#define SLIRP_FILL slirp_pollfds_fill_socket
#else
#define SLIRP_FILL slirp_pollfds_fill
#endif

/* stderr, eventfd, listeners, files being read. */
#define OWN_FILES 16u

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define WAIT_NS_MAX (60u * NS_PER_S)

static err_t init_netif(struct netif *netif);
static err_t send_frame(struct netif *netif, struct pbuf *frame);
static struct Slirp *start_slirp(struct slirp_netif *n, uint32_t network_ip4);
static ssize_t take_frame(const void *bytes, size_t len, void *opaque);
static void adopt_listener(struct slirp_netif *n, struct slirp_forward *forward);
static void send_due_acks(struct slirp_netif *n);
static void end_closed(struct slirp_netif *n);
static void fill_fds(struct slirp_netif *n, uint32_t *timeout_ms);
static size_t sockets_allowed(void);
static int add_fd(int fd, int events, void *opaque);
static int ready_events(int index, void *opaque);
static void run_timers(struct slirp_netif *n);
static uint32_t timers_wait_ms(const struct slirp_netif *n);

/* ---- Life cycle ----------------------------------------------------------------------------- */

int slirp_netif_open(struct slirp_netif *n, uint32_t network_ip4)
{
    assert(n->slirp == NULL);
    n->open_max = sockets_allowed();
    n->slirp = start_slirp(n, network_ip4);
    if (n->slirp == NULL) {
        return LIMPET_ERR_IO;
    }
    if (netif_add_noaddr(&n->netif, n, init_netif, netif_input) == NULL) {
        slirp_cleanup(n->slirp);
        n->slirp = NULL;
        return LIMPET_ERR_IO;
    }
    netif_set_default(&n->netif);
    netif_set_hostname(&n->netif, "limpet");
    netif_set_up(&n->netif);
    return dhcp_start(&n->netif) == ERR_OK ? LIMPET_OK : LIMPET_ERR_IO;
}

bool slirp_netif_has_address(const struct slirp_netif *n)
{
    return dhcp_supplied_address(&n->netif) != 0;
}

uint32_t slirp_netif_ip4(const struct slirp_netif *n)
{
    return lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(&n->netif)));
}

uint32_t slirp_netif_loopback_ip4(uint32_t network_ip4)
{
    return network_ip4 | 2u;
}

void slirp_netif_close(struct slirp_netif *n)
{
    slirp_netif_unpublish(n);
    dhcp_stop(&n->netif);
    netif_remove(&n->netif);
    slirp_cleanup(n->slirp);
    n->slirp = NULL;
    while (n->rx_count > 0) {
        pbuf_free(n->rx[n->rx_first]);
        n->rx_first = (n->rx_first + 1) % RX_FRAMES;
        n->rx_count--;
    }
}

static err_t init_netif(struct netif *netif)
{
    /* Locally administered; the only neighbour is slirp. */
    static const uint8_t mac[ETH_HWADDR_LEN] = {0x02, 'L', 'i', 'm', 'p', 't'};
    netif->name[0] = 's';
    netif->name[1] = 'l';
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    netif->mtu = SLIRP_MTU;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, mac, sizeof(mac));
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    /* slirp verifies what we send; what it sends comes from this process's memory. */
    NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_UDP |
                                       NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_ICMP);
    return ERR_OK;
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* slirp answers many frames at once, from inside slirp_input(): take_frame() queues them. */
static err_t send_frame(struct netif *netif, struct pbuf *frame)
{
    struct slirp_netif *n = netif->state;
    pbuf_remove_header(frame, ETH_PAD_SIZE);
    const uint8_t *bytes = frame->payload;
    size_t len = frame->tot_len;
    if (len > ETHER_FRAME_LEN_MAX) {
        n->tx_dropped++;
        len = 0;
    } else if (frame->next != NULL) {
        pbuf_copy_partial(frame, n->tx_frame, frame->tot_len, 0);
        bytes = n->tx_frame;
    }
    if (len > 0) {
        closing_watch(&n->closing, bytes, len, clock_mono_ns());
        slirp_input(n->slirp, bytes, (int)len);
    }
    pbuf_add_header(frame, ETH_PAD_SIZE);
    return ERR_OK;
}

/* Called by slirp. A frame that is dropped comes again: slirp's TCP and lwIP's DHCP and DNS repeat.
 */
static ssize_t take_frame(const void *bytes, size_t len, void *opaque)
{
    struct slirp_netif *n = opaque;
    struct pbuf *frame = rx_frames_take(&n->rx_frames, bytes, len);
    if (frame == NULL) {
        n->rx_dropped++;
        return (ssize_t)len;
    }
    assert(n->rx_count < RX_FRAMES);
    n->rx[(n->rx_first + n->rx_count) % RX_FRAMES] = frame;
    n->rx_count++;
    return (ssize_t)len;
}

bool slirp_netif_receive(struct slirp_netif *n, size_t budget)
{
    for (; budget > 0 && n->rx_count > 0; budget--) {
        struct pbuf *frame = n->rx[n->rx_first];
        n->rx_first = (n->rx_first + 1) % RX_FRAMES;
        n->rx_count--;
        time_wait_yield(frame);
        n->acks_due = true;
        if (n->netif.input(frame, &n->netif) != ERR_OK) {
            pbuf_free(frame);
        }
    }
    return n->rx_count > 0;
}

bool slirp_netif_sent_all(const struct slirp_netif *n)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->unsent != NULL || pcb->unacked != NULL) {
            return false;
        }
    }
    return !n->host_write_waits;
}

/* ---- Ports of the host ---------------------------------------------------------------------- */

int slirp_netif_publish(struct slirp_netif *n, uint32_t host_ip4, uint16_t port)
{
    assert(port != 0);
    struct slirp_forward *forward = n->forwards;
    while (forward < n->forwards + SLIRP_FORWARDS && forward->port != 0) {
        forward++;
    }
    if (forward == n->forwards + SLIRP_FORWARDS) {
        return LIMPET_ERR_FULL;
    }
    struct in_addr host = {.s_addr = htonl(host_ip4)};
    struct in_addr guest = {.s_addr = htonl(slirp_netif_ip4(n))};
    if (slirp_add_hostfwd(n->slirp, 0, host, port, guest, port) != 0) {
        return LIMPET_ERR_IO;
    }
    *forward = (struct slirp_forward){.host_ip4 = host_ip4, .port = port, .fd = -1};
    adopt_listener(n, forward);
    return LIMPET_OK;
}

void slirp_netif_unpublish(struct slirp_netif *n)
{
    for (size_t i = 0; i < SLIRP_FORWARDS; i++) {
        struct slirp_forward *forward = &n->forwards[i];
        if (forward->port == 0) {
            continue;
        }
        struct in_addr host = {.s_addr = htonl(forward->host_ip4)};
        slirp_remove_hostfwd(n->slirp, 0, host, forward->port);
        *forward = (struct slirp_forward){0};
    }
}

static bool is_forward(const struct slirp_netif *n, int fd)
{
    for (size_t i = 0; i < SLIRP_FORWARDS; i++) {
        if (n->forwards[i].port != 0 && n->forwards[i].fd == fd) {
            return true;
        }
    }
    return false;
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0;
}

/* slirp tells nobody which socket listens: it is the one in its poll set that we do not know yet.
 * It is given a real backlog, and made non-blocking: slirp calls accept() and the client may be
 * gone again. */
static void adopt_listener(struct slirp_netif *n, struct slirp_forward *forward)
{
    uint32_t timeout_ms = 0;
    n->fd_count = 1;
    fill_fds(n, &timeout_ms);
    for (size_t i = 1; i < n->fd_count; i++) {
        int fd = n->fds[i].fd;
        if (fd < 0 || is_forward(n, fd) || !is_listening(fd)) {
            continue;
        }
        forward->fd = fd;
        (void)listen(fd, LISTEN_BACKLOG);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        return;
    }
}

/* ---- Waiting -------------------------------------------------------------------------------- */

void slirp_netif_wait(struct slirp_netif *n, int wake_fd, uint64_t timeout_ns)
{
    send_due_acks(n);
    if (n->rx_count > 0) {
        timeout_ns = 0;
    } else if (timeout_ns > WAIT_NS_MAX) {
        timeout_ns = WAIT_NS_MAX;
    }
    uint32_t wanted_ms = (uint32_t)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
    uint32_t timer_ms = timers_wait_ms(n);
    uint32_t slirp_ms = timer_ms < wanted_ms ? timer_ms : wanted_ms;
    n->fds[0] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    fill_fds(n, &slirp_ms);
    if (!n->host_write_waits && n->open_count > n->open_max / 2) {
        end_closed(n);
    }
    if (slirp_ms < wanted_ms) {
        timeout_ns = slirp_ms * NS_PER_MS;
    }
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                                     .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    int count = ppoll(n->fds, n->fd_count, &timeout, NULL);
    slirp_pollfds_poll(n->slirp, count < 0, ready_events, n);
    run_timers(n);
}

/* slirp's TCP begins with a window of one segment and waits for its ACK, which lwIP delays by up to
 * 250 ms: every body above one segment would stall at its start. An ACK costs no network here, so
 * those that no answer has carried by the end of the turn are sent. */
static void send_due_acks(struct slirp_netif *n)
{
    if (!n->acks_due) {
        return;
    }
    n->acks_due = false;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if ((pcb->flags & TF_ACK_DELAY) != 0) {
            tcp_ack_now(pcb);
            tcp_output(pcb);
        }
    }
}

/* libslirp does not poll the sockets that this takes away: the set of this turn stays right. */
static void end_closed(struct slirp_netif *n)
{
    uint8_t reset[CLOSING_RESET_LEN];
    uint64_t now_ns = n->closing.count > 0 ? clock_mono_ns() : 0;
    while (closing_next_reset(&n->closing, reset, now_ns) > 0) {
        slirp_input(n->slirp, reset, CLOSING_RESET_LEN);
    }
}

static void fill_fds(struct slirp_netif *n, uint32_t *timeout_ms)
{
    n->fd_count_before = n->fd_count;
    n->fd_count = 1;
    n->host_write_waits = false;
    SLIRP_FILL(n->slirp, timeout_ms, add_fd, n);
}

/* Clients wait in the kernel's backlog when slirp has too many sockets: an accept() that fails
 * (EMFILE) would leave the listener readable and the loop spinning. The metrics listener, published
 * last, has a reserve of its own. */
static bool accept_must_wait(const struct slirp_netif *n, int fd)
{
    for (size_t i = 0; i < SLIRP_FORWARDS; i++) {
        if (n->forwards[i].port != 0 && n->forwards[i].fd == fd) {
            size_t reserve = (SLIRP_FORWARDS - i) * SLIRP_ACCEPT_RESERVE;
            return n->fd_count_before + reserve > SLIRP_POLL_FDS ||
                   n->open_count + reserve > n->open_max;
        }
    }
    return false;
}

/* Called by slirp for each of its sockets. Back-pressure: while the pool of frames is short nothing
 * is read from the host, so TCP slows the peers down and no frame has to be dropped. */
static int add_fd(int fd, int events, void *opaque)
{
    struct slirp_netif *n = opaque;
    if (n->fd_count == SLIRP_POLL_FDS) {
        return -1;
    }
    n->host_write_waits = n->host_write_waits || (events & SLIRP_POLL_OUT) != 0;
    if (rx_frames_left(&n->rx_frames) < RX_FRAMES_PER_TRANSPORT || accept_must_wait(n, fd)) {
        events &= SLIRP_POLL_OUT;
    }
    int bits = (events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
               (events & SLIRP_POLL_PRI ? POLLPRI : 0) | (events & SLIRP_POLL_ERR ? POLLERR : 0) |
               (events & SLIRP_POLL_HUP ? POLLHUP : 0);
    /* Without any interest the kernel would still report a hang-up, again and again. */
    n->fds[n->fd_count] = (struct pollfd){.fd = bits != 0 ? fd : -1, .events = (short)bits};
    return (int)n->fd_count++;
}

/* Only what slirp asked for: it asserts room in its buffer when it is told of a hang-up, and does
 * not ask for one while the buffer is full. */
static int ready_events(int index, void *opaque)
{
    const struct slirp_netif *n = opaque;
    const struct pollfd *fd = &n->fds[index];
    int bits = fd->revents & fd->events;
    if (rx_frames_left(&n->rx_frames) < RX_FRAMES_PER_TRANSPORT) {
        bits &= POLLOUT;
    }
    return (bits & POLLIN ? SLIRP_POLL_IN : 0) | (bits & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (bits & POLLPRI ? SLIRP_POLL_PRI : 0) | (bits & POLLERR ? SLIRP_POLL_ERR : 0) |
           (bits & POLLHUP ? SLIRP_POLL_HUP : 0);
}

/* ---- Timers of slirp ------------------------------------------------------------------------ */

static int64_t read_clock(void *opaque)
{
    (void)opaque;
    return (int64_t)clock_mono_ns();
}

static void *new_timer(SlirpTimerCb fire, void *timer_opaque, void *opaque)
{
    struct slirp_netif *n = opaque;
    for (size_t i = 0; i < SLIRP_TIMERS; i++) {
        if (n->timers[i].fire == NULL) {
            n->timers[i] = (struct slirp_timer){fire, timer_opaque, INT64_MAX};
            return &n->timers[i];
        }
    }
    assert(false && "SLIRP_TIMERS is too small for this libslirp");
    return NULL;
}

static void free_timer(void *timer, void *opaque)
{
    (void)opaque;
    *(struct slirp_timer *)timer = (struct slirp_timer){0};
}

static void set_timer(void *timer, int64_t expire_ms, void *opaque)
{
    (void)opaque;
    ((struct slirp_timer *)timer)->expire_ms = expire_ms;
}

static void run_timers(struct slirp_netif *n)
{
    int64_t now_ms = (int64_t)(clock_mono_ns() / NS_PER_MS);
    for (size_t i = 0; i < SLIRP_TIMERS; i++) {
        struct slirp_timer *timer = &n->timers[i];
        if (timer->fire != NULL && timer->expire_ms <= now_ms) {
            timer->expire_ms = INT64_MAX;
            timer->fire(timer->opaque);
        }
    }
}

static uint32_t timers_wait_ms(const struct slirp_netif *n)
{
    int64_t now_ms = (int64_t)(clock_mono_ns() / NS_PER_MS);
    int64_t wait_ms = UINT32_MAX;
    for (size_t i = 0; i < SLIRP_TIMERS; i++) {
        const struct slirp_timer *timer = &n->timers[i];
        if (timer->fire != NULL && timer->expire_ms - now_ms < wait_ms) {
            wait_ms = timer->expire_ms - now_ms;
        }
    }
    return wait_ms > 0 ? (uint32_t)wait_ms : 0;
}

/* ---- Starting slirp ------------------------------------------------------------------------- */

static void guest_error(const char *text, void *opaque)
{
    (void)text; /* about frames of ours that it did not like; lwIP's counters tell the same */
    (void)opaque;
}

/* Descriptors beyond the bits, and -1 for a socket that never was, are not counted. */
static void note_open(int fd, void *opaque)
{
    struct slirp_netif *n = opaque;
    if (fd >= 0 && (size_t)fd < SLIRP_SOCKETS_MAX) {
        uint64_t bit = UINT64_C(1) << (fd % 64);
        n->open_count += (n->open_sockets[fd / 64] & bit) == 0;
        n->open_sockets[fd / 64] |= bit;
    }
}

static void note_closed(int fd, void *opaque)
{
    struct slirp_netif *n = opaque;
    if (fd >= 0 && (size_t)fd < SLIRP_SOCKETS_MAX) {
        uint64_t bit = UINT64_C(1) << (fd % 64);
        n->open_count -= (n->open_sockets[fd / 64] & bit) != 0;
        n->open_sockets[fd / 64] &= ~bit;
    }
}

static size_t sockets_allowed(void)
{
    long allowed = sysconf(_SC_OPEN_MAX);
    size_t count =
        allowed < 0 || allowed > (long)SLIRP_SOCKETS_MAX ? SLIRP_SOCKETS_MAX : (size_t)allowed;
    return count > OWN_FILES ? count - OWN_FILES : 0;
}

static void ignore_notify(void *opaque)
{
    (void)opaque; /* one thread: the loop looks at every socket in every turn */
}

static struct Slirp *start_slirp(struct slirp_netif *n, uint32_t network_ip4)
{
    static const SlirpCb callbacks = {
        .send_packet = take_frame,
        .guest_error = guest_error,
        .clock_get_ns = read_clock,
        .timer_new = new_timer,
        .timer_free = free_timer,
        .timer_mod = set_timer,
        .register_poll_fd = note_open,
        .unregister_poll_fd = note_closed,
        .notify = ignore_notify,
    };
    const SlirpConfig config = {
        .version = SLIRP_INTERFACE_VERSION,
        .in_enabled = true,
        .vnetwork.s_addr = htonl(network_ip4),
        .vnetmask.s_addr = htonl(SLIRP_NETMASK),
        .vhost.s_addr = htonl(network_ip4 | 2u),
        .vnameserver.s_addr = htonl(network_ip4 | 3u),
        .vdhcp_start.s_addr = htonl(network_ip4 | 15u),
        .if_mtu = SLIRP_MTU,
        .if_mru = SLIRP_MTU,
    };
    return slirp_new(&config, &callbacks, n);
}
