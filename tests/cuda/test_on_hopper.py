"""Products of arrays on an emulated Hopper: which kernel computes them, and that it is right."""

import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import ml_dtypes  # noqa: E402
from device import A100, H200, Array, Emulated, emulated  # noqa: E402

from fastla.cuda import splits  # noqa: E402
from fastla.cuda.families import FAMILIES  # noqa: E402

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
E4M3, E5M2 = (np.dtype(x) for x in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2))


@pytest.fixture
def backend():
    with emulated(Emulated(H200)) as made:
        yield made


def small(rng, shape, dtype):
    """Small whole numbers: sums are exact in any order."""
    return rng.integers(-4, 5, shape).astype(dtype)


def families(backend):
    return [name.split()[0] for name, *_ in backend.launched]


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=str)
def test_matmul(backend, dtype):
    """By fastla.matmul itself: as it lies, transposed, copied where copies of boxes do not reach it."""
    rng = np.random.default_rng(0)
    a, b = small(rng, (72, 80), dtype), small(rng, (80, 136), dtype)
    wide = a.astype(float) @ b.astype(float)
    odd = np.zeros((72, 81), dtype)[:, 1:]
    odd[...] = a
    ways = [(a, b, ["hopper"]), (np.asfortranarray(a), b, ["hopper"]), (a, np.asfortranarray(b), ["hopper"]),
            (odd, b, ["copy", "hopper"]), (a[:, ::-1], b[::-1], ["copy", "copy", "hopper"])]
    for x, y, wanted in ways:
        backend.launched.clear()
        got = fastla.matmul(Array(x), Array(y), dtype=np.float32)
        assert np.array_equal(got.host, wide) and got.host.dtype == np.float32
        assert families(backend) == wanted
    got = fastla.matmul(Array(a), Array(b)).host
    assert got.dtype == (np.float32 if dtype == BFLOAT16 else np.float16)
    assert np.array_equal(got.astype(float), wide)


def test_stacks(backend):
    """One launch where there is one stride; an operand for all is not repeated."""
    rng = np.random.default_rng(1)
    a, b = small(rng, (3, 65, 40), np.float16), small(rng, (40, 64), np.float16)
    want = a.astype(float) @ b
    assert np.array_equal(fastla.matmul(Array(a), Array(b)).host, want)
    each = small(rng, (3, 40, 64), np.float16)
    assert np.array_equal(fastla.matmul(Array(a), Array(each)).host, a.astype(float) @ each)
    assert np.array_equal(fastla.matmul(Array(a[0]), Array(each)).host, a[0].astype(float) @ each)
    assert families(backend) == ["hopper"] * 3


def test_linear(backend):
    rng = np.random.default_rng(2)
    x, w = small(rng, (2, 33, 24), np.float16), small(rng, (40, 24), np.float16)
    b, residual = small(rng, 40, np.float16), small(rng, (2, 33, 40), np.float16)
    got = fastla.linear(Array(x), Array(w), Array(b), activation="relu", residual=Array(residual))
    x, w, b, residual = (y.astype(np.float32) for y in (x, w, b, residual))
    assert np.array_equal(got.host, fastla.linear(x, w, b, activation="relu", residual=residual))
    assert families(backend) == ["hopper"]


def test_out(backend):
    """Strided, and one that an operand lies in."""
    rng = np.random.default_rng(3)
    a, b = small(rng, (64, 64), np.float16), small(rng, (64, 64), np.float16)
    want = a.astype(float) @ b
    out = Array(np.zeros((64, 128), np.float16)[:, ::2])
    assert fastla.matmul(Array(a), Array(b), out=out) is out
    assert np.array_equal(out.host, want)
    x = Array(a.copy())
    fastla.matmul(x, Array(b), out=x)
    assert np.array_equal(x.host, want)
    assert families(backend) == ["hopper", "hopper", "copy"]


def test_vectors_and_nothing(backend):
    rng = np.random.default_rng(4)
    a, x = small(rng, (70, 40), np.float16), small(rng, 40, np.float16)
    for precision in ("highest", "fast"):
        for pair in ((a, x), (x, a.T)):
            got = fastla.matmul(*map(Array, pair), precision=precision)
            assert np.array_equal(got.host, a.astype(float) @ x)
    assert families(backend) == ["hopper", "hopper", "vectors", "vectors"]
    empty = np.zeros((3, 0), np.float16)
    assert not fastla.matmul(Array(empty), Array(empty.T)).host.any()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integers(backend, dtype):
    rng = np.random.default_rng(5)
    a, b = (rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
            for shape in ((33, 300), (300, 50)))
    got = fastla.matmul(Array(a), Array(b), dtype=np.int32)
    assert np.array_equal(got.host, fastla.matmul(a, b, dtype=np.int32)) and got.host.dtype == np.int32
    nothing = fastla.matmul(Array(a[:, :0]), Array(b[:0]), dtype=np.int32).host
    assert nothing.shape == (33, 50) and not nothing.any()
    wrong = [(a, b, {}), (a, b, {"dtype": np.int64}), (a, b.astype(np.int16), {"dtype": np.int32})]
    for x, y, keywords in wrong:
        with pytest.raises(TypeError, match="int32"):
            fastla.matmul(Array(x), Array(y), **keywords)
    with emulated(Emulated(A100)), pytest.raises(TypeError, match="no kernel computes products of "):
        fastla.matmul(Array(a), Array(b), dtype=np.int32)


