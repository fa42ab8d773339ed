"""Layers: gradients, the theory of chains of matrices, bits."""

import types

import gradients
import ml_dtypes
import numpy as np
import pytest

import fastla
from fastla import nn

ACTIVATIONS = [None, "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_linear(rng, activation, bias):
    layer = nn.Linear(4, 3, activation=activation, bias=bias, rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 5, 4))
    gradients.check_layer(layer, x, rng)
    assert np.array_equal(layer(x), layer.forward(x)[0])
    y, saved = layer.forward(x)
    assert layer.backward(y, saved, inputs=False)[0] is None


@pytest.mark.parametrize("layer", [nn.LayerNorm(6, dtype=float), nn.LayerNorm(6, bias=False, dtype=float),
                                   nn.RMSNorm(6, dtype=float)], ids=["layer", "no bias", "rms"])
def test_norms(rng, layer):
    layer.parameters["weight"][...] = rng.standard_normal(6)
    gradients.check_layer(layer, rng.standard_normal((3, 6)), rng)


def test_a_deep_network(rng):
    model = nn.MLP((4, 5, 6, 3), ("tanh", "gelu"), "sigmoid", rng=rng, dtype=np.float64)
    assert [layer.activation for layer in model.layers] == ["tanh", "gelu", "sigmoid"]
    x = rng.standard_normal((7, 4))
    gradients.check_layer(model, x, rng)
    assert np.array_equal(model(x), model.forward(x)[0])
    gradients.check_layer(nn.Sequential(nn.LayerNorm(4, dtype=float), model), x, rng)
    gradients.check_layer(nn.MLP((4, 2), rng=rng, dtype=float), x, rng)


@pytest.mark.parametrize("loss", [
    (nn.cross_entropy, nn.cross_entropy_backward, lambda rng: rng.integers(0, 3, 7)),
    (nn.mse, nn.mse_backward, lambda rng: rng.standard_normal((7, 3)))], ids=["cross entropy", "mse"])
def test_losses_through_a_network(rng, loss):
    forward, backward, targets = loss
    model = nn.MLP((4, 5, 3), "tanh", rng=rng, dtype=np.float64)
    x, y = rng.standard_normal((7, 4)), targets(rng)
    z, saved = model.forward(x)
    _, found = model.backward(backward(z, y), saved, inputs=False)
    for name, p in model.parameters.items():
        want = gradients.numeric(lambda: float(forward(model(x), y)), p)
        np.testing.assert_allclose(found[name], want, err_msg=name, **gradients.TOLERANCE)


def test_without_activations_one_matrix_does_the_same(rng):
    model = nn.MLP((9, 8, 7, 6), None, bias=False, rng=rng, dtype=np.float64)
    first, second, third = (model.parameters[f"{i}.weight"] for i in range(3))
    x = rng.standard_normal((5, 9))
    one = fastla.multi_dot([third, second, first])
    assert one.shape == (6, 9)
    np.testing.assert_allclose(model(x), nn.linear(x, one), rtol=1e-12, atol=1e-13)


XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


@pytest.mark.parametrize(("activation", "right"), [(None, False), ("relu", True)])
def test_xor_needs_a_nonlinearity(activation, right):
    """A linear map of the corners of a square gets three of four right at best."""
    model = nn.MLP((2, 8, 2), activation, rng=1)
    nn.fit(model, *XOR, optimizer=nn.Adam(0.05), epochs=300, rng=0, progress=False)
    assert nn.score(model, *XOR) == 1 if right else nn.score(model, *XOR) <= 0.75
    assert (nn.cross_entropy(model(XOR[0]), XOR[1]) < 0.05) == right


def test_the_courses_network():
    model = nn.MLP((784, 256, 128, 64, 10), rng=0)
    sizes = {name: x.size for name, x in model.parameters.items()}
    assert sum(n for name, n in sizes.items() if name.endswith("weight")) == 242_304
    assert sum(sizes.values()) == 242_762
    assert all(x.dtype == np.float32 for x in model.parameters.values())


