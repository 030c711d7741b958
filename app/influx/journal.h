/* What has to survive a restart: window records, dates that came later than they, and counters, as
 * a log on NOR-like storage.
 *
 * Sectors are used in rotation, entries are appended, nothing is written twice. An entry is whole
 * or it is not there (CRC); a sector begins with a head (its place in the order, the
 * configuration's fingerprint) and with the counters. A cut at any byte of a write that was not
 * synced leaves every entry before it, and a bit that turned costs the entry that it was part of
 * (in a length, those behind it, too). Opening never fails on what it finds: what cannot be read
 * does not count, and a sector whose end is not clean is left alone until its turn to be erased.
 * When the log comes round to records that still wait they leave the storage, not the RAM. */
#ifndef LIMPET_INFLUX_JOURNAL_H
#define LIMPET_INFLUX_JOURNAL_H

#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"
#include "port/port.h"

/* Reasons for which windows are lost, at most. */
#define JOURNAL_DROPS 8u

/* Part of every sector's start, and written whenever a number has moved. */
struct journal_counters {
    uint64_t left_seq; /* windows up to this one wait no more */
    uint64_t produced;
    uint64_t written;
    uint64_t last_stamp_s; /* of the newest dated window, seconds since 1970 */
    uint64_t boots;        /* starts that used this storage */
    uint64_t dropped[JOURNAL_DROPS];
};

/* For static placement; read the counters, do not touch the fields. */
struct journal {
    const struct port_storage *storage; /* NULL: off, everything below does nothing */
    uint32_t fingerprint;
    uint32_t sector;       /* that is written to */
    uint32_t at;           /* offset in it of the next entry */
    uint32_t sector_order; /* 1, 2, 3 ...: sectors begun since the storage was new */
    uint32_t sector_count; /* of the storage; 0: none */
    struct journal_counters counters;
    uint64_t records;  /* written to storage since the start */
    uint64_t erased;   /* sectors */
    uint64_t failures; /* of the storage, and entries that no sector can hold */
};

/* Where a record lies. */
struct journal_record {
    uint64_t seq;
    uint32_t at; /* of its bytes */
    uint32_t len;
    uint32_t crc;
};

/* When a boot began: dates its windows that were stored without a date. */
struct journal_date {
    uint32_t boot;
    int64_t start_unix_ns;
};

struct journal_cursor {
    uint32_t order; /* of the sector */
    uint32_t sector;
    uint32_t at;
    bool inside;
};

/* Reads the counters (0 at the first start), then goes on where the log ends. `storage` must stay;
 * NULL = off. */
void journal_open(struct journal *journal, const struct port_storage *storage,
                  uint32_t fingerprint);
/* Records of this configuration that still wait, oldest first; cursor all zero at first. */
bool journal_next(const struct journal *journal, struct journal_cursor *cursor,
                  struct journal_record *record);
/* Dates that were noted for the windows of a boot, oldest first; another cursor. */
bool journal_next_date(const struct journal *journal, struct journal_cursor *cursor,
                       struct journal_date *date);
/* `place` has room for record->len. LIMPET_ERR_IO: cannot be read, or is not what was written. */
LIMPET_WARN_UNUSED
int journal_read(const struct journal *journal, const struct journal_record *record, void *place);

/* The first `len` bytes of it, or all when it is shorter; returns how many, 0 when it cannot be
 * read. journal_next has seen that the record is whole. */
size_t journal_peek(const struct journal *journal, const struct journal_record *record, void *place,
                    size_t len);

/* Writes the bytes of a record, the same at each call. */
typedef void (*journal_write_fn)(void *ctx, struct out *out);
/* A new window of `len` bytes, and everything before it: is in storage for certain when this
 * returns, or counts in `failures` (false: the record is not there, or there is no storage). */
bool journal_append(struct journal *journal, uint64_t seq, size_t len, journal_write_fn write,
                    void *ctx);
/* Before the first use of such a date; then journal_sync. */
void journal_append_date(struct journal *journal, const struct journal_date *date);
/* The counters have moved. Not synced: the next record does that. When a cut loses it, windows are
 * sent again, which are the same points. */
void journal_note(struct journal *journal, const struct journal_counters *counters);
/* What was written is in storage for certain when this returns, or counts in `failures`. */
void journal_sync(struct journal *journal);

#endif
