/* Heads: request line or status line, fields, and what the fields say about the body. */
#include "web/message.h"

#include "base/byte.h"
#include "base/num.h"
#include "web/message_rules.h"

#include <assert.h>
#include <string.h>

#define EMPTY_LINES_MAX 4u
#define VERSION_LEN 8u      /* "HTTP/1.1" */
#define STATUS_LINE_MIN 12u /* "HTTP/1.1 200" */

/* message_head.seen */
#define SEEN_HOST 1u
#define SEEN_LENGTH 2u
#define SEEN_CODING 4u  /* Transfer-Encoding */
#define SEEN_CHUNKED 8u /* ... and its last one so far is chunked */
#define SEEN_CODING_OTHER 16u
#define SEEN_CLOSE 32u
#define SEEN_KEEP_ALIVE 64u
#define SEEN_CONNECTION_NAMES 128u /* Connection names fields */
#define SEEN_CONTINUE 256u

/* What requests and responses do differently. */
struct head_kind {
    int (*start_line)(struct message_head *head, struct slice line);
    int (*finish)(struct message_head *head, bool to_head);
    unsigned start_rule; /* of the bytes of the start line */
    size_t start_len_max;
    unsigned start_too_long; /* status */
    bool request;
};

static int parse_head(struct slice bytes, size_t *scanned, const struct head_kind *kind,
                      bool to_head, struct message_head *head);
static int open_line(struct message_head *head, const struct head_kind *kind, struct slice bytes,
                     size_t *scanned);
static int take_line(struct message_head *head, const struct head_kind *kind, bool to_head,
                     struct slice line);
static int check_length(struct message_head *head, const struct head_kind *kind, struct slice line);
static bool has_bad_byte(const struct message_head *head, const struct head_kind *kind,
                         struct slice part);
static int refuse(struct message_head *head, unsigned status, const char *text);
static int request_line(struct message_head *head, struct slice line);
static int check_target(struct message_head *head);
static int status_line(struct message_head *head, struct slice line);
static int take_version(struct message_head *head, struct slice version);
static int field_line(struct message_head *head, struct slice line, bool request);
static int refuse_name(struct message_head *head, struct slice name, struct slice rest);
static int note_field(struct message_head *head, struct slice name, struct slice value,
                      bool request);
static int note_host(struct message_head *head, struct slice value);
static int note_length(struct message_head *head, struct slice value);
static int note_coding(struct message_head *head, struct slice list);
static void note_connection(struct message_head *head, struct slice list);
static int note_expect(struct message_head *head, struct slice value);
static int finish_request(struct message_head *head, bool to_head);
static int finish_response(struct message_head *head, bool to_head);
static int finish_framing(struct message_head *head);

static const struct head_kind request_kind = {
    .start_line = request_line,
    .finish = finish_request,
    .start_rule = RULE_LINE,
    .start_len_max = LIMPET_REQUEST_LINE_MAX,
    .start_too_long = 414,
    .request = true,
};

static const struct head_kind response_kind = {
    .start_line = status_line,
    .finish = finish_response,
    .start_rule = RULE_VALUE,
    .start_len_max = LIMPET_HEAD_LEN_MAX,
    .start_too_long = 431,
    .request = false,
};

/* ---- Public --------------------------------------------------------------------------------- */

int message_parse_request(struct slice bytes, size_t *scanned, struct message_head *head)
{
    return parse_head(bytes, scanned, &request_kind, false, head);
}

int message_parse_response(struct slice bytes, size_t *scanned, bool to_head,
                           struct message_head *head)
{
    return parse_head(bytes, scanned, &response_kind, to_head, head);
}

struct message_field message_field(const struct message_head *head, size_t index)
{
    assert(index < head->field_count);
    const struct message_place *place = &head->fields[index];
    return (struct message_field){slice_of(head->bytes + place->name_at, place->name_len),
                                  slice_of(head->bytes + place->value_at, place->value_len)};
}

