/* `limpetd check`: what is wrong with a configuration, and what was understood of it.
 *
 * For people: findings on stderr, the summary on stdout. With --json one object on stdout and
 * nothing else; docs/CONFIG.md names its keys. */
#ifndef LIMPET_POSIX_CHECK_H
#define LIMPET_POSIX_CHECK_H

#include "app/app.h"
#include "command_line.h"

/* The exit status: 0, or 1 when the configuration is refused or cannot be read. `app` must be
 * zeroed and cannot be started afterwards. */
int check_run(struct app *app, const struct command_line *line);

#endif
