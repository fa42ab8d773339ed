"""What a model computes for a sequence depends on that sequence alone, bit for bit."""

import itertools

import numpy as np
import pytest
import small_models

import fastla
from fastla import nn


@pytest.fixture(params=["gpt2", "llama"])
def model(request):
    return small_models.made({"gpt2": small_models.GPT2, "llama": small_models.LLAMA}[request.param])


def test_cached_decoding_is_full_recomputation(model, rng):
    tokens = rng.integers(0, 29, (2, 270))
    whole = model(tokens)
    cache = model.cache(2)
    pieces = [0, 100, 103, 255, *range(256, 271)]
    found = [model(tokens[:, a:b], cache) for a, b in itertools.pairwise(pieces)]
    assert np.array_equal(np.concatenate(found, axis=1), whole)


def test_a_sequence_alone_and_in_a_batch(model, rng):
    tokens = rng.integers(0, 29, (5, 40))
    together = model(tokens)
    for i in range(5):
        assert np.array_equal(model(tokens[i]), together[i])
    assert np.array_equal(model(tokens[:, :7]), together[:, :7])


def test_threads(model, rng, threads):
    tokens = rng.integers(0, 29, (3, 61))
    with fastla.threads(1):
        logits, (loss, grads) = model(tokens), model.loss_and_gradients(tokens[:, :-1], tokens[:, 1:])
    with fastla.threads(threads):
        again, (loss2, grads2) = model(tokens), model.loss_and_gradients(tokens[:, :-1], tokens[:, 1:])
    assert np.array_equal(logits, again) and loss == loss2
    assert all(np.array_equal(grads[n], grads2[n]) for n in grads)


def digest(rng):
    """Everything that is computed, as bytes."""
    tokens, found = rng.integers(0, 29, (2, 33)), []
    for config in (small_models.GPT2, small_models.LLAMA, small_models.BERT):
        m = small_models.made(config)
        loss, grads = m.loss_and_gradients(tokens[:, :-1][:, :32], tokens[:, 1:])
        found += [m(tokens[:, :32]), np.float64(loss), *grads.values()]
    return b"".join(x.tobytes() for x in found)


def test_instruction_sets(isa):
    found = digest(np.random.default_rng(0))
    with fastla.use_isa("generic"):
        assert digest(np.random.default_rng(0)) == found


def test_training_and_inference_have_the_same_bits(rng):
    tokens = rng.integers(0, 29, (2, 21))
    for config in (small_models.GPT2, small_models.LLAMA):
        model = small_models.made(config)
        assert np.array_equal(model.forward(tokens)[0], model(tokens))
    bert = small_models.made(small_models.BERT)
    assert np.array_equal(bert.forward(tokens)[0], bert.encode(tokens)[0])


def test_padding_changes_no_bits_of_bert(rng):
    bert, tokens = small_models.made(small_models.BERT), rng.integers(0, 29, (2, 20))
    padded = bert(tokens, mask=np.arange(20) < [[20], [13]])
    assert np.array_equal(padded[1, :13], bert(tokens[1:, :13])[0])
    assert np.array_equal(padded[0], bert(tokens[0]))


def test_every_product_is_fastlas(monkeypatch, rng):
    def refuse(*args, **kwargs):
        raise AssertionError("a product of NumPy's")

    for name in ("matmul", "dot", "vdot", "inner", "outer", "tensordot", "einsum"):
        monkeypatch.setattr(np, name, refuse)
    tokens = rng.integers(0, 29, (2, 9))
    for config in (small_models.GPT2, small_models.LLAMA, small_models.BERT):
        small_models.made(config).loss_and_gradients(tokens, tokens)
    small_models.made(small_models.GPT2).generate([1, 2], 3, temperature=1, top_k=5, rng=0)


def test_interleaved_is_the_other_layout(rng):
    """A permutation of each head's elements turns one convention into the other."""
    frequencies, x = nn.rotary_frequencies(8), rng.standard_normal((1, 5, 16))
    halves = nn.MultiHeadAttention(16, 2, frequencies=frequencies, rng=0, dtype=np.float64)
    pairs = nn.MultiHeadAttention(16, 2, frequencies=frequencies, interleaved=True, rng=0, dtype=np.float64)
    weight = halves.parameters["qkv.weight"].reshape(3, 2, 2, 4, 16).swapaxes(2, 3).reshape(3, 16, 16)
    weight[2] = halves.parameters["qkv.weight"][32:]
    pairs.parameters["qkv.weight"][...] = weight.reshape(48, 16)
    assert np.abs(pairs(x) - halves(x)).max() < 1e-14
