"""Epilogues of CUDA kernels: in the emulator, the bits of the CPU's for every step and every kind of out."""


import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import machine_code  # noqa: E402
import ml_dtypes  # noqa: E402
from numba.cuda import types  # noqa: E402
from shapes import Guarded, assert_same_bits, random_matrix  # noqa: E402
from test_epilogue import ACTIVATIONS  # noqa: E402
from test_exact import product  # noqa: E402
from test_functions import arguments as numbers_for  # noqa: E402

from fastla.cuda import numbers, rings  # noqa: E402
from fastla.cuda.epilogue import Epilogue, Operand  # noqa: E402

DTYPES = (np.float32, np.float64)
SCATTERED = (rings.STEPS, rings.STEPS)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def exact(a, b, out, **steps):
    return product(a, b, out, SCATTERED, switching=0, **steps)


def operands(rng, m, n, k, dtype):
    return random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)


def same(got, a, b, context="", **steps):
    """got has the bits of the CPU."""
    with np.errstate(all="ignore"):
        want = fastla.gemm(a, b, **steps)
        assert_same_bits(got, want.astype(got.dtype), context)


def test_in_place():
    """c, gate and residual are out, where totals of blocks of K may not wait then."""
    rng = np.random.default_rng(2)
    a, b = operands(rng, 3, 7, 516, np.float32)
    before = random_matrix(rng, (3, 7), np.float32)
    names, steps = ("c", "gate", "residual"), {"bias": before[1], "alpha": 0.7, "beta": 0.5}
    out = Guarded((3, 7), np.float32, "reversed", before)
    got = exact(a, b, out.out, **steps, **dict.fromkeys(names, out.out))
    same(got, a, b, **steps, **dict.fromkeys(names, before))
    out.check()


def test_blocks_of_k():
    """Totals wait in out, and come back in vectors."""
    rng = np.random.default_rng(4)
    a, b = operands(rng, 4, 8, 514, np.float32)
    steps = {"alpha": 1 / 3, "row_bias": random_matrix(rng, 4, np.float32), "activation": "tanh"}
    same(exact(a, b, np.empty((4, 8), np.float32), **steps), a, b, **steps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(dtype, name):
    """The bits of the CPU for all numbers that tests/test_functions.py has."""
    x = numbers_for(dtype)[:1250].reshape(50, -1)
    a, b = np.zeros((50, 0), dtype), np.zeros((0, x.shape[1]), dtype)
    got = exact(a, b, np.empty_like(x), beta=1.0, c=x, activation=name)
    same(got, a, b, name, beta=1.0, c=x, activation=name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    """NaN where it arises, and the signs of zeros; what is not asked for is not read."""
    least = np.finfo(dtype).smallest_subnormal
    values = np.array([[0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, least]], dtype)
    a, b = values.T.copy(), values
    for steps in ({"alpha": 0.0}, {"alpha": -1.0}, {"alpha": 1e-30}, {"beta": -0.0, "c": a * np.nan},
                  {"beta": 1e-60, "c": np.broadcast_to(b, (8, 8))}, {"bias": b[0], "activation": "relu"},
                  {"gate": np.broadcast_to(b, (8, 8))}, {"residual": np.broadcast_to(-b, (8, 8))},
                  {"row_scale": b[0], "activation": "gelu"}, {"col_scale": b[0], "activation": "tanh"}):
        same(exact(a, b, np.full((8, 8), 7, dtype), **steps), a, b, f"{sorted(steps)}",
             **{name: np.array(np.broadcast_to(x, (8, 8))) if name == "c" else x
                for name, x in steps.items()})


@pytest.mark.parametrize("sums, out", [("float32", "float16"), ("float32", BFLOAT16), ("float32", "float64"),
                                       ("float64", "float16"), ("float64", "float32")], ids=str)
def test_out_of_another_dtype(sums, out):
    """One rounding; numbers that are too large, and subnormal ones. In vectors and one at a time; and, where
    totals have to wait, not in out."""
    rng = np.random.default_rng(6)
    waits = sums == "float64" and out == "float16"
    a, b = operands(rng, 3, 8, 514 if waits else 41, np.dtype(sums).type)
    a[0] *= 1e6
    a[1] *= 1e-7
    for odd, k in ((0, 40), (1, 40), (1, 514))[:2 + waits]:
        c, steps = np.zeros((3, 16), out)[:, odd:odd + 8], {"alpha": 3.0, "bias": b[0]} if odd else {}
        same(exact(a[:, :k], b[:k], c, **steps), a[:, :k], b[:k], f"{odd} {k}", **steps)


@pytest.mark.parametrize("sums", DTYPES)
@pytest.mark.parametrize("dtype", ["float16", BFLOAT16, "float32", "float64"], ids=str)
def test_operands_of_another_dtype(sums, dtype):
    rng = np.random.default_rng(7)
    a, b = operands(rng, 3, 8, 4, sums)
    bias, gate = random_matrix(rng, 8, dtype), random_matrix(rng, (3, 8), dtype)
    got = exact(a, b, np.empty((3, 8), sums), bias=bias, gate=gate)
    same(got, a, b, bias=bias.astype(sums), gate=gate.astype(sums))


def test_what_cannot_be_asked_for():
    with pytest.raises(TypeError, match="float64 sums are not rounded to bfloat16"):
        Epilogue(Operand(64, dtype="bfloat16"), sums="float64").arguments()
    with pytest.raises(ValueError, match="activation is 'mish'; there are none, relu, gelu"):
        Epilogue(Operand(64), activation="mish").arguments()
    with pytest.raises(TypeError, match="an operand of an epilogue is int32"):
        Epilogue(Operand(64), bias=Operand(64, dtype="int32")).arguments()


@pytest.mark.parametrize("kind, letter", [(types.float32, "F"), (types.float64, "D")], ids=str)
def test_no_two_operations_become_one(kind, letter):
    """In machine code; the compiler is free to fuse what is not an instruction of ours."""
    def kernel(to, x, y, z):
        numbers.store(to, x, numbers.add(numbers.multiply(y, z), z))

    seen = machine_code.of(kernel, [types.uint64, types.int32, kind, kind], (8, 0), 32)
    assert seen.count(f"{letter}MUL") == seen.count(f"{letter}ADD") == 1 and not seen.count(f"{letter}FMA")
