/* Bodies: by length, until the connection closes, or chunked (RFC 9112 section 7.1). */
#include "base/byte.h"
#include "base/num.h"
#include "web/message.h"
#include "web/message_rules.h"

#include <assert.h>

#define SIZE_DIGITS_MAX 16u

enum body_state {
    BODY_SIZE,       /* hex digits of a chunk's size */
    BODY_EXT_NAME_0, /* behind ';' */
    BODY_EXT_NAME,
    BODY_EXT_VALUE_0, /* behind '=' */
    BODY_EXT_VALUE,
    BODY_EXT_QUOTED,
    BODY_EXT_ESCAPE, /* behind '\' in a quoted value */
    BODY_EXT_AFTER,  /* behind the closing quote */
    BODY_SIZE_LF,
    BODY_PAYLOAD,
    BODY_PAYLOAD_CR,
    BODY_PAYLOAD_LF,
    BODY_TRAILER_0, /* start of a trailer line or of the empty one */
    BODY_TRAILER_NAME,
    BODY_TRAILER_VALUE,
    BODY_TRAILER_LF,
    BODY_END_LF,
};

static int chunk_framing(struct body_reader *reader, struct slice bytes, size_t *used);
static int framing_byte(struct body_reader *reader, char byte);
static int size_byte(struct body_reader *reader, char byte);
static int extension_byte(struct body_reader *reader, char byte);
static int quoted_byte(struct body_reader *reader, char byte);
static int payload_end_byte(struct body_reader *reader, char byte);
static int trailer_byte(struct body_reader *reader, char byte);
static void size_line_end(struct body_reader *reader);

/* ---- Public --------------------------------------------------------------------------------- */

void body_reader_init(struct body_reader *reader, const struct message_head *head)
{
    *reader = (struct body_reader){.framing = head->framing, .state = BODY_PAYLOAD};
    if (head->framing == FRAMING_LENGTH) {
        reader->remaining = head->content_length;
        reader->done = head->content_length == 0;
    } else if (head->framing == FRAMING_CHUNKED) {
        reader->state = BODY_SIZE;
    } else {
        reader->remaining = UINT64_MAX;
        reader->done = head->framing == FRAMING_NONE;
    }
}

int64_t body_reader_next(struct body_reader *reader, struct slice bytes, struct slice *data)
{
    size_t used = 0;
    *data = SLICE_EMPTY;
    if (reader->framing == FRAMING_CHUNKED) {
        int err = chunk_framing(reader, bytes, &used);
        if (err != LIMPET_OK) {
            return err;
        }
    }
    if (!reader->done && reader->state == BODY_PAYLOAD && used < bytes.len) {
        struct slice rest = slice_skip(bytes, used);
        size_t len = reader->remaining < rest.len ? (size_t)reader->remaining : rest.len;
        *data = slice_take(rest, len);
    }
    return (int64_t)used;
}

void body_reader_take(struct body_reader *reader, size_t len)
{
    assert(!reader->done && reader->state == BODY_PAYLOAD && len <= reader->remaining);
    if (reader->framing == FRAMING_CLOSE) {
        return;
    }
    reader->remaining -= len;
    if (reader->remaining > 0) {
        return;
    }
    if (reader->framing == FRAMING_CHUNKED) {
        reader->state = BODY_PAYLOAD_CR;
    } else {
        reader->done = true;
    }
}

int body_reader_end(struct body_reader *reader)
{
    reader->done = reader->done || reader->framing == FRAMING_CLOSE;
    return reader->done ? LIMPET_OK : LIMPET_ERR_CLOSED;
}

/* ---- Chunked -------------------------------------------------------------------------------- */

static int chunk_framing(struct body_reader *reader, struct slice bytes, size_t *used)
{
    while (*used < bytes.len && !reader->done && reader->state != BODY_PAYLOAD) {
        int err = framing_byte(reader, bytes.ptr[*used]);
        if (err != LIMPET_OK) {
            return err;
        }
        (*used)++;
    }
    return LIMPET_OK;
}

static int framing_byte(struct body_reader *reader, char byte)
{
    switch (reader->state) {
    case BODY_SIZE:
    case BODY_SIZE_LF:
        return size_byte(reader, byte);
    case BODY_PAYLOAD_CR:
    case BODY_PAYLOAD_LF:
        return payload_end_byte(reader, byte);
    default:
        break;
    }
    /* Go and others had to learn it (CVE-2023-39326): this part costs the peer nothing and us time.
     */
    reader->extra_len++;
    if (reader->extra_len > LIMPET_HEAD_LEN_MAX) {
        return LIMPET_ERR_TOO_LONG;
    }
    return reader->state < BODY_SIZE_LF ? extension_byte(reader, byte) : trailer_byte(reader, byte);
}

