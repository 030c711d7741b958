/* Sector: head, then entries. One whose bytes were changed is passed over by its length; what has
 * no length that can be ends the sector.
 *
 *   head   magic, order, fingerprint, CRC of the three          4 x 32 bit
 *   entry  CRC of all that follows, kind and length, seq, bytes  32, 32, 64 bit, bytes
 *
 * All numbers little endian, entries at multiples of 4. Erased bytes are FF, so kind and length of
 * an entry that is not there are FFFFFFFF. */
#include "influx/journal.h"

#include "base/crc.h"

#include <string.h>

#define MAGIC UINT32_C(0x324A504C) /* "LPJ2" */
#define HEAD_LEN 16u
#define ENTRY_LEN 16u
#define KIND_RECORD UINT32_C(0x01000000)
#define KIND_COUNTERS UINT32_C(0x02000000)
#define KIND_DATE UINT32_C(0x03000000) /* seq: the boot */
#define KIND_MASK UINT32_C(0xFF000000)
#define COUNTERS_LEN ((5u + JOURNAL_DROPS) * 8u)
#define DATE_LEN 8u
#define PIECE_LEN 64u /* a record is programmed in such pieces */

struct entry {
    uint32_t kind;
    uint32_t len;
    uint32_t crc;
    uint64_t seq;
};

static bool read_head(const struct journal *j, uint32_t sector, uint32_t *order,
                      uint32_t *fingerprint);
static bool find_entry(const struct journal *j, uint32_t sector, uint32_t *at, struct entry *entry);
static bool read_entry(const struct journal *j, uint32_t sector, uint32_t at, struct entry *entry);
static uint32_t whole_len(const struct entry *entry);
static bool check_entry(const struct journal *j, uint32_t from, const struct entry *entry);
static bool find_sector(const struct journal *j, uint32_t above, uint32_t *order, uint32_t *sector);
static bool next_entry(const struct journal *j, struct journal_cursor *cursor, struct entry *entry,
                       uint32_t *at);
static void read_sector(struct journal *j, uint32_t sector, bool *clean);
static bool is_erased(const struct journal *j, uint32_t sector, uint32_t at);
static bool append(struct journal *j, const struct entry *what, journal_write_fn write, void *ctx);
static bool append_bytes(struct journal *j, uint32_t kind, uint64_t seq, const uint8_t *bytes,
                         size_t len);
static void write_bytes(void *ctx, struct out *out);
static int add_crc(void *ctx, const char *bytes, size_t len);
static int program_piece(void *ctx, const char *bytes, size_t len);
static bool begin_sector(struct journal *j);
static bool put_counters(struct journal *j);
static bool program(struct journal *j, const void *bytes, size_t len);
static void put_u32(uint8_t *to, uint32_t v);
static void put_u64(uint8_t *to, uint64_t v);
static uint32_t get_u32(const uint8_t *from);
static uint64_t get_u64(const uint8_t *from);

/* ---- Opening ----------------------------------------------------------------------------------
 */

void journal_open(struct journal *j, const struct port_storage *storage, uint32_t fingerprint)
{
    *j = (struct journal){.storage = storage, .fingerprint = fingerprint};
    if (storage == NULL) {
        return;
    }
    j->sector_count = storage->sector_count;
    uint32_t order = 0;
    uint32_t found = 0;
    bool clean = false;
    while (find_sector(j, j->sector_order, &order, &found)) {
        j->sector = found;
        j->sector_order = order;
        read_sector(j, found, &clean);
    }
    uint32_t written_for = 0;
    if (!clean || !read_head(j, j->sector, &order, &written_for) || written_for != fingerprint) {
        j->at = storage->sector_len; /* the next entry begins a new sector */
    }
}

/* The sector that comes next after `above`. */
static bool find_sector(const struct journal *j, uint32_t above, uint32_t *order, uint32_t *sector)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < j->storage->sector_count; i++) {
        uint32_t its_order = 0;
        uint32_t fingerprint = 0;
        if (read_head(j, i, &its_order, &fingerprint) && its_order > above && its_order < best) {
            best = its_order;
            *sector = i;
        }
    }
    *order = best;
    return best != UINT32_MAX;
}

