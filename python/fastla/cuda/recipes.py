"""How a product of arrays on a GPU is carried out.

What a call does depends on shapes, strides, dtypes and alignments alone: it is worked out once, as a Recipe.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import launch
from .arrays import DeviceArray, Library
from .calls import SUMS
from .checks import check_cast, check_writeable, multiplied, result_dtype
from .copies import Copy
from .families import WRITTEN
from .plan import Desc, Layout, Plan, Steps, choose
from .problem import NO_STEPS, SIZES
from .stacks import Shapes, contiguous, copies, launches, shapes

Copies = list[tuple[Copy, int, int]]
Chooser = Callable[[Desc, launch.Device], Plan]
Extras = tuple[tuple[str, DeviceArray], ...]


@dataclass(frozen=True)
class Form:
    """What a recipe depends on of an array; `low_bits` of its address."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    low_bits: int


def _form(x: DeviceArray) -> tuple[Any, ...]:
    return x.shape, x.strides, x.dtype, x.address & 15


@dataclass(frozen=True)
class Recipe:
    """Of a product: the result's shape and dtype; launches of a plan at offsets of C, A, B and what the steps
    read; `after`: what is copied then, from memory of so many bytes, where C is not the result."""

    shape: tuple[int, ...]
    dtype: str
    plan: Plan | None
    offsets: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, Copies], ...]
    is_direct: bool = False  # one launch, and nothing beside it


def product(
    function: str,
    a: DeviceArray,
    b: DeviceArray,
    out: DeviceArray | None,
    dtype: Any,
    precision: str,
    steps: Steps = NO_STEPS,
    extras: Extras = (),
    chooser: Chooser = choose,
) -> Any:
    """A B, and the steps after it, in `out` or in a new array, by numpy.matmul's rules.

    `extras`: what the steps read, with the result's axes, of stride 0 where they are repeated.
    """
    library, backend = a.library, launch.backend()
    asked = None if dtype is None else library.dtype_name(dtype)
    arrays = [a, b]
    others: Any = None
    if steps is not NO_STEPS or extras:
        in_place = out is not None and any(x.address == out.address for _, x in extras)
        others = steps, tuple((name, _form(x)) for name, x in extras), in_place
        arrays += [x for _, x in extras]
    into = None
    if out is not None:
        into = (*_form(out), out.writeable, _overlaps(out, a, b, extras))
    forms = _form(a), _form(b), into, others
    recipe = _recipe(function, backend, library, a.device, *forms, asked, precision, chooser)
    stream = library.stream(arrays if out is None else [*arrays, out])
    result = library.empty(recipe.shape, recipe.dtype, a.device) if out is None else out.owner
    plan = recipe.plan
    if plan is None:
        return result
    address = library.address(result) if out is None else out.address
    if recipe.is_direct:
        arguments = plan.arguments(a.address, b.address, address, 0, *[x.address for x in arrays[2:]])
        backend.launch(plan.variant, plan.grid, arguments, a.device, stream)
    else:
        addresses = [address, *[x.address for x in arrays]]
        _run(recipe, plan, backend, library, addresses, a.device, stream)
    return result


def _run(
    recipe: Recipe,
    plan: Plan,
    backend: launch.Backend,
    library: Library,
    addresses: list[int],
    device: int,
    stream: int,
) -> None:
    rooms = []  # held until all is launched: libraries free memory in the order of the stream

    def room(size: int) -> int:
        rooms.append(library.empty((size,), "uint8", device))
        return library.address(rooms[-1])

    chain = [room(size) for size, _ in recipe.after] + [addresses[0]]
    *copied, partial = (room(size) if size else 0 for size in (*plan.copy_bytes, plan.partial_bytes))
    for offsets in recipe.offsets:
        c, a, b, *extras = map(operator.add, [chain[0], *addresses[1:]], offsets)
        for copy, to, start in zip(plan.copies, copied, (a, b), strict=True):
            if copy is not None:
                backend.launch(copy.variant, copy.grid, copy.arguments(to, start), device, stream)
        arguments = plan.arguments(copied[0] or a, copied[1] or b, c, partial, *extras)
        backend.launch(plan.variant, plan.grid, arguments, device, stream)
    for (_, made), source, target in zip(recipe.after, chain, chain[1:], strict=False):
        for copy, to, start in made:
            arguments = copy.arguments(target + to, source + start)
            backend.launch(copy.variant, copy.grid, arguments, device, stream)


def _overlaps(out: DeviceArray, a: DeviceArray, b: DeviceArray, extras: Extras) -> bool:
    """Whether out has memory of an operand, but for elements that are read just before they are written."""
    where = out.address, out.strides, out.dtype
    others = (x for _, x in extras if (x.address, x.strides, x.dtype) != where)
    low, high = out.bounds
    return any(begin < high and low < end for begin, end in (x.bounds for x in (a, b, *others)))


@functools.lru_cache(maxsize=4096)
def _recipe(
    function: str,
    backend: launch.Backend,
    library: Library,
    device: int,
    a_form: tuple[Any, ...],
    b_form: tuple[Any, ...],
    into: tuple[Any, ...] | None,
    others: tuple[Steps, tuple[tuple[str, tuple[Any, ...]], ...], bool] | None,
    asked: str | None,
    precision: str,
    chooser: Chooser,
) -> Recipe:
    a, b = Form(*a_form), Form(*b_form)
    steps, forms_of_extras, in_place = others or (NO_STEPS, (), False)
    extras = [(name, Form(*form)) for name, form in forms_of_extras]
    dtypes = (a.dtype, b.dtype, *(x.dtype for _, x in extras))
    kind, dtype = result_dtype(function, library, dtypes, asked)
    kind, precision = multiplied(function, kind, precision)
    found = shapes(a.shape, a.strides, b.shape, b.strides)
    for x in (a, b, *(x for _, x in extras)):
        _check_aligned(function, x)
    overlaps = False
    if into is not None:
        target, (writeable, overlaps) = Form(*into[:4]), into[4:]
        found = _for_out(function, found, a, b, dtype, target, writeable)
    if math.prod(found.result) * max(SIZES[dtype], SIZES[kind]) >= 1 << 63:
        raise ValueError(f"{function}: sizes out of range; a is {a.shape}, b is {b.shape}")

    def fresh(name: str) -> Form:
        return Form(found.result, contiguous(found.result, SIZES[name]), name, 0)

    if into is None:
        target = fresh(dtype)
    if 0 in found.result:
        return Recipe(found.result, target.dtype, None, (), ())
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
    after = tuple(
        (math.prod(x.shape) * SIZES[x.dtype], copies(x.shape, x.strides, x.dtype, y.strides, y.dtype))
        for x, y in itertools.pairwise(forms)
    )
    plan = chooser(desc, backend.device(device))
    is_direct = len(offsets) == 1 and not (after or any(plan.copy_bytes) or plan.partial_bytes)
    return Recipe(found.result, target.dtype, plan, offsets, after, is_direct)


def _desc(
    found: Shapes, kind: str, c: Form, a: Form, b: Form, extras: list[tuple[str, Form]], steps: Steps
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
    function: str, found: Shapes, a: Form, b: Form, dtype: str, out: Form, writeable: bool
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


def _check_aligned(function: str, x: Form) -> None:
    size = SIZES[x.dtype]
    if any(place % size for place in (x.low_bits, *x.strides)):
        raise ValueError(
            f"{function}: an array {x.shape} of {x.dtype} has the strides {x.strides}: its elements do not "
            f"lie at multiples of {size} bytes"
        )
