"""What PCA and IncrementalPCA do with components that are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import matmul
from ..decomposition._pca_result import project, unproject

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DTYPES = (np.float64, np.float32)


class Projections(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Of rows on components_, and the Gaussian model of Tipping and Bishop's probabilistic PCA."""

    whiten: bool
    components_: Any
    explained_variance_: Any
    mean_: Any
    noise_variance_: Any

    def transform(self, X: Any) -> NDArray[Any]:
        """Rows along the components.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Less the mean, along the components; with `whiten`, in units of their standard deviations.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> pca = PCA(1).fit([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
        >>> pca.transform([[9.0, 12.0]]).round(6)
        array([[10.]])
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES, accept_sparse=("csr", "csc"), reset=False)
        made = project(X, self.mean_, self.components_)
        if self.whiten:
            scale = np.sqrt(self.explained_variance_)
            made /= np.maximum(scale, np.finfo(scale.dtype).eps)
        return made

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """The rows that have these coordinates.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            What `transform` gives.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows with nothing besides along other directions than the components.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> pca = PCA(1).fit([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
        >>> pca.inverse_transform([[10.0]]).round(6)
        array([[ 9., 12.]])
        """
        check_is_fitted(self)
        rows = check_array(X, input_name="X", dtype=DTYPES)
        if self.whiten:
            rows = rows * np.sqrt(self.explained_variance_).astype(rows.dtype)
        return unproject(rows, self.mean_, self.components_)

    def get_covariance(self) -> NDArray[Any]:
        """The covariance of the model: `noise_variance_` everywhere, and what components explain beyond it.

        Returns
        -------
        cov : ndarray of shape (n_features, n_features)
            With `whiten`, what is beyond it times `explained_variance_`, as in scikit-learn.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> PCA(2).fit([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]).get_covariance().round(6) + 0.0
        array([[1., 0.],
               [0., 3.]])
        """
        check_is_fitted(self)
        return self._model(self._beyond_noise(), self.noise_variance_)

    def get_precision(self) -> NDArray[Any]:
        """The inverse of `get_covariance()`.

        Returns
        -------
        precision : ndarray of shape (n_features, n_features)
            By the components, which are orthonormal; nothing is inverted but where there is no noise.

        Examples
        --------
        >>> from fastla.sklearn import PCA
        >>> PCA(1).fit([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]).get_precision().round(6) + 0.0
        array([[1.      , 0.      ],
               [0.      , 0.333333]])
        """
        check_is_fitted(self)
        noise = self.noise_variance_
        if noise == 0:
            inverse: NDArray[Any] = np.linalg.inv(self.get_covariance())
            return inverse
        return self._model(1 / (self._beyond_noise() + noise) - 1 / noise, 1 / noise)

    def _beyond_noise(self) -> NDArray[Any]:
        beyond: NDArray[Any] = np.maximum(self.explained_variance_ - self.noise_variance_, 0)
        return beyond * self.explained_variance_ if self.whiten else beyond

    def _model(self, along: NDArray[Any], everywhere: float) -> NDArray[Any]:
        """Components' outer products, times numbers of their own, and a multiple of the identity."""
        turned = self.components_.T
        made: NDArray[Any] = matmul(turned * along, self.components_)
        made.flat[:: len(made) + 1] += everywhere
        return made

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)
