"""softmax and log_softmax along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _forward(
    name: str, x: ArrayLike, axis: int, out: NDArray[Any] | None, num_threads: int | None
) -> NDArray[Any]:
    array = _rows.floats(name, x)
    place = _rows.last_axis(name, array, axis)
    columns = array.shape[place]
    rows = _rows.matrix(array, columns, place)
    to = _rows.Output(name, out, array, columns, place, (rows,))
    _rows.run(name, rows, None, to.rows, threads=_rows.threads_of(name, num_threads))
    return to.result()


def _backward(
    name: str,
    dy: ArrayLike,
    y: ArrayLike,
    axis: int,
    out: NDArray[Any] | None,
    num_threads: int | None,
) -> NDArray[Any]:
    array = _rows.floats(name, y, "y")
    place = _rows.last_axis(name, array, axis)
    columns = array.shape[place]
    rows = _rows.matrix(array, columns, place)
    gradient = _rows.matrix(_rows.like(name, "dy", dy, array), columns, place)
    to = _rows.Output(name, out, array, columns, place, (gradient, rows))
    _rows.run(name, gradient, rows, to.rows, threads=_rows.threads_of(name, num_threads))
    return to.result()


def softmax(
    x: ArrayLike, axis: int = -1, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """Exponentials of the elements along an axis, divided by their sum.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16; integers are taken as float64.
    axis : int, default -1
        Another one than the last is copied.
    out : ndarray, optional
        Of the shape and dtype of `x`; may be `x` itself.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`. Rows with a NaN, with +Inf or with nothing but -Inf are NaN.

    Raises
    ------
    ValueError
        If there is no such axis, or `out` does not fit.
    TypeError
        If `x` is not of floating point.

    See Also
    --------
    log_softmax, softmax_backward, attention

    Notes
    -----
    One read and one write of memory. The bits depend on the row alone (docs/rows.md); no warnings.
    Elements more than 87 (float64: 708) below the largest give 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.softmax(np.log([[1.0, 3.0], [1.0, 1.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    return _forward("softmax", x, axis, out, num_threads)


def log_softmax(
    x: ArrayLike, axis: int = -1, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """The logarithm of softmax, which does not lose what is small.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16; integers are taken as float64.
    axis : int, default -1
        Another one than the last is copied.
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
        If there is no such axis, or `out` does not fit.
    TypeError
        If `x` is not of floating point.

    Notes
    -----
    As of `softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return _forward("log_softmax", x, axis, out, num_threads)


def softmax_backward(
    dy: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """The gradient for x of ``y = softmax(x)``.

    Parameters
    ----------
    dy : array_like
        The gradient for `y`, of its shape.
    y : array_like
        What `softmax` gave.
    axis : int, default -1
    out : ndarray, optional
        Of the shape and dtype of `y`; may be an operand.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        y (dy - sum(dy y)), of the shape and dtype of `y`.

    Raises
    ------
    ValueError
        If the shapes differ or there is no such axis.

    Notes
    -----
    Each operand is read once.

    Examples
    --------
    >>> from fastla import nn
    >>> y = nn.softmax([0.0, 0.0])
    >>> nn.softmax_backward([1.0, 0.0], y)
    array([ 0.25, -0.25])
    """
    return _backward("softmax_backward", dy, y, axis, out, num_threads)


def log_softmax_backward(
    dy: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """The gradient for x of ``y = log_softmax(x)``.

    Parameters
    ----------
    dy : array_like
        The gradient for `y`, of its shape.
    y : array_like
        What `log_softmax` gave.
    axis : int, default -1
    out : ndarray, optional
        Of the shape and dtype of `y`; may be an operand.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        dy - exp(y) sum(dy), of the shape and dtype of `y`.

    Raises
    ------
    ValueError
        If the shapes differ or there is no such axis.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.log_softmax_backward([1.0, 0.0], nn.log_softmax([0.0, 0.0]))
    array([ 0.5, -0.5])
    """
    return _backward("log_softmax_backward", dy, y, axis, out, num_threads)
