"""Attention has docs/rows.md's bits: on every instruction set, for every dtype, shape and number of threads;
and equal questions have equal answers."""

import attention_cases
import numpy as np
import pytest
import shapes
from attention_cases import OPTIONS, Stack, case, options, stack
from row_cases import by_name, special, wide
from shapes import assert_same_bits

import fastla
from fastla import nn


def check(name, *shape, **others):
    operands, given, (out, lse) = case(name, *shape)
    got, got_lse = nn.attention(*operands, **given, return_lse=True, **others)
    assert_same_bits(got, out, f"{name}, {shape}")
    assert_same_bits(got_lse, lse, f"{name}, {shape}, lse")


@by_name
@pytest.mark.parametrize("keys", [0, 1, 15, 16, 17, 255, 256, 257, 513])
def test_lengths(isa, dtype, keys):
    for queries in (1, 2, 17):
        check("plain", queries, keys, 8, 8, 1, 1, dtype)
        check("causal", queries, keys, 8, 8, 1, 1, dtype)


@by_name
@pytest.mark.parametrize("name", OPTIONS)
def test_options(isa, dtype, name):
    queries, keys = (19, 61) if name in ("softcap", "all") else (41, 300)  # tanh of the oracle is slow
    check(name, queries, keys, 8, 5, 2, 1, dtype)


@pytest.mark.parametrize(
    "sizes", [(0, 3), (1, 1), (3, 0), (16, 16), (17, 33), (64, 64), (513, 31), (1030, 2)], ids=str
)
def test_sizes(isa, dtype, sizes):
    for rows in (1, 7, 33):
        check("plain", rows, 35, *sizes, 1, 1, dtype)


@by_name
def test_many_queries(threads, dtype):
    """Several tiles of queries, of several heads."""
    for name in ("plain", "causal", "window", "mask", "bias", "alibi"):
        check(name, 257, 260, 16, 16, 4, 2, dtype, num_threads=threads)


@by_name
def test_few_queries_and_many_keys(threads, dtype):
    """Cut along the keys, for several threads."""
    for name in ("plain", "mask", "window", "alibi"):
        check(name, 3, 2900, 64, 64, 2, 1, dtype, num_threads=threads)


@pytest.mark.parametrize("name", ["plain", "causal", "mask", "bias", "alibi", "softcap"])
def test_special_values(isa, dtype, name):
    """A few among usual ones, in each operand: where NaN is, too."""
    for seed in range(6):
        rng = np.random.default_rng([30, seed])
        operands = list(stack(rng, 20, 50, 8, 5, 2, 1, dtype=dtype))
        given = options(rng, 20, 50, 2)[name]
        if name == "bias":
            operands.append(given["bias"].astype(dtype))
        for i, x in enumerate(operands):
            some = rng.random(x.shape) < 0.01 * (1 + seed % 3)
            operands[i] = np.where(some, special(rng, x.shape, dtype), x)
        q, k, v, *bias = operands
        if bias:
            given["bias"] = bias[0]
        want, want_lse = Stack(q, k, v, **given).attention()
        with np.errstate(all="raise"):
            got, lse = nn.attention(q, k, v, **given, return_lse=True)
        assert_same_bits(got, want, seed)
        assert_same_bits(lse, want_lse, seed)


