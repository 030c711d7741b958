#include "web/client_slots.h"

#include "web/client_conn.h"

#include <assert.h>

static bool same_target(const struct client_target *a, const struct client_target *b);
static bool close_idle_tls(struct client *client);
static void unlink_idle(struct client_conn *conn);
static void on_idle_timeout(struct timer *timer, void *ctx, uint64_t now_ns);

/* ---- Take ----------------------------------------------------------------------------------- */

void client_slots_init(struct client *client)
{
    for (size_t i = client->conns_len; i > 0; i--) {
        struct client_conn *conn = &client->conns[i - 1];
        conn->state = BACKEND_FREE;
        conn->client = client;
        conn->next = client->free;
        client->free = conn;
    }
}

struct client_conn *client_slots_take_idle(struct client *client,
                                           const struct client_target *target)
{
    struct client_conn *conn = client->idle_first;
    while (conn != NULL) {
        struct client_conn *next = conn->next;
        if (same_target(&conn->target, target)) {
            if (client_conn_is_reusable(conn)) {
                unlink_idle(conn);
                return conn;
            }
            client_slots_close(conn);
        }
        conn = next;
    }
    return NULL;
}

struct client_conn *client_slots_take(struct client *client, const struct client_target *target)
{
    if (target->tls && client->tls_used == client->tls_limit && !close_idle_tls(client)) {
        return NULL;
    }
    if (client->free == NULL && client->idle_last != NULL) {
        client_slots_close(client->idle_last);
    }
    struct client_conn *conn = client->free;
    if (conn == NULL) {
        return NULL;
    }
    client->free = conn->next;
    conn->next = NULL;
    conn->target = *target;
    client->tls_used += target->tls;
    client->used++;
    client->used_max = client->used > client->used_max ? client->used : client->used_max;
    return conn;
}

/* That which has been idle for longest. */
static bool close_idle_tls(struct client *client)
{
    struct client_conn *found = NULL;
    for (struct client_conn *conn = client->idle_first; conn != NULL; conn = conn->next) {
        found = conn->target.tls ? conn : found;
    }
    if (found != NULL) {
        client_slots_close(found);
    }
    return found != NULL;
}

static bool same_target(const struct client_target *a, const struct client_target *b)
{
    return a->port == b->port && a->tls == b->tls && a->purpose == b->purpose &&
           slice_equal_nocase(a->name, b->name);
}

/* ---- Give back ------------------------------------------------------------------------------ */

static void kick_waiting(struct client *client)
{
    if (client->waiting.first != NULL || client->waiting_tls.first != NULL) {
        client_kick(client);
    }
}

void client_slots_give(struct client_conn *conn)
{
    struct client *client = conn->client;
    conn->state = BACKEND_FREE;
    conn->call = NULL;
    conn->transport = NULL;
    conn->next = client->free;
    client->free = conn;
    client->used--;
    client->tls_used -= conn->target.tls;
    kick_waiting(client);
}

void client_slots_keep(struct client_conn *conn)
{
    struct client *client = conn->client;
    conn->state = BACKEND_IDLE;
    conn->call = NULL;
    conn->previous = NULL;
    conn->next = client->idle_first;
    if (conn->next == NULL) {
        client->idle_last = conn;
    } else {
        conn->next->previous = conn;
    }
    client->idle_first = conn;
    timer_set(client->timers, &conn->idle_timer,
              client->now_ns + LIMPET_MS_TO_NS(LIMPET_BACKEND_IDLE_TIMEOUT_MS), on_idle_timeout,
              conn);
    kick_waiting(client);
}

static void unlink_idle(struct client_conn *conn)
{
    struct client *client = conn->client;
    assert(conn->state == BACKEND_IDLE);
    if (conn->previous == NULL) {
        client->idle_first = conn->next;
    } else {
        conn->previous->next = conn->next;
    }
    if (conn->next == NULL) {
        client->idle_last = conn->previous;
    } else {
        conn->next->previous = conn->previous;
    }
    conn->next = NULL;
    conn->previous = NULL;
    timer_cancel(client->timers, &conn->idle_timer);
}

void client_slots_close(struct client_conn *conn)
{
    unlink_idle(conn);
    transport_close(conn->transport);
    client_slots_give(conn);
}

static void on_idle_timeout(struct timer *timer, void *ctx, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    client_slots_close(ctx);
}
