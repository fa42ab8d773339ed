"""Principal components of rows that come a portion at a time and are not kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ._checks import matrices, require_finite
from ._moments import Moments, wide_dtype
from ._operands import Dense
from ._orthonormal import lengths
from ._pca_result import PCAResult
from ._triplets import decompose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Scatter matrices of more columns would take more than half a gigabyte.
_MOST_COLUMNS = 8192


class PCA:
    """Principal components of rows that come a portion at a time.

    Up to 8192 columns the scatter matrix is kept: the result is that of all rows at once, whatever the
    portions. Of more columns the leading singular values and vectors are kept, twice as many as asked
    for; what is left out on the way is counted in `bound` and `residuals`.

    Parameters
    ----------
    n_components : int or float, optional
        As of `pca`. An integer is needed for more than 8192 columns.
    num_threads : int, optional
        Threads of the products.

    References
    ----------
    Ross, Lim, Lin and Yang, "Incremental learning for robust visual tracking", IJCV 77 (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.decomposition import PCA, pca
    >>> x = np.random.default_rng(0).standard_normal((100, 5))
    >>> stream = PCA(2)
    >>> for rows in np.split(x, 4):
    ...     stream = stream.partial_fit(rows)
    >>> np.allclose(stream.result().components, pca(x, 2).components)
    True
    """

    def __init__(self, n_components: int | float | None = None, *, num_threads: int | None = None):
        self.n_components, self.num_threads = n_components, num_threads
        self._state: Moments | _Leading | None = None
        self._result: PCAResult | None = None

    def partial_fit(self, x: ArrayLike) -> PCA:
        """Takes rows in, (n, d); none of them if there is NaN or infinity among them."""
        rows = matrices("partial_fit", x, "x")
        if self._state is None:
            few = rows.shape[1] <= _MOST_COLUMNS
            self._state = (
                Moments(rows.shape[1], rows.dtype, "partial_fit")
                if few
                else _Leading(rows, self.n_components)
            )
        if rows.shape[1] != self._state.columns:
            raise ValueError(
                f"partial_fit: x is {rows.shape}; rows before had {self._state.columns} columns"
            )
        with threads(self.num_threads or _core.get_num_threads()):
            self._state.add(rows.astype(self._state.dtype, copy=False))
        self._result = None
        return self

    def merge(self, other: PCA) -> PCA:
        """Takes in what another one has taken in, of as many columns, at most 8192."""
        if not isinstance(self._state, Moments) or not isinstance(other._state, Moments):
            raise ValueError("merge: both must have taken rows in, of at most 8192 columns")
        self._state.merge(other._state)
        self._result = None
        return self

    @property
    def n_samples(self) -> int:
        """Rows taken in."""
        return 0 if self._state is None else self._state.count

    @property
    def variance(self) -> NDArray[Any]:
        """(d,), of each column of all rows so far (ddof 0)."""
        if self._state is None:
            raise ValueError("pca: no rows were given")
        squares = self._state.squares()
        return squares / max(self._state.count, 1)

    def result(self) -> PCAResult:
        """The components of all rows so far."""
        from ._pca import check_components, from_moments

        if self._state is None or self._state.count == 0:
            raise ValueError("pca: no rows were given")
        if self._result is None:
            state = self._state
            wanted = check_components(self.n_components, (state.count, state.columns))
            with threads(self.num_threads or _core.get_num_threads()):
                self._result = (
                    from_moments(state, wanted, "rows came in portions")
                    if isinstance(state, Moments)
                    else state.result(int(wanted))
                )
        return self._result


class _Leading:
    """Singular values times right vectors of the rows so far, centred; the others are gone, but for
    their squares."""

    def __init__(self, rows: NDArray[Any], n_components: int | float | None):
        self.columns, self.dtype, self.count = rows.shape[1], rows.dtype, 0
        if not isinstance(n_components, int | np.integer):
            raise ValueError(
                f"partial_fit: n_components is {n_components}, x is {rows.shape}; of more than "
                f"{_MOST_COLUMNS} columns it must be an integer"
            )
        self._kept = 2 * int(n_components) + 10
        self._mean = np.zeros(self.columns, wide_dtype(rows.dtype))
        self._factor = np.zeros((0, self.columns), rows.dtype)
        self._squares, self._lost = np.zeros(self.columns), 0.0

    def add(self, rows: NDArray[Any]) -> None:
        n, m = self.count, len(rows)
        if m == 0:
            return
        require_finite("partial_fit", rows, "x")
        mean = rows.mean(axis=0, dtype=self._mean.dtype)
        between = math.sqrt(n * m / (n + m)) * (mean - self._mean)
        centred = np.subtract(rows, mean, dtype=self._mean.dtype)
        stack = np.concatenate(
            [self._factor, centred.astype(self.dtype), between[np.newaxis].astype(self.dtype)]
        )
        k = min(self._kept, min(stack.shape))
        found = decompose(Dense(stack), k, 1e-6, "gram", None, None, lambda *_: None, "partial_fit")
        self._lost += found.bound**2
        self._squares += lengths(centred) ** 2 + np.square(np.abs(between))
        self._factor = found.vh * found.s[:, np.newaxis]
        self._mean = self._mean + (mean - self._mean) * (m / (n + m))
        self.count += m

    def squares(self) -> NDArray[np.float64]:
        """Their sums in each column, of the centred rows."""
        return self._squares

    def result(self, k: int) -> PCAResult:
        total = float(self._squares.sum())
        k = min(k, len(self._factor))
        s = np.sqrt(np.square(np.abs(self._factor), dtype=np.float64).sum(axis=1)).astype(
            np.finfo(self.dtype).dtype
        )
        components = self._factor[:k] / np.maximum(s[:k, np.newaxis], np.finfo(s.dtype).tiny)
        squares = np.square(s, dtype=np.float64)
        # Weyl: what was lost is at most so much of the scatter matrix, in norm.
        off = np.full(k, self._lost + 8 * float(np.finfo(self.dtype).eps) * total)
        residuals = np.minimum(off / np.maximum(s[:k], np.finfo(s.dtype).tiny), np.sqrt(off))
        bound = math.sqrt(float(squares[k:].sum()) + self._lost + float(off.sum()))
        return PCAResult.of(self._mean, components, s[:k], total, self.count, residuals, bound, 0,
                            "gram", "rows came in portions of many columns")  # fmt: skip
