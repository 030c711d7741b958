/* The date of a window. */
#include "influx/store_parts.h"

#include <assert.h>

/* Records that follow each other, all of one start and without a date. */
struct group {
    struct waiting from; /* before the first */
    uint32_t boot;
    size_t count;
    uint64_t first_ns; /* since its start */
    uint64_t last_ns;
};

static void date_waiting(struct store *s);
static struct waiting behind_dated(const struct store *s);
static bool next_group(const struct store *s, struct waiting *waiting, struct group *group);
static int64_t estimate_start(const struct store *s, const struct group *group);
static void date_group(struct store *s, const struct group *group, int64_t start_unix_ns);
static void note_stamp(struct store *s, int64_t unix_ns);

void store_set_clock(struct store *s, uint64_t now_ns, int64_t unix_ns)
{
    if (unix_ns == 0 || s->boot == 0) {
        return;
    }
    s->start_unix_ns = unix_ns - (int64_t)(now_ns - s->start_ns);
    if (!s->clock_known) {
        s->clock_known = true;
        date_waiting(s);
        s->windows_waiting = store_count(s);
    }
}

/* The window that closes now. Whole seconds are sent, so that is the step that keeps stamps apart.
 */
void store_date_window(struct store *s, struct record_info *info)
{
    uint64_t close_ns = metrics_window(s->metrics)->close_ns;
    uint64_t mono_ns = close_ns > s->start_ns ? close_ns - s->start_ns : 0;
    uint64_t least_ns = s->last_mono_ns + LIMPET_S_TO_NS(1);
    info->dated = s->clock_known;
    if (!info->dated) {
        bool first = s->last_mono_ns == 0;
        info->mono_ns = first || mono_ns >= least_ns ? mono_ns : least_ns;
        s->last_mono_ns = info->mono_ns;
        return;
    }
    info->unix_ns = s->start_unix_ns + (int64_t)mono_ns;
    if (info->unix_ns / S_NS <= s->last_stamp_s) {
        info->unix_ns = (s->last_stamp_s + 1) * S_NS;
    }
    s->last_stamp_s = info->unix_ns / S_NS;
}

void store_restore_stamps(struct store *s)
{
    struct waiting waiting = {0};
    struct record_info info;
    struct slice record;
    while (waiting_next(s, &waiting, &info, &record)) {
        note_stamp(s, info.dated ? info.unix_ns : 0);
    }
}

static void note_stamp(struct store *s, int64_t unix_ns)
{
    s->last_stamp_s = unix_ns / S_NS > s->last_stamp_s ? unix_ns / S_NS : s->last_stamp_s;
}

/* The clock has become known. */
static void date_waiting(struct store *s)
{
    uint64_t failures = s->journal.failures;
    struct waiting waiting = behind_dated(s);
    struct group group;
    while (next_group(s, &waiting, &group)) {
        bool own = group.boot == s->boot;
        if (!own && s->drop_estimated) {
            continue;
        }
        int64_t start_ns = own ? s->start_unix_ns : estimate_start(s, &group);
        int64_t least_ns = (s->last_stamp_s + 1) * S_NS - (int64_t)group.first_ns;
        start_ns = start_ns > least_ns ? start_ns : least_ns;
        const struct journal_date date = {group.boot, start_ns};
        journal_append_date(&s->journal, &date);
        date_group(s, &group, start_ns);
        s->windows_estimated += own ? 0 : group.count;
    }
    journal_sync(&s->journal);
    waiting_check(s);
    store_watch_storage(s, failures);
}

/* A window without a date before one that has one: storage has lost the date that it was sent with.
 * It gets no other. */
static struct waiting behind_dated(const struct store *s)
{
    struct waiting waiting = {0};
    struct waiting behind = waiting;
    struct record_info info;
    struct slice record;
    while (waiting_next(s, &waiting, &info, &record)) {
        behind = info.dated ? waiting : behind;
    }
    return behind;
}

/* The next windows without a date; `waiting` goes behind them. */
static bool next_group(const struct store *s, struct waiting *waiting, struct group *group)
{
    struct waiting next = *waiting;
    struct record_info info;
    struct slice record;
    *group = (struct group){0};
    while (waiting_next(s, &next, &info, &record)) {
        if (group->count > 0 && (info.dated || info.boot != group->boot)) {
            break;
        }
        if (!info.dated && group->count == 0) {
            *group = (struct group){.from = *waiting, .boot = info.boot, .first_ns = info.mono_ns};
        }
        group->last_ns = info.mono_ns;
        group->count += info.dated ? 0 : 1;
        *waiting = next;
    }
    return group->count > 0;
}

/* When the start of the group was, if each start ended a second before the next one began. */
static int64_t estimate_start(const struct store *s, const struct group *group)
{
    int64_t start_ns = s->start_unix_ns;
    struct waiting waiting = group->from;
    struct group next;
    while (next_group(s, &waiting, &next) && next.boot != s->boot) {
        start_ns -= (int64_t)next.last_ns + S_NS;
    }
    return start_ns;
}

/* In RAM; those in storage only find the boot's date there when they come. */
static void date_group(struct store *s, const struct group *group, int64_t start_unix_ns)
{
    struct waiting waiting = group->from;
    struct record_info info;
    struct slice record;
    for (size_t i = 0; i < group->count && waiting_next(s, &waiting, &info, &record); i++) {
        int64_t unix_ns = start_unix_ns + (int64_t)info.mono_ns;
        assert(!info.dated || record.len == 0);
        if (record.len > 0) {
            record_set_date(spool_writable(&s->spool, record), record.len, unix_ns);
        }
        note_stamp(s, unix_ns);
    }
}
