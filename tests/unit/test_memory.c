/* The firmware's memcpy, memmove, memset and memcmp (under other names) against the C library's,
 * at every alignment and every length around a word and a block. */
#include "check.h"

void *firmware_memcpy(void *restrict to, const void *restrict from, size_t len);
void *firmware_memmove(void *to, const void *from, size_t len);
void *firmware_memset(void *to, int byte, size_t len);
int firmware_memcmp(const void *left, const void *right, size_t len);

#define LEN_MAX 40u
#define SHIFTS 9u
#define ROOM (LEN_MAX + 2u * SHIFTS)

static void fill(unsigned char *bytes, unsigned first)
{
    for (unsigned i = 0; i < ROOM; i++) {
        bytes[i] = (unsigned char)(first + i * 37u);
    }
}

static void copies(void)
{
    unsigned char from[ROOM], want[ROOM], got[ROOM];
    for (unsigned i = 0; i < SHIFTS * SHIFTS * (LEN_MAX + 1u); i++) {
        size_t len = i / (SHIFTS * SHIFTS);
        size_t to_at = i / SHIFTS % SHIFTS;
        size_t from_at = i % SHIFTS;
        fill(from, 1);
        fill(want, 100);
        fill(got, 100);
        memcpy(want + to_at, from + from_at, len);
        CHECK(firmware_memcpy(got + to_at, from + from_at, len) == got + to_at);
        CHECK(memcmp(got, want, ROOM) == 0);
    }
}

static void moves_that_overlap(void)
{
    unsigned char want[ROOM], got[ROOM];
    for (unsigned i = 0; i < SHIFTS * SHIFTS * (LEN_MAX + 1u); i++) {
        size_t len = i / (SHIFTS * SHIFTS);
        size_t to_at = i / SHIFTS % SHIFTS;
        size_t from_at = i % SHIFTS;
        fill(want, 7);
        fill(got, 7);
        memmove(want + to_at, want + from_at, len);
        CHECK(firmware_memmove(got + to_at, got + from_at, len) == got + to_at);
        CHECK(memcmp(got, want, ROOM) == 0);
    }
}

static void sets(void)
{
    static const int values[] = {0, 0xA5, 0x1FF, -1};
    unsigned char want[ROOM], got[ROOM];
    for (unsigned i = 0; i < 4u * SHIFTS * (LEN_MAX + 1u); i++) {
        size_t len = i / (4u * SHIFTS);
        size_t at = i / 4u % SHIFTS;
        fill(want, 3);
        fill(got, 3);
        memset(want + at, values[i % 4u], len);
        CHECK(firmware_memset(got + at, values[i % 4u], len) == got + at);
        CHECK(memcmp(got, want, ROOM) == 0);
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* Equal but for one byte, which is smaller or larger as a number without a sign; what follows the
 * length differs too and must not count. */
static void compares(void)
{
    unsigned char left[ROOM], right[ROOM];
    for (unsigned i = 0; i < SHIFTS * (LEN_MAX + 1u) * LEN_MAX; i++) {
        size_t len = i / (SHIFTS * LEN_MAX);
        size_t at = i / LEN_MAX % SHIFTS;
        size_t differs = i % LEN_MAX;
        fill(left, 11);
        memcpy(right, left + at, ROOM - at);
        right[len] ^= 0x80u;
        right[differs] ^= 0x81u;
        int want = sign(memcmp(left + at, right, len));
        CHECK_EQ_INT(sign(firmware_memcmp(left + at, right, len)), want);
        CHECK_EQ_INT(sign(firmware_memcmp(right, left + at, len)), -want);
        CHECK_EQ_INT(firmware_memcmp(left, left, len), 0);
    }
}

int main(void)
{
    copies();
    moves_that_overlap();
    sets();
    compares();
    return check_result();
}
