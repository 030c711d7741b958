/* The command line: limpetd run|check|version|help. */
#ifndef LIMPET_POSIX_COMMAND_LINE_H
#define LIMPET_POSIX_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command { COMMAND_RUN, COMMAND_CHECK, COMMAND_VERSION, COMMAND_HELP };

struct command_line {
    enum command command;
    const char *config_path; /* argv's; NULL: not given */
    const char *state_path;  /* argv's; NULL: not given */
    bool debug;
    bool json;
    bool board;
    uint16_t port; /* 0: not given */
    /* What is wrong when parsing failed: "unknown option", and the argument it is about (argv's, or
     * NULL). */
    const char *error;
    const char *error_arg;
};

/* False: see error. argv must stay. */
bool command_line_parse(struct command_line *line, int argc, char *const argv[]);
extern const char *const command_line_usage; /* two lines, for stderr */
extern const char *const command_line_help;

#endif
