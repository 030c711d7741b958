#include "time_wait.h"

#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#include <stdbool.h>
#include <stddef.h>

struct syn {
    uint32_t source_ip4; /* network byte order */
    uint32_t dest_ip4;   /* network byte order */
    uint16_t source_port;
    uint16_t dest_port;
    uint32_t sequence;
};

static bool read_syn(struct syn *syn, const struct pbuf *frame);
static bool follows(const struct syn *syn, const struct tcp_pcb *old);

void time_wait_yield(const struct pbuf *frame)
{
    struct syn syn;
    if (tcp_tw_pcbs == NULL || !read_syn(&syn, frame)) {
        return;
    }
    for (struct tcp_pcb *old = tcp_tw_pcbs; old != NULL; old = old->next) {
        if (follows(&syn, old)) {
            tcp_abort(old); /* silent in TIME_WAIT */
            return;
        }
    }
}

static bool read_syn(struct syn *syn, const struct pbuf *frame)
{
    const size_t len = SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN;
    if (frame->len < len) {
        return false;
    }
    const struct eth_hdr *eth = frame->payload;
    const struct ip_hdr *ip = (const void *)(eth + 1);
    const struct tcp_hdr *tcp = (const void *)(ip + 1);
    if (eth->type != PP_HTONS(ETHTYPE_IP) || IPH_HL_BYTES(ip) != IP_HLEN ||
        IPH_PROTO(ip) != IP_PROTO_TCP ||
        (TCPH_FLAGS(tcp) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN) {
        return false;
    }
    *syn = (struct syn){
        .source_ip4 = ip->src.addr,
        .dest_ip4 = ip->dest.addr,
        .source_port = lwip_ntohs(tcp->src),
        .dest_port = lwip_ntohs(tcp->dest),
        .sequence = lwip_ntohl(tcp->seqno),
    };
    return true;
}

static bool follows(const struct syn *syn, const struct tcp_pcb *old)
{
    return old->remote_port == syn->source_port && old->local_port == syn->dest_port &&
           ip4_addr_get_u32(ip_2_ip4(&old->remote_ip)) == syn->source_ip4 &&
           ip4_addr_get_u32(ip_2_ip4(&old->local_ip)) == syn->dest_ip4 &&
           TCP_SEQ_GT(syn->sequence, old->rcv_nxt);
}
