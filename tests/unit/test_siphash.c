/* SipHash-2-4 with 128 bits against openssl's: the key 00 01 .. 0f, the input 00 01 02 .. of n
 * bytes:  openssl mac -macopt hexkey:0001...0f -macopt size:16 -in FILE SIPHASH */
#include "base/siphash.h"

#include "check.h"

static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void hex_of(size_t len, char hex[33])
{
    struct siphash s;
    uint64_t hash[2];
    siphash_begin(&s, key);
    for (size_t i = 0; i < len; i++) {
        siphash_byte(&s, (uint8_t)i);
    }
    siphash_end(&s, hash);
    for (size_t i = 0; i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02X", (unsigned)(hash[i / 8] >> 8 * (i % 8) & 255));
    }
}

int main(void)
{
    static const struct {
        size_t len;
        const char *hex;
    } known[] = {
        {0, "A3817F04BA25A8E66DF67214C7550293"},   {1, "DA87C1D86B99AF44347659119B22FC45"},
        {7, "A1F1EBBED8DBC153C0B84AA61FF08239"},   {8, "3B62A9BA6258F5610F83E264F31497B4"},
        {9, "264499060AD9BAABC47F8B02BB6D71ED"},   {15, "5493E99933B0A8117E08EC0F97CFC3D9"},
        {16, "6EE2A4CA67B054BBFD3315BF85230577"},  {63, "5150D1772F50834A503E069A973FBD7C"},
        {300, "CE005A406D14B36D5386B5F7A7E1B311"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char hex[33];
        hex_of(known[i].len, hex);
        CHECK_EQ_STR(hex, known[i].hex);
    }
    return check_result();
}
