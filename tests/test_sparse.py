"""Sparse products: docs/contract.md's bits, by a second program; arguments; transposition; sums."""

import doctest
import functools

import numpy as np
import pytest
from oracle import fma
from shapes import Guarded, assert_same_bits, poisoned, random_matrix, unaligned

import fastla
from fastla import _core, _sparse
from fastla._sparse import SparseMatrix

KB = 512
INDICES = (np.int32, np.int64)
COLUMNS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 110, 129)
LENGTHS = (0, 1, 3, 0, 20, 7, KB - 1, KB, KB + 1, 1, 2 * KB + 5, 0, 2, 5, 40, 0)


def product(indptr, indices, data, shape, b):
    """The definition: each row's entries as they are stored, in blocks of 512."""
    c = np.zeros((shape[0], b.shape[1]), b.dtype)
    with np.errstate(all="ignore"):
        for i in range(shape[0]):
            for start in range(indptr[i], indptr[i + 1], KB):
                s = np.zeros(b.shape[1], b.dtype)
                for p in range(start, min(start + KB, indptr[i + 1])):
                    value = b.dtype.type(1) if data is None else data[p]
                    s = fma(np.full_like(s, value), b[indices[p]], s)
                c[i] = c[i] + s
    return c


@functools.lru_cache(maxsize=8)
def stored(dtype, index=np.int32, k=300, implied=False):
    """Rows of many lengths, their columns in no order and with duplicates; the arrays, a shape, B, the
    product."""
    rng = np.random.default_rng([5, k])
    indptr = np.concatenate([[0], np.cumsum(LENGTHS)]).astype(index)
    indices = rng.integers(0, k, indptr[-1]).astype(index)
    data = None if implied else random_matrix(rng, indptr[-1], dtype)
    shape, b = (len(LENGTHS), k), random_matrix(rng, (k, max(COLUMNS)), dtype)
    return indptr, indices, data, shape, b, product(indptr, indices, data, shape, b)


def many_rows(rng, dtype, m=3000, k=700, mean=9):
    indptr = np.concatenate([[0], np.cumsum(rng.poisson(mean, m))])
    indices = rng.integers(0, k, indptr[-1])
    return indptr, indices, random_matrix(rng, indptr[-1], dtype), (m, k)


@pytest.fixture(params=INDICES, ids=lambda t: np.dtype(t).name)
def index(request):
    return request.param


@pytest.mark.parametrize("implied", [False, True])
def test_bits(isa, dtype, index, implied):
    *a, b, want = stored(dtype, index, implied=implied)
    for n in COLUMNS:
        held = Guarded((a[3][0], n), dtype)
        assert _core.csr_matmul(*a, poisoned(b[:, :n]), held.out) is held.out
        assert_same_bits(held.out, want[:, :n], n)
        held.check(n)


def test_threads(threads, dtype, index, rng):
    """Several tasks, whose ends lie where they will; a row that is longer than a task; empty ones at the
    end."""
    indptr, indices, data, shape = many_rows(rng, dtype)
    long = rng.integers(0, shape[1], 9000)
    indptr = np.concatenate([indptr, indptr[-1] + [9000] * 40]).astype(index)
    indices = np.concatenate([indices, long]).astype(index)
    data = np.concatenate([data, random_matrix(rng, 9000, dtype)])
    shape, b = (len(indptr) - 1, shape[1]), random_matrix(rng, (shape[1], 64), dtype)
    want = product(indptr, indices, data, shape, b)
    for n in (1, 64):
        got = _core.csr_matmul(indptr, indices, data, shape, b[:, :n], num_threads=threads)
        assert_same_bits(got, want[:, :n], n)


