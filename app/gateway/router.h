/* Which endpoint a request means: path and method to an endpoint, or to the answer that says why
 * not.
 *
 * Paths are compared after unescaping, part by part ("/a/{x}" has the parts "a" and "{x}"). Where
 * more than one endpoint fits, the one with literal text at the first difference wins. Edges as the
 * reference (gin) has them: a path that fits after toggling its last slash, or after cleaning
 * (dots, doubled slashes) and ignoring case, is redirected; a path known under another method is
 * 405. The switches of struct config_router turn these off. A lookup costs one comparison of parts
 * an endpoint of that method, allocates nothing. */
#ifndef LIMPET_GATEWAY_ROUTER_H
#define LIMPET_GATEWAY_ROUTER_H

#include "app_config.h"
#include "base/err.h"
#include "base/out.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

enum route_kind {
    ROUTE_ENDPOINT,   /* `endpoint` and its params */
    ROUTE_HEALTH,     /* the health path */
    ROUTE_ECHO,       /* /__echo/..., where the configuration asks for it */
    ROUTE_DEBUG,      /* /__debug/..., likewise */
    ROUTE_REDIRECT,   /* the place has another spelling: router_write_location */
    ROUTE_BAD_PARAM,  /* 400: a parameter that is escaped twice, holds '?' or '#', is "." or ".." */
    ROUTE_BAD_PATH,   /* 400: broken %XX */
    ROUTE_OPTIONS,    /* OPTIONS of an endpoint's path, with the router's auto_options */
    ROUTE_BAD_METHOD, /* 405 */
    ROUTE_NOT_FOUND,  /* 404 */
};

struct route {
    enum route_kind kind;
    uint16_t endpoint;    /* ENDPOINT, BAD_PARAM: index into config.endpoints */
    struct slice pattern; /* REDIRECT: where it fits */
    uint16_t allow; /* OPTIONS: bits of enum method */
    size_t param_count;
    /* Raw (percent-encoded) spans of the request path, in the order of the pattern. */
    struct slice params[LIMPET_PARAMS_MAX];
};

/* For static placement; do not touch the fields. */
struct router {
    const struct config *config;
    uint16_t count;
    uint16_t
        order[LIMPET_ENDPOINTS_MAX + 1u]; /* literal parts first; the last index is health */
};

/* `config` must stay. LIMPET_ERR_RANGE: an endpoint has more parts than LIMPET_PATH_PARTS_MAX or
 * more params than LIMPET_PARAMS_MAX. */
LIMPET_WARN_UNUSED
int router_init(struct router *router, const struct config *config);
/* `path` is the request's, as sent; the params point into it. */
void router_match(const struct router *router, enum method method, struct slice path,
                  struct route *route);
/* ROUTE_REDIRECT: the Location, path escaped, query kept as sent. */
void router_write_location(struct out *out, const struct route *route, struct slice query);

#endif
