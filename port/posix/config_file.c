#include "config_file.h"

#include "quickstart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One byte more than a text may have, to see that there is more. */
static char text[LIMPET_CONFIG_TEXT_LEN_MAX + 1u];

struct printer {
    const struct config_source *source;
    bool verbose;
};

static bool add_environment(struct config_source *source, size_t len);
static bool say_errno(const char *path);
static void print_finding(void *ctx, const struct config_finding *finding);

/* ---- Reading ----------------------------------------------------------------------------------
 */

bool config_file_read(struct config_source *source, const char *path)
{
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
    source->name = path;
    return count >= 0 && add_environment(source, len);
}

/* To the first `len` bytes of `text`. */
static bool add_environment(struct config_source *source, size_t len)
{
    environment_read(&source->environment);
    if (!environment_apply(&source->environment, text, &len, LIMPET_CONFIG_TEXT_LEN_MAX)) {
        fprintf(stderr, "%s: no room for the values of KRAKEND_* variables\n", source->name);
        return false;
    }
    source->text = slice_of(text, len);
    return true;
}

static bool say_errno(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

bool config_file_quickstart(struct config_source *source)
{
    source->name = "quickstart.json";
    memcpy(text, quickstart_json, quickstart_json_len);
    return add_environment(source, quickstart_json_len);
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

bool config_file_load(struct app *app, const struct config_source *source, bool verbose)
{
    struct printer printer = {.source = source, .verbose = verbose};
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
        config_file_say(printer->source, finding);
    }
}

void config_file_say(const struct config_source *source, const struct config_finding *finding)
{
    const struct config_finding f = environment_place(&source->environment, finding);
    fprintf(stderr, "%s:", source->name);
    if (f.line > 0) {
        fprintf(stderr, "%u:%u:", (unsigned)f.line, (unsigned)f.column);
    }
    if (f.path.len > 0) {
        fprintf(stderr, " %.*s:", (int)f.path.len, f.path.ptr);
    }
    fprintf(stderr, " %s%.*s\n", mark(f.kind), (int)f.message.len, f.message.ptr);
}
