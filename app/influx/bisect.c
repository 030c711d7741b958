#include "influx/bisect.h"

#include <stdint.h>

static size_t half(size_t count);

void bisect_init(struct bisect *b)
{
    *b = (struct bisect){.count_max = SIZE_MAX, .length_max = SIZE_MAX};
}

bool bisect_knows(const struct bisect *b)
{
    return b->suspects > 0 || b->length_max < SIZE_MAX;
}

size_t bisect_count(const struct bisect *b)
{
    size_t count = b->suspects > 0 ? half(b->suspects) : b->count_max;
    return count < b->length_max ? count : b->length_max;
}

void bisect_taken(struct bisect *b, size_t count)
{
    if (b->suspects == 0) {
        b->count_max = b->count_max > SIZE_MAX / 2 ? SIZE_MAX : 2 * b->count_max;
    }
    if (b->length_max < SIZE_MAX) {
        b->length_max++;
    }
    bisect_left(b, count);
}

void bisect_left(struct bisect *b, size_t count)
{
    b->suspects = b->suspects > count ? b->suspects - count : 0;
}

/* Refusals often come in rows (a clock that was wrong for a while): after one that was found the
 * next batch is one window again. */
void bisect_refused(struct bisect *b, size_t count)
{
    b->suspects = count > 1 ? count : 0;
    b->count_max = 1;
}

void bisect_too_long(struct bisect *b, size_t count)
{
    b->length_max = half(count);
}

static size_t half(size_t count)
{
    return count > 1 ? count / 2 : 1;
}
