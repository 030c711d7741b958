/* What server.c (slots, steps, deadlines), server_request.c and server_response.c share. Private.
 */
#ifndef LIMPET_WEB_SERVER_CONN_H
#define LIMPET_WEB_SERVER_CONN_H

#include "web/server.h"

/* ---- server.c ------------------------------------------------------------------------------ */

/* Gives the slot back; the transport's peer gets FIN after what was written, or RST. */
void conn_close(struct server_conn *c);
void conn_abort(struct server_conn *c);
/* Waits for the next request; or closes, when the server is stopping. */
void conn_idle(struct server_conn *c);
void conn_wake(struct server_conn *c); /* its first byte is here */
/* ENDING and everything pushed: closes, drains or waits for the next request. */
void conn_response_sent(struct server_conn *c);
void conn_deadline(struct server_conn *c, uint64_t deadline_ns);
/* Sets or clears the deadline of a connection that is HANDLING, RESPONDING or ENDING. */
void conn_watch(struct server_conn *c);

/* ---- server_request.c ---------------------------------------------------------------------- */

/* One turn of a connection in state IDLE or HEAD; HANDLING or RESPONDING; DRAINING. True when the
 * state changed and there may be more to do at once. */
bool request_read_head(struct server_conn *c);
bool request_serve(struct server_conn *c);
bool request_drain(struct server_conn *c);
/* Answers by itself and closes; without a text only closes: who speaks TLS reads no answer. */
void request_refuse(struct server_conn *c, unsigned status, const char *text);
/* The body ended badly (_TIMEOUT, _CLOSED, _SYNTAX, _TOO_LONG): tells the handler, and the client
 * if nothing else was told yet. */
void request_fail(struct server_conn *c, int err);

/* ---- server_response.c ---------------------------------------------------------------------- */

/* Pushes interim answer, head and chunk framing that wait; true when nothing waits any more. */
bool response_push(struct server_conn *c);
bool response_waits(const struct server_conn *c); /* for room in the transport */
/* Drops what an earlier message left; at the start of a request. */
void response_reset(struct server_conn *c);
void response_continue(struct server_conn *c); /* 100 Continue */
/* An answer of the server's own; the connection closes after it. The handler must not own `c`. */
void response_refuse(struct server_conn *c, unsigned status, const char *text);

#endif
