/* HTTP/1.1 messages (RFC 9112): heads in, body framing in. Pure functions over bytes.
 *
 * One parser serves requests (web/server) and responses (web/client). It is strict: what could be read in
 * two ways is refused, so that one message in is one message out. Slices point into the head buffer of
 * the connection and live until the next message. */
#ifndef LIMPET_WEB_MESSAGE_H
#define LIMPET_WEB_MESSAGE_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct message_field {
    struct slice name; /* as written */
    struct slice value; /* without white space at both ends */
};

enum message_framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* Content-Length */
    FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
    FRAMING_CLOSE,   /* response body until the connection closes */
};

struct message_head {
    struct slice method; /* request */
    struct slice target; /* request, origin form: path and query as sent */
    struct slice path;   /* request: target up to '?' */
    struct slice query;  /* request: behind '?', empty without one */
    unsigned status;     /* response: 100..999 */
    unsigned version_minor; /* HTTP/1.0 or 1.1 (higher minors of 1 count as 1.1) */
    enum message_framing framing;
    uint64_t content_length; /* FRAMING_LENGTH */
    bool keep_alive;         /* by version and Connection */
    bool expect_continue;    /* request: Expect: 100-continue */
    struct slice host;       /* request: the Host field's value */
    unsigned refuse_status;  /* after an error of message_parse_request: 400 414 417 431 501 505 */
    const char *refuse_text; /* after an error: why, static, for the log */
    size_t field_count;
    struct message_field fields[LIMPET_FIELDS_MAX];
};

/* Parses a head. `scanned` is 0 at first and carries how far earlier calls looked, so that a head coming
 * in pieces is not scanned again from its start.
 * > 0: length of the head in bytes, `head` filled; 0: need more bytes;
 * LIMPET_ERR_SYNTAX, LIMPET_ERR_TOO_LONG, LIMPET_ERR_UNSUPPORTED: refuse_status and refuse_text say how.
 * The limits are LIMPET_REQUEST_LINE_MAX, LIMPET_HEAD_LEN_MAX, LIMPET_FIELDS_MAX. Empty lines before a
 * request line are skipped (RFC 9112 section 2.2). */
LIMPET_WARN_UNUSED
int message_parse_request(struct slice bytes, size_t *scanned, struct message_head *head);
/* `to_head`: the request was a HEAD, so there is no body whatever the fields say. 1xx heads are returned
 * like others; the client skips them. */
LIMPET_WARN_UNUSED
int message_parse_response(struct slice bytes, size_t *scanned, bool to_head, struct message_head *head);

/* First field of that name (ASCII case-insensitive), NULL when there is none. */
const struct message_field *message_find(const struct message_head *head, struct slice name);
/* Hop-by-hop: Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade and whatever the
 * Connection field names (RFC 9110 section 7.6.1). */
bool message_is_hop_by_hop(const struct message_head *head, struct slice name);

/* ---- Body ------------------------------------------------------------------------------------- */

struct body_reader {
    enum message_framing framing;
    uint64_t remaining; /* of the body or of the chunk */
    unsigned char state;
    unsigned char size_digits;
    bool done;
    uint64_t trailer_len; /* bytes of trailer fields skipped; bounded by LIMPET_HEAD_LEN_MAX */
};

void body_reader_init(struct body_reader *reader, const struct message_head *head);
/* Looks at the next bytes of the stream. Returns how many of them to consume (framing and data);
 * `data` is the payload among them (empty: framing only). Call again until it returns 0 = needs more
 * bytes or is done. To stop inside a payload take only a part: body_reader_take tells it how much.
 * LIMPET_ERR_SYNTAX: bad chunk framing. */
LIMPET_WARN_UNUSED
int64_t body_reader_next(struct body_reader *reader, struct slice bytes, struct slice *data);
/* Input ended: LIMPET_OK when the body is complete (or FRAMING_CLOSE), else LIMPET_ERR_CLOSED. */
LIMPET_WARN_UNUSED
int body_reader_end(struct body_reader *reader);

/* ---- Out -------------------------------------------------------------------------------------- */

void message_write_status_line(struct out *out, unsigned status);
void message_write_field(struct out *out, struct slice name, struct slice value); /* CR LF NUL removed */
const char *message_reason(unsigned status); /* "OK", "Not Found", ...; "Status" when unknown */

#endif
