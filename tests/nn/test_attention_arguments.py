"""Attention's shapes, and what it says of arguments that are wrong."""

import numpy as np
import pytest
from attention_cases import stack
from shapes import assert_same_bits

from fastla import nn

EMPTY = [(0, 5, 4), (5, 0, 4), (0, 0, 4)]


@pytest.mark.parametrize("shape", [*EMPTY, (3, 5, 0)], ids=str)
def test_empty(dtype, threads, shape):
    q, k, v = stack(np.random.default_rng(25), *shape, 3, 4, 2, (2,), dtype)
    out, lse = nn.attention(q, k, v, return_lse=True, num_threads=threads)
    assert out.shape == (2, 4, shape[0], 3) and lse.shape == out.shape[:-1]
    if shape[1] == 0:
        assert (out == 0).all() and (lse == -np.inf).all()
    if shape[2] == 0:  # all scores are 0
        assert np.allclose(
            out, np.repeat(v.mean(-2, keepdims=True), 2, 1), rtol=0, atol=8 * np.finfo(dtype).eps
        )
    back = nn.attention_backward(np.ones_like(out), q, k, v, out, lse, num_threads=threads)
    assert [x.shape for x in back] == [x.shape for x in (q, k, v)]


@pytest.mark.parametrize("lead", [(0,), (2, 0), (0, 3)], ids=str)
def test_no_heads(dtype, lead):
    q, k, v = (np.ones((*lead, 1, n, 4), dtype) for n in (2, 3, 3))
    out, lse = nn.attention(q, k, v, return_lse=True)
    assert out.shape == (*lead, 1, 2, 4)
    assert nn.attention_backward(out, q, k, v, out, lse).k.shape == k.shape
    none = np.ones((0, 2, 4), dtype)
    assert nn.attention(none, none, none).shape == (0, 2, 4)


def test_dtypes_meet(dtype):
    q, k, v = stack(np.random.default_rng(26), 4, 6, 8, dtype=dtype)
    assert nn.attention(q.astype(np.float32), k.astype(np.float64), v.astype(np.float32)).dtype == np.float64
    whole = nn.attention(q, k, v, bias=np.ones((4, 6), np.int8))
    assert_same_bits(whole, nn.attention(q, k, v, bias=np.ones((4, 6), dtype)))
    assert nn.attention(np.ones((2, 2), int), np.ones((3, 2), int), np.ones((3, 2), int)).dtype == np.float64


