"""Strassen-Winograd: integers keep their bits, "fast" its bound; threads and layout change nothing."""

import os

import numpy as np
import pytest
from process import run_python

import fastla
from fastla import _core

INTEGERS = "bBhHiIlL"
FLOATS = ["float32", "float64"]
NEVER = 2**62
# Of each level even, odd, prime; rectangular; what is left over in each direction.
SHAPES = [(16, 16, 16), (17, 16, 16), (16, 17, 16), (16, 16, 17), (23, 31, 29), (64, 24, 40), (9, 97, 33),
          (50, 50, 50), (67, 8, 111)]


@pytest.fixture(autouse=True)
def _force():
    yield
    _core.force_strassen(0)


def draw(rng, shape, code):
    if np.dtype(code).kind == "f":
        return rng.uniform(-1, 1, shape).astype(code)
    info = np.iinfo(code)
    return rng.integers(info.min, info.max, shape, dtype=code, endpoint=True)


def plain(a, b, **kwargs):
    """By the products that are not halved."""
    _core.force_strassen(NEVER)
    return fastla.matmul(a, b, **kwargs)


def levels(a, b, least, **kwargs):
    _core.force_strassen(least)
    return fastla.explain(a, b, **kwargs).levels


@pytest.mark.parametrize("code", INTEGERS)
@pytest.mark.parametrize("least", [1, 2, 4, 8])
def test_integers_keep_their_bits(isa, code, least, rng):
    seen = set()
    for m, n, k in SHAPES:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        want = plain(a, b)
        assert np.array_equal(want, np.matmul(a, b))
        seen.add(levels(a, b, least))
        for precision in ("highest", "exact", "fast"):
            got = fastla.matmul(a, b, precision=precision)
            assert got.dtype == want.dtype
            assert np.array_equal(got, want), (m, n, k)
    assert seen >= {1: {4, 3}, 2: {3, 2}, 4: {2, 1}, 8: {1}}[least]


def views(x):
    """The same numbers in other places."""
    yield "C", x
    yield "F", np.asfortranarray(x)
    yield "rows reversed", np.ascontiguousarray(x[::-1])[::-1]
    yield "columns reversed", np.ascontiguousarray(x[:, ::-1])[:, ::-1]
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 77, x.dtype)
    wide[::2, ::3] = x
    yield "strided", wide[::2, ::3]
    yield "strided, transposed", np.ascontiguousarray(wide.T).T[::2, ::3]
    raw = np.zeros(x.nbytes + 1, np.uint8)
    odd = np.ndarray(x.shape, x.dtype, raw, 1)
    odd[...] = x
    yield "unaligned", odd
    yield "byte-swapped", x.astype(x.dtype.newbyteorder())


@pytest.mark.parametrize("code", [*"bHil", *FLOATS])
def test_layouts(code, rng):
    """Byte-swapped operands are not halved: of floating point other bits."""
    for m, n, k in [(19, 26, 21), (16, 16, 32)]:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        _core.force_strassen(3)
        want = fastla.matmul(a, b, precision="fast")
        for name, x in views(a):
            for other, y in views(b):
                if "byte-swapped" in (name, other) and code in FLOATS:
                    continue
                got = fastla.matmul(x, y, precision="fast")
                assert np.array_equal(got, want), (name, other)
        row = np.broadcast_to(a[:1], a.shape)
        assert np.array_equal(fastla.matmul(row, b, precision="fast"),
                              fastla.matmul(row.copy(), b, precision="fast"))
    swapped = a.astype(a.dtype.newbyteorder())
    assert levels(swapped, b, 3, precision="fast") == (2 if a.itemsize == 1 else 0)
    assert levels(a, b, 3, precision="fast") == 2


@pytest.mark.parametrize("code", [*"bHil", *FLOATS])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
def test_out_alone_is_written(code, layout, rng):
    for m, n, k in [(19, 26, 21), (16, 32, 16)]:
        a, b = draw(rng, (m, k), code), draw(rng, (k, n), code)
        _core.force_strassen(3)
        want = fastla.matmul(a, b, precision="fast")
        rows, cols = (n, m) if layout == "F" else (m, n)
        step = 3 if layout == "strided" else 1
        buffer = np.full((step * rows + 4, step * cols + 4), 77, code)
        out = buffer[2:2 + step * rows:step, 2:2 + step * cols:step]
        if layout == "F":
            out = out.T
        if layout == "reversed":
            out = out[::-1, ::-1]
        assert fastla.matmul(a, b, out=out, precision="fast") is out
        assert np.array_equal(out, want)
        out[...] = 77
        assert (buffer == 77).all()
    square = draw(rng, (32, 32), code)
    want = fastla.matmul(square, square, precision="fast")
    assert np.array_equal(fastla.matmul(square, square, out=square, precision="fast"), want)


