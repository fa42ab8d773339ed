"""matmul, linear, gemm and gram of arrays on a GPU: the signatures and the words of the CPU's functions."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from . import arrays, checks
from .arrays import DeviceArray, Form
from .recipes import Numbers, product

__all__ = ["gemm", "gram", "linear", "matmul"]


def matmul(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    dtype: Any = None,
    precision: str = "highest",
    overflow: str = "wrap",
    semiring: str = "or",
    verify: bool = False,
    num_threads: int | None = None,
) -> Any:
    """fastla.matmul of arrays on a GPU."""
    checks.check_threads("matmul", num_threads)
    checks.check_precision("matmul", precision)
    if verify or overflow != "wrap" or semiring != "or":
        raise TypeError(
            f"matmul: overflow={overflow!r}, semiring={semiring!r}, verify={verify!r}; on a GPU they are "
            "'wrap', 'or' and False"
        )
    if isinstance(out, tuple) and len(out) == 1:
        (out,) = out
    found = arrays.describe("matmul", {"x1": x1, "x2": x2, "out": out})
    return product("matmul", found["x1"], found["x2"], found.get("out"), dtype, precision)


def linear(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    activation: str | None = None,
    gate: Any = None,
    residual: Any = None,
    out: Any = None,
    precision: str = "highest",
    num_threads: int | None = None,
) -> Any:
    """fastla.linear of arrays on a GPU."""
    checks.check_precision("linear", precision)
    checks.check_threads("linear", num_threads)
    operands = {"x": x, "w": w, "b": b, "gate": gate, "residual": residual, "out": out}
    found = arrays.describe("linear", operands)
    left, right = found["x"], found["w"]
    x_shape, w_shape = left[1].shape, right[1].shape
    _check_matrix("linear", w_shape)
    if not x_shape:
        raise _unlike("linear", x_shape, w_shape, "the left one must have at least one dimension")
    if x_shape[-1] != w_shape[1]:
        raise _unlike("linear", x_shape, w_shape, "their last dimensions must be equal")
    checks.check_activation("linear", activation)
    return _affine("linear", left, transposed(right), found, precision, (1.0, 0.0, activation))


def gemm(
    a: Any,
    b: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    c: Any = None,
    row_scale: Any = None,
    col_scale: Any = None,
    bias: Any = None,
    row_bias: Any = None,
    activation: str | None = None,
    gate: Any = None,
    residual: Any = None,
    out: Any = None,
    precision: str = "highest",
    num_threads: int | None = None,
) -> Any:
    """fastla.gemm of arrays on a GPU."""
    checks.check_precision("gemm", precision)
    checks.check_threads("gemm", num_threads)
    operands = {
        "a": a, "b": b, "c": c, "row_scale": row_scale, "col_scale": col_scale, "bias": bias,
        "row_bias": row_bias, "gate": gate, "residual": residual, "out": out,
    }  # fmt: skip
    found = arrays.describe("gemm", operands)
    left, right = found["a"], found.pop("b")
    a_shape, b_shape = left[1].shape, right[1].shape
    _check_matrix("gemm", b_shape)
    if len(a_shape) != 2:
        raise _unlike("gemm", a_shape, b_shape, "both must have two dimensions")
    if a_shape[1] != b_shape[0]:
        what = "the left one's last dimension must equal the right one's first"
        raise _unlike("gemm", a_shape, b_shape, what)
    checks.check_activation("gemm", activation)
    alpha, beta = (checks.real_number("gemm", name, x) for name, x in (("alpha", alpha), ("beta", beta)))
    if beta != 0 and c is None:
        raise ValueError(f"gemm: beta is {beta!r}, but c is not given")
    return _affine("gemm", left, right, found, precision, (alpha, beta, activation))


def _check_matrix(function: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise ValueError(f"{function}: the right operand is {shape}; it must be a matrix")


def _unlike(function: str, x: tuple[int, ...], w: tuple[int, ...], what: str) -> ValueError:
    return ValueError(f"{function}: the left operand is {x}, the right one {w}; {what}")


_BY_ELEMENT, _BY_COLUMN, _BY_ROW = (
    ("c", "gate", "residual"), ("col_scale", "bias", "b"), ("row_scale", "row_bias")
)  # fmt: skip
# Operands of steps, and what kernels call them.
_STEPS = {name: name for name in (*_BY_ELEMENT, *_BY_COLUMN, *_BY_ROW)} | {"b": "bias"}


def _affine(
    function: str,
    x: DeviceArray,
    w: DeviceArray,
    found: dict[str, DeviceArray],
    precision: str,
    numbers: Numbers,
) -> Any:
    """x w and the steps after it, whose operands are among those found."""
    shape = (*x[1].shape[:-1], w[1].shape[1])
    extras = []
    for name, extra in found.items():
        if name in _STEPS:
            address, form, owner = extra
            form = _spread(function, name, form, shape)
            if name != "c" or numbers[1] != 0:
                extras.append((_STEPS[name], (address, form, owner)))
    out = found.get("out")
    if out is not None:
        checks.check_shape(function, "out", out[1].shape, shape)
    return product(function, x, w, out, None, precision, numbers, extras)


@functools.lru_cache(maxsize=4096)
def _spread(function: str, name: str, form: Form, shape: tuple[int, ...]) -> Form:
    """With the result's axes, of stride 0 where it is repeated."""
    repeated: tuple[int, ...] = (0,) * (len(shape) - 1)
    if name in _BY_ELEMENT:
        wanted, strides = shape, form.strides
    elif name in _BY_COLUMN:
        wanted, strides = shape[-1:], (*repeated, *form.strides)
    else:
        wanted, strides = shape[:1], (*form.strides, *repeated)
    checks.check_shape(function, name, form.shape, wanted)
    return dataclasses.replace(form, shape=shape, strides=strides)


def gram(
    a: Any, *, side: str = "left", out: Any = None, dtype: Any = None, num_threads: int | None = None
) -> Any:
    """fastla.gram of an array on a GPU: all of the product is computed."""
    checks.check_threads("gram", num_threads)
    if side not in ("left", "right"):
        raise ValueError(f"gram: side is {side!r}; it must be 'left' or 'right'")
    found = arrays.describe("gram", {"a": a, "out": out}, required=1)
    x, target = found["a"], found.get("out")
    form = x[1]
    if len(form.shape) < 2:
        raise ValueError(f"gram: a is {form.shape}; it must have two dimensions at least")
    _, result = checks.result_dtype("gram", form.library, (form.dtype, form.dtype), dtype)
    if target is not None:
        size = form.shape[-1 if side == "left" else -2]
        shape, out_form = (*form.shape[:-2], size, size), target[1]
        if out_form.shape != shape:
            raise ValueError(f"gram: out is {out_form.shape}; it must be {shape}")
        checks.check_writeable("gram", shape, out_form.strides, out_form.writeable)
        if out_form.dtype != result:
            raise TypeError(f"gram: out is {out_form.dtype}; the result is {result}")
    first, second = (x, transposed(x)) if side == "right" else (transposed(x), x)
    return product("gram", first, second, target, dtype, "highest")


def transposed(x: DeviceArray) -> DeviceArray:
    address, form, owner = x
    return address, form.transposed, owner
