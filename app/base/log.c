#include "base/log.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

#define CUT_MARK "..."
#define CUT_MARK_LEN 3u
#define ESCAPED_LEN 4u /* \xNN */

/* How many bytes at `at` stand for themselves in the line; 0: the byte is written as \xNN. */
static size_t plain_len(const char *at, const char *end)
{
    unsigned char byte = (unsigned char)*at;
    if (byte < 0x80) {
        return byte >= 0x20 && byte != 0x7F;
    }
    int len = utf8_len(at, end);
    /* U+0080..U+009F are control characters too: terminals take C2 9B for ESC [. */
    bool control = len == 2 && byte == 0xC2 && (unsigned char)at[1] < 0xA0;
    return len > 0 && !control ? (size_t)len : 0;
}

/* The longest beginning of `line` that takes at most `room` bytes once written; *written is its
 * size. */
static size_t fitting_len(struct slice line, size_t room, size_t *written)
{
    const char *at = line.ptr;
    const char *end = at + line.len;
    *written = 0;
    while (at < end) {
        size_t plain = plain_len(at, end);
        size_t cost = plain > 0 ? plain : ESCAPED_LEN;
        if (cost > room - *written) {
            break;
        }
        *written += cost;
        at += plain > 0 ? plain : 1;
    }
    return (size_t)(at - line.ptr);
}

/* Writes the first `len` bytes of the buffer as `written` >= len bytes, in place. The bytes move
 * to the end of their new space first, so that writing never overtakes reading. */
static void escape_in_place(char *buf, size_t len, size_t written)
{
    if (written == len) {
        return;
    }
    char *at = buf + (written - len);
    const char *end = buf + written;
    memmove(at, buf, len);
    while (at < end) {
        size_t plain = plain_len(at, end);
        if (plain > 0) {
            memmove(buf, at, plain);
            buf += plain;
            at += plain;
            continue;
        }
        unsigned char byte = (unsigned char)*at;
        at++;
        *buf++ = '\\';
        *buf++ = 'x';
        *buf++ = "0123456789abcdef"[byte >> 4];
        *buf++ = "0123456789abcdef"[byte & 15u];
    }
}

/* Makes the line safe to print; its length. Longer than the buffer: cut at a character, marked. */
static size_t finish_line(struct log *log)
{
    struct slice raw = out_slice(&log->out);
    size_t written;
    size_t len = fitting_len(raw, sizeof(log->buf), &written);
    bool cut = len < raw.len || out_err(&log->out) != LIMPET_OK;
    if (cut) {
        len = fitting_len(raw, sizeof(log->buf) - CUT_MARK_LEN, &written);
    }
    escape_in_place(log->buf, len, written);
    if (cut) {
        memcpy(log->buf + written, CUT_MARK, CUT_MARK_LEN);
        written += CUT_MARK_LEN;
    }
    return written;
}

void log_init(struct log *log, log_sink_fn sink, void *sink_ctx, enum log_level level_min)
{
    assert(sink != NULL);
    log->sink = sink;
    log->sink_ctx = sink_ctx;
    log->level_min = level_min;
    log->level = level_min;
    log->open = false;
    log->lines_written = 0;
    log->lines_dropped = 0;
}

void log_set_level(struct log *log, enum log_level level_min)
{
    log->level_min = level_min;
}

struct out *log_begin(struct log *log, enum log_level level, const char *prefix)
{
    assert(!log->open);
    log->open = true;
    log->level = level;
    if (level < log->level_min) {
        out_init_count(&log->out);
        return &log->out;
    }
    out_init(&log->out, log->buf, sizeof(log->buf));
    out_text(&log->out, log_level_name(level));
    out_text(&log->out, ": ");
    if (prefix != NULL && prefix[0] != '\0') {
        out_text(&log->out, prefix);
        out_char(&log->out, ' ');
    }
    return &log->out;
}

void log_end(struct log *log)
{
    assert(log->open);
    log->open = false;
    if (log->out.buf == NULL) { /* below the level */
        return;
    }
    struct slice line = slice_of(log->buf, finish_line(log));
    if (log->sink(log->sink_ctx, log->level, line)) {
        log->lines_written++;
    } else {
        log->lines_dropped++;
    }
}

void log_line(struct log *log, enum log_level level, const char *prefix, const char *text)
{
    out_text(log_begin(log, level, prefix), text);
    log_end(log);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    assert((size_t)level < sizeof(names) / sizeof(names[0]));
    return names[level];
}
