"""How a product of arrays on a GPU is carried out.

What a call does depends on shapes, strides, dtypes and alignments alone: it is worked out once, as a Recipe.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import launch
from .arrays import DeviceArray, Form, Library
from .calls import SUMS, arguments_of_copy
from .checks import check_cast, check_writeable, multiplied, result_dtype
from .copies import Copy
from .families import WRITTEN
from .launch import Launch
from .plan import Desc, Layout, Plan, Steps, choose
from .problem import SIZES
from .stacks import Shapes, contiguous, copies, launches, shapes

Numbers = tuple[float, float, str | None]  # alpha, beta, activation
PLAIN: Numbers = (1.0, 0.0, None)
Chooser = Callable[[Desc, launch.Device], Plan]
Extras = Sequence[tuple[str, DeviceArray]]


@dataclass(frozen=True)
class Placed:
    """What a recipe depends on of an array; `low_bits` of its address."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    low_bits: int = 0

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * SIZES[self.dtype]


def _placed(form: Form, low_bits: int) -> Placed:
    return Placed(form.shape, form.strides, form.dtype, low_bits)


def _nothing(stream: int, *addresses: int) -> None:
    """The launch of an empty product."""


@dataclass(frozen=True)
class Recipe:
    """Of a product: the result's shape and dtype; launches of a plan at offsets of C, A, B and what the steps
    read, after copies of A and B; `rooms`: bytes of these and of the workspace. `after`: what is copied then,
    from memory of so many bytes, where C is not the result: launches and offsets of both."""

    shape: tuple[int, ...]
    dtype: str
    launch: Launch = _nothing
    is_direct: bool = True  # one launch, and nothing beside it
    offsets: tuple[tuple[int, ...], ...] = ()
    copies: tuple[Launch | None, ...] = ()
    rooms: tuple[int, ...] = ()
    after: tuple[tuple[int, list[tuple[Launch, int, int]]], ...] = ()


def product(
    function: str,
    a: DeviceArray,
    b: DeviceArray,
    out: DeviceArray | None,
    dtype: Any,
    precision: str,
    numbers: Numbers = PLAIN,
    extras: Extras = (),
    chooser: Chooser = choose,
) -> Any:
    """A B, and the steps after it, in `out` or in a new array, by numpy.matmul's rules.

    `extras`: what the steps read, with the result's axes, of stride 0 where they are repeated.
    """
    (a_address, form, _), (b_address, b_form, _) = a, b
    library, device = form.library, form.device
    asked = None if dtype is None else library.dtype_name(dtype)
    forms, rest, others, into = [form, b_form], [], None, None
    if extras or numbers is not PLAIN:
        rest = [x[0] for _, x in extras]
        forms += [x[1] for _, x in extras]
        looks = tuple([(name, x[1], x[0] & 15) for name, x in extras])
        sign = math.copysign(1, numbers[0])  # -0.0 == 0.0
        others = numbers, sign, looks, out is not None and out[0] in rest
    if out is not None:
        address, out_form, result = out
        forms.append(out_form)
        into = out_form, address & 15, _overlaps(out, a, b, extras)
    recipe = _recipe(
        function, launch.backend(), form, a_address & 15, b_form, b_address & 15, into, others, asked,
        precision, chooser,
    )  # fmt: skip
    if out is None:
        result = library.empty(recipe.shape, recipe.dtype, device)
        address = library.address(result)
    stream = library.stream(forms)
    if recipe.is_direct:
        recipe.launch(stream, a_address, b_address, address, 0, *rest)
    else:
        _run(recipe, library, [address, a_address, b_address, *rest], device, stream)
    return result


def _run(recipe: Recipe, library: Library, addresses: list[int], device: int, stream: int) -> None:
    held: list[Any] = []  # until all is launched: libraries free memory in the order of the stream

    def room(size: int) -> int:
        held.append(library.empty((size,), "uint8", device))
        return library.address(held[-1])

    chain = [room(size) for size, _ in recipe.after] + [addresses[0]]
    *copied, partial = (room(size) if size else 0 for size in recipe.rooms)
    for offsets in recipe.offsets:
        c, a, b, *extras = map(operator.add, [chain[0], *addresses[1:]], offsets)
        for copy, to, start in zip(recipe.copies, copied, (a, b), strict=True):
            if copy is not None:
                copy(stream, to, start)
        recipe.launch(stream, copied[0] or a, copied[1] or b, c, partial, *extras)
    for (_, made), source, target in zip(recipe.after, chain, chain[1:], strict=False):
        for copy, to, start in made:
            copy(stream, target + to, source + start)


