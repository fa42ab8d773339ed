"""What a machine lacks for CUDA is said in a line, whatever it is."""

import sys
from types import SimpleNamespace

import pytest

import fastla.cuda


def driver(status="CUDA_SUCCESS", version=13000):
    def start(flags):
        if status is None:
            raise RuntimeError("Failed to dlopen libcuda.so.1")
        return (SimpleNamespace(name=status),)

    return SimpleNamespace(cuInit=start, cuDriverGetVersion=lambda: (0, version))


@pytest.mark.parametrize("given, said", [
    ({"status": None}, "no CUDA driver: libcuda.so.1 is not there"),
    ({"status": "CUDA_ERROR_NO_DEVICE"}, "the CUDA driver finds no device"),
    ({"status": "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"}, "does not start: CUDA_ERROR_COMPAT"),
    ({"version": 12040}, "the driver is for CUDA 12.4; fastla[cuda] needs 13.0"),
    ({}, None)], ids=str)
def test_drivers(monkeypatch, given, said):
    monkeypatch.setitem(sys.modules, "numba.cuda.compiler", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", driver(**given))
    found = fastla.cuda.missing()
    assert found == said or said in found


@pytest.mark.parametrize("module", ["numba.cuda.compiler", "cuda.bindings.driver"])
def test_no_extra(monkeypatch, module):
    for other in ("numba.cuda.compiler", "cuda.bindings.driver"):
        monkeypatch.setitem(sys.modules, other, SimpleNamespace() if other != module else None)
    assert fastla.cuda.missing().endswith("is not installed: pip install fastla[cuda]")


def test_here():
    """The real libraries: a line or nothing, and no exception."""
    found = fastla.cuda.missing()
    assert found is None or (found and "\n" not in found)
