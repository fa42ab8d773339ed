"""Explicit backward passes against central differences, in float64, for a tiny model of each kind."""

import central
import numpy as np
import pytest

from fastla import nn

F8 = np.float64


def weighed(y, weights):
    return float((y * weights).sum())


ATTENTION = {
    "plain": {},
    "causal": {"causal": True},
    "grouped": {"kv_heads": 2, "causal": True, "bias": False},
    "rotary": {"kv_heads": 1, "frequencies": nn.rotary_frequencies(4)},
    "interleaved": {"frequencies": nn.rotary_frequencies(4), "interleaved": True, "causal": True},
    "wide heads": {"head_size": 6, "out_bias": False},
}


@pytest.mark.parametrize("kind", ATTENTION)
@pytest.mark.parametrize("masked", [False, True])
def test_attention(kind, masked, rng):
    layer = nn.MultiHeadAttention(16, 4, rng=0, dtype=F8, **ATTENTION[kind])
    central.spread(layer.parameters, rng)
    x, weights = rng.standard_normal((2, 2, 5, 16))
    mask = np.array([[True] * 5, [True, True, True, False, False]]) if masked else None
    _, saved = layer.forward(x, mask=mask)
    dx, grads = layer.backward(weights, saved)
    central.check(lambda: weighed(layer(x, mask=mask), weights), {"x": x, **layer.parameters},
                  {"x": dx, **grads}, rng)


BLOCKS = {
    "gpt2": {"activation": "gelu_tanh", "causal": True},
    "bert": {"norm_first": False},
    "llama": {"norm": "rms", "activation": "swiglu", "bias": False, "kv_heads": 2, "causal": True,
              "frequencies": nn.rotary_frequencies(4), "hidden": 24},
    "gate with biases": {"activation": "swiglu", "norm_first": False, "norm": "rms"},
    "relu": {"activation": "relu", "attention_bias": False},
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_block(kind, rng):
    block = nn.TransformerBlock(16, 4, rng=0, dtype=F8, **BLOCKS[kind])
    central.spread(block.parameters, rng)
    x, weights = rng.standard_normal((2, 2, 5, 16))
    _, saved = block.forward(x)
    dx, grads = block.backward(weights, saved)
    central.check(lambda: weighed(block(x), weights), {"x": x, **block.parameters}, {"x": dx, **grads}, rng)


def tiny(kind):
    if kind == "gpt2":
        return nn.GPT2(nn.GPT2Config(vocab_size=13, n_positions=9, n_embd=8, n_layer=2, n_head=2), rng=0,
                       dtype=F8)
    if kind == "bert":
        config = nn.BertConfig(vocab_size=13, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                               intermediate_size=12, max_position_embeddings=9, pooler=False, head=True)
        return nn.Bert(config, rng=0, dtype=F8)
    sizes = {"vocab_size": 13, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2}
    return nn.Llama(nn.LlamaConfig(**sizes, tie_word_embeddings=kind == "llama tied"), rng=0, dtype=F8)


@pytest.mark.parametrize("kind", ["gpt2", "bert", "llama", "llama tied"])
def test_model(kind, rng):
    """The gradient of a tied matrix is the sum of both its uses; words occur more than once."""
    model = tiny(kind)
    central.spread(model.parameters, rng)
    tokens, targets = rng.integers(0, 13, (2, 2, 7))
    targets[0, 2] = -100
    more = {"types": rng.integers(0, 2, (2, 7)), "mask": np.arange(7) < [[7], [5]]} if kind == "bert" else {}

    def loss():
        return float(nn.cross_entropy(model(tokens, **more), targets))

    found, grads = model.loss_and_gradients(tokens, targets, **more)
    assert found == loss()
    central.check(loss, model.parameters, grads, rng)


def test_gradients_of_words_that_do_not_occur_are_zero(rng):
    sizes = {"vocab_size": 13, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 1,
             "num_attention_heads": 4}
    model = nn.Llama(nn.LlamaConfig(**sizes), rng=0, dtype=F8)
    gradient = model.loss_and_gradients([[1, 2, 1]], [[2, 1, 3]])[1]["embedding.weight"]
    assert np.flatnonzero(gradient.any(axis=1)).tolist() == [1, 2]


def test_a_pooler_takes_no_part_in_the_loss_of_words(rng):
    config = nn.BertConfig(vocab_size=13, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                           intermediate_size=12, max_position_embeddings=9, head=True)
    model = nn.Bert(config, rng=0)
    grads = model.loss_and_gradients([[1, 2]], [[3, -100]])[1]
    assert model.parameters.keys() - grads.keys() == {"pooler.weight", "pooler.bias"}


def test_no_gradients_of_what_was_not_kept(rng):
    layer, x = nn.MultiHeadAttention(8, 2, causal=True, rng=0), np.ones((1, 2, 8), np.float32)
    cached = layer.forward(x, cache=nn.KVCache(1, 2, 4))[1]
    with pytest.raises(ValueError, match="no gradients"):
        layer.backward(x, cached)
    block = nn.TransformerBlock(8, 2, rng=0)
    with pytest.raises(ValueError, match="no gradients"):
        block.backward(x, block.forward(x, keep=False)[1])


def test_training_finds_a_sequence_by_heart(rng):
    config = nn.GPT2Config(vocab_size=13, n_positions=16, n_embd=16, n_layer=1, n_head=2, embd_pdrop=0,
                           resid_pdrop=0, attn_pdrop=0)
    model = nn.GPT2(config, rng=0)
    tokens = rng.integers(0, 13, (1, 13))
    history = nn.fit(model, tokens[:, :-1], tokens[:, 1:], optimizer=nn.AdamW(0.02), epochs=100,
                     progress=False)
    assert history.loss[-1] < 0.1 < 2 < history.loss[0]
    assert np.array_equal(model.generate(tokens[0, :1], 12), tokens[0])
