/* A value of any type may stand at any place of a configuration: those that hold every kind of key
 * are loaded with each of their values replaced by others. Nothing but errors may come of it, in
 * the order of the text. */
#include "base/json.h"
#include "check.h"
#include "config/config.h"

#include <stdlib.h>

#define SCRATCH_LEN (1u << 20)
#define TEXT_LEN_MAX (64u * 1024u)

static struct config config;
static char scratch[SCRATCH_LEN];
static char original[TEXT_LEN_MAX];
static size_t loads;
static size_t refusals;

static const char *const others[] = {
    "null",          "true",          "false", "0",      "7",          "-1",   "1e3",  "\"\"",
    "\"x\"",         "\"\\u00e4{\"",  "[]",    "[null]", "[7, \"x\"]", "[[]]", "[{}]", "{}",
    "{\"x\": null}", "{\"x\": [{}]}",
};

struct told {
    unsigned errors;
    uint32_t last_line;
};

static void count_errors(void *ctx, const struct config_finding *finding)
{
    struct told *told = ctx;
    told->errors += finding->kind == CONFIG_ERROR;
    CHECK(finding->message.len > 0);
    CHECK(finding->line == 0 || finding->line >= told->last_line);
    told->last_line = finding->line == 0 ? UINT32_MAX : finding->line;
}

/* On the heap and of the exact length: a sanitizer sees any read behind the end. */
static void load_with(struct slice text, struct slice value, struct slice other)
{
    size_t before = (size_t)(value.ptr - text.ptr);
    size_t len = text.len - value.len + other.len;
    char *changed = malloc(len);
    memcpy(changed, text.ptr, before);
    memcpy(changed + before, other.ptr, other.len);
    memcpy(changed + before + other.len, value.ptr + value.len, text.len - before - value.len);
    struct told told = {0, 0};
    int err =
        config_load(&config, slice_of(changed, len), scratch, sizeof(scratch), count_errors, &told);
    if (!CHECK((err == LIMPET_OK) == (told.errors == 0))) {
        fprintf(stderr, "    %.*s in place of %.*s\n", (int)other.len, other.ptr, (int)value.len,
                value.ptr);
    }
    loads++;
    refusals += err != LIMPET_OK;
    free(changed);
}

static void replace_each(struct slice text, struct slice value)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        load_with(text, value, slice_from_cstr(others[i]));
    }
    if (json_type_of(value) != JSON_OBJECT && json_type_of(value) != JSON_ARRAY) {
        return;
    }
    struct json_iter iter;
    struct json_member member;
    json_iter_init(&iter, value);
    while (json_iter_next(&iter, &member)) {
        replace_each(text, member.value);
    }
}

static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!CHECK(file != NULL)) {
        return;
    }
    struct slice text = slice_of(original, fread(original, 1, sizeof(original), file));
    fclose(file);
    struct slice value;
    CHECK(json_scan(text, JSON_UTF8_STRICT, &value, NULL) > 0);
    size_t before = refusals;
    load_with(text, value, value);
    CHECK_EQ_UINT(refusals, before); /* unchanged it is right */
    replace_each(text, value);
}

int main(void)
{
    replay(LIMPET_CONFIGS "/full.json");
    replay(LIMPET_CONFIGS "/shaping.json");
    CHECK(loads > 2000 && refusals > loads / 2);
    return check_result();
}
