/* Ends connections in libslirp as soon as both sides have closed them.
 *
 * When the peer closes first, libslirp goes into TIME_WAIT towards lwIP and keeps its socket for 10
 * s: a file descriptor and a place in a list that it searches for every frame. `curl` in a loop of
 * 200 a second would use up 2000 of them. Nothing can be late on this link, so a RST takes the
 * connection away once lwIP knows that its FIN, the last byte it had, was acknowledged.
 *
 * Connections that do not fit here, or whose last bytes the host's socket does not take at once,
 * keep the 10 s. */
#ifndef LIMPET_POSIX_CLOSING_H
#define LIMPET_POSIX_CLOSING_H

#include <stddef.h>
#include <stdint.h>

/* Connections closed within CLOSING_WAIT_NS; 24 B each. */
#define CLOSING_MAX 1024u

/* After so long an entry is forgotten: its address pair may belong to another connection. */
#define CLOSING_WAIT_NS UINT64_C(1000000000)

/* Ethernet, IP, TCP. */
#define CLOSING_RESET_LEN 54u

struct closing_entry {
    uint64_t since_ns;
    uint32_t peer_ip4; /* network byte order, as the ports */
    uint32_t sequence; /* host byte order: behind our FIN */
    uint16_t peer_port;
    uint16_t own_port;
};

/* For static placement, zero-initialised; do not touch the fields. */
struct closing {
    struct closing_entry entries[CLOSING_MAX]; /* ring, oldest first */
    size_t first;
    size_t count;
};

/* Looks at a frame (Ethernet, without padding) that lwIP sends: a FIN of ours that follows the
 * peer's is remembered. Full: not remembered. */
void closing_watch(struct closing *closing, const uint8_t *frame, size_t len, uint64_t now_ns);
/* Writes the RST of the next connection that lwIP has done with; 0: there is none now. Only while
 * no host socket holds bytes back: libslirp forgets them with the connection. */
size_t closing_next_reset(struct closing *closing, uint8_t reset[static CLOSING_RESET_LEN],
                          uint64_t now_ns);

#endif
