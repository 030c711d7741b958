#include "file_storage.h"

#include "app_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "windows.log"
/* Windows of 256 endpoints have some 100 kB, and one must fit into a sector. */
#define SECTOR_LEN (256u * 1024u)
/* Twice what waits in RAM at most, so that its turn to be erased comes to what left long ago. */
#define SECTOR_COUNT (2u * LIMPET_SPOOL_LEN / SECTOR_LEN + 4u)

static int unusable(const char *directory, const char *why);
static bool move(int fd, uint32_t at, uint8_t *bytes, size_t len, bool write);
static bool storage_read(void *ctx, uint32_t at, void *bytes, size_t len);
static bool storage_program(void *ctx, uint32_t at, const void *bytes, size_t len);
static bool storage_erase(void *ctx, uint32_t sector);
static bool storage_sync(void *ctx);

int file_storage_open(struct file_storage *s, const char *directory)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/" FILE_NAME, directory);
    s->fd = -1;
    s->storage = (struct port_storage){
        .ctx = s,
        .sector_len = SECTOR_LEN,
        .sector_count = SECTOR_COUNT,
        .read = storage_read,
        .program = storage_program,
        .erase = storage_erase,
        .sync = storage_sync,
    };
    errno = ENAMETOOLONG;
    if (len > 0 && (size_t)len < sizeof(path) && (mkdir(directory, 0700) == 0 || errno == EEXIST)) {
        s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    }
    if (s->fd >= 0 && flock(s->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fprintf(stderr, "limpetd: %s/" FILE_NAME ": another limpetd uses it\n", directory);
        return LIMPET_ERR_BUSY;
    }
    struct stat found;
    if (s->fd < 0 || fstat(s->fd, &found) != 0 ||
        (S_ISREG(found.st_mode) && ftruncate(s->fd, (off_t)SECTOR_LEN * SECTOR_COUNT) != 0)) {
        return unusable(directory, strerror(errno));
    }
    return S_ISREG(found.st_mode) ? LIMPET_OK : unusable(directory, "not a regular file");
}

static int unusable(const char *directory, const char *why)
{
    fprintf(stderr, "limpetd: %s/" FILE_NAME ": %s: windows wait in memory only\n", directory, why);
    return LIMPET_ERR_IO;
}

/* Bytes are turned over on their way: `bytes` is overwritten by that when writing, too. */
static bool move(int fd, uint32_t at, uint8_t *bytes, size_t len, bool write)
{
    for (size_t i = 0; write && i < len; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
    for (size_t done = 0; done < len;) {
        off_t from = (off_t)at + (off_t)done;
        ssize_t count = write ? pwrite(fd, bytes + done, len - done, from)
                              : pread(fd, bytes + done, len - done, from);
        if (count <= 0 && !(count < 0 && errno == EINTR)) {
            return false;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    for (size_t i = 0; !write && i < len; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
    return true;
}

static bool storage_read(void *ctx, uint32_t at, void *bytes, size_t len)
{
    const struct file_storage *s = ctx;
    return move(s->fd, at, bytes, len, false);
}

static bool storage_program(void *ctx, uint32_t at, const void *bytes, size_t len)
{
    const struct file_storage *s = ctx;
    const uint8_t *from = bytes;
    uint8_t piece[4096];
    while (len > 0) {
        size_t count = len < sizeof(piece) ? len : sizeof(piece);
        memcpy(piece, from, count);
        if (!move(s->fd, at, piece, count, true)) {
            return false;
        }
        from += count;
        at += (uint32_t)count;
        len -= count;
    }
    return true;
}

/* A hole where the file system has them, else zeros. */
static bool storage_erase(void *ctx, uint32_t sector)
{
    const struct file_storage *s = ctx;
    uint8_t piece[4096];
    uint32_t at = sector * SECTOR_LEN;
    if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, SECTOR_LEN) == 0) {
        return true;
    }
    for (uint32_t done = 0; done < SECTOR_LEN; done += (uint32_t)sizeof(piece)) {
        memset(piece, 0xFF, sizeof(piece));
        if (!move(s->fd, at + done, piece, sizeof(piece), true)) {
            return false;
        }
    }
    return true;
}

static bool storage_sync(void *ctx)
{
    const struct file_storage *s = ctx;
    return fdatasync(s->fd) == 0;
}
