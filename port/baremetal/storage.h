/* The board's storage behind port.h: where the windows that wait for InfluxDB survive a reset.
 *
 * The sectors behind the seed's (seed.h) are the journal's: 8 of 8 kB each. Where the device erases
 * more at once, only the first 8 kB of what it erases are used: the journal is read through at each
 * start, and a long one would take longer than all the rest of it. */
#ifndef LIMPET_BAREMETAL_STORAGE_H
#define LIMPET_BAREMETAL_STORAGE_H

#include "port/port.h"

#define STORAGE_SECTOR_LEN 8192u
#define STORAGE_SECTORS 8u

/* Once, after board_init(). NULL: the board has no storage, or too little. Static. */
const struct port_storage *storage_open(void);

#endif
