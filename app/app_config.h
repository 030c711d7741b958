/* Every size of the core: meaning, unit, range, default, RAM cost per unit.
 *
 * A board is a set of these numbers: it defines what differs in `limpet_board.h` and builds with
 * -DLIMPET_BOARD_CONFIG='"limpet_board.h"'. The defaults are the Linux profile, where untouched
 * pages of .bss cost nothing. lwipopts.h and mbedtls_config.h take their numbers from here. */
#ifndef LIMPET_APP_CONFIG_H
#define LIMPET_APP_CONFIG_H

#ifdef LIMPET_BOARD_CONFIG
#include LIMPET_BOARD_CONFIG
#endif

/* ---- Identity ---------------------------------------------------------------------------------
 */

/* Version of the software: `limpetd version`, the X-Krakend field, User-Agent. */
#ifndef LIMPET_VERSION
#define LIMPET_VERSION "0.1.0"
#endif

/* When this software was made, seconds since 1970: no clock that says an earlier time is believed,
 * and nothing is dated before it. The day of the version (2026-01-01), raised with it, so that the
 * same sources give the same bytes; the build takes SOURCE_DATE_EPOCH of its environment instead
 * (reproducible-builds.org), where that is set. */
#ifndef LIMPET_BUILD_UNIX_S
#define LIMPET_BUILD_UNIX_S INT64_C(1767225600)
#endif

/* ---- Configuration ----------------------------------------------------------------------------
 */

/* Bytes of krakend.json. 256..16 MiB. The text stays in place: struct config points into it. */
#ifndef LIMPET_CONFIG_TEXT_LEN_MAX
#define LIMPET_CONFIG_TEXT_LEN_MAX (1024u * 1024u)
#endif

/* Entries of endpoints[]. 1..4096. About 200 B each, plus its metric series. */
#ifndef LIMPET_ENDPOINTS_MAX
#define LIMPET_ENDPOINTS_MAX 256u
#endif

/* Backends of all endpoints together. 1..8192. About 150 B each, plus its metric series. */
#ifndef LIMPET_BACKENDS_MAX
#define LIMPET_BACKENDS_MAX 512u
#endif

/* Different entries of all "host" lists together (equal ones are stored once). 1..8192. 48 B each.
 */
#ifndef LIMPET_HOSTS_MAX
#define LIMPET_HOSTS_MAX 512u
#endif

/* Entries of all "host" lists together, the root's counted once. 1..16384. 2 B each. */
#ifndef LIMPET_HOST_REFS_MAX
#define LIMPET_HOST_REFS_MAX (2u * LIMPET_BACKENDS_MAX)
#endif

/* {params} of one endpoint path. 1..32. 24 B each, in each exchange. */
#ifndef LIMPET_PARAMS_MAX
#define LIMPET_PARAMS_MAX 16u
#endif

/* Pieces of all endpoint paths and url_patterns together (literal text or {param}). 1..65535. 32 B
 * each (16 B on 32 bit). */
#ifndef LIMPET_SEGMENTS_MAX
#define LIMPET_SEGMENTS_MAX (8u * LIMPET_BACKENDS_MAX)
#endif

/* Backends of one endpoint. 1..250. 16 B each, once. */
#ifndef LIMPET_MERGE_MAX
#define LIMPET_MERGE_MAX 64u
#endif

/* Calls of one backend at the same time (concurrent_calls). 1..255. No memory of its own. */
#ifndef LIMPET_CONCURRENT_CALLS_MAX
#define LIMPET_CONCURRENT_CALLS_MAX 5u
#endif

/* Entries of all lists of header fields and query parameters, parts of `target`, and twice the
 * entries of `mapping`, together. 1..65535. 16 B each (8 B on 32 bit). */
#ifndef LIMPET_NAMES_MAX
#define LIMPET_NAMES_MAX (8u * LIMPET_BACKENDS_MAX)
#endif

/* Entries of the router's trusted_proxies. 1..255. 17 B each. */
#ifndef LIMPET_TRUSTED_PROXIES
#define LIMPET_TRUSTED_PROXIES 64u
#endif

