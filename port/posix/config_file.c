#include "config_file.h"

#include "quickstart.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct printer {
    const char *name;
    bool verbose;
};

static bool say_errno(const char *path);
static void print_finding(void *ctx, const struct config_finding *finding);
static unsigned count_endpoint_names(const struct config *config);
static unsigned count_backend_names(const struct config *config);

/* ---- Reading ----------------------------------------------------------------------------------
 */

bool config_file_read(struct config_source *source, const char *path)
{
    static char text[LIMPET_CONFIG_TEXT_LEN_MAX + 1u];
    size_t len = 0;
    ssize_t count = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return say_errno(path);
    }
    while (count > 0 && len < sizeof(text)) {
        count = read(fd, text + len, sizeof(text) - len);
        len += count > 0 ? (size_t)count : 0;
    }
    if (count < 0) {
        say_errno(path);
    }
    close(fd);
    if (len > LIMPET_CONFIG_TEXT_LEN_MAX) {
        fprintf(stderr, "%s: longer than %u bytes (LIMPET_CONFIG_TEXT_LEN_MAX)\n", path,
                LIMPET_CONFIG_TEXT_LEN_MAX);
        return false;
    }
    *source = (struct config_source){.name = path, .text = slice_of(text, len)};
    return count >= 0;
}

static bool say_errno(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

struct config_source config_file_quickstart(void)
{
    return (struct config_source){.name = "quickstart.json",
                                  .text = slice_of(quickstart_json, quickstart_json_len)};
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

bool config_file_load(struct app *app, const struct config_source *source, bool verbose)
{
    struct printer printer = {.name = source->name, .verbose = verbose};
    return app_load(app, source->text, print_finding, &printer) == LIMPET_OK;
}

static const char *mark(enum config_finding_kind kind)
{
    switch (kind) {
    case CONFIG_WARNING:
        return "warning: ";
    case CONFIG_NO_EFFECT:
        return "no effect: ";
    case CONFIG_ERROR:
        break;
    }
    return "";
}

static void print_finding(void *ctx, const struct config_finding *finding)
{
    const struct printer *printer = ctx;
    if (finding->kind == CONFIG_NO_EFFECT && !printer->verbose) {
        return;
    }
    fprintf(stderr, "%s:", printer->name);
    if (finding->line > 0) {
        fprintf(stderr, "%u:%u:", (unsigned)finding->line, (unsigned)finding->column);
    }
    if (finding->path.len > 0) {
        fprintf(stderr, " %.*s:", (int)finding->path.len, finding->path.ptr);
    }
    fprintf(stderr, " %s%.*s\n", mark(finding->kind), (int)finding->message.len,
            finding->message.ptr);
}

/* ---- Summary ----------------------------------------------------------------------------------
 */

static void print_gateway(const struct config *config)
{
    char url[URL_LEN_MAX];
    url_of_listener(url, &config->listen);
    printf("  gateway   %s  %u endpoints (of %u), %u backends (of %u), timeout %u ms\n", url,
           (unsigned)config->endpoint_count, LIMPET_ENDPOINTS_MAX, (unsigned)config->backend_count,
           LIMPET_BACKENDS_MAX, (unsigned)config->timeout_ms);
}

static void print_metrics(const struct config_metrics *metrics, unsigned endpoint_series,
                          unsigned proxy_series)
{
    char url[URL_LEN_MAX];
    url_of_listener(url, &metrics->listen);
    if (!metrics->enabled) {
        printf("  metrics   off: no telemetry/metrics in extra_config\n");
        return;
    }
    printf("  metrics   %s%s  window %g s, %u endpoint series (of %u), %u proxy series (of %u)\n",
           metrics->endpoint_disabled ? "listener off" : url,
           metrics->endpoint_disabled ? "" : "__stats/", (double)metrics->collection_time_ns / 1e9,
           endpoint_series, LIMPET_ENDPOINT_SERIES_MAX, proxy_series, LIMPET_PROXY_SERIES_MAX);
}

static void print_influx(const struct config_influx *influx)
{
    if (!influx->enabled) {
        printf("  influxdb  off: no telemetry/influx in extra_config\n");
        return;
    }
    printf("  influxdb  version 1 at http://%.*s%.*s, database \"%.*s\", %s, a push every %g s\n",
           (int)influx->host.authority.len, influx->host.authority.ptr, (int)influx->base_path.len,
           influx->base_path.ptr, (int)influx->db.len, influx->db.ptr,
           influx->username.len > 0 ? "with user name" : "without user name",
           (double)influx->ttl_ns / 1e9);
}

void config_file_print_summary(const struct config *config, const struct config_source *source)
{
    unsigned endpoint_series = count_endpoint_names(config);
    printf("%s: ok\n", source->name);
    print_gateway(config);
    print_metrics(&config->metrics, endpoint_series, endpoint_series + count_backend_names(config));
    print_influx(&config->influx);
}

/* Endpoints of one name share their series, whatever their methods; backends too. */
static unsigned count_endpoint_names(const struct config *config)
{
    unsigned count = 0;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        size_t before = 0;
        while (
            !slice_equal(config->endpoints[before].metric_name, config->endpoints[i].metric_name)) {
            before++;
        }
        count += before == i;
    }
    return count;
}

static unsigned count_backend_names(const struct config *config)
{
    unsigned count = 0;
    for (size_t i = 0; i < config->backend_count; i++) {
        size_t before = 0;
        while (
            !slice_equal(config->backends[before].metric_name, config->backends[i].metric_name)) {
            before++;
        }
        count += before == i;
    }
    return count;
}
