"""pack(w): an immutable copy in the kernel's layout that multiplies with the bits of the original."""

import threading

import numpy as np
import oracle
import pytest
import shapes
from shapes import assert_same_bits, layouts, random_matrix

import fastla


@pytest.fixture
def matrix(dtype):
    return random_matrix(np.random.default_rng(61), (oracle.kb(dtype) + 7, 75), dtype)


def test_attributes(matrix):
    packed = fastla.pack(matrix)
    assert packed.shape == matrix.shape
    assert packed.dtype == matrix.dtype
    assert packed.nbytes >= matrix.nbytes
    assert packed.T.shape == matrix.shape[::-1]
    assert packed.T.T.shape == matrix.shape


def test_gives_the_matrix_back(isa, matrix):
    for name, x in layouts(matrix):
        packed = fastla.pack(x)
        assert_same_bits(np.asarray(packed), matrix, name)
        assert_same_bits(np.asarray(packed.T), matrix.T, f"{name}, transposed")
    for shape in [(0, 5), (5, 0), (0, 0), (1, 1)]:
        x = np.ones(shape, matrix.dtype)
        assert_same_bits(np.asarray(fastla.pack(x)), x, f"{shape}")


def test_is_a_copy_and_immutable(matrix):
    before = matrix.copy()
    packed = fastla.pack(matrix)
    matrix[...] = np.nan
    assert_same_bits(np.asarray(packed), before, "after the original changed")
    np.asarray(packed)[...] = 0
    assert_same_bits(np.asarray(packed), before, "after a copy taken from it changed")
    for name in ("shape", "dtype", "nbytes", "T"):
        with pytest.raises(AttributeError):
            setattr(packed, name, None)


def test_only_pack_makes_one():
    for make in (fastla.PackedMatrix, lambda: fastla.PackedMatrix.__new__(fastla.PackedMatrix)):
        with pytest.raises(TypeError):
            make()


@pytest.mark.parametrize("m", [0, 1, 2, 13, 70])
def test_matmul(isa, dtype, path, threads, matrix, m):
    k = matrix.shape[0]
    a, b, found = shapes.case(70, 75, (k,), dtype)
    for name, y in list(layouts(b))[:4]:
        out = shapes.Guarded((m, 75), dtype)
        fastla.matmul(a[:m], fastla.pack(y), out=out.out, num_threads=threads)
        assert_same_bits(out.out, found[k][:m], f"b {name}")
        out.check()


def test_every_edge_of_the_panels(isa, dtype):
    ms, ns, ks = shapes.sizes(shapes.row_of(isa, dtype))
    a, b, found = shapes.case(max(ms), max(ns), tuple(ks), dtype)
    for k in ks:
        for n in ns:
            packed = fastla.pack(b[:k, :n])
            for m in ms:
                got = fastla.matmul(a[:m, :k], packed)
                assert_same_bits(got, found[k][:m, :n], f"{m}x{n}x{k}")


def test_one_row(isa, dtype, threads):
    # As many panels at once as there are registers for, then the rest: every number of vectors. At the end
    # blocks of K that threads share.
    k, nr = oracle.kb(dtype) + 3, shapes.row_of(isa, dtype).nr
    ns = [*range(1, 2 * nr + 2), 4 * nr - 1, 7 * nr, 8 * nr + 5, 12 * nr + 1]
    a, b, found = shapes.case(1, max(ns), (k,), dtype)
    bias = random_matrix(np.random.default_rng(68), (max(ns),), dtype)
    for n in ns:
        packed = fastla.pack(b[:k, :n])
        out = shapes.Guarded((1, n), dtype)
        fastla.matmul(a[:, :k], packed, out=out.out, num_threads=threads)
        assert_same_bits(out.out, found[k][:, :n], f"{n} columns")
        out.check()
        got = fastla.gemm(a[:, :k], packed, bias=bias[:n], activation="relu", num_threads=threads)
        want = oracle.epilogue(found[k][:, :n], bias=bias[:n], activation="relu")
        assert_same_bits(got, want, f"{n} columns, bias and ReLU")
    k, n = 40 * oracle.kb(dtype) + 1, nr + 1
    a, b, found = shapes.case(1, n, (k,), dtype)
    got = fastla.matmul(a[:, :k][:, ::-1].copy()[:, ::-1], fastla.pack(b[:k]), num_threads=threads)
    assert_same_bits(got, found[k], f"1x{n}x{k}")


def test_vectors_and_stacks(dtype):
    rng = np.random.default_rng(62)
    b = random_matrix(rng, (21, 40), dtype)
    packed = fastla.pack(b)
    for shape in [(21,), (5, 21), (3, 5, 21), (2, 3, 5, 21), (0, 5, 21)]:
        x = random_matrix(rng, shape, dtype)
        assert_same_bits(fastla.matmul(x, packed), fastla.matmul(x, b), f"{shape}")
    x = random_matrix(rng, (3, 5, 21), dtype).transpose(1, 0, 2)[::-1]
    assert_same_bits(fastla.matmul(x, packed), fastla.matmul(x, b), "strided stack")


