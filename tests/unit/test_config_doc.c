/* docs/CONFIG.md and the parser's table of keys say the same: each section of the table is a
 * chapter, each key a row of it with the same type, default, range or status, and there is no other
 * row. `test_config_doc --table` prints the rows as they have to begin. */
#include "check.h"
#include "config/keys.h"

#include <stdlib.h>

struct row {
    const char *chapter;
    char text[256];
};
#define ROWS_MAX 512
static struct row rows[ROWS_MAX];
static size_t row_count;

static const char *type_word(enum key_type type)
{
    static const char *const words[] = {
        [KEY_STRING] = "string",     [KEY_SECRET] = "string",
        [KEY_BOOL] = "boolean",      [KEY_NUMBER] = "number",
        [KEY_DURATION] = "duration", [KEY_STRINGS] = "list of strings",
        [KEY_OBJECT] = "object",     [KEY_OBJECTS] = "list of objects",
        [KEY_ANY] = "any",           [KEY_REAL] = "real",
    };
    return words[type];
}

static const char *status_word(enum key_status status, bool has_default)
{
    switch (status) {
    case KEY_USED:
        break;
    case KEY_NO_EFFECT:
        return "accepted, no effect";
    case KEY_LATER:
        return has_default ? "not yet: the default only" : "not yet";
    case KEY_NEVER:
        return has_default ? "no: the default only" : "no";
    case KEY_RENAMED:
        return "old name";
    }
    return "";
}

static void add_row(const char *chapter, const char *name, enum key_type type,
                    enum key_status status, const char *fallback, const char *range)
{
    struct row *row = &rows[row_count++];
    const char *tick = fallback[0] == '\0' ? "" : "`";
    const char *last = status == KEY_USED ? range : status_word(status, fallback[0] != '\0');
    row->chapter = chapter;
    snprintf(row->text, sizeof(row->text), "| `%s` | %s | %s%s%s | %s |", name, type_word(type),
             tick, fallback, tick, last);
}

static void collect_rows(void)
{
#define USED(id, name, type, fallback, range)                                                      \
    add_row(place, name, KEY_##type, KEY_USED, fallback, range);
#define OTHER(name, type, status, fallback)                                                        \
    add_row(place, name, KEY_##type, KEY_##status, fallback, "");
#define X(section, stem, where)                                                                    \
    {                                                                                              \
        const char *place = where;                                                                 \
        KEYS_##stem(USED) KEYS_##stem##_OTHER(OTHER)                                               \
    }
    KEYS_SECTIONS(X)
#undef X
#undef OTHER
#undef USED
#define X(old, name)                                                                               \
    rows[row_count].chapter = "Older namespaces";                                                  \
    snprintf(rows[row_count].text, sizeof(rows[0].text), "| `%s` | `%s` |", old, name);            \
    row_count++;
    KEYS_ALIASES(X)
#undef X
    CHECK(row_count <= ROWS_MAX);
}

static void print_rows(void)
{
    const char *chapter = "";
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(chapter, rows[i].chapter) != 0) {
            chapter = rows[i].chapter;
            printf("## %s\n", chapter);
        }
        puts(rows[i].text);
    }
}

/* The row of the table that a line of the text is; NULL when it is none of this chapter. */
static const struct row *find_row(const char *chapter, const char *line)
{
    for (size_t i = 0; i < row_count; i++) {
        size_t len = strlen(rows[i].text);
        if (strcmp(chapter, rows[i].chapter) == 0 && strncmp(line, rows[i].text, len) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void compare(FILE *doc)
{
    static bool seen[ROWS_MAX];
    char line[1024];
    char chapter[sizeof(line)] = "";
    while (fgets(line, sizeof(line), doc) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "## ", 3) == 0) {
            snprintf(chapter, sizeof(chapter), "%s", line + 3);
        }
        if (strncmp(line, "| `", 3) != 0) {
            continue;
        }
        const struct row *row = find_row(chapter, line);
        if (!CHECK(row != NULL)) {
            fprintf(stderr, "  not in the table: %s: %s\n", chapter, line);
            continue;
        }
        CHECK(!seen[row - rows]);
        seen[row - rows] = true;
    }
    for (size_t i = 0; i < row_count; i++) {
        if (!CHECK(seen[i])) {
            fprintf(stderr, "  not in docs/CONFIG.md: %s: %s\n", rows[i].chapter, rows[i].text);
        }
    }
}

int main(int argc, char **argv)
{
    collect_rows();
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        print_rows();
        return 0;
    }
    FILE *doc = fopen(LIMPET_CONFIG_DOC, "r");
    if (CHECK(doc != NULL)) {
        compare(doc);
        fclose(doc);
    }
    return check_result();
}
