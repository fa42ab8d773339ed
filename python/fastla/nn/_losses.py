"""Cross entropy of logits and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from . import _rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_REDUCTIONS = ("mean", "sum", "none")


class _Classified:
    """Logits as rows, and their classes, -1 where there is none."""

    def __init__(
        self, name: str, logits: ArrayLike, target: ArrayLike, ignore_index: int, reduction: str
    ):
        if reduction not in _REDUCTIONS:
            raise ValueError(f"{name}: reduction is {reduction!r}; it must be one of {_REDUCTIONS}")
        self.array = _rows.floats(name, logits, "logits")
        if self.array.ndim == 0:
            raise ValueError(f"{name}: logits is (); its last axis must be the classes'")
        classes = np.asarray(target)
        if classes.dtype.kind not in "iu":
            raise TypeError(f"{name}: target is {classes.dtype}; it must be of integers")
        if classes.shape != self.array.shape[:-1]:
            raise ValueError(
                f"{name}: target is {classes.shape}, logits is {self.array.shape}; "
                f"it must be {self.array.shape[:-1]}"
            )
        self.columns = self.array.shape[-1]
        kept = classes != ignore_index
        wrong = kept & ((classes < 0) | (classes >= self.columns))
        if wrong.any():
            raise ValueError(
                f"{name}: target has the class {classes[wrong][0]}; logits {self.array.shape} "
                f"have {self.columns} classes"
            )
        self.target = np.ascontiguousarray(np.where(kept, classes, -1), np.int64).reshape(-1)
        self.count = int(kept.sum())
        self.rows = _rows.matrix(self.array, self.columns)
        self.wide = _rows.wide(self.array.dtype)
        self.stats = np.empty((2, len(self.rows)), self.wide)

    def losses(self, name: str, smoothing: float, threads: int) -> None:
        """Fills stats: losses, and logarithms of sums of exponentials."""
        if not 0 <= smoothing <= 1:
            raise ValueError(f"{name}: label_smoothing is {smoothing}; it must be between 0 and 1")
        stats = self.stats[0], self.stats[1]
        _rows.run(
            "cross_entropy",
            self.rows,
            stats=stats,
            target=self.target,
            param=float(smoothing),
            threads=threads,
        )


def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    num_threads: int | None = None,
) -> Any:
    """The negative logarithm of the probability that softmax gives to the right class.

    Parameters
    ----------
    logits : array_like
        (..., classes); float32, float64, float16 or bfloat16.
    target : array_like of int
        (...); the right classes.
    ignore_index : int, default -100
        Rows with this target do not count.
    label_smoothing : float, default 0
        The share of the target that is spread over all classes.
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        Over the rows that count.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    scalar or ndarray
        In float32 for logits of 16 bits. 'none': a loss for each row, 0 where it does not count. The mean
        of no rows is NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class does not exist.
    TypeError
        If `target` is not of integers.

    See Also
    --------
    cross_entropy_backward

    Notes
    -----
    The logits are read once; no probabilities are stored. Losses are summed in float64, as a product with
    ones is: the bits of a mean do not depend on threads either (docs/rows.md).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> round(float(nn.cross_entropy(np.log([[1.0, 3.0], [2.0, 2.0]]), [1, 0])), 6)
    0.490415
    """
    c = _Classified("cross_entropy", logits, target, ignore_index, reduction)
    c.losses("cross_entropy", label_smoothing, _rows.threads_of("cross_entropy", num_threads))
    losses = c.stats[0]
    if reduction == "none":
        return losses.reshape(c.array.shape[:-1])
    total = _core.matmul(losses.astype(np.float64), np.ones(len(losses)))
    if reduction == "mean":
        total = total / c.count if c.count else np.float64("nan")
    return c.wide.type(total)


def cross_entropy_backward(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    loss_gradient: ArrayLike = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]:
    """The gradient of `cross_entropy` for the logits.

    Parameters
    ----------
    logits, target : array_like
        As of `cross_entropy`.
    loss_gradient : float or array_like, default 1
        The gradient for the loss: a number, or with 'none' one for each row.
    ignore_index, label_smoothing, reduction : int, float, str
        As of `cross_entropy`.
    out : ndarray, optional
        Of the shape and dtype of `logits`; may be `logits` itself.
    num_threads : int, optional
        Threads to use at most, instead of `get_num_threads()`.

    Returns
    -------
    ndarray
        Of the shape and dtype of `logits`: the probabilities less the target's, scaled.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class does not exist.
    TypeError
        If `target` is not of integers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.cross_entropy_backward(np.log([[1.0, 3.0]]), [1])
    array([[ 0.25, -0.25]])
    """
    name = "cross_entropy_backward"
    c = _Classified(name, logits, target, ignore_index, reduction)
    threads = _rows.threads_of(name, num_threads)
    c.losses(name, label_smoothing, threads)
    gradient = np.asarray(loss_gradient, np.float64)
    wanted = c.array.shape[:-1] if reduction == "none" else ()
    if gradient.ndim and gradient.shape != wanted:
        raise ValueError(f"{name}: loss_gradient is {gradient.shape}; it must be () or {wanted}")
    if reduction == "mean" and c.count:
        gradient = gradient / c.count
    c.stats[0] = gradient.reshape(-1) if gradient.ndim else gradient
    to = _rows.Output(name, out, c.array, c.columns, None, (c.rows,))
    _rows.run(
        name,
        c.rows,
        None,
        to.rows,
        stats=(c.stats[0], c.stats[1]),
        target=c.target,
        param=float(label_smoothing),
        threads=threads,
    )
    return to.result()
