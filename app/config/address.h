/* Addresses of a configuration: where to listen and where to send. Pure functions over text.
 *
 * Each returns NULL when the text is good, else what is wrong with it (static, to be put behind the
 * quoted text: "[::2]:80: IPv6 is not supported ..."). Slices of the result point into the text. */
#ifndef LIMPET_CONFIG_ADDRESS_H
#define LIMPET_CONFIG_ADDRESS_H

#include "config/config.h"

/* "192.0.2.1" in host byte order. Four numbers 0..255 without leading zeros. */
bool address_ip4(struct slice s, uint32_t *ip4);

/* An IPv4 or IPv6 address (RFC 4291 section 2.2, no zone); its bits are 128. */
bool address_ip(struct slice s, struct config_network *ip);
/* The same, or a network: "10.0.0.0/8", "fd00::/8". Bits behind the prefix do not count. */
bool address_network(struct slice s, struct config_network *network);
bool address_in_network(const struct config_network *ip, const struct config_network *network);

/* "listen_ip": an IPv4 address, "localhost", or empty for all addresses. */
const char *address_listen_ip(struct slice s, uint32_t *ip4);
/* "listen_address": ":8090", "127.0.0.1:8090", "localhost:8090". */
const char *address_listen(struct slice s, struct config_listen *listen);

/* An entry of "host": [http://|https://]name[:port][/], as the reference's pattern
 * (https?://)?([a-zA-Z0-9._-]+)(:[0-9]{2,6})?/? over the whole text; "[::1]" is allowed too. */
const char *address_host(struct slice s, struct config_host *host);
/* InfluxDB's "address": http[s]://name[:port][/path]. `base_path` has no slash at its end. */
const char *address_influx(struct slice s, struct config_host *host, struct slice *base_path);
/* A time server, name[:port]; both at most 63 bytes together. */
const char *address_time_server(struct slice s);

#endif
