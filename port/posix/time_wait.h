/* Lets a new connection take the place of one that lwIP still keeps in TIME_WAIT.
 *
 * lwIP answers a SYN for such an address pair with an ACK and ignores what follows, so a client
 * that uses its port again hangs for 1, 3, 7 s. RFC 9293 section 3.10.7.4 allows the SYN when its
 * sequence number is beyond the old connection's. Measured with `ab -c 1` on lwIP 2.2.1: a hang
 * after 4,000-12,000 connections without this, none in 38,000 with it. */
#ifndef LIMPET_POSIX_TIME_WAIT_H
#define LIMPET_POSIX_TIME_WAIT_H

struct pbuf;

/* Before the frame (ETH_PAD_SIZE bytes, then Ethernet) is given to lwIP: drops the old connection
 * if the frame is such a SYN. The frame is only looked at. */
void time_wait_yield(const struct pbuf *frame);

#endif
