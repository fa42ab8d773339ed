"""Every product of a network is fastla's: those of NumPy, SciPy and PyTorch raise, the core counts."""

import ast
import importlib.util
import pathlib

import numpy as np
import pytest
import small_models

import fastla
from fastla import nn

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
NUMPYS = ("matmul", "dot", "einsum", "tensordot", "inner", "outer", "vdot", "vecdot", "matvec", "vecmat",
          "kron", "convolve", "correlate", "cov", "corrcoef")
# Factorisations are not among them.
LINALGS = ("matmul", "tensordot", "outer", "vecdot", "multi_dot", "matrix_power", "norm")
SCIPYS = ("kron", "khatri_rao", "matmul_toeplitz", "norm")
TORCHS = ("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger", "einsum", "tensordot", "addmm",
          "addmv", "addbmm", "baddbmm", "addr", "chain_matmul", "kron")
TORCH_FUNCTIONALS = ("linear", "bilinear", "scaled_dot_product_attention", "multi_head_attention_forward")


def raiser(name):
    def call(*_, **__):
        raise AssertionError(f"{name} was called")
    return call


def places():
    """(module, names) of other libraries' products, of those that are there."""
    yield np, NUMPYS
    yield np.linalg, LINALGS
    try:
        import scipy.linalg
        import scipy.linalg.blas as blas
    except ImportError:
        pass
    else:
        yield scipy.linalg, SCIPYS
        yield blas, [name for name in dir(blas) if not name.startswith("_") and callable(getattr(blas, name))]
    try:
        import torch
    except ImportError:
        pass
    else:
        yield torch, TORCHS
        yield torch.Tensor, [*TORCHS, "__matmul__", "__rmatmul__"]
        yield torch.nn.functional, TORCH_FUNCTIONALS


@pytest.fixture
def no_other_product(monkeypatch):
    for module, names in places():
        for name in names:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, raiser(name))


class Counts:
    """What the core was called for while a block ran. `products`: of matrices, `all` with rows and stacks."""

    def __enter__(self):
        self._before = fastla.call_counts()
        return self

    def __exit__(self, *_):
        risen = {kind: count - self._before[kind] for kind, count in fastla.call_counts().items()}
        self.products = risen["gemm"]  # sums over rows, of biases and norms, are not among them
        self.all = self.products + risen["gemv"] + risen["gemm_batched"]
        self.attention, self.backward = risen["attention"], risen["attention_backward"]


def test_the_raisers_are_in_place(no_other_product):
    for module, names in places():
        for name in names:
            if hasattr(module, name):
                with pytest.raises(AssertionError, match=f"{name} was called"):
                    getattr(module, name)()


@pytest.mark.usefixtures("no_other_product")
def test_a_training_step():
    rng = np.random.default_rng(0)
    table = nn.Embedding(20, 8, rng=rng)
    model = nn.Sequential(table, nn.RMSNorm(8), nn.MLP((8, 16, 8), "gelu", rng=rng), nn.LayerNorm(8),
                          nn.Unembedding(table))
    tokens = rng.integers(0, 20, (30, 7))
    with Counts() as counts:
        history = nn.fit(model, tokens, tokens, optimizer=nn.AdamW(0.01), epochs=3, batch_size=8, clip=1.0,
                         rng=rng, validation=(tokens, tokens), progress=False)
    assert history.loss[-1] < history.loss[0]
    assert counts.products >= 3 * (4 * 3 * 3 + 3)  # steps of three products and their gradients; validation
    x, y = rng.standard_normal((2, 30, 4))
    other = nn.MLP((4, 5, 4), "tanh", rng=rng)
    with Counts() as counts:
        nn.fit(other, x, y, loss="mse", optimizer=nn.SGD(0.1, momentum=0.9), epochs=1, progress=False)
    assert counts.products >= 5
    lora = rng.standard_normal((2, 4)), rng.standard_normal((5, 2)), 0.5
    weights = other.parameters["0.weight"]
    with Counts() as counts:
        nn.linear_backward(nn.linear(x, nn.merge_lora(weights, lora), lora=lora), x, weights, lora=lora)
    # B A; x with A, B and the weights; gradients of x by B, A and the weights, of the weights, of A and B.
    assert counts.products >= 1 + 3 + 6


def forward_products(model):
    """Projections as one, the layer after attention, those of the MLP; the head's and the scores."""
    if isinstance(model, nn.Bert):
        return 4 * len(model.blocks) + 2
    return (5 if isinstance(model, nn.Llama) else 4) * len(model.blocks) + 1


def backward_products(model, sequences):
    """Two for each, and five for each head of the queries."""
    return 2 * forward_products(model) + 5 * len(model.blocks) * model.blocks[0].attention.heads * sequences


CONFIGS = {"gpt2": small_models.GPT2, "bert": small_models.BERT, "llama": small_models.LLAMA}


@pytest.fixture(params=CONFIGS)
def model(request):
    return small_models.made(CONFIGS[request.param], scale=0.1)


@pytest.fixture(params=["gpt2", "llama"])
def decoder(request):
    return small_models.made(CONFIGS[request.param], scale=0.1)


