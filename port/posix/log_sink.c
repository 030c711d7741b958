/* The log on stderr: "2026-11-23T03:45:12.123Z INFO: [SERVICE: Stats] ...", one write() a line. */
#include "base/log.h"
#include "clock.h"
#include "port/port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Time and newline around a line of the core. */
#define LINE_LEN_MAX (LIMPET_LOG_LINE_MAX + 32u)

_Static_assert(LINE_LEN_MAX <= 4096, "a pipe that polls writable takes PIPE_BUF bytes at once");

static bool write_line(struct slice line);
static bool stderr_has_room(void);

/* Never waits for a reader: a line that a full pipe or a stopped terminal does not take is dropped.
 * The next line that gets through is preceded by one that tells how many are missing. */
bool port_log_sink(void *ctx, enum log_level level, struct slice line)
{
    static uint64_t dropped;
    (void)ctx;
    (void)level; /* stands in the line */
    if (dropped > 0) {
        char text[80];
        int len = snprintf(text, sizeof(text), "%s: [SERVICE: Log] %llu lines were dropped here",
                           log_level_name(LOG_WARN), (unsigned long long)dropped);
        if (!write_line(slice_of(text, (size_t)len))) {
            dropped++;
            return false;
        }
        dropped = 0;
    }
    if (!write_line(line)) {
        dropped++;
        return false;
    }
    return true;
}

static bool write_line(struct slice line)
{
    int64_t unix_ms = clock_unix_ns() / 1000000;
    time_t unix_s = (time_t)(unix_ms / 1000);
    struct tm utc;
    char text[LINE_LEN_MAX];
    gmtime_r(&unix_s, &utc);
    size_t used = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    int len = snprintf(text + used, sizeof(text) - used, ".%03dZ %.*s\n", (int)(unix_ms % 1000),
                       (int)line.len, line.ptr);
    used += (size_t)len;
    if (used >= sizeof(text)) {
        used = sizeof(text);
        text[used - 1] = '\n';
    }
    return stderr_has_room() && write(STDERR_FILENO, text, used) == (ssize_t)used;
}

/* stderr may be shared with a terminal, so it is not made non-blocking. */
static bool stderr_has_room(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    int count;
    do {
        count = poll(&fd, 1, 0);
    } while (count < 0 && errno == EINTR);
    return count == 1 && (fd.revents & POLLOUT) != 0;
}
