"""The caller's rounding mode, FTZ, DAZ and trap masks neither reach a result nor change.

The control word is written by a few lines of C: it has to be in force during nothing but the call."""

import platform
import shutil
import subprocess
import sys

import numpy as np
import oracle
import pytest
import shapes
from shapes import assert_same_bits, random_matrix

CSR_C = """
#include <xmmintrin.h>
unsigned get_csr(void) { return _mm_getcsr(); }
void set_csr(unsigned csr) { _mm_setcsr(csr); }
"""
DEFAULT = 0x1F80
MODES = {
    "ftz": DEFAULT | 0x8000,
    "daz": DEFAULT | 0x0040,
    "ftz and daz": DEFAULT | 0x8040,
    "down": DEFAULT | 0x2000,
    "up": DEFAULT | 0x4000,
    "toward zero": DEFAULT | 0x6000,
    "everything": DEFAULT | 0x6000 | 0x8040,
    "traps": DEFAULT & ~0x0680,  # invalid, divide-by-zero and overflow would kill the process
}
# The child: one call under each mode given, the first of which may be the first call of the process.
CHILD = """
import ctypes, sys
import numpy as np
import fastla
from fastla import _core

library, data, out, isa, threads, *modes = sys.argv[1:]
lib = ctypes.CDLL(library)
lib.get_csr.restype, lib.set_csr.argtypes = ctypes.c_uint, [ctypes.c_uint]
get, put = lib.get_csr, lib.set_csr
x = np.load(data)
if isa:
    fastla.use_isa(isa)
results = {}
threads = int(threads)
with np.errstate(all="ignore"):
    for i, mode in enumerate(modes):
        csr = int(mode)
        for dtype in ("float32", "float64"):
            a, b, c, small = (x[f"{name}_{dtype}"] for name in ("a", "b", "c", "small"))
            y, z, w = np.empty((len(a), b.shape[1]), dtype), np.empty_like(c), np.empty_like(c)
            matmul, gemm = fastla.matmul, fastla.gemm
            put(csr)
            matmul(a, b, y, num_threads=threads)
            after_matmul = get()
            put(csr)
            gemm(small, b, alpha=0.3, beta=0.7, c=c, residual=c, out=z, num_threads=threads)
            after_gemm = get()
            put(csr)
            gemm(small, b, activation="gelu", out=w)
            after_activation = get()
            put(0x1F80)
            for after in (after_matmul, after_gemm, after_activation):
                assert after & ~0x3F == csr & ~0x3F, f"MXCSR was {csr:#x}, became {after:#x}"
            if threads > 1:
                assert _core.team_started()
            results.update({f"{i}_y_{dtype}": y, f"{i}_z_{dtype}": z, f"{i}_w_{dtype}": w})
np.savez(out, **results)
"""


@pytest.fixture(scope="module")
def csr_library(tmp_path_factory):
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("writing MXCSR needs an x86-64 CPU")
    if shutil.which("cc") is None:
        pytest.skip("writing MXCSR needs a C compiler named cc")
    folder = tmp_path_factory.mktemp("csr")
    (folder / "csr.c").write_text(CSR_C)
    library = folder / "csr.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, folder / "csr.c"], check=True)
    return library


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Operands with subnormals, whose sums round nearly everywhere, and what must come out. Sampled
    rows of the large product; all of the small one."""
    rng = np.random.default_rng(41)
    data, want = {}, {}
    for dtype in shapes.DTYPES:
        name = np.dtype(dtype).name
        tiny = np.finfo(dtype).tiny
        a = random_matrix(rng, (200, 300), dtype)
        b = random_matrix(rng, (300, 150), dtype)
        a[:, ::7] *= tiny
        b[::7] *= dtype(0.01)
        small, c = a[:9].copy(), random_matrix(rng, (9, 150), dtype)
        b[:, ::5] *= tiny / 2**14  # columns whose results are subnormal
        c[:, ::5] *= tiny / 2**6
        data |= {f"a_{name}": a, f"b_{name}": b, f"c_{name}": c, f"small_{name}": small}
        want[f"y_{name}"] = oracle.matmul2(a[::20], b)
        want[f"z_{name}"] = oracle.gemm(small, b, alpha=0.3, beta=0.7, c=c, residual=c)
        want[f"w_{name}"] = oracle.gemm(small, b, activation="gelu")
        y = want[f"y_{name}"]
        assert ((np.abs(y) < tiny) & (y != 0)).any()
    path = tmp_path_factory.mktemp("data") / "problem.npz"
    np.savez(path, **data)
    return path, want


def run_child(tmp_path, csr_library, problem, isa, threads, modes):
    path, want = problem
    out = tmp_path / "out.npz"
    arguments = [csr_library, path, out, isa, threads, *modes]
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, arguments)], capture_output=True,
                          text=True)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr}"
    got = np.load(out)
    for i, mode in enumerate(modes):
        for name, expected in want.items():
            y = got[f"{i}_{name}"]
            y = y[::20] if name.startswith("y_") else y
            assert_same_bits(y, expected, f"call {i} under {mode:#x}: {name}")


@pytest.mark.parametrize("mode", MODES)
def test_mode_set_before_the_first_call(isa, tmp_path, csr_library, problem, mode):
    """Workers inherit the control word of the thread that starts them."""
    run_child(tmp_path, csr_library, problem, isa, 2, [MODES[mode], DEFAULT])


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_modes_set_after_the_team_exists(isa, tmp_path, csr_library, problem, threads):
    modes = [DEFAULT]
    for mode in MODES.values():
        modes += [mode, DEFAULT]
    run_child(tmp_path, csr_library, problem, isa, threads, modes)


def test_the_modes_would_change_the_result(tmp_path, csr_library):
    """The test's own teeth: the same product by plain float arithmetic does change under each mode."""
    script = """
import ctypes, struct, sys
lib = ctypes.CDLL(sys.argv[1])
lib.set_csr.argtypes = [ctypes.c_uint]
put = lib.set_csr
x, y, small = 1.0 / 3, -1.0 / 7, 5e-324 * 12345
def bits():
    return struct.pack("4d", x * y, -x * y, small + 0.0, (small * 4097) * 0.125)
want = bits()
for mode in map(int, sys.argv[2:]):
    put(mode)
    got = bits()
    put(0x1F80)
    assert got != want, hex(mode)
"""
    modes = [str(csr) for name, csr in MODES.items() if name != "traps"]
    done = subprocess.run([sys.executable, "-c", script, str(csr_library), *modes],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
