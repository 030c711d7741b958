#include "base/num.h"

#include <assert.h>
#include <string.h>

/* A positive decimal number: value x 10^exponent. */
struct decimal {
    uint64_t value;
    int exponent;
};

/* The product of two words. */
struct wide {
    uint64_t hi;
    uint64_t lo;
};

/* 192 bits, w[2] the highest. */
struct wide3 {
    uint64_t w[3];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- Parsing -------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    char folded = (char)(c | 0x20);
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

static int parse_base(struct slice s, unsigned base, uint64_t max, uint64_t *v)
{
    if (s.len == 0) {
        return LIMPET_ERR_SYNTAX;
    }
    uint64_t sum = 0;
    bool above = false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = hex_value(s.ptr[i]);
        if (digit < 0 || (unsigned)digit >= base) {
            return LIMPET_ERR_SYNTAX;
        }
        /* Goes on after the range is left: a wrong byte further on is the better message. */
        above = above || (uint64_t)digit > max || sum > (max - (uint64_t)digit) / base;
        sum = above ? 0 : sum * base + (uint64_t)digit;
    }
    if (above) {
        return LIMPET_ERR_RANGE;
    }
    *v = sum;
    return LIMPET_OK;
}

int num_parse_u64(struct slice s, uint64_t max, uint64_t *v)
{
    return parse_base(s, 10, max, v);
}

int num_parse_hex(struct slice s, uint64_t max, uint64_t *v)
{
    return parse_base(s, 16, max, v);
}

/* Digits into *value; how many. LIMPET_ERR_RANGE: more than 18 that count. */
static int take_digits(struct slice *s, uint64_t *value)
{
    int count = 0;
    for (; s->len > 0 && is_digit(s->ptr[0]); *s = slice_skip(*s, 1)) {
        if (*value >= UINT64_C(100000000000000000) || count == INT16_MAX) {
            return LIMPET_ERR_RANGE;
        }
        *value = *value * 10 + (uint64_t)(s->ptr[0] - '0');
        count++;
    }
    return count;
}

/* "e-7" and nothing behind it. */
static int take_exponent(struct slice s, int *exponent)
{
    if (s.len == 0) {
        *exponent = 0;
        return LIMPET_OK;
    }
    bool mark = (s.ptr[0] | 0x20) == 'e';
    s = slice_skip(s, 1);
    bool minus = s.len > 0 && s.ptr[0] == '-';
    bool sign = minus || (s.len > 0 && s.ptr[0] == '+');
    uint64_t number = 0;
    int err = num_parse_u64(slice_skip(s, sign), 999, &number);
    *exponent = minus ? -(int)number : (int)number;
    return mark ? err : LIMPET_ERR_SYNTAX;
}

int num_parse_decimal(struct slice s, uint64_t *value, int *exponent)
{
    int behind = 0;
    *value = 0;
    int before = take_digits(&s, value);
    if (before > 0 && s.len > 0 && s.ptr[0] == '.') {
        s = slice_skip(s, 1);
        behind = take_digits(&s, value);
        before = behind > 0 ? before : behind;
    }
    if (before <= 0 || behind < 0) {
        return before < 0 || behind < 0 ? LIMPET_ERR_RANGE : LIMPET_ERR_SYNTAX;
    }
    int err = take_exponent(s, exponent);
    *exponent -= behind;
    for (; *value > 0 && *value % 10 == 0; *value /= 10) {
        *exponent += 1;
    }
    return err;
}

/* ---- Durations ------------------------------------------------------------------------------ */

/* Go's bound inside of ParseDuration; the sum itself must stay below it. */
#define DURATION_MAX (UINT64_C(1) << 63)

/* Nanoseconds of a unit, 0 when it is unknown. Both letters mu: U+00B5 and U+03BC. */
static uint64_t unit_ns(struct slice name)
{
    static const struct {
        char name[4];
        uint64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"\xC2\xB5s", 1000},
        {"\xCE\xBCs", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (slice_equal(name, slice_from_cstr(units[i].name))) {
            return units[i].ns;
        }
    }
    return 0;
}

