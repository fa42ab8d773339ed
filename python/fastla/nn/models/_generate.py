"""Words drawn one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._softmax import softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ._decoder import Decoder


class Sampler:
    """Draws a word by its logits."""

    def __init__(self, temperature: float, top_k: int | None, top_p: float | None):
        if not temperature >= 0:
            raise ValueError(f"generate: temperature is {temperature}; it must be 0 or more")
        if top_k is not None and top_k < 1:
            raise ValueError(f"generate: top_k is {top_k}; it must be 1 or more")
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError(f"generate: top_p is {top_p}; it must be above 0, and 1 at most")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p

    def kept(self, logits: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The words that may be drawn, and their probabilities before the rarest are cut."""
        with np.errstate(over="ignore"):  # to -Inf, of which softmax makes 0
            scores = (logits.astype(np.float64) - logits.max()) / self.temperature
        if self.top_k is None and self.top_p is None:
            return np.arange(len(scores)), softmax(scores)
        words = np.argsort(-scores, kind="stable")[: self.top_k]
        probabilities = softmax(scores[words])
        if self.top_p is not None:
            before = np.cumsum(probabilities) - probabilities
            count = max(1, int((before < self.top_p).sum()))
            words, probabilities = words[:count], probabilities[:count]
        return words, probabilities

    def draw(self, logits: NDArray[Any], rng: np.random.Generator) -> int:
        if self.temperature == 0:
            return int(np.argmax(logits))
        words, probabilities = self.kept(logits)
        upto = np.cumsum(probabilities)
        at = np.searchsorted(upto, rng.random() * upto[-1], side="right")
        return int(words[min(int(at), len(words) - 1)])


def _prompts(model: Decoder, tokens: Any, new: int) -> list[NDArray[np.int64]]:
    several = len(tokens) > 0 and np.ndim(tokens[0]) == 1
    prompts = [np.asarray(p) for p in (tokens if several else [tokens])]
    for prompt in prompts:
        if prompt.ndim != 1 or not prompt.size or prompt.dtype.kind not in "iu":
            raise ValueError(
                f"generate: a prompt is {prompt.shape}, {prompt.dtype}; "
                "it must be (tokens,), of integers, at least one"
            )
    longest = max(map(len, prompts))
    if new < 0 or (model.positions and longest + new - 1 > model.positions):
        raise ValueError(
            f"generate: max_new_tokens is {new}, after prompts of up to {longest}; "
            f"there are {model.positions or 'any number of'} positions"
        )
    return [p.astype(np.int64) for p in prompts]


def generate(
    model: Decoder,
    tokens: Any,
    max_new_tokens: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: Any = None,
    stop: Any = (),
    callback: Callable[[NDArray[np.int64]], Any] | None = None,
    page_size: int | None = None,
) -> Any:
    """Continue sequences of tokens.

    Parameters
    ----------
    model : Decoder
    tokens : array_like of int, or sequence of them
        One prompt, or several, which may have different lengths.
    max_new_tokens : int
    temperature : float, default 0
        Logits are divided by it; 0: the likeliest word, always.
    top_k : int, optional
        Only so many of the likeliest words are drawn.
    top_p : float, optional
        Only the likeliest words are drawn, as many as reach this probability together.
    rng : int or Generator, optional
        Each sequence has a stream of its own.
    stop : int or sequence of int, optional
        A sequence ends with one of these words.
    callback : callable, optional
        Is given the new word of each sequence, (batch,), -1 where it has ended; True ends all.
    page_size : int, optional
        As of `cache`.

    Returns
    -------
    ndarray of int64, or list of them
        Prompts and what follows.

    Raises
    ------
    ValueError
        If a prompt is empty, there are too few positions, or an argument is out of its range.

    Notes
    -----
    Sequences lie left-aligned, so that each has the bits that it has alone.
    """
    sampler, prompts = Sampler(temperature, top_k, top_p), _prompts(model, tokens, max_new_tokens)
    stops = {int(s) for s in np.atleast_1d(np.asarray(stop, np.int64))}
    generators = np.random.default_rng(rng).spawn(len(prompts))
    counts = np.array([len(p) for p in prompts])
    words = np.zeros((len(prompts), counts.max()), np.int64)
    for row, prompt in zip(words, prompts, strict=True):
        row[: len(prompt)] = prompt
    results, going = [p.tolist() for p in prompts], np.ones(len(prompts), bool)
    cache = model.cache(len(prompts), page_size=page_size)
    for _ in range(max_new_tokens):
        h, _ = model.hidden(words, cache=cache, counts=counts)
        last = h[np.arange(len(prompts)), np.maximum(counts, 1) - 1]
        words, counts = np.full((len(prompts), 1), -1, np.int64), np.ones(len(prompts), np.int64)
        logits = model.logits(last[going])
        for i, scores in zip(np.flatnonzero(going), logits, strict=True):
            words[i] = sampler.draw(scores, generators[i])
            results[i].append(int(words[i, 0]))
            going[i] = results[i][-1] not in stops
        ended = callback is not None and callback(words[:, 0].copy()) is True
        if ended or not going.any():
            break
        counts, words = going.astype(np.int64), words.clip(min=0)
    made = [np.array(r, np.int64) for r in results]
    return made if len(tokens) > 0 and np.ndim(tokens[0]) == 1 else made[0]
