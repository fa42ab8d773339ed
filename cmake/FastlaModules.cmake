# The two Python modules: _core (pybind11, holds fastla_core) and cython_api (for other compiled
# code).

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module NumPy)
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 CONFIG REQUIRED)

# SYSTEM: warnings in the headers of NumPy and pybind11 are not ours to mend.
file(GLOB binding_sources CONFIGURE_DEPENDS src/*.cpp)
# NO_EXTRAS: without pybind11's link-time optimisation.
pybind11_add_module(_core MODULE NO_EXTRAS ${binding_sources})
fastla_flags(_core)
target_link_libraries(_core PRIVATE fastla_core)
target_include_directories(_core SYSTEM PRIVATE ${Python_NumPy_INCLUDE_DIRS})
# One binary for NumPy 1.26 and every 2.x.
target_compile_definitions(_core PRIVATE NPY_NO_DEPRECATED_API=NPY_1_22_API_VERSION
                                         NPY_TARGET_VERSION=NPY_1_22_API_VERSION)
install(TARGETS _core LIBRARY DESTINATION fastla)

# Generated C: as it is, without our warnings. Cython exports the functions of a .pxd only when it
# finds it at the place in a package that the module's name says.
set(cython_package "${CMAKE_CURRENT_BINARY_DIR}/cython/fastla")
set(cython_api_c "${cython_package}/cython_api.c")
add_custom_command(
  OUTPUT "${cython_api_c}"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${cython_package}"
  COMMAND ${CMAKE_COMMAND} -E touch "${cython_package}/__init__.py"
  COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_CURRENT_SOURCE_DIR}/src/cython_api.pyx"
          "${CMAKE_CURRENT_SOURCE_DIR}/src/cython_api.pxd" "${cython_package}"
  COMMAND ${CMAKE_COMMAND} -E chdir "${CMAKE_CURRENT_BINARY_DIR}/cython"
          $<TARGET_FILE:Python::Interpreter> -m cython -3 fastla/cython_api.pyx --output-file
          "${cython_api_c}"
  DEPENDS src/cython_api.pyx src/cython_api.pxd
  COMMENT "Cython: cython_api.pyx"
  VERBATIM)
Python_add_library(cython_api MODULE WITH_SOABI "${cython_api_c}")
target_include_directories(cython_api PRIVATE csrc/include src)
install(TARGETS cython_api LIBRARY DESTINATION fastla)
install(FILES src/cython_api.pxd DESTINATION fastla)

# What fastla.get_include() names: for C and C++ extension modules, which use the capsule.
install(FILES csrc/include/fastla/gemm.h csrc/include/fastla/status.h src/capi.h
        DESTINATION fastla/include/fastla)

# The library of BLAS routines that `python -m fastla run --blas` loads before NumPy. In C: what it
# needs comes into the process's global scope with it, so that is libc alone.
file(GLOB blas_sources CONFIGURE_DEPENDS src/blas/*.c)
add_library(fastla_blas MODULE ${blas_sources})
fastla_flags(fastla_blas)
set_target_properties(fastla_blas PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
target_include_directories(fastla_blas PRIVATE csrc/include src)
target_link_libraries(fastla_blas PRIVATE ${CMAKE_DL_LIBS})
install(TARGETS fastla_blas LIBRARY DESTINATION fastla)
