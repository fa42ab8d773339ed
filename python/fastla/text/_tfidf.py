"""Weights of terms: how often in a text, and in how few texts."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._terms import Analyzer, counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NORMS = ("l1", "l2", None)


@dataclass(frozen=True)
class Weighting:
    """What becomes of counts."""

    sublinear_tf: bool
    norm: str | None

    def __call__(self, matrix: Any, idf: NDArray[np.float64]) -> Any:
        data = matrix.data
        if self.sublinear_tf:
            data = np.log(data) + 1
        data = data * idf[matrix.indices]
        if self.norm is not None:
            rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
            terms = np.square(data) if self.norm == "l2" else np.abs(data)
            # bincount adds one after another: a row's bits depend on nothing but the row.
            sizes = np.bincount(rows, terms, matrix.shape[0])
            data /= (np.sqrt(sizes) if self.norm == "l2" else sizes)[rows]
        matrix.data = data
        return matrix


@dataclass(frozen=True, eq=False)
class TfidfResult:
    """Texts as weights of terms; made by `tfidf`.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array of float64
        (texts, terms).
    terms : tuple of str
        Of the columns, in alphabetical order.
    vocabulary : dict
        The column of each term.
    idf : ndarray of float64
        (terms,), how much each term counts: the more, the fewer texts have it.
    analyzer : callable
        analyzer(text): the terms of a text.
    weighting : callable
        weighting(counts, idf): what becomes of counts.

    Methods
    -------
    transform(texts)
        Other texts, weighted by the same idf. Terms that are not in the vocabulary are left out.

    Examples
    --------
    >>> from fastla import text
    >>> found = text.tfidf(["red apples", "green apples"])
    >>> found.transform(["green pears"]).toarray()
    array([[0., 1., 0.]])
    """

    matrix: Any
    terms: tuple[str, ...]
    vocabulary: dict[str, int]
    idf: NDArray[np.float64]
    analyzer: Analyzer
    weighting: Weighting

    def transform(self, texts: Iterable[str]) -> Any:
        """(texts, terms): other texts, weighted by the same idf."""
        found = counts("transform", texts, self.analyzer, self.vocabulary, learn=False)
        return self.weighting(found, self.idf)


def tfidf(
    texts: Iterable[str],
    *,
    lowercase: bool = True,
    token_pattern: str = r"(?u)\b\w\w+\b",
    stop_words: Iterable[str] | None = None,
    ngram_range: tuple[int, int] = (1, 1),
    max_df: float = 1.0,
    min_df: float = 1,
    max_features: int | None = None,
    norm: str | None = "l2",
    smooth_idf: bool = True,
    sublinear_tf: bool = False,
) -> TfidfResult:
    """Texts as rows of a sparse matrix: a weight for each term, as scikit-learn's TfidfVectorizer.

    Parameters
    ----------
    texts : iterable of str
        An iterator is read once, and texts are not kept. An empty text is a row of zeros.
    lowercase : bool, default True
        Whether capitals are taken as small letters.
    token_pattern : str
        A regular expression of words, or with one group, which is then the word. Two letters at least.
    stop_words : iterable of str, optional
        Words to leave out.
    ngram_range : tuple of int, default (1, 1)
        Least and most words in a row that make a term.
    max_df, min_df : int or float, default 1.0 and 1
        Terms in more or in fewer texts are left out: a number of texts, or, of type float, a share.
    max_features : int, optional
        As many of the most frequent terms; of equals those that come first in the alphabet.
    norm : {"l2", "l1", None}
        Rows have this norm 1; None leaves them.
    smooth_idf : bool, default True
        Whether a text more, of all terms, is counted.
    sublinear_tf : bool, default False
        Whether a term that occurs c times counts 1 + log c.

    Returns
    -------
    TfidfResult
        With matrix, terms, vocabulary, idf, transform.

    Raises
    ------
    ValueError
        If no term is left, or an argument is out of range.
    TypeError
        If `texts` is a single str, or what is in it is none.
    ImportError
        If SciPy is missing; the extra ``fastla[text]`` has it.

    See Also
    --------
    lsa

    Notes
    -----
    A weight is c idf, divided by the row's norm; idf = log((n + 1) / (d + 1)) + 1 for a term in d of n texts,
    without the ones where `smooth_idf` is False. Of a text the bits are the same in any company, but for idf.

    References
    ----------
    C. Manning, P. Raghavan and H. Schuetze, "Introduction to Information Retrieval", Cambridge University
    Press, 2008, chapter 6.

    Examples
    --------
    >>> from fastla import text
    >>> found = text.tfidf(["red apples", "green apples"], norm=None)
    >>> found.terms
    ('apples', 'green', 'red')
    >>> found.matrix.toarray().round(3)
    array([[1.   , 0.   , 1.405],
           [1.   , 1.405, 0.   ]])
    """
    if norm not in _NORMS:
        raise ValueError(f"tfidf: norm is {norm!r}; it must be one of {_NORMS}")
    analyzer = Analyzer.of("tfidf", lowercase, token_pattern, stop_words, ngram_range)
    seen: dict[str, int] = {}
    found = counts("tfidf", texts, analyzer, seen, learn=True)
    if not seen:
        raise ValueError(
            f"tfidf: {found.shape[0]} texts have no term; they are empty or of stop words alone"
        )
    terms = sorted(seen)
    found = found[:, [seen[term] for term in terms]]
    kept = _kept(found, max_df, min_df, max_features)
    if len(kept) < len(terms):
        found, terms = found[:, kept], [terms[i] for i in kept]
    found.sort_indices()
    n, d = found.shape[0] + int(smooth_idf), _text_counts(found) + int(smooth_idf)
    idf = np.log(n / d) + 1.0
    weighting = Weighting(bool(sublinear_tf), norm)
    vocabulary = {term: i for i, term in enumerate(terms)}
    return TfidfResult(weighting(found, idf), tuple(terms), vocabulary, idf, analyzer, weighting)


def _text_counts(matrix: Any) -> NDArray[np.int64]:
    """In how many texts each term is."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1])


def _limit(what: str, given: float, texts: int) -> float:
    """A number of texts from a number or a share."""
    if isinstance(given, numbers.Integral) and given >= 1:
        return given
    if isinstance(given, numbers.Real) and not isinstance(given, numbers.Integral):
        if 0 <= given <= 1:
            return float(given) * texts
    raise ValueError(
        f"tfidf: {what} is {given!r}; it must be an int from 1 or a float from 0.0 to 1.0"
    )


def _kept(matrix: Any, max_df: float, min_df: float, max_features: int | None) -> NDArray[np.int64]:
    """The columns that stay, in order."""
    texts, in_texts = matrix.shape[0], _text_counts(matrix)
    low, high = _limit("min_df", min_df, texts), _limit("max_df", max_df, texts)
    (kept,) = np.nonzero((in_texts >= low) & (in_texts <= high))
    if max_features is not None:
        if max_features < 1:
            raise ValueError(f"tfidf: max_features is {max_features}; it must be 1 at least")
        totals = np.bincount(matrix.indices, matrix.data, matrix.shape[1])[kept]
        kept = np.sort(kept[np.argsort(-totals, kind="stable")[:max_features]])
    if not len(kept):
        raise ValueError(
            f"tfidf: none of {matrix.shape[1]} terms is in at least {low:g} and at most {high:g} of "
            f"{texts} texts; change min_df or max_df"
        )
    return kept
