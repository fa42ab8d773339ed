"""Layer and RMS normalisation, with backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._normalised import NormGradients, backward, forward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def layer_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    axis: int = -1,
    eps: float = 1e-5,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Each row less its mean, divided by its standard deviation.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16; integers are taken as float64.
    weight, bias : array_like, optional
        Factor and summand of the normalised elements, of the shape ``x.shape[axis:]``.
    axis : int, default -1
        The first of the axes that are normalised together.
    eps : float, default 1e-5
        Is added to the variance.
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
        If the shapes do not fit or there is no such axis.
    TypeError
        If an operand is not of floating point.

    See Also
    --------
    layer_norm_backward, rms_norm

    Notes
    -----
    One read and one write of memory. The variance is the mean of squares of x less the mean. The bits
    depend on the row alone (docs/rows.md).

    References
    ----------
    J. Ba, J. Kiros, G. Hinton, "Layer Normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.layer_norm([[1.0, 3.0]], eps=0)
    array([[-1.,  1.]])
    """
    return forward("layer_norm", x, weight, bias, axis, eps, out, num_threads)


def rms_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    axis: int = -1,
    eps: float = 1e-6,
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Each row divided by the root of the mean of its squares.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16; integers are taken as float64.
    weight : array_like, optional
        Factor of the normalised elements, of the shape ``x.shape[axis:]``.
    axis : int, default -1
        The first of the axes that are normalised together.
    eps : float, default 1e-6
        Is added to the mean of squares.
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
        If the shapes do not fit or there is no such axis.
    TypeError
        If an operand is not of floating point.

    Notes
    -----
    As of `layer_norm`.

    References
    ----------
    B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.rms_norm([[3.0, 4.0, 0.0, 0.0]], eps=0)
    array([[1.2, 1.6, 0. , 0. ]])
    """
    return forward("rms_norm", x, weight, None, axis, eps, out, num_threads)


def layer_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    bias: bool = False,
    axis: int = -1,
    eps: float = 1e-5,
    num_threads: int | None = None,
) -> NormGradients:
    """The gradients of `layer_norm`.

    Parameters
    ----------
    dy : array_like
        The gradient for the result, of the shape of `x`.
    x, weight : array_like
        As of `layer_norm`.
    bias : bool, default False
        Whether there was a bias, so that its gradient is wanted.
    axis, eps : int, float
        As of `layer_norm`.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    NormGradients
        For x, in its dtype; for weight, if there was one, and for bias: in float32 where x has 16 bits.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Gradients of weight and bias are sums over blocks of 64 rows, added in order (docs/rows.md).

    Examples
    --------
    >>> from fastla import nn
    >>> nn.layer_norm_backward([[1.0, 1.0]], [[1.0, 3.0]], [2.0, 2.0], bias=True).bias
    array([1., 1.])
    """
    return backward("layer_norm_backward", dy, x, weight, bias, axis, eps, num_threads)


def rms_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    axis: int = -1,
    eps: float = 1e-6,
    num_threads: int | None = None,
) -> NormGradients:
    """The gradients of `rms_norm`.

    Parameters
    ----------
    dy : array_like
        The gradient for the result, of the shape of `x`.
    x, weight : array_like
        As of `rms_norm`.
    axis, eps : int, float
        As of `rms_norm`.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    NormGradients
        For x and, if there was one, for weight; `bias` is None.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.rms_norm_backward([[1.0, 0.0]], [[1.0, 1.0]], [1.0, 1.0], eps=0).x
    array([[ 0.5, -0.5]])
    """
    return backward("rms_norm_backward", dy, x, weight, False, axis, eps, num_threads)
