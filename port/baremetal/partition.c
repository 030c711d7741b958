#include "partition.h"

#include "base/crc.h"

/* Offsets in the head. */
#define AT_VERSION 4u
#define AT_FLAGS 6u
#define AT_LEN 8u
#define AT_CRC 12u

#define ENTRY_HEAD_LEN 8u

struct entry {
    uint16_t kind;
    struct slice bytes;
};

static uint32_t get_u32(const char *at);
static uint16_t get_u16(const char *at);
static int open_entries(struct slice payload, struct partition *partition);
static bool next_entry(struct slice *payload, struct entry *entry);
static void take_entry(struct partition *partition, const struct entry *entry);

int partition_open(struct slice bytes, struct partition *partition)
{
    *partition = (struct partition){0};
    if (bytes.len < PARTITION_HEAD_LEN || get_u32(bytes.ptr) != PARTITION_MAGIC) {
        return LIMPET_ERR_NOT_FOUND;
    }
    if (get_u16(bytes.ptr + AT_VERSION) != PARTITION_VERSION) {
        return LIMPET_ERR_UNSUPPORTED;
    }
    struct slice payload = slice_skip(bytes, PARTITION_HEAD_LEN);
    uint32_t len = get_u32(bytes.ptr + AT_LEN);
    if (len > payload.len) {
        return LIMPET_ERR_TOO_LONG;
    }
    payload = slice_take(payload, len);
    uint32_t crc = crc32_update(0, bytes.ptr + AT_FLAGS, 2);
    if (crc32_update(crc, payload.ptr, payload.len) != get_u32(bytes.ptr + AT_CRC)) {
        return LIMPET_ERR_SYNTAX;
    }
    struct partition opened = {.flags = get_u16(bytes.ptr + AT_FLAGS)};
    int err = open_entries(payload, &opened);
    if (err == LIMPET_OK) {
        *partition = opened;
    }
    return err;
}

static int open_entries(struct slice payload, struct partition *partition)
{
    struct entry entry;
    partition->entries = payload;
    while (next_entry(&payload, &entry)) {
        take_entry(partition, &entry);
    }
    return payload.len == 0 && partition->config.len > 0 ? LIMPET_OK : LIMPET_ERR_SYNTAX;
}

/* False: none is left, or what is left is none. */
static bool next_entry(struct slice *payload, struct entry *entry)
{
    if (payload->len < ENTRY_HEAD_LEN) {
        return false;
    }
    uint32_t len = get_u32(payload->ptr + 4);
    size_t room = payload->len - ENTRY_HEAD_LEN;
    if (len > room || (len + 3u) / 4u * 4u > room) {
        return false;
    }
    entry->kind = get_u16(payload->ptr);
    entry->bytes = slice_of(payload->ptr + ENTRY_HEAD_LEN, len);
    *payload = slice_skip(*payload, ENTRY_HEAD_LEN + (len + 3u) / 4u * 4u);
    return true;
}

struct slice partition_file(const struct partition *partition, struct slice name)
{
    struct slice left = partition->entries;
    struct entry entry;
    while (next_entry(&left, &entry)) {
        size_t name_len = slice_find(entry.bytes, '\0');
        if (entry.kind == PARTITION_FILE && slice_equal(slice_take(entry.bytes, name_len), name)) {
            return slice_skip(entry.bytes, name_len + 1);
        }
    }
    return SLICE_EMPTY;
}

/* Entries of a kind that this version does not know are passed over. */
static void take_entry(struct partition *partition, const struct entry *entry)
{
    if (entry->kind == PARTITION_CONFIG) {
        partition->config = entry->bytes;
    } else if (entry->kind == PARTITION_TIME_SERVER) {
        partition->time_server = entry->bytes;
    } else if (entry->kind == PARTITION_SEED) {
        partition->seed = entry->bytes;
    }
}

const char *partition_problem(int err)
{
    switch (err) {
    case LIMPET_ERR_NOT_FOUND:
        return "the configuration partition was never written";
    case LIMPET_ERR_UNSUPPORTED:
        return "the configuration partition is of another version";
    case LIMPET_ERR_TOO_LONG:
        return "the configuration is longer than its partition";
    default:
        return "the configuration partition is damaged (CRC)";
    }
}

static uint16_t get_u16(const char *at)
{
    return (uint16_t)((unsigned char)at[0] | (unsigned char)at[1] << 8);
}

static uint32_t get_u32(const char *at)
{
    return get_u16(at) | (uint32_t)get_u16(at + 2) << 16;
}
