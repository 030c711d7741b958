/* What is wrong with a configuration: collected while it is read, reported in the order of the
 * text.
 *
 * Reading does not follow the order of the text (defaults first, then what inherits them), so
 * findings are kept until the end. Bounded: of more than LIMPET_FINDINGS_MAX the errors stay before
 * the warnings and these before the notes, and among equals those that stand first; the others are
 * only counted. */
#ifndef LIMPET_CONFIG_FINDING_H
#define LIMPET_CONFIG_FINDING_H

#include "config/config.h"

/* For static placement; do not touch the fields. */
struct finding {
    const char *at; /* into the text; NULL = the file as a whole */
    uint32_t order; /* of adding, for two at one place */
    uint8_t kind;
    uint8_t text_len;
    char text[LIMPET_FINDING_LEN_MAX];
};

struct findings {
    struct slice text; /* the configuration */
    uint32_t added;
    uint32_t count;
    uint32_t errors;
    uint32_t left_out[CONFIG_NO_EFFECT + 1]; /* by kind */
    struct out out;                          /* the message being written */
    struct finding draft;
    struct finding list[LIMPET_FINDINGS_MAX];
};

void findings_init(struct findings *findings, struct slice text);

/* Begin and end pair up; between them the message goes into the writer. A message longer than
 * LIMPET_FINDING_LEN_MAX is cut and marked with "...". */
struct out *finding_begin(struct findings *findings, enum config_finding_kind kind, const char *at);
void finding_end(struct findings *findings);
/* A message that is one fixed text. */
void finding_add(struct findings *findings, enum config_finding_kind kind, const char *at,
                 const char *text);

/* Calls `report` for each in the order of the text; how many were left out comes last. `tree`: the
 * text is valid JSON, so that paths can be found. */
void findings_report(const struct findings *findings, bool tree, config_report_fn report,
                     void *ctx);

/* Helpers of messages: a text in quotes, cut when it is long, and a raw JSON value as it stands. */
void finding_quote(struct out *out, struct slice s);
void finding_value(struct out *out, struct slice raw);

#endif
