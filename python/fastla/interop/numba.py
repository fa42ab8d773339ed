"""`fastla.matmul` in functions that Numba compiles; Numba itself calls `init` before it compiles anything.

Dtypes and numbers of axes are known while a function is compiled: what is wrong with them is a TypingError.
Sizes are known when it runs, and what is wrong with them is a ValueError. What remains is one call of
``fastla.cython_api.gemm_nd``, which needs no GIL.

    matmul(x1, x2, out)  ->  cast to one dtype  ->  shape of the result  ->  run  ->  result

Compile time is what a user waits for, so what NumPy's functions would take long to compile for
(broadcast_shapes, broadcast_to, out[...] = c) is a few instructions written here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import get_cython_function_address, overload, register_jitable
from numba.np.numpy_support import as_dtype, from_dtype

import fastla

from ._numba_code import (
    CODES,
    SYMBOL,
    fits,
    inner_agree,
    is_direct,
    product_ndim,
    product_shape,
    run,
)


def init() -> None:
    """The entry point: Numba calls it once in a process, before it compiles or loads from its cache."""
    llvmlite.binding.add_symbol(SYMBOL, get_cython_function_address("fastla.cython_api", "gemm_nd"))
    overload(fastla.matmul)(_matmul)


def _matmul(x1: Any, x2: Any, out: Any = None, num_threads: Any = None) -> Callable[..., Any]:
    """What `overload` takes: types in, the function to compile out."""
    dtype = _common_dtype(x1, x2)
    product = _into(x1, x2, out, dtype) if _given(out) else _fresh(x1, x2, dtype)
    left, right = _cast(x1, dtype), _cast(x2, dtype)
    threads = _threads if _given(num_threads) else _default_threads
    if _given(num_threads) and not isinstance(num_threads, types.Integer):
        raise TypingError(f"matmul: num_threads must be an integer or None, not {num_threads}")

    def matmul(x1: Any, x2: Any, out: Any = None, num_threads: Any = None) -> Any:
        return product(left(x1), right(x2), out, threads(num_threads))

    return matmul


def _given(argument: Any) -> bool:
    """Whether an argument, as a type, is there and not None."""
    if isinstance(argument, types.Omitted):
        argument = argument.value
    return argument is not None and not isinstance(argument, types.NoneType)


def _common_dtype(x1: Any, x2: Any) -> Any:
    for name, x in (("x1", x1), ("x2", x2)):
        if not isinstance(x, types.Array):
            raise TypingError(f"matmul: {name} is {x}; in compiled code both operands must be arrays")
        if x.ndim == 0:
            raise TypingError(f"matmul: {name} has no dimension; multiply by a scalar with *")
        if x.dtype not in CODES:
            known = ", ".join(map(str, CODES))
            raise TypingError(f"matmul: {name} is {x.dtype}; compiled code has products of {known}")
    return from_dtype(np.result_type(as_dtype(x1.dtype), as_dtype(x2.dtype)))


@register_jitable
def _same(x: Any) -> Any:
    return x


def _cast(x: Any, dtype: Any) -> Callable[..., Any]:
    if x.dtype == dtype:
        return _same
    return register_jitable(lambda x: x.astype(dtype))


@register_jitable
def _default_threads(n: Any) -> Any:
    return 0


@register_jitable
def _threads(n: Any) -> Any:
    if n < 1 or n > 1024:
        raise ValueError("matmul: num_threads must be from 1 to 1024")
    return n


def _fresh(x1: Any, x2: Any, dtype: Any) -> Callable[..., Any]:
    """The product in a new array, or as a scalar."""

    @register_jitable
    def array(x1: Any, x2: Any, out: Any, threads: Any) -> Any:
        shape = product_shape(x1, x2)
        _check_inner(x1, x2)
        if not fits(x1, x2, shape):
            raise ValueError("matmul: the leading dimensions cannot be broadcast together")
        return _checked(x1, x2, np.empty(shape, dtype), threads)

    def scalar(x1: Any, x2: Any, out: Any, threads: Any) -> Any:
        return array(x1, x2, out, threads)[()]

    return array if product_ndim(x1, x2) else register_jitable(scalar)


def _into(x1: Any, x2: Any, out: Any, dtype: Any) -> Callable[..., Any]:
    """The product in `out`, by way of a new array where `out` lies over an operand."""
    if not isinstance(out, types.Array) or out.dtype != dtype:
        raise TypingError(f"matmul: out is {out}; it must be an array of {dtype}")
    if not out.mutable:
        raise TypingError(f"matmul: out is read-only: {out}")
    ndim = product_ndim(x1, x2)
    if out.ndim < ndim:
        raise TypingError(f"matmul: out has {out.ndim} dimensions, the product of {x1} and {x2} {ndim}")
    copy = _copy if out.ndim else _copy_scalar

    def product(x1: Any, x2: Any, out: Any, threads: Any) -> Any:
        _check_inner(x1, x2)
        if not fits(x1, x2, out.shape):
            raise ValueError("matmul: out has another shape than the product")
        if is_direct(x1, x2, out):
            return _checked(x1, x2, out, threads)
        return copy(_checked(x1, x2, np.empty(out.shape, dtype), threads), out)

    return register_jitable(product)


@register_jitable
def _check_inner(x1: Any, x2: Any) -> None:
    if not inner_agree(x1, x2):
        raise ValueError("matmul: x1.shape[-1] must equal x2.shape[-2], or x2.shape[-1] of a vector")


@register_jitable
def _copy(c: Any, out: Any) -> Any:
    for i in np.ndindex(out.shape):
        out[i] = c[i]
    return out


@register_jitable
def _copy_scalar(c: Any, out: Any) -> Any:
    out[()] = c[()]
    return out


@register_jitable
def _checked(x1: Any, x2: Any, c: Any, threads: Any) -> Any:
    status = run(x1, x2, c, threads)
    if status == 2:
        raise MemoryError("matmul: no memory for the workspace")
    if status != 0:
        raise ValueError("matmul: sizes out of range")
    return c
