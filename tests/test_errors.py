"""Bad input: NumPy's exception types, messages that name the shapes and dtypes, out untouched."""

import contextlib
import re

import numpy as np
import pytest
from agreement import builtin_type, outcome
from numpy.lib.stride_tricks import as_strided
from shapes import SENTINEL

import fastla

F, D = np.float32, np.float64


def ones(*shape, dtype=D):
    return np.ones(shape, dtype)


def huge(*shape, dtype=D):
    """One element that claims to be many."""
    return as_strided(np.ones(1, dtype), shape, (0,) * len(shape))


def read_only(array):
    array.flags.writeable = False
    return array


@contextlib.contextmanager
def fails(kind, *texts):
    """Raises kind, with a message in which every text appears; a dtype in either spelling."""
    with pytest.raises(kind) as caught:
        yield
    assert builtin_type(caught.value) is kind, repr(caught.value)
    for text in texts:
        spellings = (str(text), repr(text)) if isinstance(text, np.dtype) else (str(text),)
        assert any(s in str(caught.value) for s in spellings), f"no {text!r} in {caught.value!r}"


@pytest.mark.portable
@pytest.mark.parametrize("a,b", [
    ((3,), (4,)), ((2, 3), (4,)), ((3,), (4, 2)), ((2, 3), (4, 5)), ((2, 1), (2, 1)), ((2, 0), (1, 2)),
    ((2, 2, 4), (3, 4, 5)), ((0, 2, 4), (3, 4, 5)), ((5, 1, 2, 4), (4, 3, 4, 2)), ((), (3,)), ((3,), ()),
    ((), ()), ((2, 2), ()), ((5, 2, 3), (4,)),
], ids=str)
@pytest.mark.parametrize("dtypes", [(F, F), (D, D), (F, D)], ids=["f4", "f8", "mixed"])
def test_shapes(dtypes, a, b):
    x, y = ones(*a, dtype=dtypes[0]), ones(*b, dtype=dtypes[1])
    assert builtin_type(outcome(lambda f: f(x, y), np.matmul)) is ValueError
    with fails(ValueError, a, b):
        fastla.matmul(x, y)
    out = np.full((2, 2), SENTINEL, np.result_type(x, y))
    with fails(ValueError):
        fastla.matmul(x, y, out=out)
    assert (out == SENTINEL).all()


@pytest.mark.portable
@pytest.mark.parametrize("a,b,out", [
    ((2, 3), (3, 4), (2, 3)), ((2, 3), (3, 4), (4, 2)), ((2, 3), (3, 4), (8,)), ((2, 3), (3, 4), ()),
    ((2, 3), (3,), (3,)), ((3,), (3, 4), (3,)), ((5, 2, 3), (3, 4), (2, 4)), ((5, 2, 3), (3, 4), (4, 2, 4)),
    ((0, 3), (3, 4), (1, 4)), ((0, 2, 3), (3, 4), (1, 2, 4)), ((2, 0), (0, 4), (4, 2)),
], ids=str)
def test_shape_of_out(dtype, a, b, out):
    x, y, c = ones(*a, dtype=dtype), ones(*b, dtype=dtype), np.full(out, SENTINEL, dtype)
    assert builtin_type(outcome(lambda f: f(x, y, out=c), np.matmul)) is ValueError
    with fails(ValueError, out, a, b):
        fastla.matmul(x, y, out=c)
    assert (c == SENTINEL).all()


@pytest.mark.portable
@pytest.mark.parametrize("code", ["i4", "i8", "u1", "?", "M8[s]"])
def test_dtype_of_out(dtype, code):
    x, out = ones(3, 3, dtype=dtype), np.zeros((3, 3), code)
    before = out.copy()
    for call in (lambda f: f(x, x, out=out), lambda f: f(x, x, out)):
        assert builtin_type(outcome(call, np.matmul)) is TypeError
        with fails(TypeError, np.dtype(dtype).name, out.dtype):
            call(fastla.matmul)
    for function in (fastla.linear, fastla.gemm):
        with fails(TypeError, np.dtype(dtype).name, out.dtype):
            function(x, x, out=out)
    assert (out == before).all()


@pytest.mark.portable
def test_out_that_is_read_only_or_no_array(dtype):
    x, out = ones(3, 3, dtype=dtype), read_only(np.full((3, 3), SENTINEL, dtype))
    for function in (fastla.matmul, fastla.linear, fastla.gemm):
        with fails(ValueError, "read-only"):
            function(x, x, out=out)
        with fails(ValueError, "read-only"):
            function(x, x, out=np.broadcast_to(out[0], (3, 3)))
        for bad in ([[1.0] * 3] * 3, 1.0, "out", object()):
            with fails(TypeError, "arr"):
                function(x, x, out=bad)
    assert (out == SENTINEL).all()


