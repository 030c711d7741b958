#include "closing.h"

#include "check.h"

#include "lwip/inet_chksum.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#define PEER_IP4 0x0A000202u
#define OWN_IP4 0x0A00020Fu
#define OWN_PORT 8080u
#define SEQUENCE 0xFFFFFFF0u /* wraps behind the data */
#define DATA_LEN 100u
#define ETH_LEN (SIZEOF_ETH_HDR - ETH_PAD_SIZE)
#define FRAME_LEN (ETH_LEN + IP_HLEN + TCP_HLEN + DATA_LEN)

static struct closing closing;
static struct netif netif;
static uint8_t frame[FRAME_LEN];

static struct tcp_pcb *add_pcb(uint16_t peer_port, enum tcp_state state)
{
    struct tcp_pcb *pcb = tcp_alloc(TCP_PRIO_NORMAL);
    CHECK(pcb != NULL);
    ip4_addr_set_u32(ip_2_ip4(&pcb->remote_ip), lwip_htonl(PEER_IP4));
    pcb->remote_port = peer_port;
    pcb->local_port = OWN_PORT;
    pcb->state = state;
    TCP_REG_ACTIVE(pcb);
    return pcb;
}

static void remove_pcb(struct tcp_pcb *pcb)
{
    TCP_RMV_ACTIVE(pcb);
    tcp_free(pcb);
}

static void make_frame(uint16_t peer_port, uint8_t flags)
{
    struct ip_hdr ip = {0};
    struct tcp_hdr tcp = {0};
    IPH_VHL_SET(&ip, 4, IP_HLEN / 4);
    IPH_LEN_SET(&ip, lwip_htons(FRAME_LEN - ETH_LEN));
    IPH_PROTO_SET(&ip, IP_PROTO_TCP);
    ip.src.addr = lwip_htonl(OWN_IP4);
    ip.dest.addr = lwip_htonl(PEER_IP4);
    tcp.src = PP_HTONS(OWN_PORT);
    tcp.dest = lwip_htons(peer_port);
    tcp.seqno = lwip_htonl(SEQUENCE);
    TCPH_HDRLEN_FLAGS_SET(&tcp, TCP_HLEN / 4, flags);
    memset(frame, 0, sizeof(frame));
    frame[ETH_LEN - 2] = ETHTYPE_IP >> 8;
    memcpy(frame + ETH_LEN, &ip, sizeof(ip));
    memcpy(frame + ETH_LEN + IP_HLEN, &tcp, sizeof(tcp));
}

/* The RST that libslirp must believe: addresses, ports, sequence number, checksums. */
static void check_reset(const uint8_t *reset, uint16_t peer_port)
{
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    uint8_t covered[12 + TCP_HLEN] = {0};
    memcpy(&ip, reset + ETH_LEN, sizeof(ip));
    memcpy(&tcp, reset + ETH_LEN + IP_HLEN, sizeof(tcp));
    CHECK(reset[ETH_LEN - 2] == 0x08 && reset[ETH_LEN - 1] == 0x00);
    CHECK_EQ_UINT(inet_chksum(&ip, IP_HLEN), 0);
    CHECK_EQ_UINT(ip.src.addr, lwip_htonl(OWN_IP4));
    CHECK_EQ_UINT(ip.dest.addr, lwip_htonl(PEER_IP4));
    CHECK_EQ_UINT(lwip_ntohs(IPH_LEN(&ip)), IP_HLEN + TCP_HLEN);
    CHECK_EQ_UINT(lwip_ntohs(tcp.src), OWN_PORT);
    CHECK_EQ_UINT(lwip_ntohs(tcp.dest), peer_port);
    CHECK_EQ_UINT(lwip_ntohl(tcp.seqno), SEQUENCE + DATA_LEN + 1u);
    CHECK_EQ_UINT(TCPH_FLAGS(&tcp), TCP_RST);
    memcpy(covered, &ip.src.addr, 4);
    memcpy(covered + 4, &ip.dest.addr, 4);
    covered[9] = IP_PROTO_TCP;
    covered[11] = TCP_HLEN;
    memcpy(covered + 12, &tcp, sizeof(tcp));
    CHECK_EQ_UINT(inet_chksum(covered, sizeof(covered)), 0);
}

