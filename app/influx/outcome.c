#include "influx/outcome.h"

#include "base/num.h"

static size_t find_text(struct slice s, struct slice text);
static uint64_t dropped_points(struct slice body);

/* InfluxDB 1.x: {"error":"partial write: field type conflict: ... dropped=3"}. */
enum outcome outcome_of(unsigned status, struct slice body, uint64_t *points_refused)
{
    *points_refused = 0;
    if (status >= 200 && status < 300) {
        return OUTCOME_WRITTEN;
    }
    if (status == 400 || status == 422) {
        if (find_text(body, SLICE_LIT("partial write")) == body.len) {
            return OUTCOME_REFUSED;
        }
        *points_refused = dropped_points(body);
        return OUTCOME_PARTIAL;
    }
    if (status == 413) {
        return OUTCOME_TOO_LARGE;
    }
    return status == 429 || status >= 500 ? OUTCOME_AGAIN : OUTCOME_KEEP;
}

void outcome_count_named(struct outcome_named *named, struct slice piece)
{
    static const char key[] = "\"line_number\":";
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.ptr[i];
        if (c != key[named->matched]) {
            named->matched = 0; /* only the quote can be a start again */
        }
        if (c == key[named->matched]) {
            named->matched++;
        }
        if (key[named->matched] == '\0') {
            named->count++;
            named->matched = 0;
        }
    }
}

/* Offset of `text`, or s.len when it does not occur. */
static size_t find_text(struct slice s, struct slice text)
{
    for (size_t at = 0; at + text.len <= s.len; at++) {
        if (slice_starts_with(slice_skip(s, at), text)) {
            return at;
        }
    }
    return s.len;
}

static uint64_t dropped_points(struct slice body)
{
    struct slice key = SLICE_LIT("dropped=");
    struct slice digits = slice_skip(body, find_text(body, key) + key.len);
    size_t len = 0;
    while (len < digits.len && digits.ptr[len] >= '0' && digits.ptr[len] <= '9') {
        len++;
    }
    uint64_t points = 0;
    if (num_parse_u64(slice_take(digits, len), UINT64_MAX, &points) != LIMPET_OK) {
        return 0;
    }
    return points;
}
