/* Token buckets against whole numbers, from the text of a configuration on: random rates, bursts
 * and idle times, clocks of 500 years; and 10,000 clients on a table of 256 against a list. */
#include "gateway/bucket.h"

#include "config/config.h"

#include "check.h"

#include <stdlib.h>

_Static_assert(LIMPET_LIMIT_CLIENTS == 256u, "CMakeLists.txt says so for this test");

#define S UINT64_C(1000000000)
#define YEAR (UINT64_C(31556952) * S)

static struct config config;
static char scratch[1024 * 1024];
static uint64_t seed = 1;

static uint64_t below(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % limit;
}

static void ignore(void *ctx, const struct config_finding *finding)
{
    (void)ctx;
    (void)finding;
}

/* The rate of an endpoint with these keys; parts 0 = refused, or no limit. */
static struct config_rate rate_of(const char *keys)
{
    static char text[512];
    int len = snprintf(text, sizeof(text),
                       "{\"version\":3,\"host\":[\"h\"],\"endpoints\":[{\"endpoint\":\"/a\","
                       "\"backend\":[{\"url_pattern\":\"/\"}],\"extra_config\":{"
                       "\"qos/ratelimit/router\":{%s}}}]}",
                       keys);
    int err =
        config_load(&config, slice_of(text, (size_t)len), scratch, sizeof(scratch), ignore, NULL);
    bool limited = err == LIMPET_OK && config.rate_count == 1;
    return limited ? config.rates[0] : (struct config_rate){.parts = 0};
}

/* ---- One bucket ------------------------------------------------------------------------------ */

/* Each ns brings `per_ns` units, a token costs `cost` units: whole numbers only. */
struct model {
    uint64_t per_ns;
    uint64_t cost;
    uint64_t full;
    uint64_t level;
    uint64_t at_ns;
};

static bool model_take(struct model *m, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - m->at_ns;
    bool fills = passed_ns > (m->full - m->level) / m->per_ns;
    m->level = fills ? m->full : m->level + passed_ns * m->per_ns;
    m->at_ns = now_ns;
    if (m->level < m->cost) {
        return false;
    }
    m->level -= m->cost;
    return true;
}

struct rate_case {
    struct config_rate rate;
    struct model model;
};

static struct rate_case random_rate(void)
{
    static const uint64_t tens[] = {1, 10, 100, 1000};
    uint64_t decimals = below(4);
    uint64_t value = 1 + below(below(2) == 0 ? 20 : 100000);
    uint64_t every_ms = 1 + below(below(2) == 0 ? 100 : 100000);
    uint64_t capacity = 1 + below(20);
    char keys[200];
    snprintf(keys, sizeof(keys), "\"max_rate\":%llu.%0*llu,\"every\":\"%llums\",\"capacity\":%llu",
             (unsigned long long)(value / tens[decimals]), (int)decimals + (decimals == 0),
             (unsigned long long)(value % tens[decimals]), (unsigned long long)every_ms,
             (unsigned long long)capacity);
    uint64_t cost = every_ms * 1000000 * tens[decimals];
    struct rate_case c = {rate_of(keys), {value, cost, cost * capacity, cost * capacity, 0}};
    CHECK_EQ_UINT(c.rate.capacity, capacity);
    return c;
}

static uint64_t token_time(const struct rate_case *c)
{
    return c->model.cost / c->model.per_ns;
}

static void test_random_schedules(void)
{
    static const uint64_t starts[] = {0, 1, S, UINT64_C(1) << 63, 500 * YEAR};
    unsigned long takes = 0;
    unsigned long refusals = 0;
    for (int round = 0; round < 3000; round++) {
        struct rate_case c = random_rate();
        struct bucket bucket = {0};
        uint64_t now_ns = starts[below(5)];
        c.model.at_ns = now_ns;
        for (int step = 0; step < 200; step++) {
            uint64_t token_ns = token_time(&c);
            uint64_t kinds[] = {0,
                                0,
                                1,
                                token_ns,
                                token_ns + 1,
                                below(2 * token_ns + 2),
                                below(below(4) == 0 ? c.rate.capacity * token_ns * 2 + 2 : 2)};
            now_ns += kinds[below(7)];
            bool want = model_take(&c.model, now_ns);
            bool got = bucket_take(&bucket, &c.rate, now_ns);
            if (got != want) {
                CHECK_EQ_INT(got, want);
                return;
            }
            takes += got;
            refusals += !got;
        }
    }
    CHECK(takes > 100000 && refusals > 100000);
}

/* Exactly at the token's time, not a nanosecond before; after any idle time the capacity only. */
static void test_edges(void)
{
    struct config_rate third = rate_of("\"max_rate\":3,\"capacity\":2");
    struct bucket bucket = {0};
    uint64_t now_ns = 7 * S;
    CHECK(bucket_take(&bucket, &third, now_ns));
    CHECK(bucket_take(&bucket, &third, now_ns));
    CHECK(!bucket_take(&bucket, &third, now_ns + 333333333));
    CHECK(bucket_take(&bucket, &third, now_ns + 333333334));
    CHECK(!bucket_take(&bucket, &third, now_ns + 666666666));
    CHECK(bucket_take(&bucket, &third, now_ns + 666666667));
    CHECK(!bucket_take(&bucket, &third, now_ns + S - 1));
    CHECK(bucket_take(&bucket, &third, now_ns + S)); /* three thirds are a whole */
    const uint64_t idle[] = {2 * S, 3600 * S, YEAR, 100 * YEAR, 300 * YEAR};
    for (size_t i = 0; i < 5; i++) {
        now_ns += idle[i];
        CHECK(bucket_take(&bucket, &third, now_ns));
        CHECK(bucket_take(&bucket, &third, now_ns));
        CHECK(!bucket_take(&bucket, &third, now_ns));
    }
}

