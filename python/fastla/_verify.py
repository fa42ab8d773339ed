"""Finished products checked: ``verify=True`` of `matmul`. docs/verify.md has the mathematics.

C r is held against A (B r) for random signs r. Rows that differ by more than rounding explains, as a rule,
are computed again by plain loops that share nothing with the kernels, and compared bit for bit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOGETHER = 1 << 22  # elements that are computed again at once, whose copies are held


class VerificationError(ArithmeticError):
    """A product is not the one that docs/contract.md defines.

    Raised by ``matmul(..., verify=True)``. The product is wrong: a fault of memory or CPU, or an error in
    fastla that is worth a report.

    Attributes
    ----------
    index : tuple of int
        Which product of a stack; empty where there is one alone.
    row, column : int
        The first wrong entry of that product that was found, by rows. A vector on the left has row 0, one on
        the right column 0.
    tile : tuple of slice
        Its surroundings that one call of a kernel computes, about: ``c[error.tile]``.
    found, expected : scalar
        What the entry is, and what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> a = np.ones((2, 2))
    >>> try:
    ...     c = fastla.matmul(a, a, verify=True)
    ... except fastla.VerificationError as error:
    ...     print(error.row, error.column)
    """

    def __init__(
        self,
        message: str,
        index: tuple[int, ...] = (),
        row: int = 0,
        column: int = 0,
        tile: tuple[slice, ...] = (),
        found: Any = None,
        expected: Any = None,
    ) -> None:
        super().__init__(message)
        self.index, self.row, self.column, self.tile = index, row, column, tile
        self.found, self.expected = found, expected

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.index, self.row, self.column, self.tile, self.found, self.expected)
        return type(self), (str(self), *fields)


def check(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any], num_threads: int = 0) -> None:
    """Raise `VerificationError` if c is not the product of a and b in c's dtype; no threads: the default."""
    seed = int.from_bytes(os.urandom(8), "little")
    difference, bound = _core.check_rows(a, b, c, seed, num_threads)
    # What is no number, or has no bound, fails too.
    suspect = ~((difference <= bound) & (bound < np.inf))
    if suspect.any():
        _settle(a, b, c, suspect, num_threads)


def _settle(
    a: NDArray[Any], b: NDArray[Any], c: NDArray[Any], suspect: NDArray[np.bool_], threads: int
) -> None:
    """Compute suspect rows again, bit for bit."""
    stack, m = suspect.shape[:-1], suspect.shape[-1]
    left = a[np.newaxis] if a.ndim == 1 else a
    right = b[:, np.newaxis] if b.ndim == 1 else b
    n = right.shape[-1]
    left = np.broadcast_to(left, (*stack, *left.shape[-2:]))
    right = np.broadcast_to(right, (*stack, *right.shape[-2:]))
    product = c.reshape((*stack, m, n))
    step = max(1, _TOGETHER // max(1, n + left.shape[-1]))
    for index in np.ndindex(*stack):
        rows = np.flatnonzero(suspect[index])
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            found = np.ascontiguousarray(product[index][some])
            wanted = _core.reference_matmul(left[index][some], right[index], c.dtype, threads)
            wrong = ~_same(found, wanted)
            if wrong.any():
                at, j = (int(x) for x in np.argwhere(wrong)[0])
                i = int(some[at])
                raise _error(a, b, c, (m, n), index, (i, j), found[at, j], wanted[at, j])


def _same(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether entries have the same bits; one NaN is as good as another."""
    if x.dtype.kind == "c":
        real = _same(np.ascontiguousarray(x.real), np.ascontiguousarray(y.real))
        return real & _same(np.ascontiguousarray(x.imag), np.ascontiguousarray(y.imag))
    bits = np.dtype(f"u{x.dtype.itemsize}")
    equal = np.asarray(x.view(bits) == y.view(bits))
    return equal | (np.isnan(x) & np.isnan(y)) if x.dtype.kind not in "iu" else equal


def _error(
    a: NDArray[Any],
    b: NDArray[Any],
    c: NDArray[Any],
    shape: tuple[int, int],
    index: tuple[int, ...],
    entry: tuple[int, int],
    found: Any,
    expected: Any,
) -> VerificationError:
    dtype = _kind(a.dtype, b.dtype, c.dtype)
    row = next(r for r in _core.kernels() if r["chosen"] and r["dtype"] == dtype)
    tile = tuple(
        slice(x // step * step, min(x // step * step + step, size))
        for x, step, size in zip(entry, (row["mr"], row["nr"]), shape, strict=True)
    )
    place = ", ".join(str(int(x)) for x in (*index, *entry))
    return VerificationError(
        f"matmul: a is {a.shape} {a.dtype}, b is {b.shape} {b.dtype}; entry [{place}] of the product is "
        f"{found}, it must be {expected}; its tile is rows {tile[0].start}:{tile[0].stop}, columns "
        f"{tile[1].start}:{tile[1].stop} ({row['isa']})",
        tuple(int(x) for x in index), *entry, tile, found, expected,
    )


def _kind(a: np.dtype[Any], b: np.dtype[Any], c: np.dtype[Any]) -> str:
    """The name of a kernel row's dtype."""
    c = np.dtype(f"i{c.itemsize}") if c.kind == "u" else c
    narrow = a.itemsize == b.itemsize < c.itemsize and c.name in ("int32", "float32")
    if not narrow or a.name == "uint16" or b.name == "uint16":
        return c.name
    return f"{a.name}->{c.name}" if a == b else f"{a.name},{b.name}->{c.name}"
