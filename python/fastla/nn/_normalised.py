"""What layer and RMS normalisation have in common: rows, with weight and bias as vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class NormGradients(NamedTuple):
    """The gradients of a normalisation's operands.

    Attributes
    ----------
    x : ndarray
    weight, bias : ndarray or None
        None where there was none.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.layer_norm_backward([[1.0, 0.0]], [[1.0, 3.0]]).weight is None
    True
    """

    x: NDArray[Any]
    weight: NDArray[Any] | None
    bias: NDArray[Any] | None


class Normalised:
    """x as rows over the axes from `axis` on, with weight and bias as vectors."""

    def __init__(self, name: str, x: ArrayLike, weight: Any, bias: Any, axis: int):
        self.name, self.array = name, _rows.floats(name, x)
        start = _rows.last_axis(name, self.array, axis)
        self.normal_shape = self.array.shape[start:]
        self.columns = math.prod(self.normal_shape)
        self.rows = _rows.matrix(self.array, self.columns)
        self.wide = _rows.wide(self.array.dtype)
        self.weight, self.bias = self._vector("weight", weight), self._vector("bias", bias)

    def _vector(self, what: str, x: Any) -> NDArray[Any] | None:
        if x is None:
            return None
        vector = _rows.floats(self.name, x, what)
        if vector.shape != self.normal_shape:
            raise ValueError(
                f"{self.name}: {what} is {vector.shape}, x is {self.array.shape}; "
                f"it must be {self.normal_shape}"
            )
        vector = np.ascontiguousarray(vector, self.wide)
        return vector if vector.ndim == 1 else vector.reshape(-1)

    def output(self, out: NDArray[Any] | None, *operands: NDArray[Any]) -> _rows.Output:
        return _rows.Output(self.name, out, self.array, self.columns, None, (self.rows, *operands))


def forward(
    name: str,
    x: ArrayLike,
    weight: Any,
    bias: Any,
    axis: int,
    eps: float,
    out: NDArray[Any] | None,
    num_threads: int | None,
) -> NDArray[Any]:
    n = Normalised(name, x, weight, bias, axis)
    to = n.output(out)
    threads = _rows.threads_of(name, num_threads)
    _rows.run(
        name, n.rows, None, to.rows, weight=n.weight, bias=n.bias, param=float(eps), threads=threads
    )
    return to.result()


def backward(
    name: str,
    dy: ArrayLike,
    x: ArrayLike,
    weight: Any,
    bias: bool,
    axis: int,
    eps: float,
    num_threads: Any,
) -> NormGradients:
    n = Normalised(name, x, weight, None, axis)
    gradient = _rows.matrix(_rows.like(name, "dy", dy, n.array), n.columns)
    threads = _rows.threads_of(name, num_threads)
    stats = np.empty((2, len(n.rows)), n.wide)
    forward = name.removesuffix("_backward")
    _rows.run(forward, n.rows, stats=(stats[0], stats[1]), param=float(eps), threads=threads)
    to = n.output(None)
    sums = tuple(
        np.empty(n.columns, n.wide) if asked else None for asked in (weight is not None, bias)
    )
    _rows.run(
        name,
        gradient,
        n.rows,
        to.rows,
        weight=n.weight,
        stats=(stats[0], stats[1]),
        sums=sums,
        threads=threads,
    )
    vectors = (None if s is None else s.reshape(n.normal_shape) for s in sums)
    return NormGradients(to.result(), *vectors)