static void test_reset_when_lwip_is_done(void)
{
    uint8_t reset[CLOSING_RESET_LEN];
    struct tcp_pcb *pcb = add_pcb(40000, LAST_ACK);
    make_frame(40000, TCP_FIN | TCP_ACK);
    closing_watch(&closing, frame, sizeof(frame), 1);
    CHECK_EQ_UINT(closing_next_reset(&closing, reset, 2), 0); /* not acknowledged yet */
    remove_pcb(pcb);
    CHECK_EQ_UINT(closing_next_reset(&closing, reset, 3), CLOSING_RESET_LEN);
    check_reset(reset, 40000);
    CHECK_EQ_UINT(closing_next_reset(&closing, reset, 4), 0); /* once */
}

static void test_other_frames_are_not_watched(void)
{
    struct tcp_pcb *pcb = add_pcb(40000, LAST_ACK);
    make_frame(40000, TCP_ACK | TCP_PSH);
    closing_watch(&closing, frame, sizeof(frame), 1); /* no FIN */
    make_frame(40001, TCP_FIN | TCP_ACK);
    closing_watch(&closing, frame, sizeof(frame), 1); /* another port */
    make_frame(40000, TCP_FIN | TCP_ACK);
    for (size_t len = 0; len < ETH_LEN + IP_HLEN + TCP_HLEN; len++) {
        closing_watch(&closing, frame, len, 1); /* cut */
    }
    pcb->state = FIN_WAIT_1; /* we close first */
    closing_watch(&closing, frame, sizeof(frame), 1);
    pcb->state = LAST_ACK;
    frame[ETH_LEN - 1] = 0x06; /* ARP */
    closing_watch(&closing, frame, sizeof(frame), 1);
    CHECK_EQ_UINT(closing.count, 0);
    remove_pcb(pcb);
}

/* An entry whose time is over may speak of a connection that has the same ports again. */
static void test_old_entries_are_forgotten(void)
{
    uint8_t reset[CLOSING_RESET_LEN];
    struct tcp_pcb *old = add_pcb(40000, LAST_ACK);
    struct tcp_pcb *young = add_pcb(40001, LAST_ACK);
    make_frame(40000, TCP_FIN | TCP_ACK);
    closing_watch(&closing, frame, sizeof(frame), 0);
    make_frame(40001, TCP_FIN | TCP_ACK);
    closing_watch(&closing, frame, sizeof(frame), CLOSING_WAIT_NS);
    remove_pcb(young);
    CHECK_EQ_UINT(closing_next_reset(&closing, reset, CLOSING_WAIT_NS), 0);
    CHECK_EQ_UINT(closing_next_reset(&closing, reset, CLOSING_WAIT_NS + 1), CLOSING_RESET_LEN);
    check_reset(reset, 40001);
    CHECK_EQ_UINT(closing.count, 0);
    remove_pcb(old);
}

static void test_full(void)
{
    uint8_t reset[CLOSING_RESET_LEN];
    struct tcp_pcb *pcb = add_pcb(40000, LAST_ACK);
    make_frame(40000, TCP_FIN | TCP_ACK);
    for (size_t i = 0; i < CLOSING_MAX + 10; i++) {
        closing_watch(&closing, frame, sizeof(frame), i);
    }
    remove_pcb(pcb);
    size_t count = 0;
    while (closing_next_reset(&closing, reset, CLOSING_MAX) > 0) {
        count++;
    }
    CHECK_EQ_UINT(count, CLOSING_MAX);
}

static err_t init_netif(struct netif *n)
{
    n->hwaddr_len = ETH_HWADDR_LEN;
    return ERR_OK;
}

int main(void)
{
    ip4_addr_t own;
    ip4_addr_t mask;
    lwip_init();
    ip4_addr_set_u32(&own, lwip_htonl(OWN_IP4));
    ip4_addr_set_u32(&mask, lwip_htonl(0xFFFFFF00u));
    CHECK(netif_add(&netif, &own, &mask, &own, NULL, init_netif, netif_input) != NULL);
    netif_set_default(&netif);
    test_reset_when_lwip_is_done();
    test_other_frames_are_not_watched();
    test_old_entries_are_forgotten();
    test_full();
    return check_result();
}
