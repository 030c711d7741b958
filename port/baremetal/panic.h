/* The end of a run: print, remember the reason over the reset, reset. */
#ifndef LIMPET_BAREMETAL_PANIC_H
#define LIMPET_BAREMETAL_PANIC_H

#include "port/port.h"

#include <stddef.h>
#include <stdint.h>

#define PANIC_WATCHDOG "watchdog: the loop or the network controller made no progress"

/* `reason` is kept up to 119 bytes. May be called from anywhere, also from a fault. */
_Noreturn void panic(const char *reason);
/* Why the run before ended: the panic's text, or NULL (power-on, reset from outside). Valid until
 * panic_forget(). */
const char *panic_last_reason(void);
void panic_forget(void);
/* Why this run began. Once a run, before panic_forget(). */
enum port_reset panic_reset_reason(void);

/* Highest use of the stack since the reset, bytes; reads the paint, so costs what is unused. */
size_t stack_used_max(void);

#endif
