/* lwIP's glue as in port/include; its assertions are those of assert.h. */
#ifndef LIMPET_BAREMETAL_ARCH_CC_H
#define LIMPET_BAREMETAL_ARCH_CC_H

#include "port/include/arch/cc.h"

#include <assert.h>

#undef LWIP_PLATFORM_ASSERT
#define LWIP_PLATFORM_ASSERT(text) ASSERT_FAILED()

#endif
