/* Any bytes from a client, in any pieces, with any room for the answers, and any end: every slot
 * comes back, the handler is told once, and what was sent is a row of whole answers.
 *
 * Byte 0: pieces; byte 1: room; byte 2: where and how the connection ends. */
#include "unit/server_world.h"

#include <stdlib.h>

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool has_head_request(struct slice sent)
{
    for (size_t at = 0; at < sent.len; at++) {
        if (slice_starts_with(slice_skip(sent, at), SLICE_LIT("HEAD "))) {
            return true;
        }
    }
    return false;
}

/* Whole answers, but for the last of a connection that broke. */
static void check_answers(const struct fake_peer *peer)
{
    static struct world_answer answer;
    size_t at = 0;
    size_t answers = 0;
    bool head_seen = has_head_request(slice_of(peer->in, peer->in_len));
    while (!head_seen && at < peer->out_len && world_next_answer(peer, &at, false, &answer)) {
        answers += answer.head.status >= 200;
    }
    check(head_seen || peer->aborted || peer->t != NULL || at == peer->out_len);
    check(answers <= world.ended + world.server.refused);
    check(world.server.refused <= 1 && world.gone <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 4096) {
        return 0;
    }
    world.options = (struct server_options){3000, 10000, 60000, 2000, "[FUZZ]", 0, 0, 0};
    world_begin();
    world.big_len = 300;
    struct fake_peer *peer = world_join();
    check(peer != NULL);
    peer->piece = data[0] % 64;
    peer->room = data[1] == 0 ? SIZE_MAX : data[1];
    peer->room_again = data[1];
    size_t cut = 3 + (size - 3) * (data[2] & 63) / 64;
    fake_peer_send(peer, (const char *)data + 3, cut - 3);
    world_run();
    if (world.later != NULL) {
        world_answer_later();
    }
    if ((data[2] & 64) != 0) {
        fake_peer_send(peer, (const char *)data + cut, size - cut);
        world_run();
    }
    if ((data[2] & 128) != 0) {
        fake_peer_eof(peer);
    }
    world_run();
    check_answers(peer);
    world_end();
    return 0;
}
