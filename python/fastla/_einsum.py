"""Contractions of arrays of any dimension: `einsum` and `tensordot`, each pair one product of the core."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._dispatch import base, overridden
from ._subscripts import Pair, Recipe, Reduction, labelled, recipe, tensor_pair, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, DTypeLike, NDArray


def _sums(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sums over the last axis, as products with ones; of complex numbers, part by part."""
    if x.dtype.kind != "c":
        return np.asarray(_core.matmul(x, np.ones(x.shape[-1], x.dtype), dtype=dtype))
    sums = np.empty(x.shape[:-1], dtype)
    sums.real, sums.imag = (_sums(part, sums.real.dtype) for part in (x.real, x.imag))
    return sums


def _factor(x: NDArray[Any], reduction: Reduction, dtype: np.dtype[Any]) -> NDArray[Any]:
    """An operand without the labels that are its own, of a dtype that the product can take."""
    if reduction.squeezed is not None:
        x = x.squeeze(reduction.squeezed)
    if reduction.diagonal is not None:
        x = np.einsum(x, *reduction.diagonal)  # a view
    if not np.can_cast(x.dtype, dtype):
        x = x.astype(dtype)
    if reduction.summed is not None:
        axes, shape = reduction.summed
        x = _sums(x.transpose(axes).reshape(shape), dtype)
    return x


