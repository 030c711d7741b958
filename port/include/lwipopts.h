/* lwIP's options. Every number that costs memory comes from app_config.h; the reasons stand there.
 *
 * NO_SYS, raw API, IPv4, one loop, no threads. */
#ifndef LIMPET_LWIPOPTS_H
#define LIMPET_LWIPOPTS_H

#include "app_config.h"

/* ---- System: none ---- */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TCPIP_CORE_LOCKING 0

/* ---- Memory: lwIP's own heap (copies of what is being sent) and pools, all static ---- */
#define MEM_ALIGNMENT 8
#define MEM_SIZE LIMPET_LWIP_HEAP_LEN
#define MEMP_MEM_MALLOC 0
#define MEM_LIBC_MALLOC 0
#define MEMP_NUM_PBUF LIMPET_LWIP_REF_PBUFS
#define PBUF_POOL_SIZE LIMPET_PBUFS
#define PBUF_POOL_BUFSIZE LIMPET_PBUF_LEN
#define MEMP_NUM_TCP_PCB LIMPET_TCP_PCBS
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define MEMP_NUM_TCP_SEG LIMPET_TCP_SEGS
#define MEMP_NUM_UDP_PCB 4 /* DHCP, DNS, SNTP, one spare */
#define MEMP_NUM_REASSDATA 2
#define MEMP_NUM_ARP_QUEUE 4
/* SNTP: answer, next question; whether a first one went out. */
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 3)

/* ---- Link and IP ---- */
#define ETH_PAD_SIZE 2
#define LWIP_ETHERNET 1
#define LWIP_ARP 1
#define ARP_QUEUEING 1 /* else the second packet to a new neighbour takes the place of the first */
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* an address in 2-5 ms instead of seconds (measured in QEMU) */
#define LWIP_ACD 0
#define LWIP_AUTOIP 0
#define LWIP_DNS 1
#define DNS_TABLE_SIZE LIMPET_DNS_NAMES
#define DNS_MAX_REQUESTS LIMPET_DNS_NAMES
#define DNS_MAX_NAME_LENGTH 256 /* RFC 1035 section 2.3.4: 255 octets */
#define DNS_LOCAL_HOSTLIST 0
#define DNS_MAX_TTL 300 /* seconds; a wrong answer must not stay for the week that it may claim */
#define IP_REASSEMBLY LIMPET_IP_FRAGMENTS
#define IP_FRAG LIMPET_IP_FRAGMENTS
#define LWIP_NETIF_LOOPBACK LIMPET_NETIF_LOOPBACK
#define LWIP_HAVE_LOOPIF LIMPET_NETIF_LOOPBACK
#define LWIP_NETIF_LINK_CALLBACK 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_SINGLE_NETIF 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* ---- SNTP: port/wall_clock.c ---- */
#define LWIP_DHCP_GET_NTP_SRV 1
#define SNTP_GET_SERVERS_FROM_DHCP 1
#define SNTP_SERVER_DNS 1
#define SNTP_STARTUP_DELAY 0
#define SNTP_CHECK_RESPONSE 2 /* server, and stamp of the question */
#define SNTP_RECV_TIMEOUT 2000
#define SNTP_RETRY_TIMEOUT 2000
#define SNTP_RETRY_TIMEOUT_MAX 64000
#define SNTP_UPDATE_DELAY 1024000 /* the longest usual interval (RFC 5905 section 7.3: 2^10 s) */
#define SNTP_PORT port_sntp_port()
#define SNTP_GET_SYSTEM_TIME_NTP(s, f) port_sntp_ask(sntp_pcb, &(s), &(f))
#define SNTP_SET_SYSTEM_TIME_NTP(s, f) port_sntp_answer((s), (f))

/* ---- TCP ---- */
#define LWIP_TCP 1
#define LWIP_ALTCP 0
#define TCP_MSS LIMPET_TCP_MSS
#define TCP_WND (LIMPET_TCP_WND_SEGMENTS * LIMPET_TCP_MSS)
#define TCP_SND_BUF (LIMPET_TCP_SND_SEGMENTS * LIMPET_TCP_MSS)
#define TCP_SND_QUEUELEN LIMPET_TCP_SND_QUEUE
#define TCP_SNDLOWAT LIMPET_TCP_SND_LOWAT
#define TCP_SNDQUEUELOWAT (LIMPET_TCP_SND_QUEUE / 2)
#define LWIP_WND_SCALE LIMPET_TCP_WND_SCALE
#define TCP_RCV_SCALE 2
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define TCP_QUEUE_OOSEQ 1      /* loss recovery */
#define LWIP_TCP_SACK_OUT 0    /* helps receiving only; +214 instructions a request measured */
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_MSL 1000           /* 120 s of TIME_WAIT are useless for a server on 32 pcbs */
#define TCP_SYNMAXRTX 4
#define TCP_MAXRTX 8
#define TCP_OVERSIZE 0         /* a head and a body in one segment are written with MORE */
#define SO_REUSE 1
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, len, len1, opt2, p) net_segment_arrives((pcb), (p))

/* ---- Statistics: 32 bit, or differences of wrapped 16-bit counters would lie ---- */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LWIP_STATS_DISPLAY 0
#define MEM_STATS 1
#define MEMP_STATS 1
/* Nobody shows these (app/app_service.c). Bad frames count as ETHARP, LINK counts nothing. */
#define LINK_STATS 0
#define ICMP_STATS 0
#define UDP_STATS 0
#define IPFRAG_STATS 0

/* ---- Checksums: computed and checked by us unless a netif says otherwise ---- */
#define CHECKSUM_GEN_IP 1
#define CHECKSUM_GEN_UDP 1
#define CHECKSUM_GEN_TCP 1
#define CHECKSUM_GEN_ICMP 1
#define CHECKSUM_CHECK_IP 1
#define CHECKSUM_CHECK_UDP 1
#define CHECKSUM_CHECK_TCP 1
#define CHECKSUM_CHECK_ICMP 1
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM_ALGORITHM 3

#endif