def test_batch(isa, dtype):
    """Each batch and head is computed as it would be alone."""
    q, k, v = stack(np.random.default_rng(1), 33, 270, 16, 24, 6, 2, (2, 3), dtype)
    whole, lse = nn.attention(q, k, v, causal=True, return_lse=True)
    for b in np.ndindex(2, 3):
        for h in range(6):
            one = nn.attention(q[b][h], k[b][h // 3], v[b][h // 3], causal=True, return_lse=True)
            assert_same_bits(one[0], whole[b][h])
            assert_same_bits(one[1], lse[b][h])


@by_name
def test_a_slice_of_queries(isa, dtype):
    """One query at a time, and any run of them, give what all give: decoding equals recomputation."""
    q, k, v = stack(np.random.default_rng(2), 300, 600, 32, 32, dtype=dtype)
    alibi = np.array([0.25])
    arguments = {"causal": True, "window": (280, 0), "alibi": alibi}
    whole = nn.attention(q, k, v, **arguments)
    for first, end in [(0, 1), (0, 7), (1, 257), (113, 114), (250, 300), (299, 300)]:
        keys = 600 - 300 + end  # the last query of the slice sees these
        part = nn.attention(q[:, first:end], k[:, :keys], v[:, :keys], **arguments)
        assert_same_bits(part, whole[:, first:end], f"queries {first}:{end}")


@by_name
def test_chunked_prefill(dtype):
    q, k, v = stack(np.random.default_rng(3), 520, 520, 32, 32, 4, 2, dtype=dtype)
    whole = nn.attention(q, k, v, causal=True)
    for step in (1, 100, 256, 400):
        starts = range(0, 520, step) if step > 1 else (0, 255, 256, 519)
        for i in starts:
            end = min(i + step, 520)
            part = nn.attention(q[:, i:end], k[:, :end], v[:, :end], causal=True)
            assert_same_bits(part, whole[:, i:end], f"queries {i}:{end}")


def test_more_keys_that_nobody_sees(isa, dtype):
    q, k, v = stack(np.random.default_rng(4), 9, 300, 16, dtype=dtype)
    want = nn.attention(q, k, v, causal="upper_left")
    for keys in (9, 10, 256, 299):
        assert_same_bits(nn.attention(q, k[:, :keys], v[:, :keys], causal="upper_left"), want, keys)


def test_grouped_heads(isa, dtype):
    q, k, v = stack(np.random.default_rng(5), 21, 280, 16, 8, 6, 2, (2,), dtype)
    for arguments in ({}, {"causal": True}, {"window": (20, 20)}):
        want = nn.attention(q, np.repeat(k, 3, 1), np.repeat(v, 3, 1), **arguments)
        assert_same_bits(nn.attention(q, k, v, **arguments), want, arguments)


@by_name
def test_ways_to_say_the_same(isa, dtype):
    """By arguments, by a mask, by a bias of -Inf."""
    queries, keys = 70, 300
    q, k, v = stack(np.random.default_rng(6), queries, keys, 16, 16, 2, dtype=dtype)
    for arguments in (
        {"causal": True},
        {"causal": "upper_left"},
        {"window": (17, 5)},
        {"window": (0, 0)},
        {"causal": True, "window": (40, 9)},
        {"window": (-1, 3)},
        {"window": (260, -1)},
    ):
        visible = attention_cases.seen(queries, keys, **arguments)
        want, lse = nn.attention(q, k, v, **arguments, return_lse=True)
        hidden = np.where(visible, 0, -np.inf)
        for what in (
            {"mask": visible},
            {"mask": visible[None]},
            {"bias": hidden},
            {"mask": visible, **arguments},
        ):
            got, got_lse = nn.attention(q, k, v, **what, return_lse=True)
            assert_same_bits(got, want, f"{arguments}, {list(what)}")
            assert_same_bits(got_lse, lse, f"{arguments}, {list(what)}")


def test_alibi_is_a_bias_rounded_once(dtype):
    """Slopes that are powers of two: the product with the distance is exact, fma or not."""
    q, k, v = stack(np.random.default_rng(7), 40, 300, 16, 16, 2, dtype=dtype)
    slopes = np.array([0.5, 0.0625])
    distance = abs(np.arange(300) - (np.arange(40) + 260)[:, None])
    bias = (-slopes[:, None, None] * distance).astype(dtype)
    assert_same_bits(nn.attention(q, k, v, alibi=slopes), nn.attention(q, k, v, bias=bias))


@by_name
def test_broadcast(dtype):
    rng = np.random.default_rng(8)
    q, k, v = stack(rng, 10, 30, 16, 16, 4, 2, (2, 3), dtype)
    mask = rng.random((2, 1, 1, 10, 30)) < 0.8
    bias = rng.standard_normal((4, 1, 30)).astype(wide(q).dtype)
    full = (2, 3, 4, 10, 30)
    want = nn.attention(
        q, k, v, mask=np.broadcast_to(mask, full).copy(), bias=np.broadcast_to(bias, full).copy()
    )
    assert_same_bits(nn.attention(q, k, v, mask=mask, bias=bias), want)
    shared = nn.attention(q, k[:1, :1], v[0, 0][None, None], mask=mask, bias=bias)
    copied = [np.ascontiguousarray(np.broadcast_to(x[:1, :1], x.shape)) for x in (k, v)]
    assert_same_bits(shared, nn.attention(q, *copied, mask=mask, bias=bias))


def strange(x):
    """The same numbers in other layouts."""
    yield "heads last", np.ascontiguousarray(x.swapaxes(-3, -2)).swapaxes(-3, -2)
    yield "transposed", np.ascontiguousarray(x.swapaxes(-2, -1)).swapaxes(-2, -1)
    yield "strided", shapes.strided(x)
    yield "reversed", np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1]
    yield "rows reversed", np.ascontiguousarray(x[..., ::-1, :])[..., ::-1, :]
    yield "unaligned", shapes.unaligned(x)
    yield "poisoned", shapes.poisoned(x)
    if x.dtype.name != "bfloat16":  # ml_dtypes knows no other byte order
        yield "byte-swapped", x.astype(x.dtype.newbyteorder())


@by_name
def test_layouts(dtype):
    rng = np.random.default_rng(9)
    q, k, v = stack(rng, 18, 40, 16, 12, 4, 2, (2,), dtype)
    mask, bias = rng.random((2, 4, 18, 40)) < 0.8, rng.standard_normal((2, 4, 18, 40)).astype(wide(q).dtype)
    want, lse = nn.attention(q, k, v, mask=mask, bias=bias, return_lse=True)
    dout = rng.standard_normal(want.shape).astype(dtype)
    back = nn.attention_backward(dout, q, k, v, want, lse, mask=mask, bias=bias)
    kinds = [dict(strange(x)) for x in (dout, q, k, v, want, bias)]
    masks = dict(strange(mask)) | {"byte-swapped": mask}
    for layout in kinds[0]:
        other_dout, oq, ok, ov, out, other_bias = (of[layout] for of in kinds)
        others = {"mask": masks[layout], "bias": other_bias}
        assert_same_bits(nn.attention(oq, ok, ov, **others), want, layout)
        for got, expected in zip(
            nn.attention_backward(other_dout, oq, ok, ov, out, lse, **others), back, strict=True
        ):
            assert_same_bits(got, expected, f"{layout}, gradients")


@by_name
def test_out(dtype):
    q, k, v = stack(np.random.default_rng(10), 18, 40, 16, 16, 4, 4, (2,), dtype)
    want = nn.attention(q, k, v)
    for layout, out in strange(np.zeros_like(want)):
        if layout != "byte-swapped":
            assert nn.attention(q, k, v, out=out) is out
            assert_same_bits(out, want, layout)
    for i in range(3):  # in the place of an operand
        operands = [x[..., :18, :].copy() for x in (q, k, v)]
        expected = nn.attention(*operands)
        nn.attention(*operands, out=operands[i])
        assert_same_bits(operands[i], expected, f"in the place of operand {i}")


def test_out_in_the_place_of_bias(dtype):
    """One row further, so that what is written there would be read as bias."""
    rng = np.random.default_rng(11)
    q, k, v = stack(rng, 600, 16, 16, 16, dtype=dtype)
    buffer = rng.standard_normal((1, 1800, 16)).astype(dtype)
    for first, at in ((0, 1), (1, 0), (0, 0), (0, 599)):
        memory = buffer.copy()
        bias, out = memory[:, first : first + 600], memory[:, at : at + 600]
        want = nn.attention(q, k, v, bias=bias.copy())
        nn.attention(q, k, v, bias=bias, out=out)
        assert_same_bits(out, want, f"{first}, {at}")


def test_threads_in_force(dtype):
    for threads in (1, 2, 3):
        fastla.set_num_threads(threads)
        check("plain", 3, 2900, 64, 64, 2, 1, dtype)
