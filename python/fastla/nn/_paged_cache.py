"""Keys and values of the tokens that were there before, in pages that sequences take as they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._cache import Lengths

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class PagedKVCache(Lengths):
    """Keys and values of one layer of attention, in pages: memory follows each sequence's own length.

    Parameters
    ----------
    batch, kv_heads, size : int
        Sequences, heads of keys and values, size of a head.
    pages : int, optional
        The most pages that all sequences have together. By default there are as many as it takes.
    page_size : int, default 16
        Tokens of a page.
    dtype : dtype, default float32

    Attributes
    ----------
    lengths : ndarray of int64
        (batch,); tokens of each sequence.
    table : ndarray of int32
        (batch, most pages of a sequence); where token t of a sequence is: row t % page_size of page
        table[sequence, t // page_size]. -1 where there is none.
    key_pages, value_pages : ndarray
        (pages, kv_heads, page_size, size).

    See Also
    --------
    KVCache, attention

    Notes
    -----
    A sequence's pages need not be neighbours; those that `truncate` frees are taken again. Attention takes
    the pages gathered into one piece; its bits are those with a `KVCache`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> cache = nn.PagedKVCache(2, 1, 4, page_size=2)
    >>> x = np.ones((2, 1, 3, 4), np.float32)
    >>> keys, values = cache.append(x, x, counts=[3, 1])
    >>> cache.table
    array([[ 0,  1],
           [ 2, -1]], dtype=int32)
    >>> cache.truncate([0, 1])
    >>> cache.lengths, cache.free_pages
    (array([0, 1]), 2)
    """

    def __init__(
        self,
        batch: int,
        kv_heads: int,
        size: int,
        *,
        pages: int | None = None,
        page_size: int = 16,
        dtype: Any = np.float32,
    ):
        super().__init__("PagedKVCache", batch, kv_heads, size, dtype)
        if page_size < 1 or (pages is not None and pages < 0):
            raise ValueError(
                f"PagedKVCache: page_size is {page_size}, pages is {pages}; they must be positive"
            )
        self.pages, self.page_size = pages, int(page_size)
        self.table = np.full((batch, 0), -1, np.int32)
        shape = (pages or 0, kv_heads, self.page_size, size)
        self.key_pages, self.value_pages = np.zeros(shape, dtype), np.zeros(shape, dtype)
        self._free = list(range(pages or 0))[::-1]

    @property
    def free_pages(self) -> int:
        """Pages that no sequence has."""
        return len(self._free)

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
            (batch, kv_heads, length, size), gathered: the longest sequence's length, and the new tokens.

        Raises
        ------
        ValueError
            If the shapes do not fit, or there are not enough pages; nothing is appended then.
        """
        each, new, starts = self.counts(k, v, counts), k.shape[2], self.lengths
        end = len(self) + new
        self._take(starts + each)
        sequence = np.repeat(np.arange(len(each)), each)
        token = np.arange(len(sequence)) - np.repeat(np.cumsum(each) - each, each)
        place = starts[sequence] + token
        page, row = self.table[sequence, place // self.page_size], place % self.page_size
        for pages, x in ((self.key_pages, k), (self.value_pages, v)):
            pages[page, :, row] = x[sequence, :, token]
        self.lengths = starts + each
        return self._gather(self.key_pages, end), self._gather(self.value_pages, end)

    def _take(self, lengths: NDArray[np.int64]) -> None:
        """Gives each sequence the pages that it lacks for a length."""
        wanted = -(-lengths // self.page_size)
        lacking = wanted - (self.table >= 0).sum(axis=1)
        more = int(lacking.clip(min=0).sum()) - len(self._free)
        if more > 0 and self.pages is not None:
            raise ValueError(
                f"PagedKVCache: lengths {lengths.tolist()} need {more} pages of {self.page_size} more "
                f"than there are, {self.pages}"
            )
        if more > 0:
            self._add_pages(max(more, len(self.key_pages) // 2))
        wider = int(wanted.max(initial=0)) - self.table.shape[1]
        if wider > 0:
            self.table = np.pad(self.table, ((0, 0), (0, wider)), constant_values=-1)
        for row, have, want in zip(self.table, wanted - lacking, wanted, strict=True):
            for i in range(int(have), int(want)):
                row[i] = self._free.pop()

    def _add_pages(self, count: int) -> None:
        held, width = len(self.key_pages), ((0, count), (0, 0), (0, 0), (0, 0))
        self.key_pages, self.value_pages = (
            np.pad(self.key_pages, width),
            np.pad(self.value_pages, width),
        )
        self._free = list(range(held, held + count))[::-1] + self._free

    def _gather(self, pages: NDArray[Any], end: int) -> NDArray[Any]:
        """One piece for each sequence; where it has no page, anything."""
        batch, heads, size = self.shape
        if not len(pages):
            return np.zeros((batch, heads, end, size), self.dtype)
        table = np.zeros((batch, -(-end // self.page_size)), np.int32)
        table[:, : self.table.shape[1]] = self.table[:, : table.shape[1]].clip(min=0)
        piece = pages[table].swapaxes(1, 2).reshape(batch, heads, -1, size)
        return piece[:, :, :end]

    def truncate(self, lengths: ArrayLike) -> None:
        """Forget the tokens beyond some lengths, and free the pages that are empty then.

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
        for row, keep in zip(self.table, -(-self.lengths // self.page_size), strict=True):
            self._free += [int(page) for page in row[keep:][::-1] if page >= 0]
            row[keep:] = -1
