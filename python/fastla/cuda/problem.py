"""What is asked for (Desc), how it is done (Plan), and what plans of all families are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .copies import SIZES as SIZES
from .copies import Copy, Layout, copy
from .launch import Device, Variant
from .tiles import grid

VECTOR = 16  # bytes that are copied together


@dataclass(frozen=True)
class Steps:
    """What becomes of the sums before they are stored (docs/contract.md, "The epilogue"): numbers, an
    activation, and the operands that there are by their names in fastla.gemm."""

    alpha: float = 1.0
    beta: float = 0.0
    activation: str | None = None
    operands: tuple[tuple[str, Layout], ...] = ()


NO_STEPS = Steps()


@dataclass(frozen=True)
class Desc:
    """What is asked for: `count` products of m x k by k x n, computed in the dtype `kind`."""

    m: int
    n: int
    k: int
    count: int
    kind: str
    a: Layout
    b: Layout
    c: Layout
    steps: Steps = NO_STEPS
    in_place: bool = False  # C is memory that the steps read
    precision: str = "highest"

    @property
    def key(self) -> str:
        """What the table of tuned plans calls it."""
        operands = (f"{x.dtype} {x.strides} {x.alignment}" for x in (self.a, self.b, self.c))
        steps = ", ".join(name for name, _ in self.steps.operands)
        asked = f"{self.kind} {self.precision} {self.m}x{self.n}x{self.k}x{self.count}: {', '.join(operands)}"
        return asked if self.steps == NO_STEPS else f"{asked}; {self.steps.activation}, {steps}"


@dataclass(frozen=True)
class Plan:
    """A kernel, its blocks, and the copies of A and B that are made before it, which have so many bytes.

    `arguments` makes the kernel's from the addresses of A, B (or of their copies), C, a workspace of
    `partial_bytes` where totals wait, and the steps' operands. `after`: another kernel, called with the same
    addresses when that is done. `cycles` is the model's guess.
    """

    name: str
    variant: Variant
    grid: tuple[int, int, int]
    arguments: Callable[..., tuple[Any, ...]]
    copies: tuple[Copy | None, Copy | None]
    copy_bytes: tuple[int, int]
    partial_bytes: int
    cycles: float
    after: tuple[Variant, tuple[int, int, int], Callable[..., tuple[Any, ...]]] | None = None


@dataclass(frozen=True)
class Operand:
    """A matrix of lines (rows of A: the stride 0; columns of B: the stride 1) and steps of K, or its copy."""

    layout: Layout
    lines_at: int
    copied_from: Layout | None = None
    bytes: int = 0
    by: Copy | None = None  # what copies it, if that is more than a copy

    @property
    def line(self) -> int:
        return self.layout.strides[self.lines_at]

    @property
    def step(self) -> int:
        return self.layout.strides[1 - self.lines_at]

    @property
    def following(self) -> int:
        return self.layout.strides[2]

    @property
    def lines_follow(self) -> bool:
        """Vectors of neighbouring lines can be read."""
        return self.line == SIZES[self.layout.dtype] and self._vectors(self.step)

    @property
    def steps_follow(self) -> bool:
        return self.step == SIZES[self.layout.dtype] and self._vectors(self.line)

    def _vectors(self, other: int) -> bool:
        return all(x % VECTOR == 0 for x in (other, self.following, self.layout.alignment))


def copied(desc: Desc, layout: Layout, lines_at: int, lines_follow: bool) -> Operand:
    """An operand in memory of its own, in the dtype that is multiplied, vectors along one direction."""
    size = SIZES[desc.kind]
    lines = (desc.m, desc.n)[lines_at]
    along, over = (lines, desc.k) if lines_follow else (desc.k, lines)
    pitch = -(-max(along, 1) * size // VECTOR) * VECTOR
    row, col = (size, pitch) if lines_follow == (lines_at == 0) else (pitch, size)
    following = pitch * over if layout.strides[2] else 0
    room = max(pitch * over * (desc.count if following else 1), VECTOR)
    return Operand(Layout(desc.kind, (row, col, following)), lines_at, layout, room)


def finished(
    desc: Desc,
    variant: Variant,
    blocks: tuple[int, int, int],
    a: Operand,
    b: Operand,
    arguments: Callable[..., tuple[Any, ...]],
    partial_bytes: int,
    cycles: float,
) -> Plan:
    """The plan of a kernel and what it is given."""

    def copy_of(x: Operand, rows: int, cols: int) -> Copy | None:
        if x.copied_from is None or desc.k == 0:
            return None
        if x.by is not None:
            return x.by
        return copy((desc.count if x.following else 1, rows, cols), x.copied_from, x.layout)

    copies = copy_of(a, desc.m, desc.k), copy_of(b, desc.k, desc.n)
    said = "".join(f", {letter} copied" for letter, x in (("a", a), ("b", b)) if x.copied_from)
    sizes = a.bytes, b.bytes
    return Plan(variant.name + said, variant, blocks, arguments, copies, sizes, partial_bytes, cycles)


_LAUNCH = 3000.0  # cycles that a copy costs beside its bytes
_COPY_BYTES = 20.0  # of a multiprocessor in a cycle, read and written
_L2_BYTES = 32.0


def cycles(
    desc: Desc,
    device: Device,
    tile: tuple[int, int],
    multiply_adds: float,
    l1: float,
    at_once: int,
    copied: int,
    together: int = 1,
) -> float:
    """The model: cycles of the busiest part, times how often all multiprocessors have a tile.

    `multiply_adds`: of a multiprocessor in a cycle. `l1`: cycles in which a tile's part of a step of K passes
    through L1 and shared memory. `at_once`: blocks of a multiprocessor. `copied`: bytes. `together`:
    multiprocessors that share a tile.
    """
    rows, cols = tile
    blocks = grid(desc.m, desc.n, desc.count, rows, cols)[0]
    of_each = -(-blocks // (device.multiprocessors // together))
    waves, at_once = -(-of_each // at_once), min(at_once, of_each)
    fetched = (rows + cols) * SIZES[desc.kind]
    step = max(rows * cols / multiply_adds / together, l1, fetched / _L2_BYTES / together)
    product = waves * at_once * max(desc.k, 1) * step
    if not copied:
        return product
    return product + _LAUNCH + 2 * copied / _COPY_BYTES / device.multiprocessors
