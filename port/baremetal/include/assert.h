/* assert() of the firmware: file and line name the place, so the text of the condition and the name
 * of the function need not lie in flash (9 kB of the standard image). On in every build. */
#ifndef LIMPET_BAREMETAL_ASSERT_H
#define LIMPET_BAREMETAL_ASSERT_H

_Noreturn void platform_assert_failed(const char *file, int line);

#define assert(condition) ((condition) ? (void)0 : platform_assert_failed(__FILE__, __LINE__))
#define static_assert _Static_assert

#endif
