/* Sizes of this board: one of board/sizes, and what its drivers hold. */
#ifndef LIMPET_BOARD_SIZES_H
#define LIMPET_BOARD_SIZES_H

#include LIMPET_SIZES

/* Bytes of the stack of the one loop, painted and measured. 2048..65536. */
#define LIMPET_STACK_LEN (2816u + 2560u * LIMPET_TLS)

#endif
