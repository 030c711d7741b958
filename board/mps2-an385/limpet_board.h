/* Sizes of this board: one of board/sizes, and what its drivers hold. */
#ifndef LIMPET_BOARD_SIZES_H
#define LIMPET_BOARD_SIZES_H

#include LIMPET_SIZES

/* Bytes of the stack of the one loop, painted and measured. 2048..65536. */
#define LIMPET_STACK_LEN (4608u + 1024u * LIMPET_TLS)

/* Bytes of the ring behind the NIC's FIFO; a power of two. It takes over what the FIFO (10,560
 * bytes in QEMU) cannot hold while the loop is busy. 4096..32768. */
#define LIMPET_NIC_RING_LEN 4096u

#endif
