/* The end of a run: print, remember the reason over the reset, reset. */
#ifndef LIMPET_BAREMETAL_PANIC_H
#define LIMPET_BAREMETAL_PANIC_H

#include <stddef.h>
#include <stdint.h>

/* `reason` is kept up to 119 bytes. May be called from anywhere, also from a fault. */
_Noreturn void panic(const char *reason);
/* Why the run before ended: the panic's text, or NULL (power-on, reset from outside). Valid until
 * panic_forget(). */
const char *panic_last_reason(void);
void panic_forget(void);

/* Highest use of the stack since the reset, bytes; reads the paint, so costs what is unused. */
size_t stack_used_max(void);

#endif