Q, K = np.ones((2, 4, 5, 8), np.float32), np.ones((2, 2, 6, 8), np.float32)
OUT = (2, 4, 5, 8)
WRONG = {
    "size": (
        {"k": K[..., :7]},
        ValueError,
        r"q is \(2, 4, 5, 8\), k is \(2, 2, 6, 7\).*q.shape\[-1\]=8.*=7",
    ),
    "keys": (
        {"v": K[:, :, :5]},
        ValueError,
        r"v is \(2, 2, 5, 8\); k.shape\[-2\]=6 must equal v.shape\[-2\]=5",
    ),
    "heads": ({"q": Q[:, :3]}, ValueError, "3 heads of queries cannot share 2 and 2"),
    "heads of v": ({"v": K[:, :1]}, ValueError, "cannot share 2 and 1"),
    "batch": ({"q": np.ones((3, 4, 5, 8), np.float32)}, ValueError, "do not broadcast"),
    "dimensions": ({"q": Q[0]}, ValueError, "same number of dimensions"),
    "one axis": ({"q": Q[0, 0, 0], "k": K[0, 0, 0], "v": K[0, 0, 0]}, ValueError, r"q is \(8,\)"),
    "complex": ({"q": Q * 1j}, TypeError, "q is complex64"),
    "mask of floats": ({"mask": np.ones((5, 6))}, TypeError, "mask is float64"),
    "mask": (
        {"mask": np.ones((5, 7), bool)},
        ValueError,
        r"mask is \(5, 7\), the scores are \(2, 4, 5, 6\)",
    ),
    "bias": (
        {"bias": np.ones((3, 5, 6))},
        ValueError,
        r"bias is \(3, 5, 6\), the scores are \(2, 4, 5, 6\)",
    ),
    "alibi": ({"alibi": np.ones(3)}, ValueError, r"alibi is \(3,\); it must be \(4,\)"),
    "causal": ({"causal": "left"}, ValueError, "'left'"),
    "softcap": ({"softcap": 0.0}, ValueError, "softcap is 0.0"),
    "softcap below": ({"softcap": -1.0}, ValueError, "softcap is -1.0"),
    "softcap NaN": ({"softcap": np.nan}, ValueError, "softcap is nan"),
    "dropout": ({"dropout_p": 1.0}, ValueError, "dropout_p is 1.0"),
    "dropout NaN": ({"dropout_p": np.nan}, ValueError, "dropout_p is nan"),
    "threads": ({"num_threads": 0}, ValueError, "num_threads"),
    "window": ({"window": (1,)}, ValueError, "window"),
    "window of a number": ({"window": 3}, (ValueError, TypeError), "window"),
    "scale": ({"scale": "big"}, (ValueError, TypeError), "big"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments(wrong):
    changed, error, text = WRONG[wrong]
    given = {"q": Q, "k": K, "v": K} | changed
    out = np.full(OUT, 7, np.float32)
    with pytest.raises(error, match=text):
        nn.attention(**given, out=out)
    assert (out == 7).all()


def test_out_that_does_not_fit():
    for out, error, text in (
        (np.full((2, 4, 5, 7), 7, np.float32), ValueError, r"out is \(2, 4, 5, 7\)"),
        (np.full(OUT, 7.0), ValueError, "float64; it must be"),
        ([7.0], TypeError, "out is list"),
    ):
        with pytest.raises(error, match=text):
            nn.attention(Q, K, K, out=out)
        assert (np.asarray(out) == 7).all()


BACKWARD = {
    "leading": ({"k": K[:1]}, r"leading dimensions must be the same"),
    "out": ({"out": Q[..., :7]}, r"out is \(2, 4, 5, 7\); it must be \(2, 4, 5, 8\)"),
    "dout": ({"dout": Q[:, :2]}, r"dout is \(2, 2, 5, 8\)"),
    "lse": ({"lse": Q[..., 0, 0]}, r"lse is \(2, 4\); it must be \(2, 4, 5\)"),
}


@pytest.mark.parametrize("wrong", BACKWARD)
def test_wrong_arguments_of_backward(wrong):
    changed, text = BACKWARD[wrong]
    given = {"dout": Q, "q": Q, "k": K, "v": K, "out": Q, "lse": Q[..., 0]} | changed
    with pytest.raises(ValueError, match=text):
        nn.attention_backward(**given)


@pytest.mark.parametrize("rng", [None, np.random.default_rng(1)], ids=["None", "Generator"])
def test_backward_must_be_told_what_was_dropped(rng):
    with pytest.raises(TypeError, match=f"rng is {type(rng).__name__}"):
        nn.attention_backward(Q, Q, K, K, Q, Q[..., 0], dropout_p=0.5, rng=rng)


def test_dropout_keeps_the_mean(dtype):
    """Of 10^5 weights, each 1 / 1000; six standard deviations."""
    zeros, ones, share = np.zeros((100, 4), dtype), np.ones((1000, 1), dtype), 0.3
    out = nn.attention(zeros, np.zeros((1000, 4), dtype), ones, dropout_p=share, rng=5)
    assert abs(out.mean() - 1) < 6 * (share / (1 - share) / 1e5) ** 0.5
    assert len(np.unique(out)) > 20
    again = nn.attention(zeros, np.zeros((1000, 4), dtype), ones, dropout_p=share, rng=6)
    assert (again != out).mean() > 0.5
    same = [np.random.default_rng(2) for _ in range(2)]
    drawn = [nn.attention(zeros, zeros, zeros + 1, dropout_p=share, rng=g) for g in same]
    assert_same_bits(*drawn)


def test_the_name_of_pytorch():
    """What scaled_dot_product_attention's arguments mean here; its values: test_beside_torch.py."""
    f = nn.scaled_dot_product_attention
    assert_same_bits(f(Q, K, K, enable_gqa=True), nn.attention(Q, K, K))
    assert_same_bits(f(Q, K, K, is_causal=True, enable_gqa=True), nn.attention(Q, K, K, causal="upper_left"))
    dropped = {"dropout_p": 0.5, "rng": 3}
    assert_same_bits(f(Q[:, :2], K, K, **dropped), nn.attention(Q[:, :2], K, K, **dropped))
    mask = np.arange(6) < 4
    assert_same_bits(f(Q[:, :2], K, K, mask), nn.attention(Q[:, :2], K, K, mask=mask))
    assert_same_bits(f(Q[:, :2], K, K, mask * 2.0), nn.attention(Q[:, :2], K, K, bias=mask * 2.0))
    assert_same_bits(f(Q[:, :2], K, K, scale=0.5), nn.attention(Q[:, :2], K, K, scale=0.5))
    for changed, text in (
        ({}, r"heads are \[4, 2, 2\]"),
        ({"dropout_p": 1.5, "enable_gqa": True}, "dropout_p is 1.5"),
        ({"attn_mask": mask, "is_causal": True}, "attn_mask and is_causal"),
    ):
        with pytest.raises(ValueError, match=text):
            f(Q, K, K, **changed)
