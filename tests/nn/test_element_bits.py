"""Rotary positions and SwiGLU have docs/rows.md's bits; cross entropy's loss and gradient together have
those of each alone."""

import numpy as np
import oracle_rows
import pytest
import row_cases
from row_cases import by_name, wide
from shapes import assert_same_bits, random_matrix

import fastla
from fastla import nn
from fastla.nn._activations import swiglu, swiglu_backward
from fastla.nn._losses import loss_and_gradient
from fastla.nn._rotary import Turns, turn, turns

SIZES = (2, 4, 6, 14, 16, 18, 30, 32, 34, 64, 66, 100, 130)
conventions = pytest.mark.parametrize("interleaved", [False, True])


def turned(x, cos, sin, interleaved):
    """One operation after the other, in the dtype that is computed in; rounded once to that of x."""
    v, half = wide(x), x.shape[-1] // 2
    first = (..., slice(0, None, 2)) if interleaved else (..., slice(0, half))
    second = (..., slice(1, None, 2)) if interleaved else (..., slice(half, None))
    a, b, y = v[first], v[second], np.empty_like(v)
    with np.errstate(all="ignore"):
        y[first] = a * cos - b * sin
        y[second] = b * cos + a * sin
        return y.astype(x.dtype)


def case(rng, shape, dtype, places):
    x = rng.standard_normal(shape).astype(dtype)
    return x, turns(places, nn.rotary_frequencies(shape[-1]), wide(x).dtype)


@conventions
@by_name
def test_turns(isa, dtype, rng, interleaved):
    for size in SIZES:
        places = rng.integers(0, 5000, (3, 1))
        x, by = case(rng, (2, 3, 4, size), dtype, places)
        kept = x.copy()
        for back in (False, True):
            want = turned(x, by.cos, -by.sin if back else by.sin, interleaved)
            assert_same_bits(turn(x, by, interleaved, back=back), want, size)
            public = nn.rotary_backward if back else nn.rotary
            assert_same_bits(public(x, places, interleaved=interleaved), want, size)
            assert_same_bits(x, kept)
            place = x.copy()
            assert turn(place, by, interleaved, place, back=back) is place
            assert_same_bits(place, want, f"{size} in place")


@conventions
def test_turns_of_special_values(isa, dtype, rng, interleaved):
    x = row_cases.special(rng, (40, 66), dtype)
    by = Turns(*(row_cases.special(rng, (40, 33), dtype) for _ in range(2)))
    with np.errstate(all="raise"):
        got = turn(x, by, interleaved)
    assert_same_bits(got, turned(x, by.cos, by.sin, interleaved))


@conventions
@by_name
def test_turns_of_layouts(dtype, rng, interleaved):
    """Heads apart from each other, reversed, and any number of axes; nothing between them is touched."""
    for axes in range(1, 7):
        shape = (*(2, 3, 1, 2, 3)[6 - axes :], 34)
        places = rng.integers(0, 100, shape[:-1])
        for some in (places, places[..., :1]) if axes > 1 else (places,):
            x, by = case(rng, shape, dtype, some)
            want = turned(x, by.cos, by.sin, interleaved)
            assert_same_bits(nn.rotary(x, some, interleaved=interleaved), want, shape)
            wider = np.zeros((*shape[:-1], 40), dtype)
            wider[..., 3:37] = x
            turn(wider[..., 3:37], by, interleaved, wider[..., 3:37])
            assert_same_bits(np.ascontiguousarray(wider[..., 3:37]), want, shape)
            assert not wider[..., :3].any() and not wider[..., 37:].any()
            backwards = x[..., ::-1].copy()[..., ::-1]
            assert_same_bits(nn.rotary(backwards, some, interleaved=interleaved), want, shape)
    heads = rng.standard_normal((2, 5, 3, 8)).astype(dtype)
    want = nn.rotary(heads.swapaxes(1, 2).copy(), np.arange(5), interleaved=interleaved)
    assert_same_bits(nn.rotary(heads.swapaxes(1, 2), np.arange(5), interleaved=interleaved), want)


@conventions
@by_name
def test_turns_on_threads(threads, dtype, rng, interleaved):
    fastla.set_num_threads(threads)
    x, by = case(rng, (3, 7, 101, 64), dtype, np.arange(101))
    assert_same_bits(turn(x, by, interleaved), turned(x, by.cos, by.sin, interleaved))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (2, 0, 3, 4)])
def test_turns_of_nothing(shape):
    assert nn.rotary(np.ones(shape), np.zeros(shape[:-1], int)).shape == shape


@pytest.mark.parametrize("shape", [(), (5,), (3, 17), (3, 33), (2, 3, 40), (1, 4096), (4099,)])
@by_name
def test_swiglu(isa, dtype, rng, shape):
    dy, z, up = (random_matrix(rng, (int(np.prod(shape)), 1), np.float64).reshape(shape).astype(dtype)
                 for _ in range(3))
    found = [x.ravel()[:200] for x in (swiglu(z, up), *swiglu_backward(dy, z, up))]
    d, v, u = (wide(np.asarray(x)).ravel()[:200] for x in (dy, z, up))
    silu, slope = oracle_rows.activation(v[None], "silu")[0], oracle_rows.slope("silu", v)
    for got, want in zip(found, (silu * u, (d * u) * slope, d * silu), strict=True):
        assert_same_bits(got, want.astype(dtype))


@by_name
def test_swiglu_on_threads_and_in_layouts(threads, dtype, rng):
    dy, z, up = (rng.standard_normal((40, 4096)).astype(dtype) for _ in range(3))
    fastla.set_num_threads(1)
    want = swiglu(z, up), *swiglu_backward(dy, z, up)
    fastla.set_num_threads(threads)
    strided = [np.repeat(x, 2, axis=1)[:, ::2] for x in (dy, z, up)]
    for given in ((dy, z, up), [np.asfortranarray(x) for x in (dy, z, up)], strided):
        for got, expected in zip((swiglu(*given[1:]), *swiglu_backward(*given)), want, strict=True):
            assert_same_bits(np.ascontiguousarray(got), expected)


@by_name
def test_loss_and_gradient_together(dtype):
    c = row_cases.operands(300, 33, dtype)
    loss, gradient = loss_and_gradient(c.x, c.target)
    assert loss == float(nn.cross_entropy(c.x, c.target))
    assert_same_bits(gradient, nn.cross_entropy_backward(c.x, c.target))
    place = c.x.copy()
    assert loss_and_gradient(place, c.target, out=place)[1] is place
    assert_same_bits(place, gradient)
    nothing = loss_and_gradient(c.x, np.full(300, -100))
    assert np.isnan(nothing[0]) and not nothing[1].any()


@pytest.mark.parametrize("kind", ["u1", "u8", "i2", ">i8"])
def test_classes_of_any_integers(rng, kind):
    x, classes = rng.standard_normal((9, 5)), rng.integers(0, 5, 9)
    assert nn.cross_entropy(x, classes.astype(kind)) == nn.cross_entropy(x, classes)
    with pytest.raises(ValueError, match="class 9; logits"):
        nn.cross_entropy(x, np.full(9, 9, kind))


def test_a_class_beyond_int64_is_none():
    with pytest.raises(ValueError, match="class 9223372036854775807"):
        nn.cross_entropy(np.ones((1, 5)), np.array([2**64 - 100], np.uint64))
