"""bfloat16 products: float32 chains with subnormal numbers flushed, float32 results or rounded once."""

import itertools

import ml_dtypes
import numpy as np
import oracle
import pytest
from process import run_python
from shapes import row_of

import fastla

BF16 = np.dtype(ml_dtypes.bfloat16)
LEAST = np.float32(2.0**-126)  # normal number


def flush(x):
    return np.where(np.abs(x) < LEAST, np.copysign(np.float32(0), x), x).astype(np.float32)


def step(x, y, z):
    """fma without subnormal numbers: flushed is what is below 2^-126 after it was rounded to 24 bits."""
    usual = oracle.fma(x, y, z)
    near = np.abs(usual) < np.float32(2.0**-120)
    scale = np.float64(2.0**100)
    exact = oracle._add_to_odd(np.float64(x) * np.float64(y), np.float64(z)) * scale
    scaled = exact.astype(np.float32)
    tiny = np.where(np.abs(scaled) < LEAST * np.float32(scale), np.copysign(np.float32(0), scaled),
                    scaled / np.float32(scale))
    return np.where(near, tiny, usual).astype(np.float32)


def expected(a, b):
    """The contract's chains with inputs and results flushed, as float32."""
    a, b = flush(a.astype(np.float32)), flush(b.astype(np.float32))
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    with np.errstate(all="ignore"):
        for start in range(0, a.shape[1], oracle.KB):
            s = np.zeros_like(total)
            for k in range(start, min(a.shape[1], start + oracle.KB)):
                s = step(a[:, k, None], b[None, k], s)
            total = step(total, np.float32(1), s)
    return total


def draw(rng, shape, low=-6, high=6):
    return (rng.standard_normal(shape) * np.exp2(rng.integers(low, high, shape))).astype(BF16)


def same(x, y):
    x, y = np.asarray(x), np.asarray(y)
    bits = f"u{x.dtype.itemsize}"
    nan = np.isnan(x.astype(np.float32)) & np.isnan(y.astype(np.float32))
    return x.dtype == y.dtype and x.shape == y.shape and bool(((x.view(bits) == y.view(bits)) | nan).all())


def both(a, b, **options):
    """The float32 product, having looked at the one of bfloat16: the same, rounded once."""
    wide = fastla.matmul(a, b, **options)
    narrow = fastla.matmul(a, b, dtype=BF16, **options)
    assert wide.dtype == np.float32 and narrow.dtype == BF16
    assert same(narrow, wide.astype(BF16))
    return wide


