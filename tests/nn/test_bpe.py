"""Byte-level BPE from vocab.json and merges.txt."""

import json
import sys

import numpy as np
import pytest

from fastla import nn


@pytest.fixture
def files(tmp_path):
    """The 256 bytes, two merges, one special word; bytes as the letters that GPT-2's files have for them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letter = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    words = [letter[b] for b in range(256)] + ["th", "the", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nth e\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def tokenizer(files):
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    return nn.Tokenizer.from_files(files / "vocab.json", files / "merges.txt")


def test_merges(tokenizer):
    tokens = tokenizer.encode("the bathtub")
    assert tokens.dtype == np.int64
    assert tokens.tolist() == [257, *b" ba", 256, *b"tub"]
    assert tokenizer.vocab_size == 259


@pytest.mark.parametrize("text", ["", "naïve 数学 \u2028\n\t \x00", "the  the\r\n", "<|endoftext|>the"])
def test_every_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_words(tokenizer, files):
    assert tokenizer.encode("a<|endoftext|>b").tolist() == [97, 258, 98]
    plain = nn.Tokenizer.from_files(files / "vocab.json", files / "merges.txt", special=())
    assert len(plain.encode("<|endoftext|>")) == len("<|endoftext|>")


def test_folders(tokenizer, files):
    again = nn.Tokenizer.from_pretrained(files)
    assert np.array_equal(again.encode("the bathtub"), tokenizer.encode("the bathtub"))
    tokenizer._inner.save(str(files / "tokenizer.json"))
    (files / "vocab.json").unlink()
    whole = nn.Tokenizer.from_pretrained(files)
    assert np.array_equal(whole.encode("the bathtub"), tokenizer.encode("the bathtub"))


def test_half_a_letter(tokenizer):
    assert tokenizer.decode(tokenizer.encode("é")[:1]) == "\ufffd"


def test_without_the_package(monkeypatch, files):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"fastla\[nn\]"):
        nn.Tokenizer.from_files(files / "vocab.json", files / "merges.txt")
