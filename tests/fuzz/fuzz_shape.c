/* shape_object on any bytes: what it accepts is one squeezed JSON object (or null) with valid UTF-8
 * and no two equal keys at the top, and shaping that again changes nothing. The buffer has no byte
 * to spare. */
#include "base/json.h"
#include "gateway/shape.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct shape_scratch scratch;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_keys(struct slice object)
{
    struct json_iter outer;
    struct json_member member;
    json_iter_init(&outer, object);
    while (json_iter_next(&outer, &member)) {
        struct json_iter inner = outer;
        struct json_member later;
        while (json_iter_next(&inner, &later)) {
            check(json_string_compare(member.key, later.key) != 0);
        }
    }
}

static void check_result(char *bytes, size_t size, const struct shape_result *result)
{
    struct json_error error;
    struct slice shaped = slice_of(bytes, result->len);
    check(json_check(shaped, &error) == (int)shaped.len);
    check(result->empty == (shaped.len == 2 || shaped.ptr[0] == 'n'));
    if (json_type_of(shaped) == JSON_OBJECT) {
        check_keys(shaped);
    }
    char *again = malloc(size + 1);
    check(again != NULL);
    memcpy(again, bytes, result->len);
    struct shape_result second;
    check(shape_object(&scratch, again, result->len, size, &second) == LIMPET_OK);
    check(second.len == result->len && memcmp(again, bytes, second.len) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 8192) {
        return 0;
    }
    /* The first byte: spare bytes of the buffer, for U+FFFD. */
    size_t len = size - 1;
    size_t room = len + data[0];
    char *bytes = malloc(room + 1);
    check(bytes != NULL);
    memcpy(bytes, data + 1, len);
    struct shape_result result;
    if (shape_object(&scratch, bytes, len, room, &result) == LIMPET_OK) {
        check(result.len <= room);
        check_result(bytes, room, &result);
    } else {
        check(result.error != NULL && result.error_at <= len);
    }
    free(bytes);
    return 0;
}
