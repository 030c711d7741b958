# Cortex-M3 (cmake/cortex-m3.cmake).
set(board_sources board.c lan9118.c)
