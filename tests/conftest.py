"""Fixtures: every kernel row the CPU can run, every path, several thread counts, both dtypes."""

import numpy as np
import pytest
import shapes
from hypothesis import HealthCheck, settings

import fastla
from fastla import _core

# No test measures time; the oracle alone can be slow. The same examples on every run.
settings.register_profile(
    "fastla", deadline=None, derandomize=True,
    # The fixtures used with @given (a forced row) are the same for every example.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.load_profile("fastla")


@pytest.fixture(params=shapes.isa_names())
def isa(request):
    """The name of an instruction set, in force for the test."""
    name = request.param
    if not shapes.usable(name):
        pytest.skip(f"kernel row {name} needs {shapes.NEEDS.get(name, 'another CPU')}")
    with fastla.use_isa(name):
        yield name


@pytest.fixture(params=[1, 2, 3, 8], ids=lambda t: f"{t}threads")
def threads(request):
    return request.param


@pytest.fixture(params=shapes.DTYPES, ids=lambda d: np.dtype(d).name)
def dtype(request):
    return request.param


@pytest.fixture(params=["auto", "packed", "direct", "vector"])
def path(request):
    """A forced path (where the shape allows it), in force for the test."""
    _core.force_path(request.param)
    yield request.param
    _core.force_path("auto")


@pytest.fixture
def rng(request):
    """Random numbers that depend on the test alone."""
    return np.random.default_rng([ord(c) for c in request.node.name])


@pytest.fixture(autouse=True)
def _settings_restored():
    """No test leaves a forced path or thread count behind."""
    yield
    _core.force_path("auto")
    fastla.set_num_threads(None)