def test_transposed(isa, dtype):
    rng = np.random.default_rng(63)
    b = random_matrix(rng, (33, 47), dtype)
    x = random_matrix(rng, (8, 47), dtype)
    want = oracle.matmul2(x, b.T)
    assert_same_bits(fastla.matmul(x, fastla.pack(b).T), want, "pack(b).T")
    assert_same_bits(fastla.matmul(x, fastla.pack(b.T)), want, "pack(b.T)")


def test_gemm_with_an_epilogue(isa, dtype, threads):
    k = oracle.kb(dtype) + 3
    a, b, found = shapes.case(30, 61, (k,), dtype)
    rng = np.random.default_rng(64)
    c, bias = random_matrix(rng, (30, 61), dtype), random_matrix(rng, (61,), dtype)
    steps = {"alpha": 0.3, "beta": 0.7, "bias": bias, "activation": "relu", "residual": c}
    out = c.copy()
    fastla.gemm(a, fastla.pack(b), c=out, out=out, num_threads=threads, **{**steps, "residual": out})
    assert_same_bits(out, oracle.epilogue(found[k], c=c, **steps), "gemm")


def test_linear(isa, dtype, threads):
    rng = np.random.default_rng(65)
    x, w = random_matrix(rng, (2, 9, 31), dtype), random_matrix(rng, (44, 31), dtype)
    bias = random_matrix(rng, (44,), dtype)
    packed = fastla.pack(w)
    for activation in (None, "silu"):
        want = fastla.linear(x, w, bias, activation=activation)
        for weights in (packed, fastla.pack(w.T).T):
            got = fastla.linear(x, weights, bias, activation=activation, num_threads=threads)
            assert_same_bits(got, want, f"{activation}")
    assert_same_bits(fastla.linear(x, packed), oracle.matmul(x, w.T), "no bias")


def test_packed_under_one_row_used_under_another(matrix):
    """The panels of one kernel row mean nothing to another: the product must still be right."""
    names = [name for name in shapes.isa_names() if shapes.usable(name)]
    x = random_matrix(np.random.default_rng(66), (17, matrix.shape[0]), matrix.dtype)
    want = oracle.matmul2(x, matrix)
    for first in names:
        with fastla.use_isa(first):
            packed = fastla.pack(matrix)
        for second in names:
            with fastla.use_isa(second):
                assert_same_bits(fastla.matmul(x, packed), want, f"{first}, then {second}")
                assert_same_bits(np.asarray(packed), matrix, f"{first}, then {second}")


def test_special_values_survive(isa, dtype):
    b = np.array([[np.inf, -0.0, np.nan], [0.0, np.finfo(dtype).smallest_subnormal, -np.inf]], dtype)
    packed = fastla.pack(b)
    assert_same_bits(np.asarray(packed), b, "back")
    x = np.array([[1, 0], [0, 1], [-1, 2]], dtype)
    with np.errstate(all="ignore"):
        assert_same_bits(fastla.matmul(x, packed), oracle.matmul2(x, b), "product")


def test_x_of_a_smaller_dtype_is_converted(matrix):
    packed = fastla.pack(matrix)
    for other in (np.int8, np.float16, np.float32):
        x = np.arange(3 * matrix.shape[0]).reshape(3, -1).astype(other)
        assert_same_bits(fastla.matmul(x, packed), fastla.matmul(x, matrix), f"{other}")


def test_x_of_a_larger_dtype_promotes():
    """The panels are float32; a float64 product is that of the array they were made from."""
    x, w = np.linspace(0, 1, 6).reshape(2, 3), np.linspace(1, 2, 12, dtype=np.float32).reshape(3, 4)
    assert_same_bits(fastla.matmul(x, fastla.pack(w)), fastla.matmul(x, w), "x @ w")
    assert_same_bits(fastla.linear(x, fastla.pack(w.T)), fastla.linear(x, w.T), "linear")
    assert_same_bits(fastla.linear(x, fastla.pack(w).T), fastla.linear(x, w.T), "linear, transposed")


def test_mismatched_shapes_are_named(matrix):
    packed = fastla.pack(matrix)
    x = np.ones((3, 5), matrix.dtype)
    with pytest.raises(ValueError, match=rf"\(3, 5\).*\({matrix.shape[0]}, {matrix.shape[1]}\)"):
        fastla.matmul(x, packed)
    for bad in (np.ones(3, matrix.dtype), np.ones((2, 2, 2), matrix.dtype)):
        with pytest.raises(ValueError, match="pack"):
            fastla.pack(bad)


def test_many_threads_share_one(dtype, matrix):
    packed = fastla.pack(matrix)
    x = random_matrix(np.random.default_rng(67), (40, matrix.shape[0]), dtype)
    want = fastla.matmul(x, matrix)
    wrong = []

    def work():
        for _ in range(50):
            if not np.array_equal(fastla.matmul(x, packed, num_threads=2), want):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
