"""matmul, linear, gemm and gram of arrays on a GPU: the signatures and the words of the CPU's functions."""

from __future__ import annotations

from typing import Any

from . import arrays, checks
from .arrays import DeviceArray
from .problem import Steps
from .recipes import product

__all__ = ["gemm", "gram", "linear", "matmul"]


def _described(function: str, **given: Any) -> dict[str, DeviceArray]:
    """The arrays among the arguments, by name."""
    return arrays.describe(function, {name: x for name, x in given.items() if x is not None})


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
    found = _described("matmul", x1=x1, x2=x2, out=out)
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
    found = _described("linear", x=x, w=w, b=b, gate=gate, residual=residual, out=out)
    left, right = found["x"], found["w"]
    _check_matrix("linear", right.shape)
    if not left.shape:
        raise _unlike("linear", left, right, "the left one must have at least one dimension")
    if left.shape[-1] != right.shape[1]:
        raise _unlike("linear", left, right, "their last dimensions must be equal")
    checks.check_activation("linear", activation)
    return _affine("linear", left, transposed(right), found, precision, Steps(activation=activation))


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
    found = _described(
        "gemm", a=a, b=b, c=c, row_scale=row_scale, col_scale=col_scale, bias=bias, row_bias=row_bias,
        gate=gate, residual=residual, out=out,
    )
    left, right = found["a"], found.pop("b")
    _check_matrix("gemm", right.shape)
    if len(left.shape) != 2:
        raise _unlike("gemm", left, right, "both must have two dimensions")
    if left.shape[1] != right.shape[0]:
        raise _unlike("gemm", left, right, "the left one's last dimension must equal the right one's first")
    checks.check_activation("gemm", activation)
    numbers = (checks.real_number("gemm", name, x) for name, x in (("alpha", alpha), ("beta", beta)))
    steps = Steps(next(numbers), next(numbers), activation)
    if steps.beta != 0 and c is None:
        raise ValueError(f"gemm: beta is {beta!r}, but c is not given")
    return _affine("gemm", left, right, found, precision, steps)


def _check_matrix(function: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise ValueError(f"{function}: the right operand is {shape}; it must be a matrix")


def _unlike(function: str, x: DeviceArray, w: DeviceArray, what: str) -> ValueError:
    return ValueError(f"{function}: the left operand is {x.shape}, the right one {w.shape}; {what}")


_BY_COLUMN, _BY_ROW = ("col_scale", "bias", "b"), ("row_scale", "row_bias")
_BY_ELEMENT = ("c", "gate", "residual")


def _affine(
    function: str, x: DeviceArray, w: DeviceArray, found: dict[str, DeviceArray], precision: str, steps: Steps
) -> Any:
    """x w and the steps after it, whose operands are among those found."""
    shape = (*x.shape[:-1], w.shape[1])
    extras = []
    for name in ("c", "row_scale", "col_scale", "bias", "b", "row_bias", "gate", "residual"):
        extra = found.get(name)
        if extra is None:
            continue
        strides = extra.strides
        if name in _BY_ELEMENT:
            checks.check_shape(function, name, extra.shape, shape)
        elif name in _BY_COLUMN:
            checks.check_shape(function, name, extra.shape, shape[-1:])
            strides = (*(0 for _ in shape[:-1]), *strides)
        else:
            checks.check_shape(function, name, extra.shape, shape[:1])
            strides = (*strides, 0)
        if name != "c" or steps.beta != 0:
            extras.append(("bias" if name == "b" else name, extra._replace(shape=shape, strides=strides)))
    out = found.get("out")
    if out is not None:
        checks.check_shape(function, "out", out.shape, shape)
    return product(function, x, w, out, None, precision, steps, tuple(extras))


def gram(
    a: Any, *, side: str = "left", out: Any = None, dtype: Any = None, num_threads: int | None = None
) -> Any:
    """fastla.gram of an array on a GPU: all of the product is computed."""
    checks.check_threads("gram", num_threads)
    if side not in ("left", "right"):
        raise ValueError(f"gram: side is {side!r}; it must be 'left' or 'right'")
    found = _described("gram", a=a, out=out)
    x, target = found["a"], found.get("out")
    if len(x.shape) < 2:
        raise ValueError(f"gram: a is {x.shape}; it must have two dimensions at least")
    _, result = checks.result_dtype("gram", x.library, (x.dtype, x.dtype), dtype)
    if target is not None:
        size = x.shape[-1 if side == "left" else -2]
        shape = (*x.shape[:-2], size, size)
        if target.shape != shape:
            raise ValueError(f"gram: out is {target.shape}; it must be {shape}")
        checks.check_writeable("gram", target.shape, target.strides, target.writeable)
        if target.dtype != result:
            raise TypeError(f"gram: out is {target.dtype}; the result is {result}")
    first, second = (x, transposed(x)) if side == "right" else (transposed(x), x)
    return product("gram", first, second, target, dtype, "highest")


def transposed(x: DeviceArray) -> DeviceArray:
    def turned(values: tuple[int, ...]) -> tuple[int, ...]:
        return (*values[:-2], values[-1], values[-2])

    return x._replace(shape=turned(x.shape), strides=turned(x.strides))