def _contract(
    x: NDArray[Any], y: NDArray[Any], how: Pair, dtype: np.dtype[Any], out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The product of two operands, with one axis for each label unless it goes to `out`."""
    x = x.transpose(how.axes[0]).reshape(how.shapes[0])
    y = y.transpose(how.axes[1]).reshape(how.shapes[1])
    if how.contracted:
        product = _core.matmul(x, y, out, dtype=dtype)
    else:
        # Without out, a 0-dimensional result would be a scalar, of objects anything.
        where = np.empty((), dtype) if out is None and not how.product else out
        product = np.multiply(x, y, out=where, dtype=dtype, casting="unsafe")
    return np.asarray(product).reshape(how.result) if out is None else out


def _check_out(out: NDArray[Any], shape: tuple[int, ...]) -> None:
    fits = len(out.shape) == len(shape) and all(n in (1, m) for n, m in zip(shape, out.shape, strict=True))
    if not fits:
        raise ValueError(f"einsum: the result is {shape}, out is {out.shape}")
    if not out.flags.writeable:
        raise ValueError("einsum: out is read-only")


def _check_casts(arrays: Sequence[NDArray[Any]], dtype: np.dtype[Any], out: Any, casting: Any) -> None:
    for i, x in enumerate(arrays):
        if not np.can_cast(x, dtype, casting):
            raise TypeError(f"einsum: no {casting!r} casting from operand {i}, {x.dtype}, to {dtype}")
    if out is not None and not np.can_cast(dtype, out.dtype, casting):
        raise TypeError(f"einsum: no {casting!r} casting from the result, {dtype}, to out, {out.dtype}")


def _order(order: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    """'C' or 'F', or 'K' for the order that costs nothing."""
    np.array(0, order=order)  # complains as NumPy does
    letter = "K" if order is None else order.upper()[0]
    return letter if letter != "A" else "F" if all(x.flags.f_contiguous for x in arrays) else "C"


def _frozen(optimize: Any) -> Any:
    return tuple(map(_frozen, optimize)) if isinstance(optimize, list | tuple) else optimize


def einsum(
    subscripts: Any = "",
    *operands: Any,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
    order: Any = "K",
    casting: Any = "safe",
    optimize: Any = True,
) -> Any:
    """Einstein summation with the semantics of `numpy.einsum`, each contraction a product of `matmul`.

    Parameters
    ----------
    subscripts : str
        Labels of the operands' dimensions and, after ``->``, of the result's: ``"bij,bjk->bik"``; without
        ``->``, those that stand once, sorted. A label that the result lacks is summed over; one that an
        operand has twice takes its diagonal; ``...`` stands for dimensions that broadcast. Or the first
        operand, if a list of integers (0 to 51) and `Ellipsis` follows each, and may follow for the result.
    *operands : array_like
        The arrays.
    out : ndarray, optional
        Where to put the result; may overlap the operands. Its dtype takes part in the promotion.
    dtype : dtype, optional
        Compute in this dtype instead of the promoted one.
    order : {'K', 'C', 'F', 'A'}, default 'K'
        Memory layout of the result: 'K' is the one that comes out; 'A' is 'F' if all operands are.
    casting : {'no', 'equiv', 'safe', 'same_kind', 'unsafe'}, default 'safe'
        Which casts of operands, and of the result to `out`, are allowed.
    optimize : {True, False, 'greedy', 'optimal'} or a path, default True
        In which order pairs are contracted, as `numpy.einsum_path` chooses it (or gave it). False: from left
        to right, still pair by pair, where `numpy.einsum` has one loop over all labels. Groups of more than
        two in a path are contracted from left to right, too.

    Returns
    -------
    ndarray or scalar
        A writeable view of a single operand where only axes are permuted or diagonals taken.

    Raises
    ------
    ValueError
        If subscripts and shapes do not fit, or `out` has another shape.
    TypeError
        If a cast is not allowed, a dtype is no number's, or `out` is not an array.

    See Also
    --------
    tensordot, matmul, numpy.einsum_path

    Notes
    -----
    A contraction of labels of sizes n1, n2, ... takes 2 n1 n2 ... operations, on operands that are copied
    where their strides do not let labels be merged; intermediate results are held in memory. The steps for
    a text and its shapes are remembered.

    The bits are those of `matmul` of the pair reshaped to (stacks of) matrices. The left one is the operand
    that stands first in the list; results of steps go to its end. The contracted labels make up k in the
    order in which they stand in the left operand, the last one fastest. A label that one operand alone has,
    and the result lacks, is summed before, as a product with ones (of complex numbers, part by part). Pairs
    without contracted labels are multiplied by `numpy.multiply`. Every step rounds to the dtype of the
    result, in which narrow integers wrap. Paths may depend on NumPy's version, ``optimize=False`` does not.

    A single operand goes to `numpy.einsum`, and so do objects and types with an ``__array_function__`` of
    their own.

    References
    ----------
    .. [1] D. Smith and J. Gray, "opt_einsum - A Python package for optimizing contraction order for
           einsum-like expressions", JOSS 3 (2018).

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    >>> fastla.einsum("ij,jk->ik", a, b)
    array([[20., 23., 26., 29.],
           [56., 68., 80., 92.]])
    >>> fastla.einsum(a, [0, 1], b, [1, 2], [0]) # sums over the columns of b, too
    array([ 98., 296.])
    >>> fastla.einsum("...j,...j", a, [1.0, 0.0, 2.0])
    array([ 4., 13.])
    """
    defaults = ("out", out, None), ("dtype", dtype, None), ("order", order, "K"), ("casting", casting, "safe")
    options: Any = {name: value for name, value, default in defaults if value is not default}
    theirs = overridden("einsum", "__array_function__", (subscripts, *operands, out))
    if theirs is not None:
        return theirs(subscripts, *operands, optimize=optimize, **options)
    text, given = written(subscripts, operands)
    arrays, held = [np.asarray(x) for x in given], base("einsum", out)
    shapes = tuple(x.shape for x in arrays)
    labelled(text, shapes)  # complains if they do not fit
    promoted = arrays if held is None else [*arrays, held]
    kind = np.result_type(*promoted) if dtype is None else np.dtype(dtype).newbyteorder("=")
    if kind.kind not in "biufcO" and len(arrays) > 1:
        given_dtypes = ", ".join(str(x.dtype) for x in arrays)
        raise TypeError(f"einsum: operands are {given_dtypes}; {kind} is no number")
    if len(arrays) == 1 or kind.kind == "O":
        return np.einsum(subscripts, *operands, **options)
    steps = recipe(text, shapes, _frozen(optimize))
    if held is not None:
        _check_out(held, steps.shape)
    _check_casts(arrays, kind, held, casting)
    layout = _order(order, arrays)
    result = _computed(steps, arrays, kind, held)
    if out is not None:
        return out
    return result[()] if result.ndim == 0 else np.asarray(result, order=None if layout == "K" else layout)


def _computed(
    steps: Recipe, arrays: list[NDArray[Any]], dtype: np.dtype[Any], out: NDArray[Any] | None
) -> NDArray[Any]:
    """The result, in `out` if that is given."""
    held: list[Any] = [_factor(x, how, dtype) for x, how in zip(arrays, steps.reductions, strict=True)]
    target = None
    last = steps.steps[-1]
    if out is not None and last.pair.plain and (out.dtype, out.shape) == (dtype, steps.shape):
        target = out.transpose(np.argsort(steps.axes)).reshape(last.pair.product)
    for step in steps.steps:
        where = target if step is last else None
        held.append(_contract(held[step.left], held[step.right], step.pair, dtype, where))
        held[step.left] = held[step.right] = None
    result: NDArray[Any] = held[-1]
    if target is None:
        result = result.transpose(steps.axes)
        if out is not None:
            np.copyto(out, result, casting="unsafe")
    return result


def _axes(axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes to sum over of each operand."""
    if not np.iterable(axes):
        return tuple(range(-axes, 0)), tuple(range(axes))
    lists = [tuple(map(operator.index, some if np.iterable(some) else [some])) for some in axes]
    if len(lists) != 2:
        raise ValueError(f"tensordot: axes must be a number, or axes of a and axes of b, not {axes!r}")
    return lists[0], lists[1]


def tensordot(a: ArrayLike, b: ArrayLike, axes: Any = 2) -> NDArray[Any]:
    """Sum of products over the given axes of two arrays, with the semantics of `numpy.tensordot`.

    Parameters
    ----------
    a, b : array_like
        The operands.
    axes : int or (2,) array_like
        How many: the last axes of `a` with the first ones of `b`. Or which: an axis, or a list of axes, of
        `a`, and as many of `b` of the same lengths.

    Returns
    -------
    ndarray
        The other axes of `a`, then those of `b`.

    Raises
    ------
    ValueError
        If the lengths do not fit, or an axis stands there twice.
    IndexError
        If an operand has no such axis.

    See Also
    --------
    einsum, matmul

    Notes
    -----
    2 m n k operations, where m and n are the numbers of elements along the other axes of `a` and `b`, k along
    the summed ones; an operand is copied where its strides do not let axes be merged. The bits are those
    of `matmul` of the matrices; k runs through the summed axes of `a` in the order in which `a` has
    them, the last one fastest, in whatever order `axes` names them. Outer products are `numpy.multiply`'s.
    Types with an ``__array_function__`` of their own go to `numpy.tensordot`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastla
    >>> a, b = np.arange(24).reshape(2, 3, 4), np.arange(12).reshape(4, 3)
    >>> fastla.tensordot(a, b, axes=([1, 2], [1, 0]))
    array([ 440, 1232])
    """
    theirs = overridden("tensordot", "__array_function__", (a, b))
    if theirs is not None:
        return theirs(a, b, axes)  # type: ignore[no-any-return]
    x, y = np.asarray(a), np.asarray(b)
    return _contract(x, y, tensor_pair(x.shape, y.shape, *_axes(axes)), np.result_type(x, y))
