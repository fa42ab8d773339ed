"""Products: the full form, how a product will be computed, and how many there were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import _core
from ._core import PackedMatrix, gemm, gram, linear, matmul, pack
from ._runtime import _count, kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["PackedMatrix", "Plan", "call_counts", "explain", "gemm", "gram", "linear", "matmul", "pack"]


_FLOATS = ("float16", "float32", "float64", "complex64", "complex128", "bfloat16")


@dataclass(frozen=True)
class Plan:
    """How a product will be computed; made by `explain`.

    Attributes
    ----------
    path : {'packed', 'direct', 'vector'}
        Both operands packed; read where they are (B copied where that does not do); one row or column.
    isa : str
        The kernel row.
    transposed : bool
        The transpose of the result is computed, which has the same bits.
    threads : int
        At most; a product of a few microseconds uses them only in a chain of such, while they are awake.
    mr, nr : int
        The tile in registers, at most; operands in place and near get tiles of other shapes.
    mc, nc, kc : int
        Rows of A and columns of B taken together, length of a block of K.
    tasks : int
        Pieces handed out to the threads (packed: for each panel of B and block of K).
    scratch_bytes : int
    predicted_roof_share : float
        A guess from a simple model, 0 to 1.
    levels : int
        Levels of Strassen-Winograd; 0: none. If any, all but `scratch_bytes` is about the products of smaller
        matrices that are left, the first of 7 to the power of `levels`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.explain(np.ones((300, 300)), np.ones((300, 300))).kc
    512
    """

    path: str
    isa: str
    transposed: bool
    threads: int
    mr: int
    nr: int
    mc: int
    nc: int
    kc: int
    tasks: int
    scratch_bytes: int
    predicted_roof_share: float
    levels: int

    def __str__(self) -> str:
        flipped = ", as the transpose" if self.transposed else ""
        halved = f", {self.levels} level(s) of Strassen-Winograd" if self.levels else ""
        return (
            f"{self.path} path on {self.isa}{flipped}{halved}: "
            f"{self.threads} thread(s), {self.tasks} task(s)\n"
            f"  tile {self.mr} x {self.nr}, mc {self.mc}, nc {self.nc}, kc {self.kc}\n"
            f"  scratch {self.scratch_bytes / 1024:.0f} KiB, "
            f"about {100 * self.predicted_roof_share:.0f}% of the roof (a guess)"
        )


def _matrix(x: NDArray[np.generic], *, column: bool) -> NDArray[np.generic]:
    if x.ndim == 1:
        return x[:, np.newaxis] if column else x[np.newaxis, :]
    while x.ndim > 2:
        x = x[0]
    return x


def _strides(x: NDArray[np.generic], size: int) -> tuple[int, int, bool]:
    """Of a matrix as it is, or (size > 0) after its conversion to elements of that size."""
    if not size:
        return x.strides[0], x.strides[1], not x.dtype.isnative
    if x.flags.fnc:
        return size, x.shape[0] * size, False
    return x.shape[1] * size, size, False


def _kernel(
    a: NDArray[np.generic], b: NDArray[np.generic], dtype: DTypeLike | None
) -> tuple[str, bool, int]:
    """The name of the kernel's dtype, whether operands are converted to it, bytes of a result's element."""
    promoted = np.result_type(a, b)
    result = promoted if dtype is None else np.dtype(dtype)
    if result.name == "bfloat16" and dtype is None:
        return "bfloat16->float32", False, 4
    operands = a.dtype.name if a.dtype == b.dtype else f"{a.dtype.name},{b.dtype.name}"
    wider = f"{operands}->int{8 * result.itemsize}"
    if result.kind in "iu" and any(row.dtype == wider for row in kernels()):
        return wider, False, result.itemsize
    return result.name, True, result.itemsize


def explain(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: NDArray[np.generic] | None = None,
    dtype: DTypeLike | None = None,
    precision: str = "highest",
    num_threads: int | None = None,
) -> Plan:
    """How ``matmul(a, b)`` will be computed, without computing it.

    Parameters
    ----------
    a, b : array_like
        The operands; of stacks, one product is explained.
    out : ndarray, optional
        The output, whose strides may change the plan.
    dtype : dtype, optional
        As of `matmul`.
    precision : {'highest', 'exact', 'high', 'tf32', 'fast'}, default 'highest'
        As of `matmul`.
    num_threads : int, optional
        Default: `get_num_threads()`.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If the shapes do not fit, or `precision` is unknown.
    TypeError
        If the product is `numpy.matmul`'s or of bool, which have no plan, or `out` is not an array.

    Notes
    -----
    Values are not looked at: int32 and int64 of small values may be multiplied as floating-point numbers
    instead.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> fastla.explain(np.ones((4, 4)), np.ones((4, 4))).path
    'direct'
    """
    threads = 0 if num_threads is None else _count(num_threads, "explain", "num_threads")
    x, y = np.asanyarray(a), np.asanyarray(b)
    result = np.result_type(x, y) if dtype is None else np.dtype(dtype)
    if not result.isnative or (result.kind not in "iu" and result.name not in _FLOATS):
        raise TypeError(f"explain: a is {x.dtype}, b is {y.dtype}; products of {result} have no plan")
    if not all(np.can_cast(z.dtype, result, "same_kind") for z in (x, y)):
        raise TypeError(f"explain: a is {x.dtype}, b is {y.dtype}; they are not converted to {result}")
    if x.ndim == 0 or y.ndim == 0 or any(d == 0 for d in x.shape[:-2] + y.shape[:-2]):
        raise ValueError(f"explain: a is {x.shape}, b is {y.shape}; there is no product to explain")
    left, right = _matrix(x, column=False), _matrix(y, column=True)
    (m, k), (kb, n) = left.shape, right.shape
    if k != kb:
        raise ValueError(
            f"explain: a is {x.shape}, b is {y.shape}; a.shape[-1]={k} must equal {kb} of b"
        )
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"explain: out is {type(out).__name__}; it must be an array")
    kernel, converted, size = _kernel(x, y, dtype)
    a_strides, b_strides = (
        _strides(z, size if converted and z.dtype.newbyteorder("=") != result else 0) for z in (left, right)
    )
    c = (n * size, size)
    if out is not None and out.ndim >= 2:
        if out.shape[-2:] != (m, n):
            raise ValueError(f"explain: out is {out.shape}; its last dimensions must be ({m}, {n})")
        c = (out.strides[-2], out.strides[-1])
    return Plan(
        **_core.explain(m, n, k, kernel, a_strides, b_strides, c, threads, precision)
    )


def call_counts() -> dict[str, int]:
    """How often the core was called in this process, by kind.

    Returns
    -------
    dict of str to int
        "gemm": products of matrices, by whatever function; "gemv": of a single row or column;
        "gemm_batched": of stacks, each call counted once; "attention" and "attention_backward"; "softmax",
        "layer_norm" and the other operations on rows.

    Notes
    -----
    Calls of all threads count, and after a fork also the parent's before it. The gradients of attention are
    made of products, which are among "gemm" and "gemv" too; a product that is computed as several smaller
    ones is one call. Calls that NumPy made while it was patched are among them.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> before = fastla.call_counts()["gemm"]
    >>> product = fastla.matmul(np.ones((4, 4)), np.ones((4, 4)))
    >>> fastla.call_counts()["gemm"] - before
    1
    """
    return _core.call_counts()
