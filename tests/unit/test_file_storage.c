/* The file behind --state: NOR's rules, and what another opening finds. */
#include "check.h"
#include "file_storage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[128];

static void check_bytes(struct file_storage *s, uint32_t at, const char *want, size_t len)
{
    char bytes[16];
    CHECK(s->storage.read(s->storage.ctx, at, bytes, len));
    CHECK_EQ_MEM(bytes, len, want, len);
}

static void test_nor(struct file_storage *s)
{
    struct port_storage *p = &s->storage;
    uint32_t last = p->sector_len * p->sector_count - 4;
    check_bytes(s, 0, "\xff\xff\xff\xff", 4);
    check_bytes(s, last, "\xff\xff\xff\xff", 4);
    CHECK(p->program(p->ctx, 5, "ab", 2) && p->program(p->ctx, last, "\x00\x01\x02\x03", 4));
    check_bytes(s, 4, "\xff" "ab\xff", 4);
    CHECK(p->erase(p->ctx, 1) && p->sync(p->ctx));
    check_bytes(s, 4, "\xff" "ab\xff", 4);
    CHECK(p->erase(p->ctx, 0));
    check_bytes(s, 4, "\xff\xff\xff\xff", 4);
    check_bytes(s, last, "\x00\x01\x02\x03", 4);
}

int main(void)
{
    struct file_storage one;
    struct file_storage two;
    const char *folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(directory, sizeof directory, "%.40s/limpet-state.%ld", folder, (long)getpid());
    CHECK_EQ_INT(file_storage_open(&one, directory), LIMPET_OK);
    CHECK_EQ_INT(file_storage_open(&two, directory), LIMPET_ERR_BUSY);
    test_nor(&one);
    close(one.fd);
    close(two.fd);
    CHECK_EQ_INT(file_storage_open(&two, directory), LIMPET_OK);
    check_bytes(&two, two.storage.sector_len * two.storage.sector_count - 4, "\x00\x01\x02\x03", 4);
    close(two.fd);
    CHECK_EQ_INT(file_storage_open(&two, "/dev/null/x"), LIMPET_ERR_IO);
    char path[160];
    snprintf(path, sizeof path, "%s/windows.log", directory);
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    CHECK_EQ_INT(file_storage_open(&two, directory), LIMPET_ERR_IO);
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    CHECK_EQ_INT(file_storage_open(&two, directory), LIMPET_ERR_IO);
    CHECK(rmdir(path) == 0 && rmdir(directory) == 0);
    return check_result();
}
