#include "stop_signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t stop_number;
static int wake_fd = -1;

static void on_signal(int number)
{
    if (stop_number != 0) {
        _exit(128 + number);
    }
    stop_number = number;
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(wake_fd, &one, sizeof(one));
    (void)written; /* the counter of an eventfd has room for it */
    errno = saved;
}

int stop_signal_init(void)
{
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0) {
        return LIMPET_ERR_IO;
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction before;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
        sigaction(SIGHUP, &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return LIMPET_OK;
}

int stop_signal_fd(void)
{
    return wake_fd;
}

void stop_signal_drain(void)
{
    uint64_t count;
    ssize_t got = read(wake_fd, &count, sizeof(count));
    (void)got; /* EAGAIN: it was not readable */
}

int stop_signal_number(void)
{
    return stop_number;
}

const char *stop_signal_name(int number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGHUP:
        return "SIGHUP";
    default:
        return "signal";
    }
}
