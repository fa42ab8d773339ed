"""lsa: planted topics are found, cosines are right, and mistakes are named."""

import itertools
from pydoc_data.topics import topics

import numpy as np
import pytest

from fastla import text

pytest.importorskip("scipy", reason="needs the extra fastla[text]")

TOPICS = [topics[name] for name in sorted(topics)]


def planted(rng, groups=6, each=40, words=30):
    """Texts of 40 words, half of them of their group's, half of everybody's; which group each is of."""
    own = [[f"topic{g}word{i}" for i in range(words)] for g in range(groups)]
    common = [f"common{i}" for i in range(200)]
    texts, of = [], []
    for g, _ in itertools.product(range(groups), range(each)):
        texts.append(" ".join([*rng.choice(own[g], 20), *rng.choice(common, 20)]))
        of.append(g)
    order = rng.permutation(len(texts))
    return [texts[i] for i in order], np.array(of)[order], own


def dense_cosines(found, asked):
    """By NumPy, from the definition."""
    x = found.weights.transform(asked).toarray() @ found.components.T
    sizes = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(found.vectors, axis=1)
    return np.divide(x @ found.vectors.T, sizes, out=np.zeros(sizes.shape), where=sizes > 0)


def test_planted_topics(rng):
    texts, of, own = planted(rng)
    found = text.lsa(texts, 6)
    precision = []
    for g in range(6):
        near, _ = found.query(" ".join(rng.choice(own[g], 3)), 30)
        precision.append((of[near] == g).mean())
    assert np.mean(precision) >= 0.95
    # Words that a text does not have bring it all the same: the group's others.
    near, _ = found.query(own[0][0], 40)
    without = [i for i in near if own[0][0] not in texts[i].split()]
    assert without and (of[without] == 0).mean() >= 0.95


def test_topics_are_the_groups_words(rng):
    own = [[f"t{g}w{i}" for i in range(10)] for g in range(3)]
    # Groups of unlike sizes, without a common word: each is a dimension of its own.
    texts = [" ".join(rng.choice(own[g], 12)) for g, size in enumerate((50, 30, 15)) for _ in range(size)]
    found = text.lsa(texts, 3, tol=1e-9)
    groups = [{term[:2] for term, _ in strongest} for strongest in found.topics(8)]
    assert sorted(groups, key=str) == [{"t0"}, {"t1"}, {"t2"}]
    for strongest, row in zip(found.topics(4), found.components, strict=True):
        weights = [w for _, w in strongest]
        assert weights == sorted(weights, key=abs, reverse=True) and abs(weights[0]) == abs(row).max()
        assert all(row[found.terms.index(term)] == w for term, w in strongest)


@pytest.mark.parametrize("k", [1, 8, 40])
def test_the_matrix_is_approximated_as_well_as_can_be(k):
    found = text.lsa(TOPICS, k)
    a = text.tfidf(TOPICS).matrix.toarray()
    s = np.linalg.svd(a, compute_uv=False)
    best = np.sqrt((s[k:]**2).sum())
    error = np.linalg.norm(a - found.vectors @ found.components)
    assert best * (1 - 1e-9) <= error <= found.bound <= best * 1.001 + 1e-9
    assert (abs(found.s - s[:k]) <= found.residuals + 1e-12).all()


def test_queries_are_cosines():
    found = text.lsa(text.tfidf(TOPICS, sublinear_tf=True, stop_words=["the"]), 20)
    asked = ["loop over a sequence", "raise an exception", "the the coroutine"]
    want = dense_cosines(found, asked)
    texts, similarities = found.query(asked, 7)
    assert texts.shape == similarities.shape == (3, 7)
    assert abs(similarities - np.sort(want, axis=1)[:, ::-1][:, :7]).max() <= 1e-12
    assert abs(np.take_along_axis(want, texts, axis=1) - similarities).max() <= 1e-12
    one, cosines = found.query(asked[1], 7)
    assert np.array_equal(one, texts[1]) and np.array_equal(cosines, similarities[1])
    assert found.query(asked[0], 10**6)[0].shape == (len(TOPICS),)
    rows, _ = found.query(found.weights.transform(asked), 7)
    assert np.array_equal(rows, texts)


