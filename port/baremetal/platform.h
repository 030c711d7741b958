/* What the firmware's main sets up for port.h and lwIP. */
#ifndef LIMPET_BAREMETAL_PLATFORM_H
#define LIMPET_BAREMETAL_PLATFORM_H

#include "partition.h"
#include "seed.h"

#include <stdint.h>

/* Where random numbers come from: a seed that was started, ready or not; must stay. Before lwIP,
 * which begins with one. */
void platform_use_seed(struct seed *seed);
/* Once the NIC has told its address: the host name comes from it. */
void platform_init(const uint8_t mac[6]);
/* Where the files are that the configuration names; must stay. */
void platform_use_partition(const struct partition *partition);
/* "limpet-" and the MAC, so that InfluxDB's host tag is never empty and never the same twice. */
const char *platform_host_name(void);

#endif
