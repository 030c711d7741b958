/* Error values of the whole core.
 *
 * A fallible function returns 0 (LIMPET_OK) or a negative value of this enum; where a function
 * has a count to return, positive values are that count. lwIP's and mbedTLS's codes are
 * translated where they are met; the raw code goes to the log. */
#ifndef LIMPET_BASE_ERR_H
#define LIMPET_BASE_ERR_H

#if defined(__GNUC__)
#define LIMPET_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define LIMPET_WARN_UNUSED
#endif

/* name, text for the log */
#define LIMPET_ERR_TABLE(X)                                                                        \
    X(LIMPET_OK, 0, "ok")                                                                          \
    X(LIMPET_ERR_FULL, -1, "no room")       /* a fixed buffer, pool or table is used up */         \
    X(LIMPET_ERR_SYNTAX, -2, "malformed")   /* bytes that no rule allows */                        \
    X(LIMPET_ERR_RANGE, -3, "out of range") /* well formed, but outside the allowed values */      \
    X(LIMPET_ERR_DEPTH, -4, "nested too deeply")                                                   \
    X(LIMPET_ERR_NOT_FOUND, -5, "not found")                                                       \
    X(LIMPET_ERR_UNSUPPORTED, -6, "not supported")                                                 \
    X(LIMPET_ERR_TIMEOUT, -7, "deadline exceeded")                                                 \
    X(LIMPET_ERR_REFUSED, -8, "connection refused")                                                \
    X(LIMPET_ERR_RESET, -9, "connection reset by peer")                                            \
    X(LIMPET_ERR_CLOSED, -10, "connection closed early")                                           \
    X(LIMPET_ERR_RESOLVE, -11, "host name not resolved")                                           \
    X(LIMPET_ERR_CANCELED, -12, "canceled")                                                        \
    X(LIMPET_ERR_TOO_LONG, -13, "longer than the limit")                                           \
    X(LIMPET_ERR_BUSY, -14, "busy")                                                                \
    X(LIMPET_ERR_IO, -15, "input or output failed")                                                \
    X(LIMPET_ERR_TLS, -16, "no secure connection (the reason is in the log)")

enum limpet_err {
#define X(name, value, text) name = (value),
    LIMPET_ERR_TABLE(X)
#undef X
};

/* The text of the table above; "unknown error" for any other value. Static storage. */
const char *limpet_err_text(int err);

#endif
