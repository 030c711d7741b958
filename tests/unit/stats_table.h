/* A metrics table with its answers, and how they are read. */
#ifndef LIMPET_TESTS_STATS_TABLE_H
#define LIMPET_TESTS_STATS_TABLE_H

#include "check.h"
#include "metrics/registry.h"
#include "report/stats.h"

#include <stdlib.h>

#define T LIMPET_S_TO_NS(10)

static const char *const arguments[] = {"limpetd", "run", "-c", "a<b>\"c.json"};

struct table {
    struct metrics metrics;
    struct stats stats;
    struct stats_reader reader;
    struct stats_reader others[LIMPET_STATS_BUFFERS + 2];
};

static inline struct table *new_table(void)
{
    static const struct metrics_options options = {.collection_time_ns = T};
    struct table *t = calloc(1, sizeof(*t));
    metrics_init(&t->metrics, &options, 0);
    return t;
}

static inline void begin(struct table *t)
{
    report_stats_init(&t->stats, &t->metrics, arguments, 4);
}

/* Reads the rest of an answer, at most `step` bytes a time. NUL at the end; NULL: it was cut. */
static inline char *read_rest(struct stats *stats, struct stats_reader *reader, size_t step)
{
    size_t size = 1u << 16;
    size_t len = 0;
    char *text = malloc(size);
    struct slice bytes;
    int err;
    while ((err = report_stats_peek(stats, reader, &bytes)) > 0) {
        size_t taken = bytes.len < step ? bytes.len : step;
        if (len + taken + 1 > size) {
            size = 2 * (len + taken + 1);
            text = realloc(text, size);
        }
        memcpy(text + len, bytes.ptr, taken);
        len += taken;
        report_stats_consume(reader, taken);
    }
    text[len] = '\0';
    report_stats_close(stats, reader);
    if (err < 0) {
        CHECK_EQ_INT(err, LIMPET_ERR_CANCELED);
        free(text);
        return NULL;
    }
    return text;
}

static inline char *answer_of(struct table *t, enum stats_format format)
{
    report_stats_open(&t->stats, &t->reader, format);
    return read_rest(&t->stats, &t->reader, SIZE_MAX);
}

/* The same answer made in pieces: every buffer is kept by others. */
static inline char *pieces_of(struct table *t, enum stats_format format, size_t step)
{
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        t->stats.buffers[i].readers++;
    }
    uint64_t generations[LIMPET_STATS_BUFFERS];
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        generations[i] = t->stats.buffers[i].generation;
        t->stats.buffers[i].generation = 0;
    }
    report_stats_open(&t->stats, &t->reader, format);
    uint64_t len;
    CHECK(!report_stats_length(&t->reader, &len));
    char *text = read_rest(&t->stats, &t->reader, step);
    for (size_t i = 0; i < LIMPET_STATS_BUFFERS; i++) {
        t->stats.buffers[i].readers--;
        t->stats.buffers[i].generation = generations[i];
    }
    return text;
}

#endif
