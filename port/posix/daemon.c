#include "daemon.h"

#include "clock.h"
#include "host_net.h"
#include "stop_signal.h"
#include "url.h"

#include "lwip/init.h"
#include "lwip/timeouts.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* Frames handed to lwIP before its timers and the core get their turn. */
#define FRAMES_PER_TURN 8u

/* Turns in which frames wait already and the host's sockets need not be asked: poll() over a
 * thousand sockets costs more than eight frames. */
#define TURNS_WITHOUT_POLL_MAX 8u

/* slirp answers DHCP from this process, within milliseconds. */
#define ADDRESS_TIMEOUT_MS 5000u

/* Between two lines about dropped frames. */
#define DROPS_LOG_PAUSE_MS 10000u

/* For what lwIP and the host's sockets still hold when the core has stopped. */
#define DRAIN_TIMEOUT_MS 1000u

#define PREFIX_NETWORK "[SERVICE: Network]"
#define PREFIX_GATEWAY "[SERVICE: Gateway]"
#define PREFIX_STATS "[SERVICE: Stats]"

static bool try_ports(struct daemon *d);
static void raise_fd_limit(struct daemon *d);
static bool start_network(struct daemon *d, uint32_t network_ip4);
static bool start_core(struct daemon *d, uint32_t network_ip4, int argc, char *const argv[]);
static bool publish(struct daemon *d);
static void log_urls(struct daemon *d);
static void run_loop(struct daemon *d);
static void stop(struct daemon *d);

int daemon_run(struct daemon *d, struct app *app, int argc, char *const argv[])
{
    d->app = app;
    log_init(&d->log, port_log_sink, NULL, app->config.log_level);
    if (!try_ports(d)) {
        return 1;
    }
    if (stop_signal_init() != LIMPET_OK) {
        log_line(&d->log, LOG_CRITICAL, PREFIX_NETWORK, "no file descriptor left");
        return 1;
    }
    raise_fd_limit(d);
    uint32_t network_ip4 = host_net_choose(&app->config);
    bool started =
        start_network(d, network_ip4) && start_core(d, network_ip4, argc, argv) && publish(d);
    if (started) {
        log_urls(d);
        run_loop(d);
        stop(d);
    }
    if (d->netif.slirp != NULL) {
        slirp_netif_close(&d->netif);
    }
    return started || stop_signal_number() != 0 ? 0 : 1;
}

/* ---- Start ---------------------------------------------------------------------------------- */

static bool has_stats_listener(const struct config *config)
{
    return config->metrics.enabled && !config->metrics.endpoint_disabled;
}

static void log_port_error(struct daemon *d, const struct config_listen *entry, bool is_stats,
                           int error)
{
    char address[URL_LEN_MAX];
    url_of_address(address, entry);
    struct out *o = log_begin(&d->log, LOG_CRITICAL, is_stats ? PREFIX_STATS : PREFIX_GATEWAY);
    out_text(o, "cannot listen on ");
    out_text(o, address);
    out_text(o, is_stats ? " (telemetry/metrics \"listen_address\"): "
                         : " (\"port\" and \"listen_ip\", or -p): ");
    out_text(o, strerror(error));
    if (error == EACCES) {
        out_text(o, "; ports below net.ipv4.ip_unprivileged_port_start need a privilege");
    }
    log_end(&d->log);
}

/* Before anything else starts: a taken port is what goes wrong most often. */
static bool try_ports(struct daemon *d)
{
    const struct config *config = &d->app->config;
    const struct config_listen entries[] = {config->listen, config->metrics.listen};
    size_t count = has_stats_listener(config) ? 2 : 1;
    size_t failed = 0;
    int error = 0;
    if (host_net_try_listen(entries, count, &failed, &error) == LIMPET_OK) {
        return true;
    }
    log_port_error(d, &entries[failed], failed == 1, error);
    return false;
}

/* Each client is a socket of slirp's; Debian's soft limit of 1024 is less than all connections at
 * once. */