@pytest.mark.parametrize("code", [*"bl", *FLOATS])
def test_threads_change_no_bit(isa, code, rng):
    """Large enough that the sums are handed out in pieces."""
    a, b = draw(rng, (301, 403), code), draw(rng, (403, 260), code)
    _core.force_strassen(60)
    want = fastla.matmul(a, b, precision="fast", num_threads=1)
    assert fastla.explain(a, b, precision="fast").levels == 2
    for threads in (2, 3, 8):
        assert np.array_equal(fastla.matmul(a, b, precision="fast", num_threads=threads), want)


@pytest.mark.parametrize("code", ["l", *FLOATS])
def test_instruction_sets_change_no_bit(code, rng):
    a, b = draw(rng, (75, 90), code), draw(rng, (90, 66), code)
    _core.force_strassen(16)
    results = []
    for isa in {row.isa for row in fastla.kernels() if row.usable}:
        with fastla.use_isa(isa):
            results.append(fastla.matmul(a, b, precision="fast"))
    assert all(np.array_equal(got, results[0]) for got in results)


@pytest.mark.parametrize("code", ["i", *FLOATS])
def test_stacks(code, rng):
    a, b = draw(rng, (2, 3, 21, 17), code), draw(rng, (3, 17, 20), code)
    _core.force_strassen(4)
    got = fastla.matmul(a, b, precision="fast")
    for i, j in np.ndindex(2, 3):
        assert np.array_equal(got[i, j], fastla.matmul(a[i, j], b[j], precision="fast"))
    one = fastla.matmul(a, b[0], precision="fast")  # whose rows go on from one to the next
    for i, j in np.ndindex(2, 3):
        assert np.array_equal(one[i, j], fastla.matmul(a[i, j], b[0], precision="fast"))


