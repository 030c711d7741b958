/* Requests as raw bytes and what becomes of them: the strict front's conformance table.
 *
 * Used twice: test_message parses them (at every split), test_server sends them over a connection
 * and looks at the answer and at the connection. */
#ifndef REQUEST_CASES_H
#define REQUEST_CASES_H

#include <stddef.h>

struct request_case {
    const char *raw;
    size_t len;
    unsigned status; /* 200: taken as one message; else refused with it */
};

extern const struct request_case request_cases[];
extern const size_t request_cases_len;

#endif