/* A client that asks all the time gets the rate and the capacity, over days, to the token. */
static void test_no_drift(void)
{
    struct config_rate rate = rate_of("\"max_rate\":7,\"every\":\"1s\",\"capacity\":5");
    struct bucket bucket = {0};
    uint64_t taken = 0;
    for (uint64_t ms = 0; ms <= UINT64_C(86400) * 1000; ms += 50) {
        taken += bucket_take(&bucket, &rate, ms * 1000000);
    }
    CHECK_EQ_UINT(taken, 5 + 7 * 86400);
}

/* The longest that a bucket may take to fill, at the end of its years. */
static void test_longest(void)
{
    struct config_rate rate = rate_of("\"max_rate\":1,\"every\":\"1000h\",\"capacity\":640");
    struct bucket bucket = {0};
    uint64_t now_ns = 511 * YEAR;
    for (int i = 0; i < 640; i++) {
        CHECK(bucket_take(&bucket, &rate, now_ns));
    }
    CHECK(!bucket_take(&bucket, &rate, now_ns));
    CHECK(bucket.full_ns > now_ns);
    CHECK_EQ_UINT(rate_of("\"max_rate\":1,\"every\":\"1000h\",\"capacity\":641").parts, 0);
}

/* The capacity that follows from the rate: what comes in a second, one at least. */
static void test_default_capacity(void)
{
    static const struct {
        const char *keys;
        uint32_t capacity; /* 0 = refused, or no limit */
    } rows[] = {
        {"\"max_rate\":1", 1},
        {"\"max_rate\":0.5", 1},
        {"\"max_rate\":1.9", 1},
        {"\"max_rate\":2", 2},
        {"\"max_rate\":2.0", 2},
        {"\"max_rate\":1e3", 1000},
        {"\"max_rate\":1.5E+2", 150},
        {"\"max_rate\":25e-1", 2},
        {"\"max_rate\":50,\"every\":\"10m\"", 1},
        {"\"max_rate\":300,\"every\":\"1m\"", 5},
        {"\"max_rate\":359,\"every\":\"1m\"", 5},
        {"\"max_rate\":1,\"every\":\"100ms\"", 10},
        {"\"max_rate\":3,\"capacity\":0", 3},
        {"\"max_rate\":0.3333333333333333,\"capacity\":4294967295", 0},
        {"\"max_rate\":0.3333333333333333,\"capacity\":700000000", 700000000},
        {"\"max_rate\":4000000000", 4000000000u},
        {"\"max_rate\":1e18", 4294967295u},
        {"\"max_rate\":1e19", 0},
        {"\"max_rate\":1e-18", 0},
        {"\"max_rate\":1e-999", 0},
        {"\"max_rate\":1e1000", 0},
        {"\"max_rate\":1234567890123456789", 0},
        {"\"max_rate\":123456789012345678", 4294967295u},
        {"\"max_rate\":0", 0},
        {"\"max_rate\":0.000", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!CHECK_EQ_UINT(rate_of(rows[i].keys).capacity, rows[i].capacity)) {
            fprintf(stderr, "    %s\n", rows[i].keys);
        }
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

#define CLIENTS 10000u

static struct bucket_table table;

/* The same as a list, the most recent client first. */
static struct {
    uint32_t who;
    struct model model;
} list[LIMPET_LIMIT_CLIENTS];
static size_t list_len;
static uint64_t list_evicted;

static bool list_take(uint32_t who, const struct model *fresh, uint64_t now_ns)
{
    size_t i = 0;
    while (i < list_len && list[i].who != who) {
        i++;
    }
    struct model model = i < list_len ? list[i].model : *fresh;
    if (i == list_len && list_len < LIMPET_LIMIT_CLIENTS) {
        list_len++;
    } else if (i == list_len) {
        list_evicted++;
        i--;
    }
    memmove(&list[1], &list[0], i * sizeof(list[0]));
    bool taken = model_take(&model, now_ns);
    list[0].who = who;
    list[0].model = model;
    return taken;
}

/* `spread`: all clients in one chain, or in all of them. */
static void test_table(uint64_t spread)
{
    struct config_rate rate = rate_of("\"max_rate\":2,\"capacity\":3");
    const struct model fresh = {2, S, 3 * S, 3 * S, 0};
    memset(&table, 0xA5, sizeof(table));
    bucket_table_init(&table);
    list_len = 0;
    list_evicted = 0;
    uint64_t now_ns = S;
    unsigned long taken = 0;
    unsigned long wrong = 0;
    for (uint32_t step = 0; step < 60000; step++) {
        /* Each once, then some that come often among many. */
        uint64_t crowd = below(3) == 0 ? CLIENTS : 300;
        uint32_t who = step < CLIENTS ? step : (uint32_t)below(crowd);
        uint64_t id[2] = {who * spread, who};
        struct model model = fresh;
        model.at_ns = now_ns;
        bool want = list_take(who, &model, now_ns);
        bool got = bucket_take(bucket_table_find(&table, id), &rate, now_ns);
        taken += got;
        wrong += got != want || table.used != list_len || table.evicted != list_evicted;
        now_ns += below(S / 200);
    }
    CHECK_EQ_UINT(wrong, 0);
    CHECK_EQ_UINT(table.used, LIMPET_LIMIT_CLIENTS);
    CHECK(table.evicted > CLIENTS - LIMPET_LIMIT_CLIENTS && taken < 60000);
}

int main(void)
{
    test_edges();
    test_random_schedules();
    test_no_drift();
    test_longest();
    test_default_capacity();
    test_table(1);
    test_table(0);
    return check_result();
}
