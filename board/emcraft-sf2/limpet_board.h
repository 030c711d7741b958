/* Sizes of this board: one of board/sizes, and what its drivers hold. */
#ifndef LIMPET_BOARD_SIZES_H
#define LIMPET_BOARD_SIZES_H

#include LIMPET_SIZES

/* Bytes of the stack of the one loop, painted and measured. 2048..65536. */
#define LIMPET_STACK_LEN (2816u + 2560u * LIMPET_TLS)

/* Receive descriptors with their buffers of 1536 bytes. 8..128. One for each segment of a window
 * that clients send at the same time: 8 x LIMPET_TCP_WND_SEGMENTS. */
#define LIMPET_NIC_DESCRIPTORS 16u

#endif
