/* CRC-32 against known values and cut at every place. */
#include "base/crc.h"

#include "check.h"

static uint32_t crc_of(const char *text)
{
    return crc32_update(0, text, strlen(text));
}

static void known_values(void)
{
    CHECK_EQ_UINT(crc_of(""), 0);
    CHECK_EQ_UINT(crc_of("123456789"), 0xCBF43926);
    CHECK_EQ_UINT(crc_of("a"), 0xE8B7BE43);
    CHECK_EQ_UINT(crc_of("The quick brown fox jumps over the lazy dog"), 0x414FA339);
    static const unsigned char zeros[32];
    CHECK_EQ_UINT(crc32_update(0, zeros, sizeof(zeros)), 0x190A55AD);
    CHECK_EQ_UINT(crc32_update(7, NULL, 0), 7);
}

/* The definition, a bit at a time. */
static uint32_t crc_bit_by_bit(const unsigned char *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * len; i++) {
        uint32_t bit = (crc ^ (uint32_t)bytes[i / 8] >> i % 8) & 1u;
        crc = crc >> 1 ^ (bit != 0 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void pieces_give_the_same_as_the_whole(void)
{
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 151 + i / 7);
    }
    uint32_t want = crc_bit_by_bit(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        uint32_t crc = crc32_update(0, bytes, cut);
        CHECK_EQ_UINT(crc, crc_bit_by_bit(bytes, cut));
        CHECK_EQ_UINT(crc32_update(crc, bytes + cut, sizeof(bytes) - cut), want);
    }
}

int main(void)
{
    known_values();
    pieces_give_the_same_as_the_whole();
    return check_result();
}
