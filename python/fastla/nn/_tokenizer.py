"""Text as tokens and back: byte-level BPE, by the package tokenizers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._extra import package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Tokenizer:
    """Byte-level byte-pair encoding, as of GPT-2.

    Parameters
    ----------
    tokenizer
        An object of `tokenizers.Tokenizer`, of whatever kind; `from_files` and `from_pretrained` make one.

    Attributes
    ----------
    vocab_size : int

    Methods
    -------
    from_files(vocab, merges, special=()), from_pretrained(folder)
    encode(text)
        Its tokens.
    decode(tokens)
        Their text.

    See Also
    --------
    GPT2

    References
    ----------
    R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL
    2016.

    Examples
    --------
    >>> from fastla import nn
    >>> class Letters:  # what it needs of a tokenizer
    ...     def decode(self, tokens, skip_special_tokens):
    ...         return "".join("ab"[t] for t in tokens)
    >>> nn.Tokenizer(Letters()).decode([0, 1, 1])
    'abb'
    """

    def __init__(self, tokenizer: Any):
        self._inner = tokenizer

    @classmethod
    def from_files(
        cls,
        vocab: str | os.PathLike[str],
        merges: str | os.PathLike[str],
        special: Sequence[str] = ("<|endoftext|>",),
    ) -> Tokenizer:
        """A tokenizer of GPT-2's kind.

        Parameters
        ----------
        vocab, merges : path
            vocab.json and merges.txt.
        special : sequence of str
            Words that are taken as they are where they stand in a text, if the vocabulary has them.

        Returns
        -------
        Tokenizer

        Raises
        ------
        ImportError
            If the package tokenizers is missing; the extra ``fastla[nn]`` has it.
        """
        t = package("tokenizers")
        inner = t.Tokenizer(t.models.BPE.from_file(os.fspath(vocab), os.fspath(merges)))
        inner.pre_tokenizer = t.pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = t.decoders.ByteLevel()
        known = [s for s in special if inner.token_to_id(s) is not None]
        inner.add_special_tokens(known)
        return cls(inner)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str]) -> Tokenizer:
        """The tokenizer of a folder: of tokenizer.json, or of vocab.json and merges.txt.

        Parameters
        ----------
        folder : path

        Returns
        -------
        Tokenizer
        """
        whole = Path(folder) / "tokenizer.json"
        if whole.exists():
            return cls(package("tokenizers").Tokenizer.from_file(os.fspath(whole)))
        return cls.from_files(Path(folder) / "vocab.json", Path(folder) / "merges.txt")

    @property
    def vocab_size(self) -> int:
        return int(self._inner.get_vocab_size())

    def encode(self, text: str) -> NDArray[np.int64]:
        """The tokens of a text.

        Parameters
        ----------
        text : str

        Returns
        -------
        ndarray of int64
        """
        return np.array(self._inner.encode(text).ids, np.int64)

    def decode(self, tokens: ArrayLike) -> str:
        """The text of tokens; bytes that are no UTF-8 are replaced.

        Parameters
        ----------
        tokens : array_like of int

        Returns
        -------
        str
        """
        return str(self._inner.decode(np.asarray(tokens).tolist(), skip_special_tokens=False))
