/* Integer moments: exact against values that are known, at the ends of their ranges. */
#include "check.h"
#include "metrics/moments.h"

struct sums {
    struct wide sum;
    struct wide squares;
    uint32_t count;
};

static void add(struct sums *s, int64_t v, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        wide_add_signed(&s->sum, v);
        wide_add_square(&s->squares, (uint64_t)(v < 0 ? -v : v));
        s->count++;
    }
}

static double mean_of(const struct sums *s)
{
    return moments_mean(&s->sum, s->count);
}

static double variance_of(const struct sums *s)
{
    return moments_variance(&s->sum, &s->squares, s->count);
}

static void check_near(double got, double want)
{
    double error = want == 0 ? got : (got - want) / want;
    if (!CHECK(error < 1e-15 && error > -1e-15)) {
        fprintf(stderr, "    %.17g, not %.17g\n", got, want);
    }
}

static void test_small(void)
{
    struct sums s = {.count = 0};
    add(&s, 2, 1);
    CHECK(mean_of(&s) == 2 && variance_of(&s) == 0);
    add(&s, 4, 2);
    add(&s, 5, 2);
    add(&s, 4, 1);
    add(&s, 7, 1);
    add(&s, 9, 1);
    CHECK(mean_of(&s) == 5 && variance_of(&s) == 4);
}

static void test_signs(void)
{
    struct sums s = {.count = 0};
    add(&s, -1, 3);
    CHECK(mean_of(&s) == -1 && variance_of(&s) == 0);
    add(&s, 1, 3);
    CHECK(mean_of(&s) == 0 && variance_of(&s) == 1);
    struct sums negative = {.count = 0};
    add(&negative, -3, 1);
    add(&negative, -6, 1);
    CHECK(mean_of(&negative) == -4.5 && variance_of(&negative) == 2.25);
}

/* A mean far from 0 and a small spread: 60 s +- 10 ns. Sums in doubles lose everything here. */
static void test_far_from_zero(void)
{
    struct sums s = {.count = 0};
    add(&s, INT64_C(60000000000) - 10, 500);
    add(&s, INT64_C(60000000000) + 10, 500);
    CHECK(mean_of(&s) == 60000000000.0 && variance_of(&s) == 100);
    struct sums constant = {.count = 0};
    add(&constant, INT64_C(59999999999), 100000);
    CHECK(mean_of(&constant) == 59999999999.0 && variance_of(&constant) == 0);
}

/* One value beside very many equal ones: the variance is 1/n - 1/n^2. */
static void test_one_beside_many(void)
{
    for (int64_t base = 0; base < INT64_C(1) << 40; base = 3 * base + 1) {
        struct sums s = {.count = 0};
        uint32_t n = 1000000;
        add(&s, base, n - 1);
        add(&s, base + 1, 1);
        check_near(variance_of(&s), (1.0 - 1.0 / n) / n);
    }
}

static void test_ends(void)
{
    const int64_t bound = INT64_C(1) << 47;
    const double square = 19807040628566084398385987584.0; /* 2^94 */
    struct sums s = {.count = 0};
    add(&s, bound, 1000);
    add(&s, -bound, 1000);
    CHECK(mean_of(&s) == 0 && variance_of(&s) == square);
    add(&s, bound, 2000);
    check_near(mean_of(&s), (double)bound / 2);
    check_near(variance_of(&s), square * 0.75);
    /* As after 2^32 - 1 records. */
    struct sums full = {.count = UINT32_MAX};
    for (uint32_t bit = 0; bit < 32; bit++) { /* (2^32 - 1) x bound, by powers of two */
        wide_add(&full.sum, bit > 16 ? UINT64_C(1) << (bit - 17) : 0,
                 bit > 16 ? 0 : (uint64_t)bound << bit);
        wide_add(&full.squares, UINT64_C(1) << (30 + bit), 0);
    }
    check_near(mean_of(&full), (double)bound);
    CHECK(variance_of(&full) == 0);
}

static void test_sqrt(void)
{
    CHECK(moments_sqrt(0) == 0 && moments_sqrt(-1) == 0);
    for (int e = -300; e <= 300; e++) {
        double root = 1;
        for (int i = 0; i < (e < 0 ? -e : e); i++) {
            root *= e < 0 ? 1 / 1.7 : 1.7;
        }
        check_near(moments_sqrt(root * root), root);
    }
    CHECK(moments_sqrt(4) == 2 && moments_sqrt(0.25) == 0.5 && moments_sqrt(1e18) == 1e9);
}

int main(void)
{
    test_small();
    test_signs();
    test_far_from_zero();
    test_one_beside_many();
    test_ends();
    test_sqrt();
    return check_result();
}