/* Different keys of all `allow` and `deny` lists together, one for each part of a dotted path.
 * 2..65535. 24 B each (12 B on 32 bit). */
#ifndef LIMPET_FILTER_NODES_MAX
#define LIMPET_FILTER_NODES_MAX (8u * LIMPET_BACKENDS_MAX)
#endif

/* Rate limits of endpoints (max_rate and client_max_rate count as one each) and backends together.
 * 1..65535. 64 B each. */
#ifndef LIMPET_RATES_MAX
#define LIMPET_RATES_MAX (2u * LIMPET_ENDPOINTS_MAX + LIMPET_BACKENDS_MAX)
#endif

/* Circuit breakers. 1..65535. 64 B each (56 B on 32 bit). */
#ifndef LIMPET_BREAKERS_MAX
#define LIMPET_BREAKERS_MAX LIMPET_BACKENDS_MAX
#endif

/* Bytes of strings that config must keep and that do not stand verbatim in the text (unescaped
 * strings, metric names with {x} turned into :x or {{.X}}). 256..1 MiB. 1 B each. */
#ifndef LIMPET_CONFIG_STRINGS_LEN_MAX
#define LIMPET_CONFIG_STRINGS_LEN_MAX (64u * 1024u)
#endif

/* Bytes of the scratch arena for cJSON's tree while a configuration is loaded; overlays memory that
 * is used only after loading. About 64 B a JSON value on 64 bit, 40 B on 32 bit, plus the strings.
 */
#ifndef LIMPET_SCRATCH_LEN
#define LIMPET_SCRATCH_LEN (16u * 1024u * 1024u)
#endif

/* Findings (errors, warnings, notes) that one load of a configuration reports one by one; more are
 * only counted. 8..1000. LIMPET_FINDING_LEN_MAX + 16 B each, at the start of the scratch arena. */
#ifndef LIMPET_FINDINGS_MAX
#define LIMPET_FINDINGS_MAX 64u
#endif

/* Bytes of the message of one finding; a longer one is cut. 80..255. */
#ifndef LIMPET_FINDING_LEN_MAX
#define LIMPET_FINDING_LEN_MAX 200u
#endif

/* ---- Text -------------------------------------------------------------------------------------
 */

/* Nesting of JSON that is scanned, configuration and bodies. 4..255. 1 bit of stack each. */
#ifndef LIMPET_JSON_DEPTH_MAX
#define LIMPET_JSON_DEPTH_MAX 32u
#endif

/* Bytes of one log line. 128..4096. One buffer. */
#ifndef LIMPET_LOG_LINE_MAX
#define LIMPET_LOG_LINE_MAX 512u
#endif

/* ---- Connections ------------------------------------------------------------------------------
 */

/* Client connections of the gateway listener. 1..4096. One request head buffer, one pcb and one
 * transport each. */
#ifndef LIMPET_GATEWAY_CONNS
#define LIMPET_GATEWAY_CONNS 512u
#endif

/* Client connections of the metrics listener; its slots are its own, so that /__stats/ stays
 * reachable when the gateway is flooded. 1..64. */
#ifndef LIMPET_STATS_CONNS
#define LIMPET_STATS_CONNS 16u
#endif

/* Connections to backends and to InfluxDB together. 1..1024. One response head buffer each. */
#ifndef LIMPET_BACKEND_CONNS
#define LIMPET_BACKEND_CONNS 256u
#endif

/* New connections of one listener that found no free slot and wait for their turn: each takes the
 * slot of an idle one or is told 503; more are reset. 1..16. One transport each. */
#ifndef LIMPET_REJECT_CONNS
#define LIMPET_REJECT_CONNS 8u
#endif

/* Bytes of a request line: above it 414 (RFC 9112 section 3 recommends at least 8000). 256..65535.
 */
#ifndef LIMPET_REQUEST_LINE_MAX
#define LIMPET_REQUEST_LINE_MAX 8192u
#endif

/* Bytes of a message head, start line included: above it 431, or the backend's error. 512..65535.
 * One buffer per client and per backend connection. */
#ifndef LIMPET_HEAD_LEN_MAX
#define LIMPET_HEAD_LEN_MAX 16384u
#endif

