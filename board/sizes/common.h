/* What every board has alike, whatever its number of endpoints: lengths of what peers send. */
#ifndef LIMPET_SIZES_COMMON_H
#define LIMPET_SIZES_COMMON_H

#define LIMPET_LOG_LINE_MAX 240u
#define LIMPET_PARAMS_MAX 4u
#define LIMPET_REJECT_CONNS 1u
#define LIMPET_REQUEST_LINE_MAX 512u
#define LIMPET_HEAD_LEN_MAX 1024u
/* Least; a response has what the request's head has left of LIMPET_HEAD_LEN_MAX besides. */
#define LIMPET_HEAD_OUT_LEN_MAX 512u
#define LIMPET_FIELDS_MAX 24u
#define LIMPET_BODY_LEN_MAX 4096u
#define LIMPET_PATH_PARTS_MAX 16u
#define LIMPET_REDIRECT_HOSTS 2u
#define LIMPET_REDIRECT_HOST_LEN_MAX 64u
#define LIMPET_JSON_KEYS_MAX 256u

#define LIMPET_TLS 0 /* without entropy no key is secret */

#define LIMPET_STATUS_SLOTS 8u
#define LIMPET_HISTOGRAM_PROFILE LIMPET_HISTOGRAM_M1
#define LIMPET_METRICS_VALUES 148u
#define LIMPET_METRICS_VALUE_TABLES 20u
#define LIMPET_STATS_BUFFERS 0u
#define LIMPET_STATS_PIECE_LEN 512u
#define LIMPET_STATS_KEY_LEN 128u
#define LIMPET_INFLUX_BATCH_LEN 16384u

#define LIMPET_TCP_MSS 1460u
#define LIMPET_TCP_WND_SEGMENTS 2u
#define LIMPET_TCP_SND_SEGMENTS 3u
#define LIMPET_TCP_WND_SCALE 0
#define LIMPET_PBUF_LEN 400u
#define LIMPET_IP_FRAGMENTS 0
#define LIMPET_DNS_NAMES 2u

#endif
