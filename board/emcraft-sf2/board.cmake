# Cortex-M3 (cmake/cortex-m3.cmake).
set(board_sources board.c msf2_emac.c spi_nor.c)
