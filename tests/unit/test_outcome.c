/* Answers of InfluxDB 1.x, 2.x and of proxies before it, and what the writer makes of each. */
#include "check.h"
#include "influx/outcome.h"

#include <string.h>

struct row {
    unsigned status;
    const char *body;
    enum outcome outcome;
    uint64_t points_refused;
};

static const struct row rows[] = {
    {204, "", OUTCOME_WRITTEN, 0},
    {200, "", OUTCOME_WRITTEN, 0},
    {299, "", OUTCOME_WRITTEN, 0},
    {400, "{\"error\":\"partial write: field type conflict: input field \\\"count\\\" dropped=3\"}",
     OUTCOME_PARTIAL, 3},
    {400, "{\"error\":\"partial write: points beyond retention policy dropped=112\"}\n",
     OUTCOME_PARTIAL, 112},
    {400,
     "{\"error\":\"partial write of line protocol occurred\",\"data\":[{\"original_line\":\"a\","
     "\"line_number\":1,\"error_message\":\"m\"},{\"line_number\":7}]}",
     OUTCOME_PARTIAL, 2},
    {400, "ppartial write: ddropped=12; dropped=5", OUTCOME_PARTIAL, 12},
    {422, "{\"code\":\"unprocessable entity\",\"message\":\"partial write\"}", OUTCOME_PARTIAL, 0},
    {400, "{\"error\":\"partial write: dropped=99999999999999999999\"}", OUTCOME_PARTIAL, 0},
    {400, "{\"error\":\"partial write: dropped=", OUTCOME_PARTIAL, 0},
    {400, "{\"error\":\"unable to parse 'x'\"}", OUTCOME_REFUSED, 0},
    {400, "", OUTCOME_REFUSED, 0},
    {422, "partial writ", OUTCOME_REFUSED, 0},
    {413, "", OUTCOME_TOO_LARGE, 0},
    {401, "{\"error\":\"authorization failed\"}", OUTCOME_KEEP, 0},
    {403, "", OUTCOME_KEEP, 0},
    {404, "{\"error\":\"database not found: \\\"krakend\\\"\"}", OUTCOME_KEEP, 0},
    {301, "", OUTCOME_KEEP, 0},
    {307, "", OUTCOME_KEEP, 0},
    {429, "", OUTCOME_AGAIN, 0},
    {500, "", OUTCOME_AGAIN, 0},
    {503, "", OUTCOME_AGAIN, 0},
    {400,
     "{\"error\":\"partial write of line protocol occurred\",\"data\":["
     "{\"original_line\":\"a\",\"line_number\":2,\"error_message\":\"x\"},"
     "{\"original_line\":\"b \\\"line_number\\\" \",\"line_number\": 3}]}",
     OUTCOME_PARTIAL, 2},
};

int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t refused = 77;
        struct slice body = slice_from_cstr(rows[i].body);
        for (size_t cut = 0; cut <= body.len; cut++) {
            struct outcome_text text = {0};
            outcome_text_feed(&text, slice_take(body, cut));
            outcome_text_feed(&text, slice_skip(body, cut));
            enum outcome outcome = outcome_of(rows[i].status, &text, &refused);
            CHECK_EQ_INT(outcome, rows[i].outcome);
            CHECK_EQ_UINT(refused, rows[i].points_refused);
            CHECK_EQ_INT(text.retention, strstr(rows[i].body, "retention") != NULL);
        }
    }
    return check_result();
}
