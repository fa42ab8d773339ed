"""Classes by a network's outputs: the largest, probabilities by softmax, the share that is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._softmax import softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

_ROWS = 4096  # of the input at a time: what lies between layers need not be held for all of them


def parts(x: NDArray[Any]) -> Iterator[slice]:
    """Samples of so many rows; integers may be tokens, each of which is one."""
    rows = x.size // max(len(x) * (1 if x.dtype.kind in "iu" else x.shape[-1]), 1)
    some = max(1, _ROWS // max(rows, 1))
    for start in range(0, max(len(x), 1), some):
        yield slice(start, start + some)


def outputs(model: Callable[[Any], Any], x: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """A model's outputs for some rows after another, which have the bits of all rows at once."""
    for part in parts(x):
        yield part, model(x[part])


def predict_proba(model: Callable[[Any], Any], x: ArrayLike) -> NDArray[Any]:
    """Probabilities of the classes: softmax of a model's outputs.

    Parameters
    ----------
    model : Layer
        Or any function of inputs, (n, ...), that gives outputs, (n, ..., classes).
    x : array_like
        (n, ...).

    Returns
    -------
    ndarray
        (n, ..., classes).

    See Also
    --------
    predict, score

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.predict_proba(lambda x: x, np.log([[1.0, 3.0]]))
    array([[0.25, 0.75]])
    """
    return np.concatenate([softmax(z) for _, z in outputs(model, np.asarray(x))])


def predict(model: Callable[[Any], Any], x: ArrayLike) -> NDArray[Any]:
    """The class of each sample: where a model's output is largest.

    Parameters
    ----------
    model : Layer
        Or any function of inputs, (n, ...), that gives outputs, (n, ..., classes).
    x : array_like
        (n, ...).

    Returns
    -------
    ndarray of int
        (n, ...).

    See Also
    --------
    predict_proba, score

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.predict(lambda x: x, np.array([[1.0, 3.0], [2.0, 0.0]]))
    array([1, 0])
    """
    return np.concatenate([z.argmax(axis=-1) for _, z in outputs(model, np.asarray(x))])


def score(model: Callable[[Any], Any], x: ArrayLike, y: ArrayLike) -> float:
    """The share of samples whose class `predict` finds.

    Parameters
    ----------
    model : Layer
        Or any function of inputs, (n, ...), that gives outputs, (n, ..., classes).
    x : array_like
        (n, ...).
    y : array_like of int
        (n, ...); the right classes.

    Returns
    -------
    float
        From 0 to 1; NaN for no samples.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.score(lambda x: x, np.array([[1.0, 3.0], [2.0, 0.0]]), [1, 1])
    0.5
    """
    found, right = predict(model, x), np.asarray(y)
    if found.shape != right.shape:
        raise ValueError(f"score: y is {right.shape}; predictions are {found.shape}")
    return float(np.mean(found == right)) if found.size else float("nan")
