"""vecdot, matvec, vecmat, matrix_transpose, multi_dot and matrix_power mean what NumPy's functions mean.

NumPy's of the first three exist from 2.0 and 2.2 on; einsum's loop of one operand is the oracle for values.
"""

import itertools
import re

import numpy as np
import pytest
from agreement import assert_same, builtin_type, integers, outcome

import fastla
from fastla import _matrices

CODES = "?bhilqBHILQefdgFDGO"
# The same by numpy.einsum, which multiplies in a loop of its own: no BLAS, and no check of lengths of 1.
ORACLES = {
    "vecdot": lambda x, y: np.einsum("...n,...n->...", x.conj(), y),
    "matvec": lambda x, y: np.einsum("...mn,...n->...m", x, y),
    "vecmat": lambda x, y: np.einsum("...n,...nm->...m", x.conj(), y),
}
VECTOR, MATRIX = (3,), (4, 3)
CORES = {"vecdot": (VECTOR, VECTOR), "matvec": (MATRIX, VECTOR), "vecmat": (VECTOR, MATRIX[::-1])}
STACKS = [((), ()), ((2,), ()), ((), (2,)), ((2,), (2,)), ((5, 1), (2,)), ((1,), (3, 2)), ((0,), ()),
          ((0, 2), (1, 2))]


def of(name, first, second, code="d", other=None):
    """Operands with stacks of these shapes."""
    cores = CORES[name]
    return integers((*first, *cores[0]), code), integers((*second, *cores[1]), other or code, start=4)


@pytest.mark.parametrize("stacks", STACKS, ids=str)
@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize("code", "dfeFDiq?gO")
def test_values(name, stacks, code):
    x, y = of(name, *stacks, code)
    want = ORACLES[name](x, y)
    assert_same(getattr(fastla, name)(x, y), want)
    if hasattr(np, name):
        assert_same(getattr(fastla, name)(x, y), getattr(np, name)(x, y))
    swapped = [np.asfortranarray(z)[..., ::-1][..., ::-1] for z in (x, y)]
    assert_same(getattr(fastla, name)(*swapped), want)
    if x.size and y.size:
        assert_same(getattr(fastla, name)(x.tolist(), y), getattr(fastla, name)(np.array(x.tolist()), y))


@pytest.mark.parametrize("second", CODES)
@pytest.mark.parametrize("first", CODES)
def test_promotion(first, second):
    for name, stacks in itertools.product(CORES, [((), ()), ((2,), ()), ((2,), (2,))]):
        x, y = of(name, *stacks, first, second)
        assert_same(getattr(fastla, name)(x, y), ORACLES[name](x, y))


@pytest.mark.parametrize(("name", "shapes"), [
    ("vecdot", ((0,), (0,))), ("vecdot", ((4, 0), (0,))), ("matvec", ((4, 0), (0,))),
    ("matvec", ((0, 3), (3,))),
    ("matvec", ((2, 4, 0), (2, 0))), ("vecmat", ((0,), (0, 4))), ("vecmat", ((3,), (3, 0))),
    ("vecmat", ((2, 0), (0, 4))),
])
def test_empty(name, shapes):
    x, y = (np.ones(s) for s in shapes)
    assert_same(getattr(fastla, name)(x, y), ORACLES[name](x, y))


@pytest.mark.parametrize(("name", "shapes"), [
    ("vecdot", ((), (3,))), ("vecdot", ((3,), ())), ("vecdot", ((3,), (1,))), ("vecdot", ((2, 3), (4,))),
    ("vecdot", ((2, 3), (4, 3))), ("matvec", ((3,), (3,))), ("matvec", ((2, 3), ())),
    ("matvec", ((2, 3), (2,))),
    ("matvec", ((2, 3), (4, 1))), ("matvec", ((5, 2, 3), (4, 3))), ("vecmat", ((3,), (3,))),
    ("vecmat", ((), (3, 3))),
    ("vecmat", ((3,), (2, 3))), ("vecmat", ((5, 3), (4, 3, 2))), ("vecmat", ((1,), (3, 2))),
])
def test_shapes_that_do_not_fit(name, shapes):
    x, y = (np.ones(s) for s in shapes)
    out = np.full(2, 7.0)
    for options in ({}, {"out": out}):
        with pytest.raises(ValueError, match=r"\(.*\).*\(.*\)"):
            getattr(fastla, name)(x, y, **options)
    assert (out == 7).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, 3, -4, 0.5, (0,), None])
