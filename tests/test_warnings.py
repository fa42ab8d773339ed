"""Floating-point warnings: the same as from numpy.matmul, once per call, for any number of threads.

The operands are such that every order of summation raises the same flags, so that NumPy's BLAS is a
reference; larger ones, where a BLAS on several threads loses flags, are held to the same list."""

import warnings

import numpy as np
import oracle
import pytest
import shapes
from shapes import poisoned

import fastla

THREADS = (1, 8)
KINDS = {
    "clean": [],
    "overflow": ["overflow"],
    "underflow": ["underflow"],
    "invalid": ["invalid value"],
    "overflow and invalid": ["overflow", "invalid value"],
    "over, under, invalid": ["overflow", "underflow", "invalid value"],
    "inf in, inf out": [],
    "nan in, nan out": [],
}


def operands(kind, m, n, k, dtype):
    """Small positive integers, with an event in the last rows and columns, next to the padding."""
    a = np.ones((m, k), dtype)
    b = np.full((k, n), 2, dtype)
    info = np.finfo(dtype)
    if "inf in" in kind:
        a[-1], b[:, -1] = np.inf, np.inf
    if "nan in" in kind:
        a[-1, 0], b[0, -1] = np.nan, np.nan
    if "under" in kind:
        a[0] = info.tiny
        b[:, 0] = info.tiny
    if "over" in kind and kind != "underflow":
        a[-1, 0] = info.max
    if "invalid" in kind:
        a[-2, 0], b[0, -1] = np.inf, 0
    return a, b


def small_sizes(row):
    return [(3, 3, 4), (row.mr + 1, 5, 9), (5, row.nr + 1, 9), (row.mr - 1, row.nr - 1, 33)]


def packed_sizes(row, dtype):
    kb = oracle.kb(dtype)
    return [(row.mr + 2, row.nr + 1, kb + 1), (3 * row.mr - 1, 2 * row.nr + 3, 2 * kb + 5),
            (150, 171, 129)]


def events(function, mode, *args, **kwargs):
    """What a caller sees under one errstate mode, as comparable values."""
    seen = []

    class Log:
        def write(self, text):
            seen.append(text)

    handler = Log() if mode == "log" else lambda kind, flag: seen.append((kind, flag))
    with warnings.catch_warnings(record=True) as caught, \
            np.errstate(all=mode, call=handler if mode in ("call", "log") else None):
        warnings.simplefilter("always")
        try:
            function(*args, **kwargs)
        except FloatingPointError as error:
            seen.append(("raised", str(error)))
    return seen + [(w.category, str(w.message)) for w in caught]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["ignore", "warn", "raise", "call", "log"])
def test_small_products_warn_as_numpy_does(isa, dtype, path, kind, mode):
    for m, n, k in small_sizes(shapes.row_of(isa, dtype)):
        a, b = operands(kind, m, n, k, dtype)
        want = []  # where nothing happens; some BLAS multiply Inf by their own padding
        if KINDS[kind] and mode != "ignore":
            want = events(np.matmul, mode, a, b)
            count = 1 if mode == "raise" else len(KINDS[kind])
            assert len(want) == count, f"numpy.matmul is no reference here: {want}"
        for threads in THREADS:
            got = events(fastla.matmul, mode, poisoned(a), poisoned(b), num_threads=threads)
            assert got == want, f"{kind} {m}x{n}x{k}, {threads} threads"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", THREADS)
def test_packed_products_warn_once(isa, dtype, path, kind, threads):
    for m, n, k in packed_sizes(shapes.row_of(isa, dtype), dtype):
        a, b = operands(kind, m, n, k, dtype)
        want = [(RuntimeWarning, f"{event} encountered in matmul") for event in KINDS[kind]]
        for x, y in [(poisoned(a), poisoned(b)), (poisoned(a.T).T, poisoned(b.T).T),
                     (a[::-1, ::-1], b[::-1, ::-1])]:
            got = events(fastla.matmul, "warn", x, y, num_threads=threads)
            assert got == want, f"{kind} {m}x{n}x{k}, strides {x.strides} {y.strides}"


