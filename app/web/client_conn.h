/* One backend connection of the client while a call has it: request out, answer in.
 *
 * Changes the connection only; what its results mean for the call and the pool is decided in
 * client.c. */
#ifndef LIMPET_WEB_CLIENT_CONN_H
#define LIMPET_WEB_CLIENT_CONN_H

#include "web/client.h"

/* Composes the head of the call's request into the buffer. LIMPET_ERR_TOO_LONG: it does not fit. */
LIMPET_WARN_UNUSED
int client_conn_compose(struct client_conn *conn);
/* Hands on what waits of the head and of chunk framing; true when nothing waits any more. */
bool client_conn_send(struct client_conn *conn);
/* Body bytes in their framing; returns how many were taken. */
LIMPET_WARN_UNUSED
size_t client_conn_write(struct client_conn *conn, const char *bytes, size_t len);
/* The end of the body. LIMPET_ERR_CLOSED: less was written than announced. */
LIMPET_WARN_UNUSED
int client_conn_write_end(struct client_conn *conn);

/* 1: the head of the final answer is in conn->response; 0: it is not complete yet;
 * LIMPET_ERR_SYNTAX, _TOO_LONG, _UNSUPPORTED: it never will be. Takes nothing behind the head from
 * the transport. */
LIMPET_WARN_UNUSED
int client_conn_read_head(struct client_conn *conn);
/* Goes on to the next span of the body: conn->body_shown bytes, first in the transport.
 * 1: the body is complete; 0: there is a span, or it has to come; LIMPET_ERR_SYNTAX, _TOO_LONG: bad
 * framing; LIMPET_ERR_CLOSED, _RESET, ...: the input ended before the body. */
LIMPET_WARN_UNUSED
int client_conn_read_body(struct client_conn *conn);
/* At most conn->body_shown bytes of body. */
void client_conn_consume(struct client_conn *conn, size_t len);

/* The peer will say nothing more, and all it said was read. */
bool client_conn_is_over(const struct client_conn *conn);
/* Why: the transport's failure, or LIMPET_ERR_CLOSED. */
int client_conn_end_err(const struct client_conn *conn);
/* Request and answer are complete and nothing else was said: another call may have it. */
bool client_conn_is_reusable(const struct client_conn *conn);

#endif
