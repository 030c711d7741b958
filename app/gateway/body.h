/* One backend body (or composed answer) held as bytes, from the pool of struct gateway. */
#ifndef LIMPET_GATEWAY_BODY_H
#define LIMPET_GATEWAY_BODY_H

#include "app_config.h"

#include <stddef.h>

struct body {
    struct body *next; /* free list */
    size_t len;
    char bytes[LIMPET_BODY_LEN_MAX];
};

#endif