static bool read_head(const struct journal *j, uint32_t sector, uint32_t *order,
                      uint32_t *fingerprint)
{
    uint8_t head[HEAD_LEN];
    const struct port_storage *s = j->storage;
    if (!s->read(s->ctx, sector * s->sector_len, head, sizeof head) || get_u32(head) != MAGIC ||
        get_u32(head + 12) != crc32_update(0, head, 12)) {
        return false;
    }
    *order = get_u32(head + 4);
    *fingerprint = get_u32(head + 8);
    return true;
}

/* Takes its counters; `clean`: entries may follow behind the last one. */
static void read_sector(struct journal *j, uint32_t sector, bool *clean)
{
    struct entry entry;
    uint32_t end = HEAD_LEN;
    j->at = HEAD_LEN;
    while (find_entry(j, sector, &j->at, &entry)) {
        uint32_t bytes_at = sector * j->storage->sector_len + j->at + ENTRY_LEN;
        uint8_t c[COUNTERS_LEN];
        if (entry.kind == KIND_RECORD && entry.seq > j->counters.produced) {
            j->counters.produced = entry.seq;
        } else if (entry.kind == KIND_COUNTERS && entry.len == COUNTERS_LEN &&
                   j->storage->read(j->storage->ctx, bytes_at, c, sizeof c)) {
            uint64_t produced = get_u64(c + 8);
            j->counters.left_seq = get_u64(c);
            j->counters.produced =
                produced > j->counters.produced ? produced : j->counters.produced;
            j->counters.written = get_u64(c + 16);
            j->counters.last_stamp_s = get_u64(c + 24);
            j->counters.boots = get_u64(c + 32);
            for (size_t i = 0; i < JOURNAL_DROPS; i++) {
                j->counters.dropped[i] = get_u64(c + 40 + 8 * i);
            }
        }
        j->at += whole_len(&entry);
        end = j->at;
    }
    *clean = is_erased(j, sector, end);
}

/* From `*at` on. */
static bool find_entry(const struct journal *j, uint32_t sector, uint32_t *at, struct entry *entry)
{
    while (read_entry(j, sector, *at, entry)) {
        if (check_entry(j, sector * j->storage->sector_len + *at, entry)) {
            return true;
        }
        *at += whole_len(entry);
    }
    return false;
}

/* Its head, when that can be one. */
static bool read_entry(const struct journal *j, uint32_t sector, uint32_t at, struct entry *entry)
{
    uint8_t head[ENTRY_LEN];
    const struct port_storage *s = j->storage;
    uint32_t from = sector * s->sector_len + at;
    if (at > s->sector_len - ENTRY_LEN || !s->read(s->ctx, from, head, sizeof head)) {
        return false;
    }
    entry->crc = get_u32(head);
    entry->kind = get_u32(head + 4) & KIND_MASK;
    entry->len = get_u32(head + 4) & ~KIND_MASK;
    entry->seq = get_u64(head + 8);
    return entry->kind >= KIND_RECORD && entry->kind <= KIND_DATE &&
           entry->len <= s->sector_len - ENTRY_LEN - at;
}

static uint32_t whole_len(const struct entry *entry)
{
    return ENTRY_LEN + ((entry->len + 3u) & ~UINT32_C(3));
}

/* In pieces: an entry may be longer than any buffer. */
static bool check_entry(const struct journal *j, uint32_t from, const struct entry *entry)
{
    uint8_t piece[256];
    uint32_t crc = 0;
    uint32_t end = from + ENTRY_LEN + entry->len;
    for (uint32_t at = from + 4u; at < end; at += (uint32_t)sizeof piece) {
        size_t len = end - at < sizeof piece ? end - at : sizeof piece;
        if (!j->storage->read(j->storage->ctx, at, piece, len)) {
            return false;
        }
        crc = crc32_update(crc, piece, len);
    }
    return crc == entry->crc;
}

static bool is_erased(const struct journal *j, uint32_t sector, uint32_t at)
{
    uint8_t piece[256];
    const struct port_storage *s = j->storage;
    while (at < s->sector_len) {
        size_t len = s->sector_len - at < sizeof piece ? s->sector_len - at : sizeof piece;
        if (!s->read(s->ctx, sector * s->sector_len + at, piece, len)) {
            return false;
        }
        for (size_t i = 0; i < len; i++) {
            if (piece[i] != 0xFFu) {
                return false;
            }
        }
        at += (uint32_t)len;
    }
    return true;
}

/* ---- Records ----------------------------------------------------------------------------------
 */

