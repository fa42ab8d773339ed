"""Data turned so that its features are uncorrelated and of variance 1, and turned back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._checks import matrices, require_finite
from ._cholesky_qr import tall_svd
from ._lapack import adjoint, r_of_qr, reciprocals, svd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class WhitenResult:
    """A whitening that was learnt from data; made by `whiten`.

    Attributes
    ----------
    mean : ndarray
        (d,), of each feature; float64 or complex128.
    matrix : ndarray
        (d, k): z = (x - mean) matrix.
    inverse : ndarray
        (k, d): x = z inverse + mean, for x that vary where the data do.

    Methods
    -------
    transform(x, *, num_threads=None)
        Rows (n, d), whitened: (n, k).
    inverse_transform(z, *, num_threads=None)
        Whitened rows (n, k), turned back: (n, d).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> x = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 6.0]])
    >>> white = decomposition.whiten(x)
    >>> white.inverse_transform(white.transform(x)).round(9)
    array([[1., 2.],
           [3., 1.],
           [2., 6.]])
    """

    mean: NDArray[Any]
    matrix: NDArray[Any]
    inverse: NDArray[Any]

    def transform(self, x: ArrayLike, *, num_threads: int | None = None) -> NDArray[Any]:
        """Rows (n, d), whitened."""
        rows = self._rows("transform", x, "x", len(self.matrix))
        made: NDArray[Any] = _core.matmul(
            (rows - self.mean).astype(self._dtype(rows)), self.matrix, num_threads=num_threads
        )
        return made

    def inverse_transform(self, z: ArrayLike, *, num_threads: int | None = None) -> NDArray[Any]:
        """Whitened rows (n, k), turned back."""
        rows = self._rows("inverse_transform", z, "z", len(self.inverse))
        made: NDArray[Any] = _core.matmul(rows, self.inverse, num_threads=num_threads)
        made = (made + self.mean).astype(self._dtype(rows), copy=False)
        return made

    def _rows(self, name: str, x: ArrayLike, what: str, columns: int) -> NDArray[Any]:
        rows = matrices(name, x, what)
        if rows.shape[1] != columns:
            raise ValueError(f"{name}: {what} is {rows.shape}; it must have {columns} columns")
        return rows

    def _dtype(self, rows: NDArray[Any]) -> np.dtype[Any]:
        return np.result_type(rows.dtype, self.matrix.dtype)


def whiten(
    x: ArrayLike, *, method: str = "pca", rtol: float | None = None, num_threads: int | None = None
) -> WhitenResult:
    """A linear map after which the covariance of data is the identity.

    Parameters
    ----------
    x : array_like
        (n, d): n samples of d features, n at least 2.
    method : {'pca', 'zca'}, default 'pca'
        'pca': onto the principal axes, the largest variance first; 'zca': as near to the data as possible, by
        a symmetric matrix.
    rtol : float, optional
        Axes whose standard deviation is at most `rtol` times the largest count as having none. Default:
        max(n, d) eps, eps the distance from 1 to the next number.
    num_threads : int, optional
        Of products; default: `get_num_threads()`.

    Returns
    -------
    WhitenResult
        The mean and the matrices there and back. Axes of no variance are left out with 'pca', so that k may
        be less than d, and made zero with 'zca'. float16 is computed as float32, integers as float64.

    Raises
    ------
    ValueError
        If `x` is not a matrix, has fewer than two rows, or has a NaN or infinity; if `method` is unknown.
    TypeError
        If `x` is not of real or complex numbers of at most 64 bits a part.

    Notes
    -----
    With the singular value decomposition U S V^H of x - mean, the map is V S^-1 (n - 1)^1/2 ('pca') and that
    times V^H ('zca'), so that the covariance with n - 1 in its denominator is 1. Squares of the data are not
    taken unless the condition of x - mean is at most 100: the error of the covariance is about eps times that
    condition. O(n d min(n, d)) operations. Signs of axes are not promised.

    References
    ----------
    A. Kessy, A. Lewin and K. Strimmer, "Optimal whitening and decorrelation", The American Statistician
    72 (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> x = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 6.0]])
    >>> np.cov(decomposition.whiten(x, method="zca").transform(x), rowvar=False).round(9) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    rows = matrices("whiten", x, "x")
    n, d = rows.shape
    if method not in ("pca", "zca"):
        raise ValueError(f"whiten: method is {method!r}; it must be 'pca' or 'zca'")
    if n < 2:
        raise ValueError(f"whiten: x is {rows.shape}; a covariance needs at least two rows")
    require_finite("whiten", rows, "x")
    mean, centred = _centred(rows)
    s, vt = _axes(centred, num_threads)
    small = max(n, d) * np.finfo(rows.dtype).eps if rtol is None else rtol
    rank = min(np.count_nonzero(s > small * s[:1]), n - 1)  # a sum of rows is zero
    s, vt = s[:rank] / math.sqrt(n - 1), vt[:rank]
    v = adjoint(vt)
    matrix, inverse = v * reciprocals(s, s > 0), vt * s[:, np.newaxis]
    if method == "zca":
        matrix = _core.matmul(matrix, vt, num_threads=num_threads)
        inverse = _core.matmul(v, inverse, num_threads=num_threads)
    return WhitenResult(mean, matrix, inverse)


def _centred(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The mean and what is left; the mean of that too is taken off, which rounding of the first left."""
    wide = np.result_type(rows.dtype, np.float64)
    first = rows.mean(axis=0, dtype=wide)
    rest = rows - first
    second = rest.mean(axis=0)
    rest -= second
    return first + second, rest.astype(rows.dtype, copy=False)


def _axes(centred: NDArray[Any], threads: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Singular values and V^H."""
    tall = tall_svd(centred, threads)
    if tall is not None:
        return tall.s, tall.vt
    n, d = centred.shape
    return svd(r_of_qr(centred) if n > d > 0 else centred)[1:]
