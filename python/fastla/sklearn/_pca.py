"""Principal component analysis."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import matmul
from ..decomposition import pca
from ._minka import best_rank
from ._projections import DTYPES, Projections
from ._solvers import METHODS, seed, tolerance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SPARSE = ("auto", "arpack", "covariance_eigh")


class PCA(Projections):
    """Principal component analysis (PCA), with the parameters, attributes and errors of scikit-learn's.

    Parameters
    ----------
    n_components : int, float or 'mle', default=None
        How many; between 0 and 1, the share of the variance to explain; 'mle', by Minka's method. All,
        min(n_samples, n_features), unless given; one less with `svd_solver="arpack"`.
    copy : bool, default=True
        Ignored: data are neither copied nor written to.
    whiten : bool, default=False
        Whether what `transform` gives has variance 1 along each component.
    svd_solver : {'auto', 'full', 'covariance_eigh', 'arpack', 'randomized'}, default='auto'
        'full': LAPACK's singular value decomposition of the centred rows. 'covariance_eigh': by their scatter
        matrix, in one pass. 'arpack' and 'randomized': block Lanczos, which goes on until residuals are small
        enough. 'auto': what suits the shape; of sparse matrices 'arpack'.
    tol : float, default=0.0
        Of 'arpack': residuals in terms of the largest singular value; 0 is to rounding.
    iterated_power : int or 'auto', default='auto'
        Of 'randomized': digits of residuals, 3 at least; 'auto' is 7 for less than a tenth of all components,
        else 4.
    n_oversamples : int, default=10
        Of 'randomized': where these and the components are as many as the short side of X, results are to
        rounding.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        Ignored: blocks are always orthonormal.
    random_state : int, RandomState instance or None, default=None
        Of 'arpack' and 'randomized': the first block. The same one each time unless given.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Orthonormal rows, the largest variance first; of each the entry of largest magnitude is positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (n_components,)
        Along each component (ddof 1), and its share of all.
    singular_values_ : ndarray of shape (n_components,)
        Of the centred rows.
    mean_ : ndarray of shape (n_features,)
        Of rows; float64, of float32 too.
    n_components_, n_samples_, n_features_in_ : int
        Components found, rows and columns of X.
    noise_variance_ : float
        The mean variance along the directions that are left out.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, where X has them.

    See Also
    --------
    IncrementalPCA, TruncatedSVD, fastla.decomposition.pca

    Notes
    -----
    There is no centred copy of X but for 'full', and a large mean costs no accuracy. The bits do not depend
    on the number of threads, which is `fastla.get_num_threads()`.

    References
    ----------
    Tipping and Bishop, "Probabilistic principal component analysis", J. R. Statist. Soc. B 61 (1999).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.sklearn import PCA
    >>> X = np.array([[-1, -1], [-2, -1], [-3, -2], [1, 1], [2, 1], [3, 2]])
    >>> pca = PCA(n_components=2).fit(X)
    >>> pca.singular_values_.round(5)
    array([6.30061, 0.5498 ])
    >>> pca.explained_variance_ratio_.round(4)
    array([0.9924, 0.0076])
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_components": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            StrOptions({"mle"}),
            None,
        ],
        "copy": ["boolean"],
        "whiten": ["boolean"],
        "svd_solver": [StrOptions(set(METHODS))],
        "tol": [Interval(Real, 0, None, closed="left")],
        "iterated_power": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | float | str | None = None,
        *,
        copy: bool = True,
        whiten: bool = False,
        svd_solver: str = "auto",
        tol: float = 0.0,
        iterated_power: int | str = "auto",
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.copy = copy
        self.whiten = whiten
        self.svd_solver = svd_solver
        self.tol = tol
        self.iterated_power = iterated_power
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> PCA:
        """Finds the components of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Sparse matrices stay sparse.
        y : Ignored
            There for pipelines.

        Returns
        -------
        self : PCA
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> PCA(1).fit([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]).components_.round(6)
        array([[0.6, 0.8]])
        """
        sparse = hasattr(X, "tocsr")
        if sparse and self.svd_solver not in _SPARSE:
            raise TypeError(
                'PCA only support sparse inputs with the "arpack" and "covariance_eigh" solvers, while '
                f'"{self.svd_solver}" was passed. See TruncatedSVD for a possible alternative.'
            )
        X = validate_data(self, X, dtype=DTYPES, accept_sparse=("csr", "csc"))
        solver = "arpack" if sparse and self.svd_solver == "auto" else self.svd_solver
        wanted = _checked(self.n_components, X.shape, solver)
        short = min(X.shape)
        k = wanted if isinstance(wanted, int) else short
        power = (
            (7 if k < 0.1 * short else 4)
            if self.iterated_power == "auto"
            else int(self.iterated_power)
        )
        tol = tolerance(solver, self.tol, power, k + self.n_oversamples, short)
        found = pca(X, k, method=METHODS[solver], tol=tol, rng=seed(self.random_state))
        noise = found.noise_variance
        if not isinstance(wanted, int):
            k = _count(wanted, found.explained_variance, found.explained_variance_ratio, len(X))
            noise = float(found.explained_variance[k:].mean(dtype=np.float64)) if k < short else 0.0
        self.components_ = found.components[:k].copy()
        self.explained_variance_ = found.explained_variance[:k].copy()
        self.explained_variance_ratio_ = found.explained_variance_ratio[:k].copy()
        self.singular_values_ = found.singular_values[:k].copy()
        self.mean_, self.noise_variance_ = found.mean, noise
        self.n_components_, self.n_samples_ = k, found.n_samples
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[Any]:
        """The log-likelihood of each row in the model of probabilistic PCA.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ll : ndarray of shape (n_samples,)
            Of the Gaussian of `mean_` and `get_covariance()`.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> pca = PCA(1).fit([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]])
        >>> pca.score_samples([[1.0, 1.0], [3.0, 1.0]]).round(4)
        array([-2.3872, -4.3872])
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=DTYPES, reset=False) - self.mean_
        precision = self.get_precision()
        sign, size = np.linalg.slogdet(precision)
        size = size if sign > 0 else -math.inf
        off = (rows * matmul(rows, precision.astype(rows.dtype, copy=False))).sum(axis=1)
        found: NDArray[Any] = -0.5 * (off + rows.shape[1] * math.log(2 * math.pi) - size)
        return found

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """The mean of `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.

        Returns
        -------
        ll : float
            The mean log-likelihood of the rows.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> round(PCA(1).fit([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]).score([[1.0, 1.0], [3.0, 1.0]]), 4)
        -3.3872
        """
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self.svd_solver in _SPARSE
        return tags


def _checked(
    wanted: int | float | str | None, shape: tuple[int, int], solver: str
) -> int | float | str:
    """What n_components asks for, where the solver can give it."""
    short = min(shape)
    if wanted is None:
        wanted = short - 1 if solver == "arpack" else short
    if solver in ("arpack", "randomized"):
        if isinstance(wanted, str):
            raise ValueError(
                f"n_components={wanted!r} cannot be a string with svd_solver='{solver}'"
            )
        limits = f"min(n_samples, n_features)={short} with svd_solver='{solver}'"
        if not 1 <= wanted <= short:
            raise ValueError(f"n_components={wanted!r} must be between 1 and {limits}")
        if solver == "arpack" and wanted == short:
            raise ValueError(f"n_components={wanted!r} must be strictly less than {limits}")
    elif isinstance(wanted, str):
        if shape[0] < shape[1]:
            raise ValueError("n_components='mle' is only supported if n_samples >= n_features")
    elif not 0 <= wanted <= short:
        limited = "full" if solver == "auto" else solver
        raise ValueError(
            f"n_components={wanted} must be between 0 and min(n_samples, n_features)={short} with "
            f"svd_solver={limited!r}"
        )
    return int(wanted) if isinstance(wanted, Integral) else wanted


def _count(wanted: float | str, variance: NDArray[Any], share: NDArray[Any], n_samples: int) -> int:
    """How many of all components have that share of the variance, or are the likeliest."""
    if isinstance(wanted, str):
        return best_rank(variance, n_samples)
    return min(int(np.searchsorted(np.cumsum(share), wanted, side="right")) + 1, len(share))
