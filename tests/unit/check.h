/*
 * Checks for a test program in plain C. One main() calls its tests and ends with
 *
 *     return check_result();
 *
 * A failed check prints "file:line: what" on stderr and goes on; the program then exits with 1.
 * So does a program that has not made a single check. Each argument is evaluated once.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHECK(cond) check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ_INT(got, want) \
    check_eq_int((intmax_t)(got), (intmax_t)(want), #got, __FILE__, __LINE__)
#define CHECK_EQ_UINT(got, want) \
    check_eq_uint((uintmax_t)(got), (uintmax_t)(want), #got, __FILE__, __LINE__)
/* Two strings that end in NUL; NULL equals NULL only. */
#define CHECK_EQ_STR(got, want) check_eq_str((got), (want), #got, __FILE__, __LINE__)
/* Two runs of bytes. */
#define CHECK_EQ_MEM(got, got_len, want, want_len) \
    check_eq_mem((got), (got_len), (want), (want_len), #got, __FILE__, __LINE__)
/* A run of bytes against a string that ends in NUL. */
#define CHECK_EQ_TEXT(got, got_len, want) \
    check_eq_mem((got), (got_len), (want), strlen(want), #got, __FILE__, __LINE__)

static struct {
    unsigned long made;
    unsigned long failed;
} check_state;

static inline bool check_note(bool ok)
{
    check_state.made++;
    if (!ok) {
        check_state.failed++;
    }
    return ok;
}

static inline bool check_true(bool ok, const char *what, const char *file, int line)
{
    if (!check_note(ok)) {
        fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    }
    return ok;
}

static inline bool check_eq_int(intmax_t got, intmax_t want, const char *what, const char *file,
                                int line)
{
    if (!check_note(got == want)) {
        fprintf(stderr, "%s:%d: %s is %jd, not %jd\n", file, line, what, got, want);
    }
    return got == want;
}

static inline bool check_eq_uint(uintmax_t got, uintmax_t want, const char *what, const char *file,
                                 int line)
{
    if (!check_note(got == want)) {
        fprintf(stderr, "%s:%d: %s is %ju, not %ju\n", file, line, what, got, want);
    }
    return got == want;
}

static inline void check_print_bytes(const char *label, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;
    fprintf(stderr, "    %s (%zu): ", label, len);
    for (size_t i = 0; i < len && i < 400; i++) {
        if (b[i] >= 0x20 && b[i] < 0x7f) {
            fputc(b[i], stderr);
        } else {
            fprintf(stderr, "\\x%02x", b[i]);
        }
    }
    fputs(len > 400 ? "...\n" : "\n", stderr);
}

static inline bool check_eq_mem(const void *got, size_t got_len, const void *want, size_t want_len,
                                const char *what, const char *file, int line)
{
    bool ok = got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0);
    if (!check_note(ok)) {
        fprintf(stderr, "%s:%d: %s differs\n", file, line, what);
        check_print_bytes("is    ", got, got_len);
        check_print_bytes("not   ", want, want_len);
    }
    return ok;
}

static inline bool check_eq_str(const char *got, const char *want, const char *what,
                                const char *file, int line)
{
    if (got == NULL || want == NULL) {
        bool ok = check_note(got == want);
        if (!ok) {
            fprintf(stderr, "%s:%d: %s is %s, not %s\n", file, line, what,
                    got == NULL ? "NULL" : got, want == NULL ? "NULL" : want);
        }
        return ok;
    }
    return check_eq_mem(got, strlen(got), want, strlen(want), what, file, line);
}

static inline int check_result(void)
{
    if (check_state.made == 0) {
        fputs("no check was made\n", stderr);
        return 1;
    }
    fprintf(stderr, "%lu checks, %lu failed\n", check_state.made, check_state.failed);
    return check_state.failed == 0 ? 0 : 1;
}

#endif
