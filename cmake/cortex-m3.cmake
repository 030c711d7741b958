# Toolchain: arm-none-eabi-gcc with picolibc for a Cortex-M3 (the core of mps2-an385).
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(LIMPET_TOOL_PREFIX arm-none-eabi-)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# The specs file may be named once only: twice is an error of the compiler driver.
# What is called once is not inlined: its locals would lie on the stack below everything else that
# its caller calls.
set(CMAKE_C_FLAGS_INIT
    "-mcpu=cortex-m3 -mthumb --specs=picolibc.specs -ffunction-sections -fdata-sections \
-fno-inline-functions-called-once")
