"""fastla.matmul in functions compiled by Numba: the bits of fastla.matmul outside, whatever the arrays.

Every new combination of array types is compiled anew, 0.5 s or so each: tests share functions and types.
"""

import concurrent.futures
import doctest
import time
import warnings

import numpy as np
import pytest
from compiled import PAGE
from process import run_python
from shapes import layouts, random_matrix
from test_resources import NO_MEMORY

import fastla

numba = pytest.importorskip("numba")
TypingError = numba.core.errors.TypingError

# compiled once for all tests; what they call is found when they are compiled
product = numba.njit(lambda x, y: fastla.matmul(x, y))
into = numba.njit(lambda x, y, out: fastla.matmul(x, y, out))
counted = numba.njit(lambda x, y, n: fastla.matmul(x, y, num_threads=n))

MATRICES = ["float32", "float64", "complex64", "complex128", "int8", "int16", "int64", "uint8", "uint64"]
MIXED = [("float32", "float64"), ("int32", "float32"), ("uint64", "int64"), ("complex64", "float64")]


def draw(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    x = random_matrix(rng, shape, dtype)
    return x * dtype.type(1 + 1j) if dtype.kind == "c" else x


def assert_same(got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("dtype", MATRICES)
def test_dtypes(dtype, rng):
    for m, k, n in [(4, 4, 4), (1, 90, 70), (90, 70, 1), (150, 130, 140), (0, 3, 4), (3, 0, 4)]:
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        assert_same(product(a, b), fastla.matmul(a, b))


@pytest.mark.parametrize("left, right", MIXED)
def test_two_dtypes(left, right, rng):
    a, b = draw(rng, (13, 40), left), draw(rng, (40, 7), right)
    assert_same(product(a, b), fastla.matmul(a, b))


def test_dimensions(rng):
    """By NumPy's rules: vectors, stacks, and stacks that are broadcast."""
    shapes = [((5,), (5,)), ((0,), (0,)), ((3, 5), (5,)), ((5,), (5, 4)), ((2, 3, 5), (5,)),
              ((5,), (2, 5, 4)), ((2, 3, 5), (5, 4)), ((6, 2, 3, 5), (2, 5, 4)), ((6, 1, 3, 5), (2, 5, 4)),
              ((1, 1, 3, 5), (0, 5, 4)), ((1, 2, 0, 5), (2, 5, 4))]
    for left, right in shapes:
        a, b = random_matrix(rng, left, np.float64), random_matrix(rng, right, np.float64)
        got = product(a, b)
        assert_same(got, fastla.matmul(a, b))
        assert isinstance(got, float) == (len(left) == len(right) == 1)


def test_layouts(rng):
    a, b = random_matrix(rng, (13, 21), np.float64), random_matrix(rng, (21, 17), np.float64)
    want, seen = fastla.matmul(a, b), set()
    for (_, x), (_, y) in zip(layouts(a), layouts(b), strict=True):
        if x.dtype.isnative:
            assert_same(product(x, y), want)
            seen.add((numba.typeof(x).layout, numba.typeof(x).mutable))
    assert seen == {("C", True), ("F", True), ("A", True), ("C", False)}


def test_stacks_of_any_stride(rng):
    a, b = random_matrix(rng, (4, 5, 6), np.float64), random_matrix(rng, (4, 6, 7), np.float64)
    for x, y in [(a[::-1], b[::2].repeat(2, 0)[::-1]), (a.transpose(0, 2, 1)[:, ::-2], a[:, ::-1])]:
        x, y = x[:, :, ::1], y[:, :, ::-1]
        assert_same(product(x, y), fastla.matmul(x, y))


def test_out(rng):
    a, b = random_matrix(rng, (9, 9), np.float64), random_matrix(rng, (9, 9), np.float64)
    out = np.full((9, 9), 7.0)
    got = into(a, b, out)
    assert_same(out, fastla.matmul(a, b))
    got[0, 0] = 5
    assert out[0, 0] == 5, "what comes back is out"


def test_out_beside_and_over_an_operand(rng):
    """Views of one buffer, reversed and shifted: the product of what was there before."""
    n = 60
    for left, right, target in [(0, n, 2 * n), (0, n, 0), (0, n, n), (0, 0, 0), (0, n, n // 2), (20, 80, 1),
                                (81, 1, 30)]:
        buffer = random_matrix(rng, (3 * n, n), np.float64)
        views = [buffer[start:start + n] for start in (left, right, target)]
        x, y, out = views[0][::-1], views[1][:, ::-1], views[2][::-1]
        want, rest = fastla.matmul(x, y), buffer.copy()
        rest[target:target + n] = want[::-1]
        into(x, y, out)
        assert_same(buffer, rest)


def test_where_out_is_written_at_once(rng):
    """Only where it shares no memory with an operand, by extent, and is aligned."""
    from fastla.interop._numba_code import is_direct
    direct = numba.njit(lambda x, y, out: is_direct(x, y, out))
    raw = np.zeros(3 * 96 + 8, np.uint8)
    x, y, out = (raw[start:start + 96].view(np.float64).reshape(3, 4)[::-1] for start in (0, 96, 192))
    assert direct(x, y, out) and direct(y, x, out) and direct(y, out, x)
    assert not direct(x, y, x) and not direct(x, y, y)
    for shift, free in [(-8, False), (0, True), (8, True), (1, False), (4, False)]:
        moved = raw[192 + shift:288 + shift].view(np.float64).reshape(3, 4)[::-1]
        assert direct(x, y, moved) == direct(y, x, moved) == free, shift
    assert not direct(x, y[::2], y[1::2]), "between its rows"


def test_out_of_other_dimensions(rng):
    """A scalar's, and a stack's, along which the operands repeat; in memory that is not aligned."""
    x, scalar = random_matrix(rng, (30,), np.float64), np.zeros(())
    into(x, x, scalar)
    assert_same(scalar, fastla.matmul(x, x))
    a, b = random_matrix(rng, (1, 3, 5), np.float64), random_matrix(rng, (5, 4), np.float64)
    raw = np.zeros(2 * 6 * 3 * 4 * 8 + 1, np.uint8)
    for start in (0, 1):
        out = raw[start:len(raw) - 1 + start].view(np.float64).reshape(2, 6, 3, 4)
        into(a, b, out)
        assert_same(out, fastla.matmul(a, b, out=np.zeros((2, 6, 3, 4))))


def test_sizes_that_do_not_fit():
    a, b, v = np.ones((3, 5)), np.ones((4, 6)), np.ones(5)
    for x, y in [(a, b), (a, a), (v, b), (b, v), (v, v[:4])]:
        with pytest.raises(ValueError, match="must equal"):
            product(x, y)
    stack = np.ones((6, 2, 3, 5))
    for y in (np.ones((3, 5, 4)), np.ones((0, 5, 4))):
        with pytest.raises(ValueError, match="broadcast"):
            product(stack, y)
    for shape in [(3, 5), (6, 3), (4, 6), (0, 6)]:
        out = np.full(shape, 7.0)
        with pytest.raises(ValueError, match="out has another shape"):
            into(a, np.ones((5, 6)), out)
        assert (out == 7).all()
    for shape in [(2, 6, 3, 5), (2, 6, 4, 4)]:
        with pytest.raises(ValueError, match="out has another shape"):
            into(np.ones((1, 3, 5)), np.ones((5, 4)), np.ones(shape))
    with pytest.raises(ValueError, match="out has another shape"):
        into(np.ones((3, 3, 5)), np.ones((5, 4)), np.ones((2, 6, 3, 4)))


def test_num_threads(rng):
    a, b = random_matrix(rng, (200, 90), np.float64), random_matrix(rng, (90, 170), np.float64)
    for n in (1, 2, 3, 1024):
        assert_same(counted(a, b, n), fastla.matmul(a, b))
    for n in (0, -1, 1025, 2**40):
        with pytest.raises(ValueError, match="from 1 to 1024"):
            counted(a, b, n)
    assert_same(counted(a, b, None), fastla.matmul(a, b))
    with pytest.raises(TypingError, match="num_threads must be an integer"):
        counted(a, b, 2.0)


def frozen(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("arguments, words", [
    ((np.ones(()), np.ones(3)), "x1 has no dimension"),
    ((np.ones(3), 2.0), "x2 is float64; in compiled code both operands must be arrays"),
    (((1.0, 2.0), np.ones(2)), "both operands must be arrays"),
    ((np.ones((2, 2), bool), np.ones((2, 2))), "x1 is bool; compiled code has products of float32"),
    ((np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2), np.float32)), "it must be an array of float64"),
    ((np.ones((2, 2)), np.ones((2, 2)), 1.0), "it must be an array of float64"),
    ((np.ones((2, 2)), np.ones((2, 2)), np.ones(2)), "out has 1 dimensions"),
    ((np.ones((2, 2)), np.ones((3, 2, 2)), np.ones((2, 2))), "out has 2 dimensions"),
    ((np.ones((2, 2)), np.ones((2, 2)), frozen(np.ones((2, 2)))), "out is read-only"),
])
def test_types_that_do_not_fit(arguments, words):
    """A message that says what would."""
    with pytest.raises(TypingError, match=words):
        (into if len(arguments) == 3 else product)(*arguments)


def test_no_memory_for_the_workspace():
    """The same process as without Numba, with the product compiled before memory is short."""
    compiled = """
    import numba
    import numpy as np
    import fastla

    compiled = numba.njit(lambda x, y, out: fastla.matmul(x, y, out, num_threads=1))
    compiled(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
    """
    code = NO_MEMORY.format(dtype="float64", threads=1, packed=False)
    call = "fastla.matmul(a, a, out=out, num_threads=threads)"
    assert code.count(call) == 1
    message = run_python(compiled + code.replace(call, "compiled(a, a, out)"))
    assert message == "matmul: no memory for the workspace"


@numba.njit(nogil=True)
def until_told(x, out, told, most):
    for i in range(most):
        fastla.matmul(x, x, out, num_threads=1)
        if told[0]:
            return i
    return most


def test_threads_without_the_gil(rng):
    """Two threads compute until a third, which needs the GIL for it, tells them to stop."""
    x, told = random_matrix(rng, (8, 8), np.float64), np.zeros(1, np.int64)
    until_told(x, np.zeros((8, 8)), told, 1)
    outs, most = np.zeros((2, 8, 8)), 20_000_000  # some seconds
    with concurrent.futures.ThreadPoolExecutor() as pool:
        futures = [pool.submit(until_told, x, out, told, most) for out in outs]
        while not (outs[0].any() and outs[1].any()):
            time.sleep(0.001)
        told[0] = 1
        assert all(future.result() < most for future in futures)
    for out in outs:
        assert_same(out, fastla.matmul(x, x))


def test_in_a_parallel_loop(rng):
    @numba.njit(parallel=True)
    def each(a, b, out):
        for i in numba.prange(len(a)):
            fastla.matmul(a[i], b[i], out[i])

    a, b = random_matrix(rng, (20, 30, 40), np.float64), random_matrix(rng, (20, 40, 30), np.float64)
    out = np.zeros((20, 30, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threading layers that are not there
        each(a, b, out)
    assert_same(out, fastla.matmul(a, b))


CACHED = """
    import sys
    sys.path.insert(0, {folder!r})
    import numpy as np
    from user import f
    import fastla

    x = np.arange(12.0).reshape(3, 4)
    got = f(x, x.T)
    assert (got == fastla.matmul(x, x.T)).all()
    assert not fastla._core.team_started()
    print(sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))
"""


def test_cache(tmp_path):
    """A second process runs what the first one compiled; neither has started a thread for it."""
    (tmp_path / "user.py").write_text(
        "from numba import njit\nfrom fastla import matmul as m\n\n"
        "@njit(cache=True)\ndef f(x, y):\n    return m(x, y)\n")
    code = CACHED.format(folder=str(tmp_path))
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert [run_python(code, env=env) for _ in range(2)] == ["0 1", "1 0"]


def test_cost_of_a_call(record_property):
    """Of a 4 x 4 product, in nanoseconds; nothing depends on it."""
    @numba.njit
    def repeat(x, out, count):
        for _ in range(count):
            fastla.matmul(x, x, out)

    x, out = np.arange(16.0).reshape(4, 4), np.zeros((4, 4))
    repeat(x, out, 1)
    start = time.perf_counter()
    repeat(x, out, 20000)
    cost = (time.perf_counter() - start) / 20000 * 1e9
    record_property("call_ns", cost)
    print(f"fastla.matmul of 4 x 4 in compiled code: {cost:.0f} ns")
    assert_same(out, fastla.matmul(x, x))


def test_numba_is_not_imported_with_fastla():
    assert run_python("import sys, fastla; print('numba' in sys.modules)") == "False"


TEMPORARIES = """
    import numba
    import numpy as np
    import fastla

    @numba.njit
    def chain(a, b, steps):
        total = 0.0
        for i in range(steps):
            total += fastla.matmul(fastla.matmul(a[i % 2:] * 2, b + 1), (b - 1)[0])[0]
        return total

    rng = np.random.default_rng(97)
    a, b = rng.standard_normal((7, 5)).astype(np.float32), rng.standard_normal((5, 5))
    assert chain(a, b, 1) == fastla.matmul(fastla.matmul(a * np.float32(2), b + 1), (b - 1)[0])[0]
    stats = numba.core.runtime.rtsys.get_allocation_stats
    before = stats()
    chain(a, b, 1000)
    after = stats()
    assert after.alloc - before.alloc >= 4000, after
    assert after.alloc - before.alloc == after.free - before.free, after
"""


def test_temporaries_live_as_long_as_they_are_read():
    """Conversions and slices that are nobody's but the call's, many times; each is freed."""
    run_python(TEMPORARIES, env={"NUMBA_NRT_STATS": "1"})


def test_example():
    if not PAGE.exists():
        pytest.skip("needs the source tree")
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert not failed
    assert tried >= 3