@pytest.mark.parametrize("shapes", [((3, 3, 3), (3, 3, 3)), ((3, 3, 3), (3,)), ((2, 3, 4), (1, 3, 4))],
                         ids=str)
def test_axis(shapes, axis):
    x, y = (integers(s, "D") for s in shapes)
    if hasattr(np, "vecdot") and axis is not None:
        want = outcome(lambda f: f(x, y, axis=axis), np.vecdot)
        assert_same(outcome(lambda f: f(x, y, axis=axis), fastla.vecdot), want)
    elif axis is None:
        with pytest.raises(TypeError):
            fastla.vecdot(x, y, axis=axis)


@pytest.mark.parametrize("code", [*CODES, ">f8"])
@pytest.mark.parametrize("stacks", [((), ()), ((2,), ()), ((), (2,)), ((2,), (2,))], ids=str)
@pytest.mark.parametrize("name", CORES)
def test_out(name, stacks, code):
    x, y = of(name, *stacks, "h")
    want = ORACLES[name](x, y)
    out = np.full((*np.shape(want), 2), 7).astype(code)[..., 0]
    if not np.can_cast(want.dtype, out.dtype, "same_kind"):
        with pytest.raises(TypeError):
            getattr(fastla, name)(x, y, out=out)
        assert (out == np.array(7).astype(code)).all()
        return
    assert getattr(fastla, name)(x, y, out=out) is out
    assert_same(out, np.asarray(want).astype(out.dtype))
    assert getattr(fastla, name)(x, y, out=(out,)) is out


@pytest.mark.parametrize("name", CORES)
def test_bad_out(name):
    x, y = of(name, (2,), (2,))
    shape = np.shape(ORACLES[name](x, y))
    for bad, error in ((np.zeros(7), ValueError), ([0.0], TypeError), ((np.zeros(2),) * 2, ValueError),
                       (np.broadcast_to(0.0, shape), ValueError)):
        with pytest.raises(error):
            getattr(fastla, name)(x, y, out=bad)
    with pytest.raises(ValueError, match=re.escape(f"{name}: out is (7,); the result is {shape}")):
        getattr(fastla, name)(x, y, out=np.zeros(7))
    with pytest.raises(ValueError, match=f"^{name}: "):
        x1, y1 = of(name, (2,), (3,))
        getattr(fastla, name)(x1, y1, out=np.zeros(2))
    wide = np.zeros((3, *shape))  # a ufunc repeats its result
    assert_same(getattr(fastla, name)(x, y, out=wide),
                np.broadcast_to(ORACLES[name](x, y), wide.shape).copy())


@pytest.mark.parametrize("name", CORES)
def test_out_overlaps(name):
    x, y = integers((3, 3, 3)), integers((3, 3))
    arguments = {"vecdot": (x, y), "matvec": (x, y), "vecmat": (y, x)}[name]
    want = ORACLES[name](*arguments)
    assert getattr(fastla, name)(*arguments, out=y) is y
    assert_same(y, want)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_bits_are_those_of_matmul(rng, dtype):
    x, y = ((rng.standard_normal(s) * (1 + 1j if np.dtype(dtype).kind == "c" else 1)).astype(dtype)
            for s in ((40, 700), (9, 700)))
    matrix = x[..., np.newaxis]
    vecdot = [[fastla.matmul(a.conj(), b) for b in y] for a in x]
    assert fastla.vecdot(x[:, None], y).tobytes() == np.array(vecdot, dtype).tobytes()
    assert fastla.vecdot(x, y[0]).tobytes() == np.array([row[0] for row in vecdot], dtype).tobytes()
    assert fastla.vecdot(x[0], y).tobytes() == np.array(vecdot[0], dtype).tobytes()
    each = np.stack([fastla.matmul(x, b) for b in y])
    assert fastla.matvec(x, y).tobytes() == each.tobytes()
    assert fastla.matvec(np.stack([x] * 9), y).tobytes() == each.tobytes()
    each = np.stack([fastla.matmul(b.conj(), x.T) for b in y])
    assert fastla.vecmat(y, x.T).tobytes() == each.tobytes()
    assert fastla.vecmat(y, np.stack([x.T] * 9)).tobytes() == each.tobytes()
    assert fastla.vecdot(x, x, num_threads=1).tobytes() == fastla.vecdot(x, x, num_threads=2).tobytes()
    assert matrix.shape == (40, 700, 1)


