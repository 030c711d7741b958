/* The clocks of Linux. */
#ifndef LIMPET_POSIX_CLOCK_H
#define LIMPET_POSIX_CLOCK_H

#include "port/port.h"

#include <stdint.h>

uint64_t clock_mono_ns(void);
int64_t clock_unix_ns(void); /* as the host has it, also when it is wrong */
/* For app_poll. The wall clock counts as unknown (0) before 2024: a machine that has lost its
 * clock. */
struct port_time clock_read(void);

#endif
