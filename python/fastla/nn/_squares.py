"""Mean squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._vectors import vecdot
from . import _rows
from ._mixed import floats, rounded, widened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _difference(name: str, prediction: ArrayLike, target: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    array = floats(name, prediction, "prediction")
    wide = widened(array)
    return array, wide - _rows.like(name, "target", target, wide)


def mse(prediction: ArrayLike, target: ArrayLike) -> Any:
    """The mean of the squares of the differences.

    Parameters
    ----------
    prediction : array_like
        float32, float64, float16 or bfloat16.
    target : array_like
        Of the same shape.

    Returns
    -------
    scalar
        In float32 for predictions of 16 bits; NaN where there is nothing.

    Raises
    ------
    ValueError
        If the shapes differ.

    See Also
    --------
    mse_backward

    Notes
    -----
    Squares are summed by `fastla.vecdot`.

    Examples
    --------
    >>> from fastla import nn
    >>> float(nn.mse([1.0, 2.0], [1.0, 4.0]))
    2.0
    """
    _, d = _difference("mse", prediction, target)
    row = d.reshape(-1)
    return d.dtype.type(vecdot(row, row) / d.size) if d.size else d.dtype.type("nan")


def mse_backward(prediction: ArrayLike, target: ArrayLike) -> NDArray[Any]:
    """The gradient of `mse` for the prediction.

    Parameters
    ----------
    prediction : array_like
        float32, float64, float16 or bfloat16.
    target : array_like
        Of the same shape.

    Returns
    -------
    ndarray
        2 (prediction - target) / size, of the shape and dtype of `prediction`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.mse_backward([1.0, 2.0], [1.0, 4.0])
    array([ 0., -2.])
    """
    array, d = _difference("mse_backward", prediction, target)
    if d.size:
        d *= 2 / d.size
    return rounded(d, array)
