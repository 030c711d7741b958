/* Answers of InfluxDB 1.x, 2.x and of proxies before it, and what the writer makes of each. */
#include "check.h"
#include "influx/outcome.h"

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
};

/* As InfluxDB 3 says it, cut in two anywhere. */
static void test_named(void)
{
    static const char body[] =
        "{\"error\":\"partial write of line protocol occurred\",\"data\":["
        "{\"original_line\":\"a\",\"line_number\":2,\"error_message\":\"x\"},"
        "{\"original_line\":\"b \\\"line_number\\\" \",\"line_number\": 3}]}";
    struct slice whole = slice_from_cstr(body);
    for (size_t at = 0; at <= whole.len; at++) {
        struct outcome_named named = {0};
        outcome_count_named(&named, slice_take(whole, at));
        outcome_count_named(&named, slice_skip(whole, at));
        CHECK_EQ_UINT(named.count, 2);
    }
}

int main(void)
{
    test_named();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t refused = 77;
        enum outcome outcome = outcome_of(rows[i].status, slice_from_cstr(rows[i].body), &refused);
        CHECK_EQ_INT(outcome, rows[i].outcome);
        CHECK_EQ_UINT(refused, rows[i].points_refused);
    }
    return check_result();
}
