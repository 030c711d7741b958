/* The configuration on Linux: from a file or built in, loaded into struct app, findings printed. */
#ifndef LIMPET_POSIX_CONFIG_FILE_H
#define LIMPET_POSIX_CONFIG_FILE_H

#include "app/app.h"
#include "environment.h"

#include <stdbool.h>

struct config_source {
    const char *name;  /* as printed: the path, or what stands for it */
    struct slice text; /* static storage, stays; with the environment's values */
    struct environment environment;
};

/* The file, up to LIMPET_CONFIG_TEXT_LEN_MAX bytes, into a static buffer: once a process. False:
 * said on stderr. */
LIMPET_WARN_UNUSED
bool config_file_read(struct config_source *source, const char *path);
/* quickstart.json as it was when limpetd was built, likewise. */
LIMPET_WARN_UNUSED
bool config_file_quickstart(struct config_source *source);

/* Prints each finding as FILE:LINE:COL: path: message on stderr; those that refuse nothing are
 * marked, and keys without effect are only shown with `verbose`. False: the configuration is
 * refused. */
LIMPET_WARN_UNUSED
bool config_file_load(struct app *app, const struct config_source *source, bool verbose);
/* One finding, likewise. */
void config_file_say(const struct config_source *source, const struct config_finding *finding);

#endif
