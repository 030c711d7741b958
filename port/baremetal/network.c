#include "network.h"

#include "board/board.h"
#include "panic.h"
#include "platform.h"

#include "app_config.h"
#include "base/crc.h"
#include "net/net.h"

#include "lwip/dhcp.h"
#include "lwip/init.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

/* Frames handed to lwIP before its timers and the core get their turn. */
#define FRAMES_PER_TURN 8u

#define STILL_WAITING_MS 10000u

#define PREFIX "[SERVICE: Network]"

static void add_netif(struct network *network);
static void make_address(uint8_t mac[6], struct slice image_seed);
static void wait_for_address(struct network *network);
static void log_address(struct netif *netif);

void network_start(struct network *network, struct log *log, struct slice image_seed)
{
    network->log = log;
    lwip_init();
    make_address(network->netif.hwaddr, image_seed);
    add_netif(network);
    wait_for_address(network);
}

/* lwIP's callback: the first address, and each change of it. Connections of the old one are reset
 * by lwIP. */
static void log_address(struct netif *netif)
{
    struct network *network = netif->state;
    struct log *log = network->log;
    if (ip4_addr_isany(netif_ip4_addr(netif))) {
        if (network->had_address) {
            log_line(log, LOG_WARN, PREFIX, "the address is lost; DHCP is asked for another one");
        }
        return;
    }
    network->had_address = true;
    struct out *out = log_begin(log, LOG_INFO, PREFIX);
    out_text(out, "address ");
    net_ip4_text(out, network_ip4(network));
    out_text(out, " from DHCP, host name ");
    out_text(out, platform_host_name());
    log_end(log);
}

/* Locally administered (IEEE 802, second bit of the first byte); the same at each boot. */
static void make_address(uint8_t mac[6], struct slice image_seed)
{
    uint32_t unique = crc32_update(0, image_seed.ptr, image_seed.len);
    mac[0] = 0x02;
    mac[1] = 'L';
    for (unsigned i = 0; i < 4; i++) {
        mac[2 + i] = (uint8_t)(unique >> (8u * i));
    }
}

static void add_netif(struct network *network)
{
    struct netif *netif = &network->netif;
    if (netif_add_noaddr(netif, network, board_netif_init, ethernet_input) == NULL) {
        panic("the network controller does not answer");
    }
    platform_init(netif->hwaddr);
    netif_set_hostname(netif, platform_host_name());
    netif_set_status_callback(netif, log_address);
    netif_set_default(netif);
    netif_set_up(netif);
    if (dhcp_start(netif) != ERR_OK) {
        panic("no memory for DHCP");
    }
}

static void wait_for_address(struct network *network)
{
    uint64_t complain_ns = board_now_ns() + LIMPET_MS_TO_NS(STILL_WAITING_MS);
    uint64_t look_ns = 0;
    while (!dhcp_supplied_address(&network->netif)) {
        uint64_t now_ns = board_now_ns();
        if (now_ns >= complain_ns) {
            log_line(network->log, LOG_WARN, PREFIX, "still no address from DHCP");
            complain_ns = now_ns + LIMPET_MS_TO_NS(STILL_WAITING_MS);
        }
        if (now_ns >= look_ns) {
            network_check_link(network);
            look_ns = now_ns + LIMPET_S_TO_NS(1);
        }
        if (board_netif_alive()) {
            board_watchdog_feed();
        }
        board_idle(network_next_ns(now_ns));
        (void)network_poll(network);
    }
}

struct pbuf *network_frame_alloc(uint16_t len)
{
    uint32_t pieces = (len + LIMPET_PBUF_LEN - 1u) / LIMPET_PBUF_LEN;
    uint32_t used = lwip_stats.memp[MEMP_PBUF_POOL]->used;
    if (pieces > 1 && used + pieces > LIMPET_PBUFS * 3u / 4u) {
        return NULL;
    }
    return pbuf_alloc(PBUF_RAW, len, PBUF_POOL);
}

bool network_poll(struct network *network)
{
    unsigned frames = board_netif_poll(&network->netif, FRAMES_PER_TURN);
    sys_check_timeouts();
    return frames == FRAMES_PER_TURN;
}

void network_check_link(struct network *network)
{
    bool link = board_netif_has_link();
    if (link == (netif_is_link_up(&network->netif) != 0)) {
        return;
    }
    log_line(network->log, link ? LOG_INFO : LOG_WARN, PREFIX,
             link ? "the link is back; DHCP is asked whether the address holds"
                  : "the link is down");
    if (link) {
        netif_set_link_up(&network->netif);
    } else {
        netif_set_link_down(&network->netif);
    }
}

uint64_t network_next_ns(uint64_t now_ns)
{
    return now_ns + LIMPET_MS_TO_NS(sys_timeouts_sleeptime());
}

uint32_t network_ip4(const struct network *network)
{
    return lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(&network->netif)));
}

uint32_t network_gateway_ip4(const struct network *network)
{
    return lwip_ntohl(ip4_addr_get_u32(netif_ip4_gw(&network->netif)));
}