def test_large_b(isa, dtype, rng):
    """B beyond L2, whose rows are asked for ahead, and copied where they begin within cache lines."""
    k, n = 9 * 2**20 // (130 * np.dtype(dtype).itemsize), 130
    b = np.tile(random_matrix(rng, (97, n + 1), dtype), (k // 97 + 1, 1))[:k]
    indptr = np.arange(0, 8 * k + 1, 8)
    indices = rng.integers(0, k, indptr[-1])
    data = random_matrix(rng, indptr[-1], dtype)
    some = np.append(rng.integers(0, k, 20), k - 1)
    take = (indptr[some][:, None] + np.arange(8)).ravel()
    want = product(np.arange(0, 8 * len(some) + 1, 8), indices[take], data[take], (len(some), k), b)
    for columns in (slice(0, n), slice(1, n + 1)):
        got = _core.csr_matmul(indptr, indices, data, (k, k), b[:, columns], num_threads=2)
        assert_same_bits(got[some], want[:, columns], columns)


def test_special_values(isa, dtype):
    """NaN and infinities where stored entries meet them, and nowhere else; no entry gives +0, no result
    is -0."""
    inf, nan = np.inf, np.nan
    b = np.array([[inf, 1, -0.0], [nan, 2, 0], [1, -1, 5], [-inf, 0, 0]], dtype)
    indptr, indices = np.array([0, 1, 2, 4, 4, 6, 7]), np.array([0, 1, 0, 3, 2, 2, 0])
    data = np.array([0, 1, 1, 1, -0.0, 0, 1], dtype)
    with np.errstate(all="raise"):
        got = _core.csr_matmul(indptr, indices, data, (6, 4), b)
    want = [[nan, 0, 0], [nan, 2, 0], [nan, 1, 0], [0, 0, 0], [0, 0, 0], [inf, 1, 0]]
    assert_same_bits(got, np.array(want, dtype))


def test_layouts(dtype):
    *a, b, want = stored(dtype)
    b, want = b[:, :33], want[:, :33]
    for x in (np.asfortranarray(b), b[::-1][::-1], unaligned(b), b.astype(b.dtype.newbyteorder())):
        assert_same_bits(SparseMatrix(*a).matmat(x), want)
    for layout in ("C", "F", "strided", "reversed"):
        held = Guarded(want.shape, dtype, layout)
        assert _core.csr_matmul(*a, b, held.out) is held.out
        assert_same_bits(held.out, want, layout)
        held.check(layout)
    shared = np.zeros((400, 33), dtype)
    shared[:300] = b
    _core.csr_matmul(*a, shared[:300], shared[10:10 + len(want)])
    assert_same_bits(shared[10:10 + len(want)], want)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (4, 3)])
def test_nothing_stored(dtype, index, shape):
    empty = np.zeros(shape[0] + 1, index), np.zeros(0, index), np.zeros(0, dtype), shape
    a = SparseMatrix(*empty)
    assert_same_bits(a.matmat(np.ones((shape[1], 3), dtype)), np.zeros((shape[0], 3), dtype))
    assert_same_bits(a.rmatmat(np.ones((shape[0], 3), dtype)), np.zeros((shape[1], 3), dtype))
    assert_same_bits(a.column_sums(), np.zeros(shape[1], dtype))
    assert a.squared_norm() == 0


@pytest.mark.parametrize("code", ["f4", "f8", "c8", "c16"])
def test_transposition(threads, index, code, rng):
    indptr, indices, data, shape = many_rows(rng, np.float64)
    data = (data + 1j * data[::-1]).astype(code) if code[0] == "c" else data.astype(code)
    rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
    order = np.argsort(indices, kind="stable")
    want = np.concatenate([[0], np.cumsum(np.bincount(indices, minlength=shape[1]))])
    arrays = indptr.astype(index), indices.astype(index)
    for values in (data, None):
        starts, places, moved = _core.csr_transpose(*arrays, values, shape, threads)
        assert starts.dtype == places.dtype == index
        assert np.array_equal(starts, want) and np.array_equal(places, rows[order])
        assert moved is None if values is None else np.array_equal(moved, values[order])


def test_transposed_products(dtype):
    """By the transposed matrix's rows: increasing old rows, and the order of storage in each."""
    indptr, indices, data, shape, *_ = stored(dtype)
    rows, order = np.repeat(np.arange(shape[0]), LENGTHS), np.argsort(indices, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(indices, minlength=shape[1]))])
    y = random_matrix(np.random.default_rng(1), (shape[0], 7), dtype)
    a = SparseMatrix(indptr, indices, data, shape)
    assert_same_bits(a.rmatmat(y), product(starts, rows[order], data[order], shape[::-1], y))
    ones = np.ones((shape[0], 1), dtype)
    assert_same_bits(a.column_sums()[:, None],
                     product(starts, rows[order], data[order], shape[::-1], ones))


def complex_product(indptr, indices, data, shape, b):
    """Four real products; the difference and the sum of them."""
    rr, ri, ir, ii = (product(indptr, indices, np.ascontiguousarray(x), shape, np.ascontiguousarray(y))
                      for x in (data.real, data.imag) for y in (b.real, b.imag))
    c = np.empty(rr.shape, b.dtype)
    c.real, c.imag = rr - ii, ri + ir
    return c


