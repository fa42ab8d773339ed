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
        if classes.dtype == np.uint64:  # beyond int64 there are no classes either
            classes = np.minimum(classes, np.uint64(np.iinfo(np.int64).max))
        given = np.ascontiguousarray(classes, np.int64).reshape(-1)
        self.target = np.empty_like(given)
        self.count = _core.classes(given, self.columns, ignore_index, self.target)
        if self.count < 0:
            raise ValueError(
                f"{name}: target has the class {given[-1 - self.count]}; logits {self.array.shape} "
                f"have {self.columns} classes"
            )
        self.rows = _rows.matrix(self.array, self.columns)
        self.wide = _rows.wide(self.array.dtype)
        self.stats = np.empty((2, len(given)), self.wide)

    def losses(self, name: str, smoothing: float, threads: int) -> None:
        """Fills stats: losses, and logarithms of sums of exponentials."""
        if not 0 <= smoothing <= 1:
            raise ValueError(f"{name}: label_smoothing is {smoothing}; it must be between 0 and 1")
        self.smoothing, self.threads = float(smoothing), threads
        self._run("cross_entropy")

    def total(self, reduction: str) -> Any:
        """The losses' sum or mean."""
        losses = self.stats[0].astype(np.float64)
        total = _core.matmul(losses, np.ones(len(losses)))
        if reduction == "mean":
            total = total / self.count if self.count else np.float64("nan")
        return self.wide.type(total)

    def gradient(self, name: str, of_losses: Any, out: NDArray[Any] | None) -> NDArray[Any]:
        """After `losses`, in whose place the gradients for them go."""
        self.stats[0] = of_losses
        to = _rows.Output(name, out, self.array, self.columns, None, (self.rows,))
        self._run("cross_entropy_backward", to.rows)
        return to.result()

    def _run(self, operation: str, out: NDArray[Any] | None = None) -> None:
        _core.row_op(
            operation,
            self.rows,
            None,
            out,
            stats=(self.stats[0], self.stats[1]),
            target=self.target,
            param=self.smoothing,
            threads=self.threads,
        )


def loss_and_gradient(
    logits: ArrayLike, target: ArrayLike, ignore_index: int = -100, out: NDArray[Any] | None = None
) -> tuple[float, NDArray[Any]]:
    """The mean `cross_entropy` and its gradient: the logits' logarithms are computed once."""
    c = _Classified("cross_entropy", logits, target, ignore_index, "mean")
    c.losses("cross_entropy", 0.0, 0)
    loss = float(c.total("mean"))
    return loss, c.gradient("cross_entropy", 1 / max(c.count, 1), out)


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
    if reduction == "none":
        return c.stats[0].reshape(c.array.shape[:-1])
    return c.total(reduction)


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
    c.losses(name, label_smoothing, _rows.threads_of(name, num_threads))
    gradient = np.asarray(loss_gradient, np.float64)
    wanted = c.array.shape[:-1] if reduction == "none" else ()
    if gradient.ndim and gradient.shape != wanted:
        raise ValueError(f"{name}: loss_gradient is {gradient.shape}; it must be () or {wanted}")
    if reduction == "mean" and c.count:
        gradient = gradient / c.count
    return c.gradient(name, gradient.reshape(-1) if gradient.ndim else gradient, out)
