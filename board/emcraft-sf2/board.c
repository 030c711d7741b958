/* Emcraft's SmartFusion2 module: Cortex-M3 at 142 MHz, eNVM, internal SRAM, DDR, SPI flash
 * (Microsemi UG0331). */
#include "board/board.h"

#include "msf2_emac.h"
#include "spi_nor.h"

#include "lwip/etharp.h"
#include "lwip/netif.h"

/* SysTick counts the reference clock, a 32nd of the processor's, in 24 bits: it wraps after 3.8 s.
 */
#define CLOCK_NS_NUM 16000u /* 32 / 142 MHz = 16,000 / 71 ns */
#define CLOCK_NS_DEN 71u
#define CLOCK_MASK 0x00FFFFFFu
#define SLEEP_NS_MAX UINT64_C(1500000000)

#define UART0_BASE 0x40000000u
#define UART_DIVISOR 39u /* 71 MHz / 16 / 115,200 */
#define UART_8N1 0x03u
#define UART_DLAB 0x80u
#define UART_THRE 0x20u

/* Two timers of 32 bits at half of the processor's clock: the alarm and the watchdog. */
#define TIMER1_BASE 0x40004000u
#define TIMER2_BASE 0x40004018u
#define TIMER_KHZ 71000u
#define TIMER_ONCE_WITH_IRQ 0x7u

#define EMAC_BASE 0x40041000u
#define SYSTICK_BASE 0xE000E010u
#define NVIC_ISER 0xE000E100u
#define NVIC_ICPR 0xE000E280u
#define NVIC_IPR3 0xE000E40Cu /* priorities of interrupts 12 to 15 */
#define SCB_AIRCR 0xE000ED0Cu
#define AIRCR_SYSRESETREQ 0x05FA0004u

#define EMAC_IRQ 12u
#define TIMER1_IRQ 14u
#define TIMER2_IRQ 15u
#define WAKING_IRQS (1u << EMAC_IRQ | 1u << TIMER1_IRQ)

#define CONFIG_BASE 0x60030000u /* the last 64 kB of the eNVM */
#define CONFIG_LEN 0x00010000u

struct uart {
    volatile uint32_t data, ier, iir, lcr, mcr, lsr;
};
struct timer_regs {
    volatile uint32_t value, load, background_load, ctrl, ris, mis;
};
struct systick {
    volatile uint32_t ctrl, load, value;
};

static struct {
    struct msf2_emac mac;
    uint32_t clock_last;
    uint64_t clock_ticks;
    bool has_storage;
} board;

static struct uart *const uart0 = (struct uart *)UART0_BASE;
static struct timer_regs *const alarm_timer = (struct timer_regs *)TIMER1_BASE;
static struct timer_regs *const watchdog_timer = (struct timer_regs *)TIMER2_BASE;
static struct systick *const systick = (struct systick *)SYSTICK_BASE;

static void write_core(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* ---- Start and console ------------------------------------------------------------------------
 */

void board_init(void)
{
    uart0->lcr = UART_8N1 | UART_DLAB;
    uart0->data = UART_DIVISOR;
    uart0->ier = 0; /* high byte of the divisor */
    uart0->lcr = UART_8N1;
    systick->load = CLOCK_MASK;
    systick->value = 0;
    systick->ctrl = 1u; /* on, reference clock, no interrupt */
    board.clock_last = CLOCK_MASK;
    write_core(NVIC_ISER, WAKING_IRQS);
    board.has_storage = spi_nor_init();
}

const char *board_name(void)
{
    return "emcraft-sf2";
}

void board_console_write(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        while ((uart0->lsr & UART_THRE) == 0) {
        }
        uart0->data = (unsigned char)bytes[i];
    }
}

/* ---- Clock and idle ---------------------------------------------------------------------------
 */

/* The counter counts down. */
uint64_t board_now_ns(void)
{
    uint32_t now = ~systick->value & CLOCK_MASK;
    board.clock_ticks += (now - board.clock_last) & CLOCK_MASK;
    board.clock_last = now;
    return board.clock_ticks * CLOCK_NS_NUM / CLOCK_NS_DEN;
}

