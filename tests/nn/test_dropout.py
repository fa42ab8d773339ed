"""Dropout: which elements, their gradients, in blocks and models, in trainings that are resumed."""

import dataclasses
import doctest
import pathlib

import central
import numpy as np
import pytest
import small_models
from test_fit import same

from fastla import nn

F8 = np.float64


def test_what_is_dropped_is_what_the_generator_says():
    x = np.random.default_rng(0).standard_normal((40, 50), dtype=np.float32)
    for p in (0.1, 0.5, 0.9):
        layer = nn.Dropout(p)
        y, saved = layer.forward(x, rng=3)
        kept = np.random.default_rng(3).random((40, 50), np.float32) >= np.float32(p)
        assert np.array_equal(y, np.where(kept, x * np.float32(1 / (1 - p)), 0))
        assert np.array_equal(y == 0, layer.forward(x.astype(F8), rng=3)[0] == 0)
        assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / 2000)
        dx, none = layer.backward(x, saved)
        assert np.array_equal(dx, y) and none == {}
        assert layer.backward(x, saved, inputs=False)[0] is None


def test_without_a_generator_nothing_is_dropped():
    x = np.ones((3, 4), np.float32)
    layer = nn.Dropout(0.5)
    assert np.array_equal(layer(x), x) and np.array_equal(layer.forward(x)[0], x)
    assert layer.backward(x, layer.forward(x)[1])[0] is x
    assert np.array_equal(nn.Dropout(0).forward(x, rng=0)[0], x)
    model = nn.Sequential(nn.Linear(4, 5, rng=0), layer)
    assert np.array_equal(model(x), model.layers[0](x))
    assert not np.array_equal(model.forward(x, rng=0)[0], model(x))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_of_sixteen_bits(kind):
    dtype = np.float16 if kind == "float16" else pytest.importorskip("ml_dtypes").bfloat16
    x = np.random.default_rng(0).standard_normal((9, 30)).astype(dtype)
    y, saved = nn.Dropout(0.3).forward(x, rng=1)
    assert y.dtype == dtype == nn.Dropout(0.3).backward(x, saved)[0].dtype
    assert np.array_equal(y, nn.Dropout(0.3).forward(x.astype(np.float32), rng=1)[0].astype(dtype))


def test_no_warnings_of_what_is_not_finite():
    assert np.isnan(nn.Dropout(0.5).forward([np.inf] * 64, rng=0)[0]).any()


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_shares_that_are_none(p):
    with pytest.raises(ValueError, match=f"p is {p}"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match=f"p is {p}"):
        nn.GPT2(dataclasses.replace(small_models.GPT2, attn_pdrop=p))


def test_a_gradient_of_another_shape():
    _, saved = nn.Dropout(0.5).forward(np.ones((2, 3)), rng=0)
    with pytest.raises(ValueError, match=r"dy is \(3,\); it must be \(2, 3\)"):
        nn.Dropout(0.5).backward(np.ones(3), saved)


@pytest.mark.parametrize("dropout, attention", [(0.3, 0), (0, 0.4), (0.2, 0.2)])
@pytest.mark.parametrize("kind", [{"causal": True}, {"norm_first": False}, {"kv_heads": 2, "norm": "rms"}])
def test_gradients_of_a_block(kind, dropout, attention, rng):
    block = nn.TransformerBlock(16, 4, rng=0, dtype=F8, dropout=dropout, attention_dropout=attention, **kind)
    central.spread(block.parameters, rng)
    x, weights = rng.standard_normal((2, 2, 5, 16))
    y, saved = block.forward(x, rng=4)
    dx, grads = block.backward(weights, saved)
    assert not np.array_equal(y, block(x))
    central.check(lambda: float((block.forward(x, rng=4)[0] * weights).sum()), {"x": x, **block.parameters},
                  {"x": dx, **grads}, rng)


MODELS = {
    "gpt2": dataclasses.replace(small_models.GPT2, embd_pdrop=0.1, resid_pdrop=0.2, attn_pdrop=0.3),
    "bert": dataclasses.replace(small_models.BERT, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.1,
                                pooler=False),
    "llama": dataclasses.replace(small_models.LLAMA, attention_dropout=0.2),
}


@pytest.mark.parametrize("kind", MODELS)
def test_gradients_of_a_model(kind, rng):
    model = small_models.made(MODELS[kind], dtype=F8)
    tokens, targets = rng.integers(0, 29, (2, 2, 7))
    loss, grads = model.loss_and_gradients(tokens, targets, rng=5)
    assert loss != model.loss_and_gradients(tokens, targets)[0]
    assert loss != model.loss_and_gradients(tokens, targets, rng=6)[0]
    central.check(lambda: model.loss_and_gradients(tokens, targets, rng=5)[0], model.parameters, grads, rng,
                  tolerance=1e-7)


@pytest.mark.parametrize("kind", MODELS)
def test_inference_drops_nothing(kind, rng):
    config = MODELS[kind]
    none = {f.name: 0.0 for f in dataclasses.fields(config) if "drop" in f.name}
    model, other = small_models.made(config), small_models.made(dataclasses.replace(config, **none))
    tokens = rng.integers(0, 29, (2, 7))
    assert np.array_equal(model(tokens), other(tokens))
    assert np.array_equal(model.forward(tokens)[0], other.forward(tokens)[0])
    assert same(model, other)
    assert np.array_equal(other.forward(tokens, rng=0)[0], other.forward(tokens)[0])


