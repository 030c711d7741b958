/*
 * The memory of cJSON: one caller-supplied buffer, active between begin and end.
 *
 * cJSON is compiled with its malloc, free and realloc replaced by the functions below. Blocks are
 * taken from the buffer upwards; freeing the topmost block gives it back, freeing any other block
 * does nothing. A tree is dropped as a whole by cjson_arena_end(); cJSON_Delete() is not needed.
 *
 * cJSON's hooks take no context, so the active arena is the one static pointer of the project.
 * One arena at a time, from one thread.
 */
#ifndef CJSON_ARENA_H
#define CJSON_ARENA_H

#include <stddef.h>

/* Makes `buf` (`len` bytes, any alignment) the memory of cJSON. The caller keeps owning it and
 * leaves it alone until cjson_arena_end(). A buffer too small for the arena's own few words is
 * legal: every allocation then fails. Asserts that no arena is active. */
void cjson_arena_begin(void *buf, size_t len);

/* Ends the arena; every pointer cJSON gave out is dead. Returns the most bytes of `buf` that were
 * in use at one time, the arena's own words and padding included: with a buffer of that size (and
 * the same alignment) the same work succeeds. */
size_t cjson_arena_end(void);

/* For cJSON.c only. Blocks are aligned for any type. NULL when the buffer is full, when the size is
 * 0, or when no arena is active. realloc keeps the old block when it returns NULL. */
void *cjson_arena_malloc(size_t size);
void *cjson_arena_realloc(void *block, size_t size);
void cjson_arena_free(void *block);

/* In the place of cJSON's strtod: steps over the text, which is one number, and gives 0. Numbers
 * are read from the configuration's own text, so that none passes through a double; those
 * of a tree have no value. */
double cjson_skip_number(const char *text, char **end);

#endif
