#include "time_wait.h"

#include "check.h"

#include "lwip/init.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#define CLIENT_IP4 0x0A000202u
#define SERVER_IP4 0x0A00020Fu
#define CLIENT_PORT 40000u
#define SERVER_PORT 8080u
#define OLD_SEQUENCE 1000u

#define FRAME_LEN (SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN)

/* What a row changes of the SYN that takes the old connection's place. */
struct syn_row {
    uint32_t source_ip4;
    uint32_t dest_ip4;
    uint16_t source_port;
    uint16_t dest_port;
    uint32_t sequence;
    uint8_t flags;
    uint8_t protocol;
    uint16_t ether_type;
    uint16_t frame_len;
    bool takes;
};

static void add_old_connection(void)
{
    struct tcp_pcb *old = tcp_alloc(TCP_PRIO_NORMAL);
    CHECK(old != NULL);
    ip4_addr_set_u32(ip_2_ip4(&old->remote_ip), lwip_htonl(CLIENT_IP4));
    ip4_addr_set_u32(ip_2_ip4(&old->local_ip), lwip_htonl(SERVER_IP4));
    old->remote_port = CLIENT_PORT;
    old->local_port = SERVER_PORT;
    old->rcv_nxt = OLD_SEQUENCE;
    old->state = TIME_WAIT;
    TCP_REG(&tcp_tw_pcbs, old);
}

static struct pbuf *make_frame(const struct syn_row *row)
{
    struct pbuf *frame = pbuf_alloc(PBUF_RAW, FRAME_LEN, PBUF_POOL);
    memset(frame->payload, 0, frame->len);
    struct eth_hdr *eth = frame->payload;
    struct ip_hdr *ip = (void *)(eth + 1);
    struct tcp_hdr *tcp = (void *)(ip + 1);
    eth->type = lwip_htons(row->ether_type);
    IPH_VHL_SET(ip, 4, IP_HLEN / 4);
    IPH_PROTO_SET(ip, row->protocol);
    ip->src.addr = lwip_htonl(row->source_ip4);
    ip->dest.addr = lwip_htonl(row->dest_ip4);
    tcp->src = lwip_htons(row->source_port);
    tcp->dest = lwip_htons(row->dest_port);
    tcp->seqno = lwip_htonl(row->sequence);
    TCPH_HDRLEN_FLAGS_SET(tcp, TCP_HLEN / 4, row->flags);
    pbuf_realloc(frame, row->frame_len);
    return frame;
}

static void test_row(const struct syn_row *row, int line)
{
    struct pbuf *frame = make_frame(row);
    add_old_connection();
    time_wait_yield(frame);
    CHECK_EQ_INT((tcp_tw_pcbs == NULL ? 0 : 1000) + line, (row->takes ? 0 : 1000) + line);
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
    time_wait_yield(frame); /* nothing in TIME_WAIT */
    pbuf_free(frame);
}

int main(void)
{
    const struct syn_row good = {CLIENT_IP4,       SERVER_IP4, CLIENT_PORT,  SERVER_PORT,
                                 OLD_SEQUENCE + 1, TCP_SYN,    IP_PROTO_TCP, ETHTYPE_IP,
                                 FRAME_LEN,        true};
    struct syn_row rows[12];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rows[i] = good;
        rows[i].takes = i < 2;
    }
    rows[1].sequence = OLD_SEQUENCE + 0x7FFFFFFFu;
    rows[2].sequence = OLD_SEQUENCE; /* not beyond: may be of the old connection */
    rows[3].sequence = OLD_SEQUENCE - 1;
    rows[4].source_ip4++;
    rows[5].dest_ip4++;
    rows[6].source_port++;
    rows[7].dest_port++;
    rows[8].flags = TCP_SYN | TCP_ACK;
    rows[9].protocol = IP_PROTO_UDP;
    rows[10].ether_type = ETHTYPE_ARP;
    rows[11].frame_len = FRAME_LEN - 1;
    lwip_init();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_row(&rows[i], (int)i);
    }
    return check_result();
}
