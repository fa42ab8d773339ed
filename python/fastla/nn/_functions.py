"""Activations by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._activations import activation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def relu(
    x: ArrayLike, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """max(x, 0) of each element.

    Parameters
    ----------
    x : array_like
        As of `activation`.
    out : ndarray, optional
        Of the shape and dtype of `x`.
    num_threads : int, optional
        Threads to use at most.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`; a NaN stays.

    Raises
    ------
    ValueError
        If `out` does not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.relu([-1.0, 2.0])
    array([0., 2.])
    """
    return activation(x, "relu", out=out, num_threads=num_threads)


def gelu(
    x: ArrayLike,
    *,
    approximate: str = "none",
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """x times the normal distribution's function at x.

    Parameters
    ----------
    x : array_like
        As of `activation`.
    approximate : {'none', 'tanh'}, default 'none'
        By the error function, or by the hyperbolic tangent of a cubic polynomial.
    out : ndarray, optional
        Of the shape and dtype of `x`.
    num_threads : int, optional
        Threads to use at most.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If `approximate` is something else, or `out` does not fit.

    References
    ----------
    D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415, 2016.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.gelu([0.0, 1.0]).round(4)
    array([0.    , 0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is {approximate!r}; it must be 'none' or 'tanh'")
    name = "gelu" if approximate == "none" else "gelu_tanh"
    return activation(x, name, out=out, num_threads=num_threads)


def silu(
    x: ArrayLike, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """x sigmoid(x) of each element.

    Parameters
    ----------
    x : array_like
        As of `activation`.
    out : ndarray, optional
        Of the shape and dtype of `x`.
    num_threads : int, optional
        Threads to use at most.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If `out` does not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.silu([0.0, 1.0]).round(4)
    array([0.    , 0.7311])
    """
    return activation(x, "silu", out=out, num_threads=num_threads)


def tanh(
    x: ArrayLike, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """The hyperbolic tangent of each element.

    Parameters
    ----------
    x : array_like
        As of `activation`.
    out : ndarray, optional
        Of the shape and dtype of `x`.
    num_threads : int, optional
        Threads to use at most.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If `out` does not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.tanh([0.0, 1.0]).round(4)
    array([0.    , 0.7616])
    """
    return activation(x, "tanh", out=out, num_threads=num_threads)


def sigmoid(
    x: ArrayLike, *, out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]:
    """1 / (1 + exp(-x)) of each element.

    Parameters
    ----------
    x : array_like
        As of `activation`.
    out : ndarray, optional
        Of the shape and dtype of `x`.
    num_threads : int, optional
        Threads to use at most.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If `out` does not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.sigmoid([0.0, 1.0]).round(4)
    array([0.5   , 0.7311])
    """
    return activation(x, "sigmoid", out=out, num_threads=num_threads)
