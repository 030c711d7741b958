/* A server over scripted peers, with a handler that does what the path says. For test_server*.c.
 *
 *   /hello   "hello", at once          /echo    the body, chunked, as it comes
 *   /deaf    "deaf", body not read     /full    "full" when the body has been read
 *   /later   nothing until world_answer/cut     /big     big_len bytes with their length
 *   /chunks  big_len bytes, chunked    /close   big_len bytes until the connection closes
 *   /cut     like /chunks, cut at the end       /wide    a head that is too long, then 500
 *   /none    204                       /smuggled counted: no test wants it */
#ifndef SERVER_WORLD_H
#define SERVER_WORLD_H

#include "fakes/fake_net.h"
#include "web/server.h"

#define WORLD_PORT 8080
#define WORLD_CONNS 3

struct server_world {
    struct net net;
    struct timers timers;
    struct timer *heap[64];
    struct log log;
    struct server server;
    struct server_conn conns[WORLD_CONNS];
    struct server_options options;
    uint64_t now_ns;
    size_t big_len;
    /* What the handler saw. */
    size_t requests;
    size_t smuggled;
    size_t ended; /* server_end, _answer or _cut called */
    size_t gone;
    int gone_err;              /* of the last one */
    size_t owned;              /* requests - ended - gone; checked at each event */
    struct server_conn *later; /* the last connection that asked for /later */
    char body[4096];           /* read by /full, of the last request */
    size_t body_len;
};

extern struct server_world world;

/* A fresh server with no connection. Checks first that the one before gave everything back. */
void world_begin(void);
void world_end(void);
void world_run(void);               /* turns until nothing is ready */
void world_wait(uint64_t ms);       /* lets time go by in steps, with deadlines and turns */
struct fake_peer *world_join(void); /* a client; NULL: reset in accept */
void world_answer_later(void);      /* "later" on world.later */

/* One answer out of what the peer got, from *at on. */
struct world_answer {
    struct message_head head;
    char head_text[2048];
    char body[65536];
    size_t body_len;
    bool complete;
};
/* False: nothing there, or not one whole answer. `to_head`: the request was HEAD. */
bool world_next_answer(const struct fake_peer *peer, size_t *at, bool to_head,
                       struct world_answer *answer);
/* The peer got exactly this one answer (interim ones aside) and, with `closed`, the end. */
bool world_got(const struct fake_peer *peer, unsigned status, const char *body, bool closed);

#endif
