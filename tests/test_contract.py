"""The bits of a product are the oracle's, whatever the row, path, threads, layout, slice or stack."""

import itertools

import numpy as np
import oracle
import pytest
import shapes
from shapes import Guarded, assert_same_bits, layouts, poisoned, random_matrix

import fastla
from fastla import _core

PATHS = ("auto", "packed", "direct", "vector")
THREADS = (1, 2, 3, 8)


@pytest.mark.portable
def test_bits_over_shapes(isa, dtype, path, threads):
    ms, ns, ks = shapes.sizes(shapes.row_of(isa, dtype))
    a, b, found = shapes.case(max(ms), max(ns), tuple(ks), dtype)
    for m, n, k in itertools.product(ms, ns, ks):
        context = f"{m}x{n}x{k}"
        out = Guarded((m, n), dtype)
        result = fastla.matmul(poisoned(a[:m, :k]), poisoned(b[:k, :n]), out=out.out,
                               num_threads=threads)
        assert result is out.out
        assert_same_bits(out.out, found[k][:m, :n], context)
        out.check(context)


@pytest.mark.portable
def test_bits_of_the_transposed_problem(isa, dtype, path):
    """Fortran output makes the plan compute C^T = B^T A^T; m and n change roles."""
    ms, ns, ks = shapes.sizes(shapes.row_of(isa, dtype))
    a, b, found = shapes.case(max(ns), max(ms), tuple(ks), dtype)
    for m, n, k in itertools.product(ns, ms, ks):
        for layout in ("F", "C"):
            out = Guarded((m, n), dtype, layout)
            fastla.matmul(poisoned(a[:m, :k].T).T, poisoned(b[:k, :n].T).T, out=out.out)
            assert_same_bits(out.out, found[k][:m, :n], f"{m}x{n}x{k} {layout}")
            out.check(f"{m}x{n}x{k} {layout}")