def test_a_training_step_takes_eleven_products(monkeypatch):
    made = []
    core = nn._linear._core

    def counted(name):
        def call(*args, **options):
            made.append(name)
            return getattr(core, name)(*args, **options)
        return call

    spies = {name: counted(name) for name in ("linear", "gemm", "matmul")}
    monkeypatch.setattr(nn._linear, "_core", types.SimpleNamespace(PackedMatrix=core.PackedMatrix, **spies))
    model = nn.MLP((20, 16, 12, 8, 4), rng=0)
    z, saved = model.forward(np.ones((3, 20), np.float32))
    model.backward(z, saved, inputs=False)
    # 4 forward, 4 for the weights, 3 between; and sums for 4 biases.
    assert len(made) == 11 + 4


def test_rows_do_not_depend_on_their_batch(rng):
    model = nn.Sequential(nn.MLP((30, 40, 20), "gelu", rng=rng), nn.LayerNorm(20), nn.RMSNorm(20))
    x = rng.standard_normal((50, 30), dtype=np.float32)
    y = model(x)
    for row in (0, 7, 49):
        assert np.array_equal(model(x[row]), y[row])
        assert np.array_equal(model(x[row : row + 1]), y[row : row + 1])
    assert np.array_equal(model(x.reshape(5, 10, 30)), y.reshape(5, 10, 20))


def test_threads_do_not_change_bits(rng):
    model = nn.MLP((300, 200, 100), "silu", rng=rng)
    x, y = rng.standard_normal((256, 300), dtype=np.float32), rng.integers(0, 100, 256)

    def step():
        z, saved = model.forward(x)
        return [z, *model.backward(nn.cross_entropy_backward(z, y), saved)[1].values()]

    with fastla.threads(1):
        want = step()
    for threads in (2, 3, 8):
        with fastla.threads(threads):
            assert all(np.array_equal(a, b) for a, b in zip(step(), want, strict=True))


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_sixteen_bits_with_wide_weights(rng, half):
    first = nn.Linear(6, 5, activation="gelu", rng=rng)
    model = nn.Sequential(first, nn.LayerNorm(5), nn.Linear(5, 3, rng=rng))
    x = rng.standard_normal((4, 6)).astype(half)
    y, saved = model.forward(x)
    dx, found = model.backward(np.ones_like(y), saved)
    assert y.dtype == dx.dtype == half
    assert all(g.dtype == np.float32 for g in found.values())


def test_inputs_take_the_layers_dtype(rng):
    layer = nn.Linear(3, 2, rng=rng)
    for x in (np.ones((4, 3)), np.ones((4, 3), int), [[1, 1, 1]] * 4, np.ones((4, 3), bool)):
        assert layer(x).dtype == np.float32


def test_initial_weights():
    he = nn.he_normal((400, 100), rng=0)
    assert he.dtype == np.float32
    assert abs(he.std() - np.sqrt(2 / 100)) < 0.002  # 4e4 numbers: s.d. of the estimate 0.0005
    assert abs(nn.xavier_normal((400, 100), rng=0).std() - np.sqrt(2 / 500)) < 0.002
    assert np.array_equal(he, nn.he_normal((400, 100), rng=0, dtype=float).astype(np.float32))
    model = nn.MLP((100, 400, 300), rng=0)
    assert abs(model.parameters["0.weight"].std() - np.sqrt(2 / 100)) < 0.002
    assert abs(model.parameters["1.weight"].std() - np.sqrt(2 / 700)) < 0.002
    again = nn.MLP((100, 400, 300), rng=0)
    assert all(np.array_equal(x, again.parameters[name]) for name, x in model.parameters.items())


def test_errors_quote_what_is_wrong():
    with pytest.raises(ValueError, match="gelo"):
        nn.Linear(2, 3, activation="gelo")
    with pytest.raises(ValueError, match=r"\(5,\)"):
        nn.MLP((5,))
    with pytest.raises(ValueError, match=r"\('relu',\).*\(4, 3, 2, 1\) need 2"):
        nn.MLP((4, 3, 2, 1), ("relu",))
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(2, 5\)"):
        nn.Linear(5, 2)(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"\(1, 2, 3\)"):
        nn.he_normal((1, 2, 3))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        nn.mse(np.ones((2, 4)), np.ones((2, 3)))


def test_mse(rng):
    a, b = rng.standard_normal((2, 30, 7))
    np.testing.assert_allclose(nn.mse(a, b), ((a - b) ** 2).mean(), rtol=1e-13)
    assert nn.mse(a.astype(np.float16), b).dtype == np.float32
    assert np.isnan(nn.mse(np.ones((0, 3)), np.ones((0, 3))))
