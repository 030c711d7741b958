/* From the metrics table through the record to line protocol, against the text that the reference
 * writes (reference table "Exact lines"). */
#include "check.h"
#include "influx/lines.h"
#include "metrics/registry.h"
#include "metrics/service.h"

#include <string.h>

#define COLLECTION_NS LIMPET_S_TO_NS(60)
#define STAMP_S INT64_C(1795339220)

static struct metrics metrics;
static char record_buf[65536];
static char text_buf[262144];

static void start(void)
{
    const struct metrics_options options = {.collection_time_ns = COLLECTION_NS};
    memset(&metrics, 0, sizeof metrics);
    metrics_init(&metrics, &options, 0);
}

static struct slice encode(const struct record_info *info)
{
    struct out out;
    out_init(&out, record_buf, sizeof record_buf);
    record_encode(&out, &metrics, info);
    CHECK_EQ_INT(out_err(&out), LIMPET_OK);
    return out_slice(&out);
}

/* All lines of the record, and that each has one newline, at its end. */
static const char *render(struct slice record, struct slice host)
{
    struct lines lines;
    struct out out;
    lines_init(&lines, &metrics, host, record);
    out_init(&out, text_buf, sizeof text_buf - 1);
    size_t from = 0;
    while (lines_next(&lines, &out)) {
        struct slice all = out_slice(&out);
        struct slice line = slice_skip(all, from);
        CHECK_EQ_UINT(slice_find(line, '\n'), line.len - 1);
        from = all.len;
    }
    text_buf[out_slice(&out).len] = '\0';
    return text_buf;
}

static const char *window(struct slice host)
{
    const struct record_info info = {
        .seq = 1, .dated = true, .unix_ns = STAMP_S * INT64_C(1000000000)};
    return render(encode(&info), host);
}

static void check_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    bool whole = at != NULL && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
    if (!CHECK(whole)) {
        fprintf(stderr, "    missing line: %s\n", line);
    }
}

static void close_window(void)
{
    CHECK(metrics_tick(&metrics, metrics_next_tick_ns(&metrics)));
}

/* ---- What a window says ---------------------------------------------------------------------- */

static void test_requests(void)
{
    start();
    struct proxy_series *s = metrics_open_proxy(&metrics, METRICS_BACKEND,
                                                SLICE_LIT("/echo/{{.Name}}/x?id={{.Id}}"));
    metrics_record_proxy(&metrics, s, true, false, 2000000);
    metrics_record_proxy(&metrics, s, true, false, 4000000);
    close_window();
    const char *text = window(SLICE_LIT("vm"));
    check_line(text, "requests,complete=true,error=false,host=vm,layer=backend,"
                     "name=/echo/{{.Name}}/x?id\\={{.Id}} count=2i,total=2i 1795339220");
    check_line(text, "requests,complete=false,error=true,host=vm,layer=backend,"
                     "name=/echo/{{.Name}}/x?id\\={{.Id}} count=0i,total=0i 1795339220");
    check_line(text, "requests,complete=true,error=true,host=vm,layer=backend,"
                     "name=/echo/{{.Name}}/x?id\\={{.Id}} count=0i,total=0i 1795339220");
    check_line(text, "requests,complete=true,error=false,host=vm,layer=backend,"
                     "name=/echo/{{.Name}}/x?id\\={{.Id}} max=4000000i,mean=3000000i,min=2000000i,"
                     "p0.1=2000000,p0.25=2000000,p0.5=3000000,p0.75=4000000,p0.9=4000000,"
                     "p0.95=4000000,p0.99=4000000,stddev=1000000i,variance=1000000000000i "
                     "1795339220");
    metrics_record_proxy(&metrics, s, true, false, 1);
    close_window();
    text = window(SLICE_LIT("vm"));
    check_line(text, "requests,complete=true,error=false,host=vm,layer=backend,"
                     "name=/echo/{{.Name}}/x?id\\={{.Id}} count=1i,total=3i 1795339220");
}

