"""Texts as counts of terms: words, or some words in a row."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._extra import package


@dataclass(frozen=True)
class Analyzer:
    """What a text's terms are."""

    lowercase: bool
    pattern: re.Pattern[str]
    stop_words: frozenset[str]
    ngram_range: tuple[int, int]

    @classmethod
    def of(
        cls,
        name: str,
        lowercase: bool,
        token_pattern: str,
        stop_words: Iterable[str] | None,
        ngram_range: tuple[int, int],
    ) -> Analyzer:
        pattern = re.compile(token_pattern)
        if pattern.groups > 1:
            raise ValueError(
                f"{name}: token_pattern {token_pattern!r} has {pattern.groups} groups; at most one"
            )
        if isinstance(stop_words, str):
            raise TypeError(f"{name}: stop_words is {stop_words!r}; it must be several words")
        low, high = ngram_range
        if not 1 <= low <= high:
            raise ValueError(f"{name}: ngram_range is {ngram_range}; it must be 1 <= min <= max")
        return cls(bool(lowercase), pattern, frozenset(stop_words or ()), (low, high))

    def __call__(self, text: str) -> list[str]:
        words = self.pattern.findall(text.lower() if self.lowercase else text)
        if self.stop_words:
            words = [word for word in words if word not in self.stop_words]
        low, high = self.ngram_range
        if high == 1:
            return words
        return [
            " ".join(words[i : i + n])
            for n in range(low, high + 1)
            for i in range(len(words) - n + 1)
        ]


def counts(
    name: str, texts: Iterable[str], analyze: Analyzer, vocabulary: dict[str, int], learn: bool
) -> Any:
    """(texts, terms), float64, in rows. To learn is to number new terms; else they are left out."""
    if isinstance(texts, str):
        raise TypeError(f"{name}: texts is one str; it must be several, such as a list of one")
    sparse = package("scipy.sparse", "text")
    numbers, found, ends = array("q"), array("d"), array("q", [0])
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}: text {i} is of type {type(text).__name__}; it must be str")
        for term, count in Counter(analyze(text)).items():
            number = vocabulary.setdefault(term, len(vocabulary)) if learn else vocabulary.get(term)
            if number is not None:
                numbers.append(number)
                found.append(count)
        ends.append(len(numbers))
    matrix = sparse.csr_array(
        (np.array(found), np.array(numbers, np.int64), np.array(ends, np.int64)),
        shape=(len(ends) - 1, len(vocabulary)),
    )
    matrix.sort_indices()
    return matrix
