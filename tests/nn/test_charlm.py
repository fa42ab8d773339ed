"""The example of letters: its measures are right, and its model learns."""

import importlib.util
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fastla import nn

EXAMPLE = Path(__file__).parents[2] / "examples" / "charlm.py"
if not EXAMPLE.exists():
    pytest.skip("needs the source tree", allow_module_level=True)


@pytest.fixture(scope="module")
def charlm():
    spec = importlib.util.spec_from_file_location("charlm", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def text(charlm):
    return charlm.load()


def probability(counts, words, context, letter):
    """Witten and Bell's, one letter at a time."""
    p = 1 / words
    for n in range(len(context) + 1):
        seen = {k: c for k, c in counts.items() if len(k) == n + 1 and k[:-1] == context[len(context) - n:]}
        total = sum(seen.values())
        if total:
            key = (*context[len(context) - n:], letter)
            p = (seen.get(key, 0) + len(seen) * p) / (total + len(seen))
    return p


def test_grams(charlm):
    rng = np.random.default_rng(0)
    train, held_out = rng.integers(0, 3, 40), rng.integers(0, 4, 12)
    counts = Counter(tuple(map(int, train[i:i + n])) for n in (1, 2, 3) for i in range(len(train) - n + 1))
    bits = 0.0
    for i, letter in enumerate(map(int, held_out)):
        context = tuple(map(int, held_out[max(0, i - 2):i]))
        bits -= math.log2(probability(counts, 4, context, letter))
        assert abs(sum(probability(counts, 4, context, x) for x in range(4)) - 1) < 1e-12
    assert abs(charlm.ngram_bits(train, held_out, 4, 3) - bits / 12) < 1e-12


def model_of(charlm, words):
    return nn.Llama(nn.LlamaConfig(vocab_size=words, hidden_size=32, intermediate_size=64,
                                   num_hidden_layers=2, num_attention_heads=2,
                                   max_position_embeddings=charlm.WINDOW, tie_word_embeddings=True), rng=0)


@pytest.mark.parametrize("length", [2, 64, 65, 66, 128, 129, 130, 193, 300])
def test_every_letter_counts_once(charlm, length):
    """A model that gives all words the same score needs log2 of their number for each."""
    model = model_of(charlm, 8)
    model.parameters["embedding.weight"][...] = 0
    assert abs(charlm.model_bits(model, np.zeros(length, np.int64)) - 3) < 1e-5


def test_text(text):
    letters, held_out, alphabet = text
    assert len(letters) > 10**5 and len(held_out) > 10**4
    assert max(letters.max(), held_out.max()) < len(alphabet) < 200


def test_it_learns(charlm, text):
    letters, held_out, alphabet = text
    model = model_of(charlm, len(alphabet))
    before = charlm.model_bits(model, held_out[:1000])
    charlm.train(model, letters, steps=60, batch=4, rate=1e-2, rng=np.random.default_rng(0))
    assert charlm.model_bits(model, held_out[:1000]) < 5 < 6 < before
