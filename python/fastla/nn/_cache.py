"""Keys and values of the tokens that were there before, in one piece for each sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Lengths:
    """How many tokens each sequence holds, and the checks that caches have in common."""

    def __init__(self, name: str, batch: int, kv_heads: int, size: int, dtype: Any):
        self.name, self.shape = name, (int(batch), int(kv_heads), int(size))
        if min(self.shape) < 0:
            raise ValueError(
                f"{name}: batch, kv_heads, size are {self.shape}; none may be negative"
            )
        self.dtype = np.dtype(dtype)
        self.lengths = np.zeros(batch, np.int64)

    def __len__(self) -> int:
        return int(self.lengths.max(initial=0))

    def counts(
        self, k: NDArray[Any], v: NDArray[Any], counts: ArrayLike | None
    ) -> NDArray[np.int64]:
        """How many tokens of each sequence are appended."""
        batch, heads, size = self.shape
        wanted = (batch, heads, k.shape[2] if k.ndim == 4 else 1, size)
        if k.shape != wanted or v.shape != wanted or {k.dtype, v.dtype} != {self.dtype}:
            raise ValueError(
                f"{self.name}: k is {k.shape}, {k.dtype}, v is {v.shape}, {v.dtype}; "
                f"they must be ({batch}, {heads}, tokens, {size}), {self.dtype}"
            )
        if counts is None:
            return np.full(batch, k.shape[2], np.int64)
        return self.whole("counts", counts, k.shape[2])

    def whole(
        self, what: str, numbers: ArrayLike, most: int | NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Numbers of tokens, one for each sequence, between 0 and `most`."""
        given = np.asarray(numbers)
        if given.dtype.kind not in "iu" or given.shape not in ((), self.lengths.shape):
            raise ValueError(
                f"{self.name}: {what} is {given.shape}, {given.dtype}; "
                f"it must be a number, or {self.lengths.shape}, of integers"
            )
        each: NDArray[np.int64] = np.broadcast_to(given, self.lengths.shape).astype(np.int64)
        if (each < 0).any() or (each > most).any():
            raise ValueError(
                f"{self.name}: {what} is {given.tolist()}; it must be between 0 and "
                f"{np.asarray(most).tolist()}"
            )
        return each


class KVCache(Lengths):
    """Keys and values of one layer of attention, (batch, kv_heads, length, size), in one piece.

    Parameters
    ----------
    batch, kv_heads, size : int
        Sequences, heads of keys and values, size of a head.
    capacity : int, optional
        The most tokens that a sequence may have. By default the cache grows.
    chunk : int, default 256
        It grows by half of what it has, rounded up to chunks of so many tokens.
    dtype : dtype, default float32

    Attributes
    ----------
    lengths : ndarray of int64
        (batch,); tokens of each sequence.

    See Also
    --------
    PagedKVCache, attention

    Notes
    -----
    Attention with it has the bits of attention with all keys at once, however the tokens were cut into
    calls. ``len(cache)`` is the length of the longest sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> cache = nn.KVCache(1, 1, 2)
    >>> for position in range(3):
    ...     one = np.full((1, 1, 1, 2), position, np.float32)
    ...     keys, values = cache.append(one, one)
    >>> keys[0, 0, :, 0], len(cache)
    (array([0., 1., 2.], dtype=float32), 3)
    >>> cache.truncate(1)
    >>> len(cache)
    1
    """

    def __init__(
        self,
        batch: int,
        kv_heads: int,
        size: int,
        *,
        capacity: int | None = None,
        chunk: int = 256,
        dtype: Any = np.float32,
    ):
        super().__init__("KVCache", batch, kv_heads, size, dtype)
        if chunk < 1 or (capacity is not None and capacity < 0):
            raise ValueError(
                f"KVCache: chunk is {chunk}, capacity is {capacity}; they must be positive"
            )
        self.capacity, self._chunk = capacity, int(chunk)
        self._held = self._room(capacity or 0)

    def _room(self, tokens: int) -> NDArray[Any]:
        """Of keys and of values; what is not written yet is 0."""
        batch, heads, size = self.shape
        return np.zeros((2, batch, heads, tokens, size), self.dtype)

    def append(
        self, k: NDArray[Any], v: NDArray[Any], counts: ArrayLike | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Put tokens behind those of each sequence.

        Parameters
        ----------
        k, v : ndarray
            (batch, kv_heads, tokens, size).
        counts : array_like of int, optional
            (batch,); how many of the tokens are a sequence's, the first ones. Default: all.

        Returns
        -------
        k, v : ndarray
            Views of (batch, kv_heads, length, size): the longest sequence's length, and the new tokens.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a sequence would exceed the capacity; nothing is appended then.
        """
        each, new, starts = self.counts(k, v, counts), k.shape[2], self.lengths
        end = len(self) + new
        most = int((starts + each).max(initial=0))
        if self.capacity is not None and most > self.capacity:
            raise ValueError(
                f"KVCache: lengths would be up to {most}; the capacity is {self.capacity}"
            )
        if end > self._held.shape[3]:
            self._grow(end)
        for held, x in zip(self._held, (k, v), strict=True):
            if (starts == starts[:1]).all():
                held[:, :, end - new : end] = x
            else:
                for i, start in enumerate(starts):
                    held[i, :, start : start + new] = x[i]
        self.lengths = starts + each
        return self._held[0, :, :, :end], self._held[1, :, :, :end]

    def _grow(self, needed: int) -> None:
        tokens = max(needed, self._held.shape[3] * 3 // 2)
        held = self._room(-(-tokens // self._chunk) * self._chunk)
        length = len(self)
        held[:, :, :, :length] = self._held[:, :, :, :length]
        self._held = held

    def truncate(self, lengths: ArrayLike) -> None:
        """Forget the tokens beyond some lengths.

        Parameters
        ----------
        lengths : int or array_like of int
            Of all sequences, or (batch,).

        Raises
        ------
        ValueError
            If a sequence is shorter than that.
        """
        self.lengths = self.whole("lengths", lengths, self.lengths)
