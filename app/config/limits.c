/* qos/ratelimit/router, qos/ratelimit/proxy, qos/circuit-breaker. */
#include "base/num.h"
#include "config/loader.h"

#include <assert.h>

/* 73 years: so long a bucket may take to fill. The other 511 years of 64 bits are left to the
 * clock.
 */
#define FILL_NS_MAX (UINT64_C(1) << 61)
#define PARTS_MAX (UINT64_C(1) << 60)
#define PERIOD_S_MAX (1000u * 3600u)

/* A time in ns and parts of one. */
struct span {
    uint64_t ns;
    uint64_t part;
};

/* ---- Rates ---------------------------------------------------------------------------------- */

static struct span add(struct span a, struct span b, uint64_t parts)
{
    struct span sum = {a.ns + b.ns, a.part + b.part};
    if (sum.part >= parts) {
        sum.part -= parts;
        sum.ns++;
    }
    return sum;
}

/* So many tokens, bit by bit; false when they take longer than FILL_NS_MAX. */
static bool times(const struct config_rate *rate, uint32_t count, struct span *product)
{
    const struct span token = {rate->token_ns, rate->token_part};
    *product = (struct span){0, 0};
    for (uint32_t bit = UINT32_C(1) << 31; bit > 0; bit >>= 1) {
        *product = add(*product, *product, rate->parts);
        if ((count & bit) != 0) {
            *product = add(*product, token, rate->parts);
        }
        if (product->ns > FILL_NS_MAX) {
            return false;
        }
    }
    return true;
}

/* As many tokens as come in a second, one at least. */
static uint32_t default_capacity(const struct config_rate *rate)
{
    uint32_t count = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit > 0; bit >>= 1) {
        struct span span;
        bool fits = times(rate, count | bit, &span) && span.ns <= LIMPET_S_TO_NS(1) &&
                    (span.ns < LIMPET_S_TO_NS(1) || span.part == 0);
        count |= fits ? bit : 0;
    }
    return count > 0 ? count : 1;
}

/* A token takes every / (value x 10^exponent): long division, so that nothing is rounded. */
static bool divide(struct config_rate *rate, uint64_t value, int exponent, uint64_t every_ns)
{
    for (; exponent > 0; exponent--) {
        if (value > PARTS_MAX / 10) {
            return false;
        }
        value *= 10;
    }
    rate->parts = value;
    rate->token_ns = every_ns / value;
    rate->token_part = every_ns % value;
    for (; exponent < 0; exponent++) {
        uint64_t rest = rate->token_part * 10;
        if (rate->token_ns > FILL_NS_MAX / 10 - 1) {
            return false;
        }
        rate->token_ns = rate->token_ns * 10 + rest / value;
        rate->token_part = rest % value;
    }
    return true;
}

/* The rate's number in config->rates; 0 = no limit, or an error was reported. */
static uint16_t rate_read(struct loader *l, struct node max_rate, struct node capacity,
                          uint64_t every_ns)
{
    struct config_rate rate = {0};
    uint64_t tokens = 0;
    uint64_t value = 0;
    int exponent = 0;
    value_number(l, capacity, 0, UINT32_MAX, &tokens);
    if (!node_ok(max_rate)) {
        return 0;
    }
    const char *at = max_rate.raw.ptr;
    if (at[0] == '-') {
        loader_error(l, at, "must not be negative");
        return 0;
    }
    int err = num_parse_decimal(max_rate.raw, &value, &exponent);
    assert(err != LIMPET_ERR_SYNTAX); /* the type was checked */
    if (err == LIMPET_OK && value == 0) {
        return 0;
    }
    bool ok = err == LIMPET_OK && divide(&rate, value, exponent, every_ns);
    if (ok) {
        struct span spare;
        struct span full;
        rate.capacity = tokens > 0 ? (uint32_t)tokens : default_capacity(&rate);
        ok = times(&rate, rate.capacity - 1u, &spare) && times(&rate, rate.capacity, &full);
        rate.spare_ns = spare.ns;
        rate.spare_part = spare.part;
    }
    if (!ok) {
        loader_error(l, at,
                     "must have at most 18 digits, be at most 1e18, and fill the capacity within "
                     "73 years");
        return 0;
    }
    if (!loader_take(l, TABLE_RATES, 1, at)) {
        return 0;
    }
    l->config->rates[l->config->rate_count++] = rate;
    return l->config->rate_count;
}

static uint64_t every_read(struct loader *l, struct node node)
{
    uint64_t every_ns = LIMPET_S_TO_NS(1);
    value_interval_ns(l, node, LIMPET_MS_TO_NS(1), &every_ns);
    return every_ns;
}

/* ---- Clients -------------------------------------------------------------------------------- */

static void strategy_read(struct loader *l, struct node node, struct node rate,
                          enum client_strategy *strategy)
{
    static const char words[][8] = {"ip", "header", "param"};
    if (!node_given(node)) {
        loader_error(l, rate.raw.ptr, "needs \"strategy\": ip, header or param");
        return;
    }
    if (!node_ok(node)) {
        return;
    }
    for (size_t i = CLIENT_IP; i <= CLIENT_PARAM; i++) {
        if (slice_equal(node_string(node), slice_from_cstr(words[i]))) {
            *strategy = (enum client_strategy)i;
            return;
        }
    }
    struct out *out = loader_error_begin(l, node.raw.ptr);
    out_text(out, "expected ip, header or param, got ");
    finding_value(out, node.raw);
    finding_end(l->findings);
}