@pytest.mark.parametrize("a,b", [
    ((2**31, 1), (1, 2**31)), ((2**40, 1), (1, 2**40)), ((2**59, 1), (1, 2**4)), ((2**59, 1), (1, 2**59)),
    ((2**20, 1, 2**20, 1), (2**20, 1, 2**20)), ((2**59, 0), (0, 2**59)), ((2**58, 1, 1), (1, 2**58)),
    ((2**30, 1, 1, 1), (2**31, 1, 1)),
], ids=str)
def test_sizes_that_overflow(dtype, a, b):
    x, y = huge(*a, dtype=dtype), huge(*b, dtype=dtype)
    want = outcome(lambda f: f(x, y), np.matmul)
    assert builtin_type(want) in (ValueError, MemoryError)
    with fails(builtin_type(want)):
        fastla.matmul(x, y)
    out = np.full((2, 2), SENTINEL, dtype)
    with fails(ValueError):
        fastla.matmul(x, y, out=out)
    if len(a) == 2:
        with fails(builtin_type(want)):
            fastla.gemm(x, y)
        with fails(builtin_type(want)):
            fastla.linear(x, y.T)
    assert (out == SENTINEL).all()


def test_pack_of_sizes_that_cannot_be_had(dtype):
    for shape in [(2**29, 2**29), (2**59, 1), (1, 2**59)]:
        with pytest.raises((ValueError, MemoryError)):
            fastla.pack(huge(*shape, dtype=dtype))


@pytest.mark.parametrize("value,kind", [(0, ValueError), (-1, ValueError), (2**40, ValueError),
                                        (2**80, ValueError), ("2", TypeError), (1.5, TypeError),
                                        ([2], TypeError)], ids=str)
def test_num_threads(dtype, value, kind):
    x = ones(3, 3, dtype=dtype)
    out = np.full((3, 3), SENTINEL, dtype)
    for function in (fastla.matmul, fastla.linear, fastla.gemm):
        with fails(kind, "num_threads", function.__name__):
            function(x, x, out=out, num_threads=value)
    for set_count in (fastla.set_num_threads, fastla.threads):
        with fails(kind):
            set_count(value)
    assert (out == SENTINEL).all()


@pytest.mark.portable
@pytest.mark.parametrize("value", ["sloppy", "", "HIGHEST", 1, b"high", True], ids=repr)
def test_precision(dtype, value):
    x = ones(3, 3, dtype=dtype)
    out = np.full((3, 3), SENTINEL, dtype)
    for function in (fastla.matmul, fastla.linear, fastla.gemm):
        with fails(ValueError, "precision", repr(value), "highest"):
            function(x, x, out=out, precision=value)
    assert (out == SENTINEL).all()
    for known in ("exact", "highest", "high", "tf32", "fast"):
        assert (fastla.matmul(x, x, precision=known) == 3).all()


@pytest.mark.parametrize("value", ["swish", "", "ReLU", 1, np.tanh, b"relu"], ids=repr)
def test_activation(dtype, value):
    x = ones(3, 3, dtype=dtype)
    out = np.full((3, 3), SENTINEL, dtype)
    for function in (fastla.linear, fastla.gemm):
        with fails(ValueError, "activation", repr(value), "gelu_tanh"):
            function(x, x, out=out, activation=value)
    assert (out == SENTINEL).all()


@pytest.mark.parametrize("keywords,kind,texts", [
    ({"b": ones(3)}, ValueError, ["b is (3,)", "(5,)"]), ({"b": ones(5, 1)}, ValueError, ["(5, 1)"]),
    ({"b": 1.0}, ValueError, ["b is ()"]), ({"b": ["x"] * 5}, (TypeError, ValueError), []),
    ({"gate": ones(2, 4)}, ValueError, ["gate is (2, 4)", "(2, 5)"]),
    ({"residual": ones(5, 2)}, ValueError, ["residual is (5, 2)", "(2, 5)"]),
    ({"residual": ones(7)}, ValueError, ["residual is (7,)"]), ({"bias": ones(5)}, TypeError, ["bias"]),
    ({"out": ones(2, 4)}, ValueError, ["out is (2, 4)", "(2, 5)"]), ({"alpha": 2}, TypeError, ["alpha"]),
    ({"out": ones(1, 2, 5)}, ValueError, ["out is (1, 2, 5)", "(2, 5)"]),
], ids=str)
def test_linear(keywords, kind, texts):
    out = np.full((2, 5), SENTINEL)
    with pytest.raises(kind) as caught:
        fastla.linear(ones(2, 3), ones(5, 3), **{"out": out, **keywords})
    assert all(text in str(caught.value) for text in texts), caught.value
    assert (out == SENTINEL).all()


