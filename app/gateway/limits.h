/* How many requests an endpoint takes (qos/ratelimit/router) and a backend gets
 * (qos/ratelimit/proxy).
 *
 * An endpoint asks its client's bucket first, then that of all clients: what the first refuses
 * takes nothing from the second. A client is an address, the value of a field or a {param}; the
 * same client has a bucket of its own at each endpoint. */
#ifndef LIMPET_GATEWAY_LIMITS_H
#define LIMPET_GATEWAY_LIMITS_H

#include "gateway/backend.h"
#include "gateway/bucket.h"

/* For static placement; do not touch the fields. */
struct limits {
    const struct config *config;
    uint64_t key[2]; /* of the names of clients */
    uint64_t refused_client;
    uint64_t refused_global;
    uint64_t refused_proxy;
    struct bucket buckets[LIMPET_RATES_MAX]; /* of config.rates; those of client rates are unused */
    struct bucket_table clients;
};

/* Takes the key of the names from port_entropy. */
void limits_init(struct limits *limits, const struct config *config);
/* 0: the request may go on. 429: the client has asked too often, or does not say who it is; 503:
 * all together have. */
unsigned limits_admit(struct limits *limits, const struct origin *origin, uint64_t now_ns);
/* May a call with this rate (config_backend.rate, not 0) go? */
bool limits_admit_call(struct limits *limits, uint16_t rate, uint64_t now_ns);

#endif
