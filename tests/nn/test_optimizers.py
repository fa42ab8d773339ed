"""Optimizers against their formulas and PyTorch's, schedules, clipping."""

import math

import numpy as np
import pytest

from fastla import nn

OPTIMIZERS = {
    "sgd": (nn.SGD, {}, "SGD"),
    "sgd decay": (nn.SGD, {"weight_decay": 0.1}, "SGD"),
    "momentum": (nn.SGD, {"momentum": 0.9, "weight_decay": 0.1}, "SGD"),
    "nesterov": (nn.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, "SGD"),
    "adam": (nn.Adam, {}, "Adam"),
    "adam decay": (nn.Adam, {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}, "Adam"),
    "adamw": (nn.AdamW, {"betas": (0.8, 0.95), "weight_decay": 0.3}, "AdamW"),
}
SHAPES = {"matrix": (300, 70), "bias": (70,), "scalar": (), "empty": (0, 3), "wide": (1, 20_000)}
STEPS = 7


def formula(kind, p, gradients, rate, momentum=0.0, nesterov=False, weight_decay=0.0, betas=(0.9, 0.999),
            eps=1e-8):
    """As papers and torch.optim's documentation have them, out of place."""
    velocity = mean = square = np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        if kind == "AdamW":
            p = p - rate * weight_decay * p
        else:
            g = g + weight_decay * p
        if kind == "SGD":
            velocity = momentum * velocity + g
            p = p - rate * (g + momentum * velocity if nesterov else velocity)
        else:
            mean = betas[0] * mean + (1 - betas[0]) * g
            square = betas[1] * square + (1 - betas[1]) * g**2
            p = p - rate * (mean / (1 - betas[0]**t)) / (np.sqrt(square / (1 - betas[1]**t)) + eps)
    return p


@pytest.fixture(params=OPTIMIZERS)
def case(request):
    return OPTIMIZERS[request.param]


def problem(rng, dtype):
    parameters = {name: rng.standard_normal(s).astype(dtype) for name, s in SHAPES.items()}
    parameters = {name: np.array(x) for name, x in parameters.items()}
    steps = [{name: np.array(rng.standard_normal(s).astype(dtype)) for name, s in SHAPES.items()}
             for _ in range(STEPS)]
    return parameters, steps


def test_formulas(rng, case):
    optimizer, options, kind = case
    parameters, steps = problem(rng, np.float64)
    want = {name: formula(kind, p, [s[name] for s in steps], 0.05, **options)
            for name, p in parameters.items()}
    made = optimizer(0.05, **options)
    arrays = dict(parameters)
    for gradients in steps:
        made.step(parameters, gradients)
    assert made.steps == STEPS
    for name, p in parameters.items():
        assert p is arrays[name]  # in place
        np.testing.assert_allclose(p, want[name], rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_pytorch(rng, case, dtype):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    optimizer, options, kind = case
    parameters, steps = problem(rng, dtype)
    theirs = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in parameters.items()}
    there = getattr(torch.optim, kind)(theirs.values(), lr=0.05, **options)
    here = optimizer(0.05, **options)
    for gradients in steps:
        here.step(parameters, gradients)
        for name, g in gradients.items():
            theirs[name].grad = torch.tensor(g)
        there.step()
    # Each of the steps rounds about a dozen times, in another order.
    unit = 12 * STEPS * np.finfo(dtype).eps
    for name, p in parameters.items():
        np.testing.assert_allclose(p, theirs[name].detach().numpy(), rtol=unit, atol=unit, err_msg=name)


def test_layouts_and_pieces_change_no_bit(rng, case):
    optimizer, options, _ = case
    p, steps = rng.standard_normal((130, 300), dtype=np.float32), rng.standard_normal((3, 130, 300))
    steps = steps.astype(np.float32)
    plain, turned = {"p": p.copy()}, {"p": np.asfortranarray(p)}
    parts = {f"{i}": p[i].copy() for i in range(130)}
    sparse = {"p": np.zeros((130, 600), np.float32)[:, ::2]}
    sparse["p"][...] = p
    made = [optimizer(0.05, **options) for _ in range(4)]
    for g in steps:
        made[0].step(plain, {"p": g})
        made[1].step(turned, {"p": np.asfortranarray(g)})
        made[2].step(parts, {f"{i}": g[i] for i in range(130)})
        made[3].step(sparse, {"p": g})
    assert np.array_equal(turned["p"], plain["p"])
    assert np.array_equal(sparse["p"], plain["p"])
    assert np.array_equal(np.stack([parts[f"{i}"] for i in range(130)]), plain["p"])


def test_gradients_are_left_alone(rng, case):
    optimizer, options, _ = case
    parameters, steps = problem(rng, np.float32)
    copies = {name: g.copy() for name, g in steps[0].items()}
    optimizer(0.05, **options).step(parameters, steps[0])
    assert all(np.array_equal(g, copies[name]) for name, g in steps[0].items())


