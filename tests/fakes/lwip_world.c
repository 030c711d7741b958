#include "fakes/lwip_world.h"

#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_LEN 8192u
#define CLOSING_MS 30000u /* FIN_WAIT_2 20 s, TIME_WAIT 2 x TCP_MSL */
#define HEADERS_LEN 60u   /* lwIP wants the IP and TCP headers in one piece */

struct world world;

static struct netif wire_netif;
static struct pbuf *wire[WIRE_LEN];
static size_t wire_first;
static size_t wire_count;

static err_t wire_init(struct netif *netif);
static err_t wire_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
static struct pbuf *wire_copy(struct pbuf *p);
static struct pbuf *chain_of(size_t len, size_t piece_len);

/* ---- What lwIP wants from a port ------------------------------------------------------------ */

u32_t sys_now(void)
{
    return world.now_ms;
}

uint32_t port_lwip_rand(void)
{
    static uint32_t state = 12345;
    state = state * 1664525u + 1013904223u;
    return state;
}

void port_lwip_panic(const char *text, const char *file, int line)
{
    fprintf(stderr, "%s:%d: lwIP: %s\n", file, line, text);
    abort();
}

/* The clock's hooks, for tests that have no clock. */
__attribute__((weak)) uint16_t port_sntp_port(void)
{
    return 0;
}

__attribute__((weak)) void port_sntp_ask(struct udp_pcb *pcb, int32_t *seconds, uint32_t *fraction)
{
    (void)pcb;
    (void)seconds;
    (void)fraction;
}

__attribute__((weak)) void port_sntp_answer(int32_t seconds, uint32_t fraction)
{
    (void)seconds;
    (void)fraction;
}

/* ---- World ---------------------------------------------------------------------------------- */

void world_init(void)
{
    ip4_addr_t address, mask, gateway;
    world = (struct world){.now_ms = 1000};
    lwip_init();
    ip4_addr_set_u32(&address, lwip_htonl(WORLD_IP4));
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&gateway);
    netif_add(&wire_netif, &address, &mask, &gateway, NULL, wire_init, ip_input);
    netif_set_default(&wire_netif);
    netif_set_up(&wire_netif);
    netif_set_link_up(&wire_netif);
}

bool world_pump(void)
{
    size_t count = wire_count;
    for (size_t i = 0; i < count; i++) {
        struct pbuf *p = wire[wire_first];
        wire_first = (wire_first + 1) % WIRE_LEN;
        wire_count--;
        if (wire_netif.input(p, &wire_netif) != ERR_OK) {
            pbuf_free(p);
        }
    }
    return count > 0;
}

void world_run(uint32_t ms)
{
    const uint32_t step_ms = 50;
    for (uint32_t gone = 0; gone < ms; gone += step_ms) {
        world.now_ms += step_ms;
        sys_check_timeouts();
        while (world_pump()) {
        }
    }
}

static bool in_use(const char *what, uint32_t used)
{
    if (used != 0) {
        fprintf(stderr, "world: %u %s in use\n", (unsigned)used, what);
    }
    return used != 0;
}

bool world_is_clean(void)
{
    world_run(CLOSING_MS);
    bool used = in_use("tcp pcbs", lwip_stats.memp[MEMP_TCP_PCB]->used);
    used |= in_use("segments", lwip_stats.memp[MEMP_TCP_SEG]->used);
    used |= in_use("pool pbufs", lwip_stats.memp[MEMP_PBUF_POOL]->used);
    used |= in_use("heap bytes", lwip_stats.mem.used);
    return !used;
}

/* ---- Wire ----------------------------------------------------------------------------------- */

static err_t wire_init(struct netif *netif)
{
    netif->name[0] = 'w';
    netif->name[1] = '0';
    netif->mtu = 9000;
    netif->output = wire_output;
    return ERR_OK;
}

static err_t wire_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)netif;
    world.packets++;
    if (world.cut || ip4_addr_get_u32(to) != lwip_htonl(WORLD_IP4) || wire_count == WIRE_LEN) {
        return ERR_OK;
    }
    struct pbuf *copy = wire_copy(p);
    if (copy == NULL) {
        return ERR_MEM;
    }
    wire[(wire_first + wire_count) % WIRE_LEN] = copy;
    wire_count++;
    return ERR_OK;
}

static struct pbuf *wire_copy(struct pbuf *p)
{
    struct pbuf *copy;
    if (world.chop == 0 || p->tot_len <= HEADERS_LEN) {
        copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL);
    } else {
        copy = pbuf_alloc(PBUF_RAW, HEADERS_LEN, PBUF_POOL);
        pbuf_cat(copy, chain_of(p->tot_len - HEADERS_LEN, world.chop));
    }
    if (copy != NULL && pbuf_copy(copy, p) != ERR_OK) {
        abort();
    }
    return copy;
}

static struct pbuf *chain_of(size_t len, size_t piece_len)
{
    struct pbuf *chain = NULL;
    while (len > 0) {
        size_t piece = len < piece_len ? len : piece_len;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)piece, PBUF_POOL);
        if (p == NULL) {
            abort();
        }
        if (chain == NULL) {
            chain = p;
        } else {
            pbuf_cat(chain, p);
        }
        len -= piece;
    }
    return chain;
}
