"""What may be asked for of arrays on a GPU; in the CPU's words where it may not."""

from __future__ import annotations

import operator
from typing import Any

from .arrays import Library
from .float8 import FLOAT8
from .problem import SIZES

FLOATS = ("float16", "bfloat16", "float32", "float64")
BYTES = ("int8", "uint8")
_SHORT = FLOATS[:3]

PRECISIONS = ("exact", "highest", "high", "tf32", "fast")
ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")


def check_precision(function: str, precision: Any) -> None:
    if type(precision) is not str or precision not in PRECISIONS:
        raise ValueError(
            f"{function}: precision is {precision!r}; it must be 'exact', 'highest', 'high', 'tf32' or 'fast'"
        )


def check_threads(function: str, value: Any) -> None:
    """Means nothing on a GPU, and is wrong where it is wrong on a CPU."""
    if value is None:
        return
    try:
        count = operator.index(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{function}: num_threads must be an integer or None, not {kind}") from None
    if not 1 <= count <= 1024:
        raise ValueError(f"{function}: num_threads is {value!r}; it must be from 1 to 1024")


def check_writeable(function: str, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool) -> None:
    if not writeable:
        raise ValueError(f"{function}: out {shape} is read-only")
    if any(n > 1 and step == 0 for n, step in zip(shape, strides, strict=True)):
        raise ValueError(f"{function}: out {shape} has the strides {strides}: its elements share memory")


def result_dtype(function: str, library: Library, dtypes: tuple[str, ...], asked: Any) -> tuple[str, str]:
    """The dtype that is multiplied and that of the result."""
    if function == "matmul" and dtypes[0] in BYTES and set(dtypes) == {dtypes[0]}:
        if asked is None or library.dtype_name(asked) != "int32":
            raise TypeError(f"matmul: both operands are {dtypes[0]}; on a GPU that takes dtype=int32")
        return dtypes[0], "int32"
    if not set(dtypes[:2]).isdisjoint(FLOAT8):
        return _of_float8(function, library, dtypes, asked)
    for dtype in dtypes:
        _check_dtype(function, dtype, "an operand is")
    result = library.promote(*dtypes) if asked is None else library.dtype_name(asked)
    _check_dtype(function, result, "the result would be")
    if result == "float32" and len(set(dtypes)) == 1 and SIZES[dtypes[0]] == 2:
        return dtypes[0], result
    if result == "bfloat16" and asked is None and library.widens_bfloat16:
        return result, "float32"
    return result, result


def _of_float8(function: str, library: Library, dtypes: tuple[str, ...], asked: Any) -> tuple[str, str]:
    """The result is float32 unless another dtype is asked for. Of unlike ones float16 copies are multiplied,
    which lose nothing."""
    a, b, *others = dtypes
    if not {a, b} <= set(FLOAT8):
        raise TypeError(f"{function}: the operands are {a} and {b}; float8 is multiplied by float8 alone")
    result = "float32" if asked is None else library.dtype_name(asked)
    for dtype, what in (*((x, "an operand is") for x in others), (result, "the result would be")):
        _check_dtype(function, dtype, what)
    if result == "float64":
        raise TypeError(f"{function}: the result would be float64; of {a} it is one of {', '.join(_SHORT)}")
    return (a if a == b else "float16"), result


def _check_dtype(function: str, dtype: str, what: str) -> None:
    if dtype not in FLOATS:
        raise TypeError(
            f"{function}: {what} {dtype}; on a GPU there are products of {', '.join(FLOATS)}, of "
            f"{' or '.join(BYTES)} to int32, and of {' or '.join(FLOAT8)}"
        )


# Of float32: highest is as the CPU is.
_OF_FLOAT32 = {"highest": "exact", "fast": "high"}


def multiplied(function: str, kind: str, precision: str) -> tuple[str, str]:
    """The dtype that is multiplied under that precision, and what its kernels may do: highest, one order of
    sums whatever the shape; fast, another one for each."""
    if kind == "float32":
        return kind, _OF_FLOAT32.get(precision, precision)
    if precision != "exact" or kind in BYTES:
        return kind, "fast" if precision == "fast" else "highest"
    if kind == "bfloat16":
        raise ValueError(
            f"{function}: precision='exact' is not there for bfloat16 on a GPU, where sums below 2**-126 are "
            "not flushed to zero as docs/contract.md has it; 'highest' is, and so is 'exact' of float32"
        )
    return ("float32" if kind in ("float16", *FLOAT8) else kind), "exact"


def check_cast(function: str, result: str, out: str) -> None:
    if out not in FLOATS and out != result:
        raise TypeError(
            f"{function}: the result is {result}, which cannot be cast to out's {out} by 'same_kind' on a GPU"
        )


def check_activation(function: str, value: Any) -> None:
    if value is not None and not (type(value) is str and value in ACTIVATIONS):
        raise ValueError(
            f"{function}: activation is {value!r}; it must be None, 'relu', 'gelu', 'gelu_tanh', 'silu', "
            "'tanh' or 'sigmoid'"
        )


def real_number(function: str, name: str, value: Any) -> float:
    try:
        if isinstance(value, str | bytes):  # float() would read them
            raise TypeError
        return float(value)
    except TypeError:
        raise TypeError(
            f"{function}: {name} must be a real number, not {type(value).__name__}"
        ) from None


def check_shape(function: str, name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise ValueError(f"{function}: {name} is {shape}; it must be {wanted}")
