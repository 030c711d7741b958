/* Slices: every function with empty, NULL and border cases. Also the texts of err.h. */
#include "base/slice.h"

#include "base/err.h"
#include "check.h"

static struct slice s(const char *text)
{
    return slice_from_cstr(text);
}

static void equality_ignores_the_pointer(void)
{
    CHECK(slice_equal(SLICE_EMPTY, s("")));
    CHECK(slice_equal(slice_of(NULL, 0), SLICE_EMPTY));
    CHECK(slice_equal(SLICE_LIT("abc"), slice_of("abcd", 3)));
    CHECK(!slice_equal(s("abc"), s("abcd")));
    CHECK(!slice_equal(s("abc"), s("abd")));
    CHECK(slice_equal(slice_of("a\0b", 3), SLICE_LIT("a\0b")));
    CHECK(slice_from_cstr(NULL).len == 0);
}

static void nocase_folds_ascii_letters_only(void)
{
    CHECK(slice_equal_nocase(s("Content-Length"), s("content-lENGTH")));
    CHECK(!slice_equal_nocase(s("@"), s("`")));
    CHECK(!slice_equal_nocase(s("["), s("{")));
    CHECK(!slice_equal_nocase(s("\xC3\x84"), s("\xC3\xA4")));
    CHECK(!slice_equal_nocase(s("a"), s("aa")));
    CHECK(slice_equal_nocase(SLICE_EMPTY, s("")));
    for (int i = 0; i < 256; i++) {
        for (int k = 0; k < 256; k++) {
            char a = (char)i;
            char b = (char)k;
            bool letter = (i | 0x20) >= 'a' && (i | 0x20) <= 'z' && i < 0x80;
            bool same = i == k || (letter && (i ^ k) == 0x20);
            CHECK(slice_equal_nocase(slice_of(&a, 1), slice_of(&b, 1)) == same);
        }
    }
}

static void order_is_bytewise_then_by_length(void)
{
    CHECK(slice_compare(s("a"), s("b")) < 0);
    CHECK(slice_compare(s("b"), s("a")) > 0);
    CHECK(slice_compare(s("a"), s("a")) == 0);
    CHECK(slice_compare(s("a"), s("aa")) < 0);
    CHECK(slice_compare(s("aa"), s("a")) > 0);
    CHECK(slice_compare(SLICE_EMPTY, s("a")) < 0);
    CHECK(slice_compare(SLICE_EMPTY, s("")) == 0);
    CHECK(slice_compare(s("\x7F"), s("\x80")) < 0);
}

static void prefixes_and_suffixes(void)
{
    struct slice text = SLICE_LIT("abcabc");
    for (size_t n = 0; n <= text.len; n++) {
        CHECK(slice_starts_with(text, slice_take(text, n)));
        CHECK(slice_ends_with(text, slice_skip(text, n)));
    }
    CHECK(!slice_starts_with(text, s("abd")));
    CHECK(!slice_ends_with(text, s("bcd")));
    CHECK(!slice_starts_with(s("ab"), s("abc")));
    CHECK(!slice_ends_with(s("bc"), s("abc")));
    CHECK(slice_starts_with(SLICE_EMPTY, SLICE_EMPTY));
    CHECK(slice_ends_with(SLICE_EMPTY, SLICE_EMPTY));
}

static void skip_and_take_are_clamped(void)
{
    struct slice text = SLICE_LIT("abc");
    for (size_t n = 0; n < 6; n++) {
        size_t clamped = n < 3 ? n : 3;
        CHECK_EQ_UINT(slice_take(text, n).len, clamped);
        CHECK(slice_take(text, n).ptr == text.ptr);
        CHECK_EQ_UINT(slice_skip(text, n).len, 3 - clamped);
        CHECK(slice_skip(text, n).ptr == text.ptr + clamped);
    }
    CHECK_EQ_UINT(slice_skip(text, SIZE_MAX).len, 0);
    CHECK(slice_skip(SLICE_EMPTY, 5).ptr == NULL);
    CHECK_EQ_UINT(slice_take(SLICE_EMPTY, 5).len, 0);
}

static void find_gives_the_first_or_the_length(void)
{
    CHECK_EQ_UINT(slice_find(s("a=b=c"), '='), 1);
    CHECK_EQ_UINT(slice_find(s("abc"), '='), 3);
    CHECK_EQ_UINT(slice_find(SLICE_EMPTY, '='), 0);
    CHECK_EQ_UINT(slice_find(slice_of("abc=", 3), '='), 3);
    CHECK_EQ_UINT(slice_find(SLICE_LIT("a\xFF"), '\xFF'), 1);
    CHECK_EQ_UINT(slice_find(SLICE_LIT("ab\0"), '\0'), 2);
}

static void trim_takes_spaces_and_tabs(void)
{
    CHECK(slice_equal(slice_trim(s(" \ta b\t ")), s("a b")));
    CHECK(slice_equal(slice_trim(s("a")), s("a")));
    CHECK(slice_equal(slice_trim(s("\r\n")), s("\r\n")));
    CHECK_EQ_UINT(slice_trim(s(" \t ")).len, 0);
    CHECK_EQ_UINT(slice_trim(SLICE_EMPTY).len, 0);
}

static void every_error_has_its_text(void)
{
    CHECK_EQ_STR(limpet_err_text(LIMPET_OK), "ok");
    CHECK_EQ_STR(limpet_err_text(LIMPET_ERR_TIMEOUT), "deadline exceeded");
    CHECK_EQ_STR(limpet_err_text(1), "unknown error");
    CHECK_EQ_STR(limpet_err_text(-1000), "unknown error");
#define X(name, value, text) CHECK_EQ_STR(limpet_err_text(name), text);
    LIMPET_ERR_TABLE(X)
#undef X
}

int main(void)
{
    equality_ignores_the_pointer();
    nocase_folds_ascii_letters_only();
    order_is_bytewise_then_by_length();
    prefixes_and_suffixes();
    skip_and_take_are_clamped();
    find_gives_the_first_or_the_length();
    trim_takes_spaces_and_tabs();
    every_error_has_its_text();
    return check_result();
}