static void test_router(void)
{
    start();
    struct endpoint_series *s = metrics_open_endpoint(&metrics, SLICE_LIT("/a b"));
    for (unsigned i = 0; i < 3; i++) {
        metrics_connected(&metrics);
        metrics_record_response(&metrics, s, 200, 0, 1500);
    }
    metrics_disconnected(&metrics);
    metrics_record_response(&metrics, s, 404, 0, 1500);
    close_window();
    const char *text = window(SLICE_LIT("vm"));
    check_line(text, "router,direction=in,host=vm current=0i,total=3i 1795339220");
    check_line(text, "router,direction=out,host=vm current=0i,total=1i 1795339220");
    check_line(text, "router,direction=in,host=vm gauge=3i 1795339220");
    check_line(text, "router,direction=out,host=vm gauge=1i 1795339220");
    check_line(text, "responses,host=vm,name=/a\\ b,status=200 count=3i,total=3i 1795339220");
    check_line(text, "responses,host=vm,name=/a\\ b,status=404 count=1i,total=1i 1795339220");
    check_line(text, "router.response-time,host=vm,name=/a\\ b max=1500i,mean=1500i,min=1500i,"
                     "p0.1=1500,p0.25=1500,p0.5=1500,p0.75=1500,p0.9=1500,p0.95=1500,p0.99=1500,"
                     "stddev=0i,variance=0i 1795339220");
    /* Every size was 0: no line. */
    CHECK(strstr(text, "router.response-size") == NULL);
}

static void test_service(void)
{
    start();
    metrics_set_service(&metrics, SERVICE_HEAP_ALLOC, 4711);
    close_window();
    const char *text = window(SLICE_LIT("vm"));
    check_line(text, "debug,host=vm GCStats.LastGC=0i,GCStats.NumGC=0i,GCStats.PauseTotal=0i "
                     "1795339220");
    const char *runtime =
        strstr(text, "runtime,host=vm MemStats.Alloc=4711i,MemStats.BuckHashSys=0i,");
    CHECK(runtime != NULL);
    CHECK(strstr(text, ",NumCgoCall=0i,NumGoroutine=0i,NumThread=0i 1795339220\n") != NULL);
    CHECK(strstr(text, "GCCPUFraction") == NULL);
    CHECK(strstr(text, "limpet") == NULL);
    const char *zeros = "max=0i,mean=0i,min=0i,p0.1=0,p0.25=0,p0.5=0,p0.75=0,p0.9=0,p0.95=0,"
                        "p0.99=0,stddev=0i,variance=0i 1795339220";
    char line[300];
    snprintf(line, sizeof line, "service.debug.GCStats.Pause,host=vm %s", zeros);
    check_line(text, line);
    snprintf(line, sizeof line, "service.runtime.MemStats.PauseNs,host=vm %s", zeros);
    check_line(text, line);
}

/* The fields of a line stand in bytewise order, as the reference sorts them. */
static void test_fields_sorted(void)
{
    start();
    close_window();
    const char *text = window(SLICE_LIT("vm"));
    const char *at = strstr(text, "runtime,host=vm ");
    CHECK(at != NULL);
    char last[64] = "";
    unsigned fields = 0;
    for (at = strchr(at, ' '); at != NULL && *at != '\n'; at = strpbrk(at + 1, ", \n")) {
        char field[64];
        if (sscanf(at + 1, "%63[^=]", field) != 1 || strpbrk(field, "\n") != NULL) {
            break;
        }
        CHECK(strcmp(last, field) < 0);
        memcpy(last, field, sizeof last);
        fields++;
        if (strncmp(field, "NumThread", 9) == 0) {
            break;
        }
    }
    CHECK_EQ_UINT(fields, 28);
}

/* ---- Escapes --------------------------------------------------------------------------------- */

static void check_tag(const char *value, const char *want)
{
    char buf[64];
    struct out out;
    out_init(&out, buf, sizeof buf);
    lines_put_tag(&out, slice_from_cstr(value));
    CHECK_EQ_TEXT(buf, out_slice(&out).len, want);
}

