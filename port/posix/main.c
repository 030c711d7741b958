/* limpetd: the daemon on Linux. */
#include "check.h"
#include "command_line.h"
#include "config_file.h"
#include "daemon.h"
#include "file_storage.h"

#include "lwip/init.h"

#include <slirp/libslirp.h>
#include <stdio.h>

/* Hundreds of MB of address space, a few MB of memory: pages that nothing touches cost nothing. */
static struct app app;
static struct daemon instance;
static struct file_storage state;

static int run(const struct command_line *line, int argc, char *const argv[])
{
    static struct config_source source;
    bool read = line->config_path != NULL ? config_file_read(&source, line->config_path)
                                          : config_file_quickstart(&source);
    if (!read || !config_file_load(&app, &source, false)) {
        return 1;
    }
    instance.environment = &source.environment;
    if (line->debug) {
        app.config.log_level = LOG_DEBUG;
        app.config.debug_endpoint = true;
    }
    if (line->port != 0) {
        config_override_port(&app.config, line->port);
    }
    if (line->state_path != NULL) {
        int err = file_storage_open(&state, line->state_path);
        if (err == LIMPET_ERR_BUSY) {
            return 1;
        }
        instance.storage = err == LIMPET_OK ? &state.storage : NULL;
    }
    return daemon_run(&instance, &app, argc, argv);
}

static int version(void)
{
    printf("limpetd %s\nlwIP %s\nlibslirp %s\n", LIMPET_VERSION, LWIP_VERSION_STRING,
           slirp_version_string());
    return 0;
}

int main(int argc, char *argv[])
{
    struct command_line line;
    if (!command_line_parse(&line, argc, argv)) {
        fprintf(stderr, "limpetd: %s%s%s\n%s", line.error, line.error_arg != NULL ? " " : "",
                line.error_arg != NULL ? line.error_arg : "", command_line_usage);
        return 2;
    }
    switch (line.command) {
    case COMMAND_RUN:
        return run(&line, argc, argv);
    case COMMAND_CHECK:
        return check_run(&app, &line);
    case COMMAND_VERSION:
        return version();
    case COMMAND_HELP:
        break;
    }
    fputs(command_line_help, stdout);
    return 0;
}
