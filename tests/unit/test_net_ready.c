/* The ready list of the transports: whose turn it is, without any network below. */
#include "check.h"

#include "net/net.h"
#include "net/pool.h"

static struct net net;
static struct log test_log;

struct owner {
    struct transport *t;
    size_t steps;
    void (*on_step)(struct owner *owner);
};

static struct owner crowd[5];

static void owner_step(void *ctx, struct transport *t)
{
    struct owner *owner = ctx;
    CHECK(owner->t == t);
    owner->steps++;
    if (owner->on_step != NULL) {
        owner->on_step(owner);
    }
}

static void again(struct owner *owner)
{
    transport_again(owner->t);
}

static const struct transport_ops idle_ops;

static void crowd_join(void (*on_step)(struct owner *))
{
    memset(crowd, 0, sizeof(crowd));
    for (size_t i = 0; i < 5; i++) {
        crowd[i].t = pool_take(&net, &idle_ops);
        crowd[i].on_step = on_step;
        transport_own(crowd[i].t, &crowd[i], owner_step);
        transport_again(crowd[i].t);
        transport_again(crowd[i].t);
    }
}

static void crowd_part(void)
{
    for (size_t i = 0; i < 5; i++) {
        pool_give(crowd[i].t);
    }
    CHECK_EQ_UINT(net.used, 0);
    CHECK_EQ_UINT(net.ready_count, 0);
    CHECK(!net_poll(&net, 1));
}

static void test_ready_list_turns(void)
{
    crowd_join(again);
    CHECK(net_poll(&net, 3)); /* a budget: the first three */
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_UINT(crowd[i].steps, i < 3 ? 1 : 0);
    }
    CHECK(net_poll(&net, 3)); /* and they stand behind the others then */
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_UINT(crowd[i].steps, i == 0 ? 2 : 1);
    }
    CHECK(net_poll(&net, 100)); /* once a turn, however large the budget is */
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_UINT(crowd[i].steps, i == 0 ? 3 : 2);
    }
    crowd_part();
}

static void test_ready_list_leave(void)
{
    for (size_t gone = 0; gone < 5; gone++) {
        crowd_join(NULL);
        pool_give(crowd[gone].t);
        CHECK(!net_poll(&net, 100));
        for (size_t i = 0; i < 5; i++) {
            CHECK_EQ_UINT(crowd[i].steps, i == gone ? 0 : 1);
        }
        crowd[gone].t = pool_take(&net, &idle_ops);
        crowd_part();
    }
}

int main(void)
{
    net_init(&net, &test_log, 0);
    test_ready_list_turns();
    test_ready_list_leave();
    return check_result();
}
