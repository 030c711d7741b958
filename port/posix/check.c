#include "check.h"

#include "check_text.h"
#include "config/address.h"
#include "config_file.h"
#include "host_net.h"
#include "url.h"
#include "wall_clock.h"

#include <errno.h>
#include <stdio.h>

#define OUT_BUFFER_LEN 4096u
#define LISTEN_ADDRESS "extra_config.telemetry/metrics.listen_address"

struct checker {
    struct out *out;
    const struct environment *environment;
    size_t findings;
};

static int write_stdout(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    return fwrite(bytes, 1, len, stdout) == len ? LIMPET_OK : LIMPET_ERR_IO;
}

static bool finish(struct out *out)
{
    bool written = out_finish(out) == LIMPET_OK && fflush(stdout) == 0;
    if (!written) {
        fprintf(stderr, "limpetd: stdout cannot be written\n");
    }
    return written;
}

static void warn(config_report_fn report, void *ctx, const char *key, const char *message)
{
    const struct config_finding finding = {
        .kind = CONFIG_WARNING, .path = slice_from_cstr(key), .message = slice_from_cstr(message)};
    report(ctx, &finding);
}

/* ---- This host ------------------------------------------------------------------------------ */

/* A port that is taken says nothing about the configuration: the daemon may be running. And it may
 * be checked on another machine than it is for: a warning. */
static void check_address(const struct config_listen *listen, const char *key,
                          config_report_fn report, void *ctx)
{
    static const char before[] = "no interface of this host has the address of ";
    size_t failed;
    int error = 0;
    if (listen->ip4 == 0 || host_net_try_listen(listen, 1, &failed, &error) == LIMPET_OK ||
        error != EADDRNOTAVAIL) {
        return;
    }
    char address[URL_LEN_MAX];
    char message[sizeof(before) + URL_LEN_MAX];
    url_of_address(address, listen);
    snprintf(message, sizeof(message), "%s%s", before, address);
    warn(report, ctx, key, message);
}

static void check_addresses(const struct config *config, config_report_fn report, void *ctx)
{
    check_address(&config->listen, "listen_ip", report, ctx);
    if (config->metrics.enabled && !config->metrics.endpoint_disabled) {
        check_address(&config->metrics.listen, LISTEN_ADDRESS, report, ctx);
    }
}

/* ---- A board -------------------------------------------------------------------------------- */

static void check_board_host(const struct config_host *host, const char *key,
                             config_report_fn report, void *ctx)
{
    char message[320]; /* a name has 255 bytes at most (RFC 1035 section 2.3.4) */
    uint32_t ip4 = 0;
    if (slice_equal(host->name, SLICE_LIT("localhost")) ||
        (address_ip4(host->name, &ip4) && ip4 >> 24 == 127u)) {
        snprintf(message, sizeof(message), "%.*s is loopback: a board reaches nothing there",
                 (int)host->authority.len, host->authority.ptr);
        warn(report, ctx, key, message);
    }
}

/* What app/ does with these addresses on a netif of its own (docs/PORTING.md). */
static void check_board(const struct config *config, config_report_fn report, void *ctx)
{
    static const char closed[] = "loopback: a board closes this listener";
    const struct config_metrics *metrics = &config->metrics;
    if (config->listen.ip4 >> 24 == 127u) {
        warn(report, ctx, "listen_ip", closed);
    }
    if (metrics->enabled && !metrics->endpoint_disabled && metrics->listen.ip4 >> 24 == 127u) {
        warn(report, ctx, LISTEN_ADDRESS, closed);
    }
    for (size_t i = 0; i < config->host_count; i++) {
        check_board_host(&config->hosts[i], "host", report, ctx);
    }
    if (config->influx.enabled) {
        check_board_host(&config->influx.host, "extra_config.telemetry/influx.address", report,
                         ctx);
    }
}

static void check_place(const struct config *config, bool board, config_report_fn report,
                        void *ctx)
{
    (board ? check_board : check_addresses)(config, report, ctx);
}

