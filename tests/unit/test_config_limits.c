/* Rate limits and circuit breakers in a configuration: what is kept, and what is refused where. */
#include "config/config.h"

#include "check.h"

static struct config config;
static char scratch[1024 * 1024];
static char told[4096];

static void tell(void *ctx, const struct config_finding *finding)
{
    static const char kinds[][4] = {
        [CONFIG_ERROR] = "E", [CONFIG_WARNING] = "W", [CONFIG_NO_EFFECT] = "N"};
    (void)ctx;
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s %.*s: %.*s\n", kinds[finding->kind],
             (int)finding->path.len, finding->path.ptr, (int)finding->message.len,
             finding->message.ptr);
}

static int load(const char *text)
{
    static char quoted[4096];
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    }
    told[0] = '\0';
    return config_load(&config, slice_of(quoted, len), scratch, sizeof(scratch), tell, NULL);
}

#define CONFIG(extra, backend_extra)                                                               \
    "{'version':3,'host':['h'],'endpoints':[{'endpoint':'/a/{id}/{x}','extra_config':{" extra      \
    "},'backend':[{'url_pattern':'/','extra_config':{" backend_extra "}}]}]}"
#define RATE(keys) CONFIG("'qos/ratelimit/router':{" keys "}", "")
#define PROXY(keys) CONFIG("", "'qos/ratelimit/proxy':{" keys "}")
#define BREAKER(keys) CONFIG("", "'qos/circuit-breaker':{" keys "}")

/* ---- What is kept --------------------------------------------------------------------------- */

static void check_rate(uint16_t number, uint32_t capacity, uint64_t token_ns, uint64_t part,
                       uint64_t parts)
{
    CHECK(number > 0 && number <= config.rate_count);
    const struct config_rate *rate = &config.rates[number - 1u];
    CHECK_EQ_UINT(rate->capacity, capacity);
    CHECK_EQ_UINT(rate->token_ns, token_ns);
    CHECK_EQ_UINT(rate->token_part, part);
    CHECK_EQ_UINT(rate->parts, parts);
}

static void test_all_keys(void)
{
    CHECK_EQ_INT(
        load(CONFIG("'qos/ratelimit/router':{'@comment':1,'max_rate':50,'capacity':60,"
                    "'every':'10m','client_max_rate':0.7,'client_capacity':2,"
                    "'strategy':'param','key':'x','num_shards':1,'cleanup_period':'60s',"
                    "'cleanup_threads':1}",
                    "'qos/ratelimit/proxy':{'max_rate':3},'qos/circuit-breaker':{'interval':60,"
                    "'timeout':10,'max_errors':1,'name':'c\\u0062','log_status_change':true}")),
        LIMPET_OK);
    const struct config_endpoint *e = &config.endpoints[0];
    check_rate(e->rate, 60, UINT64_C(12000000000), 0, 50);
    check_rate(e->client.rate, 2, UINT64_C(857142857142), 6, 7);
    CHECK_EQ_INT(e->client.strategy, CLIENT_PARAM);
    CHECK_EQ_UINT(e->client.param, 1);
    const struct config_backend *b = &config.backends[0];
    check_rate(b->rate, 3, 333333333, 1, 3);
    CHECK_EQ_UINT(b->breaker, 1);
    CHECK_EQ_UINT(config.breakers[0].interval_ns, UINT64_C(60000000000));
    CHECK_EQ_UINT(config.breakers[0].timeout_ns, UINT64_C(10000000000));
    CHECK_EQ_UINT(config.breakers[0].errors_max, 1);
    CHECK(config.breakers[0].log_change);
    CHECK_EQ_TEXT(config.breakers[0].name.ptr, config.breakers[0].name.len, "cb");
    CHECK(strstr(told, "N ") != NULL && strstr(told, "E ") == NULL && strstr(told, "W ") == NULL);
}

static void test_others(void)
{
    CHECK_EQ_INT(load(CONFIG("'github.com/devopsfaith/krakend-ratelimit/juju/router':{"
                             "'client_max_rate':5,'strategy':'ip'}",
                             "'github.com/devopsfaith/krakend-ratelimit/juju/proxy':{"
                             "'max_rate':0,'capacity':1},"
                             "'github.com/devopsfaith/krakend-circuitbreaker/gobreaker':{"
                             "'interval':0,'timeout':0,'max_errors':0}")),
                 LIMPET_OK);
    CHECK_EQ_STR(told, "");
    CHECK_EQ_UINT(config.endpoints[0].rate, 0);
    check_rate(config.endpoints[0].client.rate, 5, 200000000, 0, 5);
    CHECK_EQ_UINT(config.endpoints[0].client.key.len, 0);
    CHECK_EQ_UINT(config.backends[0].rate, 0);
    CHECK_EQ_UINT(config.breakers[0].timeout_ns, UINT64_C(60000000000));
    CHECK_EQ_UINT(config.breakers[0].interval_ns, 0);
    CHECK(!config.breakers[0].log_change);

    CHECK_EQ_INT(load(RATE("'max_rate':0,'client_max_rate':0")), LIMPET_OK);
    CHECK_EQ_UINT(config.rate_count, 0);
    CHECK_EQ_INT(load(RATE("'client_max_rate':1e1,'strategy':'header','key':'X-A'")), LIMPET_OK);
    CHECK_EQ_TEXT(config.endpoints[0].client.key.ptr, config.endpoints[0].client.key.len, "X-A");
}

