"""Every step after the product: order, roundings, aliasing with out, edges of tiles."""

import functools
import itertools

import numpy as np
import oracle
import pytest
import shapes
from shapes import Guarded, assert_same_bits, poisoned, random_matrix

import fastla
from fastla import _core

ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")


def steps_for(rng, m, n, dtype):
    """One value for every step; scales and biases in NaN-filled surroundings."""
    def vector(size):
        return poisoned(random_matrix(rng, (size,), dtype))

    def matrix():
        return poisoned(random_matrix(rng, (m, n), dtype))

    return {
        "alpha": 1.7, "row_scale": vector(m), "col_scale": vector(n), "beta": -0.3, "c": matrix(),
        "bias": vector(n), "row_bias": vector(m), "activation": "gelu", "gate": matrix(),
        "residual": matrix(),
    }


def subsets(steps):
    """Each step alone, each left out, all of them; beta and c are one step."""
    names = [name for name in steps if name != "beta"]
    chosen = [(name,) for name in names]
    chosen += [tuple(x for x in names if x != name) for name in names] + [tuple(names)]
    for keys in chosen:
        keys = ("beta", *keys) if "c" in keys else keys
        yield {key: steps[key] for key in keys}


def edge_shapes(row):
    return [(1, 1), (1, row.nr + 1), (row.mr + 1, 1), (row.mr, row.nr),
            (row.mr - 1, row.nr - 1), (2 * row.mr + 3, 2 * row.nr + 3)]


def expected(y, *, activation=None, gate=None, residual=None, **before):
    """The oracle's epilogue, but for the activation, which tests/test_functions.py holds to its own
    (slow) oracle."""
    y = oracle.epilogue(y, **before)
    if activation is not None:
        with np.errstate(all="ignore"):
            y = _core.activate(activation, y)
    return oracle.epilogue(y, gate=gate, residual=residual)


@functools.lru_cache(maxsize=64)
def every_step(m, n, dtype):
    """(k, a, b, steps, expected) for every subset of steps and K in no, one and two blocks."""
    steps = steps_for(np.random.default_rng([11, m, n]), m, n, dtype)
    a, b, found = shapes.case(m, n, (0, 7, oracle.kb(dtype) + 3), dtype, seed=1)
    return [(a[:, :k], b[:k], chosen, expected(found[k], **chosen))
            for k, chosen in itertools.product(found, subsets(steps))]


def test_every_step_alone_and_together(isa, dtype, path):
    for m, n in edge_shapes(shapes.row_of(isa, dtype)):
        for a, b, steps, want in every_step(m, n, dtype):
            out = Guarded((m, n), dtype)
            got = fastla.gemm(a, b, out=out.out, **steps)
            assert got is out.out
            context = f"{m}x{n}x{a.shape[1]} {sorted(steps)}"
            assert_same_bits(got, want, context)
            out.check(context)


def test_threads_give_the_same_epilogue(isa, dtype, threads):
    rng = np.random.default_rng(12)
    m, n, k = 130, 150, oracle.kb(dtype) + 40
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    steps = steps_for(rng, m, n, dtype)
    got = fastla.gemm(a, b, num_threads=threads, **steps)
    y = fastla.matmul(a, b, num_threads=1)
    for i in (0, 77, 129):
        one_row = {key: x[i:i + 1] if isinstance(x, np.ndarray) and len(x) == m else x
                   for key, x in steps.items()}
        assert_same_bits(got[i:i + 1], expected(y[i:i + 1], **one_row), f"row {i}")
    assert_same_bits(got, fastla.gemm(a, b, num_threads=1, **steps), "one thread")


@pytest.mark.parametrize("alpha", [0.0, -0.0, 1.0, -1.0, 1 / 3, 1e-30, 1e30], ids=str)
def test_alpha(isa, dtype, path, alpha):
    """alpha is rounded to the dtype once, then multiplies; 0 x Inf is NaN, not a shortcut."""
    k = oracle.kb(dtype) + 1
    a, b, _ = shapes.case(15, 35, (k,), dtype)
    a = a.copy()
    a[3, 5] = np.inf
    with np.errstate(all="ignore"):
        got = fastla.gemm(a, b, alpha=alpha)
    assert_same_bits(got, oracle.gemm(a, b, alpha=alpha), f"alpha {alpha}")


@pytest.mark.parametrize("beta", [1.0, -1.0, 1 / 3, 2.5], ids=str)
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
def test_beta_with_c_as_out(isa, dtype, path, layout, beta):
    """c is out itself, over more than one block of K: partial sums may not land in it."""
    for m, n in edge_shapes(shapes.row_of(isa, dtype)):
        k = 2 * oracle.kb(dtype) + 5
        a, b, found = shapes.case(m, n, (k,), dtype)
        before = random_matrix(np.random.default_rng(13), (m, n), dtype)
        out = Guarded((m, n), dtype, layout, before)
        fastla.gemm(a, b, alpha=0.7, beta=beta, c=out.out, out=out.out)
        want = oracle.epilogue(found[k], alpha=0.7, beta=beta, c=before)
        assert_same_bits(out.out, want, f"{m}x{n} {layout}")
        out.check(f"{m}x{n} {layout}")


