/* CRC-32 (IEEE 802.3, reflected 0xEDB88320), as zlib's crc32: start with 0, feed pieces in
 * order. */
#ifndef LIMPET_BASE_CRC_H
#define LIMPET_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len);

#endif
