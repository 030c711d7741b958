/* Numbers: parsing at every border, durations as Go reads them, and the shortest digits of doubles
 * against the C library's own conversions. */
#include "base/num.h"

#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static uint64_t random_next(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* ---- Parsing -------------------------------------------------------------------------------- */

static void decimal_is(const char *text, uint64_t max, int want_err, uint64_t want)
{
    uint64_t v = 12345;
    CHECK_EQ_INT(num_parse_u64(slice_from_cstr(text), max, &v), want_err);
    CHECK_EQ_UINT(v, want_err == LIMPET_OK ? want : 12345);
}

static void hex_is(const char *text, uint64_t max, int want_err, uint64_t want)
{
    uint64_t v = 12345;
    CHECK_EQ_INT(num_parse_hex(slice_from_cstr(text), max, &v), want_err);
    CHECK_EQ_UINT(v, want_err == LIMPET_OK ? want : 12345);
}

static void decimal_numbers(void)
{
    static const char *const malformed[] = {
        "", " ", "+1", "-1", "1 ", " 1", "1a", "0x1", "1.0", "1e3", "a", "99999999999999999999x"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        decimal_is(malformed[i], UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    }
    decimal_is("0", 0, LIMPET_OK, 0);
    decimal_is("00", 0, LIMPET_OK, 0);
    decimal_is("1", 0, LIMPET_ERR_RANGE, 0);
    decimal_is("007", 9, LIMPET_OK, 7);
    decimal_is("65535", 65535, LIMPET_OK, 65535);
    decimal_is("65536", 65535, LIMPET_ERR_RANGE, 0);
    decimal_is("18446744073709551615", UINT64_MAX, LIMPET_OK, UINT64_MAX);
    decimal_is("18446744073709551616", UINT64_MAX, LIMPET_ERR_RANGE, 0);
    decimal_is("18446744073709551620", UINT64_MAX, LIMPET_ERR_RANGE, 0);
    decimal_is("184467440737095516150", UINT64_MAX, LIMPET_ERR_RANGE, 0);
    decimal_is("000000000000000000000000000000042", UINT64_MAX, LIMPET_OK, 42);
    for (uint64_t max = 0; max < 300; max++) {
        for (uint64_t v = 0; v < 310; v++) {
            char text[8];
            snprintf(text, sizeof(text), "%ju", (uintmax_t)v);
            decimal_is(text, max, v <= max ? LIMPET_OK : LIMPET_ERR_RANGE, v);
            snprintf(text, sizeof(text), "%jx", (uintmax_t)v);
            hex_is(text, max, v <= max ? LIMPET_OK : LIMPET_ERR_RANGE, v);
        }
    }
}

static void hex_numbers(void)
{
    hex_is("", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("0x10", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("g", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("G", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("@", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("`", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("-1", UINT64_MAX, LIMPET_ERR_SYNTAX, 0);
    hex_is("aF09", UINT64_MAX, LIMPET_OK, 0xAF09);
    hex_is("ffffffffffffffff", UINT64_MAX, LIMPET_OK, UINT64_MAX);
    hex_is("10000000000000000", UINT64_MAX, LIMPET_ERR_RANGE, 0);
    hex_is("0000000000000000000000001", UINT64_MAX, LIMPET_OK, 1);
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        uint64_t v;
        bool digit = byte >= '0' && byte <= '9';
        bool hex = digit || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
        CHECK((num_parse_u64(slice_of(&c, 1), 15, &v) == LIMPET_OK) == digit);
        CHECK((num_parse_hex(slice_of(&c, 1), 15, &v) == LIMPET_OK) == hex);
    }
}

static void durations(void)
{
    static const struct {
        const char *text;
        int err;
        uint64_t ns;
    } cases[] = {
        {"0", LIMPET_OK, 0},
        {"0s", LIMPET_OK, 0},
        {"5s", LIMPET_OK, UINT64_C(5000000000)},
        {"1h30m", LIMPET_OK, UINT64_C(5400000000000)},
        {"1.5s", LIMPET_OK, UINT64_C(1500000000)},
        {"250ms", LIMPET_OK, UINT64_C(250000000)},
        {"10us", LIMPET_OK, 10000},
        {"10\xC2\xB5s", LIMPET_OK, 10000},
        {"10\xCE\xBCs", LIMPET_OK, 10000},
        {"7ns", LIMPET_OK, 7},
        {"1.9ns", LIMPET_OK, 1},
        {".5s", LIMPET_OK, UINT64_C(500000000)},
        {"1.s", LIMPET_OK, UINT64_C(1000000000)},
        {"3m1ms2us3ns", LIMPET_OK, UINT64_C(180001002003)},
        {"1s1s", LIMPET_OK, UINT64_C(2000000000)},
        {"1m1h", LIMPET_OK, UINT64_C(3660000000000)},
        {"0.3333333333333333333h", LIMPET_OK, UINT64_C(1200000000000)},
        {"0.100000000000000000000h", LIMPET_OK, UINT64_C(360000000000)},
        {"0.830103483285477580700h", LIMPET_OK, UINT64_C(2988372539827)},
        {"39h9m14.425s", LIMPET_OK, UINT64_C(140954425000000)},
        {"9223372036854775807ns", LIMPET_OK, INT64_MAX},
        {"9223372036854775.807us", LIMPET_OK, INT64_MAX},
        {"9223372036s854ms775us807ns", LIMPET_OK, INT64_MAX},
        {"9223372036854775808ns", LIMPET_ERR_RANGE, 0},
        {"9223372036854775.808us", LIMPET_ERR_RANGE, 0},
        {"9223372036854775809ns", LIMPET_ERR_RANGE, 0},
        {"99999999999999999999999s", LIMPET_ERR_RANGE, 0},
        {"3000000h", LIMPET_ERR_RANGE, 0},
        {"9223372036854775807ns1ns", LIMPET_ERR_RANGE, 0},
        {"", LIMPET_ERR_SYNTAX, 0},
        {"00", LIMPET_ERR_SYNTAX, 0},
        {"3", LIMPET_ERR_SYNTAX, 0},
        {"-1s", LIMPET_ERR_SYNTAX, 0},
        {"+1s", LIMPET_ERR_SYNTAX, 0},
        {"s", LIMPET_ERR_SYNTAX, 0},
        {".", LIMPET_ERR_SYNTAX, 0},
        {".s", LIMPET_ERR_SYNTAX, 0},
        {"1.5", LIMPET_ERR_SYNTAX, 0},
        {"1S", LIMPET_ERR_SYNTAX, 0},
        {"1d", LIMPET_ERR_SYNTAX, 0},
        {"1 s", LIMPET_ERR_SYNTAX, 0},
        {"1s ", LIMPET_ERR_SYNTAX, 0},
        {" 1s", LIMPET_ERR_SYNTAX, 0},
        {"1e3s", LIMPET_ERR_SYNTAX, 0},
        {"1h30", LIMPET_ERR_SYNTAX, 0},
        {"1\xC2s", LIMPET_ERR_SYNTAX, 0},
        {"1.2.3s", LIMPET_ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = 0;
        if (!CHECK_EQ_INT(num_parse_duration_ns(slice_from_cstr(cases[i].text), &ns),
                          cases[i].err)) {
            fprintf(stderr, "    duration \"%s\"\n", cases[i].text);
        }
        CHECK_EQ_UINT(ns, cases[i].ns);
    }
}

/* ---- Digits --------------------------------------------------------------------------------- */

static void digits_of(uint64_t v)
{
    char digits[NUM_U64_LEN_MAX];
    char want[32];
    snprintf(want, sizeof(want), "%ju", (uintmax_t)v);
    CHECK_EQ_TEXT(digits, num_digits(v, digits), want);
}

static void digits_of_integers(void)
{
    for (uint64_t power = 1; power != 0; power = power > UINT64_MAX / 10 ? 0 : power * 10) {
        digits_of(power - 1);
        digits_of(power);
        digits_of(power + 1);
        digits_of(power * 9);
    }
    for (int bit = 0; bit < 64; bit++) {
        digits_of(UINT64_C(1) << bit);
        digits_of(random_next() >> bit);
    }
    digits_of(UINT64_MAX);
}

/* ---- Shortest digits of a double ------------------------------------------------------------ */

struct decimal {
    char digits[NUM_SHORTEST_LEN_MAX + 1];
    int count;
    int point;
};

static bool reads_back(uint64_t value, int exponent, double v)
{
    char text[48];
    snprintf(text, sizeof(text), "%jue%d", (uintmax_t)value, exponent);
    return strtod(text, NULL) == v;
}

/* The decimal of `count` digits next to v: value x 10^*exponent. */
static uint64_t nearest(double v, int count, int *exponent)
{
    char text[48];
    snprintf(text, sizeof(text), "%.*e", count - 1, v);
    uint64_t value = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        value = *at == '.' ? value : value * 10 + (uint64_t)(*at - '0');
    }
    *exponent = atoi(at + 1) - (count - 1);
    return value;
}

/* No decimal with a digit less reads back. Its neighbours are tried too: at a power of two the next
 * double below is nearer, so that the nearest decimal may fail where the second nearest does not.
 */
static bool nothing_shorter(double v, int count)
{
    if (count == 1) {
        return true;
    }
    int exponent;
    uint64_t value = nearest(v, count - 1, &exponent);
    return !reads_back(value - 1, exponent, v) && !reads_back(value, exponent, v) &&
           !reads_back(value + 1, exponent, v);
}

static bool is_shortest(double v, const struct decimal *d)
{
    uint64_t value = strtoull(d->digits, NULL, 10);
    int exponent;
    uint64_t best = nearest(v, d->count, &exponent);
    bool closest = value == best || !reads_back(best, exponent, v);
    return reads_back(value, d->point - d->count, v) && closest && nothing_shorter(v, d->count);
}

static void shortest_is_right(double v)
{
    struct decimal d;
    d.count = num_shortest(v, d.digits, &d.point);
    bool sane = d.count >= 1 && d.count <= NUM_SHORTEST_LEN_MAX && d.digits[0] != '0' &&
                d.digits[d.count - 1] != '0';
    if (!CHECK(sane)) {
        return;
    }
    d.digits[d.count] = '\0';
    if (!CHECK(is_shortest(v, &d))) {
        fprintf(stderr, "    %a = %.17g gave 0.%se%d\n", v, v, d.digits, d.point);
    }
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Powers of two and their neighbours: the ends of the intervals, and every power of ten used. */
static void at_every_exponent(void)
{
    for (uint64_t exponent = 0; exponent < 0x7FF; exponent++) {
        for (uint64_t step = 0; step < 3; step++) {
            uint64_t bits = exponent << 52;
            if (bits + step > 0) {
                shortest_is_right(from_bits(bits + step));
            }
            shortest_is_right(from_bits(bits | ((UINT64_MAX >> 12) - step)));
            shortest_is_right(from_bits(bits | random_next() >> 12));
        }
    }
}

static void at_powers_of_ten(void)
{
    for (int exponent = -323; exponent <= 308; exponent++) {
        char text[16];
        snprintf(text, sizeof(text), "1e%d", exponent);
        double v = strtod(text, NULL);
        char digits[NUM_SHORTEST_LEN_MAX];
        int point;
        CHECK_EQ_TEXT(digits, (size_t)num_shortest(v, digits, &point), "1");
        CHECK_EQ_INT(point, exponent + 1);
        shortest_is_right(nextafter(v, 0));
        shortest_is_right(nextafter(v, INFINITY));
    }
}

static void at_random_bits(void)
{
    for (int i = 0; i < 200000; i++) {
        double v = from_bits(random_next() >> 1);
        if (isfinite(v) && v > 0) {
            shortest_is_right(v);
        }
    }
    for (int bit = 0; bit < 52; bit++) { /* subnormal */
        shortest_is_right(from_bits((random_next() >> 12 | UINT64_C(1) << 51) >> bit));
    }
}

/* Means and deviations of nanoseconds, and decimals of few digits. */
static void at_values_that_metrics_have(void)
{
    for (int i = 0; i < 100000; i++) {
        uint64_t sum = random_next() >> (random_next() & 31) >> 20;
        uint64_t count = (random_next() & 0xFFF) + 1;
        shortest_is_right((double)(sum + 1) / (double)count);
        shortest_is_right(sqrt((double)(sum + 1)));
        double scale = (double)(UINT64_C(1) << (i & 15)) * 125;
        shortest_is_right((double)(sum % 1000000 + 1) / scale);
    }
}

static void whole_is(double v, bool want)
{
    uint64_t whole = 0;
    CHECK(num_whole(v, &whole) == want);
    CHECK(!want || (double)whole == v);
}

static void whole_numbers_are_told_from_others(void)
{
    for (int bit = 0; bit <= 52; bit++) {
        double v = (double)(UINT64_C(1) << bit);
        whole_is(v, true);
        whole_is(v + 1, true);
        whole_is(v - 1, bit > 0);
        whole_is(nextafter(v, INFINITY), bit == 52);
        whole_is(nextafter(v, 0), false);
    }
    whole_is(9007199254740991.0, true);
    whole_is(9007199254740992.0, false);
    whole_is(0.5, false);
    whole_is(1.5, false);
    whole_is(0, false);
    whole_is(-1, false);
    whole_is(DBL_TRUE_MIN, false);
    whole_is(DBL_MAX, false);
    whole_is(INFINITY, false);
}

static void whole_numbers_keep_their_digits(void)
{
    for (int i = 0; i < 100000; i++) {
        uint64_t v = random_next() >> (11 + i % 53) | 1;
        char digits[NUM_SHORTEST_LEN_MAX];
        char want[32];
        int point;
        snprintf(want, sizeof(want), "%ju", (uintmax_t)v);
        int count = num_shortest((double)v, digits, &point);
        CHECK_EQ_INT(point, (int)strlen(want));
        while (want[strlen(want) - 1] == '0') {
            want[strlen(want) - 1] = '\0';
        }
        CHECK_EQ_TEXT(digits, (size_t)count, want);
    }
}

static void known_doubles(void)
{
    static const struct {
        double v;
        const char *digits;
        int point;
    } cases[] = {
        {DBL_TRUE_MIN, "5", -323},
        {DBL_MIN, "22250738585072014", -307},
        {DBL_MAX, "17976931348623157", 309},
        {2.2250738585072011e-308, "2225073858507201", -307},
        {0x1p-44, "5684341886080802", -13}, /* the nearest of 16 digits ends in 1, outside */
        {0x1p-1022, "22250738585072014", -307},
        {9007199254740992.0, "9007199254740992", 16},
        {9007199254740994.0, "9007199254740994", 16},
        {9007199254740996.0, "9007199254740996", 16},
        {0x1p64, "18446744073709552", 20},
        {1e23, "1", 24},
        {9.5367431640625e-07, "95367431640625", -6},
        {0.1, "1", 0},
        {0.3, "3", 0},
        {0.30000000000000004, "30000000000000004", 0},
        {1.1, "11", 1},
        {100, "1", 3},
        {123.456, "123456", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char digits[NUM_SHORTEST_LEN_MAX];
        int point;
        int count = num_shortest(cases[i].v, digits, &point);
        CHECK_EQ_TEXT(digits, (size_t)count, cases[i].digits);
        CHECK_EQ_INT(point, cases[i].point);
    }
}

static void real_numbers(void)
{
    static const struct {
        const char *text;
        int err;
        uint64_t value;
        int exponent;
    } rows[] = {
        {"0", LIMPET_OK, 0, 0},
        {"7", LIMPET_OK, 7, 0},
        {"70", LIMPET_OK, 7, 1},
        {"0.5", LIMPET_OK, 5, -1},
        {"0.050", LIMPET_OK, 5, -2},
        {"12.5e2", LIMPET_OK, 125, 1},
        {"12.5E+2", LIMPET_OK, 125, 1},
        {"1e-7", LIMPET_OK, 1, -7},
        {"123456789012345678", LIMPET_OK, UINT64_C(123456789012345678), 0},
        {"999999999999999999", LIMPET_OK, UINT64_C(999999999999999999), 0},
        {"0.00000000000000000000001", LIMPET_OK, 1, -23},
        {"1234567890123456789", LIMPET_ERR_RANGE, 0, 0},
        {"0.1234567890123456789", LIMPET_ERR_RANGE, 0, 0},
        {"1e999", LIMPET_OK, 1, 999},
        {"1e1000", LIMPET_ERR_RANGE, 0, 0},
        {"", LIMPET_ERR_SYNTAX, 0, 0},
        {".5", LIMPET_ERR_SYNTAX, 0, 0},
        {"5.", LIMPET_ERR_SYNTAX, 0, 0},
        {"5e", LIMPET_ERR_SYNTAX, 0, 0},
        {"5e+", LIMPET_ERR_SYNTAX, 0, 0},
        {"5x1", LIMPET_ERR_SYNTAX, 0, 0},
        {"-5", LIMPET_ERR_SYNTAX, 0, 0},
        {"5e1.5", LIMPET_ERR_SYNTAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 1;
        int exponent = 1;
        int err = num_parse_decimal(slice_from_cstr(rows[i].text), &value, &exponent);
        bool ok = CHECK_EQ_INT(err, rows[i].err);
        if (rows[i].err == LIMPET_OK) {
            ok = CHECK_EQ_UINT(value, rows[i].value) && ok;
            ok = CHECK_EQ_INT(exponent, rows[i].exponent) && ok;
        }
        if (!ok) {
            fprintf(stderr, "    %s\n", rows[i].text);
        }
    }
}

int main(void)
{
    real_numbers();
    decimal_numbers();
    hex_numbers();
    durations();
    digits_of_integers();
    known_doubles();
    whole_numbers_are_told_from_others();
    whole_numbers_keep_their_digits();
    at_every_exponent();
    at_powers_of_ten();
    at_values_that_metrics_have();
    at_random_bits();
    return check_result();
}
