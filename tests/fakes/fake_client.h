/* A client without a network: the test plays the backends. Includes the real header. Calls are kept
 * in the order in which they were started. */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include "web/client.h"

#define FAKE_CALLS_MAX 160u

struct fake_call {
    struct client_call *call; /* NULL: taken back */
    struct client_request request;
    char head[4096]; /* as composed */
    size_t head_len;
    char sent[65536]; /* request body */
    size_t sent_len;
    size_t room; /* bytes that writes take before they are refused */
    bool sent_end;
    bool again; /* an event is wanted */
    bool canceled;
    bool completed;    /* taken back after its answer was complete */
    char answer[2048]; /* head as it arrived */
    struct message_head response;
    struct slice body; /* what has arrived */
    size_t body_at;
    bool body_complete;
};

extern struct fake_call fake_calls[FAKE_CALLS_MAX];
extern size_t fake_call_count;

void fake_client_reset(void);
/* The request goes out: the call takes body bytes, then waits for the answer. Runs the event. */
void fake_call_connect(struct fake_call *f);
/* The answer's head with its first body bytes; `complete`: they are all. Runs the event. */
void fake_call_answer(struct fake_call *f, unsigned status, const char *fields, const char *body,
                      bool complete);
/* Further bytes: `body` is everything that arrived so far. Runs the event. */
void fake_call_more(struct fake_call *f, struct slice body, bool complete);
/* The loop's turn: the events that client_again asked for. */
void fake_client_turn(void);
/* The connection breaks. Runs the event. */
void fake_call_fail(struct fake_call *f, int err);

#endif
