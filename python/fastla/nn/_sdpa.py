"""Attention as PyTorch calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._attention import attention

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    rng: int | np.random.Generator | None = None,
) -> NDArray[Any]:
    """Attention with the signature and meaning of PyTorch's function of that name.

    Parameters
    ----------
    query, key, value : array_like
        (..., heads, queries, size), (..., heads, keys, size), (..., heads, keys, value size).
    attn_mask : array_like, optional
        Of bool: True where a query sees a key. Of floating point: is added to the scores.
    dropout_p : float, default 0
        The share of weights that are made 0; the others are divided by 1 - dropout_p.
    is_causal : bool, default False
        A query sees keys up to its own number, counted from the first (`attention`'s 'upper_left').
    scale : float, optional
        1 / sqrt(size) by default.
    enable_gqa : bool, default False
        Whether heads of queries may share those of keys and values.
    rng : int or Generator, optional
        Which weights `dropout_p` makes 0.

    Returns
    -------
    ndarray
        (..., heads, queries, value size).

    Raises
    ------
    ValueError
        If the shapes do not fit, or both `attn_mask` and `is_causal` are given.

    See Also
    --------
    attention

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> nn.scaled_dot_product_attention(np.zeros((1, 1)), np.zeros((2, 1)), np.array([[1.0], [3.0]]))
    array([[2.]])
    """
    name = "scaled_dot_product_attention"
    if is_causal and attn_mask is not None:
        raise ValueError(f"{name}: attn_mask and is_causal cannot both be given")
    if not enable_gqa:
        heads = [np.shape(x)[-3] for x in (query, key, value) if np.ndim(x) > 2]
        if len(set(heads)) > 1:
            raise ValueError(f"{name}: heads are {heads}; enable_gqa lets them differ")
    mask = None if attn_mask is None else np.asarray(attn_mask)
    keep = mask is not None and mask.dtype == bool
    result: NDArray[Any] = attention(
        query,
        key,
        value,
        mask=mask if keep else None,
        bias=None if keep else mask,
        causal="upper_left" if is_causal else False,
        scale=scale,
        dropout_p=dropout_p,
        rng=rng,
    )
    return result