/* Reads the digits before the point; LIMPET_ERR_RANGE above 2^63. */
static int take_whole(struct slice *s, uint64_t *whole)
{
    *whole = 0;
    while (s->len > 0 && is_digit(s->ptr[0])) {
        uint64_t digit = (uint64_t)(s->ptr[0] - '0');
        if (*whole > DURATION_MAX / 10 || *whole * 10 + digit > DURATION_MAX) {
            return LIMPET_ERR_RANGE;
        }
        *whole = *whole * 10 + digit;
        *s = slice_skip(*s, 1);
    }
    return LIMPET_OK;
}

/* Reads the digits after the point as value / scale; those beyond 63 bits have no effect. */
static void take_fraction(struct slice *s, uint64_t *value, double *scale)
{
    bool full = false;
    *value = 0;
    *scale = 1;
    while (s->len > 0 && is_digit(s->ptr[0])) {
        uint64_t digit = (uint64_t)(s->ptr[0] - '0');
        full = full || *value > (DURATION_MAX - 1) / 10 || *value * 10 + digit > DURATION_MAX;
        if (!full) {
            *value = *value * 10 + digit;
            *scale *= 10;
        }
        *s = slice_skip(*s, 1);
    }
}

static struct slice take_unit(struct slice *s)
{
    size_t len = 0;
    while (len < s->len && s->ptr[len] != '.' && !is_digit(s->ptr[len])) {
        len++;
    }
    struct slice name = slice_take(*s, len);
    *s = slice_skip(*s, len);
    return name;
}

/* One "1.5s" of "1h1.5s". */
static int take_term(struct slice *s, uint64_t *ns)
{
    uint64_t whole;
    uint64_t fraction = 0;
    double scale = 1;
    size_t len = s->len;
    int err = take_whole(s, &whole);
    if (err != LIMPET_OK) {
        return err;
    }
    size_t digits = len - s->len;
    if (s->len > 0 && s->ptr[0] == '.') {
        *s = slice_skip(*s, 1);
        len = s->len;
        take_fraction(s, &fraction, &scale);
        digits += len - s->len;
    }
    uint64_t unit = unit_ns(take_unit(s));
    if (digits == 0 || unit == 0) {
        return LIMPET_ERR_SYNTAX;
    }
    if (whole > DURATION_MAX / unit) {
        return LIMPET_ERR_RANGE;
    }
    /* In double, as Go computes it: "0.3333333333333333333h" is 20 minutes. */
    *ns = whole * unit + (uint64_t)((double)fraction * ((double)unit / scale));
    return *ns > DURATION_MAX ? LIMPET_ERR_RANGE : LIMPET_OK;
}

int num_parse_duration_ns(struct slice s, uint64_t *ns)
{
    if (slice_equal(s, SLICE_LIT("0"))) {
        *ns = 0;
        return LIMPET_OK;
    }
    if (s.len == 0) {
        return LIMPET_ERR_SYNTAX;
    }
    uint64_t sum = 0;
    while (s.len > 0) {
        uint64_t term;
        int err = take_term(&s, &term);
        if (err != LIMPET_OK) {
            return err;
        }
        sum += term;
        if (sum > DURATION_MAX) {
            return LIMPET_ERR_RANGE;
        }
    }
    if (sum == DURATION_MAX) {
        return LIMPET_ERR_RANGE;
    }
    *ns = sum;
    return LIMPET_OK;
}

/* ---- Digits --------------------------------------------------------------------------------- */

static const char digit_pairs[200] = {"0001020304050607080910111213141516171819"
                                      "2021222324252627282930313233343536373839"
                                      "4041424344454647484950515253545556575859"
                                      "6061626364656667686970717273747576777879"
                                      "8081828384858687888990919293949596979899"};

#define EIGHT_DIGITS 100000000u

static unsigned count_digits(uint32_t v)
{
    if (v < 10000) {
        return v < 100 ? 1 + (v >= 10) : 3 + (v >= 1000);
    }
    if (v < EIGHT_DIGITS) {
        return v < 1000000 ? 5 + (v >= 100000) : 7 + (v >= 10000000);
    }
    return 9 + (v >= 1000000000);
}

