/* Table sizes "small": 4 endpoints, 4 + 1 client slots, 2 backend connections, one 4 kB body, 24
 * histograms. What each costs: app_config.h for the unit, docs/SIZES.md for the sum. */
#ifndef LIMPET_SIZES_SMALL_H
#define LIMPET_SIZES_SMALL_H

#define LIMPET_CONFIG_TEXT_LEN_MAX 16384u
#define LIMPET_ENDPOINTS_MAX 4u
#define LIMPET_BACKENDS_MAX 6u
#define LIMPET_HOSTS_MAX 4u
#define LIMPET_HOST_REFS_MAX 8u
#define LIMPET_SEGMENTS_MAX 24u
#define LIMPET_CONFIG_STRINGS_LEN_MAX 384u
#define LIMPET_FINDINGS_MAX 8u
#define LIMPET_RATES_MAX 4u
#define LIMPET_BREAKERS_MAX 2u

#define LIMPET_GATEWAY_CONNS 4u
#define LIMPET_STATS_CONNS 1u
#define LIMPET_BACKEND_CONNS 2u
#define LIMPET_BODIES 1u
#define LIMPET_LIMIT_CLIENTS 8u

#define LIMPET_HISTOGRAMS 24u
#define LIMPET_SPOOL_LEN 2048u

#define LIMPET_PBUFS 16u
#define LIMPET_CLOSING_PCBS 3u
#define LIMPET_TCP_SEGS 24u
#define LIMPET_LWIP_REF_PBUFS 16u
#define LIMPET_LWIP_HEAP_LEN 3072u

#include "sizes/common.h"

#endif