static void raise_fd_limit(struct daemon *d)
{
    const rlim_t needed = SLIRP_POLL_FDS + 64u;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= SLIRP_SOCKETS_MAX) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < SLIRP_SOCKETS_MAX ? limit.rlim_max : SLIRP_SOCKETS_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed) {
        return;
    }
    struct out *o = log_begin(&d->log, LOG_WARN, PREFIX_NETWORK);
    out_text(o, "only ");
    out_u64(o, limit.rlim_cur);
    out_text(o, " open files allowed (ulimit -Hn); all connections at once need ");
    out_u64(o, needed);
    log_end(&d->log);
}

static bool start_network(struct daemon *d, uint32_t network_ip4)
{
    const uint64_t deadline_ns = clock_mono_ns() + LIMPET_MS_TO_NS(ADDRESS_TIMEOUT_MS);
    lwip_init();
    if (slirp_netif_open(&d->netif, network_ip4) != LIMPET_OK) {
        log_line(&d->log, LOG_CRITICAL, PREFIX_NETWORK, "libslirp did not start");
        return false;
    }
    while (!slirp_netif_has_address(&d->netif) && clock_mono_ns() < deadline_ns &&
           stop_signal_number() == 0) {
        slirp_netif_receive(&d->netif, FRAMES_PER_TURN);
        sys_check_timeouts();
        slirp_netif_wait(&d->netif, stop_signal_fd(), LIMPET_MS_TO_NS(10));
    }
    if (!slirp_netif_has_address(&d->netif)) {
        log_line(&d->log, LOG_CRITICAL, PREFIX_NETWORK, "no address from libslirp's DHCP");
        return false;
    }
    struct out *o = log_begin(&d->log, LOG_INFO, PREFIX_NETWORK);
    out_text(o, "user-mode network, address ");
    net_ip4_text(o, slirp_netif_ip4(&d->netif));
    out_text(o, "; this host's 127.0.0.1 is ");
    net_ip4_text(o, slirp_netif_loopback_ip4(network_ip4));
    log_end(&d->log);
    return true;
}

static bool start_core(struct daemon *d, uint32_t network_ip4, int argc, char *const argv[])
{
    const struct port_time now = clock_read();
    const struct app_options options = {
        .host_name = port_host_name(),
        .loopback_ip4 = slirp_netif_loopback_ip4(network_ip4),
        .argv = (const char *const *)argv,
        .argc = argc,
        .boots = 1, /* of this process */
        .reset_reason = PORT_RESET_POWER_ON,
        .storage = d->storage,
    };
    int err = app_init(d->app, &options, &now);
    if (err != LIMPET_OK) {
        struct out *o = log_begin(&d->log, LOG_CRITICAL, PREFIX_GATEWAY);
        out_text(o, "not started: ");
        out_text(o, limpet_err_text(err));
        log_end(&d->log);
    }
    return err == LIMPET_OK;
}

/* The gateway first: what is published last has a reserve of sockets (netif_slirp.c). */
static bool publish(struct daemon *d)
{
    const struct config *config = &d->app->config;
    if (slirp_netif_publish(&d->netif, config->listen.ip4, config->listen.port) != LIMPET_OK) {
        log_port_error(d, &config->listen, false, errno);
        return false;
    }
    const struct config_listen *stats = &config->metrics.listen;
    if (has_stats_listener(config) &&
        slirp_netif_publish(&d->netif, stats->ip4, stats->port) != LIMPET_OK) {
        log_port_error(d, stats, true, errno);
        return false;
    }
    return true;
}

static void log_endpoint(struct daemon *d, const char *gateway_url, size_t index)
{
    const struct config_endpoint *endpoint = &d->app->config.endpoints[index];
    struct out *o = log_begin(&d->log, LOG_INFO, "[ENDPOINT:");
    out_put(o, endpoint->path);
    out_text(o, "] ");
    out_put(o, method_name(endpoint->method));
    out_char(o, ' ');
    out_text(o, gateway_url);
    out_put(o, slice_skip(endpoint->path, 1));
    log_end(&d->log);
}

