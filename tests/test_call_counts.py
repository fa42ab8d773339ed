"""fastla.call_counts: every call once, by all threads, and on after a fork."""

import os
import threading

import numpy as np
import pytest
from process import run_python

import fastla
from fastla import _core, nn

A = np.ones((3, 3), np.float32)
HEADS = np.ones((2, 3, 4), np.float32)  # heads, tokens, size


def attention_backward():
    out, lse = nn.attention(HEADS, HEADS, HEADS, return_lse=True)
    nn.attention_backward(HEADS, HEADS, HEADS, HEADS, out, lse)


CALLS = {
    "matmul": (lambda: fastla.matmul(A, A), {"gemm": 1}),
    "of lists": (lambda: fastla.matmul([[1, 2], [3, 4]], [[1], [2]]), {"gemv": 1}),
    "of vectors": (lambda: fastla.matmul(A[0], A[0]), {"gemv": 1}),
    "of bool": (lambda: fastla.matmul(A > 0, A > 0), {"gemm": 1}),
    "of int64": (lambda: fastla.matmul(A.astype(int), A.astype(int)), {"gemm": 1}),
    "without elements": (lambda: fastla.matmul(A[:0], A), {"gemm": 1}),
    "a stack": (lambda: fastla.matmul(HEADS, HEADS.mT), {"gemm_batched": 1}),
    "linear": (lambda: fastla.linear(A, A, A[0], activation="gelu"), {"gemm": 1}),
    "gemm": (lambda: fastla.gemm(A, A, beta=2.0, c=A), {"gemm": 1}),
    "packed": (lambda: fastla.linear(A, fastla.pack(A)), {"gemm": 1}),
    "gram": (lambda: fastla.gram(A), {"gemm": 1}),
    "multi_dot": (lambda: fastla.multi_dot([A, A, A, A]), {"gemm": 3}),
    "einsum": (lambda: fastla.einsum("ij,jk,kl->il", A, A, A), {"gemm": 2}),
    "matrix_power": (lambda: fastla.matrix_power(A, 5), {"gemm": 3}),
    "softmax": (lambda: nn.softmax(A), {"softmax": 1}),
    "activation": (lambda: nn.gelu(A), {"activation": 1}),
    "layer_norm": (lambda: nn.layer_norm(A, A[0]), {"layer_norm": 1}),
    "attention": (lambda: nn.attention(HEADS, HEADS, HEADS), {"attention": 1}),
    "gradients": (lambda: nn.linear_backward(A, A, A, bias=False), {"gemm": 2}),
    # Five products for each head, and 256 queries and keys.
    "attention_backward": (attention_backward, {"attention": 1, "attention_backward": 1, "gemm": 10}),
    "nothing": (lambda: fastla.explain(A, A), {}),
}


def risen(call):
    before = fastla.call_counts()
    call()
    rises = {kind: count - before[kind] for kind, count in fastla.call_counts().items()}
    return {kind: rise for kind, rise in rises.items() if rise}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_once(name):
    call, wanted = CALLS[name]
    assert risen(call) == wanted


@pytest.mark.parametrize("path", ["packed", "direct", "vector"])
@pytest.mark.parametrize("n", [1, 40, 600])
def test_whatever_it_is_computed_by(path, n, threads):
    x = np.ones((n, n), np.float32)
    _core.force_path(path)
    assert risen(lambda: fastla.matmul(x, x, num_threads=threads)) == {"gemm" if n > 1 else "gemv": 1}


def test_strassen_is_one_call():
    x = np.ones((130, 130))
    _core.force_strassen(64)
    try:
        assert risen(lambda: fastla.matmul(x, x)) == {"gemm": 1}
    finally:
        _core.force_strassen(0)


def test_numpys_products_while_it_is_patched():
    with fastla.patched():
        assert sum(risen(lambda: np.matmul(A, A)).values()) == 1


def test_what_is_refused_does_not_count():
    def call():
        with pytest.raises(ValueError, match="matmul"):
            fastla.matmul(A, A[:2])
    assert risen(call) == {}


def test_threads_of_python():
    """More than there are places to count in, at the same time and after others have ended."""
    def work():
        for _ in range(500):
            fastla.matmul(A, A)

    def call():
        for count in (100, 20, 80):
            team = [threading.Thread(target=work) for _ in range(count)]
            for thread in team:
                thread.start()
            for thread in team:
                thread.join()
    assert risen(call) == {"gemm": 100_000}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork():
    assert run_python("""
    import os
    import numpy as np
    import fastla

    x = np.ones((300, 300))
    count = lambda: fastla.call_counts()["gemm"]
    assert count() == 0
    fastla.matmul(x, x, num_threads=2)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        fastla.matmul(x, x, num_threads=2)
        os.write(writing, str(count()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    print(os.read(reading, 9).decode(), count())
    """) == "2 1"