def test_objects_need_not_commute():
    class Word(str):
        def __mul__(self, other):
            return Word(f"{self}{other}")

        def __add__(self, other):
            return Word(f"{self}+{other}")

        def conjugate(self):
            return self

    words = np.array([[Word("a"), Word("b")], [Word("c"), Word("d")]], object)
    assert fastla.vecdot(words[0], words).tolist() == ["aa+bb", "ac+bd"]
    assert fastla.vecdot(words, words[0]).tolist() == ["aa+bb", "ca+db"]
    assert fastla.matvec(words, words).tolist() == [["aa+bb", "ca+db"], ["ac+bd", "cc+dd"]]
    assert fastla.vecmat(words, words).tolist() == [["aa+bc", "ab+bd"], ["ca+dc", "cb+dd"]]


class Units(np.ndarray):
    """An array that computes for itself."""

    def __array_ufunc__(self, ufunc, method, *arguments, **options):
        return ufunc.__name__, len(arguments)

    def __array_function__(self, function, types, arguments, options):
        return function.__name__, len(arguments)


def test_types_with_products_of_their_own():
    x = np.eye(2).view(Units)
    for name in CORES:
        if hasattr(np, name):
            assert getattr(fastla, name)(np.eye(2), x) == (name, 2)
    assert fastla.multi_dot([np.eye(2), x, np.eye(2)]) == ("multi_dot", 1)
    assert fastla.matrix_power(x, 3) == ("matrix_power", 2)
    held = np.eye(2).view(np.memmap)
    assert type(fastla.vecdot(held, held)) is np.ndarray


# --- Transposes, chains and powers ------------------------------------------------------------

def test_matrix_transpose():
    x = np.arange(24).reshape(2, 3, 4)
    got = fastla.matrix_transpose(x)
    assert_same(got, np.swapaxes(x, -1, -2))
    assert np.shares_memory(got, x)
    assert_same(fastla.matrix_transpose([[1, 2]]), np.array([[1], [2]]))
    for bad in (1, [1, 2]):
        with pytest.raises(ValueError, match="two dimensions"):
            fastla.matrix_transpose(bad)


CHAINS = [
    [(2, 3), (3, 4)], [(3,), (3,)], [(3,), (3, 4)], [(2, 3), (3,)], [(6, 2), (2, 6), (6, 2)],
    [(3,), (3, 2), (2,)],
    [(3,), (3, 2), (2, 5)], [(5, 3), (3, 2), (2,)], [(2, 3), (3, 0), (0, 4)], [(0, 3), (3, 2), (2, 0)],
    [(4, 1), (1, 5), (5, 1), (1, 2)], [(9, 3), (3, 1), (1, 8), (8, 2), (2, 6)], [(2, 2)] * 7,
    [(5,), (5, 5), (5, 5), (5,)],
    # errors
    [], [(2, 2)], [(2, 3), (2, 3)], [(2, 3), (3, 4), (3, 4)], [(2, 3), (3,), (3, 2)],
    [(2, 2, 2), (2, 2), (2, 2)],
    [(2,), (3, 2), (2,)], [(2, 2), (2, 2), ()], [(2, 2), (2, 2), (3,)],
]


@pytest.mark.parametrize("shapes", CHAINS, ids=str)
@pytest.mark.parametrize("code", "dieFO?")
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_multi_dot(shapes, code):
    arrays = [integers(s, code, 3 * i) for i, s in enumerate(shapes)]
    want = outcome(lambda f: f(arrays), np.linalg.multi_dot)
    got = outcome(lambda f: f(arrays), fastla.multi_dot)
    assert_same(got, want)
    assert isinstance(got, np.linalg.LinAlgError) == isinstance(want, np.linalg.LinAlgError)
    if not isinstance(want, Exception):
        out = np.zeros(np.shape(want), np.asarray(want).dtype if code != "O" else object)
        assert fastla.multi_dot(arrays, out=out) is out
        assert np.array_equal(out, want)


def test_orders_of_multi_dot():
    """The example of Cormen and others, and NumPy's rule for equal costs."""
    splits = _matrices._splits([30, 35, 15, 5, 10, 20, 25])
    assert splits[0, 5] == 2 and splits[0, 2] == 0 and splits[3, 5] == 4
    assert _matrices._splits([2, 2, 2, 2])[0, 2] == 0


