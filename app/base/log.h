/* One line an event: level, the component's prefix, text.
 *
 *     struct out *out = log_begin(log, LOG_WARN, "[SERVICE: InfluxDB]");
 *     out_text(out, "...");
 *     log_end(log);
 *
 * log_begin always returns a writer (a counting one below the level), so callers need no branch. A
 * line longer than LIMPET_LOG_LINE_MAX is cut and marked with "..."; control bytes (CR, LF, ESC,
 * ...) and invalid UTF-8 from peers are written as \xNN, so that nobody can forge a line. One line
 * at a time: begin and end pair up. */
#ifndef LIMPET_BASE_LOG_H
#define LIMPET_BASE_LOG_H

#include "app_config.h"
#include "base/out.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_CRITICAL };

/* Takes one finished line, "LEVEL: [PREFIX] text", without time and without newline; it is valid
 * during the call only. Returns false when it had to drop it. */
typedef bool (*log_sink_fn)(void *ctx, enum log_level level, struct slice line);

/* For static placement; do not touch the fields. */
struct log {
    log_sink_fn sink;
    void *sink_ctx;
    enum log_level level_min;
    enum log_level level; /* of the line being written */
    bool open;            /* between log_begin and log_end */
    struct out out;
    uint64_t lines_written;
    uint64_t lines_dropped; /* the sink refused */
    char buf[LIMPET_LOG_LINE_MAX];
};

void log_init(struct log *log, log_sink_fn sink, void *sink_ctx, enum log_level level_min);
void log_set_level(struct log *log, enum log_level level_min);
struct out *log_begin(struct log *log, enum log_level level, const char *prefix);
void log_end(struct log *log);
/* A line that is one fixed text. */
void log_line(struct log *log, enum log_level level, const char *prefix, const char *text);
/* "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL" */
const char *log_level_name(enum log_level level);

#endif