static void param_read(struct loader *l, const char *at, const struct path_params *params,
                       struct config_client *client)
{
    int index = params != NULL ? path_param_find(params, client->key) : 0;
    client->param = (uint8_t)(index < 0 ? 0 : index);
    if (index >= 0) {
        return;
    }
    struct out *out = loader_error_begin(l, at);
    finding_quote(out, client->key);
    out_text(out, " is no {param} of the endpoint");
    finding_end(l->findings);
}

static void client_read(struct loader *l, const struct node *found,
                        struct config_endpoint *endpoint, const struct path_params *params)
{
    struct config_client *client = &endpoint->client;
    struct node key = found[RATE_KEY];
    client->strategy = CLIENT_IP;
    strategy_read(l, found[RATE_STRATEGY], found[RATE_CLIENT_MAX_RATE], &client->strategy);
    if (value_text(l, key, &client->key)) {
        client->key = loader_keep(l, client->key, key.raw.ptr);
    }
    if (client->strategy == CLIENT_IP || node_given(key) != node_ok(key)) {
        return;
    }
    if (client->key.len == 0) {
        loader_error(l, found[RATE_STRATEGY].raw.ptr, "needs \"key\": the name that it looks for");
    } else if (client->strategy == CLIENT_PARAM) {
        param_read(l, key.raw.ptr, params, client);
    }
}

void loader_read_limits(struct loader *l, struct node node, struct config_endpoint *endpoint,
                        const struct path_params *params)
{
    static const uint8_t clients[] = {RATE_CLIENT_CAPACITY, RATE_STRATEGY, RATE_KEY};
    struct node found[RATE_KEYS];
    section_read(l, SECTION_RATE, node, found, RATE_KEYS);
    if (!node_ok(node)) {
        return;
    }
    if (!node_given(found[RATE_MAX_RATE]) && !node_given(found[RATE_CLIENT_MAX_RATE])) {
        loader_error(l, node.raw.ptr, "needs \"max_rate\" or \"client_max_rate\"");
    }
    uint64_t every_ns = every_read(l, found[RATE_EVERY]);
    endpoint->rate = rate_read(l, found[RATE_MAX_RATE], found[RATE_CAPACITY], every_ns);
    endpoint->client.rate =
        rate_read(l, found[RATE_CLIENT_MAX_RATE], found[RATE_CLIENT_CAPACITY], every_ns);
    if (endpoint->client.rate != 0) {
        client_read(l, found, endpoint, params);
        return;
    }
    for (size_t i = 0; i < sizeof(clients) && !node_given(found[RATE_CLIENT_MAX_RATE]); i++) {
        if (node_ok(found[clients[i]])) {
            loader_warning(l, found[clients[i]].raw.ptr, "has no effect without client_max_rate");
        }
    }
}

/* ---- Backends ------------------------------------------------------------------------------- */

static uint64_t seconds_read(struct loader *l, struct node node)
{
    uint64_t seconds = 0;
    value_number(l, node, 0, PERIOD_S_MAX, &seconds);
    return LIMPET_S_TO_NS(seconds);
}

static void breaker_read(struct loader *l, struct node node, struct config_backend *backend)
{
    struct node found[BREAKER_KEYS];
    section_read(l, SECTION_BREAKER, node, found, BREAKER_KEYS);
    if (!node_ok(node)) {
        return;
    }
    if (!node_given(found[BREAKER_INTERVAL]) || !node_given(found[BREAKER_TIMEOUT]) ||
        !node_given(found[BREAKER_MAX_ERRORS])) {
        loader_error(l, node.raw.ptr, "needs \"interval\", \"timeout\" and \"max_errors\"");
    }
    uint64_t errors_max = 0;
    struct config_breaker breaker = {
        .interval_ns = seconds_read(l, found[BREAKER_INTERVAL]),
        .timeout_ns = seconds_read(l, found[BREAKER_TIMEOUT]),
        .log_change = node_true(found[BREAKER_LOG]),
    };
    breaker.timeout_ns = breaker.timeout_ns > 0 ? breaker.timeout_ns : LIMPET_S_TO_NS(60);
    value_number(l, found[BREAKER_MAX_ERRORS], 0, 1000000, &errors_max);
    breaker.errors_max = (uint32_t)errors_max;
    if (value_text(l, found[BREAKER_NAME], &breaker.name)) {
        breaker.name = loader_keep(l, breaker.name, found[BREAKER_NAME].raw.ptr);
    }
    if (loader_take(l, TABLE_BREAKERS, 1, node.raw.ptr)) {
        l->config->breakers[l->config->breaker_count++] = breaker;
        backend->breaker = l->config->breaker_count;
    }
}

void loader_read_backend_limits(struct loader *l, struct node rate, struct node breaker,
                                struct config_backend *backend)
{
    struct node found[BACKEND_RATE_KEYS];
    section_read(l, SECTION_BACKEND_RATE, rate, found, BACKEND_RATE_KEYS);
    if (node_ok(rate) && !node_given(found[BACKEND_RATE_MAX_RATE])) {
        loader_error(l, rate.raw.ptr, "\"max_rate\" is missing");
    }
    backend->rate = rate_read(l, found[BACKEND_RATE_MAX_RATE], found[BACKEND_RATE_CAPACITY],
                              every_read(l, found[BACKEND_RATE_EVERY]));
    breaker_read(l, breaker, backend);
}
