/* lwIP's glue as in port/include; its assertions without their texts, as in assert.h. */
#ifndef LIMPET_BAREMETAL_ARCH_CC_H
#define LIMPET_BAREMETAL_ARCH_CC_H

#include "port/include/arch/cc.h"

#include <assert.h>

#undef LWIP_PLATFORM_ASSERT
#define LWIP_PLATFORM_ASSERT(text) platform_assert_failed(__FILE__, __LINE__)

#endif