def test_multi_dot_is_the_cheapest(rng):
    """Against all orders, and with the bits of matmul in the one it takes."""
    def orders(sizes):
        if len(sizes) == 2:
            yield 0
        for k in range(1, len(sizes) - 1):
            for left, right in itertools.product(orders(sizes[:k + 1]), orders(sizes[k:])):
                yield left + right + sizes[0] * sizes[k] * sizes[-1]

    def cost(splits, sizes, i, j):
        if i == j:
            return 0
        k = splits[i, j]
        return cost(splits, sizes, i, k) + cost(splits, sizes, k + 1,
                                                j) + sizes[i] * sizes[k + 1] * sizes[j + 1]

    for _ in range(30):
        sizes = rng.integers(1, 20, rng.integers(3, 8)).tolist()
        assert cost(_matrices._splits(sizes), sizes, 0, len(sizes) - 2) == min(orders(sizes))
    a, b, c = rng.random((50, 3)), rng.random((3, 60)), rng.random((60, 2))
    assert fastla.multi_dot([a, b, c]).tobytes() == fastla.matmul(a, fastla.matmul(b, c)).tobytes()


def test_out_of_a_product_is_not_repeated():
    """Axes of the stack are, the product's own are not."""
    with pytest.raises(ValueError, match=r"matvec: out is \(3,\); the result is \(1,\)"):
        fastla.matvec(np.ones((1, 4)), np.ones(4), out=np.zeros(3))


def test_multi_dot_promotes_once():
    x = np.full((2, 2), 100, np.int8)
    assert_same(fastla.multi_dot([x, x, np.eye(2, dtype=np.int64)]), np.full((2, 2), 20000))


def test_multi_dot_says_what_does_not_fit():
    with pytest.raises(ValueError,
                       match=r"4 and 3 differ, of arrays 1 and 2 of \[\(2, 3\), \(3, 4\), \(3, 4\)\]"):
        fastla.multi_dot([np.ones((2, 3)), np.ones((3, 4)), np.ones((3, 4))])
    out = np.full((2, 3), 7.0)
    with pytest.raises(ValueError, match=r"multi_dot: out is \(2, 3\); the result is \(2, 4\)"):
        fastla.multi_dot([np.ones((2, 3)), np.ones((3, 4)), np.ones((4, 4))], out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("shape",
                         [(2, 2), (3, 2, 2), (0, 2, 2), (2, 0, 0), (1, 1), (0, 0), (2, 3), (3,), ()], ids=str)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, np.int8(4), True, 1.5, None, "2"])
@pytest.mark.parametrize("code", "dibD?eO")
def test_matrix_power(shape, n, code):
    x = integers(shape, code) if code in "dib?" else integers(shape,
                                                              code) % 2 if code != "D" else integers(shape,
                                                                                                     code)
    want = outcome(lambda f: f(x, n), np.linalg.matrix_power)
    got = outcome(lambda f: f(x, n), fastla.matrix_power)
    if isinstance(want, Exception):
        assert builtin_type(got) is builtin_type(want)
        assert isinstance(got, np.linalg.LinAlgError) == isinstance(want, np.linalg.LinAlgError)
        return
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if code in "de" or code == "D":  # large powers are rounded
        np.testing.assert_allclose(got, want, rtol=64 * np.finfo(want.dtype).eps)
    else:
        assert np.array_equal(got, want)


def test_negative_powers():
    x = np.array([[2.0, 1.0], [1.0, 1.0]])
    for n in (-1, -2, -5):
        np.testing.assert_allclose(fastla.matrix_power(x, n), np.linalg.matrix_power(x, n), rtol=1e-13)
    assert fastla.matrix_power(np.eye(2, dtype=int), -2).dtype == np.float64
    assert fastla.matrix_power(np.stack([x, x]), -1).shape == (2, 2, 2)
    with pytest.raises(np.linalg.LinAlgError):
        fastla.matrix_power(np.ones((2, 2)), -1)
    with pytest.raises(TypeError):
        fastla.matrix_power(np.eye(2, dtype=np.float16), -1)


def test_bits_of_powers(rng):
    x = rng.standard_normal((3, 5, 5))
    square = fastla.matmul(x, x)
    assert fastla.matrix_power(x, 2).tobytes() == square.tobytes()
    assert fastla.matrix_power(x, 5).tobytes() == fastla.matmul(x, fastla.matmul(square, square)).tobytes()
    identity = fastla.matrix_power(x, 0)
    identity[0] = 7  # is an array of its own
    assert (identity[1] == np.eye(5)).all()
