#include "base/json.h"

#include "base/byte.h"
#include "base/utf8.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* ---- Scanner -------------------------------------------------------------------------------- */

/* What may come next. The order is that of `expected`. */
enum state {
    TOP_VALUE,
    FIRST_ELEMENT,
    ELEMENT,
    FIRST_KEY,
    KEY,
    COLON,
    MEMBER_VALUE,
    AFTER_ELEMENT,
    AFTER_MEMBER,
    DONE,
};

static const struct {
    const char *other; /* another byte is there */
    const char *end;   /* the text ends */
} expected[DONE] = {
    {"expected a value", "expected a value, found the end of the text"},
    {"expected a value or ']' after '['", "expected a value or ']', found the end of the text"},
    {"expected a value after ',' in an array",
     "expected a value after ',', found the end of the text"},
    {"expected a key in double quotes or '}' after '{'",
     "expected a key or '}', found the end of the text"},
    {"expected a key in double quotes after ',' in an object",
     "expected a key after ',', found the end of the text"},
    {"expected ':' after a key", "expected ':' after a key, found the end of the text"},
    {"expected a value after ':'", "expected a value after ':', found the end of the text"},
    {"expected ',' or ']' after an array element",
     "expected ',' or ']' after an array element, found the end of the text"},
    {"expected ',' or '}' after an object member",
     "expected ',' or '}' after an object member, found the end of the text"},
};

struct scanner {
    const char *at;
    const char *end;
    const char *error_text;
    enum json_utf8 utf8;
    unsigned depth;
    uint32_t objects[(LIMPET_JSON_DEPTH_MAX + 31u) / 32u]; /* bit n: level n is an object */
};

static int scan_step(struct scanner *s, enum state *state);
static int scan_value(struct scanner *s, enum state *state);
static int scan_string(struct scanner *s);
static int scan_escape(struct scanner *s);
static int scan_number(struct scanner *s);
static int scan_word(struct scanner *s, const char *word, const char *error_text);

static int fail(struct scanner *s, const char *error_text)
{
    s->error_text = error_text;
    return LIMPET_ERR_SYNTAX;
}

static int fail_expected(struct scanner *s, enum state state)
{
    if (s->at == s->end) {
        return fail(s, expected[state].end);
    }
    if (*s->at == '/') {
        return fail(s, "comments are not allowed");
    }
    return fail(s, expected[state].other);
}

static void skip_space(struct scanner *s)
{
    s->at = byte_skip(s->at, s->end, BYTE_SPACE);
}

static void fill_error(struct json_error *error, size_t offset, const char *text)
{
    if (error != NULL) {
        error->offset = offset;
        error->text = text;
    }
}

int json_scan(struct slice text, enum json_utf8 utf8, struct slice *value, struct json_error *error)
{
    assert(text.len <= INT_MAX);
    if (slice_starts_with(text, SLICE_LIT("\xEF\xBB\xBF"))) {
        fill_error(error, 0, "byte order mark in front of the value");
        return LIMPET_ERR_SYNTAX;
    }
    if (text.len == 0) {
        fill_error(error, 0, expected[TOP_VALUE].end);
        return LIMPET_ERR_SYNTAX;
    }
    struct scanner s = {.at = text.ptr, .end = text.ptr + text.len, .utf8 = utf8};
    skip_space(&s);
    const char *begin = s.at;
    enum state state = TOP_VALUE;
    while (state != DONE) {
        int err = scan_step(&s, &state);
        if (err != LIMPET_OK) {
            fill_error(error, (size_t)(s.at - text.ptr), s.error_text);
            return err;
        }
    }
    *value = slice_of(begin, (size_t)(s.at - begin));
    return (int)(s.at - text.ptr);
}

int json_check(struct slice text, struct json_error *error)
{
    struct slice value;
    int used = json_scan(text, JSON_UTF8_STRICT, &value, error);
    if (used < 0) {
        return used;
    }
    const char *end = text.ptr + text.len;
    const char *at = byte_skip(text.ptr + used, end, BYTE_SPACE);
    if (at < end) {
        fill_error(error, (size_t)(at - text.ptr), "bytes after the value");
        return LIMPET_ERR_SYNTAX;
    }
    return used;
}

/* After a value: what the container around it wants. */
static enum state state_after_value(const struct scanner *s)
{
    if (s->depth == 0) {
        return DONE;
    }
    unsigned level = s->depth - 1;
    return (s->objects[level / 32] >> level % 32 & 1u) != 0 ? AFTER_MEMBER : AFTER_ELEMENT;
}

static int open_container(struct scanner *s, enum state *state)
{
    if (s->depth == LIMPET_JSON_DEPTH_MAX) {
        s->error_text = limpet_err_text(LIMPET_ERR_DEPTH);
        return LIMPET_ERR_DEPTH;
    }
    uint32_t bit = (uint32_t)1 << s->depth % 32;
    uint32_t *word = &s->objects[s->depth / 32];
    bool object = *s->at == '{';
    *word = object ? *word | bit : *word & ~bit;
    *state = object ? FIRST_KEY : FIRST_ELEMENT;
    s->depth++;
    s->at++;
    return LIMPET_OK;
}

static int close_container(struct scanner *s, enum state *state)
{
    s->depth--;
    s->at++;
    *state = state_after_value(s);
    return LIMPET_OK;
}

static int scan_key(struct scanner *s, enum state *state)
{
    if (*s->at != '"') {
        return fail_expected(s, *state);
    }
    *state = COLON;
    return scan_string(s);
}

static int scan_separator(struct scanner *s, enum state *state)
{
    bool object = *state == AFTER_MEMBER;
    if (*s->at == (object ? '}' : ']')) {
        return close_container(s, state);
    }
    if (*s->at != ',') {
        return fail_expected(s, *state);
    }
    s->at++;
    *state = object ? KEY : ELEMENT;
    return LIMPET_OK;
}

