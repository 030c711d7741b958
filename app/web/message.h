/* HTTP/1.1 messages (RFC 9112): heads in, body framing in, heads out. Pure functions over bytes.
 *
 * One parser serves requests (web/server) and responses (web/client). It is strict: what could be
 * read in two ways is refused, so that one message in is one message out. Slices point into the
 * head buffer of the connection and live until the next message. */
#ifndef LIMPET_WEB_MESSAGE_H
#define LIMPET_WEB_MESSAGE_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct message_field {
    struct slice name;  /* as written */
    struct slice value; /* without white space at both ends */
};

/* Private: where a field stands in the head. Half the size of two slices on 32 bit. */
struct message_place {
    uint16_t name_at;
    uint16_t name_len;
    uint16_t value_at;
    uint16_t value_len;
};

enum message_framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* Content-Length */
    FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
    FRAMING_CLOSE,   /* response body until the connection closes */
};

struct message_head {
    struct slice method;    /* request */
    struct slice target;    /* request: path and query as sent, or "*" with OPTIONS */
    struct slice path;      /* request: target up to '?'; each '%' has two hex digits behind it */
    struct slice query;     /* request: behind '?', empty without one */
    unsigned status;        /* response: 100..999 */
    unsigned version_minor; /* HTTP/1.0 or 1.1 (higher minors of 1 count as 1.1) */
    enum message_framing framing;
    uint64_t content_length; /* as announced (HEAD and 304 too), at most INT64_MAX; else 0 */
    bool keep_alive;         /* by version, Connection and framing */
    bool expect_continue;    /* request with a body, HTTP/1.1: Expect: 100-continue */
    struct slice host;       /* request: value of Host; empty only without one (HTTP/1.0) */
    unsigned refuse_status;  /* after an error of message_parse_request: 400 414 417 431 501 505 */
    const char *refuse_text; /* after an error: why, static */
    size_t line_at;          /* private: start of the line that is not complete yet */
    unsigned empty_lines;    /* private: before the start line */
    unsigned seen;           /* private: what the fields said that decides about the body */
    bool started;            /* private: the start line is complete */
    size_t field_count;
    const char *bytes; /* private: of the head */
    struct message_place fields[LIMPET_FIELDS_MAX];
};

/* Parses a head as far as its lines are complete. `*scanned` is 0 at the first call and carries how
 * far earlier calls looked: each byte is looked at once, and a bad line is refused when it is
 * complete, not when the head is. Between the calls for one head `bytes` may grow but not move, and
 * `head` stays.
 * > 0: length of the head in bytes, `head` filled; 0: need more bytes;
 * LIMPET_ERR_SYNTAX, LIMPET_ERR_TOO_LONG, LIMPET_ERR_UNSUPPORTED: refuse_status and refuse_text say
 * how. The limits are LIMPET_REQUEST_LINE_MAX, LIMPET_HEAD_LEN_MAX (so a buffer of that size never
 * fills up without an error) and LIMPET_FIELDS_MAX. Up to four empty lines before a request line
 * are skipped (RFC 9112 section 2.2 asks for one at least).
 *
 * Refused on purpose, although RFC 9112 has a reading for it: obs-fold; repeated Content-Length
 * fields that are equal; the absolute form (we are no proxy, and two hosts in one request are two
 * readings); empty list elements in Transfer-Encoding; an empty Host. */
LIMPET_WARN_UNUSED
int message_parse_request(struct slice bytes, size_t *scanned, struct message_head *head);
/* `to_head`: the request was a HEAD, so there is no body whatever the fields say. 1xx heads are
 * returned like others; the client skips them. keep_alive is false where the peer's framing may be
 * in doubt: a body announced with 204, FRAMING_CLOSE. */
LIMPET_WARN_UNUSED
int message_parse_response(struct slice bytes, size_t *scanned, bool to_head,
                           struct message_head *head);

/* The field with that index, below field_count. */
struct message_field message_field(const struct message_head *head, size_t index);
/* Value of the first field of that name (ASCII case-insensitive); its ptr is NULL when there is
 * none. */
struct slice message_find(const struct message_head *head, struct slice name);
/* Hop-by-hop: Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade and whatever
 * the Connection field names (RFC 9110 section 7.6.1). */
bool message_is_hop_by_hop(const struct message_head *head, struct slice name);

/* ---- Body ------------------------------------------------------------------------------------ */

/* Where a body ends. Reads framing only: the payload stays where it is. */
struct body_reader {
    enum message_framing framing;
    unsigned char state;
    unsigned char size_digits;
    bool done;          /* the body and its framing were consumed to their end */
    uint64_t remaining; /* payload bytes of the body or of the chunk that were not taken yet */
    size_t line_len;    /* bytes of this chunk's size line or of this trailer line */
    size_t extra_len;   /* bytes of chunk extensions and trailers so far */
};

void body_reader_init(struct body_reader *reader, const struct message_head *head);
/* Steps over the framing at the start of `bytes` and shows the payload behind it, up to the end of
 * the chunk, of the body or of `bytes`. Returns how many bytes of framing to consume, at most
 * bytes.len; `data` is the payload that follows them at once, empty when there is none yet or the
 * body is done. Payload counts as read when body_reader_take says so. Trailers are checked and
 * dropped.
 * LIMPET_ERR_SYNTAX: bad chunk framing or trailer; LIMPET_ERR_TOO_LONG: chunk extensions and
 * trailers of this body together exceed LIMPET_HEAD_LEN_MAX, or one size line
 * LIMPET_CHUNK_LINE_MAX. */
LIMPET_WARN_UNUSED
int64_t body_reader_next(struct body_reader *reader, struct slice bytes, struct slice *data);
/* The first `len` bytes of the payload that was shown were consumed. */
void body_reader_take(struct body_reader *reader, size_t len);
/* Input ended: LIMPET_OK when the body is complete (or FRAMING_CLOSE), else LIMPET_ERR_CLOSED. */
LIMPET_WARN_UNUSED
int body_reader_end(struct body_reader *reader);

/* ---- Out ------------------------------------------------------------------------------------- */

void message_write_status_line(struct out *out, unsigned status);
/* Bytes that a value must not have (CR, LF, NUL and other controls but tab) are left out. */
void message_write_field(struct out *out, struct slice name, struct slice value);
/* A Date field's value, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); years
 * 1970..9999. */
#define MESSAGE_DATE_LEN 29
void message_write_date(char text[MESSAGE_DATE_LEN], int64_t unix_s);
/* Such a value read (the one format that may be sent today). LIMPET_ERR_SYNTAX: it is not one. */
LIMPET_WARN_UNUSED
int message_read_date(struct slice text, int64_t *unix_s);
const char *message_reason(unsigned status); /* "OK", "Not Found", ...; "Status" when unknown */

#endif
