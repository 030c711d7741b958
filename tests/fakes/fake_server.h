/* A server without a network: the test plays the client. Includes the real header; one connection
 * is one struct fake_conn, whose `conn` is handed to the handler. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include "web/server.h"

enum fake_end { FAKE_OPEN, FAKE_ENDED, FAKE_CUT };

struct fake_conn {
    struct server_conn conn; /* first: a server_conn is a fake_conn */
    uint32_t peer_ip4;
    /* Request body: what has arrived, what was consumed, whether that was all. */
    struct slice body;
    size_t body_at;
    bool body_complete;
    /* Answer. */
    unsigned status;
    enum message_framing framing;
    uint64_t length;
    char fields[8192]; /* "Name: value\n" each */
    size_t fields_len;
    char request[4096]; /* texts of the request's fields */
    size_t request_len;
    bool head_done;
    int head_err; /* what the next server_head_end returns, once */
    char bytes[65536];
    size_t bytes_len;
    uint64_t written; /* more than bytes_len when the buffer was full: the rest is not kept */
    size_t room;      /* bytes that writes take before they are refused */
    enum fake_end end;
};

/* Clean, with a GET of `target` and room for everything. */
void fake_conn_init(struct fake_conn *f, const char *method, const char *target);
/* A request field; text must stay. */
void fake_conn_field(struct fake_conn *f, const char *name, const char *value);
/* The value of an answer's field, or NULL. Static buffer. */
const char *fake_conn_answer_field(const struct fake_conn *f, const char *name);

#endif