def test_complex(dtype, rng):
    indptr, indices, data, shape, b, real = stored(dtype)
    b, real = b[:, :9], real[:, :9]
    unit = np.array(1j, np.result_type(dtype, np.complex64))
    values, right = data + unit * data[::-1], b + unit * b[::-1]
    a = SparseMatrix(indptr, indices, values, shape)
    zero = np.zeros_like
    assert_same_bits(a.matmat(right).view(dtype),
                     complex_product(indptr, indices, values, shape, right).view(dtype))
    assert_same_bits(SparseMatrix(indptr, indices, data, shape).matmat(right).view(dtype),
                     product(indptr, indices, data, shape, right.view(dtype)))
    assert_same_bits(a.matmat(b).real, real)
    y = random_matrix(rng, (shape[0], 4), dtype) + unit * random_matrix(rng, (shape[0], 4), dtype)
    flipped = SparseMatrix(*SparseMatrix(indptr, indices, values.conj(), shape)._columns)
    assert np.array_equal(a.rmatmat(y), flipped.matmat(y))
    assert np.array_equal(a.rmatmat(y.real), flipped.matmat(y.real + unit * zero(y.real)))
    out = zero(right, shape=(shape[0], 9))
    assert a.matmat(right, out) is out and np.array_equal(out, a.matmat(right))
    assert a.column_sums().dtype == unit.dtype


@pytest.mark.parametrize("code", ["?", "i1", "u8", "f2", "f4", "f8", "c8", "c16"])
def test_dtypes(code):
    indptr, indices, shape = np.array([0, 2, 3]), np.array([0, 2, 1]), (2, 3)
    values = np.array([1, 0, 1]).astype(code)
    a = SparseMatrix(indptr, indices, values, shape)
    computed = {"?": "f8", "i1": "f8", "u8": "f8", "f2": "f4"}.get(code, code)
    assert a.dtype == computed
    dense = np.array([[1, 0, 0], [0, 1, 0]])
    for other in ("i4", "f2", "f4", "f8", "c8"):
        got = a.matmat(np.arange(6).reshape(3, 2).astype(other))
        wide = {"i4": "f8", "f2": "f4"}.get(other, other)
        assert got.dtype == np.result_type(computed, wide)
        assert np.array_equal(got, [[0, 1], [2, 3]]) and np.array_equal(a.rmatmat([1, 1]), dense.sum(0))


def test_sums():
    """Duplicates are added before they are squared."""
    indptr, indices = np.array([0, 3, 3, 5, 6]), np.array([2, 0, 2, 1, 1, 1])
    a = SparseMatrix(indptr, indices, np.array([3.0, 1.0, -3.0, 2.0, 5.0, 1.0]), (4, 3))
    assert a.squared_norm() == 1 + 49 + 1
    assert SparseMatrix(indptr, indices, None, (4, 3)).squared_norm() == 4 + 1 + 4 + 1
    assert SparseMatrix(indptr, indices, np.full(6, 2j), (4, 3)).squared_norm() == 40
    plain = SparseMatrix(np.array([0, 2, 3]), np.array([0, 2, 1]), np.float32([1, 2, 3]), (2, 3))
    assert plain.squared_norm() == 14 and plain.column_sums().tolist() == [1, 3, 2]