/* ---- What is refused ------------------------------------------------------------------------ */

static const struct row {
    const char *text;
    const char *finding; /* the only one, a part of it */
} rows[] = {
    {RATE(""), "router: needs \"max_rate\" or \"client_max_rate\""},
    {RATE("'max_rate':-1"), "router.max_rate: must not be negative"},
    {RATE("'max_rate':'3'"), "router.max_rate: expected a number, got \"3\""},
    {RATE("'max_rate':1e19"), "router.max_rate: must have at most 18 digits, be at most 1e18"},
    {RATE("'max_rate':1.234567890123456789"), "router.max_rate: must have at most 18 digits"},
    {RATE("'max_rate':1e-10"), "within 73 years"},
    {RATE("'max_rate':1,'capacity':-1"), "router.capacity: must be at least 0, got -1"},
    {RATE("'max_rate':1,'capacity':1.5"), "router.capacity: expected a whole number, got 1.5"},
    {RATE("'max_rate':1,'capacity':4294967296"), "router.capacity: must be at most 4294967295"},
    {RATE("'max_rate':1,'every':'1'"), "router.every: expected a duration"},
    {RATE("'max_rate':1,'every':10"), "router.every: expected a duration"},
    {RATE("'max_rate':1,'every':'0s'"), "router.every: must be at least 1ms"},
    {RATE("'max_rate':1,'every':'1001h'"), "router.every: must be at most 1000h"},
    {RATE("'client_max_rate':1"), "router.client_max_rate: needs \"strategy\": ip, header or"},
    {RATE("'client_max_rate':1,'strategy':'IP'"), "router.strategy: expected ip, header or param"},
    {RATE("'client_max_rate':1,'strategy':'jwt'"), "router.strategy: expected ip, header or param"},
    {RATE("'client_max_rate':1,'strategy':'header'"), "router.strategy: needs \"key\""},
    {RATE("'client_max_rate':1,'strategy':'header','key':''"), "router.strategy: needs \"key\""},
    {RATE("'client_max_rate':1,'strategy':'param'"), "router.strategy: needs \"key\""},
    {RATE("'client_max_rate':1,'strategy':'param','key':'y'"),
     "router.key: \"y\" is no {param} of the endpoint"},
    {RATE("'client_max_rate':1,'strategy':'ip','key':7"), "router.key: expected a string, got 7"},
    {RATE("'max_rate':1,'maxrate':7"), "unknown key \"maxrate\"; did you mean \"max_rate\"?"},
    {RATE("'max_rate':1,'clientMaxRate':7"), "did you mean \"client_max_rate\"?"},
    {PROXY("'capacity':1"), "proxy: \"max_rate\" is missing"},
    {PROXY("'max_rate':-0.5"), "proxy.max_rate: must not be negative"},
    {PROXY("'max_rate':1,'every':'0.5ms'"), "proxy.every: must be at least 1ms"},
    {PROXY("'max_rate':1,'strategy':'ip'"), "unknown key \"strategy\" here; it belongs to:"},
    {BREAKER(""), "needs \"interval\", \"timeout\" and \"max_errors\""},
    {BREAKER("'interval':1,'timeout':1"), "needs \"interval\", \"timeout\" and \"max_errors\""},
    {BREAKER("'interval':-1,'timeout':1,'max_errors':1"), "interval: must be at least 0, got -1"},
    {BREAKER("'interval':1,'timeout':'10s','max_errors':1"), "timeout: expected a whole number"},
    {BREAKER("'interval':1,'timeout':3600001,'max_errors':1"), "timeout: must be at most 3600000"},
    {BREAKER("'interval':1,'timeout':1,'max_errors':0.5"), "max_errors: expected a whole number"},
    {BREAKER("'interval':1,'timeout':1,'maxErrors':1,'max_errors':2"), "mean \"max_errors\"?"},
    {CONFIG("'qos/circuit-breaker':{}", ""), "it belongs to: endpoints[].backend[].extra_config"},
    {CONFIG("", "'qos/ratelimit/router':{}"), "it belongs to: endpoints[].extra_config"},
};

static void test_refused(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int err = load(rows[i].text);
        size_t lines = 0;
        for (const char *c = told; *c != '\0'; c++) {
            lines += *c == '\n';
        }
        bool ok = CHECK_EQ_INT(err, LIMPET_ERR_RANGE);
        ok = CHECK_EQ_UINT(lines, 1) && ok;
        ok = CHECK(strstr(told, rows[i].finding) != NULL) && ok;
        if (!ok) {
            fprintf(stderr, "    %s\n    %s", rows[i].text, told);
        }
    }
}

static void test_warnings(void)
{
    CHECK_EQ_INT(load(RATE("'max_rate':1,'strategy':'ip','client_capacity':2,'key':'a'")),
                 LIMPET_OK);
    CHECK_EQ_STR(told,
                 "W endpoints[0].extra_config.qos/ratelimit/router.strategy: has no effect "
                 "without client_max_rate\n"
                 "W endpoints[0].extra_config.qos/ratelimit/router.client_capacity: has no "
                 "effect without client_max_rate\n"
                 "W endpoints[0].extra_config.qos/ratelimit/router.key: has no effect without "
                 "client_max_rate\n");
}

int main(void)
{
    test_all_keys();
    test_others();
    test_refused();
    test_warnings();
    return check_result();
}
