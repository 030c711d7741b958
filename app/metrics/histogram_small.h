/* Profiles M1 and M2 of the histogram: their memory, and what recording does to it. Included by
 * histogram.h only.
 *
 * A value is kept as units + 1 in 32 bits, and a negative one as 0: so -1 needs no sign, and
 * minimum, maximum, sums and order follow by themselves. */
#ifndef LIMPET_METRICS_HISTOGRAM_SMALL_H
#define LIMPET_METRICS_HISTOGRAM_SMALL_H

/* 27 octaves of 8 or 16 buckets. The unit shift says where they begin: times at 1.024 us = 64
 * units. */
#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_M1
#define HISTOGRAM_OCTAVE_BITS 3u
typedef uint8_t histogram_bucket;
#else
#define HISTOGRAM_OCTAVE_BITS 4u
typedef uint16_t histogram_bucket;
#endif
#define HISTOGRAM_REGULAR (27u << HISTOGRAM_OCTAVE_BITS)
#define HISTOGRAM_ORDERED HISTOGRAM_REGULAR /* buckets from 0 on, in the order of their values */
#define HISTOGRAM_NEGATIVE HISTOGRAM_REGULAR
#define HISTOGRAM_KEPT (HISTOGRAM_REGULAR / 2u)
#define HISTOGRAM_VALUE_MAX UINT32_MAX
/* Buckets that may count above 65535, each with a third byte. One more, or one above 2^24 - 1, and
 * all counts are halved. */
#define HISTOGRAM_CARRIES 4u
#define HISTOGRAM_COUNT_MAX 0xFFFFFFu

typedef uint32_t histogram_value; /* as kept: units + 1, 0 = negative */
typedef float histogram_percentile;

struct histogram_slot {
    union {
        histogram_value kept[HISTOGRAM_KEPT];
        uint16_t counts[HISTOGRAM_REGULAR];
        struct histogram_slot *next_free;
    };
    uint16_t negatives;
    uint8_t halvings;    /* a count stands for 2^halvings values */
    uint8_t carries : 7; /* in use */
    bool has_percentiles : 1;
    /* Bits 16 to 23 of the counts of these buckets. */
    uint8_t carry_high[HISTOGRAM_CARRIES];
    histogram_bucket carry_bucket[HISTOGRAM_CARRIES];
    histogram_percentile percentile[METRICS_PERCENTILES]; /* of the frozen summary */
};

/* 36 and 20 bytes: sums are words of 32 bits, low ones first, so that nothing is padded. */
struct histogram {
    struct histogram_slot *slot;
    uint32_t count;
    histogram_value min;
    histogram_value max;
    uint32_t sum[2];
    uint32_t squares[3];
};

/* A sum since the start, in units + 1 a value. It ends at 2^64 - 1: 2^32 values of the longest
 * time. May lie at any multiple of 4. */
typedef uint64_t histogram_total __attribute__((aligned(4)));

struct histogram_frozen {
    uint32_t count;
    histogram_value min;
    histogram_value max;
    uint32_t sum;   /* its first 26 bits, then in 6 bits how many there are more: 3e-8 of it */
    float variance; /* in units, 24 bits: 6e-8 of it */
};

/* Rounds down to units; values beyond 32 bits end at the highest one. */
static inline histogram_value histogram_value_of(int64_t value, enum histogram_unit unit)
{
    uint32_t high = (uint32_t)((uint64_t)value >> 32);
    uint32_t v = (uint32_t)((uint64_t)value >> unit) + 1u;
    if (high < 1u << unit && v != 0) {
        return v;
    }
    return value < 0 ? 0 : UINT32_MAX;
}

static inline void histogram_add_moments(struct histogram *h, histogram_value v)
{
    uint64_t sum = ((uint64_t)h->sum[1] << 32 | h->sum[0]) + v;
    h->sum[0] = (uint32_t)sum;
    h->sum[1] = (uint32_t)(sum >> 32);
    uint64_t square = (uint64_t)v * v;
    uint64_t part = (uint64_t)h->squares[0] + (uint32_t)square;
    h->squares[0] = (uint32_t)part;
    part = (part >> 32) + h->squares[1] + (square >> 32);
    h->squares[1] = (uint32_t)part;
    h->squares[2] += (uint32_t)(part >> 32);
}

/* Exponent of the first octave; buckets below it are linear. */
static inline unsigned histogram_first_exponent(enum histogram_unit unit)
{
    return unit == HISTOGRAM_NS ? 6u : HISTOGRAM_OCTAVE_BITS;
}

#if LIMPET_HISTOGRAM_PROFILE == LIMPET_HISTOGRAM_M1
/* Eighth of the octave [2^e, 2^(e+1)): with m the fraction above 2^e in 15 bits, 8 m (4 - m) / 3,
 * which follows log2(1 + m) so closely that 8 buckets do for 4.83 %. The factor is 0.5 % smaller
 * and a thirtieth of a bucket is added: so the bound also holds in the first octave, where a bucket
 * has few units. */
static inline unsigned histogram_part_of(uint32_t units, unsigned e)
{
    uint32_t m = (units << (31u - e)) >> 16 & 0x7FFFu;
    uint32_t curve = m * (0x20000u - m) + 0xD20000u;
    return (unsigned)((uint64_t)curve * 2848994973u >> 60);
}
#else
/* Sixteenth of the octave, linear. */
static inline unsigned histogram_part_of(uint32_t units, unsigned e)
{
    return units >> (e - HISTOGRAM_OCTAVE_BITS) & 15u;
}
#endif

static inline unsigned histogram_bucket_of(histogram_value v, enum histogram_unit unit)
{
    uint32_t units = v - 1u;
    unsigned first = histogram_first_exponent(unit);
    if (v == 0) {
        return HISTOGRAM_NEGATIVE;
    }
    if (units >> first == 0) {
        return units >> (first - HISTOGRAM_OCTAVE_BITS);
    }
    unsigned e = 31u - (unsigned)__builtin_clz(units);
    unsigned bucket = ((e - first + 1u) << HISTOGRAM_OCTAVE_BITS) + histogram_part_of(units, e);
    if (unit == HISTOGRAM_NS) { /* 2^32 units are the end of the last bucket */
        return bucket;
    }
    return bucket < HISTOGRAM_REGULAR ? bucket : HISTOGRAM_REGULAR - 1u;
}

/* The 16 bits of a bucket ran over: they are full, and one more is to be counted. */
void histogram_carry_up(struct histogram_slot *slot, unsigned bucket);

/* After a halving one value in two is counted, after the next one in four. Which, is drawn by the
 * fractional part of serial x golden ratio: spread evenly, in step with no period of the values. */
static inline bool histogram_is_drawn(const struct histogram_slot *slot, uint32_t serial)
{
    return serial * 2654435769u >> (32u - slot->halvings) == 0;
}

/* serial: the number of this value in its window. */
static inline void histogram_count_up(struct histogram_slot *slot, unsigned bucket, uint32_t serial)
{
    if (slot->halvings != 0 && !histogram_is_drawn(slot, serial)) {
        return;
    }
    uint16_t *count = bucket == HISTOGRAM_NEGATIVE ? &slot->negatives : &slot->counts[bucket];
    (*count)++;
    if (*count == 0) {
        histogram_carry_up(slot, bucket);
    }
}

#endif
