"""What PCA finds, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._runtime import threads
from ._lapack import adjoint
from ._operands import Dense, Sparse, is_sparse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PCAResult:
    """Principal components of n rows of d columns.

    Attributes
    ----------
    mean : ndarray
        (d,), of the rows; float64, as the sums are.
    components : ndarray
        (k, d), orthonormal rows, the one along which x varies most first; the entry of largest magnitude
        is positive.
    explained_variance, explained_variance_ratio : ndarray
        (k,), along each component (ddof 1), and its share of all.
    singular_values : ndarray
        (k,), of the centred rows.
    noise_variance : float
        The mean variance along the directions that are left out.
    n_samples : int
        n.
    residuals : ndarray of float64
        (k,), within residuals[i] of singular_values[i] there is a singular value of the centred rows,
        rounding included.
    bound : float
        Of the Frobenius norm of the centred rows less their projections on the components, rounding included.
    iterations : int
        Blocks of "krylov".
    method, why : str
        How it was done, and what decided for it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> decomposition.pca(np.array([[0.0, 1.0], [0.0, 3.0]]), 1).mean
    array([0., 2.])
    """

    mean: NDArray[Any]
    components: NDArray[Any]
    explained_variance: NDArray[Any]
    explained_variance_ratio: NDArray[Any]
    singular_values: NDArray[Any]
    noise_variance: float
    n_samples: int
    residuals: NDArray[np.float64]
    bound: float
    iterations: int
    method: str
    why: str

    @classmethod
    def of(
        cls,
        mean: NDArray[Any],
        components: NDArray[Any],
        s: NDArray[Any],
        total: float,
        n: int,
        residuals: NDArray[np.float64],
        bound: float,
        iterations: int,
        method: str,
        why: str,
        rest: float | None = None,
    ) -> PCAResult:
        """total: the sum of squares of the centred rows; rest: along what is left out, where it is known."""
        squares = np.square(s, dtype=np.float64)
        variance = squares / max(n - 1, 1)
        left = min(n, components.shape[1]) - len(s)
        rest = total - float(squares.sum()) if rest is None else rest
        noise = max(rest, 0.0) / max(n - 1, 1) / left if left > 0 else 0.0
        ratio = squares / total if total > 0 else np.zeros_like(squares)
        return cls(mean, components, variance.astype(s.dtype), ratio.astype(s.dtype), s, noise, n, residuals,
                   bound, iterations, method, why)  # fmt: skip

    def transform(self, x: Any, *, num_threads: int | None = None) -> NDArray[Any]:
        """(n, k): rows less the mean, along the components. Sparse matrices stay sparse."""
        with threads(num_threads or _core.get_num_threads()):
            return project(x, self.mean, self.components)

    def inverse_transform(self, y: ArrayLike, *, num_threads: int | None = None) -> NDArray[Any]:
        """(n, d): the rows that have these coordinates along the components, and none besides."""
        with threads(num_threads or _core.get_num_threads()):
            return unproject(y, self.mean, self.components)

    def explain(self) -> str:
        """How it was done, and what decided for it."""
        k, d = self.components.shape
        text = f"{self.method}: {self.why}; {k} components of {self.n_samples} x {d}"
        return text + (f", {self.iterations} blocks" if self.iterations else "")


def project(x: Any, mean: NDArray[Any] | None, components: NDArray[Any]) -> NDArray[Any]:
    """Rows less the mean, along the components, in the rows' dtype."""
    given = _rows("transform", x, components, components.shape[1])
    turned = np.ascontiguousarray(adjoint(components)).astype(given.dtype, copy=False)
    if isinstance(given, Sparse):
        less = None if mean is None else mean.astype(given.dtype)
        return Sparse(given.matrix, less).matmat(turned)
    return Dense(given.a, mean, name="transform").matmat(turned)


def unproject(y: ArrayLike, mean: NDArray[Any] | None, components: NDArray[Any]) -> NDArray[Any]:
    """Combinations of the components, and the mean, in the dtype of y."""
    given = _rows("inverse_transform", y, components, len(components))
    made: NDArray[Any] = given.matmat(components.astype(given.dtype, copy=False))
    if mean is not None:
        made += mean.astype(made.dtype)
    return made


def _rows(name: str, x: Any, components: NDArray[Any], columns: int) -> Any:
    given = Sparse.of(x, name) if is_sparse(x) else Dense(np.asarray(x), name=name)
    if len(given.shape) != 2 or given.shape[1] != columns:
        raise ValueError(
            f"{name}: the argument is {given.shape}; it must be (n, {columns}): components are "
            f"{components.shape}"
        )
    return given
