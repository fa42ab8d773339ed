"""The gradients of attention have docs/rows.md's bits."""

import numpy as np
import pytest
from attention_cases import OPTIONS, Stack, case, stack
from row_cases import by_name
from shapes import assert_same_bits

from fastla import nn


@by_name
@pytest.mark.parametrize("name", OPTIONS)
def test_gradients(isa, dtype, name):
    queries, keys = (9, 40) if name in ("softcap", "all") else (20, 270)
    operands, given, (out, lse) = case(name, queries, keys, 8, 5, 2, 1, dtype)
    dout = np.random.default_rng(12).standard_normal(out.shape).astype(dtype)
    want = Stack(*operands, **given).gradients(dout, out, lse)
    got = nn.attention_backward(dout, *operands, out, lse, **given)
    for what, x, y in zip("qkv", got, want, strict=True):
        assert_same_bits(x, y, f"{name}, d{what}")


@by_name
def test_gradients_of_many_queries(threads, dtype):
    """Chunks of queries and of keys, heads that share keys."""
    operands, given, (out, lse) = case("window", 260, 300, 8, 8, 4, 2, dtype)
    dout = np.random.default_rng(13).standard_normal(out.shape).astype(dtype)
    got = nn.attention_backward(dout, *operands, out, lse, **given, num_threads=threads)
    if threads == 1:
        want = Stack(*operands, **given).gradients(dout, out, lse)
    else:
        want = nn.attention_backward(dout, *operands, out, lse, **given, num_threads=1)
    for what, x, y in zip("qkv", got, want, strict=True):
        assert_same_bits(x, y, f"d{what}")


SMALL = [(0, 5, 4, 3), (5, 0, 4, 3)]


@pytest.mark.parametrize("shape", [*SMALL, (1, 1, 0, 3), (5, 7, 4, 0), (1, 1, 1, 1)], ids=str)
def test_gradients_of_small_shapes(isa, dtype, shape):
    q, k, v = stack(np.random.default_rng(14), *shape, 2, 1, dtype=dtype)
    out, lse = nn.attention(q, k, v, return_lse=True)
    want = Stack(q, k, v).gradients(np.ones_like(out), out, lse)
    for x, y in zip(nn.attention_backward(np.ones_like(out), q, k, v, out, lse), want, strict=True):
        assert_same_bits(x, y, shape)
