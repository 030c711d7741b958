#include "command_line.h"

#include <string.h>

enum option {
    OPTION_CONFIG,
    OPTION_DEBUG,
    OPTION_PORT,
    OPTION_STATE,
    OPTION_JSON,
    OPTION_BOARD,
    OPTION_HELP
};

struct option_row {
    const char *short_name;
    const char *long_name;
    enum option option;
    bool has_value;
};

static const struct option_row options[] = {
    {"-c", "--config", OPTION_CONFIG, true},  {"-d", "--debug", OPTION_DEBUG, false},
    {"-p", "--port", OPTION_PORT, true},      {"-s", "--state", OPTION_STATE, true},
    {"--json", "--json", OPTION_JSON, false}, {"--board", "--board", OPTION_BOARD, false},
    {"-h", "--help", OPTION_HELP, false},
};

struct command_row {
    const char *name;
    enum command command;
    unsigned options; /* bits of enum option */
};

static const struct command_row commands[] = {
    {"run", COMMAND_RUN,
     1u << OPTION_CONFIG | 1u << OPTION_DEBUG | 1u << OPTION_PORT | 1u << OPTION_STATE},
    {"check", COMMAND_CHECK, 1u << OPTION_CONFIG | 1u << OPTION_JSON | 1u << OPTION_BOARD},
    {"version", COMMAND_VERSION, 0},
    {"--version", COMMAND_VERSION, 0},
    {"help", COMMAND_HELP, 0},
    {"--help", COMMAND_HELP, 0},
    {"-h", COMMAND_HELP, 0},
};

#define USAGE                                                                                      \
    "usage: limpetd run [-c FILE] [-d] [-p PORT] [-s DIR]\n"                                       \
    "       limpetd check -c FILE [--json] [--board]\n"                                            \
    "       limpetd version | help\n"

const char *const command_line_usage = USAGE;

const char *const command_line_help =
    "limpetd - small API gateway that measures itself, configured by a krakend.json\n"
    "\n" USAGE "\n"
    "commands:\n"
    "  run       serve the endpoints of the configuration until SIGINT or SIGTERM\n"
    "  check     read the configuration, say everything that is wrong with it and what\n"
    "            was understood, and stop\n"
    "  version   print the versions of limpetd and its libraries\n"
    "\n"
    "options:\n"
    "  -c, --config FILE   the configuration; without it `run` uses a built-in quick start on\n"
    "                      127.0.0.1:8080 and 127.0.0.1:8090\n"
    "      --board         `check`: for a board, whose network has no loopback\n"
    "  -d, --debug         log level DEBUG, and the endpoint /__debug/\n"
    "      --json          `check`: one JSON object on stdout, for machines\n"
    "  -p, --port PORT     the gateway's port, instead of the configuration's \"port\"\n"
    "  -s, --state DIR     keep windows that InfluxDB has not taken yet in DIR, over restarts and\n"
    "                      power cuts; without it they wait in memory\n"
    "\n"
    "signals:\n"
    "  SIGINT, SIGTERM     stop cleanly: close the listeners, finish running requests, push the "
    "last\n"
    "                      metrics; a second one stops at once\n"
    "  SIGHUP              the same (the terminal is gone); the configuration is not read again,\n"
    "                      restart to change it; ignored under nohup\n"
    "\n"
    "exit status: 0 after a clean stop, 1 on a wrong configuration or a failed start, 2 on a "
    "wrong\n"
    "command line, 128 + the signal's number when it was not clean\n";

static bool fail(struct command_line *line, const char *error, const char *arg);
static const struct command_row *find_command(const char *name);
static const struct option_row *find_option(const char *arg, const char **value);
static bool apply(struct command_line *line, enum option option, const char *value);
static bool parse_port(uint16_t *port, const char *text);

bool command_line_parse(struct command_line *line, int argc, char *const argv[])
{
    *line = (struct command_line){.command = COMMAND_HELP};
    if (argc < 2) {
        return fail(line, "no command", NULL);
    }
    const struct command_row *command = find_command(argv[1]);
    if (command == NULL) {
        return fail(line, "unknown command", argv[1]);
    }
    line->command = command->command;
    for (int i = 2; i < argc; i++) {
        const char *value = NULL;
        const struct option_row *row = find_option(argv[i], &value);
        if (row == NULL ||
            (row->option != OPTION_HELP && !(command->options & 1u << row->option))) {
            return fail(line, argv[i][0] == '-' ? "unknown option" : "unexpected argument",
                        argv[i]);
        }
        if (row->has_value && value == NULL && ++i < argc) {
            value = argv[i];
        }
        if (row->has_value && (value == NULL || *value == '\0')) {
            return fail(line, "missing value after", row->short_name);
        }
        if (!apply(line, row->option, value)) {
            return false;
        }
    }
    if (line->command == COMMAND_CHECK && line->config_path == NULL) {
        return fail(line, "check needs -c FILE", NULL);
    }
    return true;
}

static bool fail(struct command_line *line, const char *error, const char *arg)
{
    line->error = error;
    line->error_arg = arg;
    return false;
}

static const struct command_row *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* "-c", "-cFILE", "--config", "--config=FILE". *value: what stands in the same argument, NULL =
 * nothing. */
static const struct option_row *find_option(const char *arg, const char **value)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option_row *row = &options[i];
        size_t long_len = strlen(row->long_name);
        if (strcmp(arg, row->short_name) == 0 || strcmp(arg, row->long_name) == 0) {
            return row;
        }
        if (row->has_value && strncmp(arg, row->long_name, long_len) == 0 && arg[long_len] == '=') {
            *value = arg + long_len + 1;
            return row;
        }
        if (row->has_value && strncmp(arg, row->short_name, 2) == 0) {
            *value = arg + 2;
            return row;
        }
    }
    return NULL;
}

static bool apply(struct command_line *line, enum option option, const char *value)
{
    switch (option) {
    case OPTION_CONFIG:
        line->config_path = value;
        return true;
    case OPTION_DEBUG:
        line->debug = true;
        return true;
    case OPTION_JSON:
        line->json = true;
        return true;
    case OPTION_BOARD:
        line->board = true;
        return true;
    case OPTION_STATE:
        line->state_path = value;
        return true;
    case OPTION_PORT:
        return parse_port(&line->port, value) ? true
                                              : fail(line, "not a port (1 to 65535):", value);
    case OPTION_HELP:
        line->command = COMMAND_HELP;
        return true;
    }
    return false;
}

static bool parse_port(uint16_t *port, const char *text)
{
    uint32_t number = 0;
    for (; *text >= '0' && *text <= '9' && number <= UINT16_MAX; text++) {
        number = number * 10 + (uint32_t)(*text - '0');
    }
    *port = (uint16_t)number;
    return *text == '\0' && number >= 1 && number <= UINT16_MAX;
}
