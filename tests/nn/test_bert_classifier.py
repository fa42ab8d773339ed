"""Classifiers on Bert: gradients through the pooler, fine-tuning, and the same in PyTorch."""

import dataclasses

import central
import numpy as np
import pytest
import small_models

from fastla import nn

F8 = np.float64
CONFIG = nn.BertConfig(vocab_size=13, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                       intermediate_size=12, max_position_embeddings=9)


def classifier(bert, rng=1, dtype=np.float32, p=0.1):
    size = bert.config.hidden_size
    return nn.Sequential(bert.encoder(pad=0), bert.pooler, nn.Dropout(p),
                         nn.Linear(size, 3, rng=rng, dtype=dtype))


def sentences(count, length, words, seed=0):
    """Tokens, ended by padding of unlike lengths, and the class: which of three words is in it."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(5, words, (count, length))
    classes = rng.integers(0, 3, count)
    tokens[:, 0] = 1
    tokens[np.arange(count), rng.integers(1, 4, count)] = 2 + classes
    tokens[np.arange(length) >= rng.integers(5, length + 1, count)[:, None]] = 0
    return tokens, classes


@pytest.mark.parametrize("p", [0.0, 0.2])
def test_gradients(p, rng):
    config = dataclasses.replace(CONFIG, hidden_dropout_prob=p, attention_probs_dropout_prob=p)
    bert = nn.Bert(config, rng=0, dtype=F8)
    model = classifier(bert, dtype=F8, p=p)
    central.spread(model.parameters, rng)
    tokens, classes = sentences(4, 7, 13)
    z, saved = model.forward(tokens, rng=3)
    dx, grads = model.backward(nn.cross_entropy_backward(z, classes), saved)
    assert dx is None
    central.check(lambda: float(nn.cross_entropy(model.forward(tokens, rng=3)[0], classes)), model.parameters,
                  grads, rng)


def test_it_is_the_pooled_vector_of_encode():
    bert = small_models.made(small_models.BERT)
    tokens, _ = sentences(5, 8, 29)
    pooled = bert.encode(tokens, mask=tokens != 0)[1]
    model = classifier(bert)
    assert np.array_equal(model(tokens), model.layers[-1](pooled))
    assert np.array_equal(model.forward(tokens)[0], model(tokens))
    for i in range(5):
        row = tokens[i, : np.count_nonzero(tokens[i])]
        assert np.array_equal(model(row[np.newaxis])[0], model(tokens)[i])
    assert model.layers[1].backward(pooled, model.layers[1].forward(bert.forward(tokens)[0])[1],
                                    inputs=False)[0] is None


def test_fine_tuned():
    bert = nn.Bert(dataclasses.replace(small_models.BERT, head=False), rng=0)
    model = classifier(bert)
    x, y = sentences(240, 8, 29)
    history = nn.fit(model, x[:200], y[:200], optimizer=nn.AdamW(nn.cosine_schedule(5e-3, 260, warmup=20)),
                     epochs=20, batch_size=16, clip=1.0, rng=2, validation=(x[200:], y[200:]), progress=False)
    assert history.validation_score[-1] == nn.score(model, x[200:], y[200:]) > 0.95
    assert nn.score(model, x[:200], y[:200]) > 0.95
    assert all(np.isfinite(p).all() for p in bert.parameters.values())


def test_a_head_and_a_pooler_of_one_model():
    """What takes no part in a loss has no gradient, and stays as it is."""
    bert = small_models.made(small_models.BERT)
    model, (x, y) = classifier(bert), sentences(8, 8, 29)
    before = {name: p.copy() for name, p in model.parameters.items()}
    nn.fit(model, x, y, optimizer=nn.AdamW(1e-2, weight_decay=0.1), epochs=1, rng=0, progress=False)
    same = {name for name, p in model.parameters.items() if np.array_equal(p, before[name])}
    assert same == {name for name in model.parameters if name.startswith("0.head.")}


def test_no_gradients_of_what_was_not_kept():
    bert, gpt2 = small_models.made(small_models.BERT), small_models.made(small_models.GPT2)
    h, saved = bert.forward([[1, 2]], keep=False)
    with pytest.raises(ValueError, match="Bert: no gradients of a pass with keep=False"):
        bert.backward(h, saved)
    h, saved = gpt2.hidden([[1, 2]])
    with pytest.raises(ValueError, match="GPT2: no gradients of a pass with keep=False"):
        gpt2.hidden_backward(h, saved)


@pytest.mark.parametrize("config", [small_models.GPT2, small_models.LLAMA], ids=["gpt2", "llama"])
def test_gradients_from_vectors_of_a_decoder(config, rng):
    """Of a head of one's own on what `hidden` gives."""
    model, tokens = small_models.made(config, dtype=F8), rng.integers(0, 29, (2, 6))
    h, saved = model.hidden(tokens, keep=True)
    weights = rng.standard_normal(h.shape)
    grads = model.hidden_backward(weights, saved)
    central.check(lambda: float((model.hidden(tokens)[0] * weights).sum()),
                  {n: p for n, p in model.parameters.items() if n != "output.weight"}, grads, rng,
                  tolerance=1e-7)


def test_as_in_pytorch():
    """The same losses and gradients as of PyTorch's own layers, with Bert's parameters, in float64."""
    torch = pytest.importorskip("torch", reason="needs PyTorch", exc_type=ImportError)
    bert = small_models.made(dataclasses.replace(small_models.BERT, head=False), dtype=F8)
    model, (x, y) = classifier(bert, dtype=F8), sentences(6, 8, 29)
    p = {name: torch.from_numpy(a.copy()).requires_grad_() for name, a in model.parameters.items()}
    tokens, size = torch.from_numpy(x), bert.config.hidden_size
    layer = torch.nn.TransformerEncoderLayer(size, 3, 40, 0.0, "gelu", 1e-12, batch_first=True,
                                             dtype=torch.float64)
    names = {"self_attn.in_proj_": "attention.qkv.", "self_attn.out_proj.": "attention.out.",
             "linear1.": "mlp.up.", "linear2.": "mlp.down.", "norm1.": "norm1.", "norm2.": "norm2."}
    h = p["0.embedding.weight"][tokens] + p["0.positions.weight"][:8] + p["0.types.weight"][0]
    h = torch.nn.functional.layer_norm(h, (size,), p["0.norm.weight"], p["0.norm.bias"], 1e-12)
    for i in range(2):
        given = {f"{theirs}{what}": p[f"0.blocks.{i}.{ours}{what}"]
                 for theirs, ours in names.items() for what in ("weight", "bias")}
        h = torch.func.functional_call(layer, given, (h,), {"src_key_padding_mask": tokens == 0})
    pooled = torch.tanh(h[:, 0] @ p["0.pooler.weight"].T + p["0.pooler.bias"])
    loss = torch.nn.functional.cross_entropy(pooled @ p["3.weight"].T + p["3.bias"], torch.from_numpy(y))
    loss.backward()
    z, saved = model.forward(x)
    assert abs(float(nn.cross_entropy(z, y)) - loss.item()) < 1e-12
    _, grads = model.backward(nn.cross_entropy_backward(z, y), saved)
    assert grads.keys() == p.keys()
    for name, g in grads.items():
        want = p[name].grad.numpy()
        assert np.abs(g - want).max() <= 1e-11 * max(np.abs(want).max(), 1e-3), name
