/* Log lines: form, level, cutting at every length, and bytes that must not forge a line. */
#include "base/log.h"

#include "check.h"

static char last[LIMPET_LOG_LINE_MAX + 1];
static size_t last_len;
static enum log_level last_level;
static int line_count;
static bool sink_takes;

static bool sink(void *ctx, enum log_level level, struct slice line)
{
    CHECK(ctx == &line_count);
    CHECK(line.len <= LIMPET_LOG_LINE_MAX);
    memcpy(last, line.ptr, line.len);
    last[line.len] = '\0';
    last_len = line.len;
    last_level = level;
    line_count++;
    return sink_takes;
}

static struct log log_state;

static void start(enum log_level level_min)
{
    line_count = 0;
    sink_takes = true;
    log_init(&log_state, sink, &line_count, level_min);
}

static void write_line(const char *bytes, size_t len)
{
    out_bytes(log_begin(&log_state, LOG_INFO, NULL), bytes, len);
    log_end(&log_state);
}

static void a_line_has_level_prefix_and_text(void)
{
    start(LOG_INFO);
    struct out *out = log_begin(&log_state, LOG_WARN, "[SERVICE: InfluxDB]");
    out_text(out, "retry in ");
    out_u64(out, 5);
    log_end(&log_state);
    CHECK_EQ_STR(last, "WARNING: [SERVICE: InfluxDB] retry in 5");
    CHECK(last_level == LOG_WARN);
    log_line(&log_state, LOG_CRITICAL, "", "stop");
    CHECK_EQ_STR(last, "CRITICAL: stop");
    log_line(&log_state, LOG_ERROR, NULL, "no prefix");
    CHECK_EQ_STR(last, "ERROR: no prefix");
    CHECK_EQ_UINT(log_state.lines_written, 3);
    CHECK_EQ_UINT(log_state.lines_dropped, 0);
}

static void lines_below_the_level_are_not_written(void)
{
    for (int min = LOG_DEBUG; min <= LOG_CRITICAL; min++) {
        start(LOG_CRITICAL);
        log_set_level(&log_state, (enum log_level)min);
        for (int level = LOG_DEBUG; level <= LOG_CRITICAL; level++) {
            log_line(&log_state, (enum log_level)level, "p", "text");
        }
        CHECK_EQ_INT(line_count, LOG_CRITICAL - min + 1);
        CHECK_EQ_UINT(log_state.lines_written, (unsigned)line_count);
    }
}

static void a_refused_line_is_counted(void)
{
    start(LOG_DEBUG);
    sink_takes = false;
    log_line(&log_state, LOG_DEBUG, NULL, "x");
    CHECK_EQ_STR(last, "DEBUG: x");
    CHECK_EQ_UINT(log_state.lines_written, 0);
    CHECK_EQ_UINT(log_state.lines_dropped, 1);
}

static void control_bytes_are_escaped(void)
{
    start(LOG_INFO);
    write_line("a\r\nERROR: b\x1b[2J\x7f\t", 17);
    CHECK_EQ_STR(last, "INFO: a\\x0d\\x0aERROR: b\\x1b[2J\\x7f\\x09");
    write_line("\0", 1);
    CHECK_EQ_STR(last, "INFO: \\x00");
    write_line("gr\xC3\xBC\xC3\x9F", 6);
    CHECK_EQ_STR(last, "INFO: gr\xC3\xBC\xC3\x9F");
    write_line("\xC2\x9B\x31m", 4); /* CSI as one character */
    CHECK_EQ_STR(last, "INFO: \\xc2\\x9b1m");
    write_line("\xFF\xC3", 2);
    CHECK_EQ_STR(last, "INFO: \\xff\\xc3");
}

/* Each byte alone, and in front of and behind others: the line never holds a control byte. */
static void no_byte_gets_through(void)
{
    start(LOG_INFO);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {(char)byte, 'x', (char)byte};
        write_line(text, 3);
        for (size_t i = 0; i < last_len; i++) {
            CHECK((unsigned char)last[i] >= 0x20 && (unsigned char)last[i] < 0x7F);
        }
    }
}

static void long_lines_are_cut_and_marked(void)
{
    static char text[2 * LIMPET_LOG_LINE_MAX];
    memset(text, 'y', sizeof(text));
    size_t room = LIMPET_LOG_LINE_MAX - strlen("INFO: ");
    start(LOG_INFO);
    for (size_t len = 0; len <= sizeof(text); len++) {
        write_line(text, len);
        bool cut = len > room;
        CHECK_EQ_UINT(last_len, cut ? LIMPET_LOG_LINE_MAX : strlen("INFO: ") + len);
        CHECK((strstr(last, "...") != NULL) == cut);
    }
    for (size_t piece = 0; piece < 1000; piece++) { /* in pieces as well */
        out_text(piece == 0 ? log_begin(&log_state, LOG_INFO, NULL) : &log_state.out, "zz");
    }
    log_end(&log_state);
    CHECK_EQ_UINT(last_len, LIMPET_LOG_LINE_MAX);
    CHECK_EQ_TEXT(last + last_len - 5, 5, "zz...");
}

static bool ends_on_a_character(size_t ascii)
{
    const char *mark = strstr(last, "...");
    size_t len = mark == NULL ? last_len : (size_t)(mark - last);
    return (len - strlen("INFO: ") - ascii) % 3 == 0;
}

/* Three-byte characters after 0, 1 or 2 letters: the cut falls on each byte of one. */
static void the_cut_never_splits_a_character(void)
{
    static char text[LIMPET_LOG_LINE_MAX + 8];
    start(LOG_INFO);
    for (size_t ascii = 0; ascii < 3; ascii++) {
        memset(text, 'a', ascii);
        for (size_t i = ascii; i + 3 <= sizeof(text); i += 3) {
            memcpy(text + i, "\xE2\x82\xAC", 3);
            write_line(text, i + 3);
            CHECK(strstr(last, "\\x") == NULL);
            CHECK(ends_on_a_character(ascii));
        }
    }
}

/* Escapes grow the line in place: every length of control bytes around letters. */
static void escapes_are_cut_whole(void)
{
    static char text[LIMPET_LOG_LINE_MAX + 8];
    start(LOG_INFO);
    for (size_t plain = 0; plain < 8; plain++) {
        for (size_t len = plain; len < sizeof(text); len++) {
            memset(text, '\n', sizeof(text));
            memset(text, 'q', plain);
            write_line(text, len);
            const char *at = last + strlen("INFO: ") + plain;
            size_t escapes = 0;
            for (; strncmp(at, "\\x0a", 4) == 0; at += 4) {
                escapes++;
            }
            CHECK(*at == '\0' ? escapes == len - plain : strcmp(at, "...") == 0);
            CHECK(*at == '\0' || last_len + 4 > LIMPET_LOG_LINE_MAX);
        }
    }
}

int main(void)
{
    a_line_has_level_prefix_and_text();
    lines_below_the_level_are_not_written();
    a_refused_line_is_counted();
    control_bytes_are_escaped();
    no_byte_gets_through();
    long_lines_are_cut_and_marked();
    the_cut_never_splits_a_character();
    escapes_are_cut_whole();
    return check_result();
}