/* Header fields of one message. 8..255. 32 B each (16 B on 32 bit), per connection. */
#ifndef LIMPET_FIELDS_MAX
#define LIMPET_FIELDS_MAX 96u
#endif

/* Bytes of the line with a chunk's size and its extensions. 32..4096. No buffer. */
#ifndef LIMPET_CHUNK_LINE_MAX
#define LIMPET_CHUNK_LINE_MAX 256u
#endif

/* Bytes of a response head that we compose, and of a request head to a backend. 512..65535. One
 * buffer per client connection (behind the request's head: what that leaves free is added); a
 * backend connection has one buffer for both kinds of head. */
#ifndef LIMPET_HEAD_OUT_LEN_MAX
#define LIMPET_HEAD_OUT_LEN_MAX 16384u
#endif

/* ---- Exchanges --------------------------------------------------------------------------------
 */

/* Requests in work at the same time. 1..4096. One per gateway connection is enough: more never run.
 */
#ifndef LIMPET_EXCHANGES
#define LIMPET_EXCHANGES LIMPET_GATEWAY_CONNS
#endif

/* Backend bodies held at the same time (not for no-op, which streams). 1..4096. */
#ifndef LIMPET_BODIES
#define LIMPET_BODIES 128u
#endif

/* Bytes of one held backend body: above it the body is that backend's error. 512..64 MiB. */
#ifndef LIMPET_BODY_LEN_MAX
#define LIMPET_BODY_LEN_MAX (1024u * 1024u)
#endif

/* Parts between the slashes of a path; paths with more are 404. 4..255. 16 B of stack each (8 B on
 * 32 bit), twice. */
#ifndef LIMPET_PATH_PARTS_MAX
#define LIMPET_PATH_PARTS_MAX 32u
#endif

/* Calls of backends at the same time, those that wait for a connection included; with more it is
 * that backend's error. 1..65535. About 500 B each (250 B on 32 bit). */
#ifndef LIMPET_BACKEND_CALLS
#define LIMPET_BACKEND_CALLS (LIMPET_EXCHANGES + LIMPET_BACKEND_CONNS)
#endif

/* Bytes of what return_error_details writes before and behind a body: its name and 40 B, and the
 * body's Content-Type and 30 B. 80..1024. Twice on the stack. */
#ifndef LIMPET_ERROR_NAME_LEN_MAX
#define LIMPET_ERROR_NAME_LEN_MAX 200u
#endif

/* Clients that client_max_rate remembers, of all endpoints together (one client of two endpoints
 * counts twice): the least recent one leaves for a new one. 1..65535. 42 B each. */
#ifndef LIMPET_LIMIT_CLIENTS
#define LIMPET_LIMIT_CLIENTS 4096u
#endif

/* Redirects of a backend that one call follows (KrakenD follows 10). 0..255. */
#ifndef LIMPET_REDIRECTS_MAX
#define LIMPET_REDIRECTS_MAX 10u
#endif

/* Different hosts outside of the configuration that backends may redirect to while the daemon runs;
 * a redirect to a further one is that backend's error. 1..255. Each 40 B and its name. */
#ifndef LIMPET_REDIRECT_HOSTS
#define LIMPET_REDIRECT_HOSTS 16u
#endif
/* Bytes of such a host with its port; DNS names have at most 253. 16..260. */
#ifndef LIMPET_REDIRECT_HOST_LEN_MAX
#define LIMPET_REDIRECT_HOST_LEN_MAX 128u
#endif

/* Members of one object of a backend's body, where a rule looks into it; with more it is that
 * backend's error. 8..65536. 4 B each, once; 2 B where bodies are short enough for offsets of 16
 * bits. */
#ifndef LIMPET_JSON_KEYS_MAX
#define LIMPET_JSON_KEYS_MAX 16384u
#endif

/* Bytes of a request body that nobody reads: so many are read away after the response to keep the
 * connection, with more it is closed (Go's net/http takes 256 KiB). 0..1 MiB. No buffer. */
#ifndef LIMPET_DRAIN_LEN_MAX
#define LIMPET_DRAIN_LEN_MAX (64u * 1024u)
#endif

