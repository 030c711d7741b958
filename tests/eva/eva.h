/* What the drivers of tests/eva share: values that may be anything within bounds, and what the
 * analyser has to be told about builtins of the compiler. See tests/eva/run. */
#ifndef LIMPET_TESTS_EVA_H
#define LIMPET_TESTS_EVA_H

#include "__fc_builtin.h"

#include <stdbool.h>
#include <stdint.h>

/* Frama-C knows the two builtins by a contract that is too weak (0..31, 0..63 whatever the number).
 */
static int eva_clzll(unsigned long long x)
{
    int zeros = 0;
    while (zeros < 63 && x < 1ull << (63 - zeros)) {
        zeros++;
    }
    return zeros;
}

static int eva_clz(unsigned x)
{
    return eva_clzll(x) - 32;
}
#define __builtin_clzll eva_clzll
#define __builtin_clz eva_clz

static inline bool any_bool(void)
{
    return Frama_C_interval(0, 1) != 0;
}

static inline uint32_t any_u32(uint32_t low, uint32_t high)
{
    return Frama_C_unsigned_int_interval(low, high);
}

static inline int64_t any_i64(void)
{
    return Frama_C_long_long_interval(INT64_MIN, INT64_MAX);
}

static inline uint64_t any_u64(void)
{
    return Frama_C_unsigned_long_long_interval(0, UINT64_MAX);
}

#endif
