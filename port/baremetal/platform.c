/* What port.h and lwIP ask of a port, on bare metal. */
#include "platform.h"

#include "board/board.h"
#include "panic.h"

#include "base/out.h"
#include "port/port.h"

#include "lwip/sys.h"

#include <assert.h>

static const struct partition *partition;
static struct seed *seed;
static char host_name[20]; /* "limpet-" and 12 digits */

/* Goes on over a reset, so that a peer that has kept a connection of the run before does not see
 * its port and sequence number again. */
static uint32_t lwip_random __attribute__((section(".retained")));

/* ---- Name and random numbers ------------------------------------------------------------------
 */

void platform_use_seed(struct seed *from)
{
    seed = from;
}

void platform_init(const uint8_t mac[6])
{
    struct out out;
    out_init(&out, host_name, sizeof(host_name) - 1);
    out_text(&out, "limpet-");
    for (unsigned i = 0; i < 6; i++) {
        out_hex(&out, mac[i], 2);
    }
    uint32_t low = (uint32_t)mac[5] << 24 | (uint32_t)mac[4] << 16 | (uint32_t)mac[3] << 8;
    lwip_random ^= (uint32_t)board_now_ns() ^ low;
    lwip_random += lwip_random == 0; /* xorshift would stay there */
}

const char *platform_host_name(void)
{
    return host_name;
}

struct slice port_host_name(void)
{
    return slice_from_cstr(host_name);
}

/* lwIP's ports, transaction ids and sequence numbers. Without a seed xorshift32 (Marsaglia 2003),
 * which an observer can continue: no key is made from it. */
uint32_t port_lwip_rand(void)
{
    assert(seed != NULL);
    uint32_t x;
    if (seed_random(seed, &x, sizeof(x))) {
        return x;
    }
    x = lwip_random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    lwip_random = x;
    return x;
}

bool port_entropy(void *buf, size_t len)
{
    return seed_random(seed, buf, len);
}

/* ---- Files ------------------------------------------------------------------------------------
 */

void platform_use_partition(const struct partition *from)
{
    partition = from;
}

/* A board has no trusted authorities but those that came with its configuration. */
struct slice port_pem(struct slice path)
{
    return path.len == 0 ? SLICE_EMPTY : partition_file(partition, path);
}

/* ---- Clock and console ------------------------------------------------------------------------
 */

uint32_t sys_now(void)
{
    return (uint32_t)(board_now_ns() / 1000000u);
}

/* "12.345 INFO: [SERVICE: Stats] ...": seconds since boot, as the wall clock may not be known. */
bool port_log_sink(void *ctx, enum log_level level, struct slice line)
{
    (void)ctx;
    (void)level;
    char text[28];
    struct out out;
    uint64_t ms = board_now_ns() / 1000000u;
    out_init(&out, text, sizeof(text));
    out_u64(&out, ms / 1000u);
    out_char(&out, '.');
    out_u64_pad(&out, ms % 1000u, 3);
    out_char(&out, ' ');
    struct slice head = out_slice(&out);
    board_console_write(head.ptr, head.len);
    board_console_write(line.ptr, line.len);
    board_console_write("\r\n", 2);
    return true;
}