/* Connections processed in one turn of app_poll; the rest wait for the next turn. 1..1024. */
#ifndef LIMPET_WORK_PER_TURN
#define LIMPET_WORK_PER_TURN 256u
#endif

/* ---- Deadlines (milliseconds) -----------------------------------------------------------------
 */

/* Whole request head after its first byte, and from accept to the first byte (the reference's
 * metrics listener uses ReadHeaderTimeout 3 s; 408 after it). */
#ifndef LIMPET_HEADER_TIMEOUT_MS
#define LIMPET_HEADER_TIMEOUT_MS 3000u
#endif

/* Silence while a request body is read or a response is written. */
#ifndef LIMPET_STALL_TIMEOUT_MS
#define LIMPET_STALL_TIMEOUT_MS 10000u
#endif

/* An idle keep-alive client connection is closed after it. */
#ifndef LIMPET_IDLE_TIMEOUT_MS
#define LIMPET_IDLE_TIMEOUT_MS 60000u
#endif

/* An idle backend connection is kept for reuse for so long (Go's http.Transport keeps 90 s; nginx
 * and Node close after 75 s and 5 s: a short time avoids stale ones). */
#ifndef LIMPET_BACKEND_IDLE_TIMEOUT_MS
#define LIMPET_BACKEND_IDLE_TIMEOUT_MS 4000u
#endif

/* A clean stop pushes what is buffered for at most so long. */
#ifndef LIMPET_STOP_TIMEOUT_MS
#define LIMPET_STOP_TIMEOUT_MS 3000u
#endif

/* A closed connection whose peer does not take what is left is reset after it (lwIP waits as long
 * in FIN_WAIT_2: 20 s). Its pcb is the first to go when there are no others. */
#ifndef LIMPET_LINGER_TIMEOUT_MS
#define LIMPET_LINGER_TIMEOUT_MS 20000u
#endif

/* A turn of the loop that comes so much later than it was due moves all deadlines by that time.
 * 10..10000. */
#ifndef LIMPET_TURN_LATE_MS
#define LIMPET_TURN_LATE_MS 100u
#endif

/* ---- Metrics ----------------------------------------------------------------------------------
 */

/* Different endpoint names and different (layer, name) pairs of the proxy metrics. */
#ifndef LIMPET_ENDPOINT_SERIES_MAX
#define LIMPET_ENDPOINT_SERIES_MAX LIMPET_ENDPOINTS_MAX
#endif
#ifndef LIMPET_PROXY_SERIES_MAX
#define LIMPET_PROXY_SERIES_MAX (LIMPET_ENDPOINTS_MAX + LIMPET_BACKENDS_MAX)
#endif

/* Status codes an endpoint counts by themselves; later ones count as "other". 2..255. 26 B each on
 * Linux, 18 B on boards. */
#ifndef LIMPET_STATUS_SLOTS
#define LIMPET_STATUS_SLOTS 64u
#endif

/* How a histogram keeps its values (metrics/histogram.h): L is exact up to 1028 values a window and
 * at most 0.79 % off above; M1 and M2 are exact up to 108 and 216 values, and 4.83 % and 3.03 % off
 * above. */
#define LIMPET_HISTOGRAM_L 0
#define LIMPET_HISTOGRAM_M1 1
#define LIMPET_HISTOGRAM_M2 2
#ifndef LIMPET_HISTOGRAM_PROFILE
#define LIMPET_HISTOGRAM_PROFILE LIMPET_HISTOGRAM_L
#endif

/* Histograms with bucket memory at the same time; 4 x endpoints + 8 is what an ordinary
 * configuration has active. 2..65535. 8296 B each in profile L, 480 B in M1, 916 B in M2. */
#ifndef LIMPET_HISTOGRAMS
#define LIMPET_HISTOGRAMS (4u * LIMPET_ENDPOINTS_MAX + 8u)
#endif

/* Values below limpet.: counters of all rooms, pools, uptime (metrics/service.h). 16..1000. 4 B
 * each: its place in the index of /__stats. */
#ifndef LIMPET_METRICS_VALUES
#define LIMPET_METRICS_VALUES 256u
#endif

