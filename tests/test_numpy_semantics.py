"""fastla.matmul means what numpy.matmul means: shapes, dtypes, out=, subclasses, keywords."""

import numpy as np
import pytest
from agreement import agree, integers
from shapes import assert_same_bits, layouts, random_matrix

import fastla

pytestmark = [  # of numpy.matmul's own doing
    pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SHAPES = [
    # vectors
    ((4,), (4,)), ((4,), (4, 3)), ((2, 4), (4,)), ((1,), (1,)), ((1,), (1, 1)), ((1, 1), (1,)),
    # matrices, and matrices with one row or column
    ((2, 4), (4, 3)), ((1, 4), (4, 1)), ((5, 1), (1, 6)), ((1, 1), (1, 1)), ((33, 40), (40, 47)),
    # stacks, broadcast from either side and both
    ((3, 2, 4), (4, 5)), ((2, 4), (3, 4, 5)), ((3, 2, 4), (3, 4, 5)), ((1, 2, 4), (3, 4, 5)),
    ((3, 2, 4), (1, 4, 5)), ((2, 1, 2, 4), (3, 4, 5)), ((2, 1, 2, 4), (1, 3, 4, 5)),
    ((5, 1, 3, 2, 4), (2, 1, 4, 5)), ((3, 2, 4), (4,)), ((4,), (3, 4, 2)), ((2, 3, 2, 4), (4,)),
    # nothing to add, nothing to store
    ((0,), (0,)), ((2, 0), (0, 3)), ((0, 4), (4, 3)), ((2, 4), (4, 0)), ((0, 0), (0, 0)),
    ((2, 0), (0,)), ((0,), (0, 3)), ((0, 4), (4,)), ((4,), (4, 0)), ((0, 2, 4), (4, 3)),
    ((0, 2, 4), (1, 4, 3)), ((3, 0, 4), (3, 4, 2)), ((3, 2, 0), (3, 0, 2)), ((0, 1, 2, 0), (5, 0, 3)),
    # errors: 0-d, inner sizes, stacks that do not broadcast
    ((), (4,)), ((4,), ()), ((), ()), ((), (2, 2)), ((2, 2), ()), ((3,), (4,)), ((2, 3), (4, 3)),
    ((2, 3), (4,)), ((3,), (4, 2)), ((1, 3), (1, 3)), ((2, 2, 4), (3, 4, 5)), ((0, 2, 4), (3, 4, 5)),
    ((2, 1), (2, 1)), ((2, 0), (1, 2)), ((2, 4, 4), (4, 2, 4, 3)),
]
CODES = "?bhilqBHILQefdgFDGO"


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("code", "fdeiDO")
def test_shapes(shapes, code):
    x, y = integers(shapes[0], code), integers(shapes[1], code, start=5)
    agree(lambda matmul: matmul(x, y))


@pytest.mark.parametrize("second", CODES)
@pytest.mark.parametrize("first", CODES)
def test_promotion(first, second):
    for shapes in [((3, 4), (4, 5)), ((4,), (4,)), ((2, 3, 4), (4,)), ((2, 0), (0, 3))]:
        x, y = integers(shapes[0], first), integers(shapes[1], second, start=5)
        agree(lambda matmul, x=x, y=y: matmul(x, y))


@pytest.mark.parametrize("target", [*CODES, "int8", float, ">f8", ">f4", "M8[s]", "U3", "nonsense"])
@pytest.mark.parametrize("codes", ["ff", "dd", "fd", "ii", "ed", "FF"])
def test_dtype_and_casting(codes, target):
    x, y = integers((3, 4), codes[0]), integers((4, 2), codes[1])
    agree(lambda matmul: matmul(x, y, dtype=target))
    for casting in ("no", "equiv", "safe", "same_kind", "unsafe", "bogus"):
        agree(lambda matmul, c=casting: matmul(x, y, dtype=target, casting=c))


def test_dtype_is_the_accumulation_type(rng):
    x, y = random_matrix(rng, (7, 90), np.float32), random_matrix(rng, (90, 6), np.float32)
    wide = fastla.matmul(x.astype(np.float64), y.astype(np.float64))
    assert_same_bits(fastla.matmul(x, y, dtype=np.float64), wide, "dtype=float64")
    assert_same_bits(fastla.matmul(x, y.astype(np.float64)), wide, "mixed operands")
    single = fastla.matmul(x, y)
    out = np.empty((7, 6))
    fastla.matmul(x, y, out=out)
    assert_same_bits(out, single.astype(np.float64), "float32 product, wider out")
    out = np.empty((7, 6), np.float32)
    fastla.matmul(x.astype(np.float64), y.astype(np.float64), out=out)
    assert_same_bits(out, wide.astype(np.float32), "float64 product, narrower out")


@pytest.mark.parametrize("code", "fd")
def test_layouts(code):
    x, y = integers((6, 9), code), integers((9, 5), code)
    for name, left in layouts(x):
        for _, right in layouts(y):
            result = agree(lambda matmul, a=left, b=right: matmul(a, b))
            assert result.flags.c_contiguous, name


@pytest.mark.parametrize("x,y", [
    ([[1, 2], [3, 4]], [[5.0, 6.0], [7.0, 8.0]]), ([1.0, 2.0], (3.0, 4.0)), (2.0, np.ones((2, 2))),
    (np.ones((2, 2)), 3), (np.float64(2), np.ones(1)), ([], []), ([[]], np.ones((0, 2))),
    (memoryview(b"ab"), np.ones(2)), (range(3), np.ones((3, 2), np.float32)),
    ([[1, 2], [3]], np.ones((2, 2))), ("ab", np.ones(2)), (None, np.ones(1)), (np.ones(1), None),
    (np.array([["a"]]), np.ones((1, 1))), (np.zeros((2, 2), "M8[s]"), np.ones((2, 2))),
    (np.zeros((2, 2), "V4"), np.ones((2, 2))), (np.zeros(2, "f4,f4"), np.ones(2)),
], ids=lambda v: type(v).__name__)
def test_array_likes(x, y):
    agree(lambda matmul: matmul(x, y))


def test_results_are_like_numpys():
    for code in "fd":
        x, y = integers((3, 4), code), integers((4, 5), code)
        for a, b in [(x, y), (x, y[:, 0]), (x[0], y), (np.stack([x, x]), y), (x.T[:2].T, y[:2])]:
            got, want = fastla.matmul(a, b), np.matmul(a, b)
            for flag in ("c_contiguous", "f_contiguous", "owndata", "writeable", "aligned"):
                assert getattr(got.flags, flag) == getattr(want.flags, flag), (flag, got.shape)
            assert got.strides == want.strides
            assert got.base is None
        assert type(fastla.matmul(x[0], y[:, 0])) is x.dtype.type
        transposed = np.stack([x, x, x]).transpose(1, 0, 2)
        assert fastla.matmul(transposed, y).flags.c_contiguous
        assert not np.shares_memory(fastla.matmul(x, np.eye(4, dtype=code)), x)


def test_positional_and_keyword_arguments():
    x, y, out = integers((2, 3)), integers((3, 2)), np.zeros((2, 2))
    for arguments, keywords in [
            ((), {}), ((x,), {}), ((x, y, out), {}), ((x, y, None), {}), ((x, y), {"out": None}),
            ((x, y), {"out": out}), ((x, y, out), {"out": out}), ((x, y, out, out), {}),
            ((), {"x1": x, "x2": y}), ((x, y), {"foo": 1}), ((x, y), {"dtype": None}),
            ((x, y), {"where": True}), ((x, y, (out,)), {}), ((x, y), {"out": (None,)}),
            ((x, y), {"dtype": float, "out": out}), ((x, y), {"sig": "dd->d"})]:
        agree(lambda matmul, a=arguments, k=keywords: matmul(*a, **k))


KEYWORDS = [
    {"axes": [(0, 1), (0, 1), (0, 1)]}, {"axes": [(1, 0), (0, 1), (0, 1)]}, {"axes": [(0, 1)]},
    {"axes": [(-2, -1), (-1, -2), (1, 0)]}, {"axis": 0}, {"keepdims": True}, {"order": "F"},
    {"order": "C"}, {"order": "K"}, {"order": "Z"}, {"subok": False}, {"subok": True},
    {"signature": "ff->f"}, {"signature": "ff->f", "casting": "unsafe"}, {"signature": (float,) * 3},
    {"signature": "dd->d"}, {"signature": "x"}, {"casting": "same_kind"}, {"dtype": "f4"},
    {"signature": "dd->d", "dtype": float},
]


@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
@pytest.mark.parametrize("kind", [np.asarray, np.asmatrix], ids=["ndarray", "matrix"])
def test_ufunc_keywords(kind, keywords):
    for code in "df":
        x, y = kind(integers((3, 3), code)), kind(integers((3, 3), code, start=4))
        result = agree(lambda matmul, x=x, y=y: matmul(x, y, **keywords))
        if keywords == {"order": "F"}:
            assert result.flags.f_contiguous
    x, y = integers((2, 3, 4)), integers((2, 4, 3))
    agree(lambda matmul: matmul(x, y, **keywords))


def test_ufunc_keywords_beside_ours():
    x = integers((3, 3))
    got = fastla.matmul(x, x, order="F", num_threads=2, precision="highest")
    assert np.array_equal(got, np.matmul(x, x))
    with pytest.raises(ValueError, match="precision"):
        fastla.matmul(x, x, order="F", precision="sloppy")
    with pytest.raises(ValueError, match="num_threads"):
        fastla.matmul(x, x, order="F", num_threads=0)


class Tagged(np.ndarray):
    """A subclass that keeps an attribute, by NumPy's rules."""

    def __array_finalize__(self, parent):
        self.tag = getattr(parent, "tag", None)


class Handler:
    """Answers for every ufunc that meets it."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc.__name__, method, len(inputs), sorted(keywords)


class Refuser:
    __array_ufunc__ = None


class Convertible:
    def __array__(self, dtype=None, copy=None):
        return integers((3, 3), dtype or np.float64)


@pytest.mark.parametrize("x", [
    integers((3, 3)).view(np.matrix), integers((3, 3), "f").view(np.matrix),
    Convertible(), Refuser(), Handler(),
    np.ma.masked_array(integers((3, 3)), mask=np.eye(3)), integers((3, 3)).view(Tagged),
    np.ma.masked_array(integers((3, 3), "i")), integers((3, 3)).view(np.recarray),
], ids=lambda x: type(x).__name__)
def test_other_kinds_of_array(x):
    y = integers((3, 3), start=2)
    for other in (y, y[0], y.tolist(), x):
        agree(lambda matmul, other=other: matmul(x, other))
        agree(lambda matmul, other=other: matmul(other, x))
    agree(lambda matmul: matmul(x, y, out=np.zeros((3, 3))))
    agree(lambda matmul: matmul(y, y, out=x.copy() if hasattr(x, "copy") else x))


def test_subclass_attributes_follow_numpys_rules():
    x = integers((3, 3)).view(Tagged)
    x.tag = "kept"
    assert agree(lambda matmul: matmul(x, x).tag) == "kept"
    assert agree(lambda matmul: matmul(integers((3, 3)), x).tag) == "kept"


def test_our_keywords_never_reach_an_array_ufunc():
    x = integers((3, 3))
    assert fastla.matmul(x, Handler(), num_threads=2, precision="exact") == np.matmul(x, Handler())