/* ---- The plan ------------------------------------------------------------------------------- */

/* With the values of the port as far as this program knows them: a board always has a clock to set,
 * and some more values of its own. */
static int plan_app(struct app *app, bool board, struct app_plan *plan)
{
    static const struct wall_clock clock;
    const struct app_values values = {wall_clock_values, WALL_CLOCK_VALUES, &clock};
    const struct app_options options = {
        .values = &values,
        .values_count = board || app->config.time_server.len > 0 ? 1 : 0,
    };
    return app_plan(app, &options, plan);
}

/* ---- For people ----------------------------------------------------------------------------- */

static void say(void *ctx, const struct config_finding *finding)
{
    config_file_say(ctx, finding);
}

static int check_text(struct app *app, const char *path, bool board, struct out *out)
{
    struct config_source source;
    struct app_plan plan;
    if (!config_file_read(&source, path) || !config_file_load(app, &source, true)) {
        return 1;
    }
    check_place(&app->config, board, say, &source);
    int err = plan_app(app, board, &plan); /* said on stderr */
    out_text(out, path);
    out_text(out, err == LIMPET_OK ? ": ok\n" : ": does not fit\n");
    check_put_text(out, &app->config, &plan, &source.environment);
    return finish(out) && err == LIMPET_OK ? 0 : 1;
}

/* ---- For machines --------------------------------------------------------------------------- */

static const char *kind_word(enum config_finding_kind kind)
{
    switch (kind) {
    case CONFIG_WARNING:
        return "warning";
    case CONFIG_NO_EFFECT:
        return "no_effect";
    case CONFIG_ERROR:
        break;
    }
    return "error";
}

static void put_finding(void *ctx, const struct config_finding *finding)
{
    struct checker *checker = ctx;
    struct out *out = checker->out;
    const struct config_finding f = environment_place(checker->environment, finding);
    out_text(out, checker->findings++ == 0 ? "{\"kind\":\"" : ",{\"kind\":\"");
    out_text(out, kind_word(f.kind));
    out_text(out, "\",\"line\":");
    out_u64(out, f.line);
    out_text(out, ",\"column\":");
    out_u64(out, f.column);
    out_text(out, ",\"path\":");
    out_json_string(out, f.path);
    out_text(out, ",\"message\":");
    out_json_string(out, f.message);
    out_char(out, '}');
}

static void put_failure(struct checker *checker, const char *message)
{
    const struct config_finding finding = {.kind = CONFIG_ERROR,
                                           .message = slice_from_cstr(message)};
    put_finding(checker, &finding);
}

static int check_json(struct app *app, const char *path, bool board, struct out *out)
{
    struct config_source source = {0};
    struct checker checker = {.out = out, .environment = &source.environment};
    struct app_plan plan;
    out_text(out, "{\"file\":");
    out_json_string(out, slice_from_cstr(path));
    out_text(out, ",\"findings\":[");
    bool loaded = false;
    if (!config_file_read(&source, path)) {
        put_failure(&checker, "the file cannot be read"); /* why: on stderr */
    } else {
        loaded = app_load(app, source.text, put_finding, &checker) == LIMPET_OK;
    }
    if (loaded) {
        check_place(&app->config, board, put_finding, &checker);
    }
    bool ok = loaded && plan_app(app, board, &plan) == LIMPET_OK;
    if (loaded && !ok) {
        put_failure(&checker, "the table of metric series is too small, or a path is too deep");
    }
    out_text(out, ok ? "],\"ok\":true" : "],\"ok\":false");
    if (loaded) {
        check_put_json(out, &app->config, &plan, &source.environment);
    }
    out_text(out, "}\n");
    return finish(out) && ok ? 0 : 1;
}

int check_run(struct app *app, const struct command_line *line)
{
    char buffer[OUT_BUFFER_LEN];
    struct out out;
    out_init_flush(&out, buffer, sizeof(buffer), write_stdout, NULL);
    return line->json ? check_json(app, line->config_path, line->board, &out)
                      : check_text(app, line->config_path, line->board, &out);
}
