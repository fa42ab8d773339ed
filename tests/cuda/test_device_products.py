"""fastla's functions of arrays on a GPU: dtypes, out=, stacks, and what the kernels make of them."""

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import device  # noqa: E402
import ml_dtypes  # noqa: E402
import reference  # noqa: E402
from device import Array, aligned, call  # noqa: E402
from shapes import assert_same_bits  # noqa: E402

import fastla  # noqa: E402
from fastla.cuda import arrays, plan, recipes  # noqa: E402

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
F, D, H = np.dtype("f4"), np.dtype("f8"), np.dtype("f2")


def numbers(rng, shape, dtype):
    """Small integers: every order of summation has the same bits."""
    return rng.integers(-3, 4, shape).astype(dtype)


@pytest.mark.parametrize("left, right, asked, want", [
    (F, F, None, F), (D, D, None, D), (F, D, None, D), (F, F, D, D), (D, D, F, F), (H, H, None, H),
    (H, H, F, F), (H, F, None, F), (BFLOAT16, BFLOAT16, None, F), (BFLOAT16, BFLOAT16, BFLOAT16, BFLOAT16),
    (BFLOAT16, F, None, F), (F, F, H, H), (F, D, BFLOAT16, BFLOAT16), (H, H, D, D)], ids=str)
def test_dtypes(rng, left, right, asked, want):
    """As on the CPU, operands that no kernel reads converted first."""
    a, b = numbers(rng, (5, 6), left), numbers(rng, (6, 7), right)
    with device.emulated():
        got = call("matmul", Array(a), Array(b), dtype=asked).host
    assert got.dtype == want
    assert np.array_equal(got.astype(float), fastla.matmul(a.astype(float), b.astype(float)))


@pytest.mark.parametrize("code", ["i4", "u2", "?", "F", "i8"])
def test_dtypes_without_kernels(code):
    x, y = np.ones((3, 3), code), np.ones((3, 3), np.float32)
    with device.emulated() as backend:
        for pair in ((x, x), (x, y), (y, x)):
            for name in ("matmul", "linear", "gemm"):
                with pytest.raises(TypeError, match=f"{name}: .*{x.dtype}.*float16, bfloat16, float32, "):
                    call(name, *map(Array, pair))
        with pytest.raises(TypeError, match=f"gram: .*{x.dtype}"):
            call("gram", Array(x))
        with pytest.raises(TypeError, match=f"would be {x.dtype}"):
            call("matmul", Array(y), Array(y), dtype=code)
        assert not backend.launched


@pytest.mark.parametrize("layouts", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=str)
@pytest.mark.parametrize("dtype", [H, BFLOAT16], ids=str)
def test_halves_wherever_they_lie(rng, dtype, layouts):
    """Read where they are if vectors can be, else copied; results in rows and in columns."""
    a, b = numbers(rng, (9, 24), dtype), numbers(rng, (24, 16), dtype)
    want = fastla.matmul(a.astype(float), b.astype(float))
    padded = np.zeros((17, 32), dtype)
    padded[:9, 1:25] = a
    out = np.full((16, 9), np.nan, dtype).T
    if layouts[0]:
        a = np.asfortranarray(np.vstack([a, a]))[:9]
    if layouts[1]:
        b = np.asfortranarray(b)
    with device.emulated() as backend:
        for left, is_copied in ((aligned(a), layouts[0]), (padded[:9, 1:25], True)):
            backend.launched.clear()
            assert call("matmul", Array(left), Array(aligned(b)), out=Array(out)).host is out
            assert np.array_equal(out.astype(float), want)
            names = [launched[0].split()[0] for launched in backend.launched]
            assert names == ["copy"] * is_copied + ["halves"]
            out[...] = np.nan


def test_exact_halves(rng):
    """The CPU's bits of float16, by conversion; of bfloat16 there are none."""
    a, b = (rng.standard_normal(shape).astype(H) for shape in ((6, 20), (20, 5)))
    with device.emulated() as backend:
        got = call("matmul", Array(a), Array(b), precision="exact").host
        assert_same_bits(got, fastla.matmul(a, b))
        assert [x[0].split()[0] for x in backend.launched] == ["copy", "copy", "exact"]
        wide = np.empty((6, 5), F)
        call("matmul", Array(a), Array(b), Array(wide), precision="exact")
        assert_same_bits(wide, fastla.matmul(a, b).astype(F), "rounded to float16 on the way")
        x = Array(a.astype(BFLOAT16))
        with pytest.raises(ValueError, match="'exact' is not there for bfloat16"):
            call("matmul", x, Array(b.astype(BFLOAT16)), precision="exact")


@pytest.mark.parametrize("dtype", [F, D, H, BFLOAT16], ids=str)
def test_out_of_another_dtype(rng, dtype):
    a, b = (rng.standard_normal(shape).astype(F) for shape in ((6, 20), (20, 5)))
    out = np.full((6, 12), 7, dtype)
    with device.emulated():
        call("matmul", Array(a), Array(b), out=Array(out[:, 1:11:2]))
    assert np.array_equal(out[:, 1:11:2], fastla.matmul(a, b).astype(dtype))
    assert (out[:, ::2] == 7).all() and (out[:, 11] == 7).all()


