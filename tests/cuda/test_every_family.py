"""Every step of the epilogue on every family of kernels, in the emulator.

Sums of small whole numbers are exact in any order: all families have the CPU's bits then, and those whose
order is the contract's have them of any numbers. For other numbers there is a bound.
"""

import itertools

import numpy as np
import pytest

import fastla
from fastla import _core

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import ml_dtypes  # noqa: E402
from device import aligned  # noqa: E402
from every_family import TABLE, plans, product  # noqa: E402
from shapes import assert_same_bits, random_matrix  # noqa: E402
from test_epilogue import ACTIVATIONS, steps_for  # noqa: E402

from fastla.cuda import families, hopper_plans  # noqa: E402
from fastla.cuda.float8 import FLOAT8  # noqa: E402

# Of sums: dtypes of results and operands.
DTYPES = {"float32": ["float32", "float16", ml_dtypes.bfloat16], "float64": ["float64", "float32", "float16"]}
LAYOUTS = ("rows", "columns", "odd", "backwards")
ALONE = ("alpha", "row_scale", "col_scale", "c", "bias", "row_bias", "gate", "residual")
# All steps: the activation, the shape, how C and the operands lie.
TOGETHER = (
    ("gelu", "tall", "rows", "rows"), ("relu", "wide", "odd", "odd"),
    ("gelu_tanh", "nothing", "rows", "rows"), ("tanh", "small", "columns", "in place"),
    ("sigmoid", "rows", "backwards", "repeated"), ("silu", "column", "rows", "backwards"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch):
    """Of K: a stage each, where there are enough multiprocessors."""
    monkeypatch.setattr(hopper_plans, "_LEAST_STAGES", 1)


def lying(x, how):
    """x by rows or columns that are vectors of 16 bytes; by rows at odd places; every second element,
    backwards. NaNs, or the largest integers, between them."""
    if how == "columns":
        return lying(x.swapaxes(-1, -2), "rows").swapaxes(-1, -2) if x.ndim > 1 else lying(x, "rows")
    *others, n = x.shape
    begin, width, step = {"rows": (0, n + -n % (16 // x.itemsize), 1), "odd": (1, n + 3 | 1, 1),
                          "backwards": (0, 2 * n, -2)}[how]
    room = np.empty((*others, width or 16), x.dtype)
    room.view(np.uint8)[...] = 0xFF
    view = aligned(room)[..., begin:] if step == 1 else aligned(room)[..., ::step]
    view = view[..., :n]
    view[...] = x
    return view


def operand(family, rng, shape, how):
    """Of numbers that make sums exact, or of any if the order of sums is the contract's."""
    if family.has_contracts_bits:
        x = random_matrix(rng, shape, np.float32)
    elif family.dtype.kind in "iu":
        limits = np.iinfo(family.dtype)
        x = rng.integers(limits.min, limits.max, shape, endpoint=True)
    else:
        x = rng.integers(-4, 5, shape)
    return lying(x.astype(family.dtype), how)


def expected(family, a, b, steps):
    """The CPU's bits, in the dtype of the sums."""
    if a.ndim == 3:
        each = [{name: x[i] if isinstance(x, np.ndarray) and x.ndim == 3 else x for name, x in steps.items()}
                for i in range(len(a))]
        return np.stack([expected(family, *of) for of in zip(a, b, each, strict=True)])
    wide = {name: x.astype(family.wide) if isinstance(x, np.ndarray) else x for name, x in steps.items()}
    if family.dtype.kind in "iu":
        a, b = a.astype(np.int64) @ b.astype(np.int64), np.eye(b.shape[1])
    with np.errstate(all="ignore"):
        return fastla.gemm(a.astype(family.wide), b.astype(family.wide), **wide)


def shape_of(family, name):
    """Of C; one row or column for those that know no others."""
    rows, cols = family.tile
    *stack, m, n = {"tall": (rows + 3, 8), "wide": (3, cols + 5), "small": (3, 7), "rows": (2, 1, 13),
                    "column": (11, 1), "nothing": (5, 12)}[name]
    if family.first == "vectors":
        m, n = (m, 1) if name in ("tall", "column") else (1, n)
    return *stack, m, n


def met(x, how, out):
    """What a step reads: x as it lies; repeated, one number for all, but of a stack; or out itself."""
    if how == "repeated":
        return np.broadcast_to(lying(x.reshape(-1)[:1], "rows"), x.shape) if x.ndim < 3 else lying(x, "rows")
    if how == "in place":
        return out if x.ndim > 1 else lying(x, "odd")
    return lying(x, how)


def case(family, rng, name, k, lies, how, kinds):
    """Operands that lie so, C, and all steps."""
    *stack, m, n = shape = shape_of(family, name)
    a, b = (operand(family, rng, (*stack, *size), x) for size, x in zip(((m, k), (k, n)), lies, strict=True))
    out, steps_lie = how
    c = lying(random_matrix(rng, shape, np.float32).astype(next(kinds)), out)
    steps = steps_for(rng, m, n, family.wide) | {"residual": random_matrix(rng, shape, family.wide)}
    for step, x in steps.items():
        if isinstance(x, np.ndarray):
            in_place = steps_lie == "in place" and x.ndim > 1
            steps[step] = met(x.astype(c.dtype if in_place else next(kinds)), steps_lie, c)
    return a, b, c, steps


def launches(family):
    """All products of a family: what they are, A, B, C, and the steps."""
    number = TABLE.index(family)
    rng = np.random.default_rng(number)
    kinds = itertools.cycle(DTYPES[family.wide.name])
    lies = ((x, y) for y in LAYOUTS for x in LAYOUTS)
    for activation, name, *how in TOGETHER:
        k = family.least_k if name == "nothing" and not family.parts else family.k
        a, b, c, steps = case(family, rng, name, k, next(lies), how, kinds)
        yield f"{name}, {how}", a, b, c, steps | {"activation": activation}
    if family.like_another:
        return
    for i, step in enumerate((*ALONE, "activation", "none")):
        how = ("rows", "odd", "backwards")[(i + number) % 3]
        name = "nothing" if i % 2 else "small"
        a, b, c, steps = case(family, rng, name, family.k, next(lies), (how, how), kinds)
        steps["activation"] = ACTIVATIONS[(i + number) % len(ACTIVATIONS)]
        yield step, a, b, c, {x: steps[x] for x in (step, *("beta",) * (step == "c")) if x != "none"}


@pytest.mark.parametrize("family", TABLE, ids=str)
def test_the_bits_of_every_step(family):
    """All together, and each alone; in place, of other dtypes, repeated; tiles that are cut; no steps of K,
    one row, one column, stacks. Nothing is written beside C."""
    for number, (context, a, b, c, steps) in enumerate(launches(family)):
        room, before = c.base, c.copy()
        around = room.copy()
        want = expected(family, a, b, steps)
        product(family, a, b, c, number // 2, number, **steps)
        with np.errstate(over="ignore"):
            assert_same_bits(c, want.astype(c.dtype), f"{family}: {context}")
        c[...] = before
        assert np.array_equal(room, around), f"{family}: {context}"


def test_these_are_all_kernels():
    seen = set()
    for family in TABLE:
        for number, (_, a, b, c, steps) in enumerate(launches(family)):
            found = plans(family, a, b, c, **steps)[0]
            plan = found[number // 2 % len(found)]
            seen |= {plan.variant.name, *(x.variant.name for x in plan.copies if x is not None)}
            seen |= {plan.after[0].name} if plan.after else set()
    assert seen == {variant.name for variant, _ in families.shipped()}


def bounded(family, a, b, unit, alpha, beta, c, activation, gate, residual, **vectors):
    """The exact result, and what it may be off: by the sums, and by a rounding in each step."""
    k = a.shape[1]
    a, b, c, gate, residual = (x.astype(np.longdouble) for x in (a, b, c, gate, residual))
    of_sums = {"doubles": (k + 2) * unit, "hopper tf32": 2.1 * 2.0**-10 + k * 2.0**-23}
    relative = of_sums.get(family.name if "tf32" in family.name else family.first, k * 2.0**-23)
    if family.precision == "high":
        relative = 2.0**-20 + 3 * k * 2.0**-23
    if family.kind in FLOAT8:
        relative = min(k + k / 32, 132) * 2.0**-13 + k * 2.0**-30
    alpha, beta = family.wide.type(alpha), family.wide.type(beta)
    y, off = a @ b, relative * (abs(a) @ abs(b))

    def multiplied(y, off, x):
        return y * x, abs(x) * off + unit * (abs(y * x) + abs(x) * off)

    def added(y, off, x):
        return y + x, off + unit * (abs(y + x) + off)

    for x in (alpha, vectors["row_scale"][:, None], vectors["col_scale"]):
        y, off = multiplied(y, off, x)
    for x in (beta * c, vectors["bias"], vectors["row_bias"][:, None]):
        y, off = added(y, off, x)
    y = _core.activate(activation, y.astype(np.float64)).astype(np.longdouble)
    off = 1.13 * off + 16 * unit * (abs(y) + off)  # the steepest slope; two functions, 4 ulp at most each
    return added(*multiplied(y, off, gate), residual)


@pytest.mark.parametrize(
    "family", [x for x in TABLE if not x.has_contracts_bits and x.dtype.kind not in "iu"], ids=str
)
def test_bounds_of_any_numbers(family):
    rng = np.random.default_rng(1)
    a, b = (lying(rng.standard_normal(shape).astype(family.dtype), "rows")
            for shape in ((5, family.k), (family.k, 12)))
    steps = steps_for(rng, 5, 12, family.wide)
    c = lying(np.zeros((5, 12), family.wide), "rows")
    product(family, a, b, c, **steps)
    want, off = bounded(family, a, b, np.finfo(family.wide).eps / 2, **steps)
    assert (abs(c - want) <= off).all()
