/* Token buckets: one by itself, and a table of those of clients.
 *
 * A bucket starts full, holds at most its capacity after any idle time, and refills continuously.
 * It keeps one number, when it will be full again, in nanoseconds and exact parts of one: taking a
 * token is an addition and a comparison, and nothing is rounded, ever.
 *
 * The table knows clients by 128 bits (base/siphash.h). When all its places are taken, the client
 * that was asked about least recently leaves; should it come back, it begins with a full bucket.
 * Finding, adding and leaving cost the same whatever its size. */
#ifndef LIMPET_GATEWAY_BUCKET_H
#define LIMPET_GATEWAY_BUCKET_H

#include "app_config.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised = full. */
struct bucket {
    uint64_t full_ns;   /* when it is full again; in the past = now */
    uint64_t full_part; /* and so many of the rate's parts of a nanosecond */
};

/* Takes a token; false when there is none (nothing changes then). `now_ns` never goes back; with
 * what config_load accepts there is no overflow before 2^64 - 2^61 ns, 511 years. */
bool bucket_take(struct bucket *bucket, const struct config_rate *rate, uint64_t now_ns);

/* ---- Clients ----------------------------------------------------------------------------------
 */

/* Indexes count from 1: 0 = none. */
struct bucket_client {
    uint64_t id[2];
    struct bucket bucket;
    uint16_t chain; /* next of the same chain */
    uint16_t newer;
    uint16_t older;
};

/* For static placement; do not touch the fields. */
struct bucket_table {
    uint16_t used;
    uint16_t newest;
    uint16_t oldest;
    uint64_t evicted; /* clients that left for others */
    uint16_t chains[LIMPET_LIMIT_CLIENTS];
    struct bucket_client clients[LIMPET_LIMIT_CLIENTS];
};

void bucket_table_init(struct bucket_table *table);
/* The bucket of a client, full if it is new; the client is the most recent one then. Stays until
 * the next call. */
struct bucket *bucket_table_find(struct bucket_table *table, const uint64_t id[2]);

#endif
