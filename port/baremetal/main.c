/* The firmware's main: configuration from its partition, network up, then the loop that every port
 * has. */
#include "app.h"
#include "board/board.h"
#include "network.h"
#include "panic.h"
#include "partition.h"
#include "platform.h"
#include "seed.h"
#include "storage.h"
#include "wall_clock.h"

#include <string.h>

/* Longer than any turn. With TLS that is a signature with an RSA key of 4096 bits of our own: about
 * 400 million instructions, 16 s at 25 MHz. */
#define WATCHDOG_PERIOD_MS (LIMPET_TLS ? 40000u : 10000u)

#define PREFIX_CONFIG "[SERVICE: Configuration]"
#define PREFIX_START "[SERVICE: Firmware]"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What runs when the partition cannot be used: the metrics listener, and no endpoint. */
static const char safe_config[] =
    "{\"version\":3,\"extra_config\":{\"telemetry/metrics\":{\"listen_address\":\":8090\"}}}";

/* What limpet.firmware. shows. */
struct state {
    bool safe_default; /* the partition could not be used */
    enum port_reset reset_reason;
    uint32_t stack_used_max;
};

static struct {
    struct app app;
    struct network network;
    struct log log; /* while the application's own is not there yet */
    struct partition partition;
    struct seed seed;
    struct wall_clock clock;
    struct state state;
    uint64_t sample_ns; /* when the values are sampled next */
    bool netif_alive;   /* at the last sample; else the watchdog is not fed */
} firmware;

static const struct metrics_value state_values[] = {
    METRICS_FIELD(METRICS_GAUGE, "firmware.safe_default", struct state, safe_default),
    METRICS_CONSTANT("firmware.stack_bytes", LIMPET_STACK_LEN),
    METRICS_FIELD(METRICS_GAUGE, "firmware.stack_bytes_max", struct state, stack_used_max),
};
static const struct metrics_value seed_values[] = {
    METRICS_FIELD(METRICS_GAUGE, "seed.ready", struct seed, ready),
};
static const struct metrics_value netif_values[] = {
    METRICS_FIELD(METRICS_COUNTER, "netif.frames_bad", struct board_netif_counts, frames_bad),
    METRICS_FIELD(METRICS_COUNTER, "netif.frames_dropped", struct board_netif_counts,
                  frames_dropped),
};

static void greet(void);
static void start_seed(void);
static void init_clock(void);
static void load(void);
static void load_safe_default(const char *problem);
static void report_finding(void *ctx, const struct config_finding *finding);
static void start_core(void);
static void turn(void);
static void sample(uint64_t now_ns);
static uint64_t earlier(uint64_t a, uint64_t b);

int main(void)
{
    board_init();
    log_init(&firmware.log, port_log_sink, NULL, LOG_INFO);
    greet();
    board_watchdog_start(WATCHDOG_PERIOD_MS);
    load();
    platform_use_partition(&firmware.partition);
    start_seed();
    init_clock();
    network_start(&firmware.network, &firmware.log, firmware.partition.seed);
    wall_clock_start(&firmware.clock);
    start_core();
    log_line(&firmware.log, LOG_INFO, PREFIX_START, "READY");
    for (;;) {
        turn();
    }
}

static void greet(void)
{
    struct out *out = log_begin(&firmware.log, LOG_INFO, PREFIX_START);
    out_text(out, "limpet " LIMPET_VERSION " on ");
    out_text(out, board_name());
    log_end(&firmware.log);
    firmware.state.reset_reason = panic_reset_reason();
    const char *reason = panic_last_reason();
    if (reason == NULL) {
        return;
    }
    out = log_begin(&firmware.log, LOG_ERROR, PREFIX_START);
    out_text(out, "the run before ended in a panic: ");
    out_text(out, reason);
    log_end(&firmware.log);
    panic_forget();
}

static void start_seed(void)
{
    seed_start(&firmware.seed, firmware.partition.seed);
    platform_use_seed(&firmware.seed);
    struct out *out =
        log_begin(&firmware.log, firmware.seed.ready ? LOG_INFO : LOG_WARN, PREFIX_START);
    if (firmware.seed.ready) {
        out_text(out, "boot ");
        out_u64(out, firmware.seed.boots);
        out_text(out, " of this storage; seed replaced");
    } else {
        out_text(out, "no random numbers, so no TLS: ");
        out_text(out, firmware.seed.problem);
    }
    log_end(&firmware.log);
}

/* krakend.json's own server, else the partition's, else DHCP's. The host's 127.0.0.1 is the netif's
 * gateway, which is not known yet: a server is named by its address there. */
