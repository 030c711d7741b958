/* The keys of /__stats in their order. Part of report/stats.
 *
 * An entry stands for a run of neighbouring keys of one series: one key of a counter or gauge, ten
 * of a histogram, fourteen of a timer. Another name can sort between them ("/a" and "/a.size" do):
 * then the run is split. */
#ifndef LIMPET_REPORT_INDEX_H
#define LIMPET_REPORT_INDEX_H

#include "report/stats.h"

/* A key is the prefix of its family, a name, what follows it for the series, and a suffix. */
enum { KEY_PREFIX, KEY_NAME, KEY_TAIL, KEY_SUFFIX, KEY_PARTS };
struct index_key {
    struct slice lead; /* the prefix with what stands before a key: `,\n"` */
    struct slice part[KEY_PARTS];
    char code[24]; /* memory of ".status.<code>.count" */
};

struct index_entry {
    uint32_t id;    /* of the series */
    unsigned first; /* suffix */
    unsigned count;
};

/* What a key of a histogram or timer shows, in the order of the suffixes. */
enum index_field {
    FIELD_50,
    FIELD_75,
    FIELD_95,
    FIELD_99,
    FIELD_999,
    FIELD_COUNT,
    FIELD_FIFTEEN_MINUTE,
    FIELD_FIVE_MINUTE,
    FIELD_MAX,
    FIELD_MEAN,
    FIELD_MEAN_RATE,
    FIELD_MIN,
    FIELD_ONE_MINUTE,
    FIELD_STD_DEV,
};

/* `fifteen-minute": ` */
#define INDEX_END_LEN_MAX 20

struct index_suffix {
    struct slice text;           /* of the key */
    char end[INDEX_END_LEN_MAX]; /* the same with what closes the key: `": `; zeros behind it */
    uint8_t end_len;
    enum index_field field;
};

/* Suffixes of a kind of series; a counter or gauge has one, which is empty. */
const struct index_suffix *index_suffixes(enum metrics_kind kind, unsigned *count);

/* All parts but the suffix. `view` must stay as long as the key. */
void index_key(const struct metrics_view *view, struct index_key *key);

void index_build(struct stats *stats);
/* Puts status codes in their places that have appeared since. */
void index_update(struct stats *stats);
struct index_entry index_entry(const struct stats *stats, size_t at);

#endif