/* Bytes of the fields that they show, which are kept as they were sampled. 64..65535. */
#ifndef LIMPET_METRICS_SAMPLED_LEN
#define LIMPET_METRICS_SAMPLED_LEN (8u * LIMPET_METRICS_VALUES)
#endif

/* Tables of such values: one for each struct that is looked into. 2..255. 24 B each (12 B on 32
 * bit). */
#ifndef LIMPET_METRICS_VALUE_TABLES
#define LIMPET_METRICS_VALUE_TABLES 32u
#endif

/* A window that is due waits so long for an answer that shows the one before, piece by piece, then
 * the answer is cut. Below a second: the time stamps of the points count seconds. 0..999. */
#ifndef LIMPET_WINDOW_HOLD_MS
#define LIMPET_WINDOW_HOLD_MS 900u
#endif

/* A window that closes so much after its time gets its real close time and counts as
 * late. 1..60000. */
#ifndef LIMPET_WINDOW_LATE_MS
#define LIMPET_WINDOW_LATE_MS 1000u
#endif

/* ---- /__stats ---------------------------------------------------------------------------------
 */

/* Rendered answers kept at the same time, shared by all readers of the same state of the table; a
 * slow reader keeps its own. When all are kept by slow readers, further answers are made piece by
 * piece, as on boards (0 = always so). 0..64. LIMPET_STATS_BUFFER_LEN each. */
#ifndef LIMPET_STATS_BUFFERS
#define LIMPET_STATS_BUFFERS 4u
#endif

/* Bytes of a rendered answer; a longer one is made piece by piece. About 100 B a key: 29 endpoints
 * have 2,523 keys. 1024..64 MiB. Untouched pages cost nothing on Linux. */
#ifndef LIMPET_STATS_BUFFER_LEN
#define LIMPET_STATS_BUFFER_LEN (8u * 1024u * 1024u)
#endif

/* Bytes of one piece of an answer. 64..65535. One buffer per connection of the metrics listener. */
#ifndef LIMPET_STATS_PIECE_LEN
#define LIMPET_STATS_PIECE_LEN 2048u
#endif

/* Bytes in which the part of a key that its neighbours share is kept; a longer key costs more time,
 * nothing else. 64..4096. One buffer. */
#ifndef LIMPET_STATS_KEY_LEN
#define LIMPET_STATS_KEY_LEN 512u
#endif

/* ---- InfluxDB ---------------------------------------------------------------------------------
 */

/* Bytes of window records that wait for InfluxDB in RAM. 1 KiB..1 GiB. */
#ifndef LIMPET_SPOOL_LEN
#define LIMPET_SPOOL_LEN (4u * 1024u * 1024u)
#endif

/* Bytes of one write request's body; at least one window, however long, is sent. InfluxDB takes 25
 * MB, proxies before it often 1 MB. 1 KiB..1 MiB. No buffer: the text is made while it is sent. */
#ifndef LIMPET_INFLUX_BATCH_LEN
#define LIMPET_INFLUX_BATCH_LEN (256u * 1024u)
#endif

/* Bytes of InfluxDB's error answer that are kept for the log. 32..1024. One buffer. */
#ifndef LIMPET_INFLUX_ANSWER_LEN_MAX
#define LIMPET_INFLUX_ANSWER_LEN_MAX 200u
#endif

/* Deadline of one request to InfluxDB, from the last bytes of it that the connection took (the
 * reference's client: 10 s from its start). */
#ifndef LIMPET_INFLUX_TIMEOUT_MS
#define LIMPET_INFLUX_TIMEOUT_MS 10000u
#endif

/* First wait after an answer that will stay the same until somebody changes something: 401, 403,
 * 404, a redirect. 1..3600. */
#ifndef LIMPET_INFLUX_SLOW_S
#define LIMPET_INFLUX_SLOW_S 60u
#endif

/* Longest back-off between two tries. */
#ifndef LIMPET_INFLUX_BACKOFF_MAX_S
#define LIMPET_INFLUX_BACKOFF_MAX_S 300u
#endif

/* ---- TLS --------------------------------------------------------------------------------------
 */

/* 0: no TLS in this build, https:// is refused. 0..1. With it, all that follows is added, and about
 * 110 kB of flash on Cortex-M3. */