@pytest.mark.portable
def test_every_prefix_of_rows(isa, dtype, path):
    kb = oracle.kb(dtype)
    a, b, found = shapes.case(64, 45, (kb + 3,), dtype)
    for m in range(1, 65):
        got = fastla.matmul(a[:m], b, num_threads=THREADS[m % 4])
        assert_same_bits(got, found[kb + 3][:m], f"first {m} rows")
        last = fastla.matmul(a[64 - m:], b, num_threads=THREADS[m // 4 % 4])
        assert_same_bits(last, found[kb + 3][64 - m:], f"last {m} rows")


@pytest.mark.portable
def test_every_prefix_of_columns(isa, dtype, path):
    kb = oracle.kb(dtype)
    a, b, found = shapes.case(15, 110, (kb + 3,), dtype)
    for n in range(1, 111):
        got = fastla.matmul(a, b[:, :n], num_threads=THREADS[n % 4])
        assert_same_bits(got, found[kb + 3][:, :n], f"first {n} columns")
        last = fastla.matmul(a, b[:, 110 - n:], num_threads=THREADS[n // 4 % 4])
        assert_same_bits(last, found[kb + 3][:, 110 - n:], f"last {n} columns")


@pytest.mark.portable
def test_every_length_of_the_chain(isa, dtype, path):
    """A tile cuts its chain into parts to prefetch between them; together they are all of it."""
    row = shapes.row_of(isa, dtype)
    m, n, ks = row.mr + 1, row.nr + 1, tuple(range(1, 300))
    a, b, found = shapes.case(m, n, ks, dtype)
    for k in ks:
        assert_same_bits(fastla.matmul(a[:, :k], b[:k]), found[k], f"k={k}")


@pytest.mark.portable
@pytest.mark.parametrize("shape", [(1, 53, 3), (29, 1, 2), (13, 67, 2), (67, 13, 3), (1, 1, 7)], ids=str)
def test_every_layout_of_the_inputs(isa, dtype, path, shape):
    m, n, extra = shape
    k = oracle.kb(dtype) + extra
    a, b, found = shapes.case(m, n, (k,), dtype)
    for (name_a, x), (name_b, y) in itertools.product(layouts(a), layouts(b)):
        got = fastla.matmul(x, y)
        assert_same_bits(got, found[k], f"a {name_a}, b {name_b}")
        assert_same_bits(np.asarray(x, dtype), a, f"a {name_a} after the call")


@pytest.mark.portable
def test_repeated_and_overlapping_rows(isa, dtype, path):
    """Zero strides, and a Hankel matrix whose rows share memory."""
    k = oracle.kb(dtype) + 2
    rng = np.random.default_rng(3)
    v = random_matrix(rng, 2 * k, dtype)
    b = random_matrix(rng, (k, 37), dtype)
    hankel = np.lib.stride_tricks.as_strided(v, (19, k), v.strides * 2)
    operands = {
        "equal rows": np.broadcast_to(v[:k], (19, k)),
        "equal columns": np.broadcast_to(v[:19, None], (19, k)),
        "one number": np.broadcast_to(v[0], (19, k)),
        "Hankel": hankel,
        "Hankel reversed": hankel[::-1, ::-1],
    }
    for name, a in operands.items():
        assert_same_bits(fastla.matmul(a, b), oracle.matmul2(a, b), name)
        assert_same_bits(fastla.matmul(b.T, a.T), oracle.matmul2(a, b).T, f"{name}, as b")


@pytest.mark.portable
@pytest.mark.parametrize("shape", [(1, 70), (70, 1), (17, 70), (70, 17)], ids=str)
def test_every_layout_of_out(isa, dtype, path, threads, shape):
    k = oracle.kb(dtype) + 9
    a, b, found = shapes.case(*shape, (k,), dtype)
    for layout in ("C", "F", "strided", "reversed"):
        out = Guarded(shape, dtype, layout)
        fastla.matmul(a, b, out=out.out, num_threads=threads)
        assert_same_bits(out.out, found[k], layout)
        out.check(layout)
    for name, out in layouts(np.zeros(shape, dtype)):
        if out.flags.writeable:
            fastla.matmul(a, b, out=out, num_threads=threads)
            assert_same_bits(out.astype(dtype), found[k], f"out {name}")


@pytest.mark.portable
def test_stacks_have_the_bits_of_single_products(isa, dtype, path, threads):
    rng = np.random.default_rng(4)
    for m, n, k in [(1, 1, 5), (5, 7, 9), (1, 33, 40), (33, 1, 40), (14, 65, 33), (40, 70, 50)]:
        a = random_matrix(rng, (3, 1, 4, m, k), dtype)
        b = random_matrix(rng, (2, 4, k, n), dtype)
        got = fastla.matmul(a, b, num_threads=threads)
        assert got.shape == (3, 2, 4, m, n)
        for i, j, h in np.ndindex(3, 2, 4):
            single = fastla.matmul(a[i, 0, h], b[j, h])
            assert_same_bits(got[i, j, h], single, f"{m}x{n}x{k} at {(i, j, h)}")
        assert_same_bits(got[2, 1], oracle.matmul(a[2, 0], b[1]), f"{m}x{n}x{k}")


@pytest.mark.portable
def test_broadcast_stacks(isa, dtype, path):
    """Stride-0 stacks, reversed and transposed stacks, an empty stack, vectors against stacks."""
    rng = np.random.default_rng(5)
    a, b = random_matrix(rng, (3, 6, 21), dtype), random_matrix(rng, (21, 34), dtype)
    repeated = np.broadcast_to(b, (3, 21, 34))
    want = oracle.matmul(a, b)
    assert_same_bits(fastla.matmul(a, b), want, "one b for all")
    assert_same_bits(fastla.matmul(a, repeated), want, "b of stride 0")
    assert_same_bits(fastla.matmul(a[::-1], repeated)[::-1], want, "reversed stack")
    assert_same_bits(fastla.matmul(strided_stack(a), b), want, "strided stack")
    columns = np.ascontiguousarray(a.transpose(1, 0, 2)).transpose(1, 0, 2)
    assert_same_bits(fastla.matmul(columns, repeated), want, "stack axis inside the rows")
    out = np.empty((3, 34, 6), dtype).swapaxes(1, 2)
    assert_same_bits(fastla.matmul(a, b, out=out), want, "transposed out")
    assert_same_bits(fastla.matmul(a[:, 0], b), want[:, 0], "stack of rows as a matrix")
    assert_same_bits(fastla.matmul(a, b[:, 0]), want[..., 0], "vector b")
    assert_same_bits(fastla.matmul(a[0, 0], repeated), oracle.matmul(a[0, 0], repeated), "vector a")
    assert fastla.matmul(a[:0], repeated[:0]).shape == (0, 6, 34)


def strided_stack(a):
    return np.repeat(a, 2, axis=0)[::2]


@pytest.mark.portable
def test_same_operand_twice(isa, dtype, path):
    """a @ a.T reads one buffer through two layouts; the result is symmetric bit by bit."""
    k = oracle.kb(dtype) + 1
    a, _, _ = shapes.case(50, 1, (k,), dtype)
    got = fastla.matmul(a, a.T)
    assert_same_bits(got, oracle.matmul2(a, a.T), "a a^T")
    assert_same_bits(got, got.T, "symmetry")


@pytest.mark.parametrize("size", [(515, 770, 1030), (1030, 40, 777), (33, 1500, 515)], ids=str)
def test_larger_products(isa, dtype, size):
    """Several cache blocks in every direction: threads against threads, the transposed problem, sampled
    rows and columns against the oracle."""
    m, n, k = size
    if isa == "generic":  # emulates fma for float32: enough for two panels and three threads
        m, n = min(m, 190), min(n, 310)
    rng = np.random.default_rng(6)
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    got = fastla.matmul(a, b, num_threads=1)
    rows = np.unique([0, m - 1, *rng.integers(0, m, 4)])
    cols = np.unique([0, n - 1, *rng.integers(0, n, 60)])
    assert_same_bits(got[np.ix_(rows, cols)], oracle.matmul2(a[rows], b[:, cols]), "sampled")
    for threads in THREADS[1:]:
        assert_same_bits(fastla.matmul(a, b, num_threads=threads), got, f"{threads} threads")
        flipped = fastla.matmul(b.T, a.T, num_threads=threads).T
        assert_same_bits(flipped, got, f"transposed problem, {threads} threads")


@pytest.mark.parametrize(
    ("m", "n"), [(1, 1500), (1, 1509), (1, 2048), (1, 2051), (3, 2048), (8, 2051), (30, 2051)]
)
def test_few_rows_against_more_than_the_cache(isa, dtype, m, n):
    """B that streams along its rows (a page apart, or not), and B^T whose rows are in one set of L1."""
    k = oracle.kb(dtype) + 29
    rng = np.random.default_rng(8)
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    cols = np.unique([0, n - 1, *rng.integers(0, n, 60)])
    columns = np.empty((n, 4096), dtype)[:, :k].T
    columns[...] = b
    for depth in (k, k - 1, oracle.kb(dtype), 13, 8, 5):
        want = oracle.matmul2(a[:, :depth], b[:depth, cols])
        for x, name in ((b, "along rows"), (columns, "down columns")):
            for threads in (1, 2):
                out = Guarded((m, n), dtype)
                fastla.matmul(a[:, :depth], x[:depth], out=out.out, num_threads=threads)
                assert_same_bits(out.out[:, cols], want, f"{name}, k={depth}, {threads} threads")
                out.check(name)


@pytest.mark.parametrize(("n", "k"), [(64, 40), (101, 64), (60, 300), (30, 40)])
def test_many_rows_of_more_than_the_cache(isa, dtype, n, k):
    """Rows of A and C that follow each other, a few MB of them, against a B that stays in the cache."""
    m = 12001 if k < 300 else 4001
    if isa == "generic":  # emulates fma for float32
        m //= 10
    rng = np.random.default_rng(10)
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    rows = np.unique([0, 1, m - 1, *range(13, 30), *rng.integers(0, m, 60)])
    want = oracle.matmul2(a[rows], b)
    first = fastla.matmul(a, b, num_threads=1)
    assert_same_bits(first[rows], want, "sampled rows")
    for threads in (2, 3):
        out = Guarded((m, n), dtype)
        fastla.matmul(a, b, out=out.out, num_threads=threads)
        assert_same_bits(out.out, first, f"{threads} threads, rows apart")
        out.check()
        assert_same_bits(fastla.matmul(a, b, num_threads=threads), first, f"{threads} threads")


def test_rows_and_paths_agree_on_larger_products(dtype):
    rng = np.random.default_rng(7)
    a, b = random_matrix(rng, (197, 600), dtype), random_matrix(rng, (600, 301), dtype)
    want = None
    rows = [name for name in shapes.isa_names() if shapes.usable(name)]
    for name, forced in itertools.product(rows, PATHS):
        with fastla.use_isa(name):
            _core.force_path(forced)
            got = fastla.matmul(a, b, num_threads=2)
        want = got if want is None else want
        assert_same_bits(got, want, f"{name} {forced} against {rows[0]} {PATHS[0]}")


def test_past_the_cache_blocks(isa, dtype):
    """One row block more than mc, one panel more than nc (as the plan states them)."""
    k = oracle.kb(dtype) + 1
    row = shapes.row_of(isa, dtype)
    square = np.empty((2048, k), dtype)
    plan = fastla.explain(square, np.empty((k, 2048), dtype), num_threads=1)
    assert plan.path == "packed"
    for m, n in [(plan.mc + 1, row.nr + 1), (row.mr + 1, min(plan.nc, 6000) + row.nr + 1)]:
        a, b, found = shapes.case(m, n, (k,), dtype)
        for count in (1, 2):
            got = fastla.matmul(a, b, num_threads=count)
            assert_same_bits(got, found[k], f"{m}x{n}x{k}, {count} threads")
