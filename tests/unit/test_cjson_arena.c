/* The arena below cJSON: alignment, give-back, exhaustion at every size, high-water mark. */
#include "cJSON.h"
#include "cjson_arena.h"
#include "check.h"

#include <stdalign.h>

static alignas(max_align_t) unsigned char memory[8192];

static const char sample[] =
    "{\"version\":3,\"endpoints\":[{\"endpoint\":\"/a/{id}\",\"n\":1.5,\"t\":true},null,[]],"
    "\"text\":\"\\u00e9\\n\"}";

static void blocks_are_aligned_and_the_last_one_comes_back(void)
{
    cjson_arena_begin(memory + 1, sizeof(memory) - 1);
    void *a = cjson_arena_malloc(1);
    void *b = cjson_arena_malloc(3);
    CHECK(a != NULL && b != NULL && a != b);
    CHECK_EQ_UINT((uintptr_t)a % alignof(max_align_t), 0);
    CHECK_EQ_UINT((uintptr_t)b % alignof(max_align_t), 0);
    cjson_arena_free(b);
    CHECK(cjson_arena_malloc(3) == b);
    cjson_arena_free(a);
    CHECK(cjson_arena_malloc(3) != a);
    CHECK(cjson_arena_malloc(0) == NULL);
    CHECK(cjson_arena_end() > 0);
}

static void realloc_grows_in_place_or_moves(void)
{
    cjson_arena_begin(memory, sizeof(memory));
    char *a = cjson_arena_malloc(4);
    memcpy(a, "abc", 4);
    CHECK(cjson_arena_realloc(a, 400) == a);
    char *b = cjson_arena_malloc(4);
    char *moved = cjson_arena_realloc(a, 800);
    CHECK(moved != a && moved > b);
    CHECK_EQ_STR(moved, "abc");
    CHECK(cjson_arena_realloc(moved, sizeof(memory)) == NULL);
    CHECK_EQ_STR(moved, "abc");
    CHECK(cjson_arena_realloc(moved, SIZE_MAX) == NULL);
    CHECK(cjson_arena_malloc(SIZE_MAX) == NULL);
    CHECK(cjson_arena_end() <= sizeof(memory));
}

static void nothing_is_given_without_an_arena(void)
{
    CHECK(cjson_arena_malloc(1) == NULL);
    CHECK(cjson_arena_realloc(NULL, 1) == NULL);
    cjson_arena_free(memory);
    CHECK(cJSON_Parse("[1]") == NULL);
}

static bool parses_within(size_t len, size_t *peak)
{
    cjson_arena_begin(memory, len);
    const cJSON *tree = cJSON_ParseWithLength(sample, sizeof(sample) - 1);
    bool ok = tree != NULL;
    if (ok) {
        CHECK(cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(tree, "version")));
        CHECK_EQ_STR(cJSON_GetObjectItemCaseSensitive(tree, "text")->valuestring, "\xc3\xa9\n");
    }
    *peak = cjson_arena_end();
    return ok;
}

static void the_high_water_mark_is_the_smallest_size_that_works(void)
{
    size_t peak = 0;
    CHECK(parses_within(sizeof(memory), &peak));
    size_t needed = peak;
    for (size_t len = 0; len < needed; len++) {
        CHECK(!parses_within(len, &peak));
        CHECK(peak <= len);
    }
    CHECK(parses_within(needed, &peak));
    CHECK_EQ_UINT(peak, needed);
}

static void nesting_stops_at_the_limit(void)
{
    char deep[80];
    for (size_t depth = 31; depth <= 33; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        cjson_arena_begin(memory, sizeof(memory));
        CHECK_EQ_INT(cJSON_ParseWithLength(deep, 2 * depth) != NULL, depth <= 32);
        cjson_arena_end();
    }
}

int main(void)
{
    blocks_are_aligned_and_the_last_one_comes_back();
    realloc_grows_in_place_or_moves();
    nothing_is_given_without_an_arena();
    the_high_water_mark_is_the_smallest_size_that_works();
    nesting_stops_at_the_limit();
    return check_result();
}
