/* Replays tests/regress/message: "request-STATUS-..." is a whole request, "answer-ok-..." and
 * "answer-bad-..." are heads of answers. Each in one piece and byte by byte. */
#define _POSIX_C_SOURCE 200809L
#include "web/message.h"

#include "check.h"

#include <dirent.h>
#include <stdlib.h>

static char bytes[65536];
static char grown[sizeof(bytes)];
static struct message_head head;

static size_t read_file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", LIMPET_MESSAGE_FILES, name);
    FILE *file = fopen(path, "rb");
    if (!CHECK(file != NULL)) {
        return 0;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    CHECK(len > 0 && len < sizeof(bytes));
    return len;
}

static unsigned body_status(struct body_reader *reader, size_t *at, size_t have)
{
    for (;;) {
        struct slice data;
        int64_t used = body_reader_next(reader, slice_of(grown + *at, have - *at), &data);
        if (used < 0) {
            return 400;
        }
        *at += (size_t)used + data.len;
        if (data.len == 0) {
            return reader->done ? 200 : 0;
        }
        body_reader_take(reader, data.len);
    }
}

static unsigned request_status(size_t len, size_t piece)
{
    struct body_reader reader;
    size_t scanned = 0;
    size_t at = 0;
    for (size_t have = 0; have < len;) {
        size_t more = piece < len - have ? piece : len - have;
        memcpy(grown + have, bytes + have, more);
        have += more;
        if (at == 0) {
            int parsed = message_parse_request(slice_of(grown, have), &scanned, &head);
            if (parsed < 0) {
                return head.refuse_status;
            }
            if (parsed == 0) {
                continue;
            }
            at = (size_t)parsed;
            body_reader_init(&reader, &head);
        }
        unsigned status = body_status(&reader, &at, have);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int answer_result(size_t len, size_t piece)
{
    size_t scanned = 0;
    int parsed = 0;
    for (size_t have = 0; have < len && parsed == 0;) {
        size_t more = piece < len - have ? piece : len - have;
        memcpy(grown + have, bytes + have, more);
        have += more;
        parsed = message_parse_response(slice_of(grown, have), &scanned, false, &head);
    }
    return parsed;
}

static void replay(const char *name)
{
    size_t len = read_file(name);
    bool right;
    if (strncmp(name, "request-", 8) == 0) {
        unsigned status = (unsigned)strtoul(name + 8, NULL, 10);
        right = CHECK_EQ_UINT(request_status(len, len), status);
        right = CHECK_EQ_UINT(request_status(len, 1), status) && right;
    } else {
        bool good = strncmp(name, "answer-ok-", 10) == 0;
        CHECK(good || strncmp(name, "answer-bad-", 11) == 0);
        int parsed = answer_result(len, len);
        right = CHECK_EQ_INT(parsed > 0, good);
        right = CHECK_EQ_INT(answer_result(len, 1), parsed) && right;
    }
    if (!right) {
        fprintf(stderr, "    %s\n", name);
    }
}

int main(void)
{
    DIR *dir = opendir(LIMPET_MESSAGE_FILES);
    if (!CHECK(dir != NULL)) {
        return check_result();
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            replay(entry->d_name);
        }
    }
    closedir(dir);
    return check_result();
}
