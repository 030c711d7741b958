/* port_log_sink on a pipe in the place of stderr. */
#include "port/port.h"

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int reader;
static int real_stderr;

static size_t read_all(char *text, size_t size)
{
    ssize_t len = read(reader, text, size - 1);
    text[len > 0 ? len : 0] = '\0';
    return len > 0 ? (size_t)len : 0;
}

static void test_format(void)
{
    char text[200];
    CHECK(port_log_sink(NULL, LOG_INFO, SLICE_LIT("INFO: [SERVICE: Stats] up")));
    CHECK(read_all(text, sizeof(text)) ==
          strlen("2026-11-23T03:45:12.123Z INFO: [SERVICE: Stats] up\n"));
    CHECK(text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[23] == 'Z');
    CHECK(strcmp(text + 24, " INFO: [SERVICE: Stats] up\n") == 0);
}

static void test_long_line(void)
{
    static char line[LIMPET_LOG_LINE_MAX];
    static char text[2 * LIMPET_LOG_LINE_MAX];
    memset(line, 'x', sizeof(line));
    CHECK(port_log_sink(NULL, LOG_CRITICAL, slice_of(line, sizeof(line))));
    size_t len = read_all(text, sizeof(text));
    CHECK(len == strlen("2026-11-23T03:45:12.123Z ") + sizeof(line) + 1);
    CHECK(text[len - 1] == '\n');
}

/* Nobody reads: lines are dropped, not waited for, and the gap is told when there is room again. */
static void test_full_pipe(void)
{
    char drain[4096];
    char text[400];
    unsigned dropped = 0;
    for (unsigned i = 0; i < 10000; i++) {
        dropped += !port_log_sink(NULL, LOG_WARN, SLICE_LIT("nobody reads this"));
    }
    CHECK(dropped > 1000 && dropped < 10000);
    while (read(reader, drain, sizeof(drain)) > 0) {
    }
    CHECK(port_log_sink(NULL, LOG_INFO, SLICE_LIT("back")));
    char expected[80];
    read_all(text, sizeof(text));
    snprintf(expected, sizeof(expected), "Z WARNING: [SERVICE: Log] %u lines were dropped here\n",
             dropped);
    CHECK(strstr(text, expected) != NULL);
    CHECK(strstr(text, "Z back\n") != NULL);
    CHECK(port_log_sink(NULL, LOG_INFO, SLICE_LIT("once")));
    read_all(text, sizeof(text));
    CHECK(strstr(text, "dropped") == NULL);
}

static void test_closed_pipe(void)
{
    close(STDERR_FILENO);
    CHECK(!port_log_sink(NULL, LOG_INFO, SLICE_LIT("no stderr at all")));
    dup2(real_stderr, STDERR_FILENO);
}

int main(void)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return 1;
    }
    reader = ends[0];
    real_stderr = dup(STDERR_FILENO);
    stderr = fdopen(real_stderr, "w"); /* what fails is still printed (glibc) */
    fcntl(reader, F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    test_format();
    test_long_line();
    test_full_pipe();
    test_closed_pipe();
    return check_result();
}