def test_state_goes_on_where_it_was(rng, case):
    optimizer, options, _ = case
    parameters, steps = problem(rng, np.float32)
    other = {name: p.copy() for name, p in parameters.items()}
    whole, first, second = (optimizer(0.05, **options) for _ in range(3))
    for gradients in steps:
        whole.step(parameters, gradients)
    for gradients in steps[:3]:
        first.step(other, gradients)
    kept = first.state_dict()
    assert all(isinstance(x, np.ndarray) for x in kept.values())
    second.load_state_dict(kept)
    first.step({name: p.copy() for name, p in other.items()}, steps[5])  # what was loaded is a copy
    for gradients in steps[3:]:
        second.step(other, gradients)
    assert all(np.array_equal(p, other[name]) for name, p in parameters.items())


def test_parameters_without_gradients_stay(rng):
    parameters = {"a": np.ones(3), "b": np.ones(3)}
    nn.AdamW(0.1).step(parameters, {"a": np.ones(3)})
    assert (parameters["a"] != 1).all()
    assert (parameters["b"] == 1).all()


def test_a_rate_that_is_a_function():
    p = {"w": np.array([0.0])}
    optimizer = nn.SGD(nn.step_schedule(8.0, 2, 0.5))
    seen = []
    for _ in range(5):
        before = p["w"].copy()
        optimizer.step(p, {"w": np.array([-1.0])})
        seen.append(float((p["w"] - before)[0]))
    assert seen == [8, 8, 4, 4, 2]
    optimizer.step(p, {"w": np.array([-1.0])}, 100.0)
    assert p["w"] == [26 + 100]


def test_schedules():
    assert [nn.constant_schedule(0.3)(i) for i in (0, 10)] == [0.3, 0.3]
    cosine = nn.cosine_schedule(2.0, 20, warmup=4, final=0.5)
    assert [cosine(i) for i in range(4)] == [0.5, 1.0, 1.5, 2.0]
    for i in range(4, 21):
        want = 0.5 + 1.5 * (1 + math.cos(math.pi * (i - 4) / 16)) / 2
        assert cosine(i) == pytest.approx(want, rel=1e-12)
    assert cosine(20) == cosine(1000) == 0.5
    line = nn.linear_schedule(1.0, 10, warmup=2)
    assert [line(i) for i in (0, 1, 2, 6, 10, 11)] == [0.5, 1, 1, 0.5, 0, 0]


@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping(rng, limit):
    gradients = {name: np.array(rng.standard_normal(s)) for name, s in SHAPES.items()}
    before = {name: g.copy() for name, g in gradients.items()}
    want = math.sqrt(sum((g**2).sum() for g in gradients.values()))
    norm = nn.clip_by_global_norm(gradients, limit)
    assert norm == pytest.approx(want, rel=1e-12)
    factor = min(1, limit / (want + 1e-6))
    for name, g in gradients.items():
        np.testing.assert_allclose(g, factor * before[name], rtol=1e-12)


def test_errors_quote_what_is_wrong():
    with pytest.raises(ValueError, match=r"w is \(2,\), its gradient \(3,\)"):
        nn.SGD(0.1).step({"w": np.ones(2)}, {"w": np.ones(3)})
    with pytest.raises(ValueError, match=r"v has a gradient, \(3,\)"):
        nn.SGD(0.1).step({"w": np.ones(2)}, {"v": np.ones(3)})
    with pytest.raises(TypeError, match="w is float16"):
        nn.SGD(0.1).step({"w": np.ones(2, np.float16)}, {"w": np.ones(2)})
    half = {"steps": np.array(0), "mean.w": np.ones(2)}
    for make, what in [(lambda: nn.SGD(-1), "learning_rate is -1"),
                       (lambda: nn.SGD(1, momentum=1), "momentum is 1"),
                       (lambda: nn.SGD(1, nesterov=True), "nesterov"),
                       (lambda: nn.Adam(betas=(1, 0)), "betas"),
                       (lambda: nn.AdamW(weight_decay=-1), "AdamW: weight_decay is -1"),
                       (lambda: nn.Adam(eps=-1), "eps is -1"), (lambda: nn.step_schedule(1, 0), "every is 0"),
                       (lambda: nn.cosine_schedule(1, 5, warmup=5), "warmup is 5, steps are 5"),
                       (lambda: nn.clip_by_global_norm({}, 0), "limit is 0"),
                       (lambda: nn.SGD(1).load_state_dict(half), "mean.w"),
                       (lambda: nn.Adam().load_state_dict(half), "of w")]:
        with pytest.raises(ValueError, match=what):
            make()
    adam = nn.Adam()
    adam.step({"w": np.ones(2)}, {"w": np.ones(2)})
    with pytest.raises(ValueError, match=r"w is \(3,\), its state \(2,\)"):
        adam.step({"w": np.ones(3)}, {"w": np.ones(3)})
    assert adam.steps == 1
