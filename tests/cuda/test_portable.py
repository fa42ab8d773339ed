"""The tests that are marked portable, unchanged, with arrays of a GPU in the place of NumPy's.

Every call passes through the host code for GPUs, and every product is computed by the kernels (executor.py).
The contract's bits are what "exact" gives, so that is asked for; on a device without tensor cores for float64
they are the default's too, which gram has.
"""

import dataclasses
import functools
import importlib

import numpy as np
import pytest
import shapes
import test_bounds

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "nvidia.cu13"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and the tools of the CUDA toolkit")

import device  # noqa: E402
import executor  # noqa: E402

import fastla  # noqa: E402

MODULES = ("test_bounds", "test_contract", "test_contract_columns", "test_contract_plain", "test_errors",
           "test_golden", "test_special_values", "test_stacks")
FUNCTIONS = ("matmul", "linear", "gemm", "gram")
FLOATS = (np.float32, np.float64)
GPU = executor.Compiled(dataclasses.replace(device.A100, compute_capability=(8, 6)))


def portable():
    for name in MODULES:
        for key, test in vars(importlib.import_module(name)).items():
            if key.startswith("test_") and any(m.name == "portable" for m in getattr(test, "pytestmark", ())):
                yield f"{key}_of_{name.removeprefix('test_')}", test


globals().update(portable())


@pytest.fixture
def isa():
    """Sizes come from the best row; no kernel of it is at work."""
    return next(name for name in shapes.isa_names() if shapes.usable(name))


@pytest.fixture
def path():
    return "auto"


@pytest.fixture
def threads():
    return 1


@pytest.fixture
def checked():
    """In this process: the executor sees what lies outside of arrays."""
    return functools.partial(test_bounds.products, dtypes=FLOATS, paths=("auto",))


class Calls:
    """Functions of fastla for NumPy's arrays, by way of a GPU's."""

    def __init__(self):
        self.made = 0

    def __call__(self, name, *args, **kwargs):
        self.made += 1
        outs = []

        def moved(x, key=None):
            if type(x) is tuple and key == "out":
                return tuple(moved(part, key) for part in x)
            if type(x) is not np.ndarray:
                return x
            if x.dtype.isnative and x.flags.aligned:
                return device.Array(x)
            made = x.astype(x.dtype.newbyteorder("="))  # there are no others on a GPU
            made.flags.writeable = x.flags.writeable
            if key == "out":
                outs.append((x, made))
            return device.Array(made)

        GPU.launched.clear()
        with device.emulated(GPU), np.errstate(all="ignore"):
            args = [moved(x, "out" if i == 2 and name == "matmul" else None) for i, x in enumerate(args)]
            kwargs = {key: moved(x, key) for key, x in kwargs.items()}
            if name != "gram" and any(getattr(x, "dtype", None) in FLOATS for x in args):
                kwargs.setdefault("precision", "exact")
            result = device.call(name, *args, **kwargs)
        for out, made in outs:
            out[...] = made
            return out
        return result.host if result.shape else result.host[()]


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch):
    """fastla's functions, of arrays on a GPU."""
    calls = Calls()
    for name in FUNCTIONS:
        function = functools.partial(calls, name)
        function.__name__ = name
        monkeypatch.setattr(fastla, name, function)
    yield
    assert calls.made, "no product was asked for"
