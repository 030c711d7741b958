#include "gateway/builtin.h"

#include "gateway/echo.h"
#include "gateway/gateway.h"
#include "gateway/uri.h"

#include <assert.h>

static void answer_health(struct exchange *x);
static void answer_redirect(struct exchange *x, const struct route *route);
static void answer_error(struct exchange *x, unsigned status, struct slice json, struct slice text);
static void answer_methods(struct exchange *x, const struct route *route);

void builtin_start(struct exchange *x, const struct route *route)
{
    x->state = EXCHANGE_SENDING;
    switch (route->kind) {
    case ROUTE_HEALTH:
        answer_health(x);
        break;
    case ROUTE_ECHO:
        echo_start(x);
        break;
    case ROUTE_DEBUG:
        builtin_answer(x, 200, false, BUILTIN_JSON, SLICE_LIT("{\"message\":\"pong\"}"));
        break;
    case ROUTE_REDIRECT:
        answer_redirect(x, route);
        break;
    case ROUTE_BAD_PARAM:
        builtin_answer(x, 400, false, SLICE_LIT("text/plain; charset=utf-8"),
                       SLICE_LIT("error: encoded url params"));
        break;
    case ROUTE_BAD_PATH:
        builtin_answer(x, 400, false, SLICE_LIT("text/plain; charset=utf-8"),
                       SLICE_LIT("400 Bad Request"));
        break;
    case ROUTE_OPTIONS:
        answer_methods(x, route);
        break;
    case ROUTE_BAD_METHOD:
        answer_error(x, 405, x->gateway->config->router.body_405,
                     SLICE_LIT("405 method not allowed"));
        break;
    default:
        answer_error(x, 404, x->gateway->config->router.body_404,
                     SLICE_LIT("404 page not found"));
        break;
    }
}

void builtin_answer(struct exchange *x, unsigned status, bool gateway_fields, struct slice type,
                    struct slice text)
{
    struct answer answer = {
        .status = status,
        .content_type = type,
        .version = gateway_fields,
        .completed_field = gateway_fields,
        .busy = status == 503,
        .payload = text,
    };
    exchange_answer(x, &answer);
}

bool builtin_take_body(struct exchange *x)
{
    x->body = gateway_take_body(x->gateway);
    if (x->body == NULL) {
        builtin_answer(x, 503, false, SLICE_EMPTY, SLICE_EMPTY);
    }
    return x->body != NULL;
}

/* ---- 404, 405, OPTIONS -------------------------------------------------------------------------
 */

/* `json`: the router's error_body, empty = none. */
static void answer_error(struct exchange *x, unsigned status, struct slice json, struct slice text)
{
    struct answer answer = {
        .status = status,
        .content_type = json.len > 0 ? BUILTIN_JSON : SLICE_LIT("text/plain"),
        .version = true,
        .completed_field = true,
        .payload = json.len > 0 ? json : text,
    };
    exchange_answer(x, &answer);
}

static void answer_methods(struct exchange *x, const struct route *route)
{
    static const uint8_t sorted[] = {METHOD_DELETE, METHOD_GET,  METHOD_OPTIONS,
                                     METHOD_PATCH,  METHOD_POST, METHOD_PUT};
    char text[sizeof("DELETE, GET, OPTIONS, PATCH, POST, PUT")];
    struct out out;
    out_init(&out, text, sizeof(text));
    for (size_t i = 0; i < sizeof(sorted); i++) {
        if ((route->allow >> sorted[i] & 1u) != 0) {
            out_text(&out, out_slice(&out).len > 0 ? ", " : "");
            out_put(&out, method_name((enum method)sorted[i]));
        }
    }
    struct answer answer = {.status = 200, .allow = out_slice(&out), .version = true};
    exchange_answer(x, &answer);
}

/* ---- /__health --------------------------------------------------------------------------------
 */

/* RFC 3339 in UTC, from the days of the proleptic Gregorian calendar in eras of 400 years that
 * begin with March. Nothing while the time is not known. */
static void write_time(struct out *out, int64_t unix_ns)
{
    if (unix_ns <= 0) {
        return;
    }
    uint64_t second = (uint64_t)unix_ns / UINT64_C(1000000000);
    uint32_t day = (uint32_t)(second / 86400u) + 719468u; /* since 0000-03-01 */
    uint32_t era_day = day % 146097u;
    uint32_t year = (era_day - era_day / 1460u + era_day / 36524u - era_day / 146096u) / 365u;
    uint32_t year_day = era_day - (365u * year + year / 4u - year / 100u);
    uint32_t month = (5u * year_day + 2u) / 153u; /* 0 = March */
    uint32_t day_of_second = (uint32_t)(second % 86400u);
    out_u64_pad(out, day / 146097u * 400u + year + (month >= 10u), 4);
    out_char(out, '-');
    out_u64_pad(out, month < 10u ? month + 3u : month - 9u, 2);
    out_char(out, '-');
    out_u64_pad(out, year_day - (153u * month + 2u) / 5u + 1u, 2);
    out_char(out, 'T');
    out_u64_pad(out, day_of_second / 3600u, 2);
    out_char(out, ':');
    out_u64_pad(out, day_of_second / 60u % 60u, 2);
    out_char(out, ':');
    out_u64_pad(out, day_of_second % 60u, 2);
    out_char(out, 'Z');
}

static void answer_health(struct exchange *x)
{
    if (!builtin_take_body(x)) {
        return;
    }
    struct out out;
    out_init(&out, x->body->bytes, LIMPET_BODY_LEN_MAX);
    out_text(&out, "{\"agents\":{},\"now\":\"");
    write_time(&out, x->gateway->unix_ns);
    out_text(&out, "\",\"status\":\"ok\"}");
    builtin_answer(x, 200, false, BUILTIN_JSON, out_slice(&out));
}

/* ---- Redirects --------------------------------------------------------------------------------
 */

static void write_html_escaped(struct out *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            out_text(out, "&amp;");
            break;
        case '<':
            out_text(out, "&lt;");
            break;
        case '>':
            out_text(out, "&gt;");
            break;
        case '"':
            out_text(out, "&#34;");
            break;
        case '\'':
            out_text(out, "&#39;");
            break;
        default:
            out_char(out, text.ptr[i]);
            break;
        }
    }
}

/* 301 for GET with the short page that Go's http.Redirect writes, 307 and no page for the others.
 */
static void answer_redirect(struct exchange *x, const struct route *route)
{
    if (!builtin_take_body(x)) {
        return;
    }
    const struct message_head *request = server_request(x->origin.conn);
    struct answer answer = {.status = 307};
    struct out out;
    out_init(&out, x->body->bytes, LIMPET_BODY_LEN_MAX);
    router_write_location(&out, route, request->query);
    answer.location = out_slice(&out);
    if (slice_equal(request->method, SLICE_LIT("GET"))) {
        answer.status = 301;
        answer.content_type = SLICE_LIT("text/html; charset=utf-8");
        out_text(&out, "<a href=\"");
        write_html_escaped(&out, answer.location);
        out_text(&out, "\">Moved Permanently</a>.\n\n");
        answer.payload = slice_skip(out_slice(&out), answer.location.len);
    }
    if (out_err(&out) != LIMPET_OK) {
        builtin_answer(x, 500, false, SLICE_EMPTY, SLICE_EMPTY);
        return;
    }
    exchange_answer(x, &answer);
}
