/* A network without lwIP: the real pool and ready list (net/transport.c) over scripted peers.
 *
 * fake_net.c takes the place of net/net.c, the resolver and the TCP transport. The far end of each
 * transport is a struct fake_peer: the test sends through it, sees what the owner wrote, and says
 * how the wire behaves. Events only queue; the owner's step runs in net_poll or fake_net_run. */
#ifndef FAKES_FAKE_NET_H
#define FAKES_FAKE_NET_H

#include "net/net.h"

#define FAKE_PEERS 64
#define FAKE_OUT_LEN (1024u * 1024u)

struct fake_peer {
    struct transport *t; /* NULL once the owner closed or aborted it */
    uint32_t ip4;        /* net_connect: where to */
    uint16_t port;
    /* The wire; set them at any time. */
    size_t piece; /* peek shows at most so many bytes; 0: all */
    size_t room;  /* so many bytes more are taken by writes; SIZE_MAX: no limit */
    size_t
        room_again; /* room after each turn of fake_net_run; 0: only fake_peer_grant gives more */
    size_t fail_at_in;  /* the wire breaks once so many bytes were consumed ... */
    size_t fail_at_out; /* ... or written; SIZE_MAX: never */
    /* What came of it. */
    bool closed;  /* transport_close */
    bool aborted; /* transport_abort */
    bool refused; /* aborted inside accept */
    size_t unread_at_close;
    size_t out_len;
    size_t out_flushed; /* of out_len */
    size_t in_used;
    size_t in_len;
    char *in;               /* what was sent to the owner */
    char *shown;            /* the copy that peek handed out: freed by the next consume */
    char out[FAKE_OUT_LEN]; /* what the owner wrote */
};

enum fake_resolve { FAKE_RESOLVE_NOW, FAKE_RESOLVE_LATER, FAKE_RESOLVE_NEVER };

/* Reset by net_init. */
struct fake_net {
    int listen_err;            /* net_listen gives it */
    int connect_err;           /* net_connect gives it */
    enum fake_resolve resolve; /* NEVER: net_resolve returns resolve_err */
    int resolve_err;
    uint32_t resolve_ip4;
    net_resolved_fn waiting; /* LATER: who waits; fake_net_resolved tells them */
    void *waiting_ctx;
    size_t resolves;
    size_t peers_len; /* peers[0 .. peers_len) in the order of accept and connect */
    struct fake_peer peers[FAKE_PEERS];
    struct net_listener *listeners[4];
};

extern struct fake_net fake_net;

/* A client connects to `port`. NULL: nobody listens there, or no slot. */
struct fake_peer *fake_net_accept(struct net *net, uint16_t port);
/* The peer of the latest net_connect; state CONNECTING until one of the next two. */
struct fake_peer *fake_net_latest(void);
void fake_peer_connected(struct fake_peer *peer);
void fake_peer_fail(struct fake_peer *peer, int err); /* refused or reset */
void fake_peer_send(struct fake_peer *peer, const char *bytes, size_t len);
void fake_peer_text(struct fake_peer *peer, const char *text);
void fake_peer_eof(struct fake_peer *peer);
void fake_peer_grant(struct fake_peer *peer, size_t room); /* adds room for writes */
void fake_peer_forget_out(struct fake_peer *peer);         /* out_len = 0 */
/* Nothing waits in a buffer for a flush that was forgotten. */
bool fake_peer_flushed(const struct fake_peer *peer);

/* The answer of a name that was asked with FAKE_RESOLVE_LATER. */
void fake_net_resolved(int err, uint32_t ip4);
/* Turns of net_poll until nothing is ready, at most 10000; gives room_again after each. */
void fake_net_run(struct net *net);
/* Frees what the peers hold; at the end of a test. */
void fake_net_end(void);

#endif
