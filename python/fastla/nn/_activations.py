"""Activations, element by element, with the bits that products' epilogues give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PIECE = 4096  # elements of a row


def _rows_of(x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """As rows, of whatever length: contiguous arrays in pieces that several threads can share."""
    columns = x.shape[-1] if x.ndim else 1
    if x.size and x.flags.c_contiguous and x.size % _PIECE == 0:
        columns = _PIECE
    return _rows.matrix(x, columns), columns


def activation(
    x: ArrayLike,
    name: str | None,
    *,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """An activation of each element.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16; integers are taken as float64.
    name : {'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'} or None
        None: `x` as it is.
    out : ndarray, optional
        Of the shape and dtype of `x`; may be `x` itself.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If there is no such activation, or `out` does not fit.

    See Also
    --------
    activation_backward, relu, gelu, silu, tanh, sigmoid

    Notes
    -----
    docs/functions.md has the functions bit by bit, with their errors.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.activation([-1.0, 2.0], "relu")
    array([0., 2.])
    """
    array = _rows.floats("activation", x)
    rows, columns = _rows_of(array)
    to = _rows.Output("activation", out, array, columns, None, (rows,))
    _rows.run(
        "activation",
        rows,
        None,
        to.rows,
        activation=name,
        threads=_rows.threads_of("activation", num_threads),
    )
    return to.result()


def activation_backward(
    dy: ArrayLike,
    x: ArrayLike,
    name: str | None,
    *,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """The gradient for x of ``y = activation(x, name)``.

    Parameters
    ----------
    dy : array_like
        The gradient for y, of the shape of `x`.
    x : array_like
        The activation's argument.
    name : {'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'} or None
    out : ndarray, optional
        Of the shape and dtype of `x`; may be an operand.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        dy times the derivative at `x`; that of relu at 0 is 0.

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such activation.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.activation_backward([1.0, 1.0], [-1.0, 2.0], "relu")
    array([0., 1.])
    """
    function = "activation_backward"
    array = _rows.floats(function, x)
    rows, columns = _rows_of(array)
    gradient = _rows.matrix(_rows.like(function, "dy", dy, array), columns)
    to = _rows.Output(function, out, array, columns, None, (gradient, rows))
    threads = _rows.threads_of(function, num_threads)
    _rows.run(function, gradient, rows, to.rows, activation=name, threads=threads)
    return to.result()


def swiglu(z: NDArray[Any], up: NDArray[Any]) -> NDArray[Any]:
    """silu(z) up, of arrays of one shape and dtype."""
    rows, columns = _rows_of(z)
    to = _rows.Output("swiglu", None, z, columns, None, ())
    _rows.run("swiglu", rows, _rows.matrix(up, columns), to.rows)
    return to.result()


def swiglu_backward(
    dy: NDArray[Any], z: NDArray[Any], up: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The gradients of z and up."""
    rows, columns = _rows_of(z)
    dz, dup = (_rows.Output("swiglu_backward", None, z, columns, None, ()) for _ in range(2))
    others = {"third": _rows.matrix(up, columns), "more": dup.rows}
    _rows.run("swiglu_backward", _rows.matrix(dy, columns), rows, dz.rows, **others)
    return dz.result(), dup.result()
