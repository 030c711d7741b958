/* TLS in the application: files of the configuration into identities, the client's connector, and
 * the values below limpet.tls. Part of app.c's job, in a file of its own.
 *
 * A purpose gets its identity when its configuration asks for https://, else when a redirect leads
 * to the first such connection: reading the system's authorities takes some 20 ms on Linux. */
#ifndef LIMPET_APP_TLS_H
#define LIMPET_APP_TLS_H

#include "app_config.h"

#if LIMPET_TLS

#include "config/config.h"
#include "metrics/registry.h"
#include "tls/tls.h"
#include "web/client.h"

/* For static placement; do not touch the fields. */
struct app_tls {
    const struct config *config;
    bool identified[TLS_PURPOSES];
    int identity_err[TLS_PURPOSES];
    struct tls tls;
};

/* Before or after app_tls_init. */
void app_tls_add_values(const struct app_tls *secure, struct metrics *metrics);
/* LIMPET_ERR_NOT_FOUND, _SYNTAX, _FULL: a file that the configuration names cannot be used; logged.
 * Without entropy the application starts, and its encrypted connections fail. */
LIMPET_WARN_UNUSED
int app_tls_init(struct app_tls *secure, const struct config *config, struct net *net,
                 struct client *client, struct log *log);
void app_tls_set_time(struct app_tls *secure, uint64_t now_ns, int64_t unix_ns);

#endif
#endif