/* Nothing but hex digits: no sign, no blank, no "0x". */
static int size_byte(struct body_reader *reader, char byte)
{
    if (reader->state == BODY_SIZE_LF) {
        if (byte != '\n') {
            return LIMPET_ERR_SYNTAX;
        }
        size_line_end(reader);
        return LIMPET_OK;
    }
    if (byte_is(byte, BYTE_HEX)) {
        uint64_t digit = 0;
        int err = num_parse_hex(slice_of(&byte, 1), 15, &digit);
        if (err != LIMPET_OK || reader->size_digits == SIZE_DIGITS_MAX ||
            reader->remaining > (uint64_t)(INT64_MAX >> 4)) {
            return LIMPET_ERR_SYNTAX;
        }
        reader->size_digits++;
        reader->remaining = reader->remaining << 4 | digit;
        return LIMPET_OK;
    }
    if (reader->size_digits == 0 || (byte != ';' && byte != '\r')) {
        return LIMPET_ERR_SYNTAX;
    }
    reader->state = byte == ';' ? BODY_EXT_NAME_0 : BODY_SIZE_LF;
    return LIMPET_OK;
}

static void size_line_end(struct body_reader *reader)
{
    reader->state = reader->remaining > 0 ? BODY_PAYLOAD : BODY_TRAILER_0;
    reader->size_digits = 0;
    reader->line_len = 0;
}

/* ";" name [ "=" ( token / quoted-string ) ], without the "bad white space" of RFC 9112. */
static int extension_byte(struct body_reader *reader, char byte)
{
    reader->line_len++;
    if (reader->line_len > LIMPET_CHUNK_LINE_MAX) {
        return LIMPET_ERR_TOO_LONG;
    }
    bool name = reader->state == BODY_EXT_NAME_0 || reader->state == BODY_EXT_NAME;
    bool value = reader->state == BODY_EXT_VALUE_0 || reader->state == BODY_EXT_VALUE;
    if ((name || value) && rule_holds(byte, RULE_TOKEN)) {
        reader->state = name ? BODY_EXT_NAME : BODY_EXT_VALUE;
        return LIMPET_OK;
    }
    if (reader->state == BODY_EXT_NAME && byte == '=') {
        reader->state = BODY_EXT_VALUE_0;
        return LIMPET_OK;
    }
    if (reader->state == BODY_EXT_QUOTED || reader->state == BODY_EXT_ESCAPE ||
        (reader->state == BODY_EXT_VALUE_0 && byte == '"')) {
        return quoted_byte(reader, byte);
    }
    bool complete = reader->state == BODY_EXT_NAME || reader->state == BODY_EXT_VALUE ||
                    reader->state == BODY_EXT_AFTER;
    if (!complete || (byte != ';' && byte != '\r')) {
        return LIMPET_ERR_SYNTAX;
    }
    reader->state = byte == ';' ? BODY_EXT_NAME_0 : BODY_SIZE_LF;
    return LIMPET_OK;
}

static int quoted_byte(struct body_reader *reader, char byte)
{
    if (!rule_holds(byte, RULE_VALUE)) {
        return LIMPET_ERR_SYNTAX;
    }
    if (reader->state == BODY_EXT_QUOTED && byte == '"') {
        reader->state = BODY_EXT_AFTER;
    } else if (reader->state == BODY_EXT_QUOTED && byte == '\\') {
        reader->state = BODY_EXT_ESCAPE;
    } else {
        reader->state = BODY_EXT_QUOTED;
    }
    return LIMPET_OK;
}

static int payload_end_byte(struct body_reader *reader, char byte)
{
    bool cr = reader->state == BODY_PAYLOAD_CR;
    if (byte != (cr ? '\r' : '\n')) {
        return LIMPET_ERR_SYNTAX;
    }
    reader->state = cr ? BODY_PAYLOAD_LF : BODY_SIZE;
    return LIMPET_OK;
}

static int trailer_byte(struct body_reader *reader, char byte)
{
    bool token = rule_holds(byte, RULE_TOKEN);
    switch (reader->state) {
    case BODY_TRAILER_0:
        reader->state = token ? BODY_TRAILER_NAME : BODY_END_LF;
        return token || byte == '\r' ? LIMPET_OK : LIMPET_ERR_SYNTAX;
    case BODY_TRAILER_NAME:
        reader->state = token ? BODY_TRAILER_NAME : BODY_TRAILER_VALUE;
        return token || byte == ':' ? LIMPET_OK : LIMPET_ERR_SYNTAX;
    case BODY_TRAILER_VALUE:
        if (byte == '\r') {
            reader->state = BODY_TRAILER_LF;
            return LIMPET_OK;
        }
        return rule_holds(byte, RULE_VALUE) ? LIMPET_OK : LIMPET_ERR_SYNTAX;
    case BODY_TRAILER_LF:
        reader->state = BODY_TRAILER_0;
        return byte == '\n' ? LIMPET_OK : LIMPET_ERR_SYNTAX;
    default:
        assert(reader->state == BODY_END_LF);
        reader->done = byte == '\n';
        return byte == '\n' ? LIMPET_OK : LIMPET_ERR_SYNTAX;
    }
}
