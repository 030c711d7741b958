# lwIP, cJSON and mbedTLS: built from the sources that ./dev fetches into build/third_party, or from
# a checkout of your own (-DLWIP_SOURCE_DIR=..., -DCJSON_SOURCE_DIR=..., -DMBEDTLS_SOURCE_DIR=...).
# Their headers are system headers to us: our warnings do not apply to them.

set(fetched "${PROJECT_SOURCE_DIR}/build/third_party")
set(LWIP_SOURCE_DIR "${fetched}/lwip" CACHE PATH "lwIP 2.2 source tree")
set(CJSON_SOURCE_DIR "${fetched}/cjson" CACHE PATH "cJSON 1.7 source tree")
set(MBEDTLS_SOURCE_DIR "${fetched}/mbedtls" CACHE PATH "mbedTLS 3.6 source tree")

function(require_source variable file)
    if(NOT EXISTS "${${variable}}/${file}")
        message(FATAL_ERROR "${file} is not in ${${variable}}.\n"
            "Run tools/fetch-sources once, or name a checkout with -D${variable}=DIR.")
    endif()
endfunction()
# Another version fetched: other files may belong to it.
foreach(name lwip cjson mbedtls)
    if(EXISTS "${fetched}/${name}.version")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${fetched}/${name}.version")
    endif()
endforeach()
require_source(LWIP_SOURCE_DIR src/core/init.c)
require_source(CJSON_SOURCE_DIR cJSON.c)
require_source(MBEDTLS_SOURCE_DIR library/ssl_tls.c)

# lwIP: NO_SYS raw API over IPv4 and Ethernet. Options and compiler glue are in port/include, which
# takes its numbers from app/app_config.h.
set(lwip_core
    def.c dns.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c stats.c sys.c
    tcp.c tcp_in.c tcp_out.c timeouts.c udp.c
    ipv4/acd.c ipv4/dhcp.c ipv4/etharp.c ipv4/icmp.c ipv4/ip4.c ipv4/ip4_addr.c ipv4/ip4_frag.c)
list(TRANSFORM lwip_core PREPEND "${LWIP_SOURCE_DIR}/src/core/")
add_library(lwip STATIC ${lwip_core} "${LWIP_SOURCE_DIR}/src/netif/ethernet.c")
target_include_directories(lwip SYSTEM PUBLIC "${LWIP_SOURCE_DIR}/src/include")
target_include_directories(lwip PUBLIC "${PROJECT_SOURCE_DIR}/port/include" "${PROJECT_SOURCE_DIR}/app")

# cJSON: always refers to malloc, free and realloc, also after cJSON_InitHooks. The names are
# replaced by the arena's, so that no heap is linked; strtod by one that only finds the end (2 kB of
# flash). The scanner refuses deeper nesting and bad numbers first.
add_library(cjson STATIC "${CJSON_SOURCE_DIR}/cJSON.c" third_party/cjson_arena.c)
target_include_directories(cjson SYSTEM PUBLIC "${CJSON_SOURCE_DIR}")
target_include_directories(cjson PUBLIC "${PROJECT_SOURCE_DIR}/third_party")
set_source_files_properties("${CJSON_SOURCE_DIR}/cJSON.c" PROPERTIES COMPILE_DEFINITIONS
    "malloc=cjson_arena_malloc;free=cjson_arena_free;realloc=cjson_arena_realloc;strtod=cjson_skip_number;CJSON_NESTING_LIMIT=32")
set_source_files_properties(third_party/cjson_arena.c PROPERTIES COMPILE_OPTIONS
    "$<TARGET_PROPERTY:limpet_warnings,INTERFACE_COMPILE_OPTIONS>")

# mbedTLS: built when a room links it.
file(GLOB mbedtls_sources "${MBEDTLS_SOURCE_DIR}/library/*.c")
add_library(mbedtls STATIC EXCLUDE_FROM_ALL ${mbedtls_sources})
target_include_directories(mbedtls SYSTEM PUBLIC "${MBEDTLS_SOURCE_DIR}/include")
target_include_directories(mbedtls PRIVATE "${MBEDTLS_SOURCE_DIR}/library")
# A third of the build time with sanitizers; its input is watched by ours at the edge.
target_compile_options(mbedtls PRIVATE "$<$<BOOL:${LIMPET_SANITIZE}>:-fno-sanitize=all>")
# In <>: next to mbedTLS's own headers there is one of the same name.
target_compile_definitions(mbedtls PUBLIC "MBEDTLS_CONFIG_FILE=<mbedtls_config.h>")
target_include_directories(mbedtls PUBLIC "${PROJECT_SOURCE_DIR}/port/include" "${PROJECT_SOURCE_DIR}/app")
