#include "panic.h"

#include "base/crc.h"
#include "board/board.h"

#include <string.h>

#define PANIC_MAGIC 0x4C504E43u

/* Lies in memory that a reset keeps; after power-on it is noise, hence the magic and the CRC. */
static struct {
    uint32_t magic;
    uint32_t crc; /* of reason */
    char reason[120];
} record __attribute__((section(".retained")));

/* Set by every run: memory that holds it was not without power since. */
static uint32_t had_power __attribute__((section(".retained")));

_Noreturn void panic(const char *reason)
{
    size_t len = strlen(reason);
    memset(record.reason, 0, sizeof(record.reason));
    memcpy(record.reason, reason, len < sizeof(record.reason) ? len : sizeof(record.reason) - 1);
    record.crc = crc32_update(0, record.reason, sizeof(record.reason));
    record.magic = PANIC_MAGIC;
    board_console_write("PANIC: ", 7);
    board_console_write(reason, len);
    board_console_write("\r\n", 2);
    board_reset();
}

const char *panic_last_reason(void)
{
    uint32_t crc = crc32_update(0, record.reason, sizeof(record.reason));
    return record.magic == PANIC_MAGIC && record.crc == crc ? record.reason : NULL;
}

enum port_reset panic_reset_reason(void)
{
    const char *reason = panic_last_reason();
    bool kept = had_power == PANIC_MAGIC;
    had_power = PANIC_MAGIC;
    if (reason != NULL) {
        return strcmp(reason, PANIC_WATCHDOG) == 0 ? PORT_RESET_WATCHDOG : PORT_RESET_PANIC;
    }
    return kept ? PORT_RESET_OUTSIDE : PORT_RESET_POWER_ON;
}

void panic_forget(void)
{
    record.magic = 0;
}
