"""Random numbers that weights begin with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

Random = np.random.Generator | int | None


def _normal(shape: tuple[int, ...], variance: float, rng: Random, dtype: DTypeLike) -> NDArray[Any]:
    # Drawn as float64: other dtypes have the same numbers, rounded.
    drawn = np.random.default_rng(rng).standard_normal(shape)
    drawn *= math.sqrt(variance)
    return drawn.astype(dtype, copy=False)


def _fans(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"{name}: shape is {shape}; it must be (out, in)")
    return shape[0], shape[1]


def he_normal(shape: tuple[int, int], *, rng: Random = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Normal numbers of variance 2 / in, which keep the scale of a signal through relu.

    Parameters
    ----------
    shape : (int, int)
        (out, in).
    rng : numpy.random.Generator or int, optional
        Where the numbers come from, or a seed.
    dtype : dtype, default float32
        Drawn as float64 and rounded.

    Returns
    -------
    ndarray
        Of the shape and dtype.

    Raises
    ------
    ValueError
        If `shape` is not that of a matrix.

    References
    ----------
    K. He et al., "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> from fastla import nn
    >>> bool(abs(nn.he_normal((1000, 50), rng=0).var() - 2 / 50) < 1e-3)
    True
    """
    _, n_in = _fans("he_normal", shape)
    return _normal(shape, 2 / max(n_in, 1), rng, dtype)


def xavier_normal(
    shape: tuple[int, int], *, rng: Random = None, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Normal numbers of variance 2 / (in + out), for layers without activation, tanh and sigmoid.

    Parameters
    ----------
    shape : (int, int)
        (out, in).
    rng : numpy.random.Generator or int, optional
        Where the numbers come from, or a seed.
    dtype : dtype, default float32
        Drawn as float64 and rounded.

    Returns
    -------
    ndarray
        Of the shape and dtype.

    Raises
    ------
    ValueError
        If `shape` is not that of a matrix.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.xavier_normal((3, 2), rng=0, dtype="float64").shape
    (3, 2)
    """
    n_out, n_in = _fans("xavier_normal", shape)
    return _normal(shape, 2 / max(n_in + n_out, 1), rng, dtype)
