/* What a format of the answer supplies to report/stats.c. Part of report/stats.
 *
 * An answer is a row of lines, a line a row of items: an item is text, a number, and what ends it.
 * Items are written whole where they fit, so a number is never read twice for one answer. */
#ifndef LIMPET_REPORT_FORMAT_H
#define LIMPET_REPORT_FORMAT_H

#include "report/stats.h"

struct stats_write {
    bool (*at_end)(const struct stats *stats, const struct stats_position *at);
    /* Returns where the items of the line end. Reads the line's series, where it has one. */
    unsigned (*read_line)(const struct stats *stats, const struct stats_position *at,
                          struct metrics_view *view);
    void (*next_line)(const struct stats *stats, struct stats_position *at);
    /* The items `first` to `end` - 1 of the line. */
    void (*put_items)(struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view, unsigned first, unsigned end);
    /* The item at->key in two parts, for one that is longer than a piece: at most
     * STATS_VALUE_LEN_MAX bytes from the number on, and what stands before. */
    void (*put_text)(struct stats *stats, struct out *out, const struct stats_position *at,
                     const struct metrics_view *view);
    void (*put_value)(const struct stats *stats, struct out *out, const struct stats_position *at,
                      const struct metrics_view *view);
};

extern const struct stats_write stats_write_json;
extern const struct stats_write stats_write_prometheus;

#endif
