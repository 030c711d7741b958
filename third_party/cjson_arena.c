#include "cjson_arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define ARENA_ALIGN alignof(max_align_t)

/* Lives at the start of the caller's buffer. `top` and `peak` count from `base`. */
struct arena {
    unsigned char *base;
    size_t len;
    size_t top;
    size_t peak;
};

/* Stands before each block; the padding keeps the block aligned. */
struct block {
    alignas(max_align_t) size_t size;
};

/* The active arena, or NULL. `starved` stands in for a buffer too small to hold an arena. */
static struct arena *active;
static struct arena starved;

static size_t align_up(size_t n)
{
    return (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

void cjson_arena_begin(void *buf, size_t len)
{
    assert(active == NULL);
    assert(buf != NULL || len == 0);

    size_t skip = (ARENA_ALIGN - (uintptr_t)buf % ARENA_ALIGN) % ARENA_ALIGN;
    size_t head = skip + align_up(sizeof(struct arena));
    if (head > len) {
        starved = (struct arena){0};
        active = &starved;
        return;
    }
    active = (struct arena *)(void *)((unsigned char *)buf + skip);
    *active = (struct arena){.base = buf, .len = len, .top = head, .peak = head};
}

size_t cjson_arena_end(void)
{
    assert(active != NULL);
    size_t peak = active->peak;
    active = NULL;
    return peak;
}

static struct block *block_of(void *payload)
{
    return (struct block *)payload - 1;
}

static size_t payload_offset(const void *payload)
{
    return (size_t)((const unsigned char *)payload - active->base);
}

/* Is it the topmost block, the one that can still change its size? */
static int is_top(void *payload)
{
    return payload_offset(payload) + align_up(block_of(payload)->size) == active->top;
}

/* Room for a payload of `size` bytes at `offset`? The remainder is compared, so nothing wraps. */
static int fits(size_t offset, size_t size)
{
    return size != 0 && offset <= active->len && size <= active->len - offset
        && align_up(size) >= size && align_up(size) <= active->len - offset;
}

static void set_top(size_t top)
{
    active->top = top;
    if (top > active->peak) {
        active->peak = top;
    }
}

void *cjson_arena_malloc(size_t size)
{
    if (active == NULL || !fits(active->top + sizeof(struct block), size)) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)(active->base + active->top);
    block->size = size;
    set_top(active->top + sizeof(struct block) + align_up(size));
    return block + 1;
}

static void *move(void *payload, size_t size)
{
    void *moved = cjson_arena_malloc(size);
    if (moved != NULL) {
        size_t old = block_of(payload)->size;
        memcpy(moved, payload, old < size ? old : size);
    }
    return moved;
}

void *cjson_arena_realloc(void *payload, size_t size)
{
    if (payload == NULL) {
        return cjson_arena_malloc(size);
    }
    if (active == NULL) {
        return NULL;
    }
    if (!is_top(payload)) {
        return move(payload, size);
    }
    if (!fits(payload_offset(payload), size)) {
        return NULL;
    }
    block_of(payload)->size = size;
    set_top(payload_offset(payload) + align_up(size));
    return payload;
}

void cjson_arena_free(void *payload)
{
    if (payload == NULL || active == NULL || !is_top(payload)) {
        return;
    }
    active->top = payload_offset(payload) - sizeof(struct block);
}

double cjson_skip_number(const char *text, char **end)
{
    union {
        const char *in;
        char *out;
    } behind = {text + strlen(text)};
    *end = behind.out;
    return 0;
}
