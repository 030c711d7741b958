/* Storage behind port.h in memory, whose power can go at any moment.
 *
 * What was changed since the last sync may be there or not after that: in any choice of the
 * changes, the last of them in part, as a disk's cache would leave it. Checks that a program needs
 * no erase that was not made. */
#ifndef FAKE_FLASH_H
#define FAKE_FLASH_H

#include "port/port.h"

#ifndef FLASH_SECTOR_LEN
#define FLASH_SECTOR_LEN 32768u
#define FLASH_SECTORS 80u
#endif

struct fake_flash {
    bool failing;  /* every program and erase is refused */
    bool set_bits; /* a program would have needed an erase: never */
    uint64_t syncs;
    uint64_t programmed; /* bytes */
    uint64_t erased[FLASH_SECTORS];
};

extern struct fake_flash fake_flash;
extern const struct port_storage fake_flash_storage;

void fake_flash_new(void);
/* The power goes and comes back. `choice` picks what of the last changes is there. */
void fake_flash_cut(uint32_t choice);

#endif
