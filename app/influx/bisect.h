/* How many windows the next batch holds, when the server refuses some.
 *
 * A batch that is refused whole holds at least one window that the server will never take. The half
 * that comes first is tried next, and so on: with one such window among n that takes at most
 * 2 log2(n) + 8 requests until all others are written, with any number of them at most 2 n, and no
 * window is given up but one that was refused alone. A batch that is too long (413, or not answered
 * in time) is halved; its length grows again by one window with every batch that is taken, so where
 * the limit stays at most every second request is one too many. */
#ifndef LIMPET_INFLUX_BISECT_H
#define LIMPET_INFLUX_BISECT_H

#include <stdbool.h>
#include <stddef.h>

/* For static placement; do not touch the fields. */
struct bisect {
    size_t suspects;   /* of the oldest windows, at least one will be refused; 0 = none known */
    size_t count_max;  /* when nobody is suspected; doubles with every batch that is taken */
    size_t length_max; /* what bisect_too_long has taught; SIZE_MAX = nothing */
};

/* Also when nothing waits any more. */
void bisect_init(struct bisect *bisect);
/* A refusal was there, and its search or its lesson is not over. */
bool bisect_knows(const struct bisect *bisect);
/* Windows of the next batch, at most; >= 1. */
size_t bisect_count(const struct bisect *bisect);
/* The oldest `count` windows left: the server took them, or they were dropped (not one by one). */
void bisect_taken(struct bisect *bisect, size_t count);
void bisect_left(struct bisect *bisect, size_t count);
/* The batch of `count` was refused. With 1 that window is the one: the caller drops it. */
void bisect_refused(struct bisect *bisect, size_t count);
void bisect_too_long(struct bisect *bisect, size_t count);

#endif
