#include "url.h"

#include <stdio.h>

#define IP4_LOOPBACK 0x7F000001u

void url_of_listener(char url[static URL_LEN_MAX], const struct config_listen *listen)
{
    const struct config_listen reachable = {.ip4 = listen->ip4 != 0 ? listen->ip4 : IP4_LOOPBACK,
                                            .port = listen->port};
    char address[URL_LEN_MAX];
    url_of_address(address, &reachable);
    snprintf(url, URL_LEN_MAX, "http://%.21s/", address);
}

void url_of_address(char text[static URL_LEN_MAX], const struct config_listen *listen)
{
    uint32_t ip4 = listen->ip4;
    snprintf(text, URL_LEN_MAX, "%u.%u.%u.%u:%u", (unsigned)(ip4 >> 24),
             (unsigned)(ip4 >> 16 & 255), (unsigned)(ip4 >> 8 & 255), (unsigned)(ip4 & 255),
             (unsigned)listen->port);
}