#ifndef LIMPET_TLS
#define LIMPET_TLS 1
#endif

/* 1: mbedTLS with small code and tables: 10 kB less flash on Cortex-M3, handshakes take about twice
 * as long. 0..1. */
#ifndef LIMPET_TLS_SMALL
#define LIMPET_TLS_SMALL 0
#endif

/* Encrypted connections to backends and InfluxDB at the same time; calls beyond it wait for their
 * turn. 1..1024. A transport, the two
 * buffers below and about 700 B each (400 B on 32 bit), plus their part of the arena. */
#ifndef LIMPET_TLS_CONNS
#define LIMPET_TLS_CONNS 64u
#endif

/* Bytes of mbedTLS's arena, the only heap there is. Measured on 64 bit: a handshake with a chain
 * of 3 certificates of RSA-4096 on both sides peaks at 66 kB, of which 17 kB stay (our own chain
 * and key) and 24 kB are the two lengths below; one with a chain of P-256 at 40 kB. An open
 * connection keeps the two lengths and 5 kB. 40 KiB..1 GiB. mbedTLS clears it at the start, so
 * that it costs its pages on Linux too. */
#ifndef LIMPET_TLS_ARENA_LEN
#define LIMPET_TLS_ARENA_LEN (64u * 1024u + LIMPET_TLS_CONNS * 56u * 1024u)
#endif

/* Bytes of a record that a peer may send (RFC 8446 section 5.1: 16384, and few servers let one
 * choose less), and of a handshake message: a server's whole chain. 2048..16384. In the arena, one
 * for each connection. */
#ifndef LIMPET_TLS_IN_LEN
#define LIMPET_TLS_IN_LEN 16384u
#endif

/* Bytes of a record that we send: our own chain, when there is a client certificate, must fit.
 * 1024..16384. In the arena, one for each connection. */
#ifndef LIMPET_TLS_OUT_LEN
#define LIMPET_TLS_OUT_LEN 8192u
#endif

/* Decrypted bytes that wait for their reader, and bytes gathered for one record. 64..16384, the
 * second at most LIMPET_TLS_OUT_LEN. One buffer of each for each connection. */
#ifndef LIMPET_TLS_READ_LEN
#define LIMPET_TLS_READ_LEN 4096u
#endif
#ifndef LIMPET_TLS_WRITE_LEN
#define LIMPET_TLS_WRITE_LEN 4096u
#endif

/* Sessions kept to resume, the oldest is replaced. 1..1024. About 300 B each (200 B on 32 bit), and
 * its ticket in the arena (200 B from most servers, 2 kB when it carries a client certificate). */
#ifndef LIMPET_TLS_SESSIONS
#define LIMPET_TLS_SESSIONS 32u
#endif

/* Authorities that are trusted, of all files together (Debian's bundle has 150). 1..65535. 16 B
 * each (12 B on 32 bit). */
#ifndef LIMPET_TLS_AUTHORITIES
#define LIMPET_TLS_AUTHORITIES 1024u
#endif

/* PEM files with authorities for one purpose. 1..16. 24 B each. */
#ifndef LIMPET_TLS_FILES
#define LIMPET_TLS_FILES 4u
#endif

/* Servers that are remembered to need signatures without RSA-PSS (tls/conn.c). 1..255. 4 B each. */
#ifndef LIMPET_TLS_PLAIN_HOSTS
#define LIMPET_TLS_PLAIN_HOSTS 8u
#endif

/* Certificates between the server's and an authority. 1..8: bounds the longest handshake step. */
#ifndef LIMPET_TLS_INTERMEDIATES_MAX
#define LIMPET_TLS_INTERMEDIATES_MAX 4u
#endif

/* Bits of the longest RSA key; longer ones are refused. 2048..8192: bounds a handshake step. */
#ifndef LIMPET_TLS_RSA_BITS_MAX
#define LIMPET_TLS_RSA_BITS_MAX 4096u
#endif

/* The same reason for the same host is logged again after so long. */
#ifndef LIMPET_TLS_LOG_AGAIN_MS
#define LIMPET_TLS_LOG_AGAIN_MS 10000u
#endif

