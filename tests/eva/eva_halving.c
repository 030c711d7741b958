/* Counts of M1 and M2 that run over and are halved, from these states:
 *
 *   counts   any; halved 0, 1 or 14 times (2^32 values need no more)
 *   carries  0 .. 4, of the negative, first, middle and last bucket, with any third bytes that a
 *            halving leaves; 4 of which it can take two
 *   bucket   one that may have a carry, one that has none
 *   added    one value more; a weight of 0 .. 65535 counts (more of them can need a second halving,
 *            which is not shown here) */
#include "states.h"

/* `ones`: which of the third bytes are 1, so that a halving can take it away; the others are more.
 */
static struct histogram_slot any_state(unsigned halvings, unsigned carries, unsigned ones)
{
    static const histogram_bucket buckets[HISTOGRAM_CARRIES] = {
        HISTOGRAM_NEGATIVE, 0, HISTOGRAM_REGULAR / 2, HISTOGRAM_REGULAR - 1};
    struct histogram_slot slot = {.halvings = (uint8_t)halvings, .carries = carries & 127u};
    for (unsigned i = 0; i < HISTOGRAM_REGULAR; i++) {
        slot.counts[i] = (uint16_t)any_u32(0, UINT16_MAX);
    }
    slot.negatives = (uint16_t)any_u32(0, UINT16_MAX);
    for (unsigned i = 0; i < carries; i++) {
        slot.carry_bucket[i] = buckets[i];
        slot.carry_high[i] = (ones >> i & 1u) != 0 ? 1 : (uint8_t)any_u32(2, UINT8_MAX);
    }
    return slot;
}

static void add_to(unsigned bucket, unsigned halvings, unsigned carries, unsigned ones)
{
    struct histogram_slot slot = any_state(halvings, carries, ones);
    histogram_carry_up(&slot, bucket);
    assert(slot.halvings <= halvings + 1u && slot.carries <= HISTOGRAM_CARRIES);
    struct histogram_slot other = any_state(halvings, carries, ones);
    histogram_weight_add(&other, bucket, any_u32(0, UINT16_MAX << halvings));
    assert(other.halvings <= halvings + 1u && other.carries <= HISTOGRAM_CARRIES);
}

static void add_everywhere(unsigned halvings, unsigned carries, unsigned ones)
{
    add_to(HISTOGRAM_NEGATIVE, halvings, carries, ones);
    add_to(1, halvings, carries, ones);
}

int main(void)
{
    for (unsigned carries = 0; carries <= HISTOGRAM_CARRIES; carries++) {
        add_everywhere(0, carries, 0);
    }
    add_everywhere(14, HISTOGRAM_CARRIES, 0);
    add_everywhere(1, HISTOGRAM_CARRIES, 5);
    return 0;
}
