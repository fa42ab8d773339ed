"""The digits example learns, and only fastla multiplies in it."""

import importlib.util
import re
import statistics
from pathlib import Path

import pytest

import fastla

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.py"


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn", reason="needs scikit-learn for the images")
    spec = importlib.util.spec_from_file_location("digits", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_median_accuracy(digits):
    assert statistics.median(digits.train(seed) for seed in range(5)) >= 0.97


def test_split_is_stratified(digits):
    split = digits.load_split(0)
    assert len(split.y_train) + len(split.y_test) == 1797
    for digit in range(10):
        held_out, kept = (split.y_test == digit).sum(), (split.y_train == digit).sum()
        assert held_out == round(0.25 * (held_out + kept))


def test_same_bits_for_any_thread_count(digits):
    split = digits.load_split(0)
    weights = []
    for threads in (1, 2, 3):
        with fastla.threads(threads):
            # Batches large enough for the products to be shared among threads.
            layers = digits.fit(split, 0, epochs=2, batch=512)
        weights.append(b"".join(layer.w.tobytes() for layer in layers))
    assert weights[0] == weights[1] == weights[2]


def test_no_other_product():
    code = re.sub(r'""".*?"""|#[^\n]*', "", EXAMPLE.read_text(), flags=re.DOTALL)
    others = "dot|vdot|vecdot|inner|outer|einsum|matmul|matvec|vecmat|tensordot|linalg"
    assert not re.search(rf"@|\.({others})\b", code.replace("fastla.matmul", ""))
    assert "fastla.linear(" in code and "fastla.matmul(" in code