bool journal_next(const struct journal *j, struct journal_cursor *cursor,
                  struct journal_record *record)
{
    struct entry entry;
    uint32_t at = 0;
    while (next_entry(j, cursor, &entry, &at)) {
        if (entry.kind == KIND_RECORD && entry.seq > j->counters.left_seq) {
            *record = (struct journal_record){entry.seq, at, entry.len, entry.crc};
            return true;
        }
    }
    return false;
}

bool journal_next_date(const struct journal *j, struct journal_cursor *cursor,
                       struct journal_date *date)
{
    struct entry entry;
    uint8_t bytes[DATE_LEN];
    uint32_t at = 0;
    while (next_entry(j, cursor, &entry, &at)) {
        if (entry.kind == KIND_DATE && entry.len == DATE_LEN &&
            j->storage->read(j->storage->ctx, at, bytes, sizeof bytes)) {
            *date = (struct journal_date){(uint32_t)entry.seq, (int64_t)get_u64(bytes)};
            return true;
        }
    }
    return false;
}

/* Entries of the sectors of this configuration, in the order in which they were written; `*at`:
 * where the entry's bytes lie. */
static bool next_entry(const struct journal *j, struct journal_cursor *cursor, struct entry *entry,
                       uint32_t *at)
{
    if (j->storage == NULL) {
        return false;
    }
    for (;;) {
        uint32_t fingerprint = 0;
        uint32_t order = 0;
        if (cursor->inside && find_entry(j, cursor->sector, &cursor->at, entry)) {
            *at = cursor->sector * j->storage->sector_len + cursor->at + ENTRY_LEN;
            cursor->at += whole_len(entry);
            return true;
        }
        if (!find_sector(j, cursor->order, &cursor->order, &cursor->sector)) {
            cursor->inside = false;
            return false;
        }
        cursor->at = HEAD_LEN;
        cursor->inside =
            read_head(j, cursor->sector, &order, &fingerprint) && fingerprint == j->fingerprint;
    }
}

int journal_read(const struct journal *j, const struct journal_record *record, void *place)
{
    const struct port_storage *s = j->storage;
    struct entry entry = {KIND_RECORD, record->len, record->crc, record->seq};
    if (!s->read(s->ctx, record->at, place, record->len) ||
        !check_entry(j, record->at - ENTRY_LEN, &entry)) {
        return LIMPET_ERR_IO;
    }
    return LIMPET_OK;
}

