#include "closing.h"

#include "lwip/inet_chksum.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#include <stdbool.h>
#include <string.h>

_Static_assert(CLOSING_RESET_LEN == SIZEOF_ETH_HDR - ETH_PAD_SIZE + IP_HLEN + TCP_HLEN,
               "headers without options");

/* The headers behind the Ethernet type, copied out: frames without padding are not aligned. */
struct headers {
    struct ip_hdr ip;
    struct tcp_hdr tcp;
};

_Static_assert(sizeof(struct headers) == IP_HLEN + TCP_HLEN, "as on the wire");

static const size_t eth_len = SIZEOF_ETH_HDR - ETH_PAD_SIZE;

static bool read_fin(struct headers *headers, const uint8_t *frame, size_t len);
static const struct tcp_pcb *find_pcb(const struct closing_entry *entry);
static void write_reset(uint8_t *reset, const struct closing_entry *entry);

void closing_watch(struct closing *closing, const uint8_t *frame, size_t len, uint64_t now_ns)
{
    struct headers headers;
    if (closing->count == CLOSING_MAX || !read_fin(&headers, frame, len)) {
        return;
    }
    size_t data_len =
        (size_t)lwip_ntohs(IPH_LEN(&headers.ip)) - IP_HLEN - TCPH_HDRLEN_BYTES(&headers.tcp);
    const struct closing_entry entry = {
        .since_ns = now_ns,
        .peer_ip4 = headers.ip.dest.addr,
        .sequence = lwip_ntohl(headers.tcp.seqno) + (uint32_t)data_len + 1u,
        .peer_port = headers.tcp.dest,
        .own_port = headers.tcp.src,
    };
    const struct tcp_pcb *pcb = find_pcb(&entry);
    if (pcb == NULL || pcb->state != LAST_ACK) {
        return; /* we close first: libslirp does not wait, lwIP does */
    }
    closing->entries[(closing->first + closing->count) % CLOSING_MAX] = entry;
    closing->count++;
}

size_t closing_next_reset(struct closing *closing, uint8_t reset[static CLOSING_RESET_LEN],
                          uint64_t now_ns)
{
    while (closing->count > 0) {
        const struct closing_entry *entry = &closing->entries[closing->first];
        bool old = now_ns - entry->since_ns > CLOSING_WAIT_NS;
        if (!old && find_pcb(entry) != NULL) {
            return 0; /* its FIN is under way; those behind it are younger */
        }
        closing->first = (closing->first + 1) % CLOSING_MAX;
        closing->count--;
        if (!old) {
            write_reset(reset, entry);
            return CLOSING_RESET_LEN;
        }
    }
    return 0;
}

static bool read_fin(struct headers *headers, const uint8_t *frame, size_t len)
{
    const size_t fixed_len = eth_len + sizeof(*headers);
    if (len < fixed_len || frame[eth_len - 2] != (ETHTYPE_IP >> 8) ||
        frame[eth_len - 1] != (ETHTYPE_IP & 0xFF)) {
        return false;
    }
    memcpy(headers, frame + eth_len, sizeof(*headers));
    return IPH_HL_BYTES(&headers->ip) == IP_HLEN && IPH_PROTO(&headers->ip) == IP_PROTO_TCP &&
           (TCPH_FLAGS(&headers->tcp) & TCP_FIN) != 0;
}

static const struct tcp_pcb *find_pcb(const struct closing_entry *entry)
{
    const uint16_t peer_port = lwip_ntohs(entry->peer_port);
    const uint16_t own_port = lwip_ntohs(entry->own_port);
    const struct tcp_pcb *pcb = tcp_active_pcbs;
    while (pcb != NULL && !(pcb->remote_port == peer_port && pcb->local_port == own_port &&
                            ip4_addr_get_u32(ip_2_ip4(&pcb->remote_ip)) == entry->peer_ip4)) {
        pcb = pcb->next;
    }
    return pcb;
}

/* The checksum over the pseudo header is the one over 12 bytes that stand before the TCP header. */
static uint16_t tcp_checksum(const struct headers *headers)
{
    struct {
        uint32_t source;
        uint32_t dest;
        uint8_t zero;
        uint8_t protocol;
        uint16_t len;
        struct tcp_hdr tcp;
    } covered = {
        .source = headers->ip.src.addr,
        .dest = headers->ip.dest.addr,
        .protocol = IP_PROTO_TCP,
        .len = PP_HTONS(TCP_HLEN),
        .tcp = headers->tcp,
    };
    return inet_chksum(&covered, sizeof(covered));
}

static void write_reset(uint8_t *reset, const struct closing_entry *entry)
{
    struct headers headers = {0};
    IPH_VHL_SET(&headers.ip, 4, IP_HLEN / 4);
    IPH_LEN_SET(&headers.ip, PP_HTONS(sizeof(headers)));
    IPH_TTL_SET(&headers.ip, 255);
    IPH_PROTO_SET(&headers.ip, IP_PROTO_TCP);
    headers.ip.src.addr = ip4_addr_get_u32(netif_ip4_addr(netif_default));
    headers.ip.dest.addr = entry->peer_ip4;
    IPH_CHKSUM_SET(&headers.ip, inet_chksum(&headers.ip, IP_HLEN));
    headers.tcp.src = entry->own_port;
    headers.tcp.dest = entry->peer_port;
    headers.tcp.seqno = lwip_htonl(entry->sequence);
    TCPH_HDRLEN_FLAGS_SET(&headers.tcp, TCP_HLEN / 4, TCP_RST);
    headers.tcp.chksum = tcp_checksum(&headers);
    memset(reset, 0, eth_len);
    memcpy(reset, netif_default->hwaddr, ETH_HWADDR_LEN); /* slirp takes any */
    memcpy(reset + ETH_HWADDR_LEN, netif_default->hwaddr, ETH_HWADDR_LEN);
    reset[eth_len - 2] = ETHTYPE_IP >> 8;
    reset[eth_len - 1] = ETHTYPE_IP & 0xFF;
    memcpy(reset + eth_len, &headers, sizeof(headers));
}
