/* The far end of a connection, in the same lwIP: a raw-API peer that records what it gets. */
#ifndef UNIT_LWIP_PEER_H
#define UNIT_LWIP_PEER_H

#include "check.h"
#include "fakes/lwip_world.h"

#include "lwip/tcp.h"

#define PORT 8080

struct peer {
    struct tcp_pcb *pcb;
    bool connected;
    bool reading; /* takes what comes; else its window closes */
    bool eof;
    err_t err;
    size_t unread;
    size_t got;
    char bytes[4096]; /* the first of them */
};

static inline err_t peer_on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct peer *peer = arg;
    (void)err;
    if (p == NULL) {
        peer->eof = true;
        return ERR_OK;
    }
    if (peer->got < sizeof(peer->bytes)) {
        pbuf_copy_partial(p, peer->bytes + peer->got, (u16_t)(sizeof(peer->bytes) - peer->got), 0);
    }
    peer->got += p->tot_len;
    if (peer->reading) {
        tcp_recved(pcb, p->tot_len);
    } else {
        peer->unread += p->tot_len;
    }
    pbuf_free(p);
    return ERR_OK;
}

static inline void peer_on_err(void *arg, err_t err)
{
    struct peer *peer = arg;
    peer->pcb = NULL;
    peer->err = err;
}

static inline err_t peer_on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct peer *peer = arg;
    (void)pcb;
    peer->connected = err == ERR_OK;
    return ERR_OK;
}

static inline void peer_attach(struct peer *peer, struct tcp_pcb *pcb)
{
    *peer = (struct peer){.pcb = pcb, .reading = true};
    tcp_arg(pcb, peer);
    tcp_recv(pcb, peer_on_recv);
    tcp_err(pcb, peer_on_err);
    tcp_nagle_disable(pcb);
}

static inline void peer_connect(struct peer *peer)
{
    ip_addr_t to = IPADDR4_INIT(lwip_htonl(WORLD_IP4));
    peer_attach(peer, tcp_new());
    CHECK_EQ_INT(tcp_connect(peer->pcb, &to, PORT, peer_on_connected), ERR_OK);
}

static inline err_t peer_on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    CHECK_EQ_INT(err, ERR_OK);
    peer_attach(arg, pcb);
    ((struct peer *)arg)->connected = true;
    return ERR_OK;
}

static inline struct tcp_pcb *peer_listen(struct peer *peer)
{
    struct tcp_pcb *pcb = tcp_new();
    ip_set_option(pcb, SOF_REUSEADDR);
    CHECK_EQ_INT(tcp_bind(pcb, IP_ADDR_ANY, PORT), ERR_OK);
    pcb = tcp_listen(pcb);
    tcp_arg(pcb, peer);
    tcp_accept(pcb, peer_on_accept);
    return pcb;
}

static inline void peer_send(struct peer *peer, const char *bytes, size_t len)
{
    CHECK_EQ_INT(tcp_write(peer->pcb, bytes, (u16_t)len, TCP_WRITE_FLAG_COPY), ERR_OK);
    tcp_output(peer->pcb);
}

static inline void peer_read_rest(struct peer *peer)
{
    peer->reading = true;
    while (peer->unread > 0) {
        u16_t len = (u16_t)(peer->unread < 0xFFFF ? peer->unread : 0xFFFF);
        tcp_recved(peer->pcb, len);
        peer->unread -= len;
    }
}

static inline void peer_close(struct peer *peer)
{
    if (peer->pcb != NULL) {
        tcp_arg(peer->pcb, NULL);
        tcp_err(peer->pcb, NULL);
        tcp_recv(peer->pcb, NULL);
        CHECK_EQ_INT(tcp_close(peer->pcb), ERR_OK);
        peer->pcb = NULL;
    }
}

#endif
