"""Embeddings: rows of a matrix by number, which products with one-hot rows would give; tied to the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from ._initial import Random
from ._layers import Gradients, Layer, as_input
from ._linear import flat, linear, linear_backward
from ._mixed import floats, widened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

_BLOCK = 512  # docs/contract.md: terms of a sum that are added before the total


def _numbers(name: str, tokens: ArrayLike, num: int) -> NDArray[Any]:
    array = np.asarray(tokens)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: tokens are {array.dtype}; they must be of integers")
    if array.size and not (0 <= array.min() and array.max() < num):
        wrong = array[(array < 0) | (array >= num)].flat[0]
        raise ValueError(f"{name}: tokens {array.shape} have {wrong}; they must be from 0 to {num - 1}")
    return array


def embedding_backward(dy: ArrayLike, tokens: ArrayLike, num: int) -> NDArray[Any]:
    """The gradient of a table whose rows were looked up: sums of the rows of dy with the same number.

    Parameters
    ----------
    dy : array_like
        The gradient for what was looked up, (..., size).
    tokens : array_like of int
        (...), from 0 to num - 1.
    num : int
        Rows of the table.

    Returns
    -------
    ndarray
        (num, size), in float32 where dy has 16 bits.

    Raises
    ------
    ValueError
        If the shapes do not fit or there is no such row.
    TypeError
        If `tokens` are not of integers.

    Notes
    -----
    Rows are added in increasing order of their place in `tokens`: the bits are those of the product of the
    transposed one-hot matrix (tokens.size, num) with dy (docs/contract.md). That product is made for 512
    tokens at a time, of those alone that occur there more than once: at most 512 tokens.size size operations.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.embedding_backward([[1.0], [2.0], [4.0]], [2, 0, 2], 3)
    array([[2.],
           [0.],
           [5.]])
    """
    name = "embedding_backward"
    array = _numbers(name, tokens, num)
    gradient = widened(floats(name, dy, "dy"))
    if gradient.shape[:-1] != array.shape or gradient.ndim != array.ndim + 1:
        raise ValueError(
            f"{name}: dy is {gradient.shape}, tokens are {array.shape}; it must have one more axis"
        )
    rows, numbers = flat(gradient), array.reshape(-1)
    total = np.zeros((num, rows.shape[1]), rows.dtype)
    for start in range(0, len(numbers), _BLOCK):
        here, block = numbers[start : start + _BLOCK], rows[start : start + _BLOCK]
        kinds, places, counts = np.unique(here, return_inverse=True, return_counts=True)
        once = counts[places] == 1
        total[here[once]] += block[once]
        often = np.flatnonzero(counts > 1)
        one_hot = (places[~once] == often[:, np.newaxis]).astype(rows.dtype)
        total[kinds[often]] += _core.matmul(one_hot, block[~once])
    return total


class Embedding(Layer):
    """A table of vectors: row i for the token i.

    Parameters
    ----------
    num, size : int
        Rows of the table, and their length.
    scale : float, default 0.02
        Standard deviation of the normal numbers that it begins with.
    rng : numpy.random.Generator or int, optional
        Where they come from.
    dtype : dtype, default float32

    Attributes
    ----------
    parameters : dict
        'weight', (num, size).

    See Also
    --------
    Unembedding, embedding_backward, most_similar

    Notes
    -----
    A look-up is the product of a one-hot row with the table, to the bit, without the multiplications.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.Embedding(10, 4, rng=0)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num: int,
        size: int,
        *,
        scale: float = 0.02,
        rng: Random = None,
        dtype: DTypeLike = np.float32,
    ):
        drawn = np.random.default_rng(rng).standard_normal((num, size))
        drawn *= scale
        self.parameters = {"weight": drawn.astype(dtype, copy=False)}

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        table = self.parameters["weight"]
        tokens = _numbers("Embedding", x, len(table))
        return np.take(table, tokens, axis=0), tokens

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        return None, {"weight": embedding_backward(dy, saved, len(self.parameters["weight"]))}


class Unembedding(Layer):
    """Scores of every token, from the table of an `Embedding`: the same array, used a second time.

    Parameters
    ----------
    embedding : Embedding
        Whose table it shares: ``x @ weight.T``.

    Attributes
    ----------
    parameters : dict
        The embedding's own.

    Notes
    -----
    In a `Sequential` with the embedding the table is one parameter, and the gradients of both uses add.

    References
    ----------
    O. Press, L. Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.

    Examples
    --------
    >>> from fastla import nn
    >>> table = nn.Embedding(10, 4, rng=0)
    >>> model = nn.Sequential(table, nn.LayerNorm(4), nn.Unembedding(table))
    >>> model([1, 2]).shape, sorted(model.parameters)
    ((2, 10), ['0.weight', '1.bias', '1.weight'])
    """

    def __init__(self, embedding: Embedding):
        self.parameters = embedding.parameters

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        table = self.parameters["weight"]
        x = as_input(x, table.dtype)
        return linear(x, table), x

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        found = linear_backward(dy, saved, self.parameters["weight"], inputs=inputs, bias=False)
        assert found.weight is not None
        return found.x, {"weight": found.weight}