size_t journal_peek(const struct journal *j, const struct journal_record *record, void *place,
                    size_t len)
{
    size_t count = record->len < len ? record->len : len;
    return j->storage->read(j->storage->ctx, record->at, place, count) ? count : 0;
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

bool journal_append(struct journal *j, uint64_t seq, size_t len, journal_write_fn write, void *ctx)
{
    if (j->storage == NULL) {
        return false;
    }
    const struct entry what = {.kind = KIND_RECORD, .len = (uint32_t)len, .seq = seq};
    /* Not before: a sector that begins with this record says what was before it. */
    bool appended = len < ~KIND_MASK && append(j, &what, write, ctx);
    if (appended) {
        j->records++;
    } else {
        j->failures++;
    }
    j->counters.produced = seq > j->counters.produced ? seq : j->counters.produced;
    journal_sync(j);
    return appended;
}

void journal_append_date(struct journal *j, const struct journal_date *date)
{
    uint8_t bytes[DATE_LEN];
    if (j->storage == NULL) {
        return;
    }
    put_u64(bytes, (uint64_t)date->start_unix_ns);
    if (!append_bytes(j, KIND_DATE, date->boot, bytes, sizeof bytes)) {
        j->failures++;
    }
}

void journal_note(struct journal *j, const struct journal_counters *counters)
{
    if (j->storage == NULL || memcmp(counters, &j->counters, sizeof *counters) == 0) {
        return;
    }
    j->counters = *counters;
    if (!put_counters(j)) {
        j->failures++;
    }
}

void journal_sync(struct journal *j)
{
    if (j->storage != NULL && !j->storage->sync(j->storage->ctx)) {
        j->failures++;
    }
}

static bool put_counters(struct journal *j)
{
    uint8_t bytes[COUNTERS_LEN];
    put_u64(bytes, j->counters.left_seq);
    put_u64(bytes + 8, j->counters.produced);
    put_u64(bytes + 16, j->counters.written);
    put_u64(bytes + 24, j->counters.last_stamp_s);
    put_u64(bytes + 32, j->counters.boots);
    for (size_t i = 0; i < JOURNAL_DROPS; i++) {
        put_u64(bytes + 40 + 8 * i, j->counters.dropped[i]);
    }
    return append_bytes(j, KIND_COUNTERS, 0, bytes, sizeof bytes);
}

static bool append_bytes(struct journal *j, uint32_t kind, uint64_t seq, const uint8_t *bytes,
                         size_t len)
{
    const struct entry what = {.kind = kind, .len = (uint32_t)len, .seq = seq};
    struct slice slice = slice_of((const char *)bytes, len);
    return append(j, &what, write_bytes, &slice);
}

static void write_bytes(void *ctx, struct out *out)
{
    const struct slice *bytes = ctx;
    out_put(out, *bytes);
}

/* The head holds the CRC and comes first: the bytes are written twice. */
static bool append(struct journal *j, const struct entry *what, journal_write_fn write, void *ctx)
{
    static const uint8_t padding[4] = {0};
    uint32_t sector_len = j->storage->sector_len;
    size_t first_len = HEAD_LEN + ENTRY_LEN + COUNTERS_LEN;
    size_t need = ENTRY_LEN + ((what->len + 3u) & ~(size_t)3u);
    if (need > sector_len - first_len || (need > sector_len - j->at && !begin_sector(j))) {
        return false;
    }
    uint8_t head[ENTRY_LEN];
    char piece[PIECE_LEN];
    struct out out;
    put_u32(head + 4, what->kind | what->len);
    put_u64(head + 8, what->seq);
    uint32_t crc = crc32_update(0, head + 4, sizeof head - 4);
    out_init_flush(&out, NULL, 0, add_crc, &crc);
    write(ctx, &out);
    put_u32(head, crc);
    if (!program(j, head, sizeof head)) {
        return false;
    }
    out_init_flush(&out, piece, sizeof piece, program_piece, j);
    write(ctx, &out);
    return out_finish(&out) == LIMPET_OK && program(j, padding, need - ENTRY_LEN - what->len);
}

static int add_crc(void *ctx, const char *bytes, size_t len)
{
    uint32_t *crc = ctx;
    *crc = crc32_update(*crc, bytes, len);
    return LIMPET_OK;
}

static int program_piece(void *ctx, const char *bytes, size_t len)
{
    return program(ctx, bytes, len) ? LIMPET_OK : LIMPET_ERR_IO;
}

/* The next one in rotation. Erased for certain first, or an old entry could stand behind a new one;
 * its counters are written at once, and synced before the erasing of what held the last ones can
 * come. */
static bool begin_sector(struct journal *j)
{
    const struct port_storage *s = j->storage;
    uint8_t head[HEAD_LEN];
    j->sector = j->sector_order == 0 ? 0 : (j->sector + 1u) % s->sector_count;
    j->sector_order++;
    j->at = s->sector_len; /* until it is ready */
    if (!s->erase(s->ctx, j->sector) || !s->sync(s->ctx)) {
        return false;
    }
    j->erased++;
    j->at = 0;
    put_u32(head, MAGIC);
    put_u32(head + 4, j->sector_order);
    put_u32(head + 8, j->fingerprint);
    put_u32(head + 12, crc32_update(0, head, 12));
    return program(j, head, sizeof head) && put_counters(j) && s->sync(s->ctx);
}

/* What failed is not tried again: the rest of the sector is left alone. */
static bool program(struct journal *j, const void *bytes, size_t len)
{
    const struct port_storage *s = j->storage;
    if (len > 0 && !s->program(s->ctx, j->sector * s->sector_len + j->at, bytes, len)) {
        j->at = s->sector_len;
        return false;
    }
    j->at += (uint32_t)len;
    return true;
}

/* ---- Bytes ------------------------------------------------------------------------------------
 */

static void put_u32(uint8_t *to, uint32_t v)
{
    for (unsigned i = 0; i < 4u; i++) {
        to[i] = (uint8_t)(v >> (8u * i));
    }
}

static void put_u64(uint8_t *to, uint64_t v)
{
    put_u32(to, (uint32_t)v);
    put_u32(to + 4, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static uint64_t get_u64(const uint8_t *from)
{
    return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}
