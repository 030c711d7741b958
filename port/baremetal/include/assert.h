/* assert() of the firmware: an undefined instruction that holds the line. The fault handler
 * (start.c) prints it with its address, which names the file: arm-none-eabi-addr2line -e FILE.elf
 * ADDRESS. Four bytes instead of a call with texts. On in every build. */
#ifndef LIMPET_BAREMETAL_ASSERT_H
#define LIMPET_BAREMETAL_ASSERT_H

/* A macro: every use keeps its line, and the compiler cannot join two of them. */
#define ASSERT_FAILED() (__extension__({                                                           \
    __asm volatile("udf.w %0" ::"i"(__LINE__ & 0xFFFF));                                           \
    __builtin_unreachable();                                                                       \
}))
#define assert(condition) ((condition) ? (void)0 : ASSERT_FAILED())
#define static_assert _Static_assert

#endif
