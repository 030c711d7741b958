#include "config/keys.h"

#include <assert.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define USED(id, name, type, fallback, range) {name, fallback, KEY_##type, KEY_USED},
#define OTHER(name, type, status, fallback) {name, fallback, KEY_##type, KEY_##status},
#define X(section, stem, place)                                                                    \
    static const struct key keys_##stem[] = {KEYS_##stem(USED) KEYS_##stem##_OTHER(OTHER)};
KEYS_SECTIONS(X)
#undef X
#undef OTHER
#undef USED

static const struct alias {
    const char *old;
    const char *name;
} aliases[] = {
#define X(old, name) {old, name},
    KEYS_ALIASES(X)
#undef X
};

static size_t edit_distance(struct slice a, struct slice b);

const struct key *keys_of(enum section section, size_t *count)
{
    assert(section < SECTION_COUNT);
    switch (section) {
#define X(id, stem, place)                                                                         \
    case id:                                                                                       \
        *count = COUNT_OF(keys_##stem);                                                            \
        return keys_##stem;
        KEYS_SECTIONS(X)
#undef X
    case SECTION_COUNT:
        break;
    }
    *count = 0;
    return NULL;
}

static struct slice modern_name(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (slice_equal(name, slice_from_cstr(aliases[i].old))) {
            return slice_from_cstr(aliases[i].name);
        }
    }
    return name;
}

static bool section_has_namespaces(enum section section)
{
    return section == SECTION_SERVICE_EXTRA || section == SECTION_ENDPOINT_EXTRA ||
           section == SECTION_BACKEND_EXTRA;
}

int keys_find(enum section section, struct slice name)
{
    size_t count;
    const struct key *keys = keys_of(section, &count);
    struct slice wanted = section_has_namespaces(section) ? modern_name(name) : name;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(wanted, slice_from_cstr(keys[i].name))) {
            return (int)i;
        }
    }
    return -1;
}

bool keys_is_comment(struct slice name)
{
    return name.len > 0 && slice_find(SLICE_LIT("@$_#"), name.ptr[0]) < 4;
}

const struct key *keys_nearest(enum section section, struct slice name)
{
    size_t count;
    const struct key *keys = keys_of(section, &count);
    const struct key *nearest = NULL;
    size_t distance_min = SIZE_MAX;
    if (name.len > KEY_NAME_LEN_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice known = slice_from_cstr(keys[i].name);
        size_t distance = edit_distance(name, known);
        if (distance < distance_min && distance * 3 <= known.len) {
            nearest = &keys[i];
            distance_min = distance;
        }
    }
    return nearest;
}

const char *keys_place(enum section section)
{
    switch (section) {
#define X(id, stem, place)                                                                         \
    case id:                                                                                       \
        return place;
        KEYS_SECTIONS(X)
#undef X
    case SECTION_COUNT:
        break;
    }
    return "";
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Letters to insert, leave out, replace or swap with their neighbour to get from a to b (optimal
 * string alignment). Row i holds the distances of a's first i letters; three rows are enough. */
static size_t edit_distance(struct slice a, struct slice b)
{
    uint8_t rows[3][KEY_NAME_LEN_MAX + 1];
    assert(a.len <= KEY_NAME_LEN_MAX && b.len <= KEY_NAME_LEN_MAX);
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        uint8_t *row = rows[i % 3];
        const uint8_t *above = rows[(i - 1) % 3];
        const uint8_t *above2 = rows[(i + 1) % 3];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replaced = above[j - 1] + (size_t)(a.ptr[i - 1] != b.ptr[j - 1]);
            size_t best = min3(replaced, above[j] + 1u, row[j - 1] + 1u);
            bool swapped =
                i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            row[j] = (uint8_t)(swapped ? min3(best, above2[j - 2] + 1u, best) : best);
        }
    }
    return rows[a.len % 3][b.len];
}
