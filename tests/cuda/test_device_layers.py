"""linear, gemm and gram of arrays on a GPU, with all their steps."""

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import device  # noqa: E402
import reference  # noqa: E402
from device import Array, aligned, call  # noqa: E402
from shapes import assert_same_bits  # noqa: E402
from test_device_products import BFLOAT16, D, F, H, numbers  # noqa: E402

import fastla  # noqa: E402

BACKENDS = pytest.mark.parametrize("backend", [device.emulated, reference.referred], ids=["kernels", "plans"])


@BACKENDS
def test_linear_takes_all_steps(rng, backend):
    x, w = rng.standard_normal((2, 3, 8)).astype(F), rng.standard_normal((5, 8)).astype(F)
    bias, gate, residual = (rng.standard_normal(s).astype(F) for s in ((5,), (2, 3, 5), (2, 3, 5)))
    want = fastla.linear(x, w, bias, activation="gelu", gate=gate, residual=residual)
    with backend() as made:
        got = call("linear", Array(x), Array(w), Array(bias), activation="gelu", gate=Array(gate),
                   residual=Array(residual)).host
        assert len(made.launched) == 1
        assert_same_bits(got, want)
        apart = np.zeros((2, 3, 10), F)[..., ::2]
        apart[...] = gate
        got = call("linear", Array(x), Array(w), Array(bias), activation="gelu", gate=Array(apart),
                   residual=Array(residual), out=Array(residual)).host
    assert got is residual
    assert_same_bits(got, want, "in place")


@BACKENDS
def test_gemm_takes_all_steps(rng, backend):
    a, b, c, gate = (rng.standard_normal(s) for s in ((4, 6), (6, 5), (4, 5), (4, 5)))
    rows, cols = rng.standard_normal((2, 4)), rng.standard_normal((2, 5))
    given = {"c": c, "gate": gate, "row_scale": rows[0], "row_bias": rows[1], "col_scale": cols[0],
             "bias": cols[1]}
    numbers = {"alpha": 0.3, "beta": -2, "activation": "tanh"}
    want = fastla.gemm(a, b, **given, **numbers)
    with backend():
        got = call("gemm", Array(a), Array(b), **{k: Array(x) for k, x in given.items()}, **numbers).host
        assert_same_bits(got, want)
        shifted = np.zeros((5, 5))
        shifted[:4] = c
        given["c"] = shifted[:4]
        call("gemm", Array(a), Array(b), **{k: Array(x) for k, x in given.items()}, **numbers,
             out=Array(shifted[1:]))
    assert_same_bits(shifted[1:], want, "out has memory of c, at other places")


def test_zeros_of_both_signs(rng):
    """Calls that differ in the sign of alpha alone are two."""
    x = np.ones((3, 3))
    with reference.referred():
        for alpha in (0.0, -0.0, 0.0):
            got = call("gemm", Array(x), Array(x), alpha=alpha).host
            assert_same_bits(got, fastla.gemm(x, x, alpha=alpha), str(alpha))
            assert np.signbit(got).all() == np.signbit(alpha)


@pytest.mark.parametrize("dtype", [F, H], ids=str)
def test_totals_that_wait_in_a_workspace(rng, dtype):
    """Blocks of K, where out is what the steps read, or narrower than the sums."""
    a, b, c = (rng.standard_normal(s).astype(dtype) for s in ((3, 520), (520, 4), (3, 4)))
    with device.emulated() as backend:
        if dtype == F:
            want = fastla.gemm(a, b, beta=0.5, c=c)
            got = call("gemm", Array(a), Array(b), beta=0.5, c=Array(c), out=Array(c)).host
        else:
            want = fastla.matmul(a, b)
            got = call("matmul", Array(a), Array(b), precision="exact").host
        assert backend.launched[-1][0].startswith("exact")
    assert_same_bits(got, want)


@pytest.mark.parametrize("dtype", [H, BFLOAT16], ids=str)
def test_layers_of_halves(rng, dtype):
    """In one launch, or two if something is in the way; the sums are exact here."""
    x, w, bias = numbers(rng, (2, 3, 24), dtype), numbers(rng, (8, 24), dtype), numbers(rng, (8,), dtype)
    want = np.maximum(fastla.matmul(x.astype(float), w.T.astype(float)) + bias.astype(float), 0)
    with device.emulated() as backend:
        got = call("linear", Array(aligned(x)), Array(aligned(w)), Array(bias), activation="relu").host
        assert len(backend.launched) == 1
    assert np.array_equal(got.astype(float), want)
    assert got.dtype == (H if dtype == H else F)


def test_gram(rng):
    a = rng.standard_normal((2, 9, 6)).astype(F)
    with reference.referred():
        for side in ("left", "right"):
            assert_same_bits(call("gram", Array(a), side=side).host, fastla.gram(a, side=side), side)
        out = np.empty((2, 6, 6), F)
        assert call("gram", Array(a), out=Array(out)).host is out
        assert_same_bits(out, fastla.gram(a))
        assert_same_bits(call("gram", Array(a), dtype=D).host, fastla.gram(a, dtype=D))
        for keywords, kind, said in [({"side": "up"}, ValueError, "side is 'up'"),
                                     ({"out": Array(out[0])}, ValueError, r"out is \(6, 6\); .* \(2, 6, 6\)"),
                                     ({"out": Array(out.astype(D))}, TypeError, "out is float64; the")]:
            with pytest.raises(kind, match=said):
                call("gram", Array(a), **keywords)
        with pytest.raises(ValueError, match=r"a is \(9,\)"):
            call("gram", Array(a[0, :, 0]))
