"""`selftest`: every kernel of this CPU against plain loops."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, contract_version
from ._runtime import KernelRow, kernels, use_isa
from ._verify import _same

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PATHS = ("auto", "packed", "direct", "vector")
_DEPTHS = (0, 1, 7, 512, 513, 1030)  # blocks of K have 512
_EPILOGUES = ("float32", "float64")


@dataclass(frozen=True)
class SelfTestRow:
    """What `selftest` saw of one kernel row.

    Attributes
    ----------
    isa, dtype : str
        The row, as in `KernelRow`.
    cases, mismatches : int
        Products computed, and those of other bits than they must have.
    first : str
        The first mismatch; empty without any.
    seconds : float

    Examples
    --------
    >>> import fastla
    >>> fastla.SelfTestRow("avx2", "float32", 300, 0, "", 0.1).mismatches
    0
    """

    isa: str
    dtype: str
    cases: int
    mismatches: int
    first: str
    seconds: float


@dataclass(frozen=True)
class SelfTestReport:
    """The result of `selftest`; prints as a table.

    Attributes
    ----------
    rows : tuple of SelfTestRow
    contract_version : int
    seed : int
        What the operands were drawn from.
    seconds : float
        Of all of it, the plain loops included.
    ok : bool
        Whether there was no mismatch.

    Examples
    --------
    >>> import fastla
    >>> fastla.SelfTestReport((), 1, 0, 0.0).ok
    True
    """

    rows: tuple[SelfTestRow, ...]
    contract_version: int
    seed: int
    seconds: float

    @property
    def ok(self) -> bool:
        return not any(row.mismatches for row in self.rows)

    def __str__(self) -> str:
        lines = [f"{'isa':<9}{'dtype':<20}{'cases':>6}{'mismatches':>12}{'seconds':>9}"]
        for row in self.rows:
            counts = f"{row.cases:>6}{row.mismatches:>12}{row.seconds:>9.2f}"
            lines.append(f"{row.isa:<9}{row.dtype:<20}{counts}")
            if row.first:
                lines.append(f"  {row.first}")
        cases, wrong = (sum(getattr(row, name) for row in self.rows) for name in ("cases", "mismatches"))
        verdict = "all as contract" if self.ok else f"{wrong} NOT as contract"
        lines.append(
            f"{cases} products, {verdict} version {self.contract_version} says; "
            f"seed {self.seed}, {self.seconds:.1f} s"
        )
        return "\n".join(lines)


def selftest(
    *, progress: Callable[[KernelRow], object] | None = None, seed: int | None = None
) -> SelfTestReport:
    """Compare every kernel that this CPU can run with plain loops, bit for bit.

    Parameters
    ----------
    progress : callable, optional
        Called with each `KernelRow` before it is tested.
    seed : int, optional
        For the operands; by default another one every time.

    Returns
    -------
    SelfTestReport
        A mismatch is reported, not raised.

    Raises
    ------
    ValueError
        If seed is negative.

    Notes
    -----
    About a second. Each row computes products at the edges of its tiles and of blocks of K, on every path,
    from operands in C and Fortran order, strided, reversed and byte-swapped; stacks of products; and for
    float32 and float64 `gemm` with every step of the epilogue (of the activations relu alone, which NumPy has
    bit for bit). The plain loops are the contract's definition, by the C library's fma.

    Kernel rows are chosen for the whole process: products of other threads have the same bits meanwhile, but
    not the same speed. Afterwards the row is in force that was before. bfloat16's rows are left out where
    ml_dtypes is not installed.

    Examples
    --------
    >>> import fastla
    >>> fastla.selftest(seed=1).ok
    True
    """
    if seed is None:
        seed = int(np.random.default_rng().integers(2**32))
    if seed < 0:
        raise ValueError(f"selftest: seed is {seed}; it must not be negative")
    start = time.perf_counter()
    known = importlib.util.find_spec("ml_dtypes") is not None
    if known:
        importlib.import_module("ml_dtypes")  # NumPy knows its dtypes from then on
    usable = [row for row in kernels() if row.usable and (known or not row.dtype.startswith("bfloat16"))]
    cases = {name: _Cases(name, usable, seed) for name in dict.fromkeys(row.dtype for row in usable)}
    found = []
    for isa in dict.fromkeys(row.isa for row in usable):
        try:
            with use_isa(isa):
                for row in usable:
                    if row.isa == isa:
                        if progress is not None:
                            progress(row)
                        found.append(_test(row, cases[row.dtype]))
        finally:
            _core.force_path("auto")
    return SelfTestReport(tuple(found), contract_version, seed, time.perf_counter() - start)


def _reference(a: NDArray[Any], b: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.asarray(_core.reference_matmul(a, b, dtype, 0))


class _Cases:
    """Operands of one dtype and their products for all depths, as large as the largest tile asks for: smaller
    products are parts of them."""

    def __init__(self, name: str, rows: list[KernelRow], seed: int) -> None:
        operands, _, result = name.partition("->")
        left, _, right = operands.partition(",")
        # The product of two bfloat16 is float32 by itself; asked for, it would be another one.
        self.asked = None if name == "bfloat16->float32" else np.dtype(result or left)
        self.dtype = np.dtype(result or left)
        m = max(_sizes(row.mr)[-1] for row in rows if row.dtype == name)
        n = max(_sizes(row.nr)[-1] for row in rows if row.dtype == name)
        rng = np.random.default_rng(seed)
        self.a = _draw(rng, (m, _DEPTHS[-1]), np.dtype(left))
        self.b = _draw(rng, (_DEPTHS[-1], n), np.dtype(right or left))
        self.lefts, self.rights = _layouts(self.a), _layouts(self.b)
        self.products = {k: _reference(self.a[:, :k], self.b[:k], self.dtype) for k in _DEPTHS}


def _sizes(tile: int) -> tuple[int, ...]:
    return 1, max(1, tile - 1), tile, tile + 1, 2 * tile + 3


def _draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Floats of both signs over some binades, so that another order of summation shows; any integers."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if dtype.kind == "c":
        real, imaginary = (_draw(rng, shape, np.dtype(f"f{dtype.itemsize // 2}")) for _ in range(2))
        return np.asarray(real + 1j * imaginary, dtype)
    binades = 2 if dtype.itemsize == 2 else 6
    return np.asarray(rng.standard_normal(shape) * np.exp2(rng.integers(-binades, binades, shape)), dtype)


def _layouts(x: NDArray[Any]) -> list[NDArray[Any]]:
    """The same matrix, stored in every way."""
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return [
        x,
        np.asfortranarray(x),
        wide[::2, ::3],
        np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        np.asfortranarray(x.astype(x.dtype.newbyteorder())),
        np.ascontiguousarray(x[::-1].T)[:, ::-1].T,
    ]


def _test(row: KernelRow, cases: _Cases) -> SelfTestRow:
    start = time.perf_counter()
    count, first, mismatches = 0, "", 0
    for what, got, want in _products(row, cases):
        count += 1
        if not _same(np.ascontiguousarray(got), np.ascontiguousarray(want)).all():
            mismatches += 1
            first = first or what
    return SelfTestRow(row.isa, row.dtype, count, mismatches, first, time.perf_counter() - start)


def _products(
    row: KernelRow, cases: _Cases
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """(description, product, what it must be)."""
    dtype = cases.asked
    pairs = itertools.cycle(itertools.product(cases.lefts, cases.rights))
    ms, ns = _sizes(row.mr), _sizes(row.nr)
    for k in _DEPTHS:
        next(pairs)  # 28 products of each depth meet other ones of the 36 pairs
        for m, n in [*zip(ms, ns, strict=True), (1, ns[-1]), (ms[-1], 1)]:
            want = cases.products[k][:m, :n]
            for path in _PATHS:
                _core.force_path(path)
                a, b = (x[:rows, :cols] for x, rows, cols in zip(next(pairs), (m, k), (k, n), strict=True))
                got = _core.matmul(a, b, dtype=dtype, num_threads=1 + len(path) % 2)
                yield f"{m} x {n} x {k}, path {path}, strides {a.strides} and {b.strides}", got, want
        _core.force_path("auto")
        m, n = row.mr + 1, row.nr + 1
        a, b, want = cases.a[:m, :k], cases.b[:k, :n], cases.products[k][:m, :n]
        stack = _core.matmul(np.stack([a, a, a]), b, dtype=dtype)
        yield f"stack of {m} x {n} x {k}", stack, np.stack([want] * 3)
        short = min(k, 5)
        for rows, cols, which in ((12, 3, 0), (4, 4, 1)):
            x, y = cases.lefts[which][:rows, :short], cases.rights[which][:short, :cols]
            left, right = (np.stack([z, z[::-1], z]) for z in (x, y))
            wanted = [_reference(left[i], right[i], cases.dtype) for i in range(3)]
            got = _core.matmul(left, right, dtype=dtype)
            yield f"stack of small ones, {short} terms", got, np.stack(wanted)
        if row.dtype in _EPILOGUES:
            got, want = _epilogue(a, b, want, np.random.default_rng(k))
            yield f"gemm {m} x {n} x {k} with every step", got, want


def _epilogue(
    a: NDArray[Any], b: NDArray[Any], y: NDArray[Any], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """gemm with every step, and the same by NumPy: rounded once each; beta is 1, so that fma only adds."""
    c, gate, residual = (_draw(rng, y.shape, y.dtype) for _ in range(3))
    rows, row_bias = (_draw(rng, (1, y.shape[0]), y.dtype)[0] for _ in range(2))
    cols, bias = (_draw(rng, (1, y.shape[1]), y.dtype)[0] for _ in range(2))
    got = _core.gemm(
        a, b, alpha=0.75, beta=1.0, c=c, row_scale=rows, col_scale=cols, bias=bias, row_bias=row_bias,
        activation="relu", gate=gate, residual=residual,
    )
    y = y.dtype.type(0.75) * y * rows[:, np.newaxis] * cols + c + bias + row_bias[:, np.newaxis]
    return got, np.where(y > 0, y, y.dtype.type(0)) * gate + residual