struct slice message_find(const struct message_head *head, struct slice name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        if (slice_equal_nocase(field.name, name)) {
            return field.value;
        }
    }
    return SLICE_EMPTY;
}

static bool connection_names(const struct message_head *head, struct slice name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct message_field field = message_field(head, i);
        struct slice list = field.value;
        struct slice element;
        if (!slice_equal_nocase(field.name, SLICE_LIT("Connection"))) {
            continue;
        }
        while (rule_list_next(&list, &element)) {
            if (slice_equal_nocase(element, name)) {
                return true;
            }
        }
    }
    return false;
}

bool message_is_hop_by_hop(const struct message_head *head, struct slice name)
{
    static const struct slice names[] = {
        {"Connection", 10}, {"Keep-Alive", 10}, {"TE", 2},
        {"Trailer", 7},     {"Upgrade", 7},     {"Transfer-Encoding", 17},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(name, names[i])) {
            return true;
        }
    }
    if (slice_equal_nocase(slice_take(name, 6), SLICE_LIT("Proxy-"))) {
        return true;
    }
    return (head->seen & SEEN_CONNECTION_NAMES) != 0 && connection_names(head, name);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static int parse_head(struct slice bytes, size_t *scanned, const struct head_kind *kind,
                      bool to_head, struct message_head *head)
{
    if (*scanned == 0) {
        memset(head, 0, offsetof(struct message_head, fields));
    }
    assert(*scanned <= bytes.len && head->line_at <= *scanned);
    head->bytes = bytes.ptr;
    for (;;) {
        size_t end = *scanned + slice_find(slice_skip(bytes, *scanned), '\n');
        if (end == bytes.len) {
            return open_line(head, kind, bytes, scanned);
        }
        struct slice line = slice_of(bytes.ptr + head->line_at, end - head->line_at);
        *scanned = end + 1;
        int taken = take_line(head, kind, to_head, line);
        head->line_at = *scanned;
        if (taken != 0) {
            return taken > 0 ? (int)*scanned : taken;
        }
    }
}

/* The last line is not complete: garbage and too much are refused at once. */
static int open_line(struct message_head *head, const struct head_kind *kind, struct slice bytes,
                     size_t *scanned)
{
    /* Again the last byte that was looked at: a CR was right if it was the last one. */
    size_t from = *scanned > head->line_at ? *scanned - 1 : head->line_at;
    struct slice line = slice_skip(bytes, head->line_at);
    *scanned = bytes.len;
    if (has_bad_byte(head, kind, slice_skip(bytes, from))) {
        return refuse(head, 400, "control byte");
    }
    bool request_begins = kind->request && !head->started && line.len > 0 && line.ptr[0] != '\r';
    if (request_begins && !rule_holds(line.ptr[0], RULE_TOKEN)) {
        return refuse(head, 400, "bad method");
    }
    return check_length(head, kind, line);
}

/* 1: the head is complete; 0: more lines follow. `line` ends before its LF. */
static int take_line(struct message_head *head, const struct head_kind *kind, bool to_head,
                     struct slice line)
{
    int err = check_length(head, kind, line);
    if (err != LIMPET_OK) {
        return err;
    }
    if (line.len == 0 || line.ptr[line.len - 1] != '\r') {
        return refuse(head, 400, "line without carriage return");
    }
    line.len--;
    if (line.len > 0 && head->started) {
        return field_line(head, line, kind->request);
    }
    if (line.len > 0) {
        head->started = true;
        return kind->start_line(head, line);
    }
    if (head->started) {
        err = kind->finish(head, to_head);
        return err == LIMPET_OK ? 1 : err;
    }
    head->empty_lines++;
    bool skip = kind->request && head->empty_lines <= EMPTY_LINES_MAX;
    return skip ? 0 : refuse(head, 400, "empty start line");
}

