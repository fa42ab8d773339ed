"""Rotary positions: rotations of complex numbers, in two layouts, with tables from float64."""

import math

import numpy as np
import pytest

from fastla import nn


def rotated(x, positions, frequencies):
    """Neighbours as complex numbers, times e^(i angle)."""
    z = x[..., ::2] + 1j * x[..., 1::2]
    z = z * np.exp(1j * np.asarray(positions)[..., None] * frequencies)
    return np.stack([z.real, z.imag], -1).reshape(x.shape)


def halves(x):
    """Elements (0, 1, 2, 3, ...) in the order 0, 2, 4, ..., 1, 3, 5, ..."""
    return np.concatenate([x[..., ::2], x[..., 1::2]], -1)


@pytest.mark.parametrize("size", [2, 6, 64])
@pytest.mark.parametrize("interleaved", [False, True])
def test_rotations(rng, size, interleaved):
    x, positions = rng.standard_normal((2, 3, 5, size)), np.array([0, 1, 2, 100, 4095])
    frequencies = 10000.0 ** (-np.arange(0, size, 2) / size)
    expected = rotated(x, positions, frequencies)
    given, wanted = (x, expected) if interleaved else (halves(x), halves(expected))
    assert np.abs(nn.rotary(given, positions, interleaved=interleaved) - wanted).max() < 1e-12


def test_products_depend_on_the_distance(rng):
    q, k = rng.standard_normal((2, 1, 16))
    found = [(nn.rotary(q, [7 + n]) * nn.rotary(k, [n])).sum() for n in (0, 1, 50, 4000)]
    assert np.ptp(found) < 1e-11 and abs(found[0] - (q * k).sum()) > 1e-3


@pytest.mark.parametrize("interleaved", [False, True])
def test_backward_is_the_transpose(rng, interleaved):
    x, dy = rng.standard_normal((2, 3, 4, 8))
    places = rng.integers(0, 100, (3, 4))
    forward = (nn.rotary(x, places, interleaved=interleaved) * dy).sum()
    backward = (x * nn.rotary_backward(dy, places, interleaved=interleaved)).sum()
    assert abs(forward - backward) < 1e-12


def test_tables_are_rounded_once(rng):
    """At position 1e6 an angle in float32 would be off by 0.03."""
    x = rng.standard_normal((1, 32)).astype(np.float32)
    wide = nn.rotary(x.astype(np.float64), [10**6])
    assert np.abs(nn.rotary(x, [10**6]) - wide).max() <= 4 * 2.0**-24 * np.abs(x).max() * math.sqrt(2)


def test_halves_are_rounded_once(rng):
    x = rng.standard_normal((3, 8)).astype(np.float16)
    wide = nn.rotary(x.astype(np.float32), [1, 2, 3])
    assert np.array_equal(nn.rotary(x, [1, 2, 3]), wide.astype(np.float16))


def test_positions_of_each_sequence(rng):
    x, places = rng.standard_normal((2, 3, 4, 8)), np.array([[3, 4, 5, 6], [0, 1, 2, 3]])
    together = nn.rotary(x, places[:, None])
    for i in range(2):
        assert np.array_equal(together[i], nn.rotary(x[i], places[i]))


def test_linear_scaling():
    assert np.array_equal(nn.rotary_frequencies(8, 500.0, {"type": "linear", "factor": 4.0}),
                          nn.rotary_frequencies(8, 500.0) / 4)


def test_llama3_scaling():
    """The published rule, one frequency at a time."""
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8192}
    plain = nn.rotary_frequencies(128, 500000.0)
    found = nn.rotary_frequencies(128, 500000.0, scaling)
    kinds = set()
    for f, got in zip(plain, found, strict=True):
        wavelength = 2 * math.pi / f
        if wavelength < 8192 / 4:
            kind, expected = "kept", f
        elif wavelength > 8192 / 1:
            kind, expected = "divided", f / 8
        else:
            smooth = (8192 / wavelength - 1) / (4 - 1)
            kind, expected = "between", (1 - smooth) * f / 8 + smooth * f
        kinds.add(kind)
        assert abs(got - expected) <= 1e-15 * f
    assert kinds == {"kept", "divided", "between"}


def test_frequencies_given():
    x, places = np.ones((2, 4)), [0, 3]
    frequencies = nn.rotary_frequencies(4, 100.0)
    assert np.array_equal(nn.rotary(x, places, frequencies=frequencies), nn.rotary(x, places, 100.0))


@pytest.mark.parametrize("call, said", [
    (lambda: nn.rotary(np.ones((3, 5)), [0, 1, 2]), r"x is \(3, 5\)"),
    (lambda: nn.rotary(np.ones((3, 4)), [0, 1]), r"x is \(3, 4\), positions is \(2,\)"),
    (lambda: nn.rotary(np.ones((3, 4)), np.zeros((2, 3))), r"positions is \(2, 3\)"),
    (lambda: nn.rotary(np.ones(()), 0), r"x is \(\)"),
    (lambda: nn.rotary(np.ones((1, 4)), [0], frequencies=[1.0]), r"frequencies is \(1,\), x is \(1, 4\)"),
    (lambda: nn.rotary_frequencies(3), "size is 3"),
    (lambda: nn.rotary_frequencies(4, scaling={"rope_type": "yarn"}), "'yarn'"),
    (lambda: nn.rotary_frequencies(4, scaling={"rope_type": "linear"}), "needs 'factor'"),
])
def test_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_integers_are_no_positions_of_text():
    with pytest.raises(TypeError, match="positions is <U1"):
        nn.rotary(np.ones((1, 4)), ["a"])
