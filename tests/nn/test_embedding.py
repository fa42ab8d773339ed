"""Embeddings: one-hot products, sums in order, tied tables, cosines."""

import gradients
import ml_dtypes
import numpy as np
import pytest

import fastla
from fastla import nn


def one_hot(tokens, num, dtype):
    return (np.ravel(tokens)[:, np.newaxis] == np.arange(num)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (7,), (3, 400), (0,)])
def test_a_lookup_is_a_one_hot_product(rng, dtype, shape):
    layer = nn.Embedding(50, 6, rng=rng, dtype=dtype)
    table = layer.parameters["weight"]
    tokens = rng.integers(0, 50, shape)
    found = layer(tokens)
    assert found.dtype == dtype
    assert np.array_equal(found.reshape(-1, 6), fastla.matmul(one_hot(tokens, 50, dtype), table))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "num"), [((7,), 3), ((3, 700), 5), ((1537,), 2000), ((0,), 4), ((), 4)])
def test_the_gradient_is_the_transposed_product(rng, dtype, shape, num):
    """The bits of docs/contract.md: in order of the tokens, in blocks of 512."""
    tokens = rng.integers(0, num, shape)
    dy = rng.standard_normal((*shape, 6)).astype(dtype)
    found = nn.embedding_backward(dy, tokens, num)
    assert np.array_equal(found, fastla.matmul(one_hot(tokens, num, dtype).T, dy.reshape(-1, 6)))


def test_rows_are_added_in_increasing_order(rng):
    tokens = rng.integers(0, 9, 300)
    dy = rng.standard_normal((300, 4), dtype=np.float32)
    want = np.zeros((9, 4), np.float32)
    for token, row in zip(tokens, dy, strict=True):
        want[token] += row
    found = nn.embedding_backward(dy, tokens, 9)
    assert np.array_equal(found, want)
    backwards = nn.embedding_backward(dy[::-1], tokens[::-1], 9)
    assert not np.array_equal(found, backwards)  # the order shows in the bits
    for threads in (1, 2, 3):
        with fastla.threads(threads):
            assert np.array_equal(nn.embedding_backward(dy, tokens, 9), found)


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_sixteen_bits_are_summed_in_float32(rng, half):
    tokens, dy = rng.integers(0, 9, 300), rng.standard_normal((300, 4)).astype(half)
    found = nn.embedding_backward(dy, tokens, 9)
    assert found.dtype == np.float32
    assert np.array_equal(found, nn.embedding_backward(dy.astype(np.float32), tokens, 9))


def test_gradient_by_differences(rng):
    layer = nn.Embedding(6, 3, scale=1, rng=rng, dtype=np.float64)
    gradients.check_layer(layer, np.array([[1, 2, 2], [5, 1, 0]]), rng, inputs=False)
    assert layer.backward(np.ones((1, 3)), np.array([2]))[0] is None


def tied(rng, **options):
    table = nn.Embedding(11, 6, scale=1, rng=rng, **options)
    between = nn.Linear(6, 6, activation="tanh", rng=rng, **options)
    return table, between, nn.Sequential(table, between, nn.Unembedding(table))


def test_a_tied_tables_gradient_is_the_sum_of_both_uses(rng):
    table, between, model = tied(rng)
    assert sorted(model.parameters) == ["0.weight", "1.bias", "1.weight"]
    assert model.parameters["0.weight"] is table.parameters["weight"] is model.layers[2].parameters["weight"]
    tokens, y = rng.integers(0, 11, (2, 5)), rng.integers(0, 11, (2, 5))
    z, saved = model.forward(tokens)
    dz = nn.cross_entropy_backward(z, y)
    _, found = model.backward(dz, saved)
    as_output = nn.linear_backward(dz, saved[2], table.parameters["weight"])
    below, _ = between.backward(as_output.x, saved[1])
    as_input = nn.embedding_backward(below, tokens, 11)
    assert np.array_equal(found["0.weight"], as_output.weight + as_input)


def test_a_tied_model_by_differences(rng):
    _, _, model = tied(rng, dtype=np.float64)
    gradients.check_layer(model, rng.integers(0, 11, (2, 3)), rng, inputs=False)


def test_a_tied_model_is_stepped_once_and_stays_tied(rng):
    table, _, model = tied(rng)
    before = table.parameters["weight"].copy()
    tokens = rng.integers(0, 11, (40, 5))
    z, saved = model.forward(tokens)
    found = model.backward(nn.cross_entropy_backward(z, tokens), saved)[1]
    nn.SGD(0.5).step(model.parameters, found)
    assert np.array_equal(table.parameters["weight"], before - np.float32(0.5) * found["0.weight"])
    history = nn.fit(model, tokens, tokens, optimizer=nn.AdamW(0.05), epochs=60, rng=0, progress=False)
    assert history.loss[-1] < 0.2 < history.loss[0]
    assert model.parameters["0.weight"] is model.layers[2].parameters["weight"]


def test_cosines(rng):
    x, y = rng.standard_normal((2, 5, 8)), rng.standard_normal((7, 8))
    found = nn.cosine_similarity(x, y)
    lengths = np.linalg.norm(x, axis=-1)[..., np.newaxis] * np.linalg.norm(y, axis=-1)
    np.testing.assert_allclose(found, np.matmul(x, y.T) / lengths, rtol=1e-13, atol=1e-14)
    assert np.array_equal(nn.cosine_similarity(x[1, 2], y), found[1, 2])
    assert np.array_equal(nn.cosine_similarity(x, y[3]), found[..., 3])
    assert nn.cosine_similarity(x[0, 0], y[0]).shape == ()
    assert np.array_equal(nn.cosine_similarity(np.zeros((2, 8)), y), np.zeros((2, 7)))
    assert nn.cosine_similarity(x.astype(np.float16), y.astype(np.float32)).dtype == np.float32


def test_most_similar(rng):
    table = rng.standard_normal((30, 8), dtype=np.float32)
    rows, similarities = nn.most_similar(table[[4, 9]] * 3, table, 5)
    assert rows[:, 0].tolist() == [4, 9]
    np.testing.assert_allclose(similarities[:, 0], 1, rtol=1e-6)
    assert (np.diff(similarities, axis=1) <= 0).all()
    every, of = nn.most_similar(table[4], table, 30)
    assert sorted(every) == list(range(30))
    assert np.array_equal(of, nn.cosine_similarity(table[4], table)[every])
    twice = np.concatenate([table, table])
    assert nn.most_similar(table[4], twice, 2)[0].tolist() == [4, 34]


def test_errors_quote_what_is_wrong():
    layer = nn.Embedding(5, 3)
    with pytest.raises(ValueError, match=r"\(2,\) have 5; they must be from 0 to 4"):
        layer([1, 5])
    with pytest.raises(ValueError, match="have -1"):
        layer([1, -1])
    with pytest.raises(TypeError, match="float64"):
        layer([1.0])
    with pytest.raises(ValueError, match=r"dy is \(2, 3\), tokens are \(3,\)"):
        nn.embedding_backward(np.ones((2, 3)), [0, 1, 2], 5)
    with pytest.raises(ValueError, match=r"x is \(2, 3\), y is \(4, 5\)"):
        nn.cosine_similarity(np.ones((2, 3)), np.ones((4, 5)))
    for k in (0, 5):
        with pytest.raises(ValueError, match=rf"\(4, 3\), k is {k}"):
            nn.most_similar(np.ones(3), np.ones((4, 3)), k)
