/* Reset and vectors of a Cortex-M: paint the stack, copy .data, clear .bss, call main.
 *
 * Interrupts are masked from the first instruction on and stay so: a pending one only ends WFI
 * (board_idle). The one that may ever be taken is a board's watchdog, among the first 16. */
#include "panic.h"

#include "app_config.h"
#include "base/out.h"

#include <stdint.h>
#include <string.h>

extern uint8_t data_start[], data_end[], bss_start[], bss_end[], stack_bottom[], stack_top[];
extern const uint8_t data_load[];

int main(void);
_Noreturn void reset_handler(void);
void fault_handler(void);
void watchdog_handler(void);
__attribute__((used)) _Noreturn void fault_report(const uint32_t *frame);

#define STACK_PAINT 0xA5
/* What the frames of reset_handler and memset take at most; not painted. */
#define STACK_START_LEN 128u

#define SCB_CFSR 0xE000ED28u

static uint8_t stack[LIMPET_STACK_LEN] __attribute__((section(".stack"), aligned(8), used));

/* ---- Start ------------------------------------------------------------------------------------
 */

_Noreturn void reset_handler(void)
{
    __asm volatile("cpsid i" ::: "memory");
    memset(stack_bottom, STACK_PAINT, sizeof(stack) - STACK_START_LEN);
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    (void)main();
    panic("main returned");
}

size_t stack_used_max(void)
{
    const uint8_t *at = stack_bottom;
    while (at < stack_top && *at == STACK_PAINT) {
        at++;
    }
    return (size_t)(stack_top - at);
}

/* ---- Faults -----------------------------------------------------------------------------------
 */

/* The stack may be what is broken: the report gets a fresh one, and the address of the old. */
__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("mrs r0, msp\n\t"
                   "ldr r1, =stack_top\n\t"
                   "msr msp, r1\n\t"
                   "b fault_report");
}

/* `frame`: r0-r3, r12, lr, pc, psr as the processor left them, unless the stack had no room. */
_Noreturn void fault_report(const uint32_t *frame)
{
    const uint8_t *at = (const uint8_t *)frame;
    bool whole = at >= stack_bottom && at + 32 <= stack_top;
    uint32_t pc = whole ? frame[6] : 0;
    char text[64];
    struct out out;
    out_init(&out, text, sizeof(text) - 1);
    out_text(&out, whole ? "processor fault, pc 0x" : "stack overflow, pc 0x");
    out_hex(&out, pc, 8);
    out_text(&out, ", cfsr 0x");
    out_hex(&out, *(volatile const uint32_t *)SCB_CFSR, 8);
    text[out_slice(&out).len] = '\0';
    panic(text);
}

/* The watchdog's NMI or interrupt. */
void watchdog_handler(void)
{
    panic(PANIC_WATCHDOG);
}

/* ---- Vectors ----------------------------------------------------------------------------------
 */

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint8_t *stack;
    vector reset;
    vector nmi;
    vector faults[13]; /* hard, memory, bus, usage, ...; the others never come */
    vector board[16];
} vectors = {
    .stack = stack_top,
    .reset = reset_handler,
    .nmi = watchdog_handler,
    .faults = {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
               fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
               fault_handler, fault_handler, fault_handler},
    .board = {watchdog_handler, watchdog_handler, watchdog_handler, watchdog_handler,
              watchdog_handler, watchdog_handler, watchdog_handler, watchdog_handler,
              watchdog_handler, watchdog_handler, watchdog_handler, watchdog_handler,
              watchdog_handler, watchdog_handler, watchdog_handler, watchdog_handler},
};
