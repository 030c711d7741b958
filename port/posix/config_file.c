#include "config_file.h"

#include "quickstart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct printer {
    const char *name;
    bool verbose;
};

static bool say_errno(const char *path);
static void print_finding(void *ctx, const struct config_finding *finding);

/* ---- Reading ----------------------------------------------------------------------------------
 */

bool config_file_read(struct config_source *source, const char *path)
{
    static char text[LIMPET_CONFIG_TEXT_LEN_MAX + 1u];
    size_t len = 0;
    ssize_t count = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return say_errno(path);
    }
    while (count > 0 && len < sizeof(text)) {
        count = read(fd, text + len, sizeof(text) - len);
        len += count > 0 ? (size_t)count : 0;
    }
    if (count < 0) {
        say_errno(path);
    }
    close(fd);
    if (len > LIMPET_CONFIG_TEXT_LEN_MAX) {
        fprintf(stderr, "%s: longer than %u bytes (LIMPET_CONFIG_TEXT_LEN_MAX)\n", path,
                LIMPET_CONFIG_TEXT_LEN_MAX);
        return false;
    }
    *source = (struct config_source){.name = path, .text = slice_of(text, len)};
    return count >= 0;
}

static bool say_errno(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

struct config_source config_file_quickstart(void)
{
    return (struct config_source){.name = "quickstart.json",
                                  .text = slice_of(quickstart_json, quickstart_json_len)};
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

bool config_file_load(struct app *app, const struct config_source *source, bool verbose)
{
    struct printer printer = {.name = source->name, .verbose = verbose};
    return app_load(app, source->text, print_finding, &printer) == LIMPET_OK;
}

static const char *mark(enum config_finding_kind kind)
{
    switch (kind) {
    case CONFIG_WARNING:
        return "warning: ";
    case CONFIG_NO_EFFECT:
        return "no effect: ";
    case CONFIG_ERROR:
        break;
    }
    return "";
}

static void print_finding(void *ctx, const struct config_finding *finding)
{
    const struct printer *printer = ctx;
    if (finding->kind != CONFIG_NO_EFFECT || printer->verbose) {
        config_file_say(printer->name, finding);
    }
}

void config_file_say(const char *name, const struct config_finding *finding)
{
    fprintf(stderr, "%s:", name);
    if (finding->line > 0) {
        fprintf(stderr, "%u:%u:", (unsigned)finding->line, (unsigned)finding->column);
    }
    if (finding->path.len > 0) {
        fprintf(stderr, " %.*s:", (int)finding->path.len, finding->path.ptr);
    }
    fprintf(stderr, " %s%.*s\n", mark(finding->kind), (int)finding->message.len,
            finding->message.ptr);
}