static void test_escapes(void)
{
    check_tag("/plain", "/plain");
    check_tag("a,b", "a\\,b");
    check_tag("a=b c", "a\\=b\\ c");
    check_tag("a\\b", "a\\b");
    check_tag("a\\,b", "a\\\\,b");
    check_tag("end\\", "end_");
    check_tag("\\\\", "\\_");
    check_tag("new\nline\ttab\x7f", "new_line_tab_");
    check_tag("\"quoted\"", "\"quoted\"");
    check_tag("\xc3\xa4", "\xc3\xa4");
    check_tag("a\xff\xc3,\x80\xed\xa0\x80", "a__\\,____");
}

/* ---- Records --------------------------------------------------------------------------------- */

static void test_record_head(void)
{
    static const struct record_info infos[] = {
        {.seq = 1, .dated = true, .unix_ns = INT64_C(1795339220123456789)},
        {.seq = UINT64_MAX, .dated = false, .mono_ns = 17},
        {.seq = 300, .dated = true, .unix_ns = INT64_MAX},
    };
    start();
    close_window();
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        struct record_info info;
        struct record_iter iter;
        CHECK_EQ_INT(record_open(encode(&infos[i]), &info, &iter), LIMPET_OK);
        CHECK_EQ_UINT(info.seq, infos[i].seq);
        CHECK_EQ_INT(info.dated, infos[i].dated);
        CHECK_EQ_INT(info.unix_ns, infos[i].unix_ns);
        CHECK_EQ_UINT(info.mono_ns, infos[i].mono_ns);
    }
}

/* Every record cut short or with one bit turned is refused. */
static void test_record_damage(void)
{
    start();
    metrics_open_proxy(&metrics, METRICS_PIPE, SLICE_LIT("/x"));
    close_window();
    const struct record_info info = {.seq = 5, .mono_ns = 9};
    struct slice record = encode(&info);
    struct record_info got;
    struct record_iter iter;
    for (size_t len = 0; len < record.len; len++) {
        CHECK_EQ_INT(record_open(slice_take(record, len), &got, &iter), LIMPET_ERR_SYNTAX);
    }
    for (size_t bit = 0; bit < record.len * 8; bit++) {
        record_buf[bit / 8] = (char)(record_buf[bit / 8] ^ 1 << bit % 8);
        CHECK_EQ_INT(record_open(record, &got, &iter), LIMPET_ERR_SYNTAX);
        record_buf[bit / 8] = (char)(record_buf[bit / 8] ^ 1 << bit % 8);
    }
    CHECK_EQ_INT(record_open(record, &got, &iter), LIMPET_OK);
}

/* A window recorded before a status code was seen reads the same afterwards. */
static void test_record_outlives_new_codes(void)
{
    static char before[65536];
    static char stored[65536];
    start();
    struct endpoint_series *s = metrics_open_endpoint(&metrics, SLICE_LIT("/x"));
    metrics_open_endpoint(&metrics, SLICE_LIT("/y"));
    metrics_record_response(&metrics, s, 500, 10, 20);
    close_window();
    const struct record_info info = {.seq = 1, .dated = true};
    struct slice record = encode(&info);
    memcpy(stored, record.ptr, record.len);
    strcpy(before, render(record, SLICE_LIT("h")));
    metrics_record_response(&metrics, s, 200, 10, 20);
    metrics_record_response(&metrics, s, 404, 10, 20);
    close_window();
    CHECK_EQ_STR(render(slice_of(stored, record.len), SLICE_LIT("h")), before);
    CHECK(strstr(before, "status=500 count=1i,total=1i") != NULL);
    CHECK(strstr(before, "status=200") == NULL);
}

/* Deviations above 3.04 s leave int64 in ns^2: saturated, never wrapped (faults B12). */
static void test_saturation(void)
{
    start();
    struct proxy_series *s = metrics_open_proxy(&metrics, METRICS_PIPE, SLICE_LIT("/slow"));
    metrics_record_proxy(&metrics, s, true, false, 0);
    metrics_record_proxy(&metrics, s, true, false, INT64_C(60000000000));
    close_window();
    const char *text = window(SLICE_LIT("vm"));
    CHECK(strstr(text, "stddev=30000000000i,variance=9223372036854775807i") != NULL);
}

int main(void)
{
    test_requests();
    test_router();
    test_service();
    test_fields_sorted();
    test_escapes();
    test_record_head();
    test_record_damage();
    test_record_outlives_new_codes();
    test_saturation();
    return check_result();
}