def test_the_parts_of_a_block_are_dropped_apart():
    """With zero weights all that is left of a block is its biases: each is dropped by numbers of its own."""
    block = nn.TransformerBlock(64, 2, dropout=0.5, attention_dropout=0.5, rng=0)
    for name, p in block.parameters.items():
        p[...] = {"attention.out.bias": 1, "mlp.down.bias": 4}.get(name, 0)
    y, _ = block.forward(np.zeros((2, 50, 64), np.float32), rng=1)
    found, counts = np.unique(y, return_counts=True)
    assert found.tolist() == [0, 2, 8, 10]
    assert (abs(counts / y.size - 0.25) < 0.03).all()


def network(seed=0):
    return nn.Sequential(nn.Linear(2, 16, activation="relu", rng=seed), nn.Dropout(0.3),
                         nn.Linear(16, 3, rng=seed + 1))


DATA = np.random.default_rng(0).standard_normal((50, 2), np.float32), np.arange(50) % 3
FIT = {"optimizer": None, "batch_size": 8, "progress": False}


def fitted(model, data=DATA, *, rng=1, **options):
    options = FIT | {"optimizer": nn.AdamW(0.01)} | options
    return model, nn.fit(model, *data, rng=rng, **options)


def test_the_steps_are_those_of_a_plain_loop():
    found, _ = fitted(network(), epochs=2)
    model, optimizer, rng, (x, y) = network(), nn.AdamW(0.01), np.random.default_rng(1), DATA
    for _ in range(2):
        order = rng.permutation(50)
        for start in range(0, 50, 8):
            some = order[start : start + 8]
            z, saved = model.forward(x[some], rng=rng)
            optimizer.step(model.parameters, model.backward(nn.cross_entropy_backward(z, y[some]), saved)[1])
    assert same(found, model)


def stop_at(count):
    """A schedule that raises in a step."""
    def schedule(steps):
        if steps == count:
            raise KeyboardInterrupt
        return 0.01
    return schedule


@pytest.mark.parametrize("steps", [3, 7, 11])
def test_resumed_in_the_middle_of_an_epoch(steps, tmp_path):
    path = tmp_path / "here.npz"
    whole, history = fitted(network(), epochs=3, schedule=lambda _: 0.01)
    with pytest.raises(KeyboardInterrupt):
        fitted(network(), epochs=3, checkpoint=path, checkpoint_every=1, schedule=stop_at(steps))
    again, other = fitted(network(7), epochs=3, rng=9, checkpoint=path, resume=True, schedule=lambda _: 0.01)
    assert same(whole, again)
    assert history == other


def test_a_transformers_training_resumed(tmp_path, rng):
    tokens, path = rng.integers(0, 29, (20, 9)), tmp_path / "here.npz"
    data = tokens[:, :-1], tokens[:, 1:]
    whole, history = fitted(small_models.made(MODELS["gpt2"]), data, epochs=4)
    fitted(small_models.made(MODELS["gpt2"]), data, epochs=2, checkpoint=path)
    again, other = fitted(small_models.made(MODELS["gpt2"], 3), data, epochs=4, checkpoint=path, resume=True)
    assert same(whole, again) and history == other
    without, _ = fitted(small_models.made(dataclasses.replace(
        MODELS["gpt2"], embd_pdrop=0, resid_pdrop=0, attn_pdrop=0)), data, epochs=4)
    assert not same(whole, without)


def test_a_loss_that_takes_the_generator():
    """Training gives it, validation does not."""
    seen = []

    def loss(model, x, y, rng=None):
        seen.append(rng)
        z, saved = model.forward(x, rng=rng)
        return nn.cross_entropy(z, y), model.backward(nn.cross_entropy_backward(z, y), saved)[1]

    own, history = fitted(network(), loss=loss, epochs=2, validation=DATA)
    usual, expected = fitted(network(), epochs=2, validation=DATA)
    assert same(own, usual) and history.loss == expected.loss
    assert history.validation_loss == pytest.approx(expected.validation_loss)
    assert [r is None for r in seen] == ([False] * 7 + [True]) * 2


def test_layers_that_know_nothing_of_it():
    class Twice(nn.Layer):
        def __init__(self):
            self.parameters = {}

        def forward(self, x):
            return 2 * x, None

        def backward(self, dy, saved, *, inputs=True):
            return 2 * dy, {}

    model = nn.Sequential(Twice(), *network().layers)
    fitted(model, epochs=1)
    fitted(nn.Sequential(nn.Sequential(Twice(), nn.Dropout(0.5)), nn.Linear(2, 3, rng=0)), epochs=1)


def test_the_page_runs():
    page = pathlib.Path(__file__).parents[2] / "docs" / "training.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert failed == 0 and tried > 15


def test_numbers_are_drawn_in_the_order_of_their_use():
    """docs/rows.md: for embeddings; in each block a seed, and numbers for attention and for the MLP."""
    model, drawn, rng = small_models.made(MODELS["gpt2"]), np.random.default_rng(2), np.random.default_rng(2)
    model.forward([[1, 2, 3]], rng=drawn)
    rng.random((1, 3, 24), np.float32)
    for _ in range(2):
        rng.integers(2**63)
        rng.random((1, 3, 24), np.float32)
        rng.random((1, 3, 24), np.float32)
    assert drawn.bit_generator.state == rng.bit_generator.state
