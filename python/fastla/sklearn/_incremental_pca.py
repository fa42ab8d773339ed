"""Principal components of rows that come in batches."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils import gen_batches, metadata_routing
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from .. import decomposition
from ._projections import DTYPES, Projections


def _of_result(name: str, doc: str) -> Any:
    return property(lambda self: getattr(self._stream.result(), name), doc=doc)


class IncrementalPCA(Projections):
    """Principal components of rows in batches, with the parameters and attributes of scikit-learn's.

    Parameters
    ----------
    n_components : int, default=None
        How many; the least of the first batch's rows and columns unless given.
    whiten : bool, default=False
        Whether what `transform` gives has variance 1 along each component.
    copy : bool, default=True
        Ignored: data are neither copied nor written to.
    batch_size : int, default=None
        Rows that `fit` takes at a time; 5 * n_features unless given.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Orthonormal rows, the largest variance first; of each the entry of largest magnitude is positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (n_components,)
        Along each component (ddof 1), and its share of all.
    singular_values_ : ndarray of shape (n_components,)
        Of all rows so far, centred.
    mean_, var_ : ndarray of shape (n_features,)
        Of rows; float64, of float32 too. ddof is 0.
    noise_variance_ : float
        The mean variance along the directions that are left out.
    n_components_, n_samples_seen_, n_features_in_, batch_size_ : int
        Components, rows so far, columns, rows that `fit` takes at a time.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, where X has them.

    See Also
    --------
    PCA, fastla.decomposition.PCA

    Notes
    -----
    Up to 8192 columns the scatter matrix is kept: results are those of all rows at once, whatever the
    batches, where scikit-learn's depend on them. Attributes are computed when they are first asked for, so
    that a batch costs a product.

    References
    ----------
    Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American Statistician 37
    (1983).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla.sklearn import PCA, IncrementalPCA
    >>> X = np.random.default_rng(0).standard_normal((60, 4))
    >>> batches = IncrementalPCA(n_components=2)
    >>> for rows in np.split(X, 3):
    ...     batches = batches.partial_fit(rows)
    >>> np.allclose(batches.components_, PCA(2).fit(X).components_)
    True
    """

    _stream: decomposition.PCA

    __metadata_request__partial_fit = {"check_input": metadata_routing.UNUSED}  # noqa: RUF012

    _parameter_constraints = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "whiten": ["boolean"],
        "copy": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    components_ = _of_result("components", "(n_components, n_features), orthonormal rows.")
    explained_variance_ = _of_result("explained_variance", "(n_components,), along each component.")
    explained_variance_ratio_ = _of_result("explained_variance_ratio", "(n_components,), of all.")
    singular_values_ = _of_result("singular_values", "(n_components,), of the centred rows.")
    mean_ = _of_result("mean", "(n_features,), of all rows so far.")
    noise_variance_ = _of_result("noise_variance", "The mean variance along what is left out.")

    def __init__(
        self,
        n_components: int | None = None,
        *,
        whiten: bool = False,
        copy: bool = True,
        batch_size: int | None = None,
    ):
        self.n_components = n_components
        self.whiten = whiten
        self.copy = copy
        self.batch_size = batch_size

    @property
    def var_(self) -> Any:
        """(n_features,), the variance of each column of all rows so far, ddof 0."""
        return self._stream.variance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> IncrementalPCA:
        """Forgets what was before, and takes rows in, `batch_size` at a time.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; of sparse matrices a batch at a time is made dense.
        y : Ignored
            There for pipelines.

        Returns
        -------
        self : IncrementalPCA
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import IncrementalPCA
        >>> IncrementalPCA(1).fit([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]).components_.round(6)
        array([[0.6, 0.8]])
        """
        X = validate_data(self, X, accept_sparse=["csr", "csc", "lil"], dtype=DTYPES)
        self.__dict__.pop("_stream", None)
        self.batch_size_ = 5 * X.shape[1] if self.batch_size is None else self.batch_size
        least = self.n_components or 0
        for batch in gen_batches(X.shape[0], self.batch_size_, min_batch_size=least):
            rows = X[batch].toarray() if hasattr(X, "toarray") else X[batch]
            self.partial_fit(rows, check_input=False)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, check_input: bool = True) -> IncrementalPCA:
        """Takes rows in, all of X as one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            There for pipelines.
        check_input : bool, default=True
            Whether X may be other than an array of float64 or float32.

        Returns
        -------
        self : IncrementalPCA
            Itself.

        Examples
        --------
        >>> from fastla.sklearn import IncrementalPCA
        >>> batches = IncrementalPCA(1).partial_fit([[0.0, 0.0], [3.0, 4.0]])
        >>> batches.partial_fit([[6.0, 8.0]]).n_samples_seen_
        3
        """
        first = not self.__sklearn_is_fitted__()
        if check_input:
            if hasattr(X, "tocsr"):
                raise TypeError(
                    "IncrementalPCA.partial_fit does not support sparse input. Either convert data to dense "
                    "or use IncrementalPCA.fit to do so in batches."
                )
            X = validate_data(self, X, dtype=DTYPES, reset=first)
        count = self._count(X.shape, first)
        if first:
            self.n_components_, stream = count, decomposition.PCA(count)
        else:
            stream = self._stream
        self._stream = stream.partial_fit(X)
        self.n_samples_seen_ = stream.n_samples
        return self

    def _count(self, shape: tuple[int, int], first: bool) -> int:
        """Components; they cannot become more or fewer on the way."""
        wanted = self.n_components
        if wanted is None:
            return min(shape) if first else self.n_components_
        if wanted > shape[1]:
            raise ValueError(
                f"n_components={wanted!r} invalid for n_features={shape[1]}, need more rows than columns for "
                "IncrementalPCA processing"
            )
        if first and wanted > shape[0]:
            raise ValueError(
                f"n_components={wanted} must be less or equal to the batch number of samples {shape[0]} "
                "for the first partial_fit call."
            )
        if not first and wanted != self.n_components_:
            raise ValueError(
                f"Number of input features has changed from {self.n_components_} to {wanted} between calls "
                "to partial_fit! Try setting n_components to a fixed value."
            )
        return wanted

    def __sklearn_is_fitted__(self) -> bool:
        return "_stream" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True  # of fit, not of partial_fit
        return tags
