#include "gateway/bucket.h"

#include <assert.h>
#include <string.h>

/* ---- One bucket ---------------------------------------------------------------------------- */

bool bucket_take(struct bucket *bucket, const struct config_rate *rate, uint64_t now_ns)
{
    struct bucket next = *bucket;
    if (next.full_ns < now_ns) {
        next = (struct bucket){.full_ns = now_ns};
    }
    /* A token is there when at most all but one are missing. */
    uint64_t missing_ns = next.full_ns - now_ns;
    if (missing_ns > rate->spare_ns ||
        (missing_ns == rate->spare_ns && next.full_part > rate->spare_part)) {
        return false;
    }
    next.full_ns += rate->token_ns;
    next.full_part += rate->token_part;
    if (next.full_part >= rate->parts) {
        next.full_part -= rate->parts;
        next.full_ns++;
    }
    *bucket = next;
    return true;
}

/* ---- The table ------------------------------------------------------------------------------
 */

void bucket_table_init(struct bucket_table *table)
{
    table->used = 0;
    table->newest = 0;
    table->oldest = 0;
    table->evicted = 0;
    memset(table->chains, 0, sizeof(table->chains));
}

static struct bucket_client *client_at(struct bucket_table *table, uint16_t index)
{
    assert(index > 0 && index <= table->used);
    return &table->clients[index - 1u];
}

static uint16_t *chain_of(struct bucket_table *table, const uint64_t id[2])
{
    return &table->chains[(uint32_t)id[0] % LIMPET_LIMIT_CLIENTS];
}

static void leave_order(struct bucket_table *table, const struct bucket_client *c)
{
    *(c->newer != 0 ? &client_at(table, c->newer)->older : &table->newest) = c->older;
    *(c->older != 0 ? &client_at(table, c->older)->newer : &table->oldest) = c->newer;
}

static void enter_newest(struct bucket_table *table, struct bucket_client *c, uint16_t index)
{
    c->newer = 0;
    c->older = table->newest;
    *(c->older != 0 ? &client_at(table, c->older)->newer : &table->oldest) = index;
    table->newest = index;
}

static uint16_t evict_oldest(struct bucket_table *table)
{
    uint16_t index = table->oldest;
    struct bucket_client *c = client_at(table, index);
    uint16_t *link = chain_of(table, c->id);
    while (*link != index) {
        link = &client_at(table, *link)->chain;
    }
    *link = c->chain;
    leave_order(table, c);
    table->evicted++;
    return index;
}

static struct bucket_client *add_client(struct bucket_table *table, const uint64_t id[2])
{
    uint16_t index = table->used < LIMPET_LIMIT_CLIENTS ? ++table->used : evict_oldest(table);
    struct bucket_client *c = client_at(table, index);
    uint16_t *chain = chain_of(table, id);
    *c = (struct bucket_client){.id = {id[0], id[1]}, .chain = *chain};
    *chain = index;
    enter_newest(table, c, index);
    return c;
}

struct bucket *bucket_table_find(struct bucket_table *table, const uint64_t id[2])
{
    uint16_t index = *chain_of(table, id);
    while (index != 0) {
        struct bucket_client *c = client_at(table, index);
        if (c->id[0] == id[0] && c->id[1] == id[1]) {
            leave_order(table, c);
            enter_newest(table, c, index);
            return &c->bucket;
        }
        index = c->chain;
    }
    return &add_client(table, id)->bucket;
}