/* Writes the last `count` digits of v, zeros in front included. */
static void put_digits(char *at, unsigned count, uint32_t v)
{
    char *end = at + count;
    for (; count >= 2; count -= 2) {
        end -= 2;
        memcpy(end, digit_pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (count > 0) {
        *at = (char)('0' + v);
    }
}

/* Eight digits at a time, from the top: within them a division takes 32 bits, where it is cheap. */
static size_t put_u64(char *at, uint64_t v)
{
    uint32_t groups[2];
    unsigned group_count = 0;
    while (v > UINT32_MAX) {
        uint64_t above = v / EIGHT_DIGITS;
        groups[group_count++] = (uint32_t)(v - above * EIGHT_DIGITS);
        v = above;
    }
    unsigned len = count_digits((uint32_t)v);
    put_digits(at, len, (uint32_t)v);
    for (; group_count > 0; group_count--) {
        put_digits(at + len, 8, groups[group_count - 1]);
        len += 8;
    }
    return len;
}

size_t num_digits(uint64_t v, char digits[NUM_U64_LEN_MAX])
{
    return put_u64(digits, v);
}

/* ---- Shortest decimal of a double -----------------------------------------------------------
 *
 * Raffaello Giulietti, "The Schubfach way to render doubles" (2020). The decimals that read back as
 * v form an interval; k is chosen so that 10^k is not longer than the interval and 10^(k+1) is.
 * Then at most one multiple of 10^(k+1) lies inside; it is the shortest, if there is one. Otherwise
 * the multiple of 10^k next to v is. The interval's ends and v itself, divided by 10^k, come out of
 * one multiplication with a 128-bit power of ten; "rounding to odd" keeps every comparison exact.
 *
 * The paper's table of powers has 617 x 16 B. Here 10^(28j - 308) has 192 bits, rounded down,
 * and is multiplied by 5^0..5^27: the upper 128 bits of all 617 products are exact (checked with
 * integers of any length). 776 B instead of 9872 B, for three multiplications more. */

#define POWER_STEP 28
#define POWER_FIRST (-308)

/* 10^(28j - 308) x 2^n, highest word first; n such that the highest bit is set. */
static const uint64_t power_coarse[23][3] = {
    {0xE61ACF033D1A45DF, 0x6FB92487298E33BD, 0xADD7728C20B99BD1},
    {0xE858AD248F5C22C9, 0xD1B3400F8F9CFF68, 0xF910F9F648232F14},
    {0xEA9C227723EE8BCB, 0x465E15A979C1CADC, 0x0A0CE827EAC11F2D},
    {0xECE53CEC4A314EBD, 0xA4F8BF5635246428, 0x4609AC5C7899CA36},
    {0xEF340A98172AACE4, 0x86FB897116C87C34, 0x9C39C1DA4C49278D},
    {0xF18899B1BC3F8CA1, 0xDC44E6C3CB279AC1, 0xF80F36174730CA34},
    {0xF3E2F893DEC3F126, 0x5A89DBA3C3EFCCFA, 0xD8ECB58659BE9C90},
    {0xF64335BCF065D37D, 0x4D4617B5FF4A16D5, 0xAA09501D5954A559},
    {0xF8A95FCF88747D94, 0x75A44C6397CE912A, 0x33CCA6C06B07B74D},
    {0xFB158592BE068D2E, 0xEED6E2F0F0D56712, 0xAC2E4F162CFAD40A},
    {0xFD87B5F28300CA0D, 0x8BCA9D6E188853FC, 0x76DCB60081CE0FA5},
    {0x8000000000000000, 0x0000000000000000, 0x0000000000000000},
    {0x813F3978F8940984, 0x4000000000000000, 0x0000000000000000},
    {0x82818F1281ED449F, 0xBFF8F10E7A8921A4, 0x2000000000000000},
    {0x83C7088E1AAB65DB, 0x792667C6DA79E0FA, 0x0861D3EE22D1CC53},
    {0x850FADC09923329E, 0x03E2CF6BC604DDB0, 0x74A7EF0198791097},
    {0x865B86925B9BC5C2, 0x0B8A2392BA45A9B2, 0x5C6658D409FB8BF7},
    {0x87AA9AFF79042286, 0x90FB44D2F05D0842, 0xFB118FC9C217A1D2},
    {0x88FCF317F22241E2, 0x441FECE3BDF81F03, 0x12F274928400100D},
    {0x8A5296FFE33CC92F, 0x82BD6B70D99AAA6F, 0xBC10C5C5CDA97C8D},
    {0x8BAB8EEFB6409C1A, 0x1AD089B6C2F7548E, 0x25C7B885BA466E37},
    {0x8D07E33455637EB2, 0xDB0B487B6423E1E8, 0x7EC63730F500B406},
    {0x8E679C2F5E44FF8F, 0x570F09EAA7EA7648, 0x5961DB50C6D2B886},
};

/* 5^n, shifted until the highest bit is set. */
static const uint64_t power_fine[POWER_STEP] = {
    0x8000000000000000, 0xA000000000000000, 0xC800000000000000, 0xFA00000000000000,
    0x9C40000000000000, 0xC350000000000000, 0xF424000000000000, 0x9896800000000000,
    0xBEBC200000000000, 0xEE6B280000000000, 0x9502F90000000000, 0xBA43B74000000000,
    0xE8D4A51000000000, 0x9184E72A00000000, 0xB5E620F480000000, 0xE35FA931A0000000,
    0x8E1BC9BF04000000, 0xB1A2BC2EC5000000, 0xDE0B6B3A76400000, 0x8AC7230489E80000,
    0xAD78EBC5AC620000, 0xD8D726B7177A8000, 0x878678326EAC9000, 0xA968163F0A57B400,
    0xD3C21BCECCEDA100, 0x84595161401484A0, 0xA56FA5B99019A5C8, 0xCECB8F27F4200F3A,
};

/* From 32-bit halves: no type of 128 bits on the Cortex-M3. */
static struct wide multiply(uint64_t a, uint64_t b)
{
    uint64_t a_lo = (uint32_t)a;
    uint64_t a_hi = a >> 32;
    uint64_t b_lo = (uint32_t)b;
    uint64_t b_hi = b >> 32;
    uint64_t low = a_lo * b_lo;
    uint64_t mid = a_hi * b_lo + (low >> 32);
    uint64_t mid2 = a_lo * b_hi + (uint32_t)mid;
    return (struct wide){a_hi * b_hi + (mid >> 32) + (mid2 >> 32), mid2 << 32 | (uint32_t)low};
}

/* floor(log10(2^e)), floor(log10(3/4 x 2^e)) for |e| < 1100 and floor(log2(10^e)) for |e| < 330:
 * the factors are log10(2) x 2^22, log10(4/3) x 2^22 and log2(10) x 2^19. Checked over these
 * ranges. */
static int log10_pow2(int e)
{
    return (e * 1262611) >> 22;
}

static int log10_pow2_three_quarters(int e)
{
    return (e * 1262611 - 524031) >> 22;
}

static int log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* 10^e x 2^(127 - log2_pow10(e)), rounded up to 128 bits; -292 <= e <= 324. */
static struct wide power_of_ten(int e)
{
    unsigned from_first = (unsigned)(e - POWER_FIRST);
    const uint64_t *coarse = power_coarse[from_first / POWER_STEP];
    uint64_t fine = power_fine[from_first % POWER_STEP];
    struct wide high = multiply(coarse[0], fine);
    struct wide mid = multiply(coarse[1], fine);
    struct wide low = multiply(coarse[2], fine);
    uint64_t w1 = mid.lo + low.hi;
    mid.hi += w1 < low.hi; /* cannot overflow: a product's high word is at most 2^64 - 2 */
    uint64_t w2 = high.lo + mid.hi;
    uint64_t w3 = high.hi + (w2 < mid.hi);
    uint64_t rest = w1 | low.lo;
    if (w3 >> 63 == 0) {
        w3 = w3 << 1 | w2 >> 63;
        w2 = w2 << 1 | w1 >> 63;
        rest = w1 << 1 | low.lo;
    }
    w2 += rest != 0;
    w3 += rest != 0 && w2 == 0;
    return (struct wide){w3, w2};
}

static struct wide3 shift_left(struct wide g, unsigned count)
{
    return (struct wide3){
        {g.lo << count, g.hi << count | g.lo >> (64 - count), g.hi >> (64 - count)}};
}

static struct wide3 multiply_wide(struct wide g, uint64_t factor)
{
    struct wide low = multiply(g.lo, factor);
    struct wide high = multiply(g.hi, factor);
    uint64_t mid = low.hi + high.lo;
    return (struct wide3){{low.lo, mid, high.hi + (mid < low.hi)}};
}

static struct wide3 add(struct wide3 a, struct wide3 b)
{
    uint64_t w0 = a.w[0] + b.w[0];
    uint64_t carry = w0 < a.w[0];
    uint64_t sum = a.w[1] + b.w[1];
    uint64_t w1 = sum + carry;
    carry = (uint64_t)(sum < a.w[1]) | (uint64_t)(w1 < sum);
    return (struct wide3){{w0, w1, a.w[2] + b.w[2] + carry}};
}

static struct wide3 subtract(struct wide3 a, struct wide3 b)
{
    uint64_t borrow = a.w[0] < b.w[0];
    uint64_t w1 = a.w[1] - b.w[1] - borrow;
    borrow = (uint64_t)(a.w[1] < b.w[1]) | (uint64_t)(a.w[1] == b.w[1] && borrow != 0);
    return (struct wide3){{a.w[0] - b.w[0], w1, a.w[2] - b.w[2] - borrow}};
}

/* The highest word; its last bit is set when something follows it. 1 in the middle word is
 * nothing: the power of ten was rounded up (section 9.9 of the paper). */
static uint64_t round_to_odd(struct wide3 a)
{
    return a.w[2] | (uint64_t)(a.w[1] > 1);
}

/* v = c x 2^q; `narrow`: the next double below is only half as far as the one above. */
static struct decimal shortest(uint64_t c, int q, bool narrow)
{
    int k = narrow ? log10_pow2_three_quarters(q) : log10_pow2(q);
    unsigned h = (unsigned)(q + log2_pow10(-k) + 1);
    struct wide g = power_of_ten(-k);
    struct wide3 scaled = multiply_wide(g, c << (h + 2));
    struct wide3 half_gap = shift_left(g, h + 1);
    /* All in quarters of 10^k. An end itself reads back as v when c is even. */
    uint64_t odd = c & 1;
    uint64_t value = round_to_odd(scaled);
    uint64_t upper = round_to_odd(add(scaled, half_gap)) - odd;
    uint64_t lower = round_to_odd(subtract(scaled, narrow ? shift_left(g, h) : half_gap)) + odd;

    uint64_t s = value / 4;
    uint64_t tens = s / 10;
    bool below_fits = lower <= 40 * tens;
    bool above_fits = 40 * tens + 40 <= upper;
    if (tens > 0 && below_fits != above_fits) {
        return (struct decimal){tens + above_fits, k + 1};
    }
    below_fits = lower <= 4 * s;
    above_fits = 4 * s + 4 <= upper;
    if (below_fits != above_fits) {
        return (struct decimal){s + above_fits, k};
    }
    bool up = value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1) != 0);
    return (struct decimal){s + up, k};
}

