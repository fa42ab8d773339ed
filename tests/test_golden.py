"""Hashes of fixed products: a change of the contract cannot slip in unseen.

The inputs come from integer arithmetic alone. `python tests/test_golden.py --write` writes golden.json
from the oracle; the library must match it.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import oracle

try:
    import pytest
except ImportError:  # writing needs NumPy alone
    pytest = None

FILE = Path(__file__).with_name("golden.json")
ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
# (m, n, k) and the steps of the epilogue; KB is 512.
CASES = {
    "one element": ((1, 1, 1), ()),
    "dot": ((1, 1, 2000), ()),
    "row times matrix": ((1, 130, 700), ()),
    "matrix times column": ((130, 1, 700), ()),
    "outer product": ((33, 65, 1), ()),
    "empty k": ((3, 5, 0), ("bias",)),
    "small": ((7, 9, 11), ()),
    "one block": ((31, 47, 256), ()),
    "two blocks": ((14, 33, 513), ()),
    "five blocks": ((50, 99, 1281), ()),
    "wide": ((5, 400, 300), ()),
    "tall": ((400, 5, 300), ()),
    "alpha and beta": ((21, 53, 600), ("alpha", "beta")),
    "scales": ((21, 53, 600), ("row_scale", "col_scale")),
    "biases": ((21, 53, 600), ("bias", "row_bias")),
    "gate and residual": ((21, 53, 600), ("gate", "residual")),
    "everything": ((13, 35, 600), ("alpha", "row_scale", "col_scale", "beta", "bias", "row_bias",
                                   "activation:gelu", "gate", "residual")),
    **{name: ((9, 37, 40), ("bias", f"activation:{name}")) for name in ACTIVATIONS},
}
DTYPES = ("float32", "float64")


def splitmix64(seed, count):
    """The generator of Steele, Lea and Flood (2014), as an array."""
    with np.errstate(over="ignore"):
        state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = state + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def numbers(seed, shape, dtype):
    """Of both signs, full precision, over eight binades: an integer times a power of two, exactly."""
    u = splitmix64(seed, int(np.prod(shape)))
    bits = np.finfo(dtype).nmant + 1
    whole = (u >> np.uint64(64 - bits - 1)).astype(np.int64) - 2**bits
    x = np.ldexp(whole.astype(dtype), (u & np.uint64(7)).astype(np.int32) - bits - 4)
    assert x.dtype == dtype
    return x.reshape(shape)


def make(name, dtype):
    """Operands and the keyword arguments of gemm."""
    (m, n, k), steps = CASES[name]
    seed = int.from_bytes(hashlib.sha256(f"{name} {dtype}".encode()).digest()[:7], "little")
    a, b = numbers(seed, (m, k), dtype), numbers(seed + 1, (k, n), dtype)
    shape = {"row_scale": (m,), "row_bias": (m,), "col_scale": (n,), "bias": (n,)}
    kwargs = {}
    for i, step in enumerate(steps):
        if step == "alpha":
            kwargs["alpha"] = 1.0 / 3.0
        elif step.startswith("activation:"):
            kwargs["activation"] = step.partition(":")[2]
        else:
            kwargs["c" if step == "beta" else step] = numbers(
                seed + 2 + i, shape.get(step, (m, n)), dtype)
            if step == "beta":
                kwargs["beta"] = -0.7
    return a, b, kwargs


def digest(x):
    assert np.isfinite(x).all()
    return hashlib.sha256(np.ascontiguousarray(x, x.dtype.newbyteorder("<")).tobytes()).hexdigest()


def write():
    hashes = {dtype: {name: digest(oracle.gemm(*(args := make(name, dtype))[:2], **args[2]))
                      for name in CASES} for dtype in DTYPES}
    FILE.write_text(json.dumps({"contract_version": 1, **hashes}, indent=1) + "\n")


if pytest:
    import fastla

    GOLDEN = json.loads(FILE.read_text()) if FILE.exists() else {}

    def test_the_file_holds_every_case():
        assert GOLDEN["contract_version"] == fastla.contract_version
        assert {d: set(GOLDEN[d]) for d in DTYPES} == {d: set(CASES) for d in DTYPES}
        assert len({h for d in DTYPES for h in GOLDEN[d].values()}) == len(DTYPES) * len(CASES)

    def test_the_inputs_are_what_they_were():
        assert [hex(int(x)) for x in splitmix64(0, 2)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]

    @pytest.mark.portable
    @pytest.mark.parametrize("name", CASES)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_library(isa, path, dtype, name):
        a, b, kwargs = make(name, dtype)
        for threads in (1, 3):
            got = fastla.gemm(a, b, num_threads=threads, **kwargs)
            assert digest(got) == GOLDEN[dtype][name], f"{threads} threads"

    @pytest.mark.parametrize("name", ["small", "two blocks", "empty k", "alpha and beta", "gelu"])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_oracle(dtype, name):
        a, b, kwargs = make(name, dtype)
        assert digest(oracle.gemm(a, b, **kwargs)) == GOLDEN[dtype][name]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_golden.py --write")
    write()
