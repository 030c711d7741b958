#include "gateway/cors.h"

#include "gateway/gateway.h"

#define ALLOW "Access-Control-Allow-"
#define REQUEST "Access-Control-Request-"

static struct slice field_of(const struct server_conn *c, struct slice name)
{
    return message_find(server_request(c), name);
}

static struct slice asked_method(const struct server_conn *c)
{
    bool options = slice_equal(server_request(c)->method, SLICE_LIT("OPTIONS"));
    return options ? field_of(c, SLICE_LIT(REQUEST "Method")) : SLICE_EMPTY;
}

/* ---- What is allowed --------------------------------------------------------------------------
 */

/* With at most one '*', which stands for any text. */
static bool origin_fits(struct slice pattern, struct slice origin)
{
    size_t star = slice_find(pattern, '*');
    if (star == pattern.len) {
        return slice_equal_nocase(pattern, origin);
    }
    struct slice front = slice_take(pattern, star);
    struct slice back = slice_skip(pattern, star + 1);
    return origin.len >= front.len + back.len &&
           slice_equal_nocase(slice_take(origin, front.len), front) &&
           slice_equal_nocase(slice_skip(origin, origin.len - back.len), back);
}

static bool origin_allowed(const struct config *config, struct slice origin)
{
    const struct config_names *names = &config->cors.origins;
    for (uint16_t i = 0; i < names->count; i++) {
        if (origin_fits(config->names[names->first + i], origin)) {
            return true;
        }
    }
    return config->cors.any_origin;
}

static bool method_allowed(const struct config *config, struct slice name)
{
    enum method method = method_from_name(name);
    return method != METHOD_OTHER && (config->cors.methods >> method & 1u) != 0;
}

static bool header_allowed(const struct config *config, struct slice name)
{
    const struct config_names *names = &config->cors.headers;
    for (uint16_t i = 0; i < names->count; i++) {
        if (slice_equal_nocase(config->names[names->first + i], name)) {
            return true;
        }
    }
    return name.len == 0 || slice_equal_nocase(name, SLICE_LIT("Origin"));
}

static bool headers_allowed(const struct config *config, struct slice list)
{
    while (!config->cors.any_header && list.len > 0) {
        struct slice item = slice_take(list, slice_find(list, ','));
        if (!header_allowed(config, slice_trim(item))) {
            return false;
        }
        list = slice_skip(list, item.len + 1);
    }
    return true;
}

/* Why the answer says nothing that allows; NULL = it does. `asked`: of a preflight. */
static const char *refusal(const struct config *config, const struct server_conn *c,
                           struct slice asked)
{
    struct slice origin = field_of(c, SLICE_LIT("Origin"));
    if (origin.len == 0 || !origin_allowed(config, origin)) {
        return "origin";
    }
    if (!method_allowed(config, asked.len > 0 ? asked : server_request(c)->method)) {
        return "method";
    }
    bool headers =
        asked.len == 0 || headers_allowed(config, field_of(c, SLICE_LIT(REQUEST "Headers")));
    return headers ? NULL : "header";
}

/* ---- Answers ----------------------------------------------------------------------------------
 */

static void log_preflight(struct gateway *gateway, const struct server_conn *c, const char *problem)
{
    struct out *out = log_begin(gateway->log, LOG_DEBUG, "[CORS]");
    out_text(out, problem == NULL ? "allowed: " : problem);
    out_text(out, problem == NULL ? "" : " not allowed: ");
    out_put(out, field_of(c, SLICE_LIT("Origin")));
    out_char(out, ' ');
    out_put(out, asked_method(c));
    out_char(out, ' ');
    out_put(out, server_request(c)->path);
    log_end(gateway->log);
}

bool cors_takes(struct gateway *gateway, const struct server_conn *c)
{
    const struct config *config = gateway->config;
    struct slice asked = config->cors.enabled ? asked_method(c) : SLICE_EMPTY;
    if (asked.len == 0) {
        return false;
    }
    const char *problem = refusal(config, c, asked);
    gateway->cors_preflights++;
    gateway->cors_refused += problem != NULL;
    if (config->cors.debug) {
        log_preflight(gateway, c, problem);
    }
    return !config->cors.passthrough;
}

static void write_preflight(const struct config_cors *cors, struct server_conn *c,
                            struct slice asked)
{
    struct slice headers = field_of(c, SLICE_LIT(REQUEST "Headers"));
    struct slice network = field_of(c, SLICE_LIT(REQUEST "Private-Network"));
    server_field(c, SLICE_LIT(ALLOW "Methods"), asked);
    if (headers.len > 0) {
        server_field(c, SLICE_LIT(ALLOW "Headers"), headers);
    }
    if (cors->private_network && slice_equal(network, SLICE_LIT("true"))) {
        server_field(c, SLICE_LIT(ALLOW "Private-Network"), network);
    }
    if (cors->max_age_s > 0) {
        char text[sizeof("4294967295")];
        struct out out;
        out_init(&out, text, sizeof(text));
        out_u64(&out, cors->max_age_s);
        server_field(c, SLICE_LIT("Access-Control-Max-Age"), out_slice(&out));
    }
}

/* An answer depends on these, whatever it is (rs/cors issue 10). */
static struct slice varies_with(const struct config_cors *cors, bool preflight)
{
#define PREFLIGHT "Origin, " REQUEST "Method, " REQUEST "Headers"
    if (!preflight) {
        return SLICE_LIT("Origin");
    }
    return cors->private_network ? SLICE_LIT(PREFLIGHT ", " REQUEST "Private-Network")
                                 : SLICE_LIT(PREFLIGHT);
#undef PREFLIGHT
}

void cors_write_fields(const struct config *config, struct server_conn *c)
{
    const struct config_cors *cors = &config->cors;
    if (!cors->enabled) {
        return;
    }
    struct slice asked = asked_method(c);
    server_field(c, SLICE_LIT("Vary"), varies_with(cors, asked.len > 0));
    if (refusal(config, c, asked) != NULL) {
        return;
    }
    server_field(c, SLICE_LIT(ALLOW "Origin"),
                 cors->any_origin ? SLICE_LIT("*") : field_of(c, SLICE_LIT("Origin")));
    if (asked.len > 0) {
        write_preflight(cors, c, asked);
    } else if (cors->exposed.len > 0) {
        server_field(c, SLICE_LIT("Access-Control-Expose-Headers"), cors->exposed);
    }
    if (cors->credentials) {
        server_field(c, SLICE_LIT(ALLOW "Credentials"), SLICE_LIT("true"));
    }
}

bool cors_is_own_field(const struct config *config, struct slice name)
{
    struct slice front = SLICE_LIT("Access-Control-");
    return config->cors.enabled && slice_equal_nocase(slice_take(name, front.len), front);
}
