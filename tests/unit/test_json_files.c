/* Replays tests/regress/json: "ok-..." must be accepted, "bad-..." refused, also cut at each byte.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/json.h"

#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#define FILE_LEN_MAX (1024 * 1024)

static char bytes[FILE_LEN_MAX];

static struct slice read_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", LIMPET_JSON_FILES, name);
    FILE *file = fopen(path, "rb");
    if (!CHECK(file != NULL)) {
        return SLICE_EMPTY;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    CHECK(len > 0 && len < sizeof(bytes));
    return slice_of(bytes, len);
}

static void count_members(struct slice value)
{
    struct json_iter iter;
    struct json_member member;
    json_iter_init(&iter, value);
    while (json_iter_next(&iter, &member)) {
        CHECK(member.value.len > 0);
    }
    CHECK(iter.at + 1 == value.ptr + value.len);
}

static void replay(const char *name)
{
    struct slice text = read_file(name);
    struct slice value;
    struct json_error error = {SIZE_MAX, NULL};
    bool good = strncmp(name, "ok-", 3) == 0;
    CHECK(good || strncmp(name, "bad-", 4) == 0);
    int used = json_check(text, &error);
    if (!CHECK((used > 0) == good)) {
        fprintf(stderr, "    %s\n", name);
    }
    if (used <= 0) {
        CHECK(error.text != NULL && error.offset <= text.len);
        return;
    }
    CHECK_EQ_INT(json_scan(text, JSON_UTF8_STRICT, &value, NULL), used);
    count_members(value);
    for (size_t len = 0; len < (size_t)used; len++) {
        CHECK_EQ_INT(json_check(slice_take(text, len), &error), LIMPET_ERR_SYNTAX);
        CHECK_EQ_UINT(error.offset, len);
    }
}

int main(void)
{
    DIR *dir = opendir(LIMPET_JSON_FILES);
    if (!CHECK(dir != NULL)) {
        return check_result();
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            replay(entry->d_name);
        }
    }
    closedir(dir);
    return check_result();
}
