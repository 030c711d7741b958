/* The configuration partition: {magic, version, length, CRC-32, payload}, made by
 * `./dev config-image`.
 *
 * Little endian: u32 magic "LMPC", u16 version 1, u16 flags, u32 length of the payload, u32 CRC-32
 * of flags and payload, payload. The payload is a run of entries {u16 kind, u16 0, u32 length,
 * bytes, zeros to a multiple of 4}. tools/config-image writes the same. */
#ifndef LIMPET_BAREMETAL_PARTITION_H
#define LIMPET_BAREMETAL_PARTITION_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define PARTITION_MAGIC 0x43504D4Cu /* "LMPC" */
#define PARTITION_VERSION 1u
#define PARTITION_HEAD_LEN 16u

/* The host that runs the emulator publishes the ports of this image: its 127.0.0.1 is the gateway
 * of the netif, and listen addresses are its own affair. */
#define PARTITION_FLAG_PUBLISHED 1u

enum partition_kind {
    PARTITION_CONFIG = 1,      /* krakend.json */
    PARTITION_TIME_SERVER = 2, /* "host" or "host:port" of an SNTP server */
    PARTITION_SEED = 3,        /* random bytes, others in each image (seed.h) */
    PARTITION_FILE = 4,        /* its name, NUL, its bytes: what krakend.json names */
};

struct partition {
    uint16_t flags;
    /* Slices point into the partition. */
    struct slice config;
    struct slice time_server; /* empty = none */
    struct slice seed;        /* empty = none */
    struct slice entries;     /* all of them */
};

/* LIMPET_ERR_NOT_FOUND: no magic (never written); LIMPET_ERR_UNSUPPORTED: another version;
 * LIMPET_ERR_TOO_LONG: the length is beyond the partition; LIMPET_ERR_SYNTAX: CRC or entries are
 * wrong, or there is no configuration among them. `*partition` is empty then. */
LIMPET_WARN_UNUSED
int partition_open(struct slice bytes, struct partition *partition);
/* The bytes of a file, in the partition; empty: it is not there. */
struct slice partition_file(const struct partition *partition, struct slice name);
/* Such an error in words for the console. */
const char *partition_problem(int err);

#endif
