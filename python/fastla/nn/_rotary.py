"""Rotary positions: pairs of a head's elements, turned by angles that grow with the position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from . import _rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


class Turns(NamedTuple):
    """Cosines and sines of the angles, (..., tokens, size / 2)."""

    cos: NDArray[Any]
    sin: NDArray[Any]


def rotary_frequencies(
    size: int, base: float = 10000.0, scaling: Mapping[str, Any] | None = None
) -> NDArray[np.float64]:
    """Angles of the pairs of a head's elements, for one step of the position.

    Parameters
    ----------
    size : int
        Of a head; even.
    base : float, default 10000
        Pair i turns by base^(-2 i / size).
    scaling : mapping, optional
        For positions beyond those of training, as in configurations of Hugging Face: `rope_type` (or `type`)
        is "linear", with `factor`, or "llama3", with `factor`, `low_freq_factor`, `high_freq_factor` and
        `original_max_position_embeddings`, or "default".

    Returns
    -------
    ndarray of float64
        (size / 2,).

    Raises
    ------
    ValueError
        If the size is odd, or the kind of scaling is unknown or lacks a number.

    See Also
    --------
    rotary

    Examples
    --------
    >>> from fastla import nn
    >>> nn.rotary_frequencies(4)
    array([1.  , 0.01])
    >>> nn.rotary_frequencies(4, scaling={"rope_type": "linear", "factor": 2.0})
    array([0.5  , 0.005])
    """
    if size % 2 or size < 0:
        raise ValueError(f"rotary_frequencies: size is {size}; it must be even")
    plain = base ** (-np.arange(0, size, 2, dtype=np.float64) / size)
    scaling = scaling or {"rope_type": "default"}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "default":
        return plain

    def number(name: str) -> float:
        if name not in scaling:
            raise ValueError(f"rotary_frequencies: scaling {kind!r} needs {name!r}")
        return float(scaling[name])

    if kind == "linear":
        return plain / number("factor")
    if kind == "llama3":
        low, high = number("low_freq_factor"), number("high_freq_factor")
        turns = number("original_max_position_embeddings") * plain / (2 * np.pi)
        kept = np.clip((turns - low) / (high - low), 0, 1)  # 1 for what turns often
        return plain * kept + plain / number("factor") * (1 - kept)
    raise ValueError(
        f"rotary_frequencies: scaling is {kind!r}; it must be 'default', 'linear' or 'llama3'"
    )


def turns(positions: ArrayLike, frequencies: NDArray[Any], dtype: Any) -> Turns:
    """The tables for some positions, computed in float64."""
    angles = np.asarray(positions, np.float64)[..., np.newaxis] * frequencies
    return Turns(np.cos(angles).astype(dtype), np.sin(angles).astype(dtype))


def turn(
    x: NDArray[Any],
    by: Turns,
    interleaved: bool,
    out: NDArray[Any] | None = None,
    *,
    back: bool = False,
) -> NDArray[Any]:
    """Each pair (a, b) becomes (a cos - b sin, b cos + a sin); back: by the opposite angles.

    `out` may be x itself.
    """
    if out is None:
        out = np.empty(x.shape, x.dtype)
    wide = _rows.wide(x.dtype)
    if by.cos.dtype != wide:
        by = Turns(by.cos.astype(wide), by.sin.astype(wide))
    if x.ndim > 4:
        shape = (*x.shape[:-1], x.shape[-1] // 2)
        tables = [np.broadcast_to(table, shape) for table in by]
        for part, cos, sin, to in zip(x, *tables, out, strict=True):
            turn(part, Turns(cos, sin), interleaved, to, back=back)
    else:
        _core.turn(x, *by, out, interleaved, back, 0)
    return out


def _turned(
    name: str,
    x: ArrayLike,
    positions: ArrayLike,
    base: float,
    interleaved: bool,
    frequencies: ArrayLike | None,
    back: bool,
) -> NDArray[Any]:
    array = _rows.floats(name, x)
    places = np.asarray(positions)
    if places.dtype.kind not in "iuf":
        raise TypeError(f"{name}: positions is {places.dtype}; it must be of numbers")
    try:
        fits = (
            array.ndim and np.broadcast_shapes(places.shape, array.shape[:-1]) == array.shape[:-1]
        )
    except ValueError:
        fits = False
    if not fits or array.shape[-1] % 2:
        raise ValueError(
            f"{name}: x is {array.shape}, positions is {places.shape}; "
            "it must broadcast to x.shape[:-1], and x.shape[-1] must be even"
        )
    if frequencies is None:
        angles = rotary_frequencies(array.shape[-1], base)
    else:
        angles = np.asarray(frequencies, np.float64)
        if angles.shape != (array.shape[-1] // 2,):
            raise ValueError(
                f"{name}: frequencies is {angles.shape}, x is {array.shape}; "
                f"it must be ({array.shape[-1] // 2},)"
            )
    if array.shape[-1] > 1 and array.strides[-1] != array.itemsize:
        array = np.ascontiguousarray(array)
    return turn(array, turns(places, angles, _rows.wide(array.dtype)), interleaved, back=back)


def rotary(
    x: ArrayLike,
    positions: ArrayLike,
    base: float = 10000.0,
    interleaved: bool = False,
    *,
    frequencies: ArrayLike | None = None,
) -> NDArray[Any]:
    """Queries or keys with their positions in them: products of two depend on the distance alone.

    Parameters
    ----------
    x : array_like
        (..., tokens, size), the size even; float32, float64, float16 or bfloat16.
    positions : array_like
        Broadcasts to (..., tokens).
    base : float, default 10000
        As of `rotary_frequencies`.
    interleaved : bool, default False
        Whether neighbours (0, 1), (2, 3), ... are turned together; else element i and i + size / 2, which
        is Hugging Face's convention.
    frequencies : array_like, optional
        (size / 2,), instead of those that `base` gives.

    Returns
    -------
    ndarray
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If `x` is not of floating point.

    See Also
    --------
    rotary_backward, rotary_frequencies

    Notes
    -----
    Angles, cosines and sines are computed in float64 and rounded once.

    References
    ----------
    J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.rotary([[1.0, 0.0], [1.0, 0.0]], [0, np.pi / 2]).round(6)
    array([[1., 0.],
           [0., 1.]])
    """
    return _turned("rotary", x, positions, base, interleaved, frequencies, False)


def rotary_backward(
    dy: ArrayLike,
    positions: ArrayLike,
    base: float = 10000.0,
    interleaved: bool = False,
    *,
    frequencies: ArrayLike | None = None,
) -> NDArray[Any]:
    """The gradient for x of ``y = rotary(x, positions)``: turned back.

    Parameters
    ----------
    dy : array_like
        The gradient for y, of its shape.
    positions : array_like
    base : float, default 10000
    interleaved : bool, default False
    frequencies : array_like, optional
        As of `rotary`.

    Returns
    -------
    ndarray
        Of the shape and dtype of `dy`.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.rotary_backward(nn.rotary([[3.0, 4.0]], [7]), [7]).round(6)
    array([[3., 4.]])
    """
    return _turned("rotary_backward", dy, positions, base, interleaved, frequencies, True)
