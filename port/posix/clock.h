/* The clocks of Linux. */
#ifndef LIMPET_POSIX_CLOCK_H
#define LIMPET_POSIX_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void);
int64_t clock_unix_ns(void); /* as the host has it, also when it is wrong */

#endif
