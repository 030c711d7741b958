/* The S25FL128 flash on SPI controller 0 of the SmartFusion2: 16 MB, sectors of 64 kB. */
#ifndef LIMPET_SPI_NOR_H
#define LIMPET_SPI_NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPI_NOR_LEN 0x01000000u
#define SPI_NOR_SECTOR_LEN 0x00010000u

/* False: another chip answers, or none; then the others fail too. */
bool spi_nor_init(void);
bool spi_nor_read(uint32_t at, void *bytes, size_t len);
/* The sector that begins there; its bytes become 0xFF. */
bool spi_nor_erase(uint32_t at);
/* Ones become zeros where `bytes` has them. */
bool spi_nor_write(uint32_t at, const void *bytes, size_t len);

#endif
