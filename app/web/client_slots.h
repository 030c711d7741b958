/* The connection slots of the client: free ones, and the list of idle connections.
 *
 * A slot is FREE, idle, or has a call. Whoever gives one back or makes one idle wakes the waiting
 * line. */
#ifndef LIMPET_WEB_CLIENT_SLOTS_H
#define LIMPET_WEB_CLIENT_SLOTS_H

#include "web/client.h"

void client_slots_init(struct client *client); /* all of client->conns are free */
/* An idle connection to the target, NULL: none. The one used last, so that the others may grow old
 * and be closed. Those that the peer has closed meanwhile are closed here. */
struct client_conn *client_slots_take_idle(struct client *client,
                                           const struct client_target *target);
/* A free slot for a connection to the target, or that of the connection that is idle for the
 * longest time. NULL: all are busy, or as many encrypted ones as there may be. */
struct client_conn *client_slots_take(struct client *client, const struct client_target *target);
/* The transport must be gone. */
void client_slots_give(struct client_conn *conn);
/* The exchange is complete: kept for LIMPET_BACKEND_IDLE_TIMEOUT_MS. */
void client_slots_keep(struct client_conn *conn);
/* Closes an idle connection and gives its slot back. */
void client_slots_close(struct client_conn *conn);

/* In client.c: the waiting line is served from the loop. */
void client_kick(struct client *client);

#endif
