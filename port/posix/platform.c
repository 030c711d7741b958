/* What port.h and arch/cc.h ask of Linux: clocks, entropy, host name, lwIP's glue. */
#include "base/err.h"
#include "clock.h"
#include "port/port.h"

#include "lwip/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

/* ---- Clocks --------------------------------------------------------------------------------- */

uint64_t clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * (uint64_t)NS_PER_S + (uint64_t)t.tv_nsec;
}

int64_t clock_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- Entropy, name -------------------------------------------------------------------------- */

bool port_entropy(void *buf, size_t len)
{
    char *at = buf;
    while (len > 0) {
        ssize_t count = getrandom(at, len, 0);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        if (count > 0) {
            at += count;
            len -= (size_t)count;
        }
    }
    return true;
}

struct slice port_host_name(void)
{
    static char name[65]; /* HOST_NAME_MAX is 64 */
    if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') {
        return SLICE_LIT("localhost");
    }
    return slice_from_cstr(name);
}

/* ---- lwIP ----------------------------------------------------------------------------------- */

u32_t sys_now(void)
{
    return (u32_t)(clock_mono_ns() / 1000000u);
}

/* Sequence numbers and DNS ids must not be guessed: the kernel's generator, 64 words a call. */
uint32_t port_lwip_rand(void)
{
    static uint32_t words[64];
    static size_t left;
    if (left == 0) {
        if (!port_entropy(words, sizeof(words))) {
            port_lwip_panic("getrandom failed", __FILE__, __LINE__);
        }
        left = sizeof(words) / sizeof(words[0]);
    }
    return words[--left];
}

void port_lwip_panic(const char *text, const char *file, int line)
{
    fprintf(stderr, "limpetd: assertion of lwIP failed: %s (%s:%d)\n", text, file, line);
    abort();
}
