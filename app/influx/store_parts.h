/* What the files of the store know of each other: store.c (in, out, counts), store_waiting.c (what
 * waits in storage behind what waits in RAM) and store_dates.c. */
#ifndef LIMPET_INFLUX_STORE_PARTS_H
#define LIMPET_INFLUX_STORE_PARTS_H

#include "influx/record.h"
#include "influx/store.h"

#define S_NS ((int64_t)LIMPET_S_TO_NS(1))

/* ---- store.c ----------------------------------------------------------------------------------
 */

void store_count_dropped(struct store *store, size_t count, enum store_drop why);
/* The numbers as they are now go to storage. */
void store_note(struct store *store);
/* One line when storage begins to fail, one when it works again. */
void store_watch_storage(struct store *store, uint64_t failures_before);
/* A record stands in the place that the spool reserved for it: it waits. */
void store_commit(struct store *store, struct slice record);

/* ---- store_waiting.c --------------------------------------------------------------------------
 */

/* What is known of a boot's date. */
struct boot_date {
    struct journal_date date; /* boot 0 = not looked for yet */
    bool known;
};

/* A place among the windows that wait; all zero = before the oldest. Good until one leaves. */
struct waiting {
    struct spool_cursor in_ram;
    struct journal_cursor in_storage;
    uint64_t seq;           /* of the last one in storage */
    struct boot_date start; /* of the boot that was looked for last */
};

/* The next one, oldest first; `record` is empty when it waits in storage only. */
bool waiting_next(const struct store *store, struct waiting *waiting, struct record_info *info,
                  struct slice *record);
struct record_info waiting_info(struct slice record);
/* At the start, the counters are known: which windows storage holds. */
void waiting_find(struct store *store);
/* Windows have left: RAM takes the next ones from storage. */
void waiting_refill(struct store *store);
/* A window that RAM has no room for. False: storage does not take it. */
bool waiting_add(struct store *store, const struct record_info *info, size_t len);
/* Storage was written to: what its log came round to is lost, unless RAM has it. */
void waiting_check(struct store *store);

/* ---- store_dates.c ----------------------------------------------------------------------------
 */

/* The window that closes now. */
void store_date_window(struct store *store, struct record_info *info);
/* The stamps that were given, by this or an earlier start. */
void store_restore_stamps(struct store *store);

#endif
