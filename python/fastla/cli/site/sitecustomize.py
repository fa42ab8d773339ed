"""What ``python -m fastla run`` puts first: fastla is imported right after NumPy, and patches it.

A program that never imports NumPy pays next to nothing, and the environment variables that one sets before it
imports NumPy are respected.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))


def _load_blas() -> None:
    import ctypes

    try:
        ctypes.CDLL(os.path.join(_PACKAGE, "libfastla_blas.so"), ctypes.RTLD_GLOBAL)
    except OSError as error:
        print(f"fastla run: {error}", file=sys.stderr)


def _import_fastla() -> None:
    """The package patches by itself. It may be on the launcher's path alone, or made for another Python."""
    place = os.path.dirname(_PACKAGE)
    added = [] if place in sys.path else [place]
    sys.path += added
    try:
        import fastla  # noqa: F401
    except ImportError as error:
        print(f"fastla run: NumPy is not patched: {error}", file=sys.stderr)
    finally:
        for entry in added:
            sys.path.remove(entry)


def _start() -> None:
    if "numpy" in sys.modules:  # somebody's .pth file
        _import_fastla()
        return
    if "blas" in os.environ["FASTLA_RUN"].split(","):
        _load_blas()
    spec = importlib.util.spec_from_file_location(
        "_fastla_on_import", os.path.join(_PACKAGE, "_on_import.py")
    )
    assert spec is not None and spec.loader is not None
    on_import = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(on_import)
    on_import.call("numpy", _import_fastla)


def _run_the_next() -> None:
    """The sitecustomize that Python would have found."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.path[:] = [place for place in sys.path if place != _HERE]
if "FASTLA_RUN" in os.environ:
    _start()
_run_the_next()
