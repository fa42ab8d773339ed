"""Truncated singular value decomposition, also known as latent semantic analysis."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ..decomposition import svd
from ..decomposition._operands import operand
from ..decomposition._pca import centred
from ..decomposition._pca_result import project, unproject
from ._solvers import METHODS, seed, tolerance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class TruncatedSVD(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The largest singular values and their vectors, with the parameters and attributes of scikit-learn's.

    Parameters
    ----------
    n_components : int, default=2
        How many; at most n_features, and less than both sides of X with `algorithm="arpack"`.
    algorithm : {'arpack', 'randomized'}, default='randomized'
        Both are block Lanczos, until residuals are small enough.
    n_iter : int, default=5
        Of 'randomized': digits of residuals, 3 at least; singular values have twice as many.
    n_oversamples : int, default=10
        Of 'randomized': where these and the components are as many as the short side of X, results are to
        rounding.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        Ignored: blocks are always orthonormal.
    random_state : int, RandomState instance or None, default=None
        Of the first block. The same one each time unless given.
    tol : float, default=0.0
        Of 'arpack': residuals in terms of the largest singular value; 0 is to rounding.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Right singular vectors; of each the entry of largest magnitude is positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (n_components,)
        Variance of what `fit_transform` gives (ddof 0), and its share of the columns' variances.
    singular_values_ : ndarray of shape (n_components,)
        The largest first.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, where X has them.

    See Also
    --------
    PCA, fastla.decomposition.svd

    Notes
    -----
    Sparse matrices stay sparse. The bits do not depend on the number of threads, which is
    `fastla.get_num_threads()`.

    References
    ----------
    Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate singular value
    decomposition", NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.sklearn import TruncatedSVD
    >>> svd = TruncatedSVD(n_components=2).fit(np.diag([3.0, 2.0, 1.0]))
    >>> svd.singular_values_.round(9)
    array([3., 2.])
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "algorithm": [StrOptions({"arpack", "randomized"})],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        algorithm: str = "randomized",
        n_iter: int = 5,
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
        tol: float = 0.0,
    ):
        self.n_components = n_components
        self.algorithm = algorithm
        self.n_iter = n_iter
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state
        self.tol = tol

    def fit(self, X: Any, y: Any = None) -> TruncatedSVD:
        """Finds the largest singular values of X and their right vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.

        Returns
        -------
        self : TruncatedSVD
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import TruncatedSVD
        >>> TruncatedSVD(1).fit([[3.0, 4.0], [6.0, 8.0]]).components_.round(6)
        array([[0.6, 0.8]])
        """
        self.fit_transform(X)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """`fit`, and what `transform` gives for the same rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Rows along the components.

        Examples
        --------
        >>> from fastla.sklearn import TruncatedSVD
        >>> TruncatedSVD(1).fit_transform([[3.0, 4.0], [6.0, 8.0]]).round(6)
        array([[ 5.],
               [10.]])
        """
        X = validate_data(self, X, accept_sparse=["csr", "csc"], ensure_min_features=2)
        short = min(X.shape)
        if self.algorithm == "arpack" and self.n_components >= short:
            raise ValueError(
                f"n_components={self.n_components} must be strictly less than both n_samples={X.shape[0]} "
                f"and n_features={X.shape[1]} with algorithm='arpack'"
            )
        if self.n_components > X.shape[1]:
            raise ValueError(
                f"n_components({self.n_components}) must be <= n_features({X.shape[1]})."
            )
        k = min(self.n_components, short)
        tol = tolerance(self.algorithm, self.tol, self.n_iter, k + self.n_oversamples, short)
        found = svd(X, k, tol=tol, method=METHODS[self.algorithm], rng=seed(self.random_state))
        made: NDArray[Any] = found.u * found.s
        rows: Any = operand("TruncatedSVD", X)
        total = centred(rows)[1].squared_norm() / X.shape[0]
        variance = made.var(axis=0, dtype=np.float64)
        self.components_, self.singular_values_ = found.vh, found.s
        self.explained_variance_ = variance.astype(found.s.dtype)
        self.explained_variance_ratio_ = (variance / total).astype(found.s.dtype)
        return made

    def transform(self, X: Any) -> NDArray[Any]:
        """Rows along the components.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            A dense array.

        Examples
        --------
        >>> from fastla.sklearn import TruncatedSVD
        >>> TruncatedSVD(1).fit([[3.0, 4.0], [6.0, 8.0]]).transform([[9.0, 12.0]]).round(6)
        array([[15.]])
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        return project(X, None, self.components_)

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Combinations of the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            What `transform` gives.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            A dense array.

        Examples
        --------
        >>> from fastla.sklearn import TruncatedSVD
        >>> TruncatedSVD(1).fit([[3.0, 4.0], [6.0, 8.0]]).inverse_transform([[15.0]]).round(6)
        array([[ 9., 12.]])
        """
        check_is_fitted(self)
        return unproject(check_array(X), None, self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)
