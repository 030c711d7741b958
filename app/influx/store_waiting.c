/* The oldest windows wait in RAM, and in storage if there is one. When RAM is full the next ones
 * wait in storage only, and come to RAM, in order, when there is room again. */
#include "influx/store_parts.h"

#include <assert.h>

static size_t count_stored(const struct store *s);
static bool peek(const struct store *s, const struct journal_record *record, struct waiting *w,
                 struct record_info *info);
static bool find_date(const struct store *s, struct boot_date *start, uint32_t boot);
static void take(struct store *s, const struct journal_record *record);
static bool is_window(const struct journal_record *record, struct slice bytes,
                      struct record_info *info);
static void write_window(void *ctx, struct out *out);

struct window {
    const struct metrics *metrics;
    const struct record_info *info;
};

/* ---- Walking ----------------------------------------------------------------------------------
 */

bool waiting_next(const struct store *s, struct waiting *w, struct record_info *info,
                  struct slice *record)
{
    struct journal_record stored;
    if (spool_next(&s->spool, &w->in_ram, record)) {
        *info = waiting_info(*record);
        return true;
    }
    *record = SLICE_LIT("");
    w->seq = w->seq > s->newest_seq ? w->seq : s->newest_seq;
    while (s->stored > 0 && journal_next(&s->journal, &w->in_storage, &stored)) {
        if (stored.seq > w->seq && peek(s, &stored, w, info)) {
            w->seq = stored.seq;
            return true;
        }
    }
    return false;
}

struct record_info waiting_info(struct slice record)
{
    struct record_info info;
    struct record_iter iter;
    record_read(record, &info, &iter);
    return info;
}

/* Its date may stand behind it. */
static bool peek(const struct store *s, const struct journal_record *record, struct waiting *w,
                 struct record_info *info)
{
    char head[RECORD_PEEK_LEN];
    size_t len = journal_peek(&s->journal, record, head, sizeof head);
    if (!record_peek(slice_of(head, len), info)) {
        return false;
    }
    if (!info->dated && find_date(s, &w->start, info->boot)) {
        info->dated = true;
        info->unix_ns = w->start.date.start_unix_ns + (int64_t)info->mono_ns;
    }
    return true;
}

static bool find_date(const struct store *s, struct boot_date *start, uint32_t boot)
{
    struct journal_cursor cursor = {0};
    struct journal_date date;
    if (start->date.boot == boot) {
        return start->known;
    }
    *start = (struct boot_date){.date.boot = boot};
    while (!start->known && journal_next_date(&s->journal, &cursor, &date)) {
        if (date.boot == boot) {
            *start = (struct boot_date){date, true};
        }
    }
    return start->known;
}

/* ---- Into storage -----------------------------------------------------------------------------
 */

bool waiting_add(struct store *s, const struct record_info *info, size_t len)
{
    struct window window = {s->metrics, info};
    bool added = journal_append(&s->journal, info->seq, len, write_window, &window);
    s->stored += added ? 1 : 0;
    waiting_check(s);
    return added;
}

static void write_window(void *ctx, struct out *out)
{
    const struct window *window = ctx;
    record_encode(out, window->metrics, window->info);
}

void waiting_find(struct store *s)
{
    s->newest_seq = s->journal.counters.left_seq;
    s->tail = (struct journal_cursor){0};
    s->tail_erased = s->journal.erased;
    s->stored = count_stored(s);
}

void waiting_check(struct store *s)
{
    if (s->journal.erased == s->tail_erased) {
        return;
    }
    s->tail = (struct journal_cursor){0};
    s->tail_erased = s->journal.erased;
    size_t there = s->stored > 0 ? count_stored(s) : 0;
    if (there < s->stored) {
        size_t lost = s->stored - there;
        s->stored = there;
        store_count_dropped(s, lost, STORE_DROP_MEMORY);
    }
}

static size_t count_stored(const struct store *s)
{
    struct journal_cursor cursor = {0};
    struct journal_record record;
    uint64_t seq = s->newest_seq;
    size_t count = 0;
    while (journal_next(&s->journal, &cursor, &record)) {
        count += record.seq > seq ? 1 : 0;
        seq = record.seq > seq ? record.seq : seq;
    }
    return count;
}

/* ---- Into RAM ---------------------------------------------------------------------------------
 */

void waiting_refill(struct store *s)
{
    struct journal_record record;
    while (s->stored > 0) {
        struct journal_cursor next = s->tail;
        if (!journal_next(&s->journal, &next, &record)) {
            size_t lost = s->stored;
            s->stored = 0;
            store_count_dropped(s, lost, STORE_DROP_STORAGE);
            return;
        }
        if (record.seq > s->newest_seq) {
            if (record.len <= SPOOL_RECORD_LEN_MAX && !spool_has_room(&s->spool, record.len)) {
                return;
            }
            take(s, &record);
        }
        s->tail = next;
    }
}

/* Nothing of it is taken on trust. */
static void take(struct store *s, const struct journal_record *record)
{
    struct boot_date start = {0};
    struct record_info info;
    size_t left = 0;
    char *place = spool_reserve(&s->spool, record->len, &left);
    s->newest_seq = record->seq;
    s->stored--;
    if (place == NULL || journal_read(&s->journal, record, place) != LIMPET_OK ||
        !is_window(record, slice_of(place, record->len), &info)) {
        store_count_dropped(s, 1, STORE_DROP_STORAGE);
        return;
    }
    assert(left == 0);
    if (!info.dated && find_date(s, &start, info.boot)) {
        record_set_date(place, record->len, start.date.start_unix_ns + (int64_t)info.mono_ns);
    }
    store_commit(s, slice_of(place, record->len));
}

/* What is not the record of its number is not there. A date before the build is of a clock that was
 * wrong. */
static bool is_window(const struct journal_record *record, struct slice bytes,
                      struct record_info *info)
{
    struct record_iter iter;
    return record_open(bytes, info, &iter) == LIMPET_OK && info->seq == record->seq &&
           (!info->dated || info->unix_ns >= LIMPET_BUILD_UNIX_S * S_NS);
}