def higham_bound(m, n, k, levels, dtype, a, b):
    """Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 23.3, in the largest magnitudes."""
    leaf = -(-k // 2**levels)
    unit = np.finfo(dtype).eps / 2
    return 18**levels * (leaf**2 + 6 * leaf) * unit * abs(a).max() * abs(b).max()


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("size,count", [(200, 1), (203, 2), (200, 3), (197, 4)])
def test_error_is_within_the_bound(name, size, count, rng):
    a, b = draw(rng, (size, size), name), draw(rng, (size, size), name)
    least = size >> count
    assert levels(a, b, least, precision="fast") == count
    got = fastla.matmul(a, b, precision="fast")
    wide = np.float64 if name == "float32" else np.longdouble
    exact = np.matmul(a.astype(wide), b.astype(wide))
    error = abs(got - exact).max()
    assert 0 < error <= higham_bound(size, size, size, count, name, a, b)
    # And what such numbers really have: at most four times as much a level as the plain product.
    assert error <= 4**count * abs(plain(a, b) - exact).max()


@pytest.mark.parametrize("name", FLOATS)
def test_only_fast_permits_it(name, rng):
    a, b = draw(rng, (64, 64), name), draw(rng, (64, 64), name)
    want = plain(a, b)
    for precision in ("highest", "exact", "high", "tf32"):
        assert levels(a, b, 8, precision=precision) == 0
        assert np.array_equal(fastla.matmul(a, b, precision=precision), want)
    assert levels(a, b, 8) == 0
    assert not np.array_equal(fastla.matmul(a, b, precision="fast"), want)
    for other in (fastla.linear(a, b.T, precision="fast"), fastla.gemm(a, b, precision="fast"),
                  fastla.matmul(a, fastla.pack(b), precision="fast")):
        assert np.array_equal(other, want)
    _core.force_path("packed")
    assert levels(a, b, 8, precision="fast") == 0
    assert np.array_equal(fastla.matmul(a, b, precision="fast"), want)


@pytest.mark.parametrize("code", "FDe")
def test_other_dtypes_are_never_halved(code, rng):
    a = rng.uniform(-1, 1, (40, 40)).astype(code)
    assert levels(a, a, 4, precision="fast") == 0
    assert np.array_equal(fastla.matmul(a, a, precision="fast"), plain(a, a))


def test_wider_results_are_as_they_were(rng):
    a = draw(rng, (40, 40), "b")
    _core.force_strassen(4)
    assert np.array_equal(fastla.matmul(a, a, dtype="i"), np.matmul(a.astype("i"), a.astype("i")))
    assert np.array_equal(fastla.matmul(a, a, dtype="l"), np.matmul(a.astype("l"), a.astype("l")))


def test_exceptions_are_reported():
    huge = np.full((32, 32), 1e30, np.float32)
    _core.force_strassen(8)
    with pytest.warns(RuntimeWarning, match="overflow"):
        fastla.matmul(huge, huge, precision="fast")
    with np.errstate(all="raise"):
        assert (fastla.matmul(np.ones((32, 32)), np.ones((32, 32)), precision="fast") == 32).all()


def test_large_products_are_halved():
    """The sizes of the constants; nothing is computed, and no memory is touched."""
    for name in ("int8", "int16", "int32", "int64", "float32", "float64"):
        x = np.broadcast_to(np.zeros(1, name), (8192, 8192))
        plan = fastla.explain(x, x, precision="fast", num_threads=1)
        assert 1 <= plan.levels <= 4
        assert f"{plan.levels} level(s) of Strassen-Winograd" in str(plan)
        # The sums of a level take a quarter of each operand and of the result.
        assert plan.scratch_bytes < 3 * x.nbytes / 3 * 1.1 + (40 << 20)
        assert fastla.explain(x[:64], x, precision="fast").levels == 0
        assert fastla.explain(x[:64, :64], x[:64, :64], precision="fast").levels == 0
    with pytest.raises(ValueError, match="explain: precision"):
        fastla.explain(x, x, precision="sloppy")


def test_sizes_out_of_range():
    column = np.broadcast_to(np.int8(0), (2**29, 2**29))
    with pytest.raises((MemoryError, ValueError)):
        fastla.explain(column, column)


NO_MEMORY = """
    import resource
    import numpy as np
    import fastla
    from fastla import _core

    n = 1200
    a = np.full((n, n), {value}, np.{dtype})
    out = np.full((n, n), -123, a.dtype)
    _core.force_strassen(300)
    fastla.release_workspace()
    plan = fastla.explain(a, a, out=out, precision="fast", num_threads=1)
    assert plan.levels == 2, plan
    _core.force_path("packed")
    least = fastla.explain(a, a, out=out, num_threads=1).scratch_bytes
    _core.force_path("auto")
    room = plan.scratch_bytes // 2 if a.dtype.kind == "f" else least + (4 << 20)  # with its alignment
    assert room < plan.scratch_bytes + (2 << 20), (least, plan)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + room, limit[1]))
    try:
        fastla.matmul(a, a, out=out, precision="fast", num_threads=1)
    except MemoryError as error:
        print(error)
        assert (out == -123).all(), "out was written"
    else:
        print("without the sums")
        resource.setrlimit(resource.RLIMIT_AS, limit)
        assert (out == np.matmul(a[0], a[:, 0])).all()
    resource.setrlimit(resource.RLIMIT_AS, limit)
    fastla.release_workspace()
    fastla.matmul(a, a, out=out, precision="fast", num_threads=1)
    assert (out == np.matmul(a[0], a[:, 0])).all()
    assert _core.workspace_bytes() <= plan.scratch_bytes + (4 << 20)
"""


limits_memory = pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""),
                                   reason="the address sanitizer needs all of it")


@limits_memory
@pytest.mark.parametrize("dtype", FLOATS)
def test_no_memory_for_the_sums(dtype):
    assert "(1200, 1200)" in run_python(NO_MEMORY.format(dtype=dtype, value=1))


@limits_memory
def test_integers_need_no_sums():
    """Whose bits are the same without them. (The value is one that does not go through floating point.)"""
    assert run_python(NO_MEMORY.format(dtype="int64", value=2**30 + 1)) == "without the sums"
