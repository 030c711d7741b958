/* Whose request this is, as the reference's router (gin) computes it: the peer, or, with the
 * router's forwarded_by_client_ip, whom a trusted proxy names.
 *
 * Of each of remote_ip_headers in turn the first field counts: its addresses are read from the
 * last one to the first, as long as they are trusted proxies, too. What is no address ends it and
 * the next header is looked at. */
#ifndef LIMPET_GATEWAY_CLIENT_IP_H
#define LIMPET_GATEWAY_CLIENT_IP_H

#include "config/config.h"
#include "web/server.h"

#define CLIENT_IP_SIZE sizeof("255.255.255.255")

/* The address as text: IPv4, or IPv6 as the proxy wrote it. It stands in `text`, or in the
 * request's head, and lives as long as the shorter of the two. */
struct slice client_ip(const struct config *config, const struct server_conn *c,
                       char text[CLIENT_IP_SIZE]);

#endif
