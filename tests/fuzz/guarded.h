/*
 * A copy of the input whose last byte stands in front of a page that may not be touched: a read of
 * one byte too many stops the program at once, also without a sanitizer, and also where a parser
 * loads a word at a time.
 */
#ifndef GUARDED_H
#define GUARDED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
    char *map;
    size_t room; /* bytes in front of the guard page */
    size_t page;
};

static inline void guarded_unmap(struct guarded *guarded)
{
    if (guarded->map != NULL) {
        munmap(guarded->map, guarded->room + guarded->page);
        guarded->map = NULL;
    }
}

/* The copy is valid until the next call with the same `guarded`. */
static inline char *guarded_copy(struct guarded *guarded, const void *bytes, size_t len)
{
    if (guarded->map == NULL || len > guarded->room) {
        guarded_unmap(guarded);
        guarded->page = (size_t)sysconf(_SC_PAGESIZE);
        guarded->room = (len / guarded->page + 1) * guarded->page;
        guarded->map = mmap(NULL, guarded->room + guarded->page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (guarded->map == MAP_FAILED ||
            mprotect(guarded->map + guarded->room, guarded->page, PROT_NONE) != 0) {
            abort();
        }
    }
    char *copy = guarded->map + guarded->room - len;
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

#endif
