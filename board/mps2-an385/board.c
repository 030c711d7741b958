/* ARM MPS2 with the AN385 image: Cortex-M3 at 25 MHz, LAN9118, CMSDK UART and timers (ARM DAI
 * 0385D). */
#include "board/board.h"

#include "lan9118.h"

#include "lwip/etharp.h"
#include "lwip/netif.h"

#include <string.h>

#define CLOCK_HZ 25000000u
#define NS_PER_TICK 40u /* 1e9 / CLOCK_HZ */
/* The clock's counter wraps after 171 s and must be read before: no longer sleep. */
#define SLEEP_TICKS_MAX 0x80000000u

#define UART0_BASE 0x40004000u
#define TIMER0_BASE 0x40000000u
#define DUAL_TIMER_BASE 0x40002000u
#define LAN9118_BASE 0x40200000u
#define WATCHDOG_BASE 0x40008000u
#define NVIC_ISER 0xE000E100u
#define NVIC_ICPR 0xE000E280u
#define SCB_AIRCR 0xE000ED0Cu
#define AIRCR_SYSRESETREQ 0x05FA0004u

#define WATCHDOG_UNLOCK 0x1ACCE551u

#define TIMER0_IRQ 8u
#define LAN9118_IRQ 13u
#define WAKING_IRQS (1u << TIMER0_IRQ | 1u << LAN9118_IRQ)

#define PSRAM_BASE 0x21000000u
#define PSRAM_LEN 0x01000000u
#define SECTOR_LEN 4096u

#define CONFIG_BASE 0x00300000u /* the fourth megabyte of SSRAM1, as flash would be */
#define CONFIG_LEN 0x00100000u

struct uart {
    volatile uint32_t data, state, ctrl, intstatus, bauddiv;
};
struct timer_regs {
    volatile uint32_t ctrl, value, reload, intclear;
};
struct dual_timer {
    volatile uint32_t load, value, ctrl;
};
struct watchdog {
    volatile uint32_t load, value, ctrl, intclear, ris, mis, unused[762], lock;
};
_Static_assert(offsetof(struct watchdog, lock) == 0xC00, "as in the CMSDK's APB watchdog");

static struct {
    struct lan9118 nic;
    uint32_t clock_last;
    uint32_t clock_high; /* how often the 32-bit counter has wrapped */
} board;

static struct uart *const uart0 = (struct uart *)UART0_BASE;
static struct timer_regs *const timer0 = (struct timer_regs *)TIMER0_BASE;
static struct dual_timer *const dual_timer = (struct dual_timer *)DUAL_TIMER_BASE;

static struct watchdog *const watchdog = (struct watchdog *)WATCHDOG_BASE;

static void write_core(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* ---- Start and console ------------------------------------------------------------------------
 */

void board_init(void)
{
    uart0->bauddiv = CLOCK_HZ / 115200u;
    uart0->ctrl = 1u; /* transmitter on */
    dual_timer->load = UINT32_MAX;
    dual_timer->ctrl = 0x82u; /* on, free-running, 32 bit, no prescaler */
    write_core(NVIC_ISER, WAKING_IRQS);
}

const char *board_name(void)
{
    return "mps2-an385";
}

void board_console_write(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        while ((uart0->state & 1u) != 0) {
        }
        uart0->data = (unsigned char)bytes[i];
    }
}

/* ---- Clock and idle ---------------------------------------------------------------------------
 */

/* The counter counts down. */
uint64_t board_now_ns(void)
{
    uint32_t now = ~dual_timer->value;
    if (now < board.clock_last) {
        board.clock_high++;
    }
    board.clock_last = now;
    return ((uint64_t)board.clock_high << 32 | now) * NS_PER_TICK;
}

static void start_alarm(uint64_t ticks)
{
    timer0->value = ticks < SLEEP_TICKS_MAX ? (uint32_t)ticks : SLEEP_TICKS_MAX;
    timer0->ctrl = 0x9u; /* on, interrupt; the reload value is 0: once */
}

static void stop_alarm(void)
{
    timer0->ctrl = 0;
    timer0->intclear = 1u;
}

/* Masked interrupts end WFI as soon as one is pending, also when that happened before it. So: the
 * sources are made quiet, then what is pending is forgotten, then the NIC is looked at: a frame
 * that comes later is pending again. */
void board_idle(uint64_t deadline_ns)
{
    stop_alarm();
    lan9118_acknowledge(&board.nic);
    write_core(NVIC_ICPR, WAKING_IRQS);
    uint64_t now_ns = board_now_ns();
    if (lan9118_has_frame(&board.nic) || deadline_ns < now_ns + NS_PER_TICK) {
        return;
    }
    start_alarm((deadline_ns - now_ns) / NS_PER_TICK);
    __asm volatile("dsb\n\twfi" ::: "memory");
}

/* ---- Network ----------------------------------------------------------------------------------
 */

static err_t link_output(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    return lan9118_send(&board.nic, frame);
}

signed char board_netif_init(struct netif *netif)
{
    if (!lan9118_init(&board.nic, LAN9118_BASE, netif->hwaddr)) {
        return ERR_IF;
    }
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->mtu = 1500;
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = link_output;
    return ERR_OK;
}

unsigned board_netif_poll(struct netif *netif, unsigned budget)
{
    unsigned frames = 0;
    while (frames < budget && lan9118_receive(&board.nic, netif)) {
        frames++;
    }
    return frames;
}

const struct board_netif_counts *board_netif_counts(void)
{
    return &board.nic.counts;
}

bool board_netif_has_link(void)
{
    return lan9118_has_link(&board.nic);
}

bool board_netif_alive(void)
{
    return lan9118_alive(&board.nic);
}

/* ---- Watchdog ---------------------------------------------------------------------------------
 */

/* The first period ends in the NMI, the second one in a reset. */
void board_watchdog_start(uint32_t period_ms)
{
    watchdog->lock = WATCHDOG_UNLOCK;
    watchdog->load = period_ms * (CLOCK_HZ / 1000u);
    watchdog->ctrl = 0x3u; /* NMI, reset */
}

void board_watchdog_feed(void)
{
    watchdog->intclear = 1u; /* counts from the start again */
}

/* ---- Memory and reset -------------------------------------------------------------------------
 */

struct slice board_config_partition(void)
{
    return slice_of((const char *)CONFIG_BASE, CONFIG_LEN);
}

/* The PSRAM, which QEMU keeps in a file, behind the rules of NOR flash. */
static uint8_t *psram(uint32_t at)
{
    return (uint8_t *)(PSRAM_BASE + at);
}

uint32_t board_storage_len(void)
{
    return PSRAM_LEN;
}

uint32_t board_storage_sector_len(void)
{
    return SECTOR_LEN;
}

bool board_storage_read(uint32_t at, void *bytes, size_t len)
{
    memcpy(bytes, psram(at), len);
    return true;
}

bool board_storage_erase(uint32_t at)
{
    memset(psram(at), 0xFF, SECTOR_LEN);
    return true;
}

bool board_storage_write(uint32_t at, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++) {
        *psram(at + (uint32_t)i) &= from[i];
    }
    return true;
}

_Noreturn void board_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    write_core(SCB_AIRCR, AIRCR_SYSRESETREQ);
    for (;;) {
    }
}
