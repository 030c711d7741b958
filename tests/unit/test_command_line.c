#include "command_line.h"

#include "check.h"

#include <string.h>

#define ARGS_MAX 8

/* "run -c a.json" as argc and argv; the words must stay. */
static bool parse(struct command_line *line, const char *words)
{
    static char text[200];
    char *argv[ARGS_MAX + 1] = {text};
    int argc = 1;
    strcpy(text, "limpetd ");
    strncat(text, words, sizeof(text) - 16);
    for (char *at = text; *at != '\0' && argc < ARGS_MAX; at++) {
        if (*at == ' ') {
            *at = '\0';
            argv[argc] = at + 1;
            argc += at[1] != '\0';
        }
    }
    argv[argc] = NULL;
    return command_line_parse(line, argc, argv);
}

static void test_good(void)
{
    struct command_line line;
    CHECK(parse(&line, "run"));
    CHECK(line.command == COMMAND_RUN && line.config_path == NULL && !line.debug && line.port == 0);
    CHECK(parse(&line, "run -c a.json -d -p 9000"));
    CHECK(strcmp(line.config_path, "a.json") == 0 && line.debug && line.port == 9000);
    CHECK(parse(&line, "run -ca.json -p65535"));
    CHECK(strcmp(line.config_path, "a.json") == 0 && line.port == 65535);
    CHECK(parse(&line, "run --config=a.json --debug --port 1"));
    CHECK(strcmp(line.config_path, "a.json") == 0 && line.debug && line.port == 1);
    CHECK(parse(&line, "check --config b.json"));
    CHECK(line.command == COMMAND_CHECK && strcmp(line.config_path, "b.json") == 0 && !line.json);
    CHECK(parse(&line, "check --json -c b.json") && line.json && !line.board);
    CHECK(parse(&line, "check --board -c b.json") && line.board && !line.json);
    CHECK(!parse(&line, "run --board -c b.json"));
    CHECK(parse(&line, "version") && line.command == COMMAND_VERSION);
    CHECK(parse(&line, "--version") && line.command == COMMAND_VERSION);
    CHECK(parse(&line, "help") && line.command == COMMAND_HELP);
    CHECK(parse(&line, "--help") && line.command == COMMAND_HELP);
    CHECK(parse(&line, "check --help") && line.command == COMMAND_HELP);
}

static void test_bad(void)
{
    static const struct {
        const char *words;
        const char *error;
        const char *arg;
    } rows[] = {
        {"", "no command", NULL},
        {"start", "unknown command", "start"},
        {"run -x", "unknown option", "-x"},
        {"run --configuration=a", "unknown option", "--configuration=a"},
        {"run --debug=yes", "unknown option", "--debug=yes"},
        {"run -dx", "unknown option", "-dx"},
        {"run a.json", "unexpected argument", "a.json"},
        {"run -c", "missing value after", "-c"},
        {"run --config=", "missing value after", "-c"},
        {"run -p", "missing value after", "-p"},
        {"run -p 0", "not a port (1 to 65535):", "0"},
        {"run -p 65536", "not a port (1 to 65535):", "65536"},
        {"run -p 99999999999", "not a port (1 to 65535):", "99999999999"},
        {"run -p 80a", "not a port (1 to 65535):", "80a"},
        {"run -p -1", "not a port (1 to 65535):", "-1"},
        {"check", "check needs -c FILE", NULL},
        {"check -c a.json -d", "unknown option", "-d"},
        {"run --json", "unknown option", "--json"},
        {"check -c a.json -p 80", "unknown option", "-p"},
        {"version -c", "unknown option", "-c"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct command_line line;
        CHECK(!parse(&line, rows[i].words));
        CHECK(strcmp(line.error, rows[i].error) == 0);
        CHECK((line.error_arg == NULL) == (rows[i].arg == NULL));
        CHECK(rows[i].arg == NULL || strcmp(line.error_arg, rows[i].arg) == 0);
    }
}

int main(void)
{
    test_good();
    test_bad();
    return check_result();
}
