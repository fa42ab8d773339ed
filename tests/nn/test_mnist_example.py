"""The example learns, reads IDX files, and multiplies by fastla alone."""

import gzip
import importlib.util
import re
import statistics
from pathlib import Path

import numpy as np
import pytest

import fastla

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist.py"


@pytest.fixture(scope="module")
def mnist():
    spec = importlib.util.spec_from_file_location("mnist", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits(mnist):
    pytest.importorskip("sklearn", reason="needs scikit-learn for the images")
    return mnist


def idx(array):
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def test_median_accuracy(digits):
    found = []
    for seed in range(10):
        data = digits.load_digits(seed)
        model, _ = digits.train(data, seed, epochs=20)
        found.append(fastla.nn.score(model, data.x_test, data.y_test))
    assert statistics.median(found) >= 0.975


def test_split_is_stratified(digits):
    split = digits.load_digits(0)
    assert len(split.y_train) + len(split.y_test) == 1797
    for digit in range(10):
        held_out, kept = (split.y_test == digit).sum(), (split.y_train == digit).sum()
        assert held_out == round(0.25 * (held_out + kept))


def test_same_bits_for_any_thread_count(digits):
    split = digits.load_digits(0)
    weights = []
    for threads in (1, 2, 3):
        with fastla.threads(threads):
            # Batches large enough for the products to be shared among threads.
            model, _ = digits.train(split, 0, epochs=2, batch_size=512)
        weights.append(b"".join(x.tobytes() for x in model.parameters.values()))
    assert weights[0] == weights[1] == weights[2]


def test_parameters(mnist):
    model = mnist.network(784, 0)
    assert mnist.described(model) == "242,304 weights + 458 biases = 242,762 parameters"


@pytest.mark.parametrize("form", ["{}", "{}.gz", "dotted"])
def test_files_of_mnist(mnist, tmp_path, form, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    arrays = []
    for name, shape in zip(mnist.MNIST, [(70, 28, 28), (70,), (20, 28, 28), (20,)], strict=True):
        arrays.append(rng.integers(0, 10 if len(shape) == 1 else 256, shape, np.uint8))
        data = idx(arrays[-1])
        file = name.replace("-idx", ".idx") if form == "dotted" else form.format(name)
        (tmp_path / file).write_bytes(gzip.compress(data) if file.endswith("gz") else data)
    split = mnist.load_mnist(tmp_path)
    assert np.array_equal(split.x_train, arrays[0].reshape(70, 784) / np.float32(255))
    assert np.array_equal(split.y_test, arrays[3])
    monkeypatch.setattr("sys.argv", ["mnist.py", str(tmp_path), "--epochs", "1"])
    mnist.main()
    out, err = capsys.readouterr()
    assert out.startswith("242,304 weights + 458 biases = 242,762 parameters\nseed 0: ")
    assert err.startswith("epoch 1/1: loss ")


def test_files_that_are_something_else(mnist, tmp_path):
    with pytest.raises(FileNotFoundError, match="neither train-images-idx3-ubyte nor"):
        mnist.load_mnist(tmp_path)
    whole = idx(np.zeros((3, 2, 2), np.uint8))
    for data in (whole[:-1], whole + b"\0", b"", b"\0\0\x0d" + whole[3:]):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(ValueError, match=f"not an IDX file.* {len(data)} bytes"):
            mnist.read_idx(tmp_path / "x")


def test_no_other_product():
    code = re.sub(r'""".*?"""|#[^\n]*', "", EXAMPLE.read_text(), flags=re.DOTALL)
    others = "dot|vdot|vecdot|inner|outer|einsum|matmul|matvec|vecmat|tensordot|linalg"
    assert not re.search(rf"@|\.({others})\b", code)
    assert "nn.fit(" in code
