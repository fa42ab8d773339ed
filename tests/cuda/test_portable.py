"""The tests that are marked portable, unchanged, with arrays of a GPU in the place of NumPy's.

Every call passes through the host code for GPUs. The contract's bits are what "exact" gives: of float64 that
is asked for, where the default is tensor cores' order. The first product of a test that the emulator can do
in a moment is done by the kernels; the others by the CPU, from the addresses and strides of the plan.
"""

import functools
import importlib

import numpy as np
import pytest
import shapes

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import device  # noqa: E402
import reference  # noqa: E402

import fastla  # noqa: E402

MODULES = ("test_contract", "test_contract_plain", "test_errors", "test_golden",
           "test_special_values", "test_stacks")
FUNCTIONS = ("matmul", "linear", "gemm", "gram")
EMULATED = 1  # products of a test
STEPS = 24  # of K in such a product, in a tile


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


class Calls:
    """Functions of fastla for NumPy's arrays, by way of a GPU's."""

    def __init__(self):
        self.made = self.emulated = 0

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

        if name != "gram" and any(getattr(x, "dtype", None) == np.float64 for x in args):
            kwargs.setdefault("precision", "exact")
        sizes = [x.shape for x in args if type(x) is np.ndarray]
        emulate = len(sizes) == 2 and small(name, *sizes) and self.emulated < EMULATED
        with (device.emulated() if emulate else reference.referred()) as backend, np.errstate(all="ignore"):
            args = [moved(x, "out" if i == 2 and name == "matmul" else None) for i, x in enumerate(args)]
            kwargs = {key: moved(x, key) for key, x in kwargs.items()}
            result = device.call(name, *args, **kwargs)
        self.emulated += emulate and bool(backend.launched)
        for out, made in outs:
            out[...] = made
            return out
        return result.host if result.shape else result.host[()]


def small(name, a, b):
    """Whether a product is a tile and few steps."""
    b = b[::-1] if name == "linear" else b
    return 0 < len(a) <= 2 and 0 < len(b) <= 2 and 1 < a[-1] <= STEPS and max(a[0], b[-1]) <= 128


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
