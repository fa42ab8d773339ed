"""linear(x, w, b): product, bias, activation, gate and residual of a layer, for x of shape (..., k)."""

import numpy as np
import oracle
import pytest
from shapes import Guarded, assert_same_bits, layouts, random_matrix, strided

import fastla

IN, OUT = 37, 29
LEADING = [(), (1,), (0,), (5,), (2, 3), (3, 0), (2, 3, 4), (1, 7, 1), (0, 2, 0)]
ACTIVATIONS = ["relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"]


@pytest.fixture
def layer(dtype):
    """Weights and bias."""
    rng = np.random.default_rng(71)
    return random_matrix(rng, (OUT, IN), dtype), random_matrix(rng, (OUT,), dtype)


def expected(x, w, **steps):
    """The oracle's result, the leading axes of every matrix taken as one."""
    def rows(v):
        return v.reshape(-1, OUT) if np.ndim(v) == x.ndim and np.ndim(v) > 0 and v.ndim != 1 else v
    y = oracle.matmul2(x.reshape(-1, x.shape[-1]), w.T)
    if x.ndim == 1:
        steps = {name: v[None] if name in ("gate", "residual") else v for name, v in steps.items()}
    steps = {name: rows(v) if name in ("gate", "residual") else v for name, v in steps.items()}
    return oracle.epilogue(y, **steps).reshape(*x.shape[:-1], len(w))


@pytest.mark.parametrize("leading", LEADING, ids=str)
def test_is_matmul_with_the_transpose(isa, dtype, threads, layer, leading):
    w, _ = layer
    x = random_matrix(np.random.default_rng(72), (*leading, IN), dtype)
    got = fastla.linear(x, w, num_threads=threads)
    assert_same_bits(got, fastla.matmul(x, w.T), "matmul")
    assert_same_bits(got, expected(x, w), "oracle")
    assert got.flags.c_contiguous and type(got) is np.ndarray


@pytest.mark.parametrize("leading", LEADING, ids=str)
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_every_step(dtype, layer, leading, activation):
    w, b = layer
    rng = np.random.default_rng(73)
    x = random_matrix(rng, (*leading, IN), dtype)
    gate, residual = (random_matrix(rng, (*leading, OUT), dtype) for _ in range(2))
    for steps in [{"bias": b}, {"gate": gate}, {"residual": residual},
                  {"bias": b, "gate": gate, "residual": residual}]:
        keywords = {"b" if name == "bias" else name: value for name, value in steps.items()}
        got = fastla.linear(x, w, **keywords, activation=activation)
        assert_same_bits(got, expected(x, w, **steps, activation=activation), f"{sorted(steps)}")


def test_is_gemm_of_two_matrices(dtype, threads, layer):
    w, b = layer
    rng = np.random.default_rng(74)
    x = random_matrix(rng, (11, IN), dtype)
    r = random_matrix(rng, (11, OUT), dtype)
    for activation in (None, *ACTIVATIONS):
        got = fastla.linear(x, w, b, activation=activation, gate=r, residual=r, num_threads=threads)
        want = fastla.gemm(x, w.T, bias=b, activation=activation, gate=r, residual=r)
        assert_same_bits(got, want, f"{activation}")


def gamma(n, dtype):
    """Higham's bound on n roundings in a row."""
    u = np.finfo(dtype).eps / 2
    return n * u / (1 - n * u)


@pytest.mark.parametrize("k", [1, 37, 511, 513, 2050])
def test_error_bound(dtype, k):
    """Against wider arithmetic. A product passes at most k + 1 roundings (its chain, and the sums of blocks,
    of which there are fewer than elements in the chains beyond the first); four more steps round once."""
    rng = np.random.default_rng(75)
    x, w = rng.standard_normal((9, k)), rng.standard_normal((OUT, k))
    b, gate, residual = (rng.standard_normal(s) for s in [(OUT,), (9, OUT), (9, OUT)])
    x, w, b, gate, residual = (v.astype(dtype) for v in (x, w, b, gate, residual))
    got = fastla.linear(x, w, b, activation="relu", gate=gate, residual=residual)
    wide = np.float64 if dtype == np.float32 else np.longdouble
    X, W, B, G, R = (v.astype(wide) for v in (x, w, b, gate, residual))
    want = np.maximum(np.einsum("ik,jk->ij", X, W) + B, 0) * G + R
    size = (np.einsum("ik,jk->ij", abs(X), abs(W)) + abs(B)) * abs(G) + abs(R)
    assert (abs(got - want) <= (gamma(k + 5, dtype) + gamma(k + 5, wide)) * size).all()


