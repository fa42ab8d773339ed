"""NumPy's own products by fastla: `patch_numpy` and its way back."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import _blas, _core, _on_import
from ._runtime import kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_waiting = False  # for ml_dtypes to be imported
_uses = {"loops": 0, "operator": 0, "blas": 0}
_explicit: list[tuple[str, ...]] = []  # what each patch_numpy() that is not undone has patched
_SWITCHES = {"loops": _core.numpy_loops, "operator": _core.numpy_operator, "blas": _blas.switch}


def _parts(loops: bool, operator: bool, blas: bool) -> tuple[str, ...]:
    if next(row.isa for row in kernels() if row.chosen) == "generic":
        raise RuntimeError(
            "patch_numpy: the kernel rows in force are the generic ones, for CPUs without fused "
            "multiply-adds; NumPy's own loops are faster than those"
        )
    if blas:
        _blas.check()
    wanted = {"loops": loops, "operator": operator, "blas": blas}
    return tuple(name for name in wanted if wanted[name])


def _bfloat16_too() -> None:
    with _lock:
        if _uses["loops"]:
            _core.numpy_loops(True)


def _take(parts: tuple[str, ...]) -> None:
    global _waiting
    if "loops" in parts and "ml_dtypes" not in sys.modules and not _waiting:
        _waiting = True
        _on_import.call("ml_dtypes", _bfloat16_too)
    for part in parts:
        if _uses[part] == 0:
            _SWITCHES[part](True)
        _uses[part] += 1


def _give_back(parts: tuple[str, ...]) -> None:
    for part in parts:
        _uses[part] -= 1
        if _uses[part] == 0:
            _SWITCHES[part](False)


def patch_numpy(*, loops: bool = True, operator: bool = False, blas: bool = False) -> None:
    """Let NumPy compute its products with fastla, in the whole process.

    ``np.matmul``, ``a @ b``, ``np.matvec``, ``np.vecmat``, ``np.vecdot`` and what is built on them
    (``np.linalg.matrix_power``, most of scikit-learn's products) then have fastla's bits and speed.
    Everything else about them stays NumPy's: shapes, casting, types of errors, warnings.

    Parameters
    ----------
    loops : bool, default True
        Replace the inner loops for float16, float32, float64, complex64, complex128, bool and integers.
        Whether a product is fastla's depends on its dtype alone (integers and bool of a few rows and columns
        and one product of two float16, whose bits are the same, stay with NumPy's loop, which is sooner
        done). Left with NumPy are longdouble and object. ml_dtypes' bfloat16 gets loops with NumPy's result
        type, float32; these stay for good, and do what NumPy did whenever nothing is patched. (Where bfloat16
        was multiplied before the first patch, NumPy remembers its way, and keeps to it.)
    operator : bool, default False
        Also take ``a @ b`` of two exact arrays of one such dtype before NumPy's dispatch, which costs a small
        product more than the product itself. It relies on a slot of NumPy's type that is not part of its API.
    blas : bool, default False
        Compute the GEMM, GEMV and SYRK routines of BLAS that NumPy and SciPy call, for ``np.dot``,
        ``np.inner``, ``np.tensordot``, ``scipy.linalg.blas`` and others. Only in a process that
        ``python -m fastla run --blas`` started.

    Raises
    ------
    RuntimeError
        If the CPU, or `use_isa`, leaves only the generic kernels. With ``blas=True``: in any other process,
        and where NumPy's BLAS is not that of its wheels.

    See Also
    --------
    unpatch_numpy, patched, is_patched, patch_status

    Notes
    -----
    Calls are counted: as many of `unpatch_numpy` end it. Do not patch while other threads are inside of
    NumPy's products. ``np.dot`` and ``np.tensordot`` call BLAS and are reached with ``blas=True`` alone,
    ``np.einsum`` without ``optimize`` has loops of its own and is not reached. The dot product of two
    float vectors, one chain of multiply-adds, takes longer than NumPy's: 55 to 120 ns up to 64 elements, 300
    at 256, five times as long at 4096 (Zen 4). A product of 1 x 1 takes 60 ns longer.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.patch_numpy()
    >>> np.array([[1, 2]], np.int8) @ np.array([[3], [4]], np.int8)
    array([[11]], dtype=int8)
    >>> fastla.patch_status()["dtypes"]["int8"]["patched"]
    True
    >>> fastla.unpatch_numpy()
    >>> fastla.is_patched()
    False
    """
    with _lock:
        parts = _parts(loops, operator, blas)
        _take(parts)
        _explicit.append(parts)


def unpatch_numpy() -> None:
    """End the last `patch_numpy` that is still in force; NumPy gets back what it had before.

    Without one, nothing happens.

    Examples
    --------
    >>> import fastla
    >>> fastla.unpatch_numpy()
    """
    with _lock:
        if _explicit:
            _give_back(_explicit.pop())


@contextmanager
def patched(*, loops: bool = True, operator: bool = False, blas: bool = False) -> Iterator[None]:
    """NumPy patched as by `patch_numpy`, for a ``with`` block. The whole process is: all its threads.

    Parameters
    ----------
    loops, operator, blas : bool
        As of `patch_numpy`.

    Raises
    ------
    RuntimeError
        As `patch_numpy` does.

    Examples
    --------
    >>> import fastla
    >>> with fastla.patched():
    ...     fastla.is_patched()
    True
    """
    with _lock:
        parts = _parts(loops, operator, blas)
        _take(parts)
    try:
        yield
    finally:
        with _lock:
            _give_back(parts)


def is_patched() -> bool:
    """Whether NumPy's products are fastla's now.

    Returns
    -------
    bool

    Examples
    --------
    >>> import fastla
    >>> fastla.is_patched()
    False
    """
    return any(_uses.values())


def patch_status() -> dict[str, Any]:
    """What is patched, and what was made of it.

    Returns
    -------
    dict
        ``"loops"``, ``"operator"`` and ``"blas"``, bool: in force. ``"dtypes"``: for the name of each dtype
        a dict of ``"patched"``, ``"calls"`` (of loops, since the process began; one call may compute a stack)
        and ``"delegated"`` (of them, those that went on to NumPy's loop: tiny ones of integers, which it
        computes as exactly and sooner; for want of memory; or by somebody who kept ours after it was taken
        out).
        ``"routines"``: for the name of each BLAS routine (``"dgemm"``) its ``"calls"`` while ``"blas"`` was
        in force and ``"delegated"``, those of them that the old BLAS computed; empty in a process that
        ``python -m fastla run --blas`` has not started.

    Examples
    --------
    >>> import fastla
    >>> sorted(fastla.patch_status())
    ['blas', 'dtypes', 'loops', 'operator', 'routines']
    """
    dtypes: dict[str, dict[str, Any]] = {}
    for _, dtype, on, calls, delegated in _core.numpy_loop_status():
        entry = dtypes.setdefault(dtype.name, {"patched": False, "calls": 0, "delegated": 0})
        entry["patched"] |= on
        entry["calls"] += calls
        entry["delegated"] += delegated
    return {**{part: uses > 0 for part, uses in _uses.items()}, "dtypes": dtypes, "routines": _blas.counts()}
