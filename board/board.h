/* What a board supplies to port/baremetal: console, clock, idle, network, reset.
 *
 * A board is a folder: these functions, a linker script, its CMake part (board.cmake), the sizes
 * (limpet_board.h) and, where QEMU has the machine, its command line. docs/PORTING.md is the
 * checklist. Everything is called from the one loop; interrupts stay masked and only end
 * board_idle(). */
#ifndef LIMPET_BOARD_H
#define LIMPET_BOARD_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netif;

/* First call after RAM is set up: console and clock work afterwards. */
void board_init(void);
/* "mps2-an385"; for the log. */
const char *board_name(void);

/* Waits until all bytes are accepted by the console. Works in a panic too: needs no interrupt. */
void board_console_write(const char *bytes, size_t len);

/* Monotonic nanoseconds since board_init, resolution 1 us or better. */
uint64_t board_now_ns(void);

/* Sleeps until a frame comes, at most until deadline_ns; may return early. Returns at once when a
 * frame waits already. */
void board_idle(uint64_t deadline_ns);

/* For lwIP's netif_add: sets up the NIC and its output. The netif has a MAC address made from the
 * image's seed; a board that stores one of its own puts that in its place. */
signed char board_netif_init(struct netif *netif);
/* Hands at most `budget` received frames to lwIP; returns how many. */
unsigned board_netif_poll(struct netif *netif, unsigned budget);

/* What went wrong with frames since the start. */
struct board_netif_counts {
    uint32_t frames_dropped; /* no room: in the NIC, the driver's ring, or no pbuf */
    uint32_t frames_bad;     /* refused by the NIC's own checks */
};
const struct board_netif_counts *board_netif_counts(void);

/* The PHY sees a partner at the other end of the cable. Costs some register reads: once a second.
 */
bool board_netif_has_link(void);
/* The NIC answers and is switched on. Costs a few register reads: once a second. */
bool board_netif_alive(void);

/* Starts the hardware watchdog: watchdog_handler() runs after `period_ms` without a feed, and when
 * that does not end in a reset either, the hardware resets after a second period. */
void board_watchdog_start(uint32_t period_ms);
void board_watchdog_feed(void);

/* The configuration partition as it lies in memory, whatever it holds. */
struct slice board_config_partition(void);

/* Storage that keeps its content without power, as NOR flash does: erasing a sector sets its bytes
 * to 0xFF, writing only turns ones into zeros. The first two sectors hold the seed (seed.h). A
 * length of 0: the board has none. False: the device did not do it. */
uint32_t board_storage_len(void);
uint32_t board_storage_sector_len(void);
bool board_storage_read(uint32_t at, void *bytes, size_t len);
bool board_storage_erase(uint32_t at); /* the sector that begins there */
bool board_storage_write(uint32_t at, const void *bytes, size_t len);

/* Keeps .retained. */
_Noreturn void board_reset(void);

#endif
