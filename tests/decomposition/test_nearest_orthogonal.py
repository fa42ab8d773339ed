"""nearest_orthogonal: orthonormal, nearest, the polar factor; rotations."""

import numpy as np
import pytest
from matrices import DTYPES, SHAPES, gaussian, of_rank, orthonormal, rounding, spectral

from fastla import decomposition


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_polar_factor(rng, shape, dtype):
    a = of_rank(rng, shape, min(shape), dtype)
    q = decomposition.nearest_orthogonal(a)
    assert q.shape == shape and q.dtype == dtype
    if shape[0] < shape[1]:
        a, q = a.conj().T, q.conj().T
    assert spectral(q.conj().T @ q - np.eye(q.shape[1])) <= rounding(a)
    h = q.conj().T @ a  # Hermitian, and positive: singular values of a are 1 to 2
    assert spectral(h - h.conj().T) <= 4 * rounding(a)
    assert np.linalg.eigvalsh(h).min() >= 1 - 4 * rounding(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacks_and_ranks(rng, dtype):
    stack = np.array([[of_rank(rng, (5, 3), rank, dtype)] for rank in range(4)])
    found = decomposition.nearest_orthogonal(stack)
    assert found.shape == (4, 1, 5, 3)
    assert spectral(found.conj().swapaxes(-1, -2) @ found - np.eye(3)) <= rounding(stack)
    assert abs(found[3, 0] - decomposition.nearest_orthogonal(stack[3, 0])).max() <= rounding(stack)


def test_no_other_is_nearer(rng):
    a = gaussian(rng, (4, 4), np.float64)
    for special in (False, True):
        best = np.linalg.norm(a - decomposition.nearest_orthogonal(a, special=special))
        for _ in range(300):
            q = np.linalg.qr(gaussian(rng, (4, 4), np.float64))[0]
            if special:
                q[:, 0] *= np.linalg.det(q)
            assert np.linalg.norm(a - q) >= best - rounding(a) * spectral(a)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_rotations(rng, dtype, size):
    stack = gaussian(rng, (40, size, size), dtype)
    plain, found = (decomposition.nearest_orthogonal(stack, special=special) for special in (False, True))
    negative = np.linalg.det(stack) < 0
    assert 0 < negative.sum() < 40
    assert abs(np.linalg.det(found) - 1).max() <= rounding(stack)
    assert abs(np.linalg.det(plain) - np.where(negative, -1, 1)).max() <= rounding(stack)
    assert np.array_equal(found[~negative], plain[~negative])
    assert spectral(found.swapaxes(-1, -2) @ found - np.eye(size)) <= rounding(stack)
    # The trace is the sum of the singular values, the least of them negative if the determinant is.
    s = np.linalg.svd(stack, compute_uv=False)
    s[negative, -1] *= -1
    traces = np.trace(found.swapaxes(-1, -2) @ stack, axis1=-2, axis2=-1)
    assert abs(traces - s.sum(axis=-1)).max() <= size * rounding(stack) * s.max()


def test_rotation_between_points_is_found(rng):
    x, r = gaussian(rng, (50, 3), np.float64), orthonormal(rng, 3, 3).real
    r = decomposition.nearest_orthogonal(r, special=True)
    found = decomposition.nearest_orthogonal(x.T @ (x @ r), special=True)
    assert abs(found - r).max() <= rounding(x) * np.linalg.cond(x.T @ x)


def test_dtypes(rng):
    a = rng.integers(-9, 10, (3, 3))
    assert decomposition.nearest_orthogonal(a).dtype == np.float64
    assert decomposition.nearest_orthogonal(a.astype(np.float16)).dtype == np.float32
    for shape in ((0, 0), (3, 0), (0, 2), (0, 2, 2)):
        assert decomposition.nearest_orthogonal(np.empty(shape)).shape == shape
    assert decomposition.nearest_orthogonal(np.empty((0, 0)), special=True).shape == (0, 0)


def test_errors():
    with pytest.raises(ValueError, match=r"a is \(2, 3\); a rotation is square"):
        decomposition.nearest_orthogonal(np.ones((2, 3)), special=True)
    with pytest.raises(TypeError, match="a is complex128; special=True is for real matrices"):
        decomposition.nearest_orthogonal(np.ones((2, 2)) * 1j, special=True)
    with pytest.raises(ValueError, match=r"a is \(4,\)"):
        decomposition.nearest_orthogonal(np.ones(4))
    with pytest.raises(ValueError, match=r"\(2, 1, 1\), dtype float64 contains inf at \(1, 0, 0\)"):
        decomposition.nearest_orthogonal([[[1.0]], [[np.inf]]])
