/* Any bytes as a head: one reading, whatever the pieces, and what is accepted keeps the rules.
 *
 * Byte 0: request, answer, or answer to HEAD; byte 1: how the rest is cut. */
#include "fuzz/guarded.h"
#include "web/message.h"

static struct guarded guarded;
static char grown[65536];
static struct message_head whole;
static struct message_head pieces;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static int parse(unsigned mode, struct slice bytes, size_t *scanned, struct message_head *head)
{
    return mode == 0 ? message_parse_request(bytes, scanned, head)
                     : message_parse_response(bytes, scanned, mode == 2, head);
}

static void check_slice(struct slice s, struct slice within)
{
    check(s.len == 0 || (s.ptr >= within.ptr && s.ptr + s.len <= within.ptr + within.len));
}

static size_t count(const struct message_head *head, struct slice name)
{
    size_t n = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        n += slice_equal_nocase(message_field(head, i).name, name);
    }
    return n;
}

/* The rules once more, from the fields alone. */
static void check_accepted(unsigned mode, struct slice bytes, const struct message_head *head)
{
    check(head->field_count <= LIMPET_FIELDS_MAX && head->version_minor <= 1);
    for (size_t i = 0; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        check(field.name.len > 0);
        check_slice(field.name, bytes);
        check_slice(field.value, bytes);
        check(slice_find(field.value, '\r') == field.value.len);
        check(slice_find(field.value, '\n') == field.value.len);
        check(slice_find(field.value, '\0') == field.value.len);
        check(slice_find(field.name, ' ') == field.name.len);
    }
    size_t lengths = count(head, SLICE_LIT("Content-Length"));
    size_t codings = count(head, SLICE_LIT("Transfer-Encoding"));
    check(lengths <= 1 && (lengths == 0 || codings == 0) && (codings == 0 || head->version_minor));
    check(head->framing != FRAMING_CHUNKED || codings > 0);
    check(head->framing != FRAMING_LENGTH || lengths == 1);
    if (mode == 0) {
        check_slice(head->target, bytes);
        check(head->method.len > 0 && head->target.len > 0 && head->framing != FRAMING_CLOSE);
        check(head->target.ptr[0] == '/' || slice_equal(head->method, SLICE_LIT("OPTIONS")));
        check(count(head, SLICE_LIT("Host")) == (head->host.len > 0));
        check(head->host.len > 0 || head->version_minor == 0);
        check((head->framing == FRAMING_CHUNKED) == (codings > 0));
        check((head->framing == FRAMING_LENGTH) == (lengths > 0));
    } else {
        check(head->status >= 100 && head->status <= 999);
        check(head->framing != FRAMING_CLOSE || !head->keep_alive);
        check(mode == 1 || head->framing == FRAMING_NONE);
    }
}

static void check_refused(unsigned mode, int err, const struct message_head *head)
{
    unsigned status = head->refuse_status;
    check(head->refuse_text != NULL);
    check(err == LIMPET_ERR_SYNTAX || err == LIMPET_ERR_TOO_LONG || err == LIMPET_ERR_UNSUPPORTED);
    check(status == 400 || status == 414 || status == 417 || status == 431 || status == 501 ||
          status == 505);
    check(mode == 0 || (status != 414 && status != 417));
}

/* As a connection does it: the buffer grows in place. */
static int parse_pieces(unsigned mode, unsigned seed, const uint8_t *data, size_t size)
{
    size_t scanned = 0;
    int parsed = 0;
    for (size_t have = 0; have < size && parsed == 0;) {
        seed = seed * 1103515245u + 12345u;
        size_t piece = 1 + (seed >> 16) % 40;
        piece = piece < size - have ? piece : size - have;
        memcpy(grown + have, data + have, piece);
        have += piece;
        parsed = parse(mode, slice_of(grown, have), &scanned, &pieces);
        check(parsed != 0 || scanned == have);
    }
    return parsed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > sizeof(grown)) {
        return 0;
    }
    unsigned mode = data[0] % 3;
    unsigned seed = data[1];
    data += 2;
    size -= 2;
    size_t scanned = 0;
    struct slice bytes = slice_of(guarded_copy(&guarded, data, size), size);
    int parsed = parse(mode, bytes, &scanned, &whole);
    check(parsed <= (int)size);
    if (parsed > 0) {
        check_accepted(mode, bytes, &whole);
    } else if (parsed < 0) {
        check_refused(mode, parsed, &whole);
    }
    int again = parse_pieces(mode, seed, data, size);
    bool long_enough = size > LIMPET_REQUEST_LINE_MAX; /* which limit comes first may differ then */
    check(again == parsed || (long_enough && again < 0 && parsed < 0));
    check(parsed >= 0 || long_enough || pieces.refuse_status == whole.refuse_status);
    check(parsed <= 0 || pieces.field_count == whole.field_count);
    return 0;
}
