#include "rx_frames.h"

#include <assert.h>
#include <string.h>

static void give_back(struct pbuf *pbuf);

struct pbuf *rx_frames_take(struct rx_frames *frames, const void *bytes, size_t len)
{
    struct rx_frame *frame = frames->free;
    if (len > ETHER_FRAME_LEN_MAX || frames->used == RX_FRAMES) {
        return NULL;
    }
    if (frame != NULL) {
        frames->free = frame->next;
    } else {
        assert(frames->touched < RX_FRAMES);
        frame = &frames->frames[frames->touched++];
    }
    frames->used++;
    if (frames->used > frames->used_max) {
        frames->used_max = frames->used;
    }
    frame->owner = frames;
    frame->pbuf.custom_free_function = give_back;
    memcpy(frame->bytes + ETH_PAD_SIZE, bytes, len);
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + len), PBUF_REF, &frame->pbuf,
                               frame->bytes, sizeof(frame->bytes));
}

size_t rx_frames_left(const struct rx_frames *frames)
{
    return RX_FRAMES - frames->used;
}

static void give_back(struct pbuf *pbuf)
{
    struct rx_frame *frame = (struct rx_frame *)(void *)pbuf;
    struct rx_frames *frames = frame->owner;
    assert(frames->used > 0);
    frames->used--;
    frame->next = frames->free;
    frames->free = frame;
}