/* ---- lwIP -------------------------------------------------------------------------------------
 */

/* Bytes of a TCP segment. 536..16382. On slirp (host-local, MTU 65521) one send() a segment makes
 * large segments several times faster; on other netifs the MTU bounds it anyway. */
#ifndef LIMPET_TCP_MSS
#define LIMPET_TCP_MSS 8960u
#endif

/* Segments in the receive window of a connection (1..64) and in its send buffer (2..64). */
#ifndef LIMPET_TCP_WND_SEGMENTS
#define LIMPET_TCP_WND_SEGMENTS 16u
#endif
#ifndef LIMPET_TCP_SND_SEGMENTS
#define LIMPET_TCP_SND_SEGMENTS 16u
#endif

/* Received frames held by lwIP at the same time, and bytes of each. A frame larger than one is a
 * chain. lwIP touches a page of each at the start; Linux's netif has buffers of its own
 * (port/posix/rx_frames.h), so these serve the unit tests there. */
#ifndef LIMPET_PBUFS
#define LIMPET_PBUFS 512u
#endif
#ifndef LIMPET_PBUF_LEN
#define LIMPET_PBUF_LEN 9216u
#endif

/* pbufs that only refer to memory (one per segment being sent without copying). 24 B each. */
#ifndef LIMPET_LWIP_REF_PBUFS
#define LIMPET_LWIP_REF_PBUFS 4096u
#endif

/* Segments queued for sending on all connections. 32 B each (20 B on 32 bit). */
#ifndef LIMPET_TCP_SEGS
#define LIMPET_TCP_SEGS 16384u
#endif

/* Connections that nobody owns any more and that lwIP is still closing (FIN_WAIT, TIME_WAIT): so
 * many beside one for each transport. When the pool is full the oldest TIME_WAIT goes. 4..1024. 200
 * B each (168 B on 32 bit). */
#ifndef LIMPET_CLOSING_PCBS
#define LIMPET_CLOSING_PCBS (LIMPET_TRANSPORTS < 32u ? LIMPET_TRANSPORTS : 32u)
#endif

/* 1: datagrams in fragments are put together and sent. Nobody here needs them: TCP never sends any,
 * and answers of DNS and DHCP fit a frame. 0 saves 2.3 kB of flash. */
#ifndef LIMPET_IP_FRAGMENTS
#define LIMPET_IP_FRAGMENTS 1
#endif

/* Host names in lwIP's resolver: cached, and being asked for. About 280 B each. */
#ifndef LIMPET_DNS_NAMES
#define LIMPET_DNS_NAMES 16u
#endif

/* 1: windows above 64 kB (RFC 7323). */
#ifndef LIMPET_TCP_WND_SCALE
#define LIMPET_TCP_WND_SCALE 1
#endif

/* 1: the netif can talk to itself (unit tests only). */
#ifndef LIMPET_NETIF_LOOPBACK
#define LIMPET_NETIF_LOOPBACK 0
#endif

/* Bytes of lwIP's heap: copies of data that is being sent. */
#ifndef LIMPET_LWIP_HEAP_LEN
#define LIMPET_LWIP_HEAP_LEN (64u * 1024u * 1024u)
#endif

/* ---- Derived ----------------------------------------------------------------------------------
 */

#define LIMPET_TRANSPORTS                                                                          \
    (LIMPET_GATEWAY_CONNS   /* clients of the gateway */                                           \
     + LIMPET_STATS_CONNS   /* clients of the metrics listener */                                  \
     + LIMPET_BACKEND_CONNS /* backends and InfluxDB */                                            \
     + LIMPET_TLS * LIMPET_TLS_CONNS /* the encrypted side of those that are */                    \
     + 2u * LIMPET_REJECT_CONNS) /* clients without a slot, of either listener */

#define LIMPET_TIMERS                                                                              \
    (LIMPET_GATEWAY_CONNS + LIMPET_STATS_CONNS /* header, body, idle deadline: one a connection */ \
     + LIMPET_REJECT_CONNS +                                                                       \
     2u * LIMPET_BACKEND_CONNS /* idle deadline of the connection, deadline of its call */         \
     + 2u * LIMPET_EXCHANGES   /* deadline of the endpoint, of its pipe */                         \
     + 8u)                     /* window tick, once a second, writer (2), stop, client, 2 spare */