@pytest.mark.parametrize("dtype", [F, D], ids=str)
def test_out_that_is_an_operand(rng, dtype):
    """As if the operands were copied first: whole, shifted, transposed, in a stack."""
    whole = rng.standard_normal((40, 40)).astype(dtype)
    left, below = np.s_[:8, :8], np.s_[8:16, :8]
    for right, out in [(below, left), (below, np.s_[4:12, :8]), (left, left), (below, np.s_[7::-1, 7::-1])]:
        want, got = whole.copy(), whole.copy()
        want[out] = fastla.matmul(want[left].copy(), want[right].copy())
        with device.emulated():
            call("matmul", Array(got[left]), Array(got[right]), out=Array(got[out]))
        assert_same_bits(got, want, str((right, out)))
    stack = rng.standard_normal((3, 4, 4)).astype(dtype)
    want = fastla.matmul(stack, stack[:, ::-1].copy())
    with device.emulated():
        call("matmul", Array(stack), Array(stack[:, ::-1]), out=Array(stack))
    assert_same_bits(stack, want, "stack")


def test_out_for_several_products(rng):
    """out may be wider than the product, which is then repeated."""
    a, b = rng.standard_normal((2, 1, 3, 4)), rng.standard_normal((4, 5))
    out = np.zeros((3, 2, 2, 3, 5))
    with reference.referred():
        call("matmul", Array(a), Array(b), out=Array(out))
    assert np.array_equal(out, np.broadcast_to(fastla.matmul(a, b), out.shape))
    repeated = np.lib.stride_tricks.as_strided(np.zeros(5), (3, 5), (0, 8))
    with reference.referred(), pytest.raises(ValueError, match="its elements share memory"):
        call("matmul", Array(a[0, 0]), Array(b), out=Array(repeated))


def shape_of_launches(*shapes, transposed=False):
    """How many products each launch does, and the rows of one."""
    arrays = [np.ones(shape) for shape in shapes]
    if transposed:
        arrays = [x.swapaxes(-1, -2).copy().swapaxes(-1, -2) for x in arrays]
    with reference.referred() as backend:
        got = call("matmul", *map(Array, arrays)).host
    assert np.array_equal(got, fastla.matmul(*arrays))
    return [(x[2][0].count, x[2][0].m) for x in backend.launched]


def test_stacks_are_few_launches():
    assert shape_of_launches((7, 3, 4), (7, 4, 5)) == [(7, 3)]
    assert shape_of_launches((2, 7, 3, 4), (2, 7, 4, 5)) == [(14, 3)]
    assert shape_of_launches((7, 3, 4), (4, 5)) == [(1, 21)]
    assert shape_of_launches((6, 7, 3, 4), (4, 5)) == [(1, 126)]
    assert shape_of_launches((7, 3, 4), (4, 5), transposed=True) == [(7, 3)]
    assert shape_of_launches((3, 4), (7, 4, 5)) == [(7, 3)]
    assert shape_of_launches((9, 1, 4), (4, 5)) == [(1, 9)]
    assert shape_of_launches((9, 4), (4,)) == [(1, 9)]
    assert shape_of_launches((2, 1, 3, 4), (1, 5, 4, 6)) == [(5, 3)] * 2
    assert shape_of_launches((0, 3, 4), (4, 5)) == shape_of_launches((3, 4), (4, 0)) == []


def test_what_is_not_there():
    x = Array(np.ones((2, 2)))
    with device.emulated():
        for keywords in ({"overflow": "raise"}, {"semiring": "xor"}, {"verify": True}):
            with pytest.raises(TypeError, match=next(iter(keywords))):
                call("matmul", x, x, **keywords)
        with pytest.raises(TypeError, match="casting"):
            call("matmul", x, x, casting="safe")
        for value, kind in ((0, ValueError), ("2", TypeError)):
            with pytest.raises(kind, match="matmul: num_threads"):
                call("matmul", x, x, num_threads=value)


def test_a_call_like_another_is_worked_out_once(rng):
    a, b = (rng.standard_normal((8, 8)) for _ in range(2))
    with reference.referred():
        call("matmul", Array(aligned(a)), Array(aligned(b)))
        before = recipes._recipe.cache_info()
        for _ in range(3):
            got = call("matmul", Array(aligned(b)), Array(aligned(a))).host
        after = recipes._recipe.cache_info()
    assert after.hits - before.hits == 3 and after.misses == before.misses
    assert_same_bits(got, fastla.matmul(b, a))


def test_a_plan_of_ones_own(rng):
    """What a benchmark does: every plan of a product, one after the other."""
    a, b = rng.standard_normal((10, 9)).astype(F), rng.standard_normal((9, 11)).astype(F)
    with device.emulated() as backend:
        given = arrays.describe("f", {"a": Array(a), "b": Array(b)})
        found = []

        def chooser(desc, gpu):
            found[:] = plan.candidates(desc, gpu)
            return found[0]

        recipes.product("f", given["a"], given["b"], None, None, "highest", chooser=chooser)
        assert len(found) == 8  # two tiles, and each operand is copied or not
        for each in found:
            got = recipes.product("f", given["a"], given["b"], None, None, "highest",
                                  chooser=lambda desc, gpu, each=each: each)
            assert_same_bits(got.host, fastla.matmul(a, b), each.name)
            assert backend.launched[-1][0] == each.variant.name


def test_elements_between_addresses():
    """As no library makes them: fields of records, bytes."""
    fields = np.zeros((3, 3), [("tag", "u1"), ("x", F)])["x"]
    odd = np.zeros(37, np.uint8)[1:].view(F).reshape(3, 3)
    x = np.ones((3, 3), F)
    with device.emulated() as backend:
        for other in (fields, odd):
            for given, keywords in (((other, x), {}), ((x, other), {}), ((x, x), {"out": Array(other)})):
                with pytest.raises(ValueError, match=r"\(3, 3\) of float32 .* multiples of 4 bytes"):
                    call("matmul", *map(Array, given), **keywords)
        assert not backend.launched