/* The watchdog's interrupt is the only one that is ever taken; the others have a lower priority,
 * which BASEPRI masks. Those would not end WFI, so here PRIMASK holds all of them back instead. */
static void sleep(void)
{
    __asm volatile("mrs r0, basepri\n\t"
                   "mov r1, #0\n\t"
                   "mrs r2, primask\n\t"
                   "cpsid i\n\t"
                   "msr basepri, r1\n\t"
                   "dsb\n\t"
                   "wfi\n\t"
                   "msr basepri, r0\n\t"
                   "msr primask, r2" ::
                       : "r0", "r1", "r2", "memory");
}

/* Quiet sources, forget what is pending, look at the MAC: a frame that comes later is pending
 * again. */
void board_idle(uint64_t deadline_ns)
{
    alarm_timer->ctrl = 0;
    alarm_timer->ris = 1u;
    write_core(NVIC_ICPR, WAKING_IRQS);
    uint64_t now_ns = board_now_ns();
    if (msf2_emac_has_frame(&board.mac) || deadline_ns <= now_ns) {
        return;
    }
    uint64_t sleep_ns = deadline_ns - now_ns < SLEEP_NS_MAX ? deadline_ns - now_ns : SLEEP_NS_MAX;
    alarm_timer->load = (uint32_t)(sleep_ns * (TIMER_KHZ / 1000u) / 1000u) + 1u;
    alarm_timer->ctrl = TIMER_ONCE_WITH_IRQ;
    sleep();
}

/* ---- Network ----------------------------------------------------------------------------------
 */

static err_t link_output(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    return msf2_emac_send(&board.mac, frame);
}

/* The module stores no address: that of the caller is used. */
signed char board_netif_init(struct netif *netif)
{
    msf2_emac_init(&board.mac, EMAC_BASE, netif->hwaddr);
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
    while (frames < budget && msf2_emac_receive(&board.mac, netif)) {
        frames++;
    }
    return frames;
}

const struct board_netif_counts *board_netif_counts(void)
{
    return &board.mac.counts;
}

bool board_netif_has_link(void)
{
    return msf2_emac_has_link(&board.mac);
}

bool board_netif_alive(void)
{
    return msf2_emac_alive(&board.mac);
}

/* ---- Watchdog ---------------------------------------------------------------------------------
 */

/* A timer with the highest priority, since QEMU has no watchdog here: it ends a loop that hangs,
 * not a processor that does. */
void board_watchdog_start(uint32_t period_ms)
{
    watchdog_timer->ctrl = 0;
    watchdog_timer->ris = 1u; /* QEMU's timers keep it over a reset */
    watchdog_timer->load = period_ms * TIMER_KHZ;
    watchdog_timer->ctrl = TIMER_ONCE_WITH_IRQ;
    write_core(NVIC_IPR3, 0x00404040u); /* 12 to 14: lower than 15 */
    write_core(NVIC_ICPR, 1u << TIMER2_IRQ);
    write_core(NVIC_ISER, 1u << TIMER2_IRQ);
    __asm volatile("mov r0, #0x40\n\t"
                   "msr basepri, r0\n\t"
                   "cpsie i" ::
                       : "r0", "memory");
}

void board_watchdog_feed(void)
{
    watchdog_timer->load = watchdog_timer->load; /* counts from the start again */
}

/* ---- Memory and reset -------------------------------------------------------------------------
 */

struct slice board_config_partition(void)
{
    return slice_of((const char *)CONFIG_BASE, CONFIG_LEN);
}

uint32_t board_storage_len(void)
{
    return board.has_storage ? SPI_NOR_LEN : 0;
}

uint32_t board_storage_sector_len(void)
{
    return SPI_NOR_SECTOR_LEN;
}

bool board_storage_read(uint32_t at, void *bytes, size_t len)
{
    return spi_nor_read(at, bytes, len);
}

bool board_storage_erase(uint32_t at)
{
    return spi_nor_erase(at);
}

bool board_storage_write(uint32_t at, const void *bytes, size_t len)
{
    return spi_nor_write(at, bytes, len);
}

_Noreturn void board_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    write_core(SCB_AIRCR, AIRCR_SYSRESETREQ);
    for (;;) {
    }
}