/* `line` with its CR if that was seen. Bytes that are bad by themselves are 400 also in a line that
 * is too long: the answer must not depend on the pieces in which it came. */
static int check_length(struct message_head *head, const struct head_kind *kind, struct slice line)
{
    size_t text_len = line.len - (line.len > 0 && line.ptr[line.len - 1] == '\r');
    size_t left = LIMPET_HEAD_LEN_MAX - head->line_at;
    bool start_too_long = !head->started && text_len > kind->start_len_max;
    if (!start_too_long && line.len < left) {
        return LIMPET_OK; /* its LF still fits */
    }
    size_t limit = start_too_long && kind->start_len_max < left ? kind->start_len_max : left;
    if (has_bad_byte(head, kind, slice_take(line, limit))) {
        return refuse(head, 400, "control byte");
    }
    return start_too_long ? refuse(head, kind->start_too_long, "start line too long")
                          : refuse(head, 431, "head too long");
}

static bool has_bad_byte(const struct message_head *head, const struct head_kind *kind,
                         struct slice part)
{
    size_t good = rule_run(part, head->started ? RULE_VALUE : kind->start_rule);
    bool cr_last = part.len > 0 && good + 1 == part.len && part.ptr[good] == '\r';
    return good < part.len && !cr_last;
}

static int refuse(struct message_head *head, unsigned status, const char *text)
{
    head->refuse_status = status;
    head->refuse_text = text;
    if (status == 414 || status == 431) {
        return LIMPET_ERR_TOO_LONG;
    }
    return status == 400 ? LIMPET_ERR_SYNTAX : LIMPET_ERR_UNSUPPORTED;
}

/* ---- Start lines (RFC 9112 sections 3 and 4) ------------------------------------------------ */

static int request_line(struct message_head *head, struct slice line)
{
    head->method = slice_take(line, rule_run(line, RULE_TOKEN));
    struct slice rest = slice_skip(line, head->method.len);
    if (head->method.len == 0 || rest.len == 0 || rest.ptr[0] != ' ') {
        return refuse(head, 400, "bad method");
    }
    rest = slice_skip(rest, 1);
    head->target = slice_take(rest, rule_run(rest, RULE_TARGET));
    rest = slice_skip(rest, head->target.len);
    if (head->target.len == 0 || rest.len == 0 || rest.ptr[0] != ' ') {
        return refuse(head, 400, "bad request target");
    }
    int err = take_version(head, slice_skip(rest, 1));
    return err == LIMPET_OK ? check_target(head) : err;
}

static int check_target(struct message_head *head)
{
    size_t path_len = slice_find(head->target, '?');
    head->path = slice_take(head->target, path_len);
    head->query = slice_skip(head->target, path_len + 1);
    if (slice_equal(head->target, SLICE_LIT("*"))) {
        bool options = slice_equal(head->method, SLICE_LIT("OPTIONS"));
        return options ? LIMPET_OK : refuse(head, 400, "asterisk is for OPTIONS");
    }
    if (slice_equal(head->method, SLICE_LIT("CONNECT"))) {
        return refuse(head, 400, "no proxy here");
    }
    return rule_is_origin_form(head->target) ? LIMPET_OK : refuse(head, 400, "bad request target");
}

/* Servers leave out the blank behind the code when there is no reason; it reads one way only. */
static int status_line(struct message_head *head, struct slice line)
{
    if (line.len < STATUS_LINE_MIN || line.ptr[VERSION_LEN] != ' ' || !rule_is_value(line)) {
        return refuse(head, 400, "bad status line");
    }
    int err = take_version(head, slice_take(line, VERSION_LEN));
    if (err != LIMPET_OK) {
        return err;
    }
    uint64_t status;
    err = num_parse_u64(slice_take(slice_skip(line, VERSION_LEN + 1), 3), 999, &status);
    struct slice reason = slice_skip(line, STATUS_LINE_MIN);
    if (err != LIMPET_OK || status < 100 || (reason.len > 0 && reason.ptr[0] != ' ')) {
        return refuse(head, 400, "bad status line");
    }
    head->status = (unsigned)status;
    return LIMPET_OK;
}

