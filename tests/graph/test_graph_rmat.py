"""Random graphs: the same edges however they are made, in the wanted proportions."""

import re

import numpy as np
import pytest

from fastla import _core
from fastla.graph import rmat


@pytest.mark.parametrize("scale", [0, 1, 2, 7, 8, 9, 16, 17])
def test_shapes_and_ranges(scale):
    source, target = rmat(scale, 3)
    assert source.shape == target.shape == (3 << scale,)
    assert source.dtype == target.dtype == np.int32
    assert source.min() >= 0 and max(source.max(), target.max()) < 1 << scale


def test_threads_and_parts_change_nothing():
    source, target = rmat(13, 16, seed=5, num_threads=1)
    for threads in (2, 8):
        again = rmat(13, 16, seed=5, num_threads=threads)
        np.testing.assert_array_equal(again, (source, target))
    part = _core.graph_rmat(13, 1000, 777, 0.57, 0.19, 0.19, 5, True)
    np.testing.assert_array_equal(part, (source[1000:1777], target[1000:1777]))


@pytest.mark.parametrize("scale", [1, 5, 12])
def test_renaming_is_a_bijection(scale):
    plain, renamed = rmat(scale, 64, permute=False), rmat(scale, 64)
    names = {}
    for old, new in zip(
        np.concatenate(plain).tolist(), np.concatenate(renamed).tolist(), strict=True
    ):
        assert names.setdefault(old, new) == new
    assert len(set(names.values())) == len(names)
    if scale == 12:
        assert sum(old == new for old, new in names.items()) < 20


@pytest.mark.parametrize(
    "p",
    [
        (0.57, 0.19, 0.19),
        (0.25, 0.25, 0.25),
        (0.1, 0.2, 0.3),
        (0.0, 1.0, 0.0),
        (1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_quarters_have_their_shares(p):
    """Of every level: within five standard deviations of a binomial's mean."""
    count = 1 << 18
    source, target = rmat(10, 256, a=p[0], b=p[1], c=p[2], permute=False, seed=3)
    shares = (*p, 1 - sum(p))
    for level in range(10):
        quarter = 2 * (source >> level & 1) + (target >> level & 1)
        for q, share in enumerate(shares):
            deviation = (share * (1 - share) / count) ** 0.5 if 0 < share < 1 else 0
            assert abs(np.mean(quarter == q) - share) <= 5 * deviation + 1e-12, (level, q)


def test_levels_are_independent():
    source, _ = rmat(8, 4096, a=0.25, b=0.25, c=0.25, permute=False)
    counts = np.bincount(source, minlength=256)
    expected = len(source) / 256
    chi = ((counts - expected) ** 2 / expected).sum()
    assert 150 < chi < 400  # 255 degrees of freedom


def test_seeds_give_other_graphs():
    assert (rmat(12, 4, seed=1)[0] != rmat(12, 4, seed=2)[0]).mean() > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmat(32), "rmat: scale is 32; it must be from 0 to 31"),
        (lambda: rmat(-1), "scale is -1"),
        (lambda: rmat(3, -1), "edge_factor is -1"),
        (lambda: rmat(3, seed=-1), "seed is -1"),
        (lambda: rmat(3, a=0.9), "a, b, c are 0.9, 0.19, 0.19"),
        (lambda: rmat(3, a=-0.1), "a, b, c are -0.1"),
        (lambda: rmat(3, a=float("nan")), "a, b, c are nan"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
