#include "gateway/keyset.h"

#include <assert.h>
#include <string.h>

_Static_assert(((uint64_t)LIMPET_MERGE_MAX + 1u) * LIMPET_BODY_LEN_MAX <= UINT32_MAX,
               "offsets in all parts of a merge are 32 bit");

/* ---- Sorting ----------------------------------------------------------------------------------
 */

static void sift_down(keyset_offset *keys, size_t at, size_t count, keyset_before_fn before,
                      const void *ctx)
{
    keyset_offset key = keys[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && before(ctx, keys[child], keys[child + 1])) {
            child++;
        }
        if (!before(ctx, key, keys[child])) {
            break;
        }
        keys[at] = keys[child];
        at = child;
    }
    keys[at] = key;
}

void keyset_sort(keyset_offset *keys, size_t count, keyset_before_fn before, const void *ctx)
{
    for (size_t i = count / 2; i > 0; i--) {
        sift_down(keys, i - 1, count, before, ctx);
    }
    for (size_t last = count; last > 1; last--) {
        keyset_offset largest = keys[0];
        keys[0] = keys[last - 1];
        keys[last - 1] = largest;
        sift_down(keys, 0, last - 1, before, ctx);
    }
}

/* ---- Keys -------------------------------------------------------------------------------------
 */

static const struct keyset_part *part_of(const struct keyset *set, uint32_t offset)
{
    size_t low = 0;
    size_t high = set->part_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (set->parts[middle].start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &set->parts[low];
}

/* The member whose opening quote stands at `offset`. */
static void member_at(const struct keyset *set, uint32_t offset, struct json_member *member)
{
    const struct keyset_part *part = part_of(set, offset);
    bool last = part == &set->parts[set->part_count - 1];
    uint32_t end = last ? set->part_end : part[1].start;
    struct json_iter iter = {
        .at = part->bytes + (offset - part->start),
        .end = part->bytes + (end - part->start),
        .object = true,
    };
    bool found = json_iter_next(&iter, member);
    assert(found);
    (void)found;
}

static struct slice key_at(const struct keyset *set, uint32_t offset)
{
    const struct keyset_part *part = part_of(set, offset);
    const char *at = part->bytes + (offset - part->start) + 1;
    const char *end = at;
    while (*end != '"') {
        end += *end == '\\' ? 2 : 1;
    }
    return slice_of(at, (size_t)(end - at));
}

/* By key; equal ones by place, so that the last comes last. */
static bool key_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct keyset *set = ctx;
    int order = json_string_compare(key_at(set, a), key_at(set, b));
    return order != 0 ? order < 0 : a < b;
}

void keyset_begin(struct keyset *set)
{
    set->key_count = 0;
    set->part_count = 0;
    set->part_end = 0;
}

int keyset_add(struct keyset *set, char *bytes, size_t len)
{
    struct json_iter iter;
    struct json_member member;
    assert(set->part_count <= LIMPET_MERGE_MAX);
    set->parts[set->part_count++] = (struct keyset_part){bytes, set->part_end};
    json_iter_init(&iter, slice_of(bytes, len));
    while (json_iter_next(&iter, &member)) {
        if (set->key_count == LIMPET_JSON_KEYS_MAX) {
            return LIMPET_ERR_TOO_LONG;
        }
        set->keys[set->key_count++] =
            (keyset_offset)(set->part_end + (uint32_t)(member.key.ptr - 1 - bytes));
    }
    set->part_end += (uint32_t)len;
    return LIMPET_OK;
}

size_t keyset_blank_replaced(struct keyset *set)
{
    size_t replaced = 0;
    keyset_sort(set->keys, set->key_count, key_before, set);
    /* Backwards, so that the later one of two is whole when they are compared. */
    for (size_t i = set->key_count; i > 1; i--) {
        struct slice later = key_at(set, set->keys[i - 1]);
        if (json_string_compare(key_at(set, set->keys[i - 2]), later) == 0) {
            set->keys[set->key_count - ++replaced] = set->keys[i - 2];
        }
    }
    for (size_t i = set->key_count - replaced; i < set->key_count; i++) {
        const struct keyset_part *part = part_of(set, set->keys[i]);
        struct json_member member;
        member_at(set, set->keys[i], &member);
        size_t from = set->keys[i] - part->start;
        size_t end = (size_t)(member.value.ptr + member.value.len - part->bytes);
        memset(part->bytes + from, ' ', end - from);
    }
    return replaced;
}
