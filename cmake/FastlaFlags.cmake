# Compiler flags: fastla_flags(target) for everything of ours, fastla_core_flags(target) for csrc/.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# The linker may inline a kernel compiled for AVX-512 into code that every CPU runs: no LTO
# anywhere.
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

if(MSVC)
  message(FATAL_ERROR "fastla needs GCC or Clang, whose vector extensions its kernels use.")
endif()

if(FASTLA_SANITIZE)
  add_compile_options(-fsanitize=${FASTLA_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FASTLA_SANITIZE})
endif()

# GCC clears a struct of some hundred bytes with "rep stos", which takes 10 ns to start: a 4 x 4 product
# clears five.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag("-mmemset-strategy=vector_loop:1024:noalign,libcall:-1:noalign"
                        FASTLA_MEMSET_STRATEGY)

function(fastla_flags target)
  if(FASTLA_MEMSET_STRATEGY)
    target_compile_options(
      ${target} PRIVATE -mmemset-strategy=vector_loop:1024:noalign,libcall:-1:noalign)
  endif()
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
                                           $<$<BOOL:${FASTLA_WERROR}>:-Werror>)
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden
                                             CXX_VISIBILITY_PRESET hidden)
endfunction()

# What the numeric contract rests on, after whatever CXXFLAGS brings in:
#   -fno-fast-math        no reassociation, no flushing, NaN and Inf exist;
#   -ffp-contract=off     a*b+c is two roundings, and fma() in vec.hpp is one, at every -O level;
#   trapping math stays on (GCC's default), so that no operation that raises a status flag appears
#   or disappears. errno is the only thing given up: nobody reads it after a square root.
function(fastla_core_flags target)
  fastla_flags(${target})
  # Sanitized, the AVX-512 kernels take GCC more than ten minutes at -O3.
  set(level -O3)
  if(FASTLA_SANITIZE)
    set(level -O1)
  endif()
  target_compile_options(
    ${target} PRIVATE -fno-fast-math -ffp-contract=off -fno-math-errno -fno-exceptions -fno-lto
                      $<$<CONFIG:Release,RelWithDebInfo>:${level}>
                      $<$<CXX_COMPILER_ID:Clang>:-ffp-exception-behavior=maytrap>)
endfunction()