/* Takes one token, and the white space in front of it. */
static int scan_step(struct scanner *s, enum state *state)
{
    skip_space(s);
    if (s->at == s->end) {
        return fail_expected(s, *state);
    }
    switch (*state) {
    case FIRST_ELEMENT:
        return *s->at == ']' ? close_container(s, state) : scan_value(s, state);
    case FIRST_KEY:
        return *s->at == '}' ? close_container(s, state) : scan_key(s, state);
    case KEY:
        return scan_key(s, state);
    case COLON:
        if (*s->at != ':') {
            return fail_expected(s, *state);
        }
        s->at++;
        *state = MEMBER_VALUE;
        return LIMPET_OK;
    case AFTER_ELEMENT:
    case AFTER_MEMBER:
        return scan_separator(s, state);
    default:
        return scan_value(s, state);
    }
}

static int scan_scalar(struct scanner *s, enum state state)
{
    switch (*s->at) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true", "expected 'true'");
    case 'f':
        return scan_word(s, "false", "expected 'false'");
    case 'n':
        return scan_word(s, "null", "expected 'null'");
    default:
        return *s->at == '-' || byte_is(*s->at, BYTE_DIGIT) ? scan_number(s)
                                                            : fail_expected(s, state);
    }
}

static int scan_value(struct scanner *s, enum state *state)
{
    if (byte_is(*s->at, BYTE_OPEN)) {
        return open_container(s, state);
    }
    int err = scan_scalar(s, *state);
    *state = state_after_value(s);
    return err;
}

static int scan_word(struct scanner *s, const char *word, const char *error_text)
{
    for (; *word != '\0'; word++) {
        if (s->at == s->end || *s->at != *word) {
            return fail(s, error_text);
        }
        s->at++;
    }
    return LIMPET_OK;
}

static bool take_byte(struct scanner *s, char byte)
{
    bool there = s->at < s->end && *s->at == byte;
    s->at += there;
    return there;
}

/* One digit or more. */
static int take_digits(struct scanner *s, const char *error_text)
{
    const char *from = s->at;
    s->at = byte_skip(from, s->end, BYTE_DIGIT);
    return s->at > from ? LIMPET_OK : fail(s, error_text);
}

static int scan_number(struct scanner *s)
{
    bool minus = take_byte(s, '-');
    bool zero = take_byte(s, '0');
    if (zero && s->at < s->end && byte_is(*s->at, BYTE_DIGIT)) {
        return fail(s, "no digit may follow a leading 0");
    }
    int err = zero ? LIMPET_OK
                   : take_digits(s, minus ? "expected a digit after '-'" : "expected a digit");
    if (err == LIMPET_OK && take_byte(s, '.')) {
        err = take_digits(s, "expected a digit after '.'");
    }
    if (err == LIMPET_OK && (take_byte(s, 'e') || take_byte(s, 'E'))) {
        if (!take_byte(s, '+')) {
            (void)take_byte(s, '-');
        }
        err = take_digits(s, "expected a digit in the exponent");
    }
    return err;
}

/* A byte of a string that is not PLAIN, nor its end. */
static int scan_special(struct scanner *s)
{
    unsigned char byte = (unsigned char)*s->at;
    if (byte == '\\') {
        return scan_escape(s);
    }
    if (byte < 0x20) {
        return fail(s, "control character in a string, expected an escape");
    }
    if (s->utf8 == JSON_UTF8_REPLACE) {
        s->at++;
        return LIMPET_OK;
    }
    int len = utf8_len(s->at, s->end);
    if (len <= 0) {
        s->at = len == UTF8_CUT ? s->end : s->at;
        return fail(s, "invalid UTF-8 in a string");
    }
    s->at += len;
    return LIMPET_OK;
}

static int scan_string(struct scanner *s)
{
    s->at++;
    for (;;) {
        s->at = byte_skip_plain(s->at, s->end);
        if (s->at == s->end) {
            return fail(s, "expected '\"' at the end of a string, found the end of the text");
        }
        if (*s->at == '"') {
            s->at++;
            return LIMPET_OK;
        }
        int err = scan_special(s);
        if (err != LIMPET_OK) {
            return err;
        }
    }
}

/* Surrogates need not come in pairs: the grammar allows them alone (RFC 8259 section 8.2). */
static int scan_escape(struct scanner *s)
{
    s->at++;
    if (s->at == s->end || *s->at == '\0' || strchr("\"\\/bfnrtu", *s->at) == NULL) {
        return fail(s, "expected one of \" \\ / b f n r t u after '\\'");
    }
    int hex_count = *s->at == 'u' ? 4 : 0;
    s->at++;
    for (int i = 0; i < hex_count; i++) {
        if (s->at == s->end || !byte_is(*s->at, BYTE_HEX)) {
            return fail(s, "expected four hex digits after '\\u'");
        }
        s->at++;
    }
    return LIMPET_OK;
}

/* ---- Places --------------------------------------------------------------------------------- */

struct json_place json_place_of(struct slice text, size_t offset)
{
    struct json_place place = {1, 1};
    size_t target = offset < text.len ? offset : text.len;
    for (size_t at = 0; at < target;) {
        int len = utf8_len(text.ptr + at, text.ptr + text.len);
        size_t step = len > 0 ? (size_t)len : 1;
        if (at + step > target) { /* inside of a character: its own place */
            break;
        }
        bool line_end = text.ptr[at] == '\n';
        place.line += line_end;
        place.column = line_end ? 1 : place.column + 1;
        at += step;
    }
    return place;
}