def _overlaps(out: DeviceArray, a: DeviceArray, b: DeviceArray, extras: Extras) -> bool:
    """Whether out has memory of an operand, but for elements that are read just before they are written."""
    address, form, _ = out
    low, high = form.reach
    others = [
        x
        for _, x in extras
        if x[0] != address or x[1].strides != form.strides or x[1].dtype != form.dtype
    ]
    for begins, looks, _ in (a, b, *others):
        begin, end = looks.reach
        if begins + begin < address + high and address + low < begins + end:
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _recipe(
    function: str,
    backend: launch.Backend,
    a_form: Form,
    a_bits: int,
    b_form: Form,
    b_bits: int,
    into: tuple[Form, int, bool] | None,
    others: tuple[Numbers, float, tuple[tuple[str, Form, int], ...], bool] | None,
    asked: str | None,
    precision: str,
    chooser: Chooser,
) -> Recipe:
    library, device = a_form.library, a_form.device
    a, b = _placed(a_form, a_bits), _placed(b_form, b_bits)
    numbers, _, looks, in_place = others or (PLAIN, 1, (), False)
    steps, extras = Steps(*numbers), [(name, _placed(form, bits)) for name, form, bits in looks]
    dtypes = (a.dtype, b.dtype, *(x.dtype for _, x in extras))
    kind, dtype = result_dtype(function, library, dtypes, asked)
    kind, precision = multiplied(function, kind, precision)
    found = shapes(a.shape, a.strides, b.shape, b.strides)
    for x in (a, b, *(x for _, x in extras)):
        _check_aligned(function, x)
    overlaps = False
    if into is not None:
        out, bits, overlaps = into
        target = _placed(out, bits)
        found = _for_out(function, found, a, b, dtype, target, out.writeable)
    if math.prod(found.result) * max(SIZES[dtype], SIZES[kind]) >= 1 << 63:
        raise ValueError(f"{function}: sizes out of range; a is {a.shape}, b is {b.shape}")

    def fresh(name: str) -> Placed:
        return Placed(found.result, contiguous(found.result, SIZES[name]), name)

    if into is None:
        target = fresh(dtype)
    if 0 in found.result:
        return Recipe(found.result, target.dtype)
    sums = SUMS.get(kind, "float32")
    if dtype == sums and target.dtype in WRITTEN[kind]:
        dtype = target.dtype  # they are rounded once
    written = dtype if dtype in WRITTEN[kind] else sums
    forms = [target]  # what C becomes; C is the first one
    if overlaps or not written == dtype == target.dtype:
        rounded = [] if dtype in (written, target.dtype) else [fresh(dtype)]
        forms = [fresh(written), *rounded, target]
    desc, offsets = _desc(found, kind, forms[0], a, b, extras, steps)
    desc = dataclasses.replace(desc, in_place=in_place and len(forms) == 1, precision=precision)
    plan = chooser(desc, backend.device(device))
    rooms = (*plan.copy_bytes, plan.partial_bytes)

    def copying(x: Copy) -> Launch:
        return backend.prepared(x.variant, x.grid, arguments_of_copy(x), device)

    def after(x: Placed, y: Placed) -> list[tuple[Launch, int, int]]:
        made = copies(x.shape, x.strides, x.dtype, y.strides, y.dtype)
        return [(copying(copy), to, start) for copy, to, start in made]

    first = backend.prepared(plan.variant, plan.grid, plan.arguments, device)

    def both(stream: int, *addresses: int) -> None:
        first(stream, *addresses)
        then(stream, *addresses)

    if plan.after is not None:
        then = backend.prepared(*plan.after, device)
    return Recipe(
        found.result,
        target.dtype,
        both if plan.after else first,
        len(offsets) == 1 and len(forms) == 1 and not any(rooms),
        offsets,
        tuple(None if x is None else copying(x) for x in plan.copies),
        rooms,
        tuple((x.bytes, after(x, y)) for x, y in itertools.pairwise(forms)),
    )


def _desc(
    found: Shapes, kind: str, c: Placed, a: Placed, b: Placed, extras: list[tuple[str, Placed]], steps: Steps
) -> tuple[Desc, tuple[tuple[int, ...], ...]]:
    """What one launch does, and the offsets of all: of C, A, B and what the steps read."""
    lead = len(found.stack)
    results = [c, *(x for _, x in extras)]
    forms = [c, a, b, *results[1:]]
    of_stack, own = ([x.strides[:lead] for x in results], [found.of_core(x.strides) for x in results])
    of_stack[1:1] = found.a_stack, found.b_stack
    own[1:1] = found.a, found.b
    way = launches(found.stack, *of_stack)
    m, count, following = found.m, way.count, list(way.strides)
    by_rows = [i for i in range(len(forms)) if i != 2]
    if count > 1 and following[2] == 0 and all(m == 1 or following[i] == m * own[i][0] for i in by_rows):
        # One right operand for the whole stack: its rows are those of one product.
        for i in by_rows:
            own[i], following[i] = (following[i] if m == 1 else own[i][0], own[i][1]), 0
        m, count = m * count, 1
    layouts = [
        Layout(x.dtype, (*own[i], following[i]), way.alignment(i, x.low_bits)) for i, x in enumerate(forms)
    ]
    named = tuple((name, layout) for (name, _), layout in zip(extras, layouts[3:], strict=True))
    steps = dataclasses.replace(steps, operands=named)
    return Desc(m, found.n, found.k, count, kind, layouts[1], layouts[2], layouts[0], steps), way.offsets


def _for_out(
    function: str, found: Shapes, a: Placed, b: Placed, dtype: str, out: Placed, writeable: bool
) -> Shapes:
    """The shapes for an `out`, which is checked."""
    wide = found.widened(out.shape)
    if wide is None:
        raise ValueError(
            f"{function}: non-broadcastable out: it is {out.shape}, but a {a.shape} times b {b.shape} is "
            f"{found.result}"
        )
    check_writeable(function, out.shape, out.strides, writeable)
    check_cast(function, dtype, out.dtype)
    _check_aligned(function, out)
    return wide


def _check_aligned(function: str, x: Placed) -> None:
    size = SIZES[x.dtype]
    if any(place % size for place in (x.low_bits, *x.strides)):
        raise ValueError(
            f"{function}: an array {x.shape} of {x.dtype} has the strides {x.strides}: its elements do not "
            f"lie at multiples of {size} bytes"
        )
