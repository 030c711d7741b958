/* Files in PEM form, read once: a mapping would end the daemon when somebody cuts the file. */
#include "port/port.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where Debian's ca-certificates puts all authorities, and the variable of OpenSSL and Go that
 * names another file. */
#define SYSTEM_FILE "/etc/ssl/certs/ca-certificates.crt"
#define SYSTEM_VARIABLE "SSL_CERT_FILE"

/* A text that was read. The core may keep slices of it, so it is never freed; the chain says so to
 * leak checkers. */
struct pem_file {
    struct pem_file *next;
    char text[];
};

static struct slice read_all(int fd, size_t size)
{
    static struct pem_file *files;
    struct pem_file *file = malloc(sizeof(*file) + size);
    if (file == NULL) {
        return SLICE_EMPTY;
    }
    char *text = file->text;
    size_t len = 0;
    ssize_t count = 1;
    while (len < size && count > 0) {
        count = read(fd, text + len, size - len);
        len += count > 0 ? (size_t)count : 0;
    }
    if (count < 0) {
        free(file);
        return SLICE_EMPTY;
    }
    file->next = files;
    files = file;
    return slice_of(text, len);
}

static struct slice read_file(const char *path)
{
    struct stat status;
    struct slice text = SLICE_EMPTY;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SLICE_EMPTY;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        text = read_all(fd, (size_t)status.st_size);
    }
    close(fd);
    return text;
}

struct slice port_pem(struct slice path)
{
    char name[PATH_MAX];
    const char *variable = getenv(SYSTEM_VARIABLE);
    if (path.len == 0) {
        return read_file(variable != NULL && variable[0] != '\0' ? variable : SYSTEM_FILE);
    }
    if (path.len >= sizeof(name)) {
        return SLICE_EMPTY;
    }
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    return read_file(name);
}
