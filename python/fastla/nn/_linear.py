"""Linear layers as functions, with updates of low rank and backward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from . import _rows
from ._activations import activation_backward
from ._lora import LowRank
from ._rows import rounded, widened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class LinearGradients(NamedTuple):
    """The gradients of a linear layer's operands.

    Attributes
    ----------
    x, weight, bias : ndarray or None
        None where it was not asked for.
    lora : (ndarray, ndarray) or None
        For A and B.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.linear_backward([[1.0]], [[2.0, 3.0]], [[4.0, 5.0]]).weight
    array([[2., 3.]])
    """

    x: NDArray[Any] | None
    weight: NDArray[Any] | None
    bias: NDArray[Any] | None
    lora: tuple[NDArray[Any], NDArray[Any]] | None = None


def linear(
    x: ArrayLike,
    w: ArrayLike | _core.PackedMatrix,
    b: ArrayLike | None = None,
    *,
    activation: str | None = None,
    gate: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    lora: tuple[ArrayLike, ArrayLike, float] | None = None,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """A linear layer, ``activation(x @ w.T + b) * gate + residual``, with an update of low rank.

    Parameters
    ----------
    x : array_like
        Input, (..., in).
    w : array_like or PackedMatrix
        Weights, (out, in).
    b : array_like, optional
        Bias, (out,).
    activation : {'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'}, optional
        Applied after the bias.
    gate, residual : array_like, optional
        Factor and summand of the activated result, (..., out).
    lora : (A, B, scale), optional
        A, (r, in), and B, (out, r): the weights are ``w + scale * B A``, which is not formed.
    out : ndarray, optional
        Where to put the result.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        (..., out), in the dtype that the operands promote to; for `x` of 16 bits in that of `x`, rounded
        once, whatever the weights are.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If an operand is not of floating point.

    See Also
    --------
    linear_backward, merge_lora, fastla.linear

    Notes
    -----
    2 m in out operations; `lora` adds 2 m r (in + out). scale (x A^T) B^T, rounded, is added to the product
    in front of the bias. A row's bits do not depend on the rows beside it.

    Examples
    --------
    >>> from fastla import nn
    >>> x, w = [[1.0, -1.0]], [[2.0, 1.0], [0.0, 3.0]]
    >>> nn.linear(x, w, [0.5, 0.5], activation="relu")
    array([[1.5, 0. ]])
    >>> nn.linear(x, w, [0.5, 0.5], activation="relu", lora=([[1.0, 0.0]], [[1.0], [4.0]], 1.0))
    array([[2.5, 1.5]])
    """
    if (
        lora is None
        and type(x) is np.ndarray
        and type(w) is np.ndarray
        and x.dtype == w.dtype in _rows.WIDE
    ):
        return _core.linear(  # as a rule
            x,
            w,
            b,
            activation=activation,
            gate=gate,
            residual=residual,
            out=out,
            num_threads=num_threads,
        )
    array = _rows.floats("linear", x)
    weights = w if isinstance(w, _core.PackedMatrix) else _rows.floats("linear", w, "w")
    options: dict[str, Any] = {"activation": activation, "num_threads": num_threads}
    wide = array if lora is None and array.dtype == weights.dtype else widened(array)
    if lora is None and wide is array:
        return _core.linear(array, weights, b, gate=gate, residual=residual, out=out, **options)
    if lora is None:
        y = _core.linear(wide, weights, b, gate=gate, residual=residual, **options)
    else:
        y = _with_lora(wide, widened(weights), b, gate, residual, lora, options)
    y = rounded(y, array)
    if out is None:
        return y
    _rows.check_out("linear", out, y)
    out[...] = y
    return out


def _with_lora(
    x: NDArray[Any], w: Any, b: Any, gate: Any, residual: Any, lora: Any, options: dict[str, Any]
) -> NDArray[Any]:
    low = LowRank.of("linear", lora, w.shape)
    _check("linear", x, w)
    shape = (*x.shape[:-1], w.shape[0])
    rows = flat(x)
    others: dict[str, Any] = {
        what: flat(_rows.like("linear", what, array, np.broadcast_to(np.empty((), x.dtype), shape)))
        for what, array in (("gate", gate), ("residual", residual))
        if array is not None
    }
    c = low.product(rows, options["num_threads"])
    return _core.gemm(rows, w.T, beta=1.0, c=c, bias=b, **others, **options).reshape(shape)


def linear_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike | _core.PackedMatrix,
    *,
    z: ArrayLike | None = None,
    activation: str | None = None,
    inputs: bool = True,
    weight: bool = True,
    bias: bool = True,
    lora: tuple[ArrayLike, ArrayLike, float] | None = None,
    num_threads: int | None = None,
) -> LinearGradients:
    """The gradients of `linear`, without gate and residual.

    Parameters
    ----------
    dy : array_like
        The gradient for the result, (..., out).
    x, w : array_like
        As of `linear`.
    z : array_like, optional
        The activation's argument, (..., out), as `linear` gives it without activation. For relu the result
        itself will do.
    activation : {'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'}, optional
        That of `linear`.
    inputs, weight, bias : bool, default True
        Whether the gradients for `x`, `w` and `b` are wanted.
    lora : (A, B, scale), optional
        As of `linear`; its gradients are given besides.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    LinearGradients
        With dz = dy * activation'(z): for x, dz W, in the dtype of x; for the weights, dz^T x, and for the
        bias the sums of dz over the rows, both in float32 for operands of 16 bits.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `z` is missing.

    Notes
    -----
    2 m in out operations for x, as many for the weights. Nothing is transposed in memory. The sums over rows
    are products with ones: every bit is that of docs/contract.md.

    Examples
    --------
    >>> from fastla import nn
    >>> g = nn.linear_backward([[1.0], [10.0]], [[2.0, 3.0], [1.0, 1.0]], [[4.0, 5.0]])
    >>> g.x, g.weight, g.bias
    (array([[ 4.,  5.],
           [40., 50.]]), array([[12., 13.]]), array([11.]))
    """
    name = "linear_backward"
    array = _rows.floats(name, x)
    weights = w if isinstance(w, _core.PackedMatrix) else _rows.floats(name, w, "w")
    _check(name, array, weights)
    shape = (*array.shape[:-1], weights.shape[0])
    gradient = _rows.floats(name, dy, "dy")
    if gradient.shape != shape:
        raise ValueError(f"{name}: dy is {gradient.shape}; it must be {shape}")
    if activation is not None:
        if z is None:
            raise ValueError(
                f"{name}: the activation {activation!r} needs z, its argument, {shape}"
            )
        gradient = activation_backward(gradient, z, activation, num_threads=num_threads)
    rows, dz = flat(widened(array)), flat(widened(gradient))
    weights = widened(weights)
    dx = dw = db = low = None
    if lora is not None:
        summand, low = LowRank.of(name, lora, weights.shape).backward(dz, rows, num_threads)
    if inputs and lora is not None:
        dx = _core.gemm(dz, weights, beta=1.0, c=summand, num_threads=num_threads)
    elif inputs:
        dx = _core.matmul(dz, weights, num_threads=num_threads)
    if dx is not None:
        dx = rounded(dx.reshape(array.shape), array)
    if weight:
        dw = _core.matmul(dz.T, rows, num_threads=num_threads)
    if bias:
        db = _core.matmul(np.ones(len(dz), dz.dtype), dz, num_threads=num_threads)
    return LinearGradients(dx, dw, db, low)


def flat(x: NDArray[Any]) -> NDArray[Any]:
    """The leading dimensions as one: a view where the strides allow it."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _check(name: str, x: NDArray[Any], w: Any) -> None:
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ValueError(
            f"{name}: x is {x.shape}, w is {w.shape}; their last dimensions must be equal, w a matrix"
        )