/* "HTTP/" DIGIT "." DIGIT, case-sensitive. */
static int take_version(struct message_head *head, struct slice version)
{
    if (version.len != VERSION_LEN || !slice_starts_with(version, SLICE_LIT("HTTP/")) ||
        version.ptr[6] != '.' || !byte_is(version.ptr[5], BYTE_DIGIT) ||
        !byte_is(version.ptr[7], BYTE_DIGIT)) {
        return refuse(head, 400, "bad version");
    }
    if (version.ptr[5] != '1') {
        return refuse(head, 505, "version is not HTTP/1");
    }
    head->version_minor = version.ptr[7] == '0' ? 0 : 1;
    return LIMPET_OK;
}

/* ---- Fields (RFC 9112 section 5) ------------------------------------------------------------ */

static int field_line(struct message_head *head, struct slice line, bool request)
{
    struct slice name = slice_take(line, rule_run(line, RULE_TOKEN));
    struct slice rest = slice_skip(line, name.len);
    if (name.len == 0 || rest.len == 0 || rest.ptr[0] != ':') {
        return refuse_name(head, name, rest);
    }
    struct slice value = slice_trim(slice_skip(rest, 1));
    if (!rule_is_value(value)) {
        return refuse(head, 400, "control byte");
    }
    if (head->field_count == LIMPET_FIELDS_MAX) {
        return refuse(head, 431, "too many fields");
    }
    head->fields[head->field_count++] = (struct message_place){
        .name_at = (uint16_t)(name.ptr - head->bytes),
        .name_len = (uint16_t)name.len,
        .value_at = (uint16_t)(value.ptr - head->bytes),
        .value_len = (uint16_t)value.len,
    };
    return note_field(head, name, value, request);
}

static int refuse_name(struct message_head *head, struct slice name, struct slice rest)
{
    bool blank = rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
    if (blank && name.len == 0) {
        return refuse(head, 400, "folded line");
    }
    return refuse(head, 400, blank ? "white space before the colon" : "bad field name");
}

/* By the length of the name first: most fields need one comparison or none. */
static int note_field(struct message_head *head, struct slice name, struct slice value,
                      bool request)
{
    switch (name.len) {
    case 4:
        if (request && slice_equal_nocase(name, SLICE_LIT("Host"))) {
            return note_host(head, value);
        }
        break;
    case 6:
        if (request && slice_equal_nocase(name, SLICE_LIT("Expect"))) {
            return note_expect(head, value);
        }
        break;
    case 10:
        if (slice_equal_nocase(name, SLICE_LIT("Connection"))) {
            note_connection(head, value);
        }
        break;
    case 14:
        if (slice_equal_nocase(name, SLICE_LIT("Content-Length"))) {
            return note_length(head, value);
        }
        break;
    case 17:
        if (slice_equal_nocase(name, SLICE_LIT("Transfer-Encoding"))) {
            return note_coding(head, value);
        }
        break;
    default:
        break;
    }
    return LIMPET_OK;
}

static int note_host(struct message_head *head, struct slice value)
{
    if ((head->seen & SEEN_HOST) != 0) {
        return refuse(head, 400, "second Host");
    }
    if (!rule_is_host(value)) {
        return refuse(head, 400, "bad Host");
    }
    head->seen |= SEEN_HOST;
    head->host = value;
    return LIMPET_OK;
}

static int note_length(struct message_head *head, struct slice value)
{
    if ((head->seen & SEEN_LENGTH) != 0) {
        return refuse(head, 400, "second Content-Length");
    }
    if (rule_content_length(value, &head->content_length) != LIMPET_OK) {
        return refuse(head, 400, "bad Content-Length");
    }
    head->seen |= SEEN_LENGTH;
    return LIMPET_OK;
}

