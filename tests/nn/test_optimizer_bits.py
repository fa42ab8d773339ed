"""Steps of optimizers have docs/rows.md's bits: one NumPy operation after the other, each rounded."""

import math

import numpy as np
import pytest
import row_cases
from shapes import assert_same_bits

import fastla
from fastla import nn

RATE, STEPS = 0.05, 3
OPTIMIZERS = {
    "sgd": (nn.SGD, {}),
    "sgd decay": (nn.SGD, {"weight_decay": 0.1}),
    "momentum": (nn.SGD, {"momentum": 0.9}),
    "nesterov": (nn.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (nn.Adam, {}),
    "adam decay": (nn.Adam, {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": (nn.AdamW, {"betas": (0.8, 0.95), "weight_decay": 0.3}),
}
LENGTHS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 255, 257, 1000)
LARGE = 3 * 2**15 + 5  # several pieces, the last of which is not whole


def sgd(t, p, g, velocity, momentum=0.0, nesterov=False, weight_decay=0.0):
    if weight_decay:
        g = p * weight_decay + g
    if momentum:
        velocity = velocity * momentum + g
        g = velocity * momentum + g if nesterov else velocity
    return p - g * RATE, velocity


def adam(t, p, g, mean, square, decoupled, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    first, second = betas
    if decoupled:
        p = p * (1 - RATE * weight_decay)
    elif weight_decay:
        g = p * weight_decay + g
    mean = mean + (g - mean) * (1 - first)
    square = square * second + (g * g) * (1 - second)
    root = math.sqrt(1 - second**t)
    return p - mean / (np.sqrt(square) + eps * root) * (RATE * root / (1 - first**t)), mean, square


def expected(name, p, steps):
    """The parameter and its states after these gradients."""
    kind, options = OPTIMIZERS[name]
    states = [np.zeros_like(p)] * (1 if kind is nn.SGD else 2)
    with np.errstate(all="ignore"):
        for t, g in enumerate(steps, 1):
            if kind is nn.SGD:
                p, *states = sgd(t, p, g, *states, **options)
            else:
                p, *states = adam(t, p, g, *states, kind is nn.AdamW, **options)
    return p, states if kind is not nn.SGD or "momentum" in options else []


def assert_steps(name, p, steps, want, context=""):
    kind, options = OPTIMIZERS[name]
    optimizer, place = kind(RATE, **options), {"p": p}
    with np.errstate(all="raise"):
        for g in steps:
            optimizer.step(place, {"p": g})
    assert place["p"] is p
    assert_same_bits(p, want[0], context)
    states = [x for key, x in optimizer.state_dict().items() if key != "steps"]
    for got, state in zip(states, want[1], strict=True):
        assert_same_bits(np.ascontiguousarray(got).reshape(state.shape), state, context)


@pytest.fixture(params=OPTIMIZERS)
def name(request):
    return request.param


def drawn(rng, shape, dtype):
    p, *steps = (np.array(rng.standard_normal(shape).astype(dtype)) for _ in range(1 + STEPS))
    return p, steps


def test_lengths(isa, dtype, rng, name):
    for shape in ((), *((n,) for n in LENGTHS), (3, 0), (5, 7), (2, 3, 5)):
        p, steps = drawn(rng, shape, dtype)
        assert_steps(name, p.copy(), steps, expected(name, p, steps), shape)


def test_special_values(isa, dtype, rng, name):
    """NaN, infinities, zeros of both signs, what is subnormal or nearly too large: no warnings."""
    p, *steps = (row_cases.special(rng, (700,), dtype) for _ in range(1 + STEPS))
    assert_steps(name, p.copy(), steps, expected(name, p, steps))


def test_pieces_on_threads(threads, dtype, rng, name):
    p, steps = drawn(rng, (LARGE,), dtype)
    fastla.set_num_threads(threads)
    assert_steps(name, p.copy(), steps, expected(name, p, steps))


def test_layouts(dtype, rng, name):
    """Not contiguous, unlike each other, misaligned, of another byte order or dtype: by copies."""
    p, steps = drawn(rng, (12, 10), dtype)
    want = expected(name, p, steps)
    turned = [np.asfortranarray(g) for g in steps]
    misaligned = np.zeros(p.nbytes + 1, np.uint8)[1:].view(dtype).reshape(p.shape)
    misaligned[...] = p
    wide = np.zeros((12, 20), dtype)
    wide[:, 1::2] = p
    for what, start, given in (
        ("F", np.asfortranarray(p), turned),
        ("F beside C", np.asfortranarray(p), steps),
        ("C beside F", p.copy(), turned),
        ("strided", wide[:, 1::2], steps),
        ("reversed", p[::-1].copy()[::-1], steps),
        ("misaligned", misaligned, steps),
        ("swapped", p.copy(), [g.astype(g.dtype.newbyteorder()) for g in steps]),
    ):
        assert_steps(name, start, given, want, what)
    assert (wide[:, ::2] == 0).all()
    halves = [g.astype(np.float16) for g in steps]
    assert_steps(name, p.copy(), halves, expected(name, p, [g.astype(dtype) for g in halves]))


def test_a_gradient_that_overlaps(dtype, rng, name):
    kind, options = OPTIMIZERS[name]
    for ahead in (0, 1):
        buffer = rng.standard_normal(101).astype(dtype)
        p, g = buffer[ahead : ahead + 100], buffer[1 - ahead : 101 - ahead]
        want = expected(name, p.copy(), [g.copy()])[0]
        kind(RATE, **options).step({"p": p}, {"p": g})
        assert_same_bits(p, want, ahead)


def test_what_cannot_change():
    p = np.ones(3)
    p.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        nn.SGD(0.1).step({"p": p}, {"p": np.ones(3)})
    with pytest.raises(TypeError, match="complex128"):
        nn.SGD(0.1).step({"p": np.ones(3)}, {"p": np.ones(3) * 1j})


class Sign(nn.Optimizer):
    """An optimizer of one's own: the momentum's sign."""

    _STATES = ("average",)

    def _update(self, rate, scratch, *pieces):
        (t, _), (p, g, average) = scratch, pieces
        average *= 0.5
        average += g
        np.sign(average, out=t)
        t *= rate
        p -= t


class Clipped(nn.Adam):
    """Adam with its gradients changed first."""

    def _update(self, rate, scratch, p, g, *states):
        t = scratch[0]
        assert t.shape == p.shape and p.size <= 2**15
        super()._update(rate, scratch[1:], p, np.clip(g, -1, 1, out=t), *states)


@pytest.mark.parametrize("shape", [(), (7,), (300, 200)])
def test_optimizers_of_ones_own(dtype, rng, shape):
    p, steps = drawn(rng, shape, dtype)
    signs, here = Sign(RATE, 0.0), {"p": p.copy()}
    average, want = np.zeros_like(p), p
    for g in steps:
        signs.step(here, {"p": g})
        average = average * dtype(0.5) + g
        want = want - np.sign(average) * dtype(RATE)
    assert_same_bits(here["p"], np.asarray(want))
    clipped, here = Clipped(RATE), {"p": p.copy()}
    for g in steps:
        clipped.step(here, {"p": g})
    assert_same_bits(here["p"], np.asarray(expected("adam", p, [np.clip(g, -1, 1) for g in steps])[0]))