BAD = {
    "an index too large": (lambda a: (a[0], [0, 9, 1], a[2], a[3]), ValueError, "indices.*9 at 1"),
    "the first of several": (lambda a: (a[0], [0, -1, 7], a[2], a[3]), ValueError, "-1 at 1"),
    "falling": (lambda a: ([0, 2, 1], *a[1:]), ValueError, r"indptr of shape \(3,\).* 2 at 1 and 1"),
    "not from 0": (lambda a: ([1, 2, 3], *a[1:]), ValueError, "indptr.*int64 has 1 at 0"),
    "beyond indices": (lambda a: ([0, 2, 4], *a[1:]), ValueError, "indptr.*4 after it.*at most 3"),
    "starts": (lambda a: ([0, 3], *a[1:]), ValueError, r"indptr is \(2,\); for the shape \(2, 3\)"),
    "values": (lambda a: (*a[:2], [1.0, 2.0], a[3]), ValueError, r"data is \(2,\).*indices \(3,\)"),
    "floats": (lambda a: (a[0], [0.0, 1.0, 2.0], *a[2:]), TypeError, r"indices is \(3,\).*float64"),
    "a matrix": (lambda a: (a[0], [[0, 1, 2]], *a[2:]), TypeError, r"indices is \(1, 3\).*int64"),
    "objects": (lambda a: (*a[:2], np.array([1, 2, 3], object), a[3]), TypeError, "dtype object"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_matrix(case):
    change, error, text = BAD[case]
    arrays = [0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0], (2, 3)
    *arrays, shape = change(arrays)
    with pytest.raises(error, match=text):
        SparseMatrix(*(np.array(x) for x in arrays), shape)


def test_the_first_bad_index_of_many(threads, index):
    indices = np.zeros(10**6, index)
    indices[[400_001, 400_000, 999_999]] = 1, 12, -3
    with pytest.raises(ValueError, match="has 12 at 400000; for the shape"):
        _core.csr_check(np.array([0, 10**6], index), indices, (1, 2), threads)


def test_bad_operands(dtype):
    indptr, indices, data, shape, b, _ = stored(dtype)
    a, b = SparseMatrix(indptr, indices, data, shape), b[:, :4]
    name = np.dtype(dtype).name
    for bad in (b[:7], b[None], b[0, 0]):
        with pytest.raises(ValueError, match=rf"the matrix is \(16, 300\) of dtype {name}, the operand"):
            a.matmat(bad)
    with pytest.raises(TypeError, match="object"):
        a.matmat(b.astype(object))
    frozen = np.zeros((16, 4), dtype)
    frozen.flags.writeable = False
    for out in (np.ones((16, 5), dtype), np.ones((16, 4), "i4"), frozen):
        before = out.copy()
        with pytest.raises(ValueError, match=rf"out is \(16, .\) of dtype.*\(16, 4\) of dtype {name}"):
            a.matmat(b, out)
        with pytest.raises(ValueError, match=r"csr_matmul: out is \(16, .\) of dtype"):
            _core.csr_matmul(indptr, indices, data, shape, b, out)
        assert np.array_equal(out, before)
    out = np.ones((16, 4), dtype)
    for threads, error in ((0, ValueError), ("2", TypeError)):
        with pytest.raises(error, match="num_threads"):
            a.matmat(b, out, threads)
    other = np.float64 if dtype == np.float32 else np.float32
    with pytest.raises(TypeError, match=r"data is of dtype float.., b of dtype float.."):
        _core.csr_matmul(indptr, indices, data.astype(other), shape, b, out)
    with pytest.raises(ValueError, match=r"a is \(16, 300\), b is \(7, 4\)"):
        _core.csr_matmul(indptr, indices, data, shape, b[:7], out)
    with pytest.raises(TypeError, match="indptr is of dtype int64, indices of dtype int32"):
        _core.csr_matmul(indptr.astype(np.int64), indices, data, shape, b, out)
    assert (out == 1).all()


def test_what_is_not_sparse():
    with pytest.raises(TypeError, match="ndarray; it must have the method tocsr"):
        SparseMatrix.of(np.eye(3))


def test_examples():
    found = doctest.testmod(_sparse)
    assert found.failed == 0 and found.attempted > 10


def gamma(n, dtype):
    """Higham's bound on n roundings in a row."""
    u = np.finfo(dtype).eps / 2
    return n * u / (1 - n * u)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil"])
def test_scipy(kind, dtype, rng):
    """SciPy's matrices; results as near as two ways of rounding allow."""
    sparse = pytest.importorskip("scipy.sparse")
    given = sparse.random(300, 200, density=0.05, format=kind, dtype=dtype, random_state=rng)
    a, plain = SparseMatrix.of(given), given.tocsr()
    x, y = rng.standard_normal((200, 5)).astype(dtype), rng.standard_normal((300, 5)).astype(dtype)
    for got, left, right in ((a.matmat(x), plain, x), (a.rmatmat(y), plain.T.tocsr(), y)):
        bound = 2 * gamma(np.diff(left.indptr).max() + 1, dtype) * (abs(left) @ abs(right))
        assert (abs(got - left @ right) <= bound).all()
    squares = plain.multiply(plain).astype(float).sum()
    assert abs(a.squared_norm() - squares) <= 3 * gamma(plain.nnz + 2, dtype) * squares


def test_no_copies():
    """Rows are taken as they are, columns as the rows of the transposed."""
    sparse = pytest.importorskip("scipy.sparse")
    by_rows = sparse.random(50, 40, density=0.1, format="csr", random_state=1)
    by_columns = by_rows.tocsc()
    for ours, theirs in ((SparseMatrix.of(by_rows)._rows, by_rows),
                         (SparseMatrix.of(by_columns)._columns, by_columns)):
        assert all(np.shares_memory(getattr(ours, f), getattr(theirs, f))
                   for f in ("indptr", "indices", "data"))
    assert SparseMatrix.of(by_columns).shape == (50, 40)


def test_fixed_by_the_thread_setting(dtype):
    *a, b, want = stored(dtype)
    fastla.set_num_threads(2)
    assert_same_bits(SparseMatrix(*a).matmat(b[:, :64]), want[:, :64])
