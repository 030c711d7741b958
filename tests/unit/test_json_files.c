/* Replays tests/regress/json: "ok-..." must be accepted, "bad-..." refused, also cut at each byte.
 *
 * test_json_files FOLDER VALID INVALID replays a folder of JSONTestSuite instead: "y_..." must be
 * accepted, "n_..." refused, "i_..." may be either; of the first two there are at least so many. */
#define _POSIX_C_SOURCE 200809L
#include "base/json.h"

#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#define FILE_LEN_MAX (1024 * 1024)

static char bytes[FILE_LEN_MAX];

static struct slice read_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!CHECK(file != NULL)) {
        return SLICE_EMPTY;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    CHECK(len < sizeof(bytes));
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
    struct slice text = read_file(LIMPET_JSON_FILES, name);
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

/* ---- JSONTestSuite -------------------------------------------------------------------------- */

struct tally {
    unsigned long valid;
    unsigned long invalid;
};

static void replay_suite_file(const char *folder, const char *name, struct tally *tally)
{
    struct json_error error = {SIZE_MAX, NULL};
    struct slice text = read_file(folder, name);
    bool accepted = json_check(text, &error) > 0;
    bool valid = strncmp(name, "y_", 2) == 0;
    bool invalid = strncmp(name, "n_", 2) == 0;
    CHECK(accepted || (error.text != NULL && error.offset <= text.len));
    if (!CHECK(!(valid && !accepted) && !(invalid && accepted))) {
        fprintf(stderr, "    %s: %s\n", name, accepted ? "accepted" : error.text);
        return;
    }
    tally->valid += valid;
    tally->invalid += invalid;
}

/* ---- Folders -------------------------------------------------------------------------------- */

static void for_each_file(const char *folder, struct tally *suite)
{
    DIR *dir = opendir(folder);
    if (!CHECK(dir != NULL)) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (suite != NULL) {
            replay_suite_file(folder, entry->d_name, suite);
        } else {
            replay(entry->d_name);
        }
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        for_each_file(LIMPET_JSON_FILES, NULL);
        return check_result();
    }
    if (!CHECK(argc == 4)) {
        return check_result();
    }
    struct tally suite = {0, 0};
    for_each_file(argv[1], &suite);
    CHECK(suite.valid >= strtoul(argv[2], NULL, 10));
    CHECK(suite.invalid >= strtoul(argv[3], NULL, 10));
    printf("%lu valid texts accepted, %lu invalid ones refused\n", suite.valid, suite.invalid);
    return check_result();
}