def test_texts_are_nearest_to_themselves():
    found = text.lsa(TOPICS, 30)
    assert abs(found.transform(TOPICS) - found.vectors).max() <= 1e-12
    same = found.query(TOPICS, 1)[1][:, 0]
    assert same.min() >= 1 - 1e-12


def test_as_scikit_learn():
    other = pytest.importorskip("sklearn.decomposition", reason="needs scikit-learn to compare with")
    weights = text.tfidf(TOPICS)
    svd = other.TruncatedSVD(10, algorithm="arpack", random_state=0).fit(weights.matrix)
    found = text.lsa(weights, 10, tol=1e-9)
    assert abs(found.s - svd.singular_values_).max() <= 1e-9
    theirs, ours = svd.transform(weights.matrix), found.vectors
    assert abs(abs((theirs * ours).sum(axis=0)) - found.s**2).max() <= 1e-6


def test_bits_do_not_depend_on_threads():
    made = [text.lsa(TOPICS, 12, num_threads=n) for n in (1, 2, 3)]
    for other in made[1:]:
        assert np.array_equal(made[0].vectors, other.vectors)
        assert np.array_equal(made[0].components, other.components)


def test_a_matrix(rng):
    a = rng.random((9, 5))
    found = text.lsa(a, 5)
    assert found.terms == range(5) and found.weights is None
    assert abs(found.vectors @ found.components - a).max() <= 1e-12
    assert found.query(a[3:4], 1)[0] == 3
    assert abs(found.transform(a) - found.vectors).max() <= 1e-12
    assert {t for row in text.lsa(a, 2, terms="abcde").topics() for t, _ in row} == set("abcde")
    with pytest.raises(TypeError, match=r"matrix, which knows no words; give rows of \(n, 5\)"):
        found.query("words")
    with pytest.raises(ValueError, match=r"rows are \(2, 4\); they must be \(n, 5\)"):
        found.transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match="text 1 has none of the 5 terms"):
        found.query(np.array([[1.0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]))


def test_texts_in_an_array():
    texts = ["red apples", "green apples", "old ships", "ships at sea"]
    found, same = text.lsa(texts, 2), text.lsa(np.array(texts), 2)
    assert np.array_equal(found.vectors, same.vectors)
    near = found.query(texts[1:3], 2)[0]
    assert np.array_equal(near, same.query(np.array(texts[1:3]), 2)[0])
    assert np.array_equal(found.transform(texts), same.transform(t for t in texts))


def test_empty_texts_and_unknown_words():
    found = text.lsa(["red apples", "", "green apples", "red pears"], 2)
    assert not found.vectors[1].any()
    texts, similarities = found.query("apples", 4)
    assert similarities[list(texts).index(1)] == 0
    assert not found.transform(["", "unknown"]).any()
    with pytest.raises(ValueError, match="query: text 1 has none of the 4 terms: 'blue plums'"):
        found.query(["red", "blue plums"])
    with pytest.raises(ValueError, match="n is 0"):
        found.query("red", 0)
    with pytest.raises(TypeError, match="text 0 is of type int"):
        found.query([3])


@pytest.mark.parametrize("k", [0, 4, -1])
def test_k_out_of_range(k):
    with pytest.raises(ValueError, match=f"lsa: k is {k}; 3 texts of 4 terms have 1 to 3 dimensions"):
        text.lsa(["red apples", "green apples", "red pears"], k)


@pytest.mark.parametrize("given, options, kind, said", [
    ("one text", {}, TypeError, "texts is one str"),
    (["", ""], {}, ValueError, "2 texts have no term"),
    (["ab"], {"terms": ["ab"]}, ValueError, "terms are those of the texts"),
    (np.ones(3), {}, TypeError, "text 0 is of type float64; it must be str"),
    (np.ones((3, 2)), {"terms": ["a"]}, ValueError, r"\(3, 2\); there are 1 terms"),
    (np.array([[1.0, np.nan]]), {}, ValueError, "nan at"),
])
def test_what_is_refused(given, options, kind, said):
    with pytest.raises(kind, match=said):
        text.lsa(given, 1, **options)
