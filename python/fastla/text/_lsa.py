"""Latent semantic analysis: texts and terms in few dimensions, where what occurs together is near."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime import get_num_threads, threads
from ..decomposition._operands import is_sparse, operand
from ..decomposition._svd import svd
from ..nn._similarity import most_similar
from ._tfidf import TfidfResult, tfidf

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _is_matrix(given: Any) -> bool:
    """Or else texts, which may be in an array or a data frame's column."""
    return len(getattr(given, "shape", ())) == 2


@dataclass(frozen=True, eq=False)
class LSAResult:
    """Texts in k dimensions; made by `lsa`.

    Attributes
    ----------
    vectors : ndarray
        (texts, k), U S of the singular value decomposition: a row for each text.
    components : ndarray
        (k, terms), V^H: how much each term is of each dimension.
    s : ndarray
        (k,), singular values, the largest first.
    residuals : ndarray of float64
        (k,), within residuals[i] of s[i] there is a singular value, rounding included.
    bound : float
        Of the Frobenius norm of the matrix less ``vectors @ components``, rounding included.
    terms : sequence
        Of the columns.
    weights : TfidfResult or None
        How texts become rows; None for an analysis of a matrix.

    Methods
    -------
    transform(texts)
        Other texts, or rows of their terms, in k dimensions.
    query(texts, n=10)
        The texts nearest to others, and the cosines of the angles.
    topics(n=10)
        The strongest terms of each dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import text
    >>> found = text.lsa(np.diag([3.0, 2.0, 1.0]), 2, terms=["a", "b", "c"])
    >>> found.topics(1)
    [[('a', 1.0)], [('b', 1.0)]]
    """

    vectors: NDArray[Any]
    components: NDArray[Any]
    s: NDArray[Any]
    residuals: NDArray[np.float64]
    bound: float
    terms: Sequence[Any]
    weights: TfidfResult | None

    def transform(self, texts: Any) -> NDArray[Any]:
        """(n, k): other texts, or rows of their terms, in k dimensions. Unknown terms are left out."""
        return self._projected("transform", self._rows("transform", texts))

    def query(self, texts: Any, n: int = 10) -> tuple[NDArray[Any], NDArray[Any]]:
        """The nearest of the analysed texts to one or more others.

        Parameters
        ----------
        texts : str, iterable of str, or matrix
            One, or some; or rows of their terms, (m, terms).
        n : int, default 10
            How many, if there are as many.

        Returns
        -------
        texts : ndarray of int
            (n,) for a str, else (m, n): the numbers of the texts, the nearest first; of equals the first.
        similarities : ndarray
            Of the same shape: cosines of the angles between vectors.

        Raises
        ------
        ValueError
            If a query has no known term, or n is less than 1.
        """
        if operator.index(n) < 1:
            raise ValueError(f"query: n is {n}; it must be 1 at least")
        one = isinstance(texts, str)
        asked = [texts] if one else texts
        if not _is_matrix(asked):
            asked = list(asked)
        rows = self._rows("query", asked)
        filled = rows.count_nonzero(axis=1) if is_sparse(rows) else np.count_nonzero(rows, axis=1)
        if not np.all(filled):
            i = int(np.argmin(filled))
            said = f": {asked[i]!r}" if isinstance(asked, list) else ""
            raise ValueError(f"query: text {i} has none of the {len(self.terms)} terms{said}")
        found = most_similar(
            self._projected("query", rows), self.vectors, min(n, len(self.vectors))
        )
        return (found[0][0], found[1][0]) if one else found

    def topics(self, n: int = 10) -> list[list[tuple[Any, float]]]:
        """The n strongest terms of each dimension, with their signed weights in its vector of length 1."""
        order = np.argsort(-np.abs(self.components), axis=1, kind="stable")[:, :n]
        return [
            [(self.terms[j], float(row[j])) for j in strongest]
            for row, strongest in zip(self.components, order, strict=True)
        ]

    def _rows(self, name: str, texts: Any) -> Any:
        if not _is_matrix(texts):
            if self.weights is None:
                raise TypeError(
                    f"{name}: this is an analysis of a matrix, which knows no words; give rows of "
                    f"(n, {len(self.terms)})"
                )
            return self.weights.transform(texts)
        if texts.shape[1] != len(self.terms):
            raise ValueError(f"{name}: rows are {texts.shape}; they must be (n, {len(self.terms)})")
        return texts

    def _projected(self, name: str, rows: Any) -> NDArray[Any]:
        found = operand(name, rows)
        axes = np.ascontiguousarray(self.components.T.conj(), found.dtype)
        made: NDArray[Any] = found.matmat(axes)
        return made


