/* Table sizes "standard": 16 endpoints, 8 + 2 client slots, 4 backend connections, two 4 kB bodies,
 * 72 histograms. What each costs: app_config.h for the unit, docs/SIZES.md for the sum. */
#ifndef LIMPET_SIZES_STANDARD_H
#define LIMPET_SIZES_STANDARD_H

#define LIMPET_CONFIG_TEXT_LEN_MAX 65536u
#define LIMPET_ENDPOINTS_MAX 16u
#define LIMPET_BACKENDS_MAX 20u
#define LIMPET_HOSTS_MAX 8u
#define LIMPET_HOST_REFS_MAX 32u
#define LIMPET_SEGMENTS_MAX 64u
#define LIMPET_CONFIG_STRINGS_LEN_MAX 768u
#define LIMPET_FINDINGS_MAX 16u
#define LIMPET_RATES_MAX 8u
#define LIMPET_BREAKERS_MAX 4u

#define LIMPET_GATEWAY_CONNS 8u
#define LIMPET_STATS_CONNS 2u
#define LIMPET_BACKEND_CONNS 4u
#define LIMPET_BODIES 2u
#define LIMPET_LIMIT_CLIENTS 16u

#define LIMPET_HISTOGRAMS 72u
#define LIMPET_SPOOL_LEN 4096u

#define LIMPET_PBUFS (20u - 2u * LIMPET_TLS)
#define LIMPET_CLOSING_PCBS 6u
#define LIMPET_TCP_SEGS 40u
#define LIMPET_LWIP_REF_PBUFS 32u
#define LIMPET_LWIP_HEAP_LEN 4096u

#include "sizes/common.h"

#endif
