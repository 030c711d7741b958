/* Bare-metal program for QEMU's mps2-an385 that records values and ends; count_cortex_m3 counts the
 * instructions of the histogram's code in it. WARM values first, then COUNT; BYTES or times. */
#include "metrics/histogram.h"

#include <stdint.h>

#ifndef WARM
#define WARM 0
#endif
#ifndef COUNT
#define COUNT 0
#endif

static struct histogram_pool pool;
static struct histogram_slot slots[1];
static struct histogram histogram;
static uint32_t seed = 2463534242u;

/* About log-uniform: times from 1 us to 4 s, or sizes from 1 kB to 16 MB. */
static int64_t next_value(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (int64_t)(1024 + (seed & 1023u)) << (seed >> 16) % (BYTES ? 14u : 22u);
}

static void record(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        if (BYTES) {
            histogram_record_bytes(&pool, &histogram, next_value());
        } else {
            histogram_record_ns(&pool, &histogram, next_value());
        }
    }
}

/* Semihosting, SYS_EXIT: the end of the run. */
static void leave(void)
{
    register uint32_t call __asm__("r0") = 0x18;
    register uint32_t reason __asm__("r1") = 0x20026; /* ADP_Stopped_ApplicationExit */
    __asm__ volatile("bkpt 0xAB" : : "r"(call), "r"(reason) : "memory");
}

/* A failed assertion: the run does not end, and the count runs into its time limit. */
_Noreturn void __assert_func(const char *file, int line, const char *function, const char *what);
_Noreturn void __assert_func(const char *file, int line, const char *function, const char *what)
{
    (void)file;
    (void)line;
    (void)function;
    (void)what;
    for (;;) {
    }
}

void reset(void);
void reset(void)
{
    histogram_pool_init(&pool, slots, 1);
    record(WARM);
    record(COUNT);
    leave();
    for (;;) {
    }
}

extern uint32_t stack_end[];
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {stack_end, reset};
