# Compiler and linker flags, as the interface target sessiond_flags that every room links.
# Not here: which preset switches what on (CMakePresets.json).
include(CheckCCompilerFlag)
include(CheckIPOSupported)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
# No -DNDEBUG: cheap invariants are checked in production too.
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(sessiond_flags INTERFACE)
target_include_directories(sessiond_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(sessiond_flags INTERFACE
    _GNU_SOURCE
    SESSIOND_VERSION="${PROJECT_VERSION}"
    $<$<BOOL:${SESSIOND_TEST_HOOKS}>:SESSIOND_TEST_HOOKS>)
# -fPIE rather than CMake's -fPIC for libraries: nothing here is interposed, so calls may be inlined.
target_compile_options(sessiond_flags INTERFACE -fPIE)
# Bound at start: bound late, the dynamic linker leaves vector registers, and so pieces of values, on the stack.
target_link_options(sessiond_flags INTERFACE -pie -Wl,-z,now)

target_compile_options(sessiond_flags INTERFACE
    -Wall -Wextra -Wpedantic
    -Wconversion -Wsign-conversion -Wdouble-promotion
    -Wshadow -Wundef -Wvla -Wdate-time
    -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes -Wmissing-declarations
    -Wnested-externs
    -Wformat=2 -Wwrite-strings
    -Wcast-align -Wcast-qual -Wpointer-arith
    -Wimplicit-fallthrough
    $<$<BOOL:${SESSIOND_WERROR}>:-Werror>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sessiond_flags INTERFACE
        -Wno-format-truncation # a message cut to fit its buffer is meant to be
        -Wduplicated-cond -Wtrampolines -Walloc-zero -Wjump-misses-init)
else()
    target_compile_options(sessiond_flags INTERFACE
        -Wcomma -Wunreachable-code -Wconditional-uninitialized)
endif()

# Adds the flags that this compiler and processor know.
function(sessiond_add_known)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            target_compile_options(sessiond_flags INTERFACE ${flag})
        endif()
    endforeach()
endfunction()

# Only in releases: fortification and zeroed locals hide what the sanitizers look for.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    sessiond_add_known(
        -fstack-protector-strong -fstack-clash-protection
        -fcf-protection=full -mbranch-protection=standard
        -ftrivial-auto-var-init=zero
        -fno-strict-overflow -fno-delete-null-pointer-checks)
    # Which instructions are used is the distribution's choice, which of them are quick is not: tuned for any
    # processor, gcc clears a struct by `rep stos`, which takes as long as looking a session up (decision 0019).
    sessiond_add_known(-mtune=icelake-server)
    target_compile_options(sessiond_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    # The same program wherever the tree lies.
    target_compile_options(sessiond_flags INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
    target_link_options(sessiond_flags INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
    target_link_options(sessiond_flags INTERFACE
        -Wl,-z,relro -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
    check_ipo_supported(RESULT ipo_works OUTPUT ipo_message LANGUAGES C)
    if(ipo_works)
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    else()
        message(STATUS "building without link-time optimisation: ${ipo_message}")
    endif()
endif()

# Fuzzing is a matter of speed.
if(SESSIOND_SANITIZE MATCHES "fuzzer")
    set(CMAKE_C_FLAGS_DEBUG "-O2 -g")
endif()

if(SESSIOND_SANITIZE)
    set(sanitize -fsanitize=${SESSIOND_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_compile_options(sessiond_flags INTERFACE ${sanitize})
    target_link_options(sessiond_flags INTERFACE ${sanitize})
    # Comparisons that are traced take more time than all else, and seeds know the words: docs/decisions/0016-fuzzing.md.
    if(SESSIOND_SANITIZE MATCHES "fuzzer")
        target_compile_options(sessiond_flags INTERFACE -fno-sanitize-coverage=trace-cmp)
    endif()
    # What libFuzzer steers by, for the short runs.
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND SESSIOND_SANITIZE MATCHES "^address")
        target_compile_options(sessiond_flags INTERFACE -fsanitize-coverage=inline-8bit-counters,pc-table)
    endif()
endif()

if(SESSIOND_COVERAGE)
    target_compile_options(sessiond_flags INTERFACE --coverage -fprofile-abs-path -fprofile-update=atomic)
    target_link_options(sessiond_flags INTERFACE --coverage)
endif()