def lsa(
    texts: Any,
    k: int,
    *,
    terms: Sequence[Any] | None = None,
    tol: float | None = None,
    rng: np.random.Generator | int | None = None,
    max_iter: int | None = None,
    num_threads: int | None = None,
    progress: bool = False,
) -> LSAResult:
    """Latent semantic analysis: the k dimensions in which weights of terms are approximated best.

    Parameters
    ----------
    texts : iterable of str, TfidfResult, sparse matrix or ndarray
        Texts, weighted as `tfidf` does unless told otherwise; what `tfidf` made with options of its own; or
        weights, (texts, terms).
    k : int
        From 1 to min(texts, terms).
    terms : sequence, optional
        Of the columns of a matrix; their numbers unless given.
    tol : float, optional
        Residuals are at most tol times the largest singular value, as with `fastla.decomposition.svd`.
    rng : numpy.random.Generator or int, optional
        Of its first block. The same one each time unless given.
    max_iter : int, optional
        Of its blocks.
    num_threads : int, optional
        Threads of the products.
    progress : bool
        Whether it is shown on stderr how far it is.

    Returns
    -------
    LSAResult
        With vectors, components, s, bound, transform, query, topics.

    Raises
    ------
    ValueError
        If k is out of range, no text has a term, or there is NaN or infinity.
    TypeError
        If `texts` is a single str, or what is in it is none.
    ImportError
        If SciPy is missing, which texts need; the extra ``fastla[text]`` has it.
    fastla.decomposition.NotConverged
        If max_iter blocks do not do.

    See Also
    --------
    tfidf, fastla.decomposition.svd

    Notes
    -----
    The matrix is not centred and stays sparse. Operations: those of `svd`; for a query 2 k for each of its
    terms and 2 k for each text. The bits do not depend on the number of threads.

    References
    ----------
    S. Deerwester, S. Dumais, G. Furnas, T. Landauer and R. Harshman, "Indexing by latent semantic analysis",
    Journal of the American Society for Information Science 41 (1990).

    Examples
    --------
    >>> from fastla import text
    >>> found = text.lsa(["red apples and pears", "apples and pears", "old ships at sea", "ships at sea"], 2)
    >>> sorted(found.query("red", 2)[0].tolist())  # the second text has the first's other words
    [0, 1]
    """
    weights = texts if isinstance(texts, TfidfResult) else None
    if weights is None and not _is_matrix(texts):
        weights = tfidf(texts)
    matrix = texts if weights is None else weights.matrix
    if weights is not None:
        if terms is not None:
            raise ValueError("lsa: terms are those of the texts; they are given for a matrix alone")
        terms = weights.terms
    m, n = matrix.shape
    if not 1 <= operator.index(k) <= min(m, n):
        raise ValueError(f"lsa: k is {k}; {m} texts of {n} terms have 1 to {min(m, n)} dimensions")
    names = range(n) if terms is None else terms
    if len(names) != n:
        raise ValueError(f"lsa: the matrix is {matrix.shape}; there are {len(names)} terms")
    with threads(num_threads or get_num_threads()):
        found = svd(matrix, k, tol=tol, rng=rng, max_iter=max_iter, progress=progress)
    return LSAResult(
        found.u * found.s, found.vh, found.s, found.residuals, found.bound, names, weights
    )