@pytest.mark.parametrize("a,b,named", [
    ((2, 3), (5, 4), ["(2, 3)", "(5, 4)"]), ((3, 5), (5, 3), ["(3, 5)", "(5, 3)"]),
    ((2, 3), (3,), ["(3,)"]), ((2, 3), (2, 5, 3), ["(2, 5, 3)"]), ((2, 3), (), ["()"]),
    ((), (5, 3), ["()"]),
], ids=str)
def test_shapes_of_linear(dtype, a, b, named):
    with fails(ValueError, *named):
        fastla.linear(ones(*a, dtype=dtype), ones(*b, dtype=dtype))


@pytest.mark.portable
@pytest.mark.parametrize("a,b,named", [
    ((2, 3), (4, 5), ["(2, 3)", "(4, 5)"]), ((3,), (3, 5), ["(3,)"]), ((2, 3), (3,), ["(3,)"]),
    ((1, 2, 3), (3, 5), ["(1, 2, 3)"]), ((), (3, 5), ["()"]), ((2, 3), (1, 3, 5), ["(1, 3, 5)"]),
], ids=str)
def test_shapes_of_gemm(dtype, a, b, named):
    with fails(ValueError, *named):
        fastla.gemm(ones(*a, dtype=dtype), ones(*b, dtype=dtype))


@pytest.mark.portable
@pytest.mark.parametrize("keywords,kind,texts", [
    ({"beta": 1.0}, ValueError, ["beta", "c"]), ({"c": ones(2, 4), "beta": 1}, ValueError, ["c is (2, 4)"]),
    ({"alpha": "2"}, TypeError, ["alpha"]), ({"beta": 1j, "c": ones(2, 5)}, TypeError, ["beta"]),
    ({"row_scale": ones(5)}, ValueError, ["row_scale is (5,)", "(2,)"]),
    ({"col_scale": ones(2)}, ValueError, ["col_scale is (2,)", "(5,)"]),
    ({"bias": ones(2)}, ValueError, ["bias is (2,)", "(5,)"]),
    ({"row_bias": ones(5)}, ValueError, ["row_bias is (5,)", "(2,)"]),
    ({"gate": ones(5)}, ValueError, ["gate is (5,)"]), ({"nope": 1}, TypeError, ["nope"]),
    ({"residual": ones(2, 5, 1)}, ValueError, ["residual is (2, 5, 1)"]),
], ids=str)
def test_gemm(keywords, kind, texts):
    out = np.full((2, 5), SENTINEL)
    with fails(kind, *texts):
        fastla.gemm(ones(2, 3), ones(3, 5), out=out, **keywords)
    assert (out == SENTINEL).all()


@pytest.mark.parametrize("code", ["i4", "?", "F", "D", "g", "O", "e", "U1", "M8[s]"])
def test_dtypes_without_kernels(code):
    """matmul has NumPy to go to; the fused forms have no one and must say so."""
    x = np.zeros((3, 3), code)
    for function in (fastla.linear, fastla.gemm):
        if np.dtype(code).char != "e":  # decided by promotion with what else is there
            with fails(TypeError, x.dtype):
                function(x, x)
    if np.dtype(code).char not in "e":
        with fails(TypeError, x.dtype):
            fastla.pack(x)


@pytest.mark.parametrize("w", [ones(3), ones(2, 3, 4), 1.0, None], ids=lambda w: str(np.shape(w)))
def test_pack(w):
    with pytest.raises((ValueError, TypeError)) as caught:
        fastla.pack(w)
    assert re.search(r"\(.*\)|dtype|object", str(caught.value))


def test_packed_operand_of_the_wrong_size(dtype):
    packed = fastla.pack(ones(3, 5, dtype=dtype))
    out = np.full((2, 5), SENTINEL, dtype)
    for shape in [(2, 4), (4,), (1, 2, 5), ()]:
        with fails(ValueError, shape, (3, 5)):
            fastla.matmul(ones(*shape, dtype=dtype), packed, out=out)
    for bad in (ones(2, 4, dtype=dtype), ones(5, 2, dtype=dtype)):
        with fails(ValueError, bad.shape):
            fastla.matmul(ones(2, 3, dtype=dtype), packed, out=bad)
    with fails(ValueError):
        fastla.linear(ones(2, 3, dtype=dtype), packed, out=out)
    with pytest.raises((TypeError, ValueError)):
        fastla.matmul(packed, ones(5, 2, dtype=dtype))
    assert (out == SENTINEL).all()


@pytest.mark.parametrize("function", [fastla.matmul, fastla.linear, fastla.gemm], ids=lambda f: f.__name__)
def test_calls_that_are_no_calls(function):
    x = ones(2, 2)
    for arguments, keywords in [((), {}), ((x,), {}), ((x,) * 20, {}), ((x, x), {"nope": 1}),
                                ((x, x), {"x1": x})]:
        with fails(TypeError, function.__name__):
            function(*arguments, **keywords)
