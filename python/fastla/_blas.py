"""The library of BLAS routines that ``python -m fastla run --blas`` has loaded before NumPy: its switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    import ctypes

_ROUTINES = ("gemm", "gemv", "syrk")
_TYPES = "sdcz"


def _library() -> ctypes.CDLL | None:
    import ctypes

    process = ctypes.CDLL(None)
    return process if hasattr(process, "fastla_blas_set") else None


def check() -> None:
    """Raise RuntimeError if no call of BLAS can come to the core."""
    library = _library()
    if library is None:
        raise RuntimeError(
            "patch_numpy: blas=True takes a process started with `python -m fastla run --blas script.py`: "
            "BLAS can only be replaced before NumPy is imported"
        )
    if not library.fastla_blas_reaches():
        raise RuntimeError(
            "patch_numpy: blas=True reaches nothing here: this NumPy does not call the OpenBLAS of NumPy's "
            "wheels (numpy.show_config() says which BLAS it calls), so that nothing is interposed"
        )


def switch(on: bool) -> None:
    """Let the core compute the BLAS routines, or leave them to the old ones."""
    import ctypes

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    library = _library()
    if library is not None:
        table = pointer(_core._C_API, b"fastla._core._C_API") if on else None
        library.fastla_blas_set(ctypes.c_void_p(table))


def counts() -> dict[str, dict[str, int]]:
    """Of each routine: calls while it was the core's to compute, and how many of them the old one got."""
    import ctypes

    library = _library()
    if library is None:
        return {}
    for function in (library.fastla_blas_calls, library.fastla_blas_delegated):
        function.restype = ctypes.c_int64
    return {
        kind + routine: {
            "calls": library.fastla_blas_calls(i, j),
            "delegated": library.fastla_blas_delegated(i, j),
        }
        for i, routine in enumerate(_ROUTINES)
        for j, kind in enumerate(_TYPES)
    }
