# fastla_core: the C++ core as a static library. It knows nothing of Python.

file(GLOB core_sources CONFIGURE_DEPENDS csrc/runtime/*.cpp csrc/gemm/*.cpp csrc/nn/*.cpp
     csrc/graph/*.cpp csrc/multigrid/*.cpp csrc/retrieval/*.cpp)
# Of the two thread engines one.
if(FASTLA_OPENMP_TEAM)
  list(FILTER core_sources EXCLUDE REGEX "/team\\.cpp$")
else()
  list(FILTER core_sources EXCLUDE REGEX "/team_openmp\\.cpp$")
endif()

# One generic kernel source, compiled once per instruction set by a shim that has the flags listed
# here; nothing else in the library may use more than the platform's baseline.
list(APPEND core_sources csrc/kernels/registry.cpp csrc/kernels/generic.cpp
     csrc/kernels/generic_integers.cpp csrc/kernels/generic_complex.cpp
     csrc/kernels/generic_halves.cpp csrc/kernels/generic_bfloats.cpp
     csrc/kernels/generic_ops.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND core_sources csrc/kernels/avx2.cpp csrc/kernels/avx512.cpp
       csrc/kernels/avx512_narrow.cpp csrc/kernels/avx2_integers.cpp
       csrc/kernels/avx512_integers.cpp csrc/kernels/avx512_vnni_integers.cpp
       csrc/kernels/avx2_complex.cpp csrc/kernels/avx512_complex.cpp
       csrc/kernels/avx2_halves.cpp csrc/kernels/avx512_halves.cpp
       csrc/kernels/avx2_bfloats.cpp csrc/kernels/avx512_bfloats.cpp
       csrc/kernels/avx512_pairs.cpp csrc/kernels/avx2_ops.cpp csrc/kernels/avx512_ops.cpp)
  set_source_files_properties(csrc/kernels/avx2.cpp csrc/kernels/avx2_integers.cpp
                              csrc/kernels/avx2_complex.cpp csrc/kernels/avx2_halves.cpp
                              csrc/kernels/avx2_bfloats.cpp csrc/kernels/avx2_ops.cpp
                              PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  set(avx512 "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl")
  set_source_files_properties(
    csrc/kernels/avx512.cpp csrc/kernels/avx512_narrow.cpp csrc/kernels/avx512_integers.cpp
    csrc/kernels/avx512_complex.cpp csrc/kernels/avx512_halves.cpp csrc/kernels/avx512_bfloats.cpp
    csrc/kernels/avx512_ops.cpp
    PROPERTIES COMPILE_OPTIONS "${avx512}")
  set_source_files_properties(csrc/kernels/avx512_vnni_integers.cpp
                              PROPERTIES COMPILE_OPTIONS "${avx512};-mavx512vnni")
  set_source_files_properties(csrc/kernels/avx512_pairs.cpp
                              PROPERTIES COMPILE_OPTIONS "${avx512};-mavx512bf16")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  list(APPEND core_sources csrc/kernels/neon.cpp csrc/kernels/neon_integers.cpp
       csrc/kernels/neon_complex.cpp csrc/kernels/neon_halves.cpp
       csrc/kernels/neon_bfloats.cpp csrc/kernels/neon_ops.cpp)
endif()

# A tile's loop that straddles a 64-byte line loses 4% (avx512, Granite Rapids).
foreach(source generic avx2 avx512 avx512_narrow neon generic_integers avx2_integers avx512_integers
               avx512_vnni_integers neon_integers generic_complex avx2_complex avx512_complex neon_complex generic_halves
               avx2_halves avx512_halves neon_halves generic_bfloats avx2_bfloats avx512_bfloats avx512_pairs
               neon_bfloats)
  set_property(SOURCE csrc/kernels/${source}.cpp APPEND PROPERTY COMPILE_OPTIONS -falign-loops=64)
endforeach()

add_library(fastla_core STATIC ${core_sources})
fastla_core_flags(fastla_core)
target_include_directories(fastla_core PUBLIC csrc/include PRIVATE csrc)

if(FASTLA_OPENMP_TEAM)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_link_libraries(fastla_core PUBLIC OpenMP::OpenMP_CXX)
endif()
find_package(Threads REQUIRED)
target_link_libraries(fastla_core PUBLIC Threads::Threads)
