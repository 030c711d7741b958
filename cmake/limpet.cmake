# Helpers of the build: how a room, a unit test and a fuzz target are declared, and the size table.

# Warnings of our own code; third-party code is built with its own defaults.
add_library(limpet_warnings INTERFACE)
target_compile_options(limpet_warnings INTERFACE
    -Wall -Wextra -Werror -Wshadow -Wundef -Wconversion -Wcast-qual -Wmissing-prototypes)

# Paths in assertions and debug information are relative to the project.
add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

if(LIMPET_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "LIMPET_FUZZ needs clang (libFuzzer): use the preset posix-fuzz.")
endif()
if(LIMPET_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(LIMPET_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
endif()

# limpet_room(NAME web SOURCES message.c server.c [DEPENDS limpet_base lwip])
#
# A room of app/ is one static library, limpet_<NAME>. DEPENDS names the rooms and third-party
# libraries whose headers it includes; they are linked along with it. The room is entered in the
# size table.
function(limpet_room)
    cmake_parse_arguments(PARSE_ARGV 0 ROOM "" "NAME" "SOURCES;DEPENDS")
    set(target "limpet_${ROOM_NAME}")
    add_library(${target} STATIC ${ROOM_SOURCES})
    target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/app" "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${target} PUBLIC ${ROOM_DEPENDS} PRIVATE limpet_warnings)
    set_property(GLOBAL APPEND PROPERTY LIMPET_ROOMS "${target}")
endfunction()

# limpet_unit_test(NAME test_out [SOURCES FILE...] [LIBS limpet_base...])
#
# One test program, registered with ctest under NAME. SOURCES defaults to tests/unit/<NAME>.c;
# relative names are looked up in tests/. May be called from any CMakeLists.txt; does nothing in a
# build for a board.
function(limpet_unit_test)
    if(NOT LIMPET_POSIX)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 0 TEST "" "NAME" "SOURCES;LIBS")
    limpet_test_sources(sources "unit/${TEST_NAME}.c" ${TEST_SOURCES})
    add_executable(${TEST_NAME} ${sources})
    target_include_directories(${TEST_NAME} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests/unit" "${PROJECT_SOURCE_DIR}/tests"
        "${PROJECT_SOURCE_DIR}/app" "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${TEST_NAME} PRIVATE ${TEST_LIBS} limpet_warnings)
    set_target_properties(${TEST_NAME} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    add_test(NAME ${TEST_NAME} COMMAND ${TEST_NAME})
    set_tests_properties(${TEST_NAME} PROPERTIES TIMEOUT 900)
endfunction()

# limpet_fuzz_target(NAME fuzz_message [SOURCES FILE...] [LIBS limpet_web...])
#
# One libFuzzer program, built with LIMPET_FUZZ only. SOURCES defaults to tests/fuzz/<NAME>.c.
# As a test it replays tests/fuzz/corpus/<NAME> and tests/regress/<NAME> (where there is one), then a
# fixed number of inputs from a fixed seed: the same work in every run.
function(limpet_fuzz_target)
    if(NOT LIMPET_FUZZ)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 0 FUZZ "" "NAME" "SOURCES;LIBS")
    limpet_test_sources(sources "fuzz/${FUZZ_NAME}.c" ${FUZZ_SOURCES})
    add_executable(${FUZZ_NAME} ${sources})
    target_include_directories(${FUZZ_NAME} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/app" "${PROJECT_SOURCE_DIR}")
    target_compile_definitions(${FUZZ_NAME} PRIVATE _DEFAULT_SOURCE) # guard pages: mmap()
    target_link_libraries(${FUZZ_NAME} PRIVATE ${FUZZ_LIBS})
    target_compile_options(${FUZZ_NAME} PRIVATE -Wall -Wextra -Werror)
    target_link_options(${FUZZ_NAME} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${FUZZ_NAME} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${FUZZ_NAME}")
    set(scratch "${CMAKE_BINARY_DIR}/fuzz/found/${FUZZ_NAME}")
    file(MAKE_DIRECTORY "${scratch}")
    set(dirs "${scratch}")
    foreach(dir "${corpus}" "${PROJECT_SOURCE_DIR}/tests/regress/${FUZZ_NAME}")
        if(IS_DIRECTORY "${dir}")
            list(APPEND dirs "${dir}")
        endif()
    endforeach()
    add_test(NAME ${FUZZ_NAME}
        COMMAND ${FUZZ_NAME} -seed=1 -runs=50000 -max_len=4096 "-artifact_prefix=${scratch}/crash-"
            ${dirs})
    set_tests_properties(${FUZZ_NAME} PROPERTIES TIMEOUT 900)
endfunction()

# The sources of a test: the default, or those named, looked up in tests/.
function(limpet_test_sources result default)
    set(names ${ARGN})
    if(NOT names)
        set(names "${default}")
    endif()
    set(paths)
    foreach(name IN LISTS names)
        cmake_path(ABSOLUTE_PATH name BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/tests" OUTPUT_VARIABLE path)
        list(APPEND paths "${path}")
    endforeach()
    set(${result} "${paths}" PARENT_SCOPE)
endfunction()

# Prints text, data and bss of each room after every build that changed one of them, and keeps the
# table in <build>/room-sizes.txt. With sanitizers the sizes say nothing.
function(limpet_size_table)
    if(LIMPET_SANITIZE)
        return()
    endif()
    get_property(rooms GLOBAL PROPERTY LIMPET_ROOMS)
    set(archives)
    foreach(room IN LISTS rooms ITEMS lwip cjson)
        list(APPEND archives "$<TARGET_FILE:${room}>")
    endforeach()
    find_program(LIMPET_SIZE_TOOL NAMES "${LIMPET_TOOL_PREFIX}size" REQUIRED)
    set(table "${CMAKE_BINARY_DIR}/room-sizes.txt")
    add_custom_command(OUTPUT "${table}"
        COMMAND "${PROJECT_SOURCE_DIR}/tools/room-sizes" "${LIMPET_SIZE_TOOL}" "${table}" ${archives}
        DEPENDS ${rooms} lwip cjson "${PROJECT_SOURCE_DIR}/tools/room-sizes"
        COMMENT "Sizes of the rooms"
        VERBATIM)
    add_custom_target(room_sizes ALL DEPENDS "${table}")
endfunction()