@pytest.mark.parametrize("threads", THREADS)
def test_default_state_reports_overflow_and_invalid_not_underflow(dtype, threads):
    a, b = operands("over, under, invalid", 40, 50, 60, dtype)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fastla.matmul(a, b, num_threads=threads)
    assert [str(w.message) for w in caught] == [
        "overflow encountered in matmul", "invalid value encountered in matmul"]


def test_stacks_vectors_and_out_warn_as_numpy_does(isa, dtype):
    a, b = operands("overflow and invalid", 6, 7, 5, dtype)
    stack = np.stack([np.ones_like(a), a, np.ones_like(a)])
    cases = [((stack, b), {}), ((a[-1], b), {}), ((b.T, a[-1]), {}), ((a[-1], np.full(5, 2, dtype)), {}),
             ((a, b), {"out": np.empty((6, 7), dtype)})]
    for args, kwargs in cases:
        want = events(np.matmul, "warn", *args, **kwargs)
        assert want
        assert events(fastla.matmul, "warn", *args, **kwargs) == want


def test_earlier_flags_are_not_reported_again(dtype):
    """An overflow that happened (and was ignored) before the call is not the product's."""
    with np.errstate(all="ignore"):
        np.exp(np.array([1000.0], dtype))
        fastla.matmul(np.full((3, 3), np.inf, dtype), np.zeros((3, 3), dtype))
    assert events(fastla.matmul, "warn", np.ones((3, 3), dtype), np.ones((3, 3), dtype)) == []


@pytest.mark.parametrize("activation", [None, "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"])
@pytest.mark.parametrize("threads", THREADS)
def test_clean_epilogues_are_silent(isa, dtype, path, activation, threads):
    """Ordinary numbers over ragged tiles, up to the flat ends of every activation: nothing but
    underflow, which activations do reach, may be raised."""
    row = shapes.row_of(isa, dtype)
    for m, n in [(1, 1), (row.mr + 1, row.nr + 1), (2 * row.mr - 1, 2 * row.nr - 1)]:
        a, b = np.ones((m, 3), dtype), np.ones((3, n), dtype)
        x = np.linspace(-1000, 1000, m * n, dtype=dtype).reshape(m, n)
        with np.errstate(all="raise", under="ignore"):
            fastla.gemm(poisoned(a), poisoned(b), bias=poisoned(np.ones(n, dtype)),
                        row_scale=poisoned(np.ones(m, dtype)), beta=1.0, c=poisoned(x),
                        activation=activation, gate=poisoned(x), residual=poisoned(x),
                        num_threads=threads)


@pytest.mark.parametrize("step", [
    {"alpha": 2.0}, {"row_scale": 2.0}, {"col_scale": 2.0}, {"gate": 2.0}, {"bias": "max"},
    {"row_bias": "max"}, {"residual": "max"}, {"c": "max", "beta": 1.0}], ids=lambda s: next(iter(s)))
@pytest.mark.parametrize("threads", THREADS)
def test_overflow_in_the_epilogue_warns_once(isa, dtype, path, step, threads):
    m, n = 30, 45
    big = np.finfo(dtype).max
    shape = {"row_scale": m, "row_bias": m, "col_scale": n, "bias": n}
    a, b = np.zeros((m, 3), dtype), np.ones((3, n), dtype)
    a[-1, 0] = big
    kwargs = {}
    for name, value in step.items():
        value = big if value == "max" else value
        kwargs[name] = value if name in ("alpha", "beta") else np.full(
            shape.get(name, (m, n)), value, dtype)
    got = events(fastla.gemm, "warn", a, b, num_threads=threads, **kwargs)
    assert len(got) == 1 and got[0][0] is RuntimeWarning
    assert got[0][1].startswith("overflow encountered in ")