@pytest.mark.parametrize("a_kind, b_kind", [(E4M3, E4M3), (E5M2, E5M2), (E4M3, E5M2)], ids=str)
def test_float8(backend, a_kind, b_kind):
    """To float32 or what is asked for, scaled by rows and columns; unlike ones, and all without tensor cores
    for them, as float16; the contract's bits by "exact"."""
    rng = np.random.default_rng(10)
    a = np.zeros((12, 48), a_kind)[:, :43]  # lines of 16 bytes
    a[...], b = rng.standard_normal((12, 43)), rng.standard_normal((43, 16)).astype(b_kind)
    wide = a.astype(np.float32), b.astype(np.float32)
    exact, sizes = wide[0].astype(float) @ wide[1], abs(wide[0]).astype(float) @ abs(wide[1])
    alike = a_kind == b_kind
    for gpu, kernels in ((H200, ["copy", "hopper"] if alike else ["copy", "copy", "hopper"]),
                         (A100, ["copy", "copy", "halves"])):
        with emulated(Emulated(gpu)) as used:
            for dtype in (None, np.float16, BFLOAT16)[: 3 if gpu is H200 else 1]:
                used.launched.clear()
                got = fastla.matmul(Array(a), Array(b), dtype=dtype).host
                assert got.dtype == (dtype or np.float32) and families(used) == kernels
                unit = {None: 0, np.float16: 2.0**-11, BFLOAT16: 2.0**-8}[dtype]
                off = 45 * 2.0 ** (-13 if kernels == ["copy", "hopper"] else -23) * sizes
                assert (abs(got.astype(float) - exact) <= off + unit * (abs(exact) + off)).all()
            got = fastla.matmul(Array(a), Array(b), precision="exact").host
            assert got.tobytes() == fastla.matmul(*wide).tobytes()
    ones, scales = np.ones((12, 43), a_kind), rng.random((2, 16)).astype(np.float32)
    out = Array(np.zeros((12, 16), BFLOAT16))
    on_gpu = {"row_scale": Array(scales[0, :12]), "col_scale": Array(scales[1]), "out": out}
    fastla.gemm(Array(ones), Array(np.ones((43, 16), b_kind)), **on_gpu)
    want = np.float32(43) * scales[0, :12, None] * scales[1]
    assert np.array_equal(out.host, want.astype(BFLOAT16))
    linear = fastla.linear(Array(ones), Array(np.ones((16, 43), b_kind)), Array(scales[1])).host
    assert np.array_equal(linear, np.broadcast_to(np.float32(43) + scales[1], (12, 16)))
    assert not fastla.matmul(Array(ones[:, :0]), Array(b[:0])).host.any()


def test_short_sums(backend):
    """Tensor cores keep 14 bits of a stage's: the sums of stages have all of float32's."""
    a, b = np.zeros((2, 3, 272), E4M3)
    a[:, 5], b[:, 5], a[:, 100], b[:, 100], a[:, 140], b[:, 140] = 256, 64, 2, 1, 1, 1
    a[:, 260], b[:, 260] = 256, -64
    assert (fastla.matmul(Array(a), Array(b.T)).host == 3).all() and families(backend) == ["hopper"]


def test_what_is_not_there_of_float8(backend):
    x, y = Array(np.ones((4, 4), E4M3)), Array(np.ones((4, 4), np.float16))
    with pytest.raises(TypeError, match="float8_e4m3fn and float16; float8 is multiplied by float8 alone"):
        fastla.matmul(x, y)
    with pytest.raises(TypeError, match="result would be float64; of float8_e4m3fn it is one of float16"):
        fastla.matmul(x, x, dtype=np.float64)
    with pytest.raises(TypeError, match="the result would be float8_e4m3fn"):
        fastla.matmul(x, x, dtype=E4M3)
    with pytest.raises(TypeError, match="an operand is float8_e5m2"):
        fastla.gemm(x, x, bias=Array(np.ones(4, E5M2)))
    assert not backend.launched


