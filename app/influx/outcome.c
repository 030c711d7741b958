#include "influx/outcome.h"

static bool match(uint8_t *matched, const char *text, char c);
static void count_digit(struct outcome_text *text, char c);

/* InfluxDB 1.x and 2.x: {"error":"partial write: field type conflict: ... dropped=3"}. InfluxDB 3:
 * {"error":"partial write of line protocol occurred","data":[{"line_number":7, ...}, ...]}. */
void outcome_text_feed(struct outcome_text *text, struct slice piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.ptr[i];
        if (text->in_number) {
            count_digit(text, c);
        }
        if (match(&text->matched[0], "partial write", c)) {
            text->partial = true;
        }
        if (match(&text->matched[1], "beyond retention", c)) {
            text->retention = true;
        }
        if (match(&text->matched[2], "dropped=", c) && !text->counted) {
            text->in_number = true;
            text->counted = true;
        }
        if (match(&text->matched[3], "\"line_number\"", c)) {
            text->lines++;
        }
    }
}

/* One byte further; true at the end of `text`. None of the texts begins again inside itself. */
static bool match(uint8_t *matched, const char *text, char c)
{
    *matched = c == text[*matched] ? (uint8_t)(*matched + 1u) : c == text[0] ? 1 : 0;
    if (text[*matched] != '\0') {
        return false;
    }
    *matched = 0;
    return true;
}

static void count_digit(struct outcome_text *text, char c)
{
    text->in_number = c >= '0' && c <= '9';
    if (!text->in_number) {
        return;
    }
    if (text->points > UINT32_MAX) {
        text->points = 0; /* no number of points */
        text->in_number = false;
        return;
    }
    text->points = text->points * 10u + (uint64_t)(c - '0');
}

enum outcome outcome_of(unsigned status, const struct outcome_text *text, uint64_t *points_refused)
{
    *points_refused = 0;
    if (status >= 200 && status < 300) {
        return OUTCOME_WRITTEN;
    }
    if (status == 400 || status == 422) {
        if (!text->partial) {
            return OUTCOME_REFUSED;
        }
        *points_refused = text->points > 0 ? text->points : text->lines;
        return OUTCOME_PARTIAL;
    }
    if (status == 413) {
        return OUTCOME_TOO_LARGE;
    }
    return status == 429 || status >= 500 ? OUTCOME_AGAIN : OUTCOME_KEEP;
}
