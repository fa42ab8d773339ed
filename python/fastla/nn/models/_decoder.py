"""Models that say which token comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import _core
from .._block import TransformerBlock
from .._cache import KVCache
from .._feed_forward import norm as norm_of
from .._losses import loss_and_gradient
from .._paged_cache import PagedKVCache
from .._parameters import drawing, linear_gradients, named
from . import _generate
from ._model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .._initial import Random
    from .._layers import Gradients


class _Saved(NamedTuple):
    """What the backward pass needs: x goes into the last norm, h into the last product."""

    places: dict[str, NDArray[Any]]
    blocks: list[Any]
    x: NDArray[Any]
    h: NDArray[Any]


class Decoder(Model):
    """Embedding (and learned positions), blocks, norm, output: GPT2 and Llama are this, of their sizes."""

    spare = ("lm_head.weight",)  # of a tied output

    def _build(
        self,
        sizes: tuple[int, int, int],
        positions: int,
        tied: bool,
        norm: str,
        eps: float,
        rng: Any,
        dtype: Any,
        **block: Any,
    ) -> None:
        words, size, layers = sizes
        draw = drawing(rng, dtype, layers)
        self.positions, self.output = positions, "embedding" if tied else "output"
        self.parameters = {"embedding.weight": draw("embedding.weight", (words, size))}
        if positions:
            self.parameters["positions.weight"] = draw("positions.weight", (positions, size))
        self.blocks = [
            TransformerBlock(size, causal=True, norm=norm, eps=eps, rng=draw, **block)
            for _ in range(layers)
        ]
        self.norm = norm_of(norm, size, eps, draw)
        self.parameters |= self._named_blocks() | named("norm", self.norm.parameters)
        if not tied:
            self.parameters["output.weight"] = draw("output.weight", (words, size))

    def cache(self, batch: int = 1, *, page_size: int | None = None, **kwargs: Any) -> list[Any]:
        """Caches for the keys and values of all blocks.

        Parameters
        ----------
        batch : int, default 1
        page_size : int, optional
            Of a `PagedKVCache`; default: each is a `KVCache`.
        **kwargs
            As of the caches.

        Returns
        -------
        list of KVCache or PagedKVCache
        """
        kwargs.setdefault("dtype", self.parameters["embedding.weight"].dtype)
        sizes = [(batch, b.attention.kv_heads, b.attention.head_size) for b in self.blocks]
        if page_size is None:
            return [KVCache(*s, **kwargs) for s in sizes]
        return [PagedKVCache(*s, page_size=page_size, **kwargs) for s in sizes]

    def hidden(
        self,
        tokens: ArrayLike,
        *,
        cache: Sequence[Any] | None = None,
        counts: ArrayLike | None = None,
        rng: Random = None,
        keep: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        """What the last product takes, and what the backward pass needs.

        Parameters
        ----------
        tokens : array_like of int
            (batch, tokens), or (tokens,).
        cache : list, optional
            Of `cache()`: the tokens before; these are appended.
        counts : array_like of int, optional
            (batch,); how many of the tokens are a sequence's. What comes for the others means nothing.
        rng : int or Generator, optional
            Draws what the configuration's dropout leaves out, in training; without it nothing is.
        keep : bool, default False
            Whether there will be a backward pass.

        Returns
        -------
        h : ndarray
            (batch, tokens, size).
        saved
        """
        words = self._tokens(tokens)
        held = [len(words)] * len(self.blocks)
        if cache is not None and [len(c.lengths) for c in cache] != held:
            raise ValueError(
                f"{type(self).__name__}: cache is for {[len(c.lengths) for c in cache]} sequences; "
                f"tokens is {words.shape}, there are {len(held)} blocks"
            )
        starts = np.zeros(1, np.int64) if not cache else cache[0].lengths
        places = {"embedding": words}
        if self.positions:
            where = starts[:, np.newaxis] + np.arange(words.shape[1])
            if where.size and where.max() >= self.positions:
                raise ValueError(
                    f"{type(self).__name__}: tokens is {words.shape}, after {starts.max()}; "
                    f"there are {self.positions} positions"
                )
            places["positions"] = where
        first = self.blocks[0].attention if self.blocks else None
        turned = first is not None and first.frequencies is not None
        tables = first.tables(starts, words.shape[1]) if first is not None and turned else None
        x = self._embedded(places)
        x, blocks = self._through(x, keep, rng, cache, counts=counts, tables=tables)
        h = self.norm(x)
        return h, _Saved(places, blocks, x, h) if keep else None

    def logits(self, h: NDArray[Any]) -> NDArray[Any]:
        """Scores of all words.

        Parameters
        ----------
        h : ndarray
            (..., size), of `hidden`.

        Returns
        -------
        ndarray
            (..., words).
        """
        scores: NDArray[Any] = _core.linear(h, self.parameters[f"{self.output}.weight"])
        return scores

    def __call__(  # type: ignore[override]
        self, tokens: ArrayLike, cache: Sequence[Any] | None = None, **kwargs: Any
    ) -> NDArray[Any]:
        """The logits; kwargs as of `hidden`."""
        logits = self.logits(self.hidden(tokens, cache=cache, **kwargs)[0])
        return logits[0] if np.ndim(tokens) == 1 else logits

    def forward(self, tokens: ArrayLike, *, rng: Random = None) -> tuple[NDArray[Any], Any]:
        """The logits, and what the backward pass needs.

        Parameters
        ----------
        tokens : array_like of int
            (batch, tokens).
        rng : int or Generator, optional
            As of `hidden`.

        Returns
        -------
        logits : ndarray
            (batch, tokens, words).
        saved
        """
        h, saved = self.hidden(tokens, rng=rng, keep=True)
        return self.logits(h), saved

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[None, Gradients]:
        """The gradients of the parameters.

        Parameters
        ----------
        dy : ndarray
            The gradient for the logits.
        saved
            What `forward` gave.
        inputs : bool, default True
            As of other layers; tokens have no gradient.

        Returns
        -------
        None
        gradients : dict of str to ndarray
        """
        s: _Saved = self._kept(saved)
        d, grads = linear_gradients(dy, s.h, self.parameters, self.output)
        return None, self.hidden_backward(d, saved, grads)

    def hidden_backward(self, dh: Any, saved: Any, gradients: Gradients | None = None) -> Gradients:
        """The gradients of the parameters, from that of what `hidden` gives.

        Parameters
        ----------
        dh : ndarray
            (batch, tokens, size).
        saved
            What `hidden` gave, with ``keep=True``.
        gradients : dict of str to ndarray, optional
            Those that there are already: the gradient for the table of words is added to.

        Returns
        -------
        dict of str to ndarray
            By the names of `parameters`; nothing of an output that is not tied.
        """
        s: _Saved = self._kept(saved)
        grads = {} if gradients is None else gradients
        d, norm = self.norm.backward(dh, s.x)
        self._embedded_backward(self._back(d, s.blocks, grads), s.places, grads)
        return grads | named("norm", norm)

    def loss_and_gradients(
        self,
        tokens: ArrayLike,
        targets: ArrayLike,
        *,
        ignore_index: int = -100,
        rng: Random = None,
    ) -> tuple[float, Gradients]:
        """The mean cross entropy of the targets, and its gradients for all parameters.

        Parameters
        ----------
        tokens, targets : array_like of int
            (batch, tokens); usually the targets are the tokens that follow.
        ignore_index : int, default -100
            Targets that do not count.
        rng : int or Generator, optional
            As of `hidden`.

        Returns
        -------
        loss : float
        gradients : dict of str to ndarray
            By the names of `parameters`.
        """
        targets = np.atleast_2d(np.asarray(targets))
        logits, saved = self.forward(tokens, rng=rng)
        loss, dlogits = loss_and_gradient(logits, targets, ignore_index, out=logits)
        return loss, self.backward(dlogits, saved)[1]

    generate = _generate.generate
