/* Signals of Linux turned into "please stop".
 *
 * SIGINT, SIGTERM and SIGHUP ask for a clean stop; a second one ends the process at once with 128 +
 * its number (130, 143, 129), also when the loop hangs. SIGHUP that was ignored at the start
 * (nohup) stays ignored. SIGPIPE is ignored: writes tell it. */
#ifndef LIMPET_POSIX_STOP_SIGNAL_H
#define LIMPET_POSIX_STOP_SIGNAL_H

#include "base/err.h"

/* Once. LIMPET_ERR_IO: no file descriptor left. */
LIMPET_WARN_UNUSED
int stop_signal_init(void);
/* Becomes readable when a stop was asked for; for poll(). */
int stop_signal_fd(void);
/* Makes it unreadable again, so that the loop can wait while it stops. */
void stop_signal_drain(void);
/* Number of the first signal, 0 = none yet. */
int stop_signal_number(void);
const char *stop_signal_name(int number); /* "SIGTERM"; static storage */

#endif
