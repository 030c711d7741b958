/* URLs for people. */
#ifndef LIMPET_POSIX_URL_H
#define LIMPET_POSIX_URL_H

#include "config/config.h"

#define URL_LEN_MAX 40u /* "http://255.255.255.255:65535/" and more */

/* "http://127.0.0.1:8080/"; a listener on all addresses is shown by the one that works on this
 * machine. */
void url_of_listener(char url[static URL_LEN_MAX], const struct config_listen *listen);
/* "0.0.0.0:8080" */
void url_of_address(char text[static URL_LEN_MAX], const struct config_listen *listen);

#endif
