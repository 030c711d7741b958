/* A span of bytes that somebody else owns. Never NUL terminated by contract.
 *
 * {NULL, 0} is the empty slice and equal to any other slice of length 0. The owner and the life
 * time are said where a slice is handed over. */
#ifndef LIMPET_BASE_SLICE_H
#define LIMPET_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    const char *ptr;
    size_t len; /* bytes */
};

#define SLICE_EMPTY ((struct slice){NULL, 0})
/* Of a string literal only: sizeof counts its NUL. */
#define SLICE_LIT(literal) ((struct slice){(literal), sizeof(literal) - 1})

struct slice slice_of(const char *ptr, size_t len);
struct slice slice_from_cstr(const char *cstr); /* NULL gives the empty slice */
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII letters only */
int slice_compare(struct slice a, struct slice b);       /* bytewise, as memcmp then length */
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
/* From `from` (clamped to the length) to the end, and the first `len` bytes (clamped). */
struct slice slice_skip(struct slice s, size_t from);
struct slice slice_take(struct slice s, size_t len);
/* Index of the first `byte`, or s.len when there is none. */
size_t slice_find(struct slice s, char byte);
struct slice slice_trim(struct slice s); /* spaces and tabs at both ends */

#endif
