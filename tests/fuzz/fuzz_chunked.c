/* Any bytes as a chunked body, against a decoder of the plainest kind that sees all at once.
 *
 * Byte 0: how the rest is cut. */
#include "fuzz/guarded.h"
#include "web/message.h"

#include <string.h>

static struct guarded guarded;

struct result {
    int err; /* 1: complete; 0: needs more */
    size_t used;
    size_t payload_len;
    char payload[65536];
};

static struct result got;
static struct result want;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* ---- The reader under test ------------------------------------------------------------------ */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* One call, of whose payload only a part may be taken. */
static bool read_once(struct body_reader *reader, struct slice bytes, unsigned *seed)
{
    struct slice data;
    int64_t used = body_reader_next(reader, bytes, &data);
    if (used < 0) {
        check(used == LIMPET_ERR_SYNTAX || used == LIMPET_ERR_TOO_LONG);
        got.err = (int)used;
        return false;
    }
    check((size_t)used + data.len <= bytes.len);
    check(data.len == 0 || data.ptr == bytes.ptr + used);
    check(data.len == 0 || !reader->done);
    got.used += (size_t)used;
    if (data.len > 0) {
        size_t part = 1 + next_random(seed) % data.len;
        memcpy(got.payload + got.payload_len, data.ptr, part);
        got.payload_len += part;
        got.used += part;
        body_reader_take(reader, part);
    }
    got.err = reader->done;
    return used > 0 || data.len > 0;
}

static void read_all(const uint8_t *bytes, size_t size, unsigned seed)
{
    struct message_head head = {.framing = FRAMING_CHUNKED};
    struct body_reader reader;
    body_reader_init(&reader, &head);
    got.err = 0;
    got.used = 0;
    got.payload_len = 0;
    for (size_t have = 0; have < size && got.err == 0;) {
        size_t piece = 1 + next_random(&seed) % 20;
        have = piece < size - have ? have + piece : size;
        bool moved = true;
        while (moved && got.err == 0) {
            size_t len = have - got.used;
            const char *copy = guarded_copy(&guarded, bytes + got.used, len);
            moved = read_once(&reader, slice_of(copy, len), &seed);
        }
    }
    check((body_reader_end(&reader) == LIMPET_OK) == (got.err == 1));
}

/* ---- The plain one -------------------------------------------------------------------------- */

static bool is_token(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static bool is_text(uint8_t byte)
{
    return byte == '\t' || (byte >= ' ' && byte != 0x7F);
}

/* End of the line that begins at `at` (its CR), or `size`. */
static size_t line_end(const uint8_t *bytes, size_t at, size_t size)
{
    while (at < size && bytes[at] != '\r') {
        at++;
    }
    return at;
}

static bool extensions_are_good(const uint8_t *bytes, size_t at, size_t end)
{
    while (at < end) {
        size_t name = ++at; /* behind ';' */
        while (at < end && is_token(bytes[at])) {
            at++;
        }
        if (at == name || (at < end && bytes[at] != '=' && bytes[at] != ';')) {
            return false;
        }
        if (at == end || bytes[at] == ';') {
            continue;
        }
        size_t value = ++at;
        bool quoted = at < end && bytes[at] == '"';
        for (at += quoted; at < end && (quoted ? bytes[at] != '"' : is_token(bytes[at])); at++) {
            at += quoted && bytes[at] == '\\';
            if (at >= end || !is_text(bytes[at])) {
                return false;
            }
        }
        at += quoted;
        if (at == value || at > end || (at < end && bytes[at] != ';')) {
            return false;
        }
    }
    return true;
}

static bool trailer_is_good(const uint8_t *bytes, size_t at, size_t end)
{
    size_t name = at;
    while (at < end && is_token(bytes[at])) {
        at++;
    }
    if (at == name || at == end || bytes[at] != ':') {
        return false;
    }
    for (at++; at < end; at++) {
        if (!is_text(bytes[at])) {
            return false;
        }
    }
    return true;
}

/* True: a size line at *at, read to behind its LF. */
static bool size_line(const uint8_t *bytes, size_t size, size_t *at, uint64_t *len)
{
    size_t end = line_end(bytes, *at, size);
    size_t digits = 0;
    *len = 0;
    if (end + 1 >= size || bytes[end + 1] != '\n') {
        return false;
    }
    while (*at < end && bytes[*at] != ';') {
        const char *digit = strchr("0123456789abcdef", bytes[*at] | 0x20);
        if (bytes[*at] < '0' || digit == NULL || *digit == '\0' || ++digits > 16 ||
            *len >> 59 != 0) {
            return false;
        }
        *len = *len * 16 + (uint64_t)(digit - "0123456789abcdef");
        (*at)++;
    }
    bool good = digits > 0 && extensions_are_good(bytes, *at, end);
    *at = end + 2;
    return good;
}

/* True: the whole body is there and good. */
static bool read_plainly(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    uint64_t len = 1;
    want.payload_len = 0;
    while (len > 0) {
        if (!size_line(bytes, size, &at, &len) || len > size - at) {
            return false;
        }
        memcpy(want.payload + want.payload_len, bytes + at, (size_t)len);
        want.payload_len += (size_t)len;
        at += (size_t)len;
        if (len > 0 && (size - at < 2 || bytes[at] != '\r' || bytes[at + 1] != '\n')) {
            return false;
        }
        at += len > 0 ? 2 : 0;
    }
    for (;;) {
        size_t end = line_end(bytes, at, size);
        if (end + 1 >= size || bytes[end + 1] != '\n') {
            return false;
        }
        if (end == at) {
            want.used = end + 2;
            return true;
        }
        if (!trailer_is_good(bytes, at, end)) {
            return false;
        }
        at = end + 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > sizeof(got.payload)) {
        return 0;
    }
    read_all(data + 1, size - 1, data[0]);
    bool good = read_plainly(data + 1, size - 1);
    if (good && got.err == LIMPET_ERR_TOO_LONG) {
        return 0; /* the plain one knows no limits */
    }
    check(good == (got.err == 1));
    if (good) {
        check(got.used == want.used && got.payload_len == want.payload_len);
        check(memcmp(got.payload, want.payload, want.payload_len) == 0);
    }
    return 0;
}
