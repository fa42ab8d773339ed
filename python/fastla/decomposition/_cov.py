"""Covariances and correlations."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._dtypes import computed_dtype
from .._runtime import threads
from ._checks import require_finite
from ._moments import CHUNK, Moments, wide_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


def _observations(name: str, m: ArrayLike, y: ArrayLike | None, rowvar: bool) -> NDArray[Any]:
    """(observations, variables)."""
    parts = [np.asarray(part) for part in ([m] if y is None else [m, y])]
    for part in parts:
        if part.ndim > 2:
            raise ValueError(
                f"{name}: an argument is {part.shape}; it must have at most two dimensions"
            )
    turned = [p if p.ndim == 2 and not rowvar else np.atleast_2d(p).T for p in parts]
    if len({len(t) for t in turned}) > 1:
        raise ValueError(
            f"{name}: m is {parts[0].shape}, y is {parts[1].shape}; observations must be as many"
        )
    return turned[0] if len(turned) == 1 else np.concatenate(turned, axis=1)


def _weights(name: str, given: ArrayLike, what: str, count: int) -> NDArray[np.float64]:
    w = np.asarray(given, dtype=np.float64)
    if w.shape != (count,):
        raise ValueError(
            f"{name}: {what} is {w.shape}; it must be ({count},), one for each observation"
        )
    if not (w >= 0).all():
        raise ValueError(f"{name}: {what} must not be negative or NaN")
    if what == "fweights" and not (w == np.rint(w)).all():
        raise TypeError(f"{name}: fweights must be integers")
    return w


def _cov(
    name: str,
    m: ArrayLike,
    y: ArrayLike | None,
    rowvar: bool,
    ddof: int | None,
    fweights: ArrayLike | None,
    aweights: ArrayLike | None,
    dtype: DTypeLike | None,
) -> NDArray[Any]:
    x = _observations(name, m, y, rowvar)
    used = computed_dtype(
        name, np.result_type(x, np.float64) if dtype is None else np.dtype(dtype), "m"
    )
    count, less = len(x), 1 if ddof is None else ddof
    w = None
    if fweights is not None:
        w = _weights(name, fweights, "fweights", count)
    if aweights is not None:
        a = _weights(name, aweights, "aweights", count)
        w = a if w is None else w * a
    if w is None:
        found = Moments(x.shape[1], used, name)
        found.add(x)
        scatter, total, of = found.scatter(), float(count), float(count - less)
    else:
        total = float(w.sum())
        if total == 0:
            raise ZeroDivisionError(f"{name}: the weights sum to 0")
        scatter = _weighted(name, x, w, total, used)
        of = total - less if aweights is None else total - less * float((w * a).sum()) / total
    if of <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
        of = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        # numpy.cov's element i, j has the conjugate on x[j].
        made: NDArray[Any] = (scatter.conj() / np.float64(of)).astype(used)
    return made


def _weighted(
    name: str, x: NDArray[Any], w: NDArray[np.float64], total: float, used: np.dtype[Any]
) -> NDArray[Any]:
    """The scatter about the weighted mean: rows are scaled by the roots of their weights."""
    wide = wide_dtype(used)
    mean = (x * w[:, np.newaxis]).sum(axis=0, dtype=wide) / total
    if not np.isfinite(mean).all():
        require_finite(name, x, "m")
    scatter = np.zeros((x.shape[1], x.shape[1]), wide)
    for first in range(0, len(x), CHUNK):
        part = slice(first, first + CHUNK)
        rows = (x[part] - mean) * np.sqrt(w[part])[:, np.newaxis]
        scatter += _core.gram(rows.astype(used, copy=False))
    return scatter


def cov(
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
    *,
    dtype: DTypeLike | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Covariance matrix of variables, as `numpy.cov`, exactly symmetric.

    Parameters
    ----------
    m : array_like
        (variables, observations), or (observations,) of one variable.
    y : array_like, optional
        More variables.
    rowvar : bool
        Whether variables are rows; else m is (observations, variables).
    bias : bool
        Whether to divide by the number of observations, not one less.
    ddof : int, optional
        Divide by the number of observations less this; overrides bias.
    fweights : array_like of int, optional
        (observations,), how often each is there.
    aweights : array_like, optional
        (observations,), how much each counts.
    dtype : dtype, optional
        Of the products and the result: float64 or complex128 unless given.
    num_threads : int, optional
        Threads of the products.

    Returns
    -------
    ndarray
        (variables, variables); a number for one variable.

    Raises
    ------
    ValueError
        If shapes do not fit, weights are negative, or there is NaN or infinity.

    See Also
    --------
    corrcoef, pca

    Notes
    -----
    One pass, in pieces: no centred copy. Rows are taken less a shift near the mean, so that a large mean
    costs no accuracy. n v^2 operations, half of them by symmetry.

    Examples
    --------
    >>> from fastla.decomposition import cov
    >>> cov([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    if ddof is None and bias:
        ddof = 0
    with threads(num_threads or _core.get_num_threads()):
        found = _cov("cov", m, y, rowvar, ddof, fweights, aweights, dtype)
    return found[0, 0] if found.shape == (1, 1) else found


def corrcoef(
    x: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    *,
    dtype: DTypeLike | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Correlation coefficients of variables, as `numpy.corrcoef`, exactly symmetric.

    Parameters
    ----------
    x : array_like
        (variables, observations), or (observations,) of one variable.
    y : array_like, optional
        More variables.
    rowvar : bool
        Whether variables are rows; else x is (observations, variables).
    dtype : dtype, optional
        Of the products and the result: float64 or complex128 unless given.
    num_threads : int, optional
        Threads of the products.

    Returns
    -------
    ndarray
        (variables, variables), between -1 and 1, 1 on the diagonal; NaN where a variable does not vary.
        A number for one variable.

    Raises
    ------
    ValueError
        If shapes do not fit, or there is NaN or infinity.

    See Also
    --------
    cov

    Examples
    --------
    >>> from fastla.decomposition import corrcoef
    >>> corrcoef([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    with threads(num_threads or _core.get_num_threads()):
        found = _cov("corrcoef", x, y, rowvar, None, None, None, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.sqrt(np.diag(found).real)
        made = found / deviations[:, np.newaxis] / deviations
    lower = np.tril_indices(len(made), -1)
    made[lower] = made.conj().T[lower]
    made[np.diag_indices(len(made))] = np.where(deviations > 0, 1.0, np.nan)
    made.real[...] = np.clip(made.real, -1, 1)
    if made.dtype.kind == "c":
        made.imag[...] = np.clip(made.imag, -1, 1)
    return made[0, 0] if made.shape == (1, 1) else made  # type: ignore[no-any-return]