static void init_clock(void)
{
    struct slice configured = firmware.app.config.time_server;
    const struct wall_clock_options options = {
        .server = configured.len > 0 ? configured : firmware.partition.time_server,
        .mono_ns = board_now_ns,
    };
    wall_clock_init(&firmware.clock, &firmware.log, &options);
}

/* ---- Configuration ----------------------------------------------------------------------------
 */

static void load(void)
{
    int err = partition_open(board_config_partition(), &firmware.partition);
    if (err != LIMPET_OK) {
        load_safe_default(partition_problem(err));
        return;
    }
    err = app_load(&firmware.app, firmware.partition.config, report_finding, NULL);
    if (err != LIMPET_OK) {
        load_safe_default("krakend.json was refused");
    }
}

static void load_safe_default(const char *problem)
{
    firmware.state.safe_default = true;
    struct out *out = log_begin(&firmware.log, LOG_ERROR, PREFIX_CONFIG);
    out_text(out, problem);
    out_text(out, "; the safe default runs: metrics listener only");
    log_end(&firmware.log);
    memset(&firmware.app, 0, sizeof(firmware.app));
    if (app_load(&firmware.app, SLICE_LIT(safe_config), report_finding, NULL) != LIMPET_OK) {
        panic("the safe default was refused");
    }
}

static void report_finding(void *ctx, const struct config_finding *finding)
{
    (void)ctx;
    if (finding->kind == CONFIG_NO_EFFECT) {
        return;
    }
    struct out *out = log_begin(&firmware.log, finding->kind == CONFIG_ERROR ? LOG_ERROR : LOG_WARN,
                                PREFIX_CONFIG);
    out_u64(out, finding->line);
    out_char(out, ':');
    out_u64(out, finding->column);
    out_text(out, ": ");
    out_put(out, finding->path);
    out_text(out, finding->path.len > 0 ? ": " : "");
    out_put(out, finding->message);
    log_end(&firmware.log);
}

/* ---- Core -------------------------------------------------------------------------------------
 */

static struct port_time read_time(void)
{
    uint64_t mono_ns = board_now_ns();
    return (struct port_time){.mono_ns = mono_ns,
                              .unix_ns = wall_clock_unix_ns(&firmware.clock, mono_ns)};
}

static void start_core(void)
{
    static const char *const argv[] = {"limpet"};
    const struct app_values values[] = {
        {wall_clock_values, WALL_CLOCK_VALUES, &firmware.clock},
        {seed_values, COUNT_OF(seed_values), &firmware.seed},
        {state_values, COUNT_OF(state_values), &firmware.state},
        {netif_values, COUNT_OF(netif_values), board_netif_counts()},
    };
    bool published = (firmware.partition.flags & PARTITION_FLAG_PUBLISHED) != 0;
    const struct app_options options = {
        .host_name = port_host_name(),
        .loopback_ip4 = published ? network_gateway_ip4(&firmware.network) : 0,
        .argv = argv,
        .argc = 1,
        .storage = storage_open(),
        .boots = firmware.seed.boots,
        .reset_reason = firmware.state.reset_reason,
        .values = values,
        .values_count = COUNT_OF(values),
    };
    const struct port_time now = read_time();
    int err = app_init(&firmware.app, &options, &now);
    if (err != LIMPET_OK) {
        panic(limpet_err_text(err));
    }
}

/* Once a second. The scan of the stack's paint reads a few kilobytes. */
static void sample(uint64_t now_ns)
{
    struct metrics *m = &firmware.app.metrics;
    firmware.sample_ns = now_ns + LIMPET_S_TO_NS(1);
    firmware.netif_alive = board_netif_alive();
    network_check_link(&firmware.network);
    firmware.state.stack_used_max = (uint32_t)stack_used_max();
    metrics_set_service(m, SERVICE_STACK_INUSE, firmware.state.stack_used_max);
    metrics_set_service(m, SERVICE_STACK_SYS, LIMPET_STACK_LEN);
    metrics_sample(m);
}

static void turn(void)
{
    bool more_frames = network_poll(&firmware.network);
    const struct port_time now = read_time();
    if (now.mono_ns >= firmware.sample_ns) {
        sample(now.mono_ns);
    }
    if (firmware.netif_alive) {
        board_watchdog_feed();
    }
    uint64_t next_ns = earlier(app_poll(&firmware.app, &now), network_next_ns(now.mono_ns));
    if (!more_frames) {
        board_idle(earlier(next_ns, firmware.sample_ns));
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
