#include "app_metrics.h"

static void add_values(struct app *app, const struct app_options *options);
static void add_tls_values(struct app *app);

int app_metrics_open(struct app *app, const struct app_options *options, uint64_t now_ns)
{
    const struct config_metrics *from = &app->config.metrics;
    const struct metrics_options metrics = {
        .router_disabled = from->router_disabled,
        .proxy_disabled = from->proxy_disabled,
        .backend_disabled = from->backend_disabled,
        .collection_time_ns = from->collection_time_ns,
    };
    metrics_init(&app->metrics, &metrics, now_ns);
    int err = gateway_init(&app->gateway, &app->config, &app->metrics, &app->client, &app->timers,
                           &app->log);
    add_values(app, options);
    report_init(&app->report, &app->metrics, options->argv, options->argc);
    return err;
}

static void add_values(struct app *app, const struct app_options *options)
{
    for (size_t i = 0; i < options->values_count; i++) {
        const struct app_values *values = &options->values[i];
        metrics_add_values(&app->metrics, values->table, values->count, values->base);
    }
    add_tls_values(app);
    writer_add_values(&app->writer, &app->metrics);
    app_service_add_values(app);
}

#if LIMPET_TLS
static void add_tls_values(struct app *app)
{
    app_tls_add_values(&app->secure, &app->metrics);
}
#else
static void add_tls_values(struct app *app)
{
    (void)app;
}
#endif
