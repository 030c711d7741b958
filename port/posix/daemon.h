/* The life of limpetd: ports tried, network up, core started, the loop, the clean stop. */
#ifndef LIMPET_POSIX_DAEMON_H
#define LIMPET_POSIX_DAEMON_H

#include "app/app.h"
#include "environment.h"
#include "netif_slirp.h"
#include "wall_clock.h"

/* For static placement, zero-initialised; do not touch the fields. */
struct daemon {
    struct app *app;
    const struct port_storage *storage; /* set it before daemon_run; NULL = none */
    const struct environment *environment; /* likewise: what it says in the log; NULL = nothing */
    struct log log; /* the port's own lines */
    struct slirp_netif netif;
    struct wall_clock clock; /* not used without a time server */
    unsigned turns_without_poll;
    uint64_t drops_told; /* dropped frames, as of the last log line about them */
    uint64_t drops_told_ns;
};

/* Runs until a signal asks to stop; app->config is loaded. Returns the exit status: 0 after a clean
 * stop, 1 when the start failed (said in the log). */
int daemon_run(struct daemon *d, struct app *app, int argc, char *const argv[]);

#endif
