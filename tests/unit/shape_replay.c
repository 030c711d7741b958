/* Shapes bodies as their configuration says, and merges them, for test_shape_oracle.py.
 *
 * Input, as often as it comes: a line "CONFIG_LEN SIZE LEN LEN ...", then the configuration, then
 * the bodies: of backend 0, 1, ... of the first endpoint. Output: a line "LEN" and the shaped body
 * for each, or "-" when it is refused; then "merged LEN" and the objects as they stand in one
 * merged answer, one after the other. SIZE: bytes of each buffer. */
#include "config/config.h"
#include "gateway/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LEN_MAX (1u << 20)

static struct config config;
static struct shape_scratch scratch;
static char config_text[1u << 16];
static char config_scratch[4u << 20];
static char bodies[LIMPET_MERGE_MAX][BODY_LEN_MAX];

static void report(void *ctx, const struct config_finding *finding)
{
    (void)ctx;
    if (finding->kind == CONFIG_ERROR) {
        fprintf(stderr, "%u:%u: %.*s\n", finding->line, finding->column, (int)finding->message.len,
                finding->message.ptr);
    }
}

static void read_bytes(char *bytes, size_t len)
{
    if (fread(bytes, 1, len, stdin) != len) {
        exit(1);
    }
}

static void put(const char *name, const char *bytes, size_t len)
{
    printf("%s%zu\n", name, len);
    fwrite(bytes, 1, len, stdout);
    putchar('\n');
}

static bool shape(size_t index, size_t *len, size_t size)
{
    const struct config_backend *backend = &config.backends[index];
    const struct shape_rules rules = {&config, &backend->shape, backend->encoding};
    struct shape_result result;
    if (shape_body(&scratch, &rules, bodies[index], *len, size, &result) != LIMPET_OK) {
        puts("-");
        return false;
    }
    *len = result.len;
    put("", bodies[index], result.len);
    return !result.null;
}

static void replay(char *line)
{
    struct shape_part parts[LIMPET_MERGE_MAX];
    size_t lens[LIMPET_MERGE_MAX];
    size_t count = 0;
    size_t part_count = 0;
    size_t config_len = strtoul(line, &line, 10);
    size_t size = strtoul(line, &line, 10);
    while (*line == ' ') {
        lens[count++] = strtoul(line, &line, 10);
    }
    read_bytes(config_text, config_len);
    for (size_t i = 0; i < count; i++) {
        read_bytes(bodies[i], lens[i]);
    }
    if (config_load(&config, slice_of(config_text, config_len), config_scratch,
                    sizeof(config_scratch), report, NULL) != LIMPET_OK) {
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        if (shape(i, &lens[i], size)) {
            parts[part_count++] = (struct shape_part){bodies[i], lens[i]};
        }
    }
    if (shape_merge(&scratch, parts, part_count) != LIMPET_OK) {
        exit(1);
    }
    for (size_t i = 0; i < part_count; i++) {
        put("merged ", parts[i].bytes, parts[i].len);
    }
    puts(".");
    fflush(stdout);
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        replay(line);
    }
    return 0;
}