/* chunked must be the last coding of all fields together, once. */
static int note_coding(struct message_head *head, struct slice list)
{
    struct slice element;
    head->seen |= SEEN_CODING;
    while (rule_list_next(&list, &element)) {
        enum rule_coding coding = rule_coding_of(element);
        if (coding == CODING_BAD) {
            return refuse(head, 400, "bad Transfer-Encoding");
        }
        if ((head->seen & SEEN_CHUNKED) != 0) {
            return refuse(head, 400, "chunked is not the last coding");
        }
        head->seen |= coding == CODING_CHUNKED ? SEEN_CHUNKED : SEEN_CODING_OTHER;
    }
    return LIMPET_OK;
}

static void note_connection(struct message_head *head, struct slice list)
{
    struct slice element;
    while (rule_list_next(&list, &element)) {
        if (slice_equal_nocase(element, SLICE_LIT("close"))) {
            head->seen |= SEEN_CLOSE;
        } else if (slice_equal_nocase(element, SLICE_LIT("keep-alive"))) {
            head->seen |= SEEN_KEEP_ALIVE;
        } else if (element.len > 0) {
            head->seen |= SEEN_CONNECTION_NAMES;
        }
    }
}

static int note_expect(struct message_head *head, struct slice value)
{
    if (!slice_equal_nocase(value, SLICE_LIT("100-continue"))) {
        return refuse(head, 417, "unknown expectation");
    }
    head->seen |= SEEN_CONTINUE;
    return LIMPET_OK;
}

/* ---- The whole head (RFC 9112 section 6.3) -------------------------------------------------- */

static int finish_request(struct message_head *head, bool to_head)
{
    (void)to_head;
    if (head->version_minor > 0 && (head->seen & SEEN_HOST) == 0) {
        return refuse(head, 400, "Host is missing");
    }
    int err = finish_framing(head);
    if (err != LIMPET_OK) {
        return err;
    }
    bool body = head->framing == FRAMING_CHUNKED || head->content_length > 0;
    head->expect_continue = body && head->version_minor > 0 && (head->seen & SEEN_CONTINUE) != 0;
    return LIMPET_OK;
}

static int finish_response(struct message_head *head, bool to_head)
{
    int err = finish_framing(head);
    if (err != LIMPET_OK) {
        return err;
    }
    bool interim = head->status < 200;
    bool announced = head->framing == FRAMING_CHUNKED || head->content_length > 0;
    if (announced && interim) {
        return refuse(head, 400, "interim answer with a body");
    }
    if (to_head || interim || head->status == 204 || head->status == 304) {
        head->framing = FRAMING_NONE;
        /* Section 6.3: no body, whatever is announced; but does the peer know? */
        head->keep_alive = head->keep_alive && (head->status != 204 || to_head || !announced);
    } else if (head->framing == FRAMING_NONE) {
        head->framing = FRAMING_CLOSE;
        head->keep_alive = false;
    }
    return LIMPET_OK;
}

static int finish_framing(struct message_head *head)
{
    unsigned persistent = head->version_minor > 0 || (head->seen & SEEN_KEEP_ALIVE) != 0;
    head->keep_alive = persistent && (head->seen & SEEN_CLOSE) == 0;
    if ((head->seen & SEEN_CODING) == 0) {
        head->framing = (head->seen & SEEN_LENGTH) != 0 ? FRAMING_LENGTH : FRAMING_NONE;
        return LIMPET_OK;
    }
    if ((head->seen & SEEN_LENGTH) != 0) {
        return refuse(head, 400, "Content-Length with Transfer-Encoding");
    }
    if (head->version_minor == 0) {
        return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if ((head->seen & SEEN_CODING_OTHER) != 0) {
        return refuse(head, 501, "unknown transfer coding");
    }
    head->framing = FRAMING_CHUNKED;
    return LIMPET_OK;
}