@pytest.mark.usefixtures("no_other_product")
def test_forward_and_backward(model, rng):
    tokens, targets = rng.integers(0, 29, (2, 3, 11))
    blocks = len(model.blocks)
    with Counts() as counts:
        model(tokens)
    assert counts.products >= forward_products(model) and counts.attention >= blocks
    with Counts() as counts:
        model.loss_and_gradients(tokens, targets)
    assert counts.products >= forward_products(model) + backward_products(model, 3)
    assert counts.attention >= blocks and counts.backward >= blocks
    if isinstance(model, nn.Bert):
        with Counts() as counts:
            model.encode(tokens, mask=tokens > 0)
        assert counts.products >= 4 * blocks + 1 and counts.attention >= blocks


@pytest.mark.usefixtures("no_other_product")
def test_fit(model, rng):
    tokens, targets = rng.integers(0, 29, (2, 6, 9))
    with Counts() as counts:
        history = nn.fit(model, tokens, targets, loss=lambda m, x, y: m.loss_and_gradients(x, y),
                         optimizer=nn.AdamW(0.01), epochs=4, batch_size=4, clip=1.0, rng=0, progress=False)
    assert history.loss[-1] < history.loss[0]
    each = forward_products(model)
    assert counts.products >= 4 * (2 * each + backward_products(model, 4) + backward_products(model, 2))
    assert counts.backward >= 4 * 2 * len(model.blocks)


@pytest.mark.parametrize("page_size", [None, 4])
@pytest.mark.usefixtures("no_other_product")
def test_generate(decoder, page_size):
    for prompt in ([1, 2, 3], [[1, 2, 3], [4]]):
        with Counts() as counts:
            decoder.generate(prompt, 6, page_size=page_size, temperature=0.8, top_k=5, top_p=0.9, rng=0)
        assert counts.all >= 6 * forward_products(decoder)
        assert counts.attention >= 6 * len(decoder.blocks)
    cache = decoder.cache(1, page_size=page_size)
    assert isinstance(cache[0], nn.KVCache if page_size is None else nn.PagedKVCache)
    with Counts() as counts:
        decoder([[1, 2, 3]], cache)
        decoder([[4]], cache)
    assert counts.all >= 2 * forward_products(decoder)


@pytest.mark.usefixtures("no_other_product")
def test_attention(rng):
    q, k, v, dy = rng.standard_normal((4, 2, 3, 10, 8))
    layer = nn.MultiHeadAttention(24, 3, causal=True, frequencies=nn.rotary_frequencies(8), rng=0)
    x = rng.standard_normal((2, 10, 24)).astype(np.float32)
    with Counts() as counts:
        y, saved = layer.forward(x)
    assert counts.products >= 2 and counts.attention >= 1
    with Counts() as counts:
        layer.backward(y, saved)
    assert counts.products >= 4 + 5 * 2 * 3 and counts.backward >= 1
    with Counts() as counts:
        nn.scaled_dot_product_attention(q, k, v, is_causal=True)
        nn.attention(q, k, v, window=(3, 0), softcap=2.0, alibi=[0.1, 0.2, 0.3])
        out, lse = nn.attention(q, k, v, bias=dy[..., :1], return_lse=True)
    assert counts.attention >= 3
    with Counts() as counts:
        nn.attention_backward(dy, q, k, v, out, lse, bias=dy[..., :1])
    assert counts.backward >= 1 and counts.products >= 5 * 2 * 3


@pytest.mark.usefixtures("no_other_product")
def test_similarity(rng):
    x, table = rng.standard_normal((4, 8)), rng.standard_normal((9, 8))
    for call in (lambda: nn.cosine_similarity(x, table), lambda: nn.most_similar(x, table, 3)):
        with Counts() as counts:
            call()
        assert counts.all >= 3  # and the lengths of both


def example(name):
    path = EXAMPLES / f"{name}.py"
    if not path.exists():
        pytest.skip("needs the source tree")
    nodes = ast.walk(ast.parse(path.read_text()))
    assert not any(isinstance(getattr(node, "op", None), ast.MatMult) for node in nodes), "@"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("no_other_product")
def test_example_of_images(rng):
    mnist = example("mnist")
    x, y = rng.random((70, 784), np.float32), np.arange(70) % 10
    with Counts() as counts:
        mnist.train(mnist.Split(x, y, x[:9], y[:9]), 0, epochs=2, batch_size=32)
    assert counts.products >= 2 * 3 * fastla.flops.mlp((784, *mnist.HIDDEN, 10), training=True).products


@pytest.mark.usefixtures("no_other_product")
def test_example_of_letters(rng):
    charlm = example("charlm")
    config = nn.LlamaConfig(vocab_size=30, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                            num_attention_heads=2, max_position_embeddings=charlm.WINDOW,
                            tie_word_embeddings=True)
    model, letters = nn.Llama(config, rng=0), rng.integers(0, 30, 2000)
    with Counts() as counts:
        charlm.train(model, letters, steps=3, batch=2, rate=1e-3, rng=rng)
    assert counts.products >= 3 * (forward_products(model) + backward_products(model, 2))
    with Counts() as counts:
        charlm.model_bits(model, letters[:300])
    assert counts.products >= 4 * forward_products(model)
