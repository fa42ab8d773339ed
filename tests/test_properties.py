"""Laws that hold for all operands, over shapes, strides and dtypes that hypothesis picks; and the oracle
against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import oracle
import pytest
import shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapes import assert_same_bits

import fastla

SIZES = st.integers(0, 9)
DTYPES = st.sampled_from(shapes.DTYPES)


def floats(dtype):
    """Finite numbers of every magnitude whose products and sums of nine stay finite, zeros and
    subnormals included."""
    bound = float(dtype(2.0) ** (np.finfo(dtype).maxexp // 2 - 3))
    return st.floats(-bound, bound, width=dtype(0).itemsize * 8)


@st.composite
def matrices(draw, dtype, shape, elements=None):
    """A matrix of the given shape, seen through transposition, steps and reversals."""
    x = draw(hnp.arrays(dtype, shape,
                        elements=floats(dtype) if elements is None else elements,
                        fill=st.nothing()))
    if draw(st.booleans()):
        x = np.asfortranarray(x)
    steps = [draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in shape]
    big = np.full([abs(s) * n for s, n in zip(steps, shape, strict=True)], np.nan, dtype)
    view = big[tuple(slice(None, None, s) for s in steps)]
    view[...] = x
    return view


@st.composite
def operands(draw, elements=None):
    dtype = draw(DTYPES)
    m, k, n = draw(SIZES), draw(SIZES), draw(SIZES)
    chosen = elements(dtype) if elements else None
    return draw(matrices(dtype, (m, k), chosen)), draw(matrices(dtype, (k, n), chosen))


def gamma(count, dtype):
    """Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1: count roundings in a row."""
    u = Fraction(1, 2 ** (np.finfo(dtype).nmant + 1))
    return count * u / (1 - count * u)


@given(operands())
@settings(max_examples=300)
def test_error_within_highams_bound(ab):
    """|C - A B| <= gamma(k) |A| |B|, exactly, plus half a smallest subnormal per rounding.

    A product meets at most min(k, kb) roundings in its block and one per later block: never over k."""
    a, b = ab
    got = fastla.matmul(a, b)
    k, dtype = a.shape[1], a.dtype
    bound, eta = gamma(k, dtype), Fraction(float(np.finfo(dtype).smallest_subnormal)) / 2
    for i, j in np.ndindex(*got.shape):
        terms = [Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[:, j], strict=True)]
        error = abs(Fraction(float(got[i, j])) - sum(terms))
        assert error <= bound * sum(map(abs, terms)) + 2 * k * eta


@pytest.mark.parametrize("k", [1000, 5000])
def test_error_of_long_sums(dtype, k):
    """The same over many blocks of K, against integers: every entry times 2^120 is one."""
    rng = np.random.default_rng(51)
    a, b = rng.standard_normal((5, k)).astype(dtype), rng.standard_normal((k, 7)).astype(dtype)
    got = fastla.matmul(a, b)
    x, y = (np.vectorize(lambda v: int(math.ldexp(v, 120)), otypes=[object])(z) for z in (a, b))
    exact, size = x @ y, abs(x) @ abs(y)
    bound = gamma(min(k, oracle.kb(dtype)) + -(-k // oracle.kb(dtype)) - 1, dtype)
    for i, j in np.ndindex(*got.shape):
        error = abs(Fraction(float(got[i, j])) * 2**240 - exact[i, j])
        assert error <= bound * size[i, j]


@given(operands())
def test_bits_are_the_scalar_oracles(ab):
    a, b = ab
    assert_same_bits(fastla.matmul(a, b), oracle.matmul2_scalar(a, b))


@given(operands())
def test_transposition(ab):
    a, b = ab
    assert_same_bits(fastla.matmul(b.T, a.T).T, fastla.matmul(a, b))


@given(operands(), st.randoms(use_true_random=False))
def test_permuting_rows_and_columns_permutes_the_result(ab, random):
    a, b = ab
    rows, cols = list(range(a.shape[0])), list(range(b.shape[1]))
    random.shuffle(rows)
    random.shuffle(cols)
    want = fastla.matmul(a, b)[rows][:, cols]
    assert_same_bits(fastla.matmul(a[rows], b[:, cols]), want)


@given(operands(), st.data())
def test_slices_of_the_operands_give_slices_of_the_result(ab, data):
    a, b = ab
    rows = slice(*sorted(data.draw(st.tuples(*[st.integers(0, a.shape[0])] * 2))))
    cols = slice(*sorted(data.draw(st.tuples(*[st.integers(0, b.shape[1])] * 2))))
    assert_same_bits(fastla.matmul(a[rows], b[:, cols]), fastla.matmul(a, b)[rows, cols])


@given(operands(lambda dtype: st.integers(-999, 999).map(dtype)), st.integers(-20, 20),
       st.integers(-20, 20))
def test_powers_of_two_scale_exactly(ab, e, f):
    """Nothing over- or underflows here, so (2^e A)(2^f B) = 2^(e+f) (A B) bit by bit."""
    a, b = ab
    p, q = a.dtype.type(2.0) ** e, a.dtype.type(2.0) ** f
    want = fastla.matmul(a, b) * (p * q)
    assert_same_bits(fastla.matmul(a * p, b * q), want)
    assert_same_bits(fastla.gemm(a, b, alpha=float(p) * float(q)), want)


@given(operands(lambda dtype: st.integers(-1000, 1000).map(dtype)))
def test_small_integers_are_exact(ab):
    a, b = ab
    want = (a.astype(object) @ b.astype(object)).astype(a.dtype) if a.shape[1] else 0 * (a @ b)
    assert_same_bits(fastla.matmul(a, b), want + 0)


@given(operands())
def test_zero_columns_and_rows_appended_to_k_change_nothing(ab):
    a, b = ab
    more_a = np.concatenate([a, np.zeros((a.shape[0], 3), a.dtype)], axis=1)
    more_b = np.concatenate([b, np.ones((3, b.shape[1]), b.dtype)])
    assert_same_bits(fastla.matmul(more_a, more_b), fastla.matmul(a, b))


@given(st.data())
def test_stacks(data):
    """Broadcasting stacks of every compatible shape: numpy.matmul's shape, the oracle's bits."""
    dtype = data.draw(DTYPES)
    shape = data.draw(hnp.mutually_broadcastable_shapes(
        signature="(m,k),(k,n)->(m,n)", max_dims=2, max_side=4))
    elements = st.integers(-(2**20), 2**20).map(lambda i: dtype(i) / dtype(3))
    a, b = (data.draw(matrices(dtype, s, elements)) for s in shape.input_shapes)
    got = fastla.matmul(a, b)
    assert got.shape == shape.result_shape
    assert_same_bits(got, oracle.matmul(a, b))


def exact_round(x, dtype):
    """A Fraction rounded to nearest even in the dtype, from integers alone."""
    if x == 0:
        return dtype(0)
    info = np.finfo(dtype)
    e = abs(x.numerator).bit_length() - x.denominator.bit_length()
    e -= abs(x) < Fraction(2) ** e  # now 2^e <= |x| < 2^(e+1)
    ulp = max(e, info.minexp) - info.nmant
    whole = round(x / Fraction(2) ** ulp)  # to nearest, ties to even
    if abs(whole) * Fraction(2) ** ulp > Fraction(float(info.max)):
        return dtype(math.copysign(math.inf, whole))
    return dtype(math.copysign(math.ldexp(abs(whole), ulp), x))


def any_floats(dtype):
    near = st.tuples(st.floats(-1, 1, width=32), st.integers(-1070, 1020)).map(
        lambda t: dtype(math.ldexp(t[0], min(t[1], np.finfo(dtype).maxexp - 1))))
    return st.one_of(near, st.floats(allow_nan=False, allow_infinity=False,
                                     width=dtype(0).itemsize * 8).map(dtype))


@pytest.mark.parametrize("dtype", shapes.DTYPES)
@given(data=st.data())
@settings(max_examples=600)
def test_the_oracles_fma_is_exact(dtype, data):
    """Vectorised, scalar, and rational arithmetic agree; z is often close to -x y."""
    x, y, z = (data.draw(any_floats(dtype)) for _ in range(3))
    with np.errstate(all="ignore"):
        if data.draw(st.booleans()):
            z = -(x * y)
            z = np.nextafter(z, dtype(data.draw(st.sampled_from([-np.inf, 0, np.inf]))))
    scalar = oracle.fma_scalar(x, y, z, dtype)
    vector = oracle.fma(np.full(3, x), np.full(3, y), np.full(3, z))
    assert_same_bits(vector, np.full(3, scalar))
    if np.isfinite(z):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        want = exact_round(exact, dtype)
        assert scalar == want or (exact == 0 and scalar == 0)


@pytest.mark.parametrize("dtype", shapes.DTYPES)
def test_the_oracles_fma_on_special_values(dtype):
    info = np.finfo(dtype)
    v = [0.0, 1.0, 3.0, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal, info.eps]
    v = np.array(v + [-x for x in v], dtype)
    x, y, z = (g.ravel() for g in np.meshgrid(v, v, v))
    with np.errstate(all="ignore"):
        want = [oracle.fma_scalar(*t, dtype) for t in zip(x, y, z, strict=True)]
    assert_same_bits(oracle.fma(x, y, z), np.array(want, dtype))


def test_the_oracles_two_products_agree(dtype):
    rng = np.random.default_rng(52)
    k = 2 * oracle.kb(dtype) + 3
    a = shapes.random_matrix(rng, (3, k), dtype)
    b = shapes.random_matrix(rng, (k, 4), dtype)
    assert_same_bits(oracle.matmul2(a, b), oracle.matmul2_scalar(a, b))
    for length, c in oracle.matmul2(a, b, lengths=(0, 5, k - 3, k)).items():
        assert_same_bits(c, oracle.matmul2_scalar(a[:, :length], b[:length]), f"k {length}")