static void log_url(struct daemon *d, const char *prefix, const struct config_listen *listen,
                    const char *path)
{
    char url[URL_LEN_MAX];
    url_of_listener(url, listen);
    struct out *o = log_begin(&d->log, LOG_INFO, prefix);
    out_text(o, "listening on ");
    out_text(o, url);
    out_text(o, path);
    out_text(o, listen->ip4 == 0 ? " and every other address of this host" : "");
    log_end(&d->log);
}

static void log_urls(struct daemon *d)
{
    const struct config *config = &d->app->config;
    char url[URL_LEN_MAX];
    url_of_listener(url, &config->listen);
    for (size_t i = 0; i < config->endpoint_count; i++) {
        if (config->endpoints[i].declared) {
            log_endpoint(d, url, i);
        }
    }
    if (has_stats_listener(config)) {
        log_url(d, PREFIX_STATS, &config->metrics.listen, "__stats/");
    }
    log_url(d, PREFIX_GATEWAY, &config->listen, "");
}

/* ---- Loop ----------------------------------------------------------------------------------- */

/* Cannot happen while the back-pressure of netif_slirp works; each costs its peer a second or more.
 */
static void log_drops(struct daemon *d, uint64_t now_ns)
{
    uint64_t drops = d->netif.rx_dropped + d->netif.tx_dropped;
    if (drops == d->drops_told || now_ns - d->drops_told_ns < LIMPET_MS_TO_NS(DROPS_LOG_PAUSE_MS)) {
        return;
    }
    struct out *o = log_begin(&d->log, LOG_WARN, PREFIX_NETWORK);
    out_u64(o, drops - d->drops_told);
    out_text(o, " frames dropped");
    log_end(&d->log);
    d->drops_told = drops;
    d->drops_told_ns = now_ns;
}

/* Frames in, timers, the core, idle until the first deadline of all. */
static void turn(struct daemon *d)
{
    bool more_frames = slirp_netif_receive(&d->netif, FRAMES_PER_TURN);
    sys_check_timeouts();
    const struct port_time now = clock_read();
    uint64_t deadline_ns = app_poll(d->app, &now);
    log_drops(d, now.mono_ns);
    d->turns_without_poll++;
    if (more_frames && d->turns_without_poll < TURNS_WITHOUT_POLL_MAX) {
        return;
    }
    d->turns_without_poll = 0;
    uint64_t lwip_ns = LIMPET_MS_TO_NS(sys_timeouts_sleeptime());
    uint64_t idle_ns = deadline_ns > now.mono_ns ? deadline_ns - now.mono_ns : 0;
    slirp_netif_wait(&d->netif, stop_signal_fd(), idle_ns < lwip_ns ? idle_ns : lwip_ns);
}

static void run_loop(struct daemon *d)
{
    while (stop_signal_number() == 0) {
        turn(d);
    }
}

/* ---- Stop ----------------------------------------------------------------------------------- */

static void drain(struct daemon *d)
{
    const uint64_t deadline_ns = clock_mono_ns() + LIMPET_MS_TO_NS(DRAIN_TIMEOUT_MS);
    do {
        slirp_netif_receive(&d->netif, FRAMES_PER_TURN);
        sys_check_timeouts();
        slirp_netif_wait(&d->netif, -1, LIMPET_MS_TO_NS(1));
    } while (!slirp_netif_sent_all(&d->netif) && clock_mono_ns() < deadline_ns);
}

static void stop(struct daemon *d)
{
    struct out *o = log_begin(&d->log, LOG_INFO, PREFIX_GATEWAY);
    out_text(o, stop_signal_name(stop_signal_number()));
    out_text(o, ": stopping");
    log_end(&d->log);
    slirp_netif_unpublish(&d->netif);
    stop_signal_drain();
    const struct port_time now = clock_read();
    app_stop(d->app, &now);
    while (!app_stopped(d->app)) {
        turn(d);
    }
    drain(d);
    log_line(&d->log, LOG_INFO, PREFIX_GATEWAY, "stopped");
}