def views(x):
    """(name, array equal to the 3-D x) whose leading axes may not collapse into one stride."""
    yield "C", np.ascontiguousarray(x)
    yield "Fortran", np.asfortranarray(x)
    yield "every second", strided(x)
    yield "axes exchanged", np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)
    yield "last axis first", np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)
    yield "rows reversed", np.ascontiguousarray(x[:, ::-1])[:, ::-1]
    yield "all reversed", np.ascontiguousarray(x[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    yield "cut", np.ascontiguousarray(np.pad(x, [(0, 0), (1, 2), (3, 0)]))[:, 1:-2, 3:]
    yield "byte-swapped", x.astype(x.dtype.newbyteorder())
    frozen = x.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen


def test_strides(dtype, threads, layer):
    w, b = layer
    rng = np.random.default_rng(76)
    x, r = random_matrix(rng, (4, 6, IN), dtype), random_matrix(rng, (4, 6, OUT), dtype)
    want = expected(x, w, bias=b, activation="tanh", gate=r, residual=r)
    for name, xv in views(x):
        for _, rv in views(r):
            got = fastla.linear(xv, w, b, activation="tanh", gate=rv, residual=rv, num_threads=threads)
            assert_same_bits(got, want, name)
    for name, wv in layouts(w):
        for bv in (b, strided(b), b[::-1].copy()[::-1], b.astype(b.dtype.newbyteorder())):
            got = fastla.linear(x, wv, bv, activation="tanh", gate=r, residual=r)
            assert_same_bits(got, want, name)
            packed = fastla.pack(wv)
            got = fastla.linear(x, packed, bv, activation="tanh", gate=r, residual=r)
            assert_same_bits(got, want, f"{name}, packed")


def test_broadcast_operands(dtype, layer):
    w, b = layer
    row = random_matrix(np.random.default_rng(77), (1, IN), dtype)
    x = np.broadcast_to(row, (3, 4, IN))
    gate = np.broadcast_to(b, (3, 4, OUT))
    assert_same_bits(fastla.linear(x, w, gate=gate), expected(x.copy(), w, gate=gate.copy()), "stride 0")


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
def test_out(dtype, layer, layout):
    w, b = layer
    x = random_matrix(np.random.default_rng(78), (13, IN), dtype)
    target = Guarded((13, OUT), dtype, layout)
    assert fastla.linear(x, w, b, activation="silu", out=target.out) is target.out
    assert_same_bits(target.out, expected(x, w, bias=b, activation="silu"), layout)
    target.check()


def test_out_of_another_dtype(dtype, layer):
    w, b = layer
    x = random_matrix(np.random.default_rng(79), (2, 3, IN), dtype)
    want = fastla.linear(x, w, b)
    for code in ("f4", "f8", ">f8", ">f4", "f2", "g", "D"):
        out = np.zeros((2, 3, OUT), code)
        with np.errstate(over="ignore"):
            assert fastla.linear(x, w, b, out=out) is out
            assert np.array_equal(out, want.astype(code))


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
@pytest.mark.parametrize("role", ["residual", "gate", "both"])
def test_out_is_an_operand_of_the_epilogue(isa, dtype, threads, layer, layout, role):
    w, b = layer
    rng = np.random.default_rng(80)
    x, r = random_matrix(rng, (40, IN), dtype), random_matrix(rng, (40, OUT), dtype)
    roles = ("gate", "residual") if role == "both" else (role,)
    target = Guarded((40, OUT), dtype, layout)
    target.out[...] = r
    fastla.linear(x, w, b, **dict.fromkeys(roles, target.out), out=target.out, num_threads=threads)
    assert_same_bits(target.out, expected(x, w, bias=b, **dict.fromkeys(roles, r)), role)
    target.check()


def test_out_overlaps_something_else(dtype):
    """As if every operand had been copied first."""
    w = random_matrix(np.random.default_rng(81), (30, 30), dtype)
    for arrange in [lambda s: (s[:30], w, {}, s[:30]), lambda s: (s[:30], w, {}, s[1:31]),
                    lambda s: (w, s[:30], {}, s[:30]), lambda s: (w, w, {"residual": s[:30]}, s[1:31]),
                    lambda s: (w, w, {"gate": s[:30]}, s[:30].T), lambda s: (w, w, {"b": s[3]}, s[:30]),
                    lambda s: (s[:30].T, s[:30], {"residual": s[:30]}, s[:30])]:
        buffer = random_matrix(np.random.default_rng(82), (40, 30), dtype)
        x, v, steps, out = arrange(buffer.copy())
        want = fastla.linear(x, v, **steps)
        x, v, steps, out = arrange(buffer)
        fastla.linear(x, v, **steps, out=out)
        assert_same_bits(out, want, "overlap")


def test_mixed_dtypes(layer):
    """The product is computed in the dtype that x, w and b promote to."""
    w, b = (v.astype(np.float64) for v in layer)
    x = random_matrix(np.random.default_rng(83), (6, IN), np.float64)
    single = [v.astype(np.float32) for v in (x, w, b)]
    double = [v.astype(np.float64) for v in single]
    want = fastla.linear(*double)
    assert want.dtype == np.float64
    for which in [(0, 1, 1), (1, 0, 1), (0, 0, 1), (1, 0, 0), (0, 1, 0)]:
        mixed = [(single, double)[wide][i] for i, wide in enumerate(which)]
        assert_same_bits(fastla.linear(*mixed), want, f"{which}")
    assert fastla.linear(*single).dtype == np.float32
    integers = [np.arange(6 * IN).reshape(6, IN) % 7, w, b]
    assert_same_bits(fastla.linear(*integers), fastla.linear(integers[0].astype(np.float64), w, b), "int")
    lists = [v.tolist() for v in double]
    assert_same_bits(fastla.linear(*lists), want, "lists")


def test_one_output_and_one_input(dtype):
    x, w = np.array([[2], [3]], dtype), np.array([[5]], dtype)
    assert fastla.linear(x, w, [1.0]).tolist() == [[11], [16]]
    assert fastla.linear(x[0], w).tolist() == [10]
    empty = fastla.linear(np.ones((4, 0), dtype), np.ones((3, 0), dtype), [1, 2, 3])
    assert empty.tolist() == [[1, 2, 3]] * 4
    assert fastla.linear(np.ones((4, 2), dtype), np.ones((0, 2), dtype)).shape == (4, 0)
