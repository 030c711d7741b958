/* A ring of whole records. Each starts 8-byte aligned with its head; a record that would not fit
 * before the end of the ring starts at offset 0, and `wrap` remembers where the used bytes end. */
#include "influx/spool.h"

#include <assert.h>
#include <string.h>

struct spool_head {
    uint32_t len; /* of the record, without this head */
    uint32_t points;
    uint32_t failed; /* 1: a delivery was tried and failed */
    uint32_t unused; /* keeps the record aligned */
};

_Static_assert(sizeof(struct spool_head) == 16, "records follow their head aligned");
_Static_assert(sizeof(struct spool_head) + 8u == 24u, "SPOOL_RECORD_LEN_MAX has room for both");
_Static_assert(LIMPET_SPOOL_LEN >= 1024, "a window of one endpoint needs some hundred bytes");

static size_t stored_len(size_t record_len);
static struct spool_head read_head(const struct spool *spool, size_t at);
static void write_head(struct spool *spool, size_t at, const struct spool_head *head);
static bool find_room(const struct spool *spool, size_t need, size_t *at);
static size_t record_after(const struct spool *spool, size_t at);

/* ---- Life cycle -------------------------------------------------------------------------------
 */

void spool_init(struct spool *spool)
{
    spool->first = 0;
    spool->end = 0;
    spool->wrap = sizeof spool->ring;
    spool->count = 0;
    spool->used_bytes = 0;
    spool->failed_count = 0;
    spool->failed_points = 0;
}

char *spool_reserve(struct spool *spool, size_t len, size_t *dropped)
{
    *dropped = 0;
    if (len > SPOOL_RECORD_LEN_MAX) {
        return NULL;
    }
    size_t at;
    while (!find_room(spool, stored_len(len), &at)) {
        spool_pop(spool);
        (*dropped)++;
    }
    return (char *)spool->ring + at + sizeof(struct spool_head);
}

bool spool_has_room(const struct spool *spool, size_t len)
{
    size_t at;
    return len <= SPOOL_RECORD_LEN_MAX && find_room(spool, stored_len(len), &at);
}

void spool_commit(struct spool *spool, size_t len, uint32_t points)
{
    size_t at = 0;
    bool found = find_room(spool, stored_len(len), &at);
    assert(found && "commit follows reserve");
    (void)found;
    if (at < spool->end) {
        spool->wrap = spool->end;
    }
    struct spool_head head = {.len = (uint32_t)len, .points = points};
    write_head(spool, at, &head);
    if (spool->count == 0) {
        spool->first = at;
    }
    spool->end = at + stored_len(len);
    spool->count++;
    spool->used_bytes += stored_len(len);
}

size_t spool_count(const struct spool *spool)
{
    return spool->count;
}

size_t spool_used_bytes(const struct spool *spool)
{
    return spool->used_bytes;
}

bool spool_next(const struct spool *spool, struct spool_cursor *cursor, struct slice *record)
{
    if (cursor->count >= spool->count) {
        return false;
    }
    size_t at = cursor->count == 0 ? spool->first : cursor->at;
    struct spool_head head = read_head(spool, at);
    *record = slice_of((const char *)spool->ring + at + sizeof head, head.len);
    cursor->at = record_after(spool, at);
    cursor->count++;
    return true;
}

char *spool_writable(struct spool *spool, struct slice record)
{
    return (char *)spool->ring + (record.ptr - (const char *)spool->ring);
}

uint32_t spool_points(const struct spool *spool, struct slice record)
{
    size_t at = (size_t)(record.ptr - (const char *)spool->ring);
    return read_head(spool, at - sizeof(struct spool_head)).points;
}

void spool_pop(struct spool *spool)
{
    assert(spool->count > 0);
    struct spool_head head = read_head(spool, spool->first);
    size_t next = record_after(spool, spool->first);
    if (next < spool->first) {
        spool->wrap = sizeof spool->ring;
    }
    spool->used_bytes -= stored_len(head.len);
    spool->failed_count -= head.failed;
    spool->failed_points -= head.failed ? head.points : 0;
    spool->first = next;
    spool->count--;
    if (spool->count == 0) {
        spool_init(spool);
    }
}

size_t spool_limit_failed(struct spool *spool, size_t count, uint64_t buffer_size)
{
    assert(count <= spool->count);
    size_t at = spool->first;
    for (size_t i = 0; i < count; i++) {
        struct spool_head head = read_head(spool, at);
        spool->failed_points += head.failed ? 0 : head.points;
        spool->failed_count += head.failed ? 0 : 1;
        head.failed = 1;
        write_head(spool, at, &head);
        at = record_after(spool, at);
    }
    size_t keep = buffer_size > 0 ? 1 : 0;
    size_t left = 0;
    while (spool->failed_count > keep && (keep == 0 || spool->failed_points > buffer_size)) {
        spool_pop(spool);
        left++;
    }
    return left;
}

/* ---- Helpers ----------------------------------------------------------------------------------
 */

static size_t stored_len(size_t record_len)
{
    return sizeof(struct spool_head) + ((record_len + 7u) & ~(size_t)7u);
}

static struct spool_head read_head(const struct spool *spool, size_t at)
{
    struct spool_head head;
    memcpy(&head, (const char *)spool->ring + at, sizeof head);
    return head;
}

static void write_head(struct spool *spool, size_t at, const struct spool_head *head)
{
    memcpy((char *)spool->ring + at, head, sizeof *head);
}

/* Where `need` contiguous bytes are free behind the newest record: before the end of the ring, or,
 * while the records do not wrap, before the oldest. */
static bool find_room(const struct spool *spool, size_t need, size_t *at)
{
    bool wrapped = spool->count > 0 && spool->end <= spool->first;
    size_t limit = wrapped ? spool->first : sizeof spool->ring;
    if (spool->count == 0) {
        *at = 0;
        return need <= sizeof spool->ring;
    }
    *at = spool->end;
    if (limit - spool->end >= need) {
        return true;
    }
    *at = 0;
    return !wrapped && spool->first >= need;
}

static size_t record_after(const struct spool *spool, size_t at)
{
    size_t next = at + stored_len(read_head(spool, at).len);
    return next >= spool->wrap ? 0 : next;
}