#define FRACTION_BITS 52
#define HIDDEN_BIT (UINT64_C(1) << FRACTION_BITS)

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

bool num_whole(double v, uint64_t *whole)
{
    uint64_t bits = bits_of(v);
    int shift = FRACTION_BITS + 1023 - (int)(bits >> FRACTION_BITS); /* negative: 2^53 or more */
    uint64_t c = (bits & (HIDDEN_BIT - 1)) | HIDDEN_BIT;
    if (shift < 0 || shift > FRACTION_BITS || (c & ((UINT64_C(1) << shift) - 1)) != 0) {
        return false;
    }
    *whole = c >> shift;
    return true;
}

static struct decimal decimal_of(double v)
{
    uint64_t bits = bits_of(v);
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int biased = (int)(bits >> FRACTION_BITS);
    assert(bits != 0 && biased < 0x7FF); /* also refuses a sign */
    if (biased == 0) {
        return shortest(fraction, 1 - 1075, false);
    }
    return shortest(fraction | HIDDEN_BIT, biased - 1075, fraction == 0 && biased > 1);
}

int num_shortest(double v, char digits[NUM_SHORTEST_LEN_MAX], int *point)
{
    struct decimal d = {0, 0};
    /* A whole number below 2^53 is its own shortest decimal, but for zeros at its end. */
    if (!num_whole(v, &d.value)) {
        d = decimal_of(v);
    }
    int count = (int)put_u64(digits, d.value);
    assert(count <= NUM_SHORTEST_LEN_MAX);
    *point = count + d.exponent;
    while (digits[count - 1] == '0') {
        count--;
    }
    return count;
}