def test_precision(backend, monkeypatch):
    """Of float32 only what is asked for: 11 bits of each factor, or all; float64's tensor cores."""
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((40, 64)).astype(np.float32), rng.standard_normal((64, 48)).astype(np.float32)
    want = fastla.matmul(a, b).tobytes()
    for precision, exact in (("highest", True), ("exact", True), ("tf32", False)):
        if not exact:  # of so few elements the exact product is as fast
            monkeypatch.delitem(FAMILIES, "exact")
        got = fastla.matmul(Array(a), Array(b), precision=precision).host
        assert (got.tobytes() == want) == exact
        bound = (2.1 * 2**-10 + 64 * 2**-23) * (abs(a).astype(float) @ abs(b))
        assert (abs(got - a.astype(float) @ b) <= bound).all()
    monkeypatch.undo()
    x, y = a.astype(float), b.astype(float)
    got = fastla.matmul(Array(x), Array(y), precision="exact").host
    assert got.tobytes() == fastla.matmul(x, y).tobytes()
    assert "exact" in families(backend)[-1]
    np.testing.assert_allclose(fastla.matmul(Array(x), Array(y)).host, x @ y, rtol=0, atol=1e-13)
    assert families(backend)[-1] == "doubles"


def test_high_precision(backend, monkeypatch):
    """Three products in one: 22 bits of each factor."""
    monkeypatch.delitem(FAMILIES, "exact")
    rng = np.random.default_rng(7)
    a = (rng.standard_normal((2, 40, 75)) * np.exp2(rng.integers(-20, 20, (2, 40, 75)))).astype(np.float32)
    b = rng.standard_normal((48, 75)).astype(np.float32).T
    got = fastla.matmul(Array(a), Array(b), precision="high").host
    assert families(backend)[:3] == ["split", "split", "hopper"]
    bound = (2**-20 + 3 * 75 * 2**-23) * (abs(a).astype(float) @ abs(b))
    error = abs(got - a.astype(float) @ b)
    assert (error <= bound).all() and (error <= bound / 8).mean() > 0.9
    assert abs(fastla.matmul(Array(a), Array(b), precision="tf32").host - got).max() > bound.max()


def test_numbers_in_two_parts():
    """To 22 bits, the largest ones too; infinities and NaN have no second part."""
    x = np.array([1 / 3, -1e-30, 3.4028235e38, -3.4028235e38, 1 + 2**-11, 2.0**-120, 0, np.inf, -np.inf,
                  np.nan, 2.0**-149], np.float32)
    hi = np.array([splits._cut_model(None, v) for v in x])
    with np.errstate(invalid="ignore"):
        rest = x - hi
    lo = np.array([splits._cut_model(None, v) if v == v else np.float32(0) for v in rest])
    assert (hi.view(np.uint32) & 0x1FFF == 0).all() and (lo.view(np.uint32) & 0x1FFF == 0).all()
    finite = np.isfinite(x)
    off = abs(hi[finite].astype(float) + lo[finite] - x[finite])
    assert (off <= 2.0**-22 * abs(x[finite].astype(float)) + 2.0**-149 * 2**13).all()
    assert np.isinf(hi[7:9]).all() and np.isnan(hi[9]) and not lo[7:10].any()


def test_parts_of_k(backend):
    """Few tiles of a long K: it is divided, and the parts are added by a kernel that does the steps."""
    rng = np.random.default_rng(9)
    x, w = small(rng, (2, 33, 1104), np.float16), small(rng, (40, 1104), np.float16)
    b, residual = small(rng, 40, np.float16), small(rng, (2, 33, 40), np.float16)
    on_gpu = [Array(y) for y in (x, w, b)]
    got = fastla.linear(*on_gpu, activation="relu", residual=Array(residual), precision="fast")
    x, w, b, residual = (y.astype(np.float32) for y in (x, w, b, residual))
    want = fastla.linear(x, w, b, activation="relu", residual=residual).astype(np.float16)
    assert np.array_equal(got.host, want)
    assert [name for name, *_ in backend.launched] == ["hopper f16 64 steps steps", "add parts"]
    assert backend.launched[0][1][0] == 4
    backend.launched.clear()
    fastla.linear(*on_gpu)
    assert [name for name, *_ in backend.launched] == ["hopper f16 64 steps steps"]


def test_steps_of_a_column(backend):
    """Its kernel takes rows for columns; the order of scales and biases stays."""
    rng = np.random.default_rng(8)
    a, b, rows = (rng.standard_normal(shape).astype(np.float32) for shape in ((60, 40), (40, 1), (4, 60)))
    cols = rng.standard_normal((2, 1)).astype(np.float32)
    steps = {"row_scale": rows[0], "col_scale": cols[0], "bias": cols[1], "row_bias": rows[1],
             "residual": rows[2][:, None], "c": rows[3][:, None], "beta": 0.3}
    on_gpu = {name: x if name == "beta" else Array(x) for name, x in steps.items()}
    got = fastla.gemm(Array(a), Array(b), **on_gpu)
    assert got.host.tobytes() == fastla.gemm(a, b, **steps).tobytes()
    assert families(backend) == ["vectors"]


def test_mixed_with_the_cpu(backend):
    with pytest.raises(TypeError, match=r"matmul: x2 .*Array.*not numpy.ndarray"):
        fastla.matmul(Array(np.ones((2, 2))), np.ones((2, 2)))
    assert not backend.launched
