/* The life of one request: from its head to the last byte of its answer, counted as the router's.
 *
 * Every request has one, also those that no endpoint takes (not counted then). The exchange is
 * taken from the pool of struct gateway when the head is there and given back when the answer was
 * handed to the server, the client is gone, or the answer had to be cut. */
#ifndef LIMPET_GATEWAY_EXCHANGE_H
#define LIMPET_GATEWAY_EXCHANGE_H

#include "base/timer.h"
#include "gateway/pipe.h"
#include "gateway/router.h"

enum exchange_state {
    EXCHANGE_FREE,
    EXCHANGE_WAITING,   /* for the pipe */
    EXCHANGE_READING,   /* echo: for the request's body */
    EXCHANGE_SENDING,   /* `payload` */
    EXCHANGE_STREAMING, /* no-op, as it comes */
};

/* From the pool; do not touch the fields. */
struct exchange {
    enum exchange_state state;
    bool counted;      /* an endpoint's: connected was counted, the response will be */
    unsigned status;   /* of the head that was sent; 0 = none yet */
    uint16_t endpoint; /* counted: index into config.endpoints */
    struct gateway *gateway;
    struct exchange *next; /* free list */
    uint64_t start_ns;
    uint64_t size;        /* body bytes handed to the server */
    struct slice payload; /* SENDING: what is left of this piece: static text, or in `body` */
    struct slice tail;    /* SENDING: static text behind the bodies */
    struct body *body;    /* the bodies behind it are the next pieces */
    struct timer timer;   /* the endpoint's timeout */
    struct origin origin;
    struct pipe pipe;
};

/* What an answer of our own says. Zeroed members are left out. */
struct answer {
    unsigned status;
    struct slice content_type;
    struct slice location;
    struct slice allow;
    bool version;         /* X-Krakend */
    bool completed_field; /* X-Krakend-Completed, with the value of `completed` */
    bool completed;
    bool busy;            /* Retry-After */
    uint32_t cache_ttl_s; /* Cache-Control */
    struct slice payload; /* static, or in the exchange's body; more bodies may follow that */
    struct slice tail;    /* static */
};

/* A request of an endpoint: counts it and starts its pipe. */
void exchange_start(struct exchange *x, const struct route *route);
/* Sends a whole answer; the exchange ends when it was handed over. */
void exchange_answer(struct exchange *x, const struct answer *answer);
/* Body bytes of the request, or room to write. */
void exchange_progress(struct exchange *x);
/* The client is gone (err as in struct server_handler). */
void exchange_gone(struct exchange *x, int err);

#endif
