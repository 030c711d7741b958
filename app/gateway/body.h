/* One backend body, request body or composed answer held as bytes, from the pool of struct gateway.
 */
#ifndef LIMPET_GATEWAY_BODY_H
#define LIMPET_GATEWAY_BODY_H

#include "app_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body {
    struct body *next; /* free list; answers of a pipe in the order in which they came */
    size_t at;         /* where what is sent begins */
    size_t len;        /* bytes from there on */
    size_t type_len;   /* a refused answer: bytes of its Content-Type behind the text */
    uint16_t position; /* of the backend in its endpoint */
    bool null;         /* `null` */
    bool text;         /* no JSON: the text itself */
    char bytes[LIMPET_BODY_LEN_MAX];
};

#endif