def test_beta_zero_does_not_read_c(isa, dtype, path, threads):
    a, b, found = shapes.case(30, 70, (9,), dtype)
    c = np.full((30, 70), np.nan, dtype)
    for beta in (0.0, -0.0):
        got = fastla.gemm(a, b, beta=beta, c=c, num_threads=threads)
        assert_same_bits(got, found[9], f"beta {beta}")
    got = fastla.gemm(a, b, beta=0.0, c=c, out=c, num_threads=threads)
    assert_same_bits(got, found[9], "c is out")


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
@pytest.mark.parametrize("step", ["gate", "residual"])
def test_gate_and_residual_as_out(isa, dtype, path, layout, step):
    for m, n in edge_shapes(shapes.row_of(isa, dtype)):
        k = 2 * oracle.kb(dtype) + 5
        a, b, found = shapes.case(m, n, (k,), dtype)
        before = random_matrix(np.random.default_rng(14), (m, n), dtype)
        out = Guarded((m, n), dtype, layout, before)
        bias = random_matrix(np.random.default_rng(15), n, dtype)
        fastla.gemm(a, b, bias=bias, out=out.out, **{step: out.out})
        assert_same_bits(out.out, oracle.epilogue(found[k], bias=bias, **{step: before}),
                         f"{step} {m}x{n} {layout}")
        out.check(f"{step} {m}x{n} {layout}")


def test_all_matrices_are_out(isa, dtype, path, threads):
    """c, gate and residual are all out itself; each reads what was there before the call."""
    k = oracle.kb(dtype) + 5
    a, b, found = shapes.case(45, 80, (k,), dtype)
    before = random_matrix(np.random.default_rng(16), (45, 80), dtype)
    out = before.copy()
    fastla.gemm(a, b, beta=0.5, c=out, activation="relu", gate=out, residual=out, out=out,
                num_threads=threads)
    want = oracle.epilogue(found[k], beta=0.5, c=before, activation="relu", gate=before,
                           residual=before)
    assert_same_bits(out, want, "all aliases")


@pytest.mark.parametrize("step", ["c", "gate", "residual"])
def test_partial_overlap_with_out(isa, dtype, step):
    """An operand that shares some of out's memory, shifted, is read as it was before the call."""
    k = oracle.kb(dtype) + 5
    a, b, found = shapes.case(20, 50, (k,), dtype)
    buffer = random_matrix(np.random.default_rng(17), (21, 51), dtype)
    operand, out = buffer[1:, 1:], buffer[:-1, :-1]
    before = operand.copy()
    extra = {"beta": 2.0} if step == "c" else {}
    fastla.gemm(a, b, out=out, **extra, **{step: operand})
    assert_same_bits(out, oracle.epilogue(found[k], **extra, **{step: before}), step)


def test_layouts_of_the_epilogue_operands(isa, dtype):
    a, b, found = shapes.case(14, 35, (9,), dtype)
    x = random_matrix(np.random.default_rng(18), (14, 35), dtype)
    v = random_matrix(np.random.default_rng(19), (35,), dtype)
    for name, y in shapes.layouts(x):
        for step, extra in [("c", {"beta": 1.5}), ("gate", {}), ("residual", {})]:
            got = fastla.gemm(a, b, **extra, **{step: y})
            assert_same_bits(got, oracle.epilogue(found[9], **extra, **{step: x}), f"{step} {name}")
    for bias in (v, shapes.strided(v, 3), v[::-1].copy()[::-1], shapes.unaligned(v),
                 v.astype(v.dtype.newbyteorder()), np.broadcast_to(v[0], 35)):
        want = oracle.epilogue(found[9], bias=np.asarray(bias, dtype))
        assert_same_bits(fastla.gemm(a, b, bias=bias), want, f"bias {bias.strides} {bias.dtype}")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_in_the_epilogue(isa, dtype, path, activation):
    """Over full and ragged tiles, and equal to the activation of the finished product."""
    for m, n in edge_shapes(shapes.row_of(isa, dtype)):
        a, b, _ = shapes.case(m, n, (17,), dtype)
        a, b = a[:, :17] / 8, b[:17]
        got = fastla.gemm(a, b, activation=activation)
        want = _core.activate(activation, oracle.matmul2(a, b))
        assert_same_bits(got, want, f"{m}x{n}")


@pytest.mark.parametrize("stack", [(), (5,), (2, 3)], ids=str)
def test_linear(isa, dtype, threads, stack):
    rng = np.random.default_rng(20)
    x = random_matrix(rng, (*stack, 33, 20), dtype)
    w = random_matrix(rng, (47, 20), dtype)
    bias = random_matrix(rng, (47,), dtype)
    gate, residual = (random_matrix(rng, (*stack, 33, 47), dtype) for _ in range(2))
    y = oracle.matmul(x, w.T)
    flat = y.reshape(-1, 47)
    assert_same_bits(fastla.linear(x, w, num_threads=threads), y, "x w^T")
    for chosen in ({}, {"activation": "silu"}, {"gate": gate}, {"residual": residual},
                   {"activation": "tanh", "gate": gate, "residual": residual}):
        flat_steps = {key: v.reshape(-1, 47) if isinstance(v, np.ndarray) else v
                      for key, v in chosen.items()}
        want = expected(flat, bias=bias, **flat_steps).reshape(y.shape)
        got = fastla.linear(x, w, bias, num_threads=threads, **chosen)
        assert_same_bits(got, want, f"{sorted(chosen)}")
        out = residual.copy()
        aliased = {**chosen, "residual": out} if "residual" in chosen else chosen
        assert fastla.linear(x, w, bias, out=out, **aliased) is out
        assert_same_bits(out, want, f"{sorted(chosen)} into out")


def test_linear_of_one_vector(dtype):
    rng = np.random.default_rng(21)
    x, w = random_matrix(rng, (20,), dtype), random_matrix(rng, (47, 20), dtype)
    bias = random_matrix(rng, (47,), dtype)
    want = oracle.epilogue(oracle.matmul(x, w.T)[None], bias=bias)[0]
    assert_same_bits(fastla.linear(x, w, bias), want, "one vector")
