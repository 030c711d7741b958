/* Storage for what must survive a restart (struct port_storage): one file of a fixed length.
 *
 * The file holds the complement of every byte, so that what was never written is a hole, reads as
 * erased and takes no room. A lock keeps a second daemon out. */
#ifndef LIMPET_POSIX_FILE_STORAGE_H
#define LIMPET_POSIX_FILE_STORAGE_H

#include "base/err.h"
#include "port/port.h"

struct file_storage {
    struct port_storage storage; /* pass this on */
    int fd;
};

/* Makes the directory (not its parents) and the file when they are missing. LIMPET_ERR_BUSY:
 * another limpetd uses it; LIMPET_ERR_IO: it cannot be used, and windows wait in memory only; both
 * said on stderr. `storage` must stay where it is. */
LIMPET_WARN_UNUSED
int file_storage_open(struct file_storage *storage, const char *directory);

#endif