#define LIMPET_TCP_PCBS (LIMPET_TRANSPORTS + LIMPET_CLOSING_PCBS)

/* Segments one connection may queue: two a segment of the send buffer (head and body), at least 8.
 */
#define LIMPET_TCP_SND_QUEUE (4u * LIMPET_TCP_SND_SEGMENTS)

/* Room that makes a connection writable again. lwIP wants it below 65535 - 4 x MSS and below the
 * buffer. */
#define LIMPET_TCP_SND_LOWAT (2u * LIMPET_TCP_MSS)

/* Received pbufs one connection may hold: its window in segments of 1 kB (or of one pbuf), and
 * some; never more than half of the pool. A peer that sends tiny segments, or whose bytes nobody
 * takes yet, cannot have the whole pool: what else arrives would be lost. */
#define LIMPET_RX_PBUFS_WANTED                                                                     \
    (LIMPET_TCP_WND_SEGMENTS * LIMPET_TCP_MSS /                                                    \
         (LIMPET_PBUF_LEN < 1024u ? LIMPET_PBUF_LEN : 1024u) +                                     \
     16u)
#define LIMPET_RX_PBUFS_MAX                                                                        \
    (LIMPET_RX_PBUFS_WANTED < LIMPET_PBUFS / 2u ? LIMPET_RX_PBUFS_WANTED : LIMPET_PBUFS / 2u)

/* Used pbufs from which on a connection with some unread gets no more: one is left for each client.
 */
#define LIMPET_RX_PBUFS_SHARED                                                                     \
    (LIMPET_PBUFS > 2u * LIMPET_GATEWAY_CONNS ? LIMPET_PBUFS - LIMPET_GATEWAY_CONNS                \
                                              : LIMPET_PBUFS / 2u)

/* Series that are not of an endpoint or a proxy: the 6 of the router, the 36 of the service. */
#define LIMPET_FIXED_SERIES 42u

/* Pieces of the sorted index of /__stats. A histogram or timer is one piece, unless keys of another
 * name sort between its own. Only a longer name does, one that goes on where a key of this one
 * does ("/a" and "/a.size"); all its keys that sort between two of this one's are in one place, so
 * no name splits more than one piece that is whole before. 4 B each. */
#define LIMPET_STATS_ENTRIES                                                                       \
    (LIMPET_FIXED_SERIES                                                                           \
     + LIMPET_ENDPOINT_SERIES_MAX *                                                                \
           (3u + LIMPET_STATUS_SLOTS + 1u + 1u) /* status, size, time, codes; a split */           \
     + LIMPET_PROXY_SERIES_MAX * (4u + 4u + 1u) /* requests, latency of 4 label pairs; a split */  \
     + LIMPET_METRICS_VALUES)

#define LIMPET_MS_TO_NS(ms) ((uint64_t)(ms)*UINT64_C(1000000))
#define LIMPET_S_TO_NS(s) ((uint64_t)(s)*UINT64_C(1000000000))

_Static_assert(LIMPET_REQUEST_LINE_MAX < LIMPET_HEAD_LEN_MAX, "the head holds the request line");
_Static_assert(LIMPET_HEAD_LEN_MAX <= 65535u, "field offsets are 16 bit");
_Static_assert(LIMPET_BACKENDS_MAX >= LIMPET_ENDPOINTS_MAX, "each endpoint has a backend at least");
_Static_assert(LIMPET_WINDOW_HOLD_MS < 1000u, "points carry seconds");
_Static_assert(LIMPET_STATUS_SLOTS <= 255u, "slots are counted in a byte");
_Static_assert(LIMPET_LIMIT_CLIENTS <= 65535u, "clients are counted in 16 bit");
_Static_assert(LIMPET_TLS_WRITE_LEN <= LIMPET_TLS_OUT_LEN, "what is gathered is one record");
_Static_assert(LIMPET_STATS_PIECE_LEN >= 64u, "a value is never split");

#endif
