/* What a port supplies to the core. The core reaches the outside through this file and lwIP only.
 *
 * The core never reads a clock: the port's loop passes `struct port_time` to app_poll. */
#ifndef LIMPET_PORT_H
#define LIMPET_PORT_H

#include "base/log.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Read once a frame batch by the port's loop and passed down. */
struct port_time {
    uint64_t mono_ns; /* since boot or any fixed point; never goes back; 1 us or better */
    int64_t unix_ns;  /* wall clock, ns since 1970; 0 while it is not known (nor is it before the
                         build, LIMPET_BUILD_UNIX_S) */
};

/* Why this run began; what limpet.app.reset_reason shows. */
enum port_reset {
    PORT_RESET_UNKNOWN = 0,
    PORT_RESET_POWER_ON = 1, /* also the start of a process */
    PORT_RESET_OUTSIDE = 2,  /* a button, a debugger, another program */
    PORT_RESET_PANIC = 3,    /* a fault, a failed assertion; the log says which */
    PORT_RESET_WATCHDOG = 4,
};

/* Seed and nonce material from a real source (getrandom, TRNG, stored seed). False: none. */
LIMPET_WARN_UNUSED
bool port_entropy(void *buf, size_t len);

/* Text in PEM form: of the file that the configuration names, or, when `path` is empty, of the
 * system's trusted authorities. Stays for good. Empty: there is none, or it cannot be read. */
struct slice port_pem(struct slice path);

/* NOR-like storage for what must survive a restart: bytes are FF when erased, and programming only
 * clears bits. Offsets from 0 to sector_len x sector_count (below 4 GiB). False: it failed. */
struct port_storage {
    void *ctx;
    uint32_t sector_len;   /* bytes that are erased at once, a multiple of 4 */
    uint32_t sector_count; /* >= 2 */
    bool (*read)(void *ctx, uint32_t at, void *bytes, size_t len);
    bool (*program)(void *ctx, uint32_t at, const void *bytes, size_t len);
    bool (*erase)(void *ctx, uint32_t sector);
    bool (*sync)(void *ctx); /* what was programmed and erased stays, whatever happens then */
};

/* Sink of struct log. Adds the time and the newline; false when the line was dropped. */
bool port_log_sink(void *ctx, enum log_level level, struct slice line);

/* Host name for InfluxDB's `host` tag; never empty. Static storage. */
struct slice port_host_name(void);

#endif
