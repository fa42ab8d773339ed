"""tfidf: what scikit-learn's TfidfVectorizer gives, and what is refused."""

import re
import sys
from pydoc_data.topics import topics

import numpy as np
import pytest

from fastla import text

sklearn = pytest.importorskip("sklearn.feature_extraction.text", reason="needs scikit-learn to compare with")

TOPICS = [topics[name] for name in sorted(topics)]
ODD = ["", "Été à Paris, ÉTÉ!", "a b c", "it's 2 or 22, or_22", "one\ntwo\tone two", "one two 22",
       "straße STRASSE \u0130x"]
OPTIONS = [
    {},
    {"lowercase": False},
    {"token_pattern": r"[a-z]+"},
    {"token_pattern": r"\b(\w)\w+\b"},
    {"stop_words": ["the", "of", "or", "one"]},
    {"min_df": 2, "max_df": 0.4},
    {"min_df": 0.02, "max_df": 30},
    {"max_df": 1},
    {"ngram_range": (1, 2), "min_df": 2},
    {"ngram_range": (2, 3), "stop_words": ["the"]},
    {"sublinear_tf": True},
    {"smooth_idf": False},
    {"norm": "l1"},
    {"norm": None, "sublinear_tf": True, "smooth_idf": False},
]


@pytest.mark.parametrize("texts", [TOPICS, ODD], ids=["topics", "odd"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ", ".join(map(str, o)) or "default")
def test_as_scikit_learn(texts, options):
    other = sklearn.TfidfVectorizer(**options)
    theirs = other.fit_transform(texts).tocsr()
    theirs.sort_indices()
    ours = text.tfidf(texts, **options)
    assert ours.vocabulary == other.vocabulary_
    assert ours.terms == tuple(other.get_feature_names_out())
    assert np.array_equal(ours.idf, other.idf_)
    assert ours.matrix.shape == theirs.shape and ours.matrix.dtype == theirs.dtype
    assert np.array_equal(ours.matrix.indptr, theirs.indptr)
    assert np.array_equal(ours.matrix.indices, theirs.indices)
    # Squares were added in another order there: of n terms at most n u of their sum, half of it in its root.
    most = max(np.diff(ours.matrix.indptr).max(), 4)
    assert (abs(ours.matrix.data - theirs.data) <= most * np.finfo(float).eps * theirs.data).all()
    # With the vocabulary known they add up in its order, as we always do.
    unseen = [*texts[::-1], "", "unknownword", "the one or the other"]
    assert np.array_equal(ours.transform(unseen).toarray(), other.transform(unseen).toarray())
    assert np.array_equal(ours.transform(texts).toarray(), ours.matrix.toarray())


def test_most_frequent_terms():
    texts = ["b b b a a", "c c c d", "a e d d d d"]
    for n, terms in ((1, "d"), (2, "ad"), (3, "abd"), (4, "abcd"), (9, "abcde")):
        found = text.tfidf(texts, token_pattern=r"\w", max_features=n)
        assert found.terms == tuple(terms)
    for n in (1, 10, 57):
        other = sklearn.TfidfVectorizer(max_features=n).fit(TOPICS)
        counts = sklearn.CountVectorizer(vocabulary=other.vocabulary_).fit_transform(TOPICS).sum(axis=0)
        ours = sklearn.CountVectorizer(vocabulary=text.tfidf(TOPICS, max_features=n).vocabulary)
        # Which of equals stays may differ, how frequent they are may not.
        assert sorted(ours.fit_transform(TOPICS).sum(axis=0).A1) == sorted(counts.A1)


def test_read_once_from_an_iterator():
    ours = text.tfidf(t for t in TOPICS)
    assert np.array_equal(ours.matrix.toarray(), text.tfidf(TOPICS).matrix.toarray())


def test_alone_as_in_company():
    ours = text.tfidf(TOPICS)
    assert ours.transform([]).shape == (0, len(ours.terms))
    assert np.array_equal(ours.transform(TOPICS[7:8]).toarray(), ours.matrix[[7]].toarray())


@pytest.mark.parametrize("texts, options, kind, said", [
    ("one text", {}, TypeError, "texts is one str"),
    (["a text", b"bytes"], {}, TypeError, "text 1 is of type bytes"),
    ([], {}, ValueError, "0 texts have no term"),
    (["", "  "], {}, ValueError, "2 texts have no term"),
    (["the", "the"], {"stop_words": ["the"]}, ValueError, "2 texts have no term; .* stop words"),
    (["ab cd", "ef"], {"min_df": 2}, ValueError, "none of 3 terms is in at least 2 and at most 2 of 2 texts"),
    (["ab"], {"min_df": 0}, ValueError, "min_df is 0; it must be"),
    (["ab"], {"max_df": 1.5}, ValueError, "max_df is 1.5; it must be"),
    (["ab"], {"max_features": 0}, ValueError, "max_features is 0"),
    (["ab"], {"norm": "max"}, ValueError, "norm is 'max'"),
    (["ab"], {"ngram_range": (2, 1)}, ValueError, r"ngram_range is \(2, 1\)"),
    (["ab"], {"token_pattern": "(a)(b)"}, ValueError, "has 2 groups"),
    (["ab"], {"stop_words": "english"}, TypeError, "stop_words is 'english'"),
    (["ab"], {"token_pattern": "("}, re.error, "missing"),
])
def test_what_is_refused(texts, options, kind, said):
    with pytest.raises(kind, match=said):
        text.tfidf(texts, **options)


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"scipy is needed here: pip install 'fastla\[text\]'"):
        text.tfidf(["some text"])
