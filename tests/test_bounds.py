"""Nothing outside the operands and the output is touched: they lie against pages without any access."""

import itertools
import sys

import numpy as np
import pytest
from guarded import guarded, held
from process import HERE, run_python

import fastla
from fastla import _core

FLOATS = (np.float32, np.float64)
OTHERS = (np.int8, np.int16, np.int32, np.int64, np.complex64, np.complex128, np.float16)


def products(isa, at_end, dtypes=(*FLOATS, *OTHERS), paths=("auto", "packed", "direct", "vector")):
    """Every path's, at the edges of the instruction set's tiles."""
    rng = np.random.default_rng(7)
    nr = {row.dtype: row.nr for row in fastla.kernels() if row.isa == isa}
    for dtype in dtypes:
        w = nr[np.dtype(dtype).name]
        half = w // 2
        columns = {1, 2, half - 1, half, half + 1, w - 1, w, w + 1, 2 * w - 1, 4 * w + 3} - {0}
        for n, m, k in itertools.product(sorted(columns), (1, 2, 5, 14, 15, 31), (1, 7, 64, 512, 530)):
            a, b = guarded((m, k), dtype, at_end), guarded((k, n), dtype, at_end)
            bt, out = guarded((n, k), dtype, at_end), guarded((m, n), dtype, at_end)
            a[...], b[...] = 9 * rng.standard_normal((m, k)), 9 * rng.standard_normal((k, n))
            bt[...] = b.T
            want = None
            for path in paths:
                _core.force_path(path)
                for right in (b, bt.T):
                    fastla.matmul(a, right, out=out)
                    want = out.copy() if want is None else want
                    assert np.array_equal(out, want), (isa, dtype, m, n, k, path)
                if np.dtype(dtype).kind != "f" or dtype is np.float16:
                    continue
                fastla.linear(a, bt, out[0].copy(), activation="relu", residual=out.copy(), out=out)
            del a, b, bt, out, right
            held.clear()


@pytest.fixture
def checked():
    """The products in a fresh process, which an access outside ends."""
    def check(isa, at_end):
        code = f"import sys; sys.path.insert(0, {HERE!r}); import fastla, test_bounds\n" \
               f"with fastla.use_isa({isa!r}): test_bounds.products({isa!r}, {at_end})\nprint('ok')"
        assert run_python(code, timeout=300) == "ok"
    return check


@pytest.mark.portable
@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
def test_neighbouring_pages(isa, at_end, checked):
    checked(isa, at_end)
