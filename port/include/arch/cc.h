/* lwIP's compiler and platform glue, the same for every port: C11, no OS. */
#ifndef LIMPET_ARCH_CC_H
#define LIMPET_ARCH_CC_H

#include <stdint.h>

/* Supplied by the port: uniform 32 bits for ports, transaction ids and sequence numbers. */
uint32_t port_lwip_rand(void);
/* Supplied by the port: an assertion inside lwIP failed. Does not return. */
void port_lwip_panic(const char *text, const char *file, int line);

/* Supplied by port/wall_clock.c: hooks of lwIP's SNTP client. The server's port; the stamp of a
 * question on `pcb`; the time of an answer, seconds from 2036-02-07. */
struct udp_pcb;
uint16_t port_sntp_port(void);
void port_sntp_ask(struct udp_pcb *pcb, int32_t *seconds, uint32_t *fraction);
void port_sntp_answer(int32_t seconds, uint32_t fraction);

/* Supplied by app/net/transport_tcp.c: whether lwIP takes a segment of a connection (0 = ERR_OK) or
 * leaves it to its peer, who repeats it. */
struct pbuf;
struct tcp_pcb;
int8_t net_segment_arrives(const struct tcp_pcb *pcb, const struct pbuf *p);

#define LWIP_RAND() port_lwip_rand()
#define LWIP_PLATFORM_ASSERT(text) port_lwip_panic((text), __FILE__, __LINE__)
/* Only reached with LWIP_DEBUG, which we never define: no printf in the core. */
#define LWIP_PLATFORM_DIAG(args) ((void)0)

#endif
