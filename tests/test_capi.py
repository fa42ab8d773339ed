"""The C headers of fastla.get_include() and the table behind them, as an extension module uses them."""

import os
import shutil
import subprocess
import threading

import numpy as np
import pytest
from compiled import build, example
from shapes import assert_same_bits, layouts, random_matrix

import fastla

STRICT = ("-std=c99", "-Wall", "-Werror")

PROBE = r"""
#include <Python.h>
#include "fastla/capi.h"

static const fastla_capi *fastla;

/* (status, flags) of 1e300 * 1e300, with what the arguments say changed in the description. */
static PyObject *ask(PyObject *self, PyObject *args) {
  double x = 1e300, y = 7;
  long long m, n, k;
  int dtype, size;
  uint32_t flags = 0;
  fastla_status status;
  fastla_gemm_desc desc;
  if (!PyArg_ParseTuple(args, "LLLii", &m, &n, &k, &dtype, &size)) return NULL;
  fastla->gemm_desc_init(&desc);
  desc.dtype = dtype;
  desc.m = m; desc.n = n; desc.k = k;
  desc.a.data = desc.b.data = &x;
  desc.c = &y;
  if (size >= 0) desc.struct_size = (uint32_t)size;
  Py_BEGIN_ALLOW_THREADS
  status = fastla->gemm(&desc, &flags);
  Py_END_ALLOW_THREADS
  return Py_BuildValue("iId", (int)status, flags, y);
}

static PyMethodDef methods[] = {{"ask", ask, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "probe", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_probe(void) {
  PyObject *made;
  if (!(fastla = fastla_import()) || !(made = PyModule_Create(&module))) return NULL;
  PyModule_AddIntConstant(made, "version", fastla->version);
  PyModule_AddIntConstant(made, "header", FASTLA_CAPI_VERSION);
  PyModule_AddIntConstant(made, "size", sizeof(fastla_gemm_desc));
  PyModule_AddIntMacro(made, FASTLA_F64);
  PyModule_AddIntMacro(made, FASTLA_ALL_DTYPES);
  PyModule_AddIntMacro(made, FASTLA_FP_OVERFLOW);
  return made;
}
"""


INCLUDE = fastla.get_include()


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    return build(tmp_path_factory.mktemp("probe"), "probe.c", PROBE, *STRICT, "-I", INCLUDE)


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dense"), "dense.c", example("c"), *STRICT, "-I", INCLUDE)


def test_the_headers_are_installed():
    assert sorted(os.listdir(os.path.join(INCLUDE, "fastla"))) == ["capi.h", "gemm.h", "status.h"]


def test_the_headers_are_cplusplus_too(tmp_path):
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if not compiler:
        pytest.skip("needs a C++ compiler")
    source = tmp_path / "user.cpp"
    source.write_text('#include "fastla/capi.h"\nint f(const fastla_capi *t) { return t->version; }\n')
    warnings = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
    subprocess.run([compiler, "-std=c++11", *warnings, "-fsyntax-only", "-I", INCLUDE, source], check=True)


def test_version(probe):
    assert probe.version == probe.header == 1


def test_a_header_newer_than_the_library(tmp_path):
    """The module says so when it is imported, not later."""
    shutil.copytree(INCLUDE, tmp_path / "include")
    header = tmp_path / "include" / "fastla" / "capi.h"
    text = header.read_text()
    header.write_text(text.replace("FASTLA_CAPI_VERSION 1\n", "FASTLA_CAPI_VERSION 99\n"))
    assert header.read_text() != text
    with pytest.raises(ImportError, match=r"version 1, 99 is needed"):
        build(tmp_path, "probe.c", PROBE, *STRICT, "-I", tmp_path / "include")


def test_status_codes(probe):
    one = (1, 1, 1, probe.FASTLA_F64)
    assert probe.ask(*one, -1) == (0, probe.FASTLA_FP_OVERFLOW, np.inf)
    for bad in [(-1, 1, 1, probe.FASTLA_F64), (1, 1, -1, probe.FASTLA_F64), (2**62, 4, 1, probe.FASTLA_F64),
                (1, 1, 1, -1), (1, 1, 1, probe.FASTLA_ALL_DTYPES)]:
        assert probe.ask(*bad, -1) == (1, 0, 7), bad


def test_sizes_of_the_description(probe):
    """Served are the first header's, this one's and a later one's; smaller is none of ours."""
    one, first = (1, 1, 1, probe.FASTLA_F64), 184
    sizes = {0: 1, first - 8: 1, first: 0, probe.size: 0, probe.size + 64: 0}
    assert {size: probe.ask(*one, size)[0] for size in sizes} == sizes


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (1, 1, 1), (13, 21, 17), (150, 300, 140)], ids=str)
def test_example(dense, shape, rng):
    m, k, n = shape
    a, b = random_matrix(rng, (m, k), np.float64), random_matrix(rng, (k, n), np.float64)
    for name, x in layouts(a):
        if x.dtype.isnative and x.flags.aligned:
            out = np.full((n, m), 7.0).T[::-1]
            dense.product(x, b, out)
            assert_same_bits(out, fastla.matmul(a, b), name)


def test_example_refuses(dense):
    x, y = np.ones((3, 4)), np.ones((4, 5))
    for arguments in [(x, y, np.ones((3, 4))), (x, x, x), (x, y[0], x), (x.astype("f4"), y, np.ones((3, 5)))]:
        with pytest.raises(ValueError, match="agree"):
            dense.product(*arguments)
    frozen = np.ones((3, 5))
    frozen.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        dense.product(x, y, frozen)


def test_example_in_threads(dense, rng):
    a, b = random_matrix(rng, (90, 110), np.float64), random_matrix(rng, (110, 70), np.float64)
    outs = [np.zeros((90, 70)) for _ in range(4)]
    threads = [threading.Thread(target=dense.product, args=(a, b, out)) for out in outs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for out in outs:
        assert_same_bits(out, fastla.matmul(a, b))
