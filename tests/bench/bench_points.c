/* Bare-metal program for QEMU's mps2-an385: writes the points of one window PASSES times, then
 * ends; count_firmware counts its instructions. The table has the sizes of the firmware, and
 * each of its endpoints had traffic. */
#include "influx/lines.h"
#include "metrics/metrics.h"
#include "metrics/registry.h"

#include <stdint.h>

#define REQUESTS 20

static struct metrics metrics;
static char record[8192];
volatile uint32_t points; /* of one pass; read by nobody here, so that it is made */

static const char *const names[] = {"/json/:id", "/orders/:id", "/health", "/raw"};

static void record_traffic(const char *name)
{
    struct endpoint_series *endpoint = metrics_open_endpoint(&metrics, slice_from_cstr(name));
    struct proxy_series *pipe = metrics_open_proxy(&metrics, METRICS_PIPE, slice_from_cstr(name));
    struct proxy_series *backend =
        metrics_open_proxy(&metrics, METRICS_BACKEND, slice_from_cstr(name));
    for (int i = 0; i < REQUESTS; i++) {
        int64_t time_ns = 1000000 + 77777 * i;
        metrics_connected(&metrics);
        metrics_record_response(&metrics, endpoint, 200, 300 + i, time_ns + 40000);
        metrics_record_proxy(&metrics, pipe, true, false, time_ns + 20000);
        metrics_record_proxy(&metrics, backend, true, false, time_ns);
        metrics_disconnected(&metrics);
    }
}

static uint32_t write_points(struct slice window)
{
    char line[128];
    struct out out;
    struct lines lines;
    uint32_t count = 0;
    lines_init(&lines, &metrics, SLICE_LIT("limpet-525400123456"), window);
    for (;;) {
        out_init(&out, line, sizeof(line)); /* what is longer is composed all the same */
        if (!lines_next(&lines, &out)) {
            return count;
        }
        count++;
    }
}

/* Semihosting, SYS_EXIT: the end of the run. */
static void leave(void)
{
    register uint32_t call __asm__("r0") = 0x18;
    register uint32_t reason __asm__("r1") = 0x20026; /* ADP_Stopped_ApplicationExit */
    __asm__ volatile("bkpt 0xAB" : : "r"(call), "r"(reason) : "memory");
}

/* Semihosting, SYS_WRITEC: one byte on the console. */
static void say(char c)
{
    register uint32_t call __asm__("r0") = 0x03;
    register const char *at __asm__("r1") = &c;
    __asm__ volatile("bkpt 0xAB" : "+r"(call) : "r"(at) : "memory");
}

void reset(void);
void reset(void)
{
    struct metrics_options options = {.collection_time_ns = LIMPET_S_TO_NS(60)};
    struct out out;
    metrics_init(&metrics, &options, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        record_traffic(names[i]);
    }
    metrics_close_window(&metrics, LIMPET_S_TO_NS(60));
    struct record_info info = {.seq = 1, .unix_ns = 1785000000000000000, .dated = true};
    out_init(&out, record, sizeof(record));
    record_encode(&out, &metrics, &info);
    for (int i = 0; i < PASSES; i++) {
        points = write_points(out_slice(&out));
    }
    say((char)('0' + points / 100 % 10));
    say((char)('0' + points / 10 % 10));
    say((char)('0' + points % 10));
    leave();
    for (;;) {
    }
}

extern uint32_t stack_end[];
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {stack_end, reset};