def test_every_size_at_an_edge(isa, path, rng):
    row = row_of(isa, "bfloat16")
    ms = sorted({1, row.mr - 1, row.mr, row.mr + 1, 2 * row.mr + 3})
    ns = sorted({1, row.nr // 2, row.nr - 1, row.nr, row.nr + 1, 2 * row.nr + 3})
    a, b = draw(rng, (max(ms), 130)), draw(rng, (130, max(ns)))
    for k in (0, 1, 2, 31, 33, 130):
        want = expected(a[:, :k], b[:k])
        for m, n in itertools.product(ms, ns):
            assert same(both(a[:m, :k], b[:k, :n]), want[:m, :n]), (m, n, k)


@pytest.mark.parametrize("k", [511, 512, 513, 1100])
def test_blocks_layouts_threads(isa, k, threads, rng):
    for m, n in [(3, 29), (1, 33), (30, 1), (20, 70)]:
        a, b = draw(rng, (m, k)), draw(rng, (k, n))
        want = expected(a, b)
        for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
            for right in (b, np.asfortranarray(b), np.ascontiguousarray(b[::-1])[::-1]):
                assert same(both(left, right, num_threads=threads), want)
        out = np.empty((n, m), np.float32).T
        assert same(fastla.matmul(a, b, out=out), want)
        out = np.empty((2 * m, 2 * n), BF16)[::2, ::2]
        assert same(fastla.matmul(a, b, out=out, dtype=BF16), want.astype(BF16))


def test_every_value_and_subnormal_numbers(isa):
    x = np.arange(65536, dtype=np.uint16).view(BF16)
    one = np.ones((1, 1), BF16)
    with np.errstate(all="ignore"):
        want = expected(x[:, None], one)
    assert same(both(x[:, None], one), want)
    assert same(both(one, x[None, :]), want.T)
    assert (fastla.matmul(x[:, None], one)[np.abs(x.astype(np.float32)) < LEAST] == 0).all()


def test_tiny_results_are_flushed_on_the_way(isa, rng):
    """Products and sums below 2^-126 vanish, each where it arises."""
    a, b = draw(rng, (20, 40), -70, -55), draw(rng, (40, 40), -70, -55)
    want = expected(a, b)
    unflushed = oracle.matmul2(a.astype(np.float32), b.astype(np.float32))
    assert not same(want, unflushed)  # or the test shows nothing
    assert same(both(a, b), want)


@pytest.mark.parametrize("low", [75, 77, 80])
def test_results_that_round_up_to_the_least_normal_number(isa, low):
    """2^-126 minus less than half a unit of its own is 2^-126; minus more, it is flushed."""
    x = np.array([[2.0**-63, 2.0**-low]]).astype(BF16)
    y = np.array([[2.0**-63], [-(2.0**-75)]]).astype(BF16)
    want = expected(x, y)
    assert want[0, 0] == (0 if low == 75 else LEAST)
    assert same(both(x, y), want)
    fastla.matmul(x, y, verify=True)


def test_the_callers_environment_is_kept(rng):
    """Flushing ends with the product: the next one has its subnormal numbers. No flags are left."""
    a = draw(rng, (30, 30), -70, -60)
    tiny = np.full((40, 40), 1e-20, np.float32)
    before = fastla.matmul(tiny, tiny)
    with np.errstate(all="raise"):
        both(a, a)
    assert same(fastla.matmul(tiny, tiny), before)
    assert 0 < before[0, 0] < LEAST
    assert np.float32(1e-38) * np.float32(0.1) > 0


def test_promotion_stacks_and_vectors(isa, rng):
    a, b = draw(rng, (3, 2, 5, 40)), draw(rng, (2, 40, 6))
    got = both(a, b)
    for at in np.ndindex(3, 2):
        assert same(got[at], expected(a[at], b[at[1]]))
    v = draw(rng, 40)
    assert same(both(a[0, 0], v), expected(a[0, 0], v[:, None])[:, 0])
    assert np.shape(both(v, v)) == ()
    wide = b[0].astype(np.float32)
    assert same(fastla.matmul(a[0, 0], wide), fastla.matmul(a[0, 0].astype(np.float32), wide))
    assert same(fastla.gram(b[0]), expected(b[0].T, b[0]))
    assert same(fastla.gram(b[0], dtype=BF16), expected(b[0].T, b[0]).astype(BF16))
    for narrow in (np.int8, np.uint8, bool):
        z = rng.integers(0, 2 if narrow is bool else 100, (40, 6)).astype(narrow)
        assert same(fastla.matmul(a[0, 0], z), expected(a[0, 0], z))
        assert same(fastla.matmul(z.T, a[0, 0].T), expected(z.T, a[0, 0].T))
    with pytest.raises(ValueError, match=r"\(5, 40\)"):
        fastla.matmul(a[0, 0], a[0, 0])


def test_nan_and_infinity(isa, rng):
    a, b = draw(rng, (20, 40)), draw(rng, (40, 40))
    a[3, 4], b[7, 8], a[5, 6] = np.nan, np.inf, -np.inf
    b[6, 9] = 0
    with np.errstate(all="ignore"):
        assert same(both(a, b), expected(a, b))


PATCHED = """
    import ml_dtypes
    import numpy as np
    import fastla

    rng = np.random.default_rng(3)
    bf16 = ml_dtypes.bfloat16
    shapes = {"matmul": ((3, 20, 700), (3, 700, 30)), "matvec": ((5, 7, 300), (5, 300)),
              "vecmat": ((5, 300), (5, 300, 7)), "vecdot": ((5, 300), (5, 300))}
    def same(x, y):
        return x.dtype == y.dtype and np.array_equal(x, y)
    for name, (left, right) in shapes.items():
        function = getattr(np, name, None)
        if function is None:
            continue
        a, b = rng.standard_normal(left).astype(bf16), rng.standard_normal(right).astype(bf16)
        wide = function(a.astype(np.float32), b.astype(np.float32))
        for _ in range(2):
            with fastla.patched():
                got = function(a, b)
                assert got.dtype == np.float32
                if name == "matmul":
                    assert same(got, fastla.matmul(a, b)) and same(a @ b, got)
                    x, y = a[..., ::2], b[:, ::-2]
                    assert same(np.matmul(x, y), fastla.matmul(x, y))
                elif name == "matvec":
                    assert same(got[2], fastla.matmul(a[2], b[2]))
                elif name == "vecmat":
                    assert same(got[2], fastla.matmul(a[2], b[2]))
                else:
                    assert got[2] == fastla.matmul(a[2], b[2])
                status = fastla.patch_status()["dtypes"]["bfloat16"]
                assert status["patched"] and status["calls"] > 0
            assert same(function(a, b), wide), name
            assert not fastla.patch_status()["dtypes"]["bfloat16"]["patched"]
    x = np.full((2, 2), 1e30, bf16)
    with fastla.patched():
        assert same(np.matmul(x, x), np.full((2, 2), np.inf, np.float32))
        out = np.empty((2, 2), np.float64)
        assert np.matmul(x, x, out=out) is out
    print("ok")
"""


def test_numpys_functions():
    """NumPy's result type and, while patched, fastla's bits; then NumPy's again, by a loop that stays."""
    assert run_python(PATCHED) == "ok"


LATE = """
    import numpy as np
    import fastla

    with fastla.patched():
        import ml_dtypes
        tiny = np.full((1, 1), 2.0**-64).astype(ml_dtypes.bfloat16)
        assert np.matmul(tiny, tiny)[0, 0] == 0 == fastla.matmul(tiny, tiny)[0, 0]
        assert fastla.patch_status()["dtypes"]["bfloat16"]["patched"]
    assert np.matmul(tiny, tiny)[0, 0] > 0
    print("ok")
"""


def test_ml_dtypes_may_come_after_the_patch():
    assert run_python(LATE) == "ok"
